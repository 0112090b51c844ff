"""What people order: junking frames, taking that back, and reducing again, with parameters or as before."""
