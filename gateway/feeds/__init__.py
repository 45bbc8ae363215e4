"""Feeds: admitted, normalised, guarded by versions, published, finished, and kept true."""
