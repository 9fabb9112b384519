"""What a fleet costs: its parent, the server, the database, the storage, and what a second machine adds."""
