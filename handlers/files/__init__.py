"""File sharing: downloads, uploads, directory listings and upload forms."""
