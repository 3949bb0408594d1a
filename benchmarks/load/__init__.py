"""The load generator: open and closed loops of clients on an event loop of their own."""
