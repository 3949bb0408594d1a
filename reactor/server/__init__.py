"""The server: listen, accept, and the state machine of each connection."""
