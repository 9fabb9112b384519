"""What single formats need: their marks, their boxes and decoders that Pillow has not."""
