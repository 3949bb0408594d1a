"""A synthetic run, created once."""

import copy
from functools import cache

import pytest

from benchmarks.results.samples import Run
from tests.unit.benchmarks.synthetic import make_run


@cache
def made() -> Run:
    """Create the run that is copied for each test."""
    return make_run(rounds=3, detail=100)


@pytest.fixture
def run() -> Run:
    """Return a copy of the run; its samples are immutable."""
    run = made()
    return Run(copy.deepcopy(run.environment), dict(run.peers), dict(run.skipped), list(run.samples))
