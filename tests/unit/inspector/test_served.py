"""Routes, limits and responses are the same with every observe option as without."""

import argparse
import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from reactor.cli.option_types import FileOnly
from reactor.cli.options import make_parser
from tests.support.process import run_command
from tests.unit.inspector.served import REQUESTS

# A value for each option that requires one.
VALUES = {"--trace": "{directory}/trace.json", "--inspect": "127.0.0.1:0"}


def observe_options() -> list[argparse.Action]:
    """Return the options of the group that contains --inspect; new ones are tested without a change here."""
    for group in make_parser()._action_groups:
        if any("--inspect" in action.option_strings for action in group._group_actions):
            return [action for action in group._group_actions if not isinstance(action, FileOnly)]
    raise AssertionError("no group has --inspect")


NAMES = [action.option_strings[0] for action in observe_options()]
CASES = {
    **{name: (name,) for name in NAMES},
    "all": tuple(NAMES),
    "debug": ("--log-level", "debug"),
    "SIGUSR1": ("--send-sigusr1",),
}


def arguments(names: tuple[str, ...], directory: Path) -> list[str]:
    """Return the options with their values."""
    actions = {action.option_strings[0]: action for action in observe_options()}
    written = []
    for name in names:
        written.append(name)
        if name in actions and actions[name].nargs != 0:
            assert name in VALUES, f"{name} needs a value in VALUES"
            written.append(VALUES[name].format(directory=directory))
    return written


@lru_cache(maxsize=16)
def served(names: tuple[str, ...], directory: Path, flags: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the description of a server with these options."""
    shared = directory / "shared"
    shared.mkdir(exist_ok=True)
    (shared / "a.txt").write_text("abcd")
    os.utime(shared / "a.txt", (1e9, 1e9))
    (shared / "b.txt").unlink(missing_ok=True)  # uploaded by the previous run
    done = run_command(
        sys.executable,
        *flags,
        "-m",
        "tests.unit.inspector.served",
        *arguments(names, directory),
        *("--port", "0", "--no-access-log", "--no-date-header", "--allow-delete", "--resumable"),
        *("--directory", str(shared), "--auth-upload", "user:password"),
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


def test_the_options_are_found() -> None:
    assert {"--inspect", "--explain", "--trace"} <= set(NAMES)


@pytest.mark.system
def test_the_plain_server_is_described(directory: Path) -> None:
    plain = served((), directory)
    assert ["GET", "/echo/{text...}"] in [each[:2] for each in plain["routes"]]
    assert len(plain["responses"]) == len(REQUESTS)
    statuses = {answer.split(" ")[1] for answer in plain["responses"]}
    assert statuses >= {"200", "201", "206", "400", "401", "404", "405", "431", "501"}


@pytest.mark.system
@pytest.mark.parametrize("case", CASES)
def test_observe_options_do_not_change_responses(case: str, directory: Path) -> None:
    plain, instrumented = served((), directory), served(CASES[case], directory)
    for part in plain:
        assert instrumented[part] == plain[part], part
    assert set(instrumented) == set(plain)


@pytest.mark.system
@pytest.mark.parametrize("names", [(), tuple(NAMES)], ids=["plain", "all"])
def test_optimized_bytecode_does_not_change_responses(names: tuple[str, ...], directory: Path) -> None:
    assert served(names, directory, ("-OO",)) == served((), directory)
