"""The manifest: read from YAML, checked as a whole, typed."""
