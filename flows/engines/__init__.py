"""What drives workers: the supervisor, worker processes, and the view in Prefect."""
