"""Adapters: one folder per supplier interface, loaded by name."""
