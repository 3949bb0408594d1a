"""Markers by folder, and a guard: a test without a marker must not start a process.

Under ``tests/system`` every test is marked ``system``, under ``tests/browser`` ``browser`` and under
``tests/unit/benchmarks`` ``bench``; elsewhere a test that starts a process carries its own marker. The
default run deselects all of them (``addopts`` in setup.cfg).
"""

import multiprocessing.util
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

TESTS = Path(__file__).parent
MARKER_BY_FOLDER = {
    f"{TESTS}/system/": pytest.mark.system,
    f"{TESTS}/browser/": pytest.mark.browser,
    f"{TESTS}/unit/benchmarks/": pytest.mark.bench,
}
MAY_START_PROCESSES = ("system", "bench", "browser", "slow")
STARTS_A_PROCESS = ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system")

guarded = pytest.StashKey[pytest.Item | None]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the folder that they are in, before they are deselected by marker."""
    for item in items:
        for folder, marker in MARKER_BY_FOLDER.items():
            if str(item.path).startswith(folder):
                item.add_marker(marker)


def refuse(config: pytest.Config, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, made to fail the test that calls it unless the test may start processes."""

    def guarding(*arguments: Any, **named: Any) -> Any:
        item = config.stash.get(guarded, None)
        if item is not None:
            fail(item)
        return function(*arguments, **named)

    return guarding


def fail(item: pytest.Item) -> NoReturn:
    """Fail a test that starts a process without a marker."""
    pytest.fail(f"{item.nodeid} starts a process: mark it with @pytest.mark.system")


def pytest_configure(config: pytest.Config) -> None:
    """Guard every way to start a process, for as long as pytest runs."""
    patch = pytest.MonkeyPatch()
    patch.setattr(subprocess.Popen, "_execute_child", refuse(config, subprocess.Popen._execute_child))  # type: ignore[attr-defined]
    for name in STARTS_A_PROCESS:
        if hasattr(os, name):
            patch.setattr(os, name, refuse(config, getattr(os, name)))
    patch.setattr(multiprocessing.util, "spawnv_passfds", refuse(config, multiprocessing.util.spawnv_passfds))
    config.add_cleanup(patch.undo)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Switch the guard on for setup, call and teardown of a test that has none of the markers."""
    if not any(item.get_closest_marker(name) for name in MAY_START_PROCESSES):
        item.config.stash[guarded] = item
    try:
        return (yield)
    finally:
        item.config.stash[guarded] = None


@pytest.fixture
def no_ignored_signals() -> Iterator[None]:
    """Handle SIGHUP and SIGINT by default, also where nohup or a shell's ``&`` has them ignored.

    The server leaves an ignored SIGHUP alone, and child processes inherit what is ignored.
    """
    default: dict[int, Any] = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in default.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
