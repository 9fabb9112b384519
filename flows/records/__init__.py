"""What is written about pairs and runs, and what it means."""
