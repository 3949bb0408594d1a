"""The inspector: a page that shows and controls the event loop, and the HTTP API behind it."""
