"""The networks, their derivative and their weights."""
