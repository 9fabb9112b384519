"""Dreams: pictures in which a network sees more and more of what it sees in them already."""
