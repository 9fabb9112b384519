"""The commands that draw pages and sheets."""
