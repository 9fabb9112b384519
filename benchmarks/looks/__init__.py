"""How pictures look, in figures and on a sheet: ways of making them side by side. See `docs/looks.md`."""
