"""A lost database made anew: from the raw files, and from the products with the records beside them."""
