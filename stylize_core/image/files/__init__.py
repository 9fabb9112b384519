"""Files of PNG and TIFF, written strip by strip, so that no second copy of a picture is in memory."""
