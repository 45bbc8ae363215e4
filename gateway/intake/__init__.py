"""The vendor HTTP API: who is calling, bodies that are whole, problems that say what to do."""
