"""The one HTTP server: deadlines, bounds, problems, correlation, what probes ask. What is served stands above it."""
