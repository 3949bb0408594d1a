"""Programs of the course in ``reactor/README.md``: each shows one thing, and ends by itself."""
