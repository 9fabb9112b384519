"""Many machines on one manifest, by Prefect's work pools: a run per shard, and what operators see of it."""
