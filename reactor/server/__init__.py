"""The server: listening, accepting, and the state machine of each connection."""
