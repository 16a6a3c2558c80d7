"""The guard as a process of its own, on a real API server."""
