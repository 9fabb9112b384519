"""What a user may set: frozen, validated, free of torch, YAML and paths."""
