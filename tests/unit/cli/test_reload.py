"""Reloading password files while the server runs."""

import logging
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from reactor import HTTPError, Request, Response
from reactor.cli.access_options import make_router, reloader
from reactor.cli.options import make_parser, parse_options
from reactor.http11.headers import Headers
from reactor.http11.message import Head
from reactor.http11.target import Target

SECRET = "horse"
PAIR = f"anna:{SECRET}"


def reloading(*arguments: str, **variables: str) -> tuple[Callable[[], None], Callable[[str], int]]:
    """Return the function that reloads the passwords of some options, and one that sends a request."""
    environment = {f"REACTOR_{name}": text for name, text in variables.items()}
    options = parse_options(make_parser(), arguments, environment)
    routes = make_router(options)
    routes.get("/")(lambda _: Response(200))

    def ask(pair: str) -> int:
        request = Request("GET", Target("/", ("",)), Head(1), Headers([("authorization", basic(pair), "")]))
        try:
            answer = routes.resolve("GET", [""])[0].handler(request)
            assert isinstance(answer, Response)
            return answer.status
        except HTTPError as error:
            return error.status

    return reloader(options, routes), ask


def basic(pair: str) -> str:
    return f"Basic {b64encode(pair.encode()).decode()}"


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "reactor")
    return caplog


@pytest.mark.parametrize("end", ["", "\n", "\r\nsecond:line\n"])
def test_a_password_file_is_read_again(tmp_path: Path, told: pytest.LogCaptureFixture, end: str) -> None:
    file = tmp_path / "password"
    file.write_text(PAIR)
    reload, ask = reloading("--auth", f"@{file}")
    file.write_text(f"anna:new{end}")
    assert (ask(PAIR), ask("anna:new")) == (200, 401)
    reload()
    assert (ask(PAIR), ask("anna:new")) == (401, 200)
    assert told.messages == [f"reloaded the password file {str(file)!r}"]
    reload()  # the same password once more
    assert (ask(PAIR), ask("anna:new")) == (401, 200)


def test_files_are_read_again_and_typed_passwords_stay(
    tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "password"
    file.write_text("bert:old")
    reload, ask = reloading("--auth", PAIR, AUTH_UPLOAD=f"@{file}")
    file.write_text("bert:new")
    reload()
    assert [ask(each) for each in (PAIR, "bert:old", "bert:new")] == [200, 401, 200]
    assert told.messages == [f"reloaded the password file {str(file)!r}"]


def test_one_file_for_both_passwords_is_logged_once(tmp_path: Path, told: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "password"
    file.write_text(PAIR)
    reload, ask = reloading("--auth", f"@{file}", "--auth-upload", f"@{file}")
    file.write_text("anna:new")
    reload()
    assert (ask(PAIR), ask("anna:new")) == (401, 200)
    assert told.messages == [f"reloaded the password file {str(file)!r}"]


def empty(file: Path) -> None:
    file.write_bytes(b"")


def remove(file: Path) -> None:
    file.unlink()


def become_a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def become_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def no_text(file: Path) -> None:
    file.write_bytes(b"anna:horse\xff")


def no_password(file: Path) -> None:
    file.write_text(f"{SECRET}\n")


@pytest.mark.parametrize("spoil", [empty, remove, become_a_directory, become_a_pipe, no_text, no_password])
def test_after_an_error_old_passwords_stay_valid(
    tmp_path: Path, told: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text(PAIR)
    bad.write_text("bert:old")
    reload, ask = reloading("--auth", f"@{good}", "--auth-upload", f"@{bad}")
    good.write_text("anna:new")
    spoil(bad)
    reload()
    assert [ask(each) for each in (PAIR, "bert:old", "anna:new")] == [200, 200, 401]
    [record] = told.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"cannot reload the password file {str(bad)!r}, the old passwords ")
    assert SECRET not in record.getMessage()
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize("arguments", [(), ("--auth", PAIR)])
def test_without_a_password_file_there_is_nothing_to_reload(
    told: pytest.LogCaptureFixture, arguments: tuple[str, ...]
) -> None:
    reload, ask = reloading(*arguments)
    reload()
    assert ask(PAIR) == 200
    assert told.messages == [
        "SIGHUP: nothing to reload (only files of --auth @FILE and --auth-upload @FILE are)"
    ]
