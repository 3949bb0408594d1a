"""Options from a TOML file: their values, what takes precedence, and errors in one line."""

import argparse
from pathlib import Path

import pytest

from reactor.cli.options import check_combinations, make_parser, parse_options


def parse(text: str, path: Path, *arguments: str, **variables: str) -> argparse.Namespace:
    file = path / "reactor.toml"
    file.write_text(text)
    parser = make_parser()
    options = parse_options(parser, ["--config", str(file), *arguments], variables)
    check_combinations(parser, options)
    return options


def refused(
    text: str,
    path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...] = (),
    **variables: str,
) -> str:
    """Return the line with which the options are refused; the path of the file in it is FILE."""
    with pytest.raises(SystemExit) as stopped:
        parse(text, path, *arguments, **variables)
    assert stopped.value.code == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line.replace(repr(str(path / "reactor.toml")), "FILE")


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("port = 8000", "port", 8000),
        ('max-body = "64K"', "max_body", 65536),
        ("max_body = 65536", "max_body", 65536),
        ("head-timeout = 2.5", "head_timeout", 2.5),
        ("turn-read = 300", "turn_read", 300),
        ('turn_read = "16K"', "turn_read", 16384),
        ("linger-timeout = 0.5", "linger_timeout", 0.5),
        ('min-rate = "2K"', "min_rate", 2048),
        ("min-rate = 0.5", "min_rate", 0.5),
        ('trace-limit = "2M"\ntrace = "x"', "trace_limit", 2 << 20),
        ('bind = "::1"', "host", "::1"),
        ("read-only = true", "read_only", True),
        ("read-only = false", "read_only", False),
        ('types = "guess"', "types", "guess"),
        ('header = ["X-A: 1", "X-B: 2"]', "header", (("X-A", "1"), ("X-B", "2"))),
        ('header = "X-A: 1"', "header", (("X-A", "1"),)),
        ("inspect = true", "inspect", ("127.0.0.1", 4222)),
        ('inspect = "5000"', "inspect", ("127.0.0.1", 5000)),
    ],
)
def test_an_option_is_read_from_the_file(text: str, name: str, value: object, tmp_path: Path) -> None:
    assert vars(parse(text, tmp_path))[name] == value


def test_the_command_line_and_the_environment_take_precedence(tmp_path: Path) -> None:
    text = "port = 1\nmax-fields = 2\nlog-level = 'error'"
    options = parse(text, tmp_path, "--port", "3", REACTOR_PORT="4", REACTOR_MAX_FIELDS="5")
    assert (options.port, options.max_fields, options.log_level) == (3, 5, "error")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "unknown option in FILE: 'prot' (did you mean 'port'?)"),
        ("max_bdy = 1", "unknown option in FILE: 'max_bdy' (did you mean 'max-body'?)"),
        ("turn-reed = 1", "unknown option in FILE: 'turn-reed' (did you mean 'turn-read'?)"),
        ("xyz = 1", "unknown option in FILE: 'xyz'; see"),
        ("help = true", "unknown option in FILE: 'help'"),
        ('config = "other.toml"', "unknown option in FILE: 'config'"),
        ("p = 1", "unknown option in FILE: 'p'"),
        ("[server]\nport = 1", "unknown option in FILE: 'server'"),
        ("port = 65536", "port in FILE: invalid port: '65536'"),
        ("port = true", "port in FILE: invalid value: True (must be a string or a number)"),
        ("turn-read = true", "turn-read in FILE: invalid value: True (must be a string or a number)"),
        ("port = [1]", "port in FILE: invalid value: [1] (must be a string or a number)"),
        ("read-only = 1", "read-only in FILE: invalid value: 1 (must be true or false)"),
        ("header = [1]", "header in FILE: invalid value: 1 (must be a string)"),
        ('types = "x"', "types in FILE: invalid "),
        ('turn-read = "x"', "turn-read in FILE: invalid size: 'x'"),
        ("max-body = 1\nmax_body = 2", "max-body in FILE and max_body are both given"),
        ('host = "a"\nbind = "b"', "host in FILE and bind are both given"),
        ("port = ", "invalid TOML in FILE"),
        ("port = 1\nport = 2", "invalid TOML in FILE"),
    ],
)
def test_an_invalid_file_is_reported_in_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(text, tmp_path, capsys)


