"""Failures in the access log: a server failure keeps its status; 499 means that the client left."""

import logging
from collections.abc import Callable, Iterator

import pytest

from reactor.http11.errors import HTTPError
from reactor.http11.message import Response
from tests.support.in_process import Client, Harness
from tests.support.requests import CANARY, answering, request
from tests.unit.logs.test_access_log import Log


def breaking(count: int) -> Iterator[bytes]:
    yield from [b"piece"] * count
    raise RuntimeError("planted")


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(("version", "framing"), [("HTTP/1.0", 0), ("HTTP/1.1", 5)])
def test_a_failed_stream_is_logged_with_status_and_bytes_sent(
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
    assert entry["status"] == str(status)
    assert entry["content"] == (str(len(content)) if content else "-")


def test_responses_before_a_failed_stream_are_logged() -> None:
    log = Log()
    with Harness(answering(lambda: Response(200, breaking(1))), access_log=log) as server:
        client = server.connect()
        client.send(CANARY + request("/0") + CANARY)
        client.read()
        assert [entry["line"].split()[1] for entry in log.entries] == ["/canary", "/0"]
        assert [entry["status"] for entry in log.entries] == ["200", "200"]


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
