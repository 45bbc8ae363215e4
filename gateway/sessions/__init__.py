"""Suppliers that are pulled: one process at a time owns each, its token, its limits and its pace."""
