"""Attack clients against one server, and what its other clients notice."""
