"""The servers under comparison: command lines, processes, workloads, checks of their responses."""
