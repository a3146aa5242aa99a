"""Measures the layers against their peers: `python -m layers.benchmarks`."""
