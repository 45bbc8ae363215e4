"""Adapters that only tests use."""
