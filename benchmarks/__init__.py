"""Benchmarks: one script a question, and the question is its docstring."""
