"""Where bytes live: local folders and S3 behind one protocol."""
