"""Applications of the library, each in one file, with their tests."""
