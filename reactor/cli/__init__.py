"""The command line: the options by subject, and the command that runs the server."""
