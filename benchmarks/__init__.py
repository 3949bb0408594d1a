"""Benchmarks of the server, side by side with others: ``python -m benchmarks QUESTION``; see README.md."""
