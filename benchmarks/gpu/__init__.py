"""What a GPU does with this work (`python -m benchmarks gpu`), and what it should do (`... roofline`)."""
