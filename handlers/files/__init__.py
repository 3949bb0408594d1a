"""Sharing a directory: downloads, uploads, listings and forms."""
