"""Pictures too large to be decoded at once, read from top to bottom in parts and shrunk on the way."""
