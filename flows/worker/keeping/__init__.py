"""What a pair is at, kept for another run to go on from, and what was shown of it by then."""
