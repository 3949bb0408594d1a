"""Failures in the access log: 500 if the server breaks off a response, 499 if the client does."""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from reactor.handlers.files.store import Store
from reactor.http11.errors import HTTPError
from reactor.http11.message import Response
from reactor.server.connection import Connection
from tests.support.in_process import Client, Harness
from tests.support.requests import CANARY, answering, request
from tests.unit.logs.test_access_log import Log


def breaking(count: int) -> Iterator[bytes]:
    yield from [b"piece"] * count
    raise RuntimeError("planted")


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(("version", "framing"), [("HTTP/1.0", 0), ("HTTP/1.1", 5)])
def test_a_failed_stream_is_logged_as_500_with_the_bytes_sent(
    status: int, count: int, version: str, framing: int
) -> None:
    log = Log()
    with Harness(answering(lambda: Response(status, breaking(count))), access_log=log) as server:
        client = server.connect()
        client.send(request("/0", version=version))
        head, _, content = client.read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert len(content) == count * (len(b"piece") + framing)
        [entry] = log.entries
    assert entry["status"] == "500"
    assert entry["content"] == (str(len(content)) if content else "-")


def test_responses_before_a_failed_stream_are_logged() -> None:
    log = Log()
    with Harness(answering(lambda: Response(200, breaking(1))), access_log=log) as server:
        client = server.connect()
        client.send(CANARY + request("/0") + CANARY)
        client.read()
        assert [entry["line"].split()[1] for entry in log.entries] == ["/canary", "/0"]
        assert [entry["status"] for entry in log.entries] == ["200", "500"]


SIZE = 8_000_000


def shrink(path: Path, server: Harness, patch: pytest.MonkeyPatch) -> None:
    os.truncate(path, 9)


def modify(path: Path, server: Harness, patch: pytest.MonkeyPatch) -> None:
    os.utime(path, (1, 1))


def fail_to_read(path: Path, server: Harness, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "pread", raise_eio)


def raise_eio(*_: int) -> NoReturn:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("line", ["X-Whole: 1", "Range: bytes=1000-,0-0", "Accept-Encoding: gzip"])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (shrink, "the file shrank from 8000000 to 9 bytes"),
        (modify, "the file was modified"),
        (fail_to_read, "[Errno 5] Input/output error"),
    ],
)
@pytest.mark.parametrize("layout", ["combined", "json"])
def test_a_download_that_the_server_breaks_off_is_logged_as_500_with_the_reason(
    line: str,
    change: Callable[[Path, Harness, pytest.MonkeyPatch], None],
    reason: str,
    layout: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "large%0A.txt"
    path.write_bytes(os.urandom(SIZE))
    log = Log()
    with closing(Store(tmp_path)) as store, Harness(store=store, access_log=log, log_format=layout) as server:
        if change is fail_to_read:
            server.context.sendfile = raise_eio
        client = server.connect()
        client.send(request("/files/large%250A.txt", line))
        change(path, server, monkeypatch)
        client.read()
        assert client.closed
    [logged] = log.lines
    assert ('" 500 ' if layout == "combined" else '"status": 500') in logged
    [record] = caplog.records
    assert record.getMessage() == f"c1: sending the response to GET /files/large%250A.txt failed: {reason}"
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)


class BrokenLog(Log):
    """A log that cannot be written while ``broken``."""

    broken = True

    def write(self, text: str) -> int:
        if self.broken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(text)


def test_lines_that_could_not_be_written_are_counted_and_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    log = BrokenLog()
    with Harness(access_log=log) as server:
        client = server.connect()
        for number in range(3):
            client.get(f"/echo/{number}")
        log.broken = False
        for number in range(3, 5):
            client.get(f"/echo/{number}")
    assert [entry["line"] for entry in log.entries] == ["GET /echo/3 HTTP/1.1", "GET /echo/4 HTTP/1.1"]
    assert caplog.messages == [
        "cannot write the access log: No space left on device",
        "dropped 3 access log lines (No space left on device)",
    ]


@pytest.mark.parametrize("access_log", [True, False])
def test_the_reason_of_a_failed_stream_is_logged_with_its_traceback(
    access_log: bool, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log() if access_log else None
    with Harness(answering(lambda: Response(200, breaking(1))), access_log=log) as server:
        server.connect().send(CANARY + request("/0"))
    [record] = caplog.records
    assert record.getMessage() == "c1: sending the response to GET /0 failed: planted"
    assert record.exc_info is not None


def abort(client: Client) -> None:
    client.connection.abort()


def fail_at_the_deadline(client: Client) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "on_deadline", raise_eio)
        client.server.clock.advance(100)


@pytest.mark.parametrize("end", [abort, fail_at_the_deadline])
@pytest.mark.parametrize("line", [request("/0"), request("/post", "Content-Length: 9", method="POST")])
def test_a_request_that_the_server_does_not_complete_is_logged_as_500(
    line: bytes, end: Callable[[Client], None]
) -> None:
    log = Log()
    with Harness(answering(lambda: Response(200, b"a" * 10**7)), access_log=log) as server:
        client = server.connect()
        client.send(CANARY + line)
        end(client)
        server.run()
        assert [entry["status"] for entry in log.entries] == ["200", "500"]


def test_a_disconnect_during_a_stream_is_logged_as_499() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"a" * 10_000

    log = Log()
    with Harness(answering(lambda: Response(200, endless())), access_log=log) as server:
        client = server.connect()
        client.send(request("/0"))
        client.close()
        assert [entry["status"] for entry in log.entries] == ["499"]


def by_handler(client: Client) -> None:
    client.send(request("/0"))


def by_grammar(client: Client) -> None:
    client.send(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("ask", "status", "reason"),
    [(by_handler, 418, "only tea is served"), (by_grammar, 400, "missing Host header")],
)
def test_a_refusal_is_logged_with_its_reason(
    ask: Callable[[Client], None], status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> Response:
        raise HTTPError(418, "only tea is served")

    caplog.set_level(logging.INFO, logger="reactor")
    log = Log()
    with Harness(answering(refuse), access_log=log) as server:
        client = server.connect()
        ask(client)
        answer = client.assert_responds(status)
        assert answer.content == f"{reason}\n".encode()
        assert [entry["status"] for entry in log.entries] == [str(status)]
    records = [record for record in caplog.records if reason in record.getMessage()]
    assert [(record.levelno, record.exc_info) for record in records] == [(logging.INFO, None)]
    assert str(status) in records[0].getMessage()
