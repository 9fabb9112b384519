"""What is drawn of a run, or of an output, for people to look at."""
