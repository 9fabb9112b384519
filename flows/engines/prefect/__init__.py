"""A Prefect server for one run, or the user's own."""
