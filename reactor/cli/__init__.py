"""The command line: options by subject, and the server that they describe."""
