"""The batch: manifests, plans, storage, records, workers, the Prefect flow and the command."""
