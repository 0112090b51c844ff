"""What the web reads from PostgreSQL. It writes nothing."""
