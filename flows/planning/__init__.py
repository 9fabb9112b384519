"""What a manifest asks for, and what of it is to do. Reads, never writes."""
