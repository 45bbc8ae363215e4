"""/admin/v1: what the CLI and the console stand on. One audit row per change, in the transaction that makes it."""
