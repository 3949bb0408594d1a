"""Logs: the access log, messages on standard error, and writing without blocking."""
