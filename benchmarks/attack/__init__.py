"""Attacks on the server, and their effect on its honest clients: ``python -m benchmarks attack``."""
