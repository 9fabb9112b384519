"""Pages for people to look at results: one HTML file each, made of records, reports and traces alone."""
