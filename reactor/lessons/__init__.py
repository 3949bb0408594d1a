"""Programs of the course in ``reactor/lessons/README.md``: each shows one thing, and ends by itself."""
