"""Checks of the tree that no linter has."""
