"""The checked-in snapshots of the help, of all messages and of all limits are up to date."""

import re
from pathlib import Path

import pytest

from tests.design.snapshots import COMMAND, FOLDER, SNAPSHOTS, write_snapshots
from tests.design.snapshots.limits import limits_of
from tests.design.snapshots.messages import messages_of


def compare(folder: Path) -> list[str]:
    """Return the names of the snapshots that differ from the present texts."""
    return [name for name, text in SNAPSHOTS.items() if (folder / name).read_text("utf-8") != text()]


def test_the_snapshots_are_up_to_date() -> None:
    assert compare(FOLDER) == [], f"review the change, and update the snapshots: {COMMAND}"


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_planted_change_is_found(tmp_path: Path, name: str) -> None:
    write_snapshots(tmp_path)
    assert compare(tmp_path) == []
    file = tmp_path / name
    changed = re.sub("invalid|maximum|64", "other", file.read_text("utf-8"))
    file.write_text(changed, "utf-8")
    assert compare(tmp_path) == [name]


def test_the_help_fits_into_100_columns() -> None:
    lines = SNAPSHOTS["help.txt"]().splitlines()
    assert len(lines) > 60
    assert [line for line in lines if len(line) > 100] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("log.info('c%d: was closed', number)", ["log.info: c%d: was closed"]),
        ("turns.debug('a whole turn')", ["turns.debug: a whole turn"]),
        ("raise ValueError(f'invalid size: {text!r}')", ["ValueError: invalid size: {text!r}"]),
        ("raise ValueError(f'{rate:g} bytes/s')", ["ValueError: {rate:g} bytes/s"]),
        ("raise HTTPError(404, 'not found', (('Allow', 'GET, PUT'),))", ["HTTPError 404: not found"]),
        ("Response.error(503, 'server stopping')", ["Response.error 503: server stopping"]),
        ("HTTPError(400, 'not A' if b else 'not B')", ["HTTPError 400: not A", "HTTPError 400: not B"]),
        ("parser.error('an error')", ["parser.error: an error"]),
        ("reason = 'too slow'\nraise HTTPError(408, reason)", ["HTTPError 408: too slow"]),
        ("def f(): return 'too slow'\nraise HTTPError(408, f())", ["HTTPError 408: too slow"]),
        (
            "hint = 'try again'\nlog.info(f'not found: {x} {hint}')",
            ["log.info: not found: {x} {hint}", "log.info: try again"],
        ),
        ("def f(x): raise HTTPError(408, x)\nf('too slow')", ["HTTPError 408: too slow"]),
        ("def f(x, y): raise HTTPError(x, y)\nf(408, 'too slow')", ["HTTPError 408: too slow"]),
        ("def f(x): g(x)\ndef g(x): log.info(x)\nf('very slow')", ["log.info: very slow"]),
        ("class C:\n def f(self, x): log.info(x)\nC().f('very slow')", ["log.info: very slow"]),
        ("log.info('same thing')\nlog.info('same thing')", ["log.info: same thing"]),
        ("'''A docstring.'''\nprint('not a message')", []),
    ],
)
def test_messages_are_found_in_source_code(source: str, expected: list[str]) -> None:
    found = messages_of({"module.py": source})
    assert [message.removeprefix("module.py: ") for message in found] == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("MAX = 64 * 1024", ["MAX = 64 * 1024"]),
        ("_AGES: Final = (0.1, 1)", ["_AGES = (0.1, 1)"]),
        ("A = B = 1", ["A = 1", "B = 1"]),
        ("MAX = OTHER", []),
        ("SPAN = f(1)", []),
        ("IS_ON = True", []),
        ("count = 1", []),
        ("def f(): MAX = 1", []),
    ],
)
def test_limits_are_found_in_source_code(source: str, expected: list[str]) -> None:
    assert limits_of({"module.py": source}) == [f"module.py: {limit}" for limit in expected]
