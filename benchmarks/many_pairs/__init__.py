"""What a great many pairs cost before and after their pictures are made: planned, listed, looked at."""
