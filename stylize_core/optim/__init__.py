"""Solvers, and the loop that asks them."""
