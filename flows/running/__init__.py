"""A run from its lock to its report."""
