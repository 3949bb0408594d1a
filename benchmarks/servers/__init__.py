"""The servers that are compared, and how their processes are started and checked."""
