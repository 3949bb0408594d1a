"""Shared by all questions: the command line, the configuration and the order of rounds."""
