"""Measures the suite against other gradient checkers."""
