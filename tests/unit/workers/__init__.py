"""Tests of the supervisor and the workers, without processes."""
