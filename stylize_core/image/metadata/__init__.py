"""What pictures say of their owners: read from contents, and written into results as far as is asked."""
