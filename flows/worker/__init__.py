"""What happens to a pair beside and on a device. Knows nothing of Prefect."""
