"""Small bugs, each planted in a copy of this tree to see that a test bites: `make mutants`."""
