"""Observation: one stream of events from the loop and the connections, and its subscribers."""
