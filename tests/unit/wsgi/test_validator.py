"""wsgiref's validator, which checks both sides of the interface, has no complaint."""

import io
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from tests.support.in_process import Harness
from tests.support.requests import request
from tests.unit.wsgi.sites import TEXT, exchange, routes_of


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH", 0)))
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
    return [body]


def lines(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", TEXT)
    stream = environ["wsgi.input"]
    return [stream.readline(), *stream.readlines(), *stream]


def writing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", TEXT)
    write(b"one\n")
    return [b"two\n"]


def generating(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    environ["wsgi.errors"].write("")
    environ["wsgi.errors"].flush()
    start_response("200 OK", TEXT)
    yield b"one\n"
    yield b"two\n"


def wrapping(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", TEXT)
    wrapper: type[FileWrapper] = environ["wsgi.file_wrapper"]
    return wrapper(io.BytesIO(Path(__file__).read_bytes()), 100)


def without_content(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []


@pytest.mark.parametrize("in_loop", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize("app", [echo, lines, writing, generating, wrapping, without_content])
@pytest.mark.parametrize("path", ["/", "/shop"])
def test_the_validator_accepts_the_server(
    app: WSGIApplication, path: str, in_loop: bool, caplog: pytest.LogCaptureFixture
) -> None:
    chunked = b"4\r\nab\nc\r\n0\r\n\r\n"
    with warnings.catch_warnings(), Harness(routes_of(validator(app), path, in_loop)) as server:
        warnings.simplefilter("error")
        client = server.connect()
        for sent, method in (
            (request(f"{path}?a=b"), "GET"),
            (request(f"{path.rstrip('/')}/a%20b", "Cookie: a", method="HEAD"), "HEAD"),
            (request(path, "Content-Type: text/plain", method="POST", content=b"one\ntwo"), "POST"),
            (request(path, "Transfer-Encoding: chunked", method="PUT") + chunked, "PUT"),
        ):
            client.send(sent)
            (answer,) = client.responses(method)
            assert answer.status in (200, 204), answer
    assert caplog.records == []


def test_the_validator_finds_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    def text(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return "text"  # type: ignore[return-value]

    assert exchange(validator(text)).data.startswith(b"HTTP/1.1 500 ")
    assert "AssertionError" in caplog.text
