"""The drawn paintings."""
