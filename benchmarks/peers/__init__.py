"""Side by side with what people use: `python -m benchmarks.peers`."""
