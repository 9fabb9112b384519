"""The user's Prefect server, and a run as it shows there."""
