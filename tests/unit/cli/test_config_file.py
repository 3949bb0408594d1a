"""Options from a TOML file: their values, what takes precedence, and errors in one line."""

import argparse
from pathlib import Path

import pytest

from reactor.cli.config_file import apply_config, config_path
from reactor.cli.options import apply_environment, make_parser, read_variable


def parse(text: str, path: Path, *arguments: str, **variables: str) -> argparse.Namespace:
    file = path / "reactor.toml"
    file.write_text(text)
    parser = make_parser()
    apply_config(parser, str(file), read_variable)
    apply_environment(parser, variables)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("port = 8000", "port", 8000),
        ('max-body = "64K"', "max_body", 65536),
        ("max_body = 65536", "max_body", 65536),
        ("head-timeout = 2.5", "head_timeout", 2.5),
        ("turn-read = 300", "turn_read", 300),
        ("read-only = true", "read_only", True),
        ("read-only = false", "read_only", False),
        ('types = "guess"', "types", "guess"),
        ('header = ["X-A: 1", "X-B: 2"]', "header", (("X-A", "1"), ("X-B", "2"))),
        ('header = "X-A: 1"', "header", (("X-A", "1"),)),
        ("inspect = true", "inspect", ("127.0.0.1", 4222)),
        ('inspect = "5000"', "inspect", ("127.0.0.1", 5000)),
    ],
)
def test_an_option_has_the_value_of_the_file(text: str, name: str, value: object, tmp_path: Path) -> None:
    assert vars(parse(text, tmp_path))[name] == value


def test_the_command_line_and_the_environment_take_precedence(tmp_path: Path) -> None:
    text = "port = 1\nmax-fields = 2\nlog-level = 'error'"
    options = parse(text, tmp_path, "--port", "3", REACTOR_PORT="4", REACTOR_MAX_FIELDS="5")
    assert (options.port, options.max_fields, options.log_level) == (3, 5, "error")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "unknown option in "),
        ("help = true", "unknown option in "),
        ('config = "other.toml"', "unknown option in "),
        ("[server]\nport = 1", "unknown option in "),
        ("port = 65536", "invalid port: '65536'"),
        ("port = true", "invalid value: True (must be a string or a number)"),
        ("port = [1]", "invalid value: [1] (must be a string or a number)"),
        ("read-only = 1", "invalid value: 1 (must be true or false)"),
        ("header = [1]", "invalid value: 1 (must be a string)"),
        ('types = "x"', "invalid "),
        ("port = ", "invalid TOML in "),
        ("port = 1\nport = 2", "invalid TOML in "),
    ],
)
def test_an_invalid_file_is_reported_in_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(text, tmp_path)
    assert stopped.value.code == 2
    line = capsys.readouterr().err
    assert words in line
    assert line.count("\n") == 1


def test_a_missing_file_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        apply_config(make_parser(), str(tmp_path / "none"), read_variable)
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "variables", "path"),
    [
        ([], {}, None),
        (["--config", "a"], {}, "a"),
        (["--port", "1", "--config=a", "dir"], {}, "a"),
        ([], {"REACTOR_CONFIG": "b"}, "b"),
        (["--config", "a"], {"REACTOR_CONFIG": "b"}, "a"),
        (["--conf", "a"], {}, "a"),
        (["--confi=a", "--cors"], {}, "a"),
        (["--config"], {}, None),
    ],
)
def test_the_path_is_that_of_the_command_line_or_the_environment(
    arguments: list[str], variables: dict[str, str], path: str | None
) -> None:
    assert config_path(arguments, variables) == path
