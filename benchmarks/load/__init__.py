"""The load generator: open and closed loops of clients on our own event loop."""
