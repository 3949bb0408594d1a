"""Programs of the course in ``reactor/lessons/README.md``; each demonstrates one subject and then exits."""
