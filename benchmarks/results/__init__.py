"""Saved runs: samples, statistics, checks, targets and tables."""
