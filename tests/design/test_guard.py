"""The guard of tests/conftest.py: a test without a marker does not start a process."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

COMMAND = [sys.executable, "-c", "raise SystemExit(5)"]
WAYS: dict[str, Callable[[], object]] = {
    "run": lambda: subprocess.run(COMMAND, check=False),
    "Popen": lambda: subprocess.Popen(COMMAND),
    "fork": os.fork,
    "posix_spawn": lambda: os.posix_spawn(sys.executable, COMMAND, os.environ),
    "system": lambda: os.system("true"),
    "multiprocessing": multiprocessing.get_context("spawn").Process(target=print).start,
}


@pytest.mark.parametrize("way", WAYS)
def test_starting_a_process_fails_an_unmarked_test(way: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"test_guard.py::.* starts a process: mark it"):
        WAYS[way]()


@pytest.mark.system
def test_starting_a_process_is_allowed_with_the_marker() -> None:
    assert subprocess.run(COMMAND, check=False).returncode == 5


def test_tests_are_marked_by_their_folder(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        for folder, marker in (("system", "system"), ("browser", "browser"), ("unit/benchmarks", "bench")):
            if item.nodeid.startswith(f"tests/{folder}/"):
                assert item.get_closest_marker(marker), item.nodeid
