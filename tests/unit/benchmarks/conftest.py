"""A made-up run, which is made once."""

import copy
from functools import cache

import pytest

from benchmarks.results.samples import Run
from tests.unit.benchmarks.synthetic import make_run


@cache
def made() -> Run:
    """Make the run that everybody gets a copy of."""
    return make_run(rounds=3, detail=100)


@pytest.fixture
def run() -> Run:
    """Return a run that the test may change; its samples cannot be."""
    run = made()
    return Run(copy.deepcopy(run.environment), dict(run.peers), dict(run.skipped), list(run.samples))
