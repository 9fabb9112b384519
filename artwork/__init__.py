"""The example pictures of the quickstart, drawn from nothing but numpy and seeds: one module per picture."""
