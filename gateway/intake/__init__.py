"""Where vendors push: the HTTP server, who is calling, bodies becoming records, and the routes of /v1."""
