"""How many pairs, and how much of a picture, a device has in memory at a time."""
