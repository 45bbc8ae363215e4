"""Benchmarks: the gateway beside its peers, on the same engines, in the same run. What is claimed are ratios."""
