"""The help text: every limit in its group, with its unit, description and default."""

import re
from dataclasses import fields
from typing import Any

import pytest

from reactor.cli.options import file_only_names, make_parser
from reactor.settings import Settings

LIMITS = [each for each in fields(Settings) if each.metadata.get("group", "advanced") != "advanced"]


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")


def help_of(name: str) -> tuple[str, str]:
    """Return the help of an option as one line, and the title of its group."""
    title, found = "", ""
    for line in make_parser().format_help().splitlines():
        if found and not line.startswith(" " * 8):
            break
        if line and not line.startswith(" "):
            title = line
        if found or re.match(rf"  {name}(?: |$)", line):
            found += f" {line.strip()}"
    assert found, f"no help for {name}"
    return found, title


@pytest.mark.parametrize("each", LIMITS, ids=lambda each: each.name)
def test_help_has_unit_and_reason_of_each_limit(each: Any) -> None:
    line, _ = help_of("--" + each.name.replace("_", "-"))
    metavar = {"bytes": "SIZE", "bytes/s": "RATE", "seconds": "SECONDS"}.get(each.metadata["unit"], "N")
    assert f" {metavar} " in line
    assert each.metadata["help"] in line
    assert "(default: " in line


def test_help_groups_the_limits() -> None:
    titles: dict[str, set[str]] = {}
    for each in LIMITS:
        title = help_of("--" + each.name.replace("_", "-"))[1]
        titles.setdefault(each.metadata["group"], set()).add(title)
    assert {len(found) for found in titles.values()} == {1}
    assert len(set.union(*titles.values())) == len(titles) == 3


@pytest.mark.parametrize(
    ("option", "default"),
    [
        ("--host", "127.0.0.1"),
        ("--port", "4221"),
        ("--directory", "none"),
        ("--log-format", "combined"),
        ("--log-level", "info"),
        ("--max-request-line", "8190 bytes"),
        ("--max-head", "32 KiB"),
        ("--max-body", "1 GiB"),
        ("--max-connections", "0"),
        ("--max-fields", "100 lines"),
        ("--min-free-space", "64 MiB"),
        ("--head-timeout", "20 seconds"),
        ("--min-rate", "500 bytes/s"),
    ],
)
def test_help_has_defaults_with_units(option: str, default: str) -> None:
    assert f"(default: {default})" in help_of(option)[0]


def test_help_explains_environment_variables_and_exit_codes() -> None:
    text = make_parser().format_help()
    assert "--max-body: REACTOR_MAX_BODY" in text
    for code, meaning in ((0, "stopped"), (2, "invalid option"), (3, "could not start")):
        assert f"{code} {meaning}" in text


def test_help_names_the_options_that_the_command_line_does_not_have() -> None:
    parser = make_parser()
    text, file_only = parser.format_help(), file_only_names(parser)
    assert not re.findall(r"^ +--(?:turn|linger|high|low)-", text, re.MULTILINE)
    listed = text.partition("exist in the environment and in the file only:\n")[2].partition(".")[0]
    assert listed.replace("\n", " ").split(", ") == file_only
    assert {"turn-read", "low-water", "linger-timeout", "max-chunk-line", "trace-limit"} <= set(file_only)
