"""What all questions share: the command line, the configuration and the order of rounds."""
