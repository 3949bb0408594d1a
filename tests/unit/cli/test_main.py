"""The command in this process: options, environment variables, and error messages of one line."""

import argparse
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from reactor.cli import access_options, main
from reactor.cli.options import file_only_names, make_parser, option_name, parse_options
from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request
from reactor.http11.target import Target
from reactor.settings import Settings
from tests.support.command import CommandServer

LIMITS = [each for each in fields(Settings) if each.metadata]
DIGITS = "9" * 5000  # more digits than int() accepts


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Remove REACTOR_ variables from the environment; restore the root logger afterwards."""
    for name in [name for name in os.environ if name.startswith("REACTOR_")]:
        monkeypatch.delenv(name)
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = before
    root.setLevel(level)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Record the arguments of serve() instead of serving."""
    caught: dict[str, Any] = {}

    def serve(routes: object, host: str, port: int, settings: Settings, **others: object) -> None:
        caught.update(others, routes=routes, host=host, port=port, settings=settings)

    monkeypatch.setattr(main, "serve", serve)
    return caught


def parse(*arguments: str, **variables: str) -> argparse.Namespace:
    return parse_options(make_parser(), arguments, variables)


def assert_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Assert that the options are rejected with exit code 2 and one line; return the line."""
    with pytest.raises(SystemExit) as stopped:
        main.main(arguments)
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"reactor: [^\n]+\n", err)
    return err


# Options.


def test_without_options_it_serves_on_the_loopback_address(served: dict[str, Any]) -> None:
    assert main.main([]) == 0
    assert (served["host"], served["port"], served["settings"]) == ("127.0.0.1", 4221, Settings())


def test_messages_have_their_severity_and_are_filtered_by_it(served: dict[str, Any]) -> None:
    assert main.main(["--log-level", "warning"]) == 0
    root = logging.getLogger()
    assert root.level == logging.WARNING
    (handler,) = root.handlers
    record = logging.LogRecord("reactor", logging.WARNING, "", 0, "text", None, None)
    assert handler.format(record) == "reactor: warning: text"


def test_options_reach_the_server(served: dict[str, Any], tmp_path: Path) -> None:
    arguments = "--host ::1 --port 0 --no-date-header --max-body 1M --head-timeout 2.5 --log-format json"
    assert main.main([*arguments.split(), "--directory", str(tmp_path)]) == 0
    assert (served["host"], served["port"]) == ("::1", 0)
    assert served["settings"] == Settings(max_body=1 << 20, head_timeout=2.5, date_header=False)
    assert (served["access_log"], served["log_format"]) == (sys.stdout, "json")


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [
        ([], {"GET": 404, "POST": 404}),
        (["--directory"], {}),
        (["-d"], {}),
        (["--hidden"], {}),
        (["--read-only", "--directory"], {"POST": 405}),
    ],
    ids=["no directory", "a directory", "-d", "an argument", "read only"],
)
def test_the_directory_option_selects_the_files(
    served: dict[str, Any], tmp_path: Path, arguments: list[str], statuses: dict[str, int]
) -> None:
    main.main([*arguments, str(tmp_path)] if arguments else [])
    for method in ("GET", "POST"):
        route, _ = served["routes"].resolve(method, ["files", "x"])
        if method in statuses:
            assert route.sink is None or method == "GET"
            request = Request(method, Target("/files/x", ("files", "x")), Head(1), Headers())
            assert route.handler(request).status == statuses[method]
        else:
            assert route.template.startswith("/files/")


@pytest.mark.parametrize("arguments", [[], ["--precompressed"]], ids=["off", "on"])
def test_the_precompressed_option_enables_variants(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "page").write_bytes(b"content")
    (tmp_path / "page.br").write_bytes(b"variant")
    with CommandServer(*arguments, str(tmp_path)) as server:
        answer = server.get("/files/page", "Accept-Encoding: br")
        assert answer.content == (b"variant" if arguments else b"content")


@pytest.mark.parametrize("each", LIMITS, ids=lambda each: each.name)
def test_every_limit_has_an_option_or_a_variable_only(each: Any) -> None:
    value = each.default * 2 + 1
    text = f"{value:g}" if each.type is float else str(value)
    if each.metadata["group"] == "advanced":
        options = parse(**{f"REACTOR_{each.name.upper()}": text})
    else:
        options = parse(option_name(each), text)
    assert getattr(options, each.name) == value
    assert getattr(parse(), each.name) == each.default


@pytest.mark.parametrize("end", ["", "=5", "=x", " 5"], ids=repr)
@pytest.mark.parametrize("name", file_only_names(make_parser()))
def test_an_option_of_the_file_only_is_refused_with_its_place(
    name: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    variable = "REACTOR_" + name.upper().replace("-", "_")
    line = f"--{name} is not a command-line option: set {name} in --config FILE, or {variable}; see --help"
    assert assert_usage(capsys, f"--{name}{end}".split()) == f"reactor: {line}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("8190", 8190),
        ("64K", 65536),
        ("64k", 65536),
        ("64KB", 65536),
        ("64KiB", 65536),
        (" 64kib ", 65536),
        ("3M", 3 << 20),
        ("3MiB", 3 << 20),
        ("2G", 2 << 30),
        ("2gib", 2 << 30),
        ("1T", 1 << 40),
    ],
)
def test_a_size_may_have_a_suffix(text: str, expected: int) -> None:
    assert parse("--max-body", text).max_body == expected


@pytest.mark.parametrize(
    "text", ["", " ", "K", "64KK", "64 K", "6 4", "1.5K", "1e3", "+1", "0x10", "1_000", "64X", "٣", "nan"]
)
def test_an_invalid_size_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--max-body" in assert_usage(capsys, ["--max-body", text])


@pytest.mark.parametrize(("text", "types"), [("binary", "binary"), ("octets", "binary"), ("guess", "guess")])
def test_types_accepts_the_old_word_for_binary(text: str, types: str) -> None:
    assert parse().types == "binary"
    assert parse("--types", text).types == types
    assert parse(REACTOR_TYPES=text).types == types


# Environment variables.


def options_of_the_help() -> list[str]:
    return sorted(
        {*re.findall(r"--[a-z-]+", make_parser().format_help())} - {"--help", "--version", "--bind"}
    )


@pytest.mark.parametrize("option", options_of_the_help())
def test_every_option_has_an_environment_variable(option: str) -> None:
    name = option.removeprefix("--").replace("-", "_")
    # Options whose values are not strings.
    made = {"auth": "a:b", "auth_upload": "a:b", "header": "A: 1", "inspect": "5000"}
    made |= {"allowed_host": "a.test", "config": os.devnull, "wsgi": "shop:app", "listen": "[::1]:80"}
    text = ({"log_format": "json", "log_level": "debug", "cors": "null", "types": "guess"} | made).get(
        name, "1"
    )
    before, after = vars(parse()), vars(parse(**{f"REACTOR_{name.upper()}": text}))
    changed = [each for each in before if each != "origins" and before[each] != after[each]]
    assert changed == [name]
    expected = [vars(parse(option, text))[name]] if name in made else [text, 1, True]
    assert after[name] in expected or str(after[name]) in expected


def test_the_server_reads_its_environment(served: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"PORT": "0", "MAX_BODY": "2K", "NO_DATE_HEADER": "yes", "STALL_TIMEOUT": "9"}.items():
        monkeypatch.setenv("REACTOR_" + name, text)
    assert main.main([]) == 0
    assert served["port"] == 0
    assert served["settings"] == Settings(max_body=2048, stall_timeout=9.0, date_header=False)


def test_an_option_overrides_its_variable() -> None:
    assert parse("--port", "1", REACTOR_PORT="2", REACTOR_HOST="::1").port == 1
    assert parse("--log-format", "combined", REACTOR_LOG_FORMAT="json").log_format == "combined"


@pytest.mark.parametrize(
    ("text", "on"),
    [("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("no", False), ("", False)],
)
def test_a_switch_is_set_by_its_variable(text: str, on: bool) -> None:
    assert parse(REACTOR_READ_ONLY=text).read_only is on


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", DIGITS),
        ("MAX_BODY", "1.5K"),
        ("MAX_BODY", DIGITS),
        ("MAX_FIELDS", "many"),
        ("MAX_FIELDS", "0"),
        ("MAX_FIELDS", DIGITS),
        ("HEAD_TIMEOUT", "nan"),
        ("HEAD_TIMEOUT", "soon"),
        ("READ_ONLY", "maybe"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("HOST", ""),
        ("MIN_RATE", "5Q"),
        ("TURN_READ", "x"),
        ("TURN_READ", "0"),
        ("TURN_ACCEPTS", "1K"),
        ("LINGER_TIMEOUT", "nan"),
        ("MAX_CHUNK_LINE", "15"),
        ("LOW_WATER", "1M"),
    ],
    ids=lambda text: text[:20],
)
def test_an_invalid_variable_is_a_one_line_error(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REACTOR_" + name, text)
    assert f"REACTOR_{name}" in assert_usage(capsys, [])


def test_a_value_out_of_range_is_named_with_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "reactor.toml"
    file.write_text('low-water = "2K"')
    monkeypatch.setenv("REACTOR_HIGH_WATER", "1K")
    line = assert_usage(capsys, ["--config", str(file)])
    assert f"invalid low-water in {str(file)!r}: 2048 (must be less than REACTOR_HIGH_WATER, 1024)" in line
    monkeypatch.delenv("REACTOR_HIGH_WATER")
    file.write_text("low-water = 1000000")
    assert "(must be less than high-water, 262144)" in assert_usage(capsys, ["--config", str(file)])


# Errors.


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("--nonsense", "--nonsense"),
        ("one two", "two"),
        ("one -d two", "DIR and -d are both given"),
        ("-p 1 --port 2", "-p and --port are both given"),
        ("--read-only --read-only", "--read-only is given twice"),
        ("--read-only", "--read-only has no effect without a directory"),
        ("--precompressed", "--precompressed has no effect without a directory"),
        ("-d . --read-only --fsync", "--fsync has no effect with --read-only"),
        ("--no-access-log --log-format json", "--log-format has no effect with --no-access-log"),
        ("--allowed-host * --allowed-host a.test", "--allowed-host: * allows every host"),
        ("--auth-upload a:b", "--auth-upload has no effect without a directory"),
        ("-d . --read-only --auth-upload a:b", "--auth-upload has no effect with --read-only"),
        ("--trace-limit 1M", "--trace-limit is not a command-line option: set trace-limit in --config FILE"),
        ("--content-timeout 5 --min-rate 0", "--content-timeout has no effect with a minimum rate of 0"),
        ("--min-rate 1.5K", "invalid rate: '1.5K' (examples: 500, 0.5, 64K)"),
        ("--port", "--port"),
        ("--port http", "http"),
        ("--port -1", "-1"),
        ("--port 65536", "65536"),
        (f"--port {DIGITS}", "--port"),
        ("--log-format xml", "xml"),
        ("--log-level loud", "loud"),
        ("--max-fields 1.5", "1.5"),
        ("--max-fields 0", "invalid --max-fields: "),
        ("--max-body 9999999T", "invalid --max-body: "),
        (f"--max-body {DIGITS}", "--max-body"),
        ("--head-timeout 0", "invalid --head-timeout: "),
        ("--host 127.0.0.1:80", "invalid host: '127.0.0.1:80'"),
        ("--host http://127.0.0.1", "invalid host: 'http://127.0.0.1'"),
        ("--host [::1]", "invalid host: '[::1]'"),
        ("--head-timeout nan", "invalid --head-timeout: "),
        ("--head-timeout inf", "invalid --head-timeout: "),
        ("--head-timeout soon", "soon"),
    ],
    ids=lambda text: text[:30],
)
def test_an_invalid_option_is_a_one_line_error(
    arguments: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert word in assert_usage(capsys, arguments.split())


def assert_not_started(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main.main(arguments) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"reactor: cannot [^\n]+\n", err)
    return err


def test_an_invalid_directory_is_a_one_line_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing, file = tmp_path / "missing", tmp_path / "file"
    file.touch()
    for path, reason in ((missing, "No such file or directory"), (file / "x", "Not a directory")):
        line = assert_not_started(capsys, "--directory", str(path))
        assert line == f"reactor: cannot share {str(path)!r}: {reason}\n"


def test_a_port_in_use_is_a_one_line_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        err = assert_not_started(capsys, "--port", port, "--directory", str(tmp_path))
    assert f"port {port}: Address already in use" in err


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".test"], ids=["empty label", "long label"])
def test_an_unresolvable_host_is_a_one_line_error(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert host in assert_not_started(capsys, "--host", host, "--port", "0")


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ("", None),
        ("--cors", "*"),
        ("--cors https://a.example", "https://a.example"),
        ("--cors --auth a:b", None),
        ("--cors --auth-upload a:b", None),
        ("--cors null --auth a:b", None),
        ("--cors https://a.example --auth-upload a:b", "https://a.example"),
    ],
)
def test_cors_with_a_wildcard_excludes_password_protected_uploads(
    arguments: str, allowed: str | None
) -> None:
    assert access_options.allowed_origin(parse(*arguments.split())) == allowed