@pytest.mark.parametrize("path", ["missing", "nul\0", "."])
def test_a_file_that_cannot_be_read_is_reported_in_one_line(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse_options(make_parser(), ["--config", f"{tmp_path}/{path}"], {})
    line = capsys.readouterr().err
    assert line.startswith("reactor: cannot read the configuration ")
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "variables", "port"),
    [
        (["--config", "a"], {}, 1),
        (["--port", "3", "--config=a"], {}, 3),
        ([], {"REACTOR_CONFIG": "b"}, 2),
        (["--config", "a"], {"REACTOR_CONFIG": "b"}, 1),
        (["--conf", "a"], {}, 1),
        (["--confi=a", "--cors"], {}, 1),
    ],
)
def test_the_command_line_or_the_environment_names_the_file(
    arguments: list[str],
    variables: dict[str, str],
    port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("port = 1")
    Path("b").write_text("port = 2")
    assert parse_options(make_parser(), arguments, variables).port == port


def test_an_ambiguous_abbreviation_reads_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(make_parser(), ["--co", "missing.toml"], {})
    assert "ambiguous option: --co could match " in capsys.readouterr().err


def test_overridden_values_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "port in FILE: invalid port: 'x'" in refused('port = "x"', tmp_path, capsys, ("--port", "1"))
    line = refused("", tmp_path, capsys, ("--port", "1"), REACTOR_PORT="x")
    assert "REACTOR_PORT: invalid port: 'x'" in line


# Options that have no effect.


@pytest.mark.parametrize(
    ("text", "arguments", "variables", "words"),
    [
        (
            "read-only = true\nfsync = true",
            ("d",),
            {},
            "fsync in FILE has no effect with read-only in FILE",
        ),
        ("read-only = true", ("d", "--fsync"), {}, "--fsync has no effect with read-only in FILE"),
        (
            "read-only = true",
            ("d",),
            {"REACTOR_FSYNC": "1"},
            "REACTOR_FSYNC has no effect with read-only in FILE",
        ),
        (
            "no-access-log = true\nlog-format = 'json'",
            (),
            {},
            "log-format in FILE has no effect with no-access-log in FILE",
        ),
        ("hidden = true\ndirectory = 'f'", (), {}, "hidden in FILE has no effect with a single file"),
        ("directory = 'f'", ("--hidden",), {}, "--hidden has no effect with a single file"),
        ("directory = 'f'", ("--precompressed",), {}, "--precompressed has no effect with a single file"),
        ("", (), {"REACTOR_DIRECTORY": "f", "REACTOR_READ_ONLY": "1"}, "REACTOR_READ_ONLY has no effect"),
        ("trace-limit = 5", ("--hidden",), {}, "--hidden has no effect without a directory"),
    ],
)
def test_an_option_without_effect_is_an_error_in_every_source(
    text: str,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("f").touch()
    assert words in refused(text, tmp_path, capsys, arguments, **variables)


@pytest.mark.parametrize(
    ("text", "arguments", "variables"),
    [
        ("allow-delete = true", ("d", "--read-only"), {}),
        ("log-format = 'json'", ("--no-access-log",), {}),
        ("log-format = 'json'", (), {"REACTOR_NO_ACCESS_LOG": "1"}),
        ("hidden = true\nfsync = true", ("f",), {}),
        ("hidden = true\ntrace-limit = 5", (), {}),
        ("read-only = true\nfsync = false", ("d",), {}),
        ("fsync = true", ("d",), {"REACTOR_READ_ONLY": "0"}),
        ("directory = 'f'\nhidden = true", ("d",), {}),
    ],
)
def test_an_ineffective_or_overridden_option_is_allowed_in_the_file(
    text: str,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("f").touch()
    parse(text, tmp_path, *arguments, **variables)
