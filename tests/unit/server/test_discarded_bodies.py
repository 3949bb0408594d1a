"""After a refusal, the rest of a short body is discarded, and the next request is answered."""

import re
from collections.abc import Iterable
from io import StringIO
from typing import NoReturn

import pytest

from reactor.basic_auth import AuthRouter, digest
from reactor.http11.errors import HTTPError, ProtocolError
from reactor.http11.message import Request, Response
from reactor.routing import Router, Sink, buffered
from reactor.server.connection import Connection
from reactor.server.context import ServerState
from reactor.server.request_body import MAX_DISCARDED
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import CANARY, RecordingSink, chunks, in_pieces, request

# A body that is itself a request: it would be answered if it were not discarded exactly.
HIDDEN = request("/hidden")
ASKING = request("/post", "Content-Length: 5", "Expect: 100-continue", method="POST")
UPLOAD = request("/post", "Content-Length: 5", method="POST") + b"h"
KEEP_ALIVE = "Connection: keep-alive"


class RefusingSink(RecordingSink):
    """A sink that refuses at one of its steps."""

    def __init__(self, refuses_at: str, status: int) -> None:
        super().__init__()
        self._refuses_at = refuses_at
        self._status = status

    def _step(self, name: str) -> None:
        super()._step(name)
        if name == self._refuses_at:
            raise HTTPError(self._status, f"refused at {name}")


# By the path: where the sink refuses, and the status.
SINKS = {"/open": ("open", 412), "/write": ("write", 413), "/finish": ("finish", 400)}
STATUSES = {
    "/none": 404,
    "/canary": 405,
    **{path: status for path, (_, status) in SINKS.items()},
    "/limited": 413,
    "/full": 507,
}


def refusing(at: str, status: int) -> Router:
    """Make /canary, /post, and a route for each way to refuse; ``at`` and ``status`` are those of /chosen."""
    routes = Router()
    routes.get("/canary")(lambda _: Response(200, b"the canary sings"))
    routes.get("/hidden")(lambda _: Response(200, b"hidden"))
    routes.post("/post")(lambda request: Response(200, request.content))

    def add(path: str, refuses_at: str, status: int) -> None:
        def open_sink(request: Request) -> Sink:
            return RefusingSink(refuses_at, status).open(request)

        routes.post(path, sink=open_sink)(lambda _: Response(500))

    for path, (refuses_at, refused_with) in SINKS.items():
        add(path, refuses_at, refused_with)
    add("/full", "write", 507)
    add("/chosen", at, status)
    routes.post("/limited", sink=buffered(10))(lambda _: Response(500))
    return routes


def serving(at: str = "open", status: int = 412, log: StringIO | None = None) -> Harness:
    return Harness(refusing(at, status), access_log=log)


def assert_refused(client: Client, status: int, pieces: Iterable[bytes]) -> None:
    """Send a request in pieces, and assert that it is refused, and that the next one is answered."""
    for piece in pieces:
        client.send(piece)
    refusal, canary = client.responses()
    assert (refusal.status, "connection" in refusal.headers) == (status, False)
    assert canary.content == b"the canary sings"
    client.assert_open()
    assert client.connection.state is State.IDLE


@pytest.mark.parametrize("size", [None, 1, 7, 97])
@pytest.mark.parametrize(("path", "status"), STATUSES.items())
def test_the_body_of_a_refused_request_is_discarded(path: str, status: int, size: int | None) -> None:
    data = request(path, method="POST", content=HIDDEN) + CANARY
    with serving() as server:
        assert_refused(server.connect(), status, in_pieces(data, size or len(data)))


@pytest.mark.parametrize("path", ["/none", "/canary", "/open", "/limited"])
def test_a_refusal_is_sent_before_the_body_arrives(path: str) -> None:
    with serving() as server:
        client = server.connect()
        client.send(request(path, f"Content-Length: {len(HIDDEN)}", method="POST"))
        client.assert_responds(STATUSES[path])
        assert client.connection.state is State.RECEIVING_CONTENT
        client.send(HIDDEN)
        client.assert_open()
        client.get("/canary")


@pytest.mark.parametrize("path", ["/none", "/open"])
def test_at_most_64_kib_are_discarded(path: str) -> None:
    assert MAX_DISCARDED == 65_536
    with serving() as server:
        client = server.connect()
        client.send(request(path, method="POST", content=bytes(MAX_DISCARDED)) + CANARY)
        refusal, canary = client.responses()
        assert (refusal.status, canary.status) == (STATUSES[path], 200)
        client.send(request(path, f"Content-Length: {MAX_DISCARDED + 1}", method="POST"))
        assert client.assert_responds(STATUSES[path]).headers["connection"] == "close"
        client.assert_closed()


def test_what_is_left_of_a_long_body_counts() -> None:
    with serving("write", 413) as server:
        client = server.connect()
        size = MAX_DISCARDED + 1000
        client.send(request("/chosen", f"Content-Length: {size}", method="POST"))
        client.assert_open()
        client.send(bytes(1000))
        client.assert_responds(413)
        client.send(bytes(size - 1000) + CANARY)
        client.assert_responds(200)


@pytest.mark.parametrize("path", ["/none", "/canary", "/open", "/write"])
def test_the_rest_of_a_chunked_body_is_not_read(path: str) -> None:
    with serving() as server:
        client = server.connect()
        client.send(request(path, "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n")
        assert client.assert_responds(STATUSES[path]).headers["connection"] == "close"
        client.assert_closed()


def test_a_complete_chunked_body_keeps_the_connection() -> None:
    with serving() as server:
        client = server.connect()
        client.send(request("/finish", "Transfer-Encoding: chunked", method="POST") + chunks(b"a") + CANARY)
        assert [answer.status for answer in client.responses()] == [400, 200]


def test_a_malformed_body_closes_the_connection() -> None:
    with serving() as server:
        client = server.connect()
        client.send(request("/post", "Transfer-Encoding: chunked", method="POST") + b"x\r\n" + CANARY)
        assert client.assert_responds(400).headers["connection"] == "close"
        client.assert_closed()


EXPECT = "Expect: 100-continue"


@pytest.mark.parametrize("path", ["/none", "/canary", "/open"])
def test_a_client_that_expects_100_continue_may_omit_the_body(path: str) -> None:
    with serving() as server:
        client = server.connect()
        client.send(request(path, EXPECT, "Content-Length: 5", method="POST"))
        assert client.assert_responds(STATUSES[path]).headers["connection"] == "close"
        client.assert_closed()
        client = server.connect()
        client.send(request(path, EXPECT, "Content-Length: 5", method="POST") + b"h")  # it has begun to send
        client.assert_responds(STATUSES[path])
        client.send(b"ello" + CANARY)
        client.assert_responds(200)


def test_a_body_that_was_continued_is_discarded() -> None:
    with serving() as server:
        client = server.connect()
        client.send(request("/write", EXPECT, "Content-Length: 5", method="POST"))
        client.assert_responds(100)
        client.send(b"h")
        client.assert_responds(413)
        client.send(b"ello" + CANARY)
        client.assert_responds(200)


@pytest.mark.parametrize(("version", "line"), [("HTTP/1.0", KEEP_ALIVE), ("HTTP/1.1", "Connection: close")])
@pytest.mark.parametrize("path", ["/none", "/open", "/write"])
def test_the_connection_is_closed_as_the_client_wants_or_in_http_1_0(
    path: str, version: str, line: str
) -> None:
    with serving() as server:
        client = server.connect()
        client.send(request(path, line, "Content-Length: 6", method="POST", version=version) + b"hello")
        client.assert_responds(STATUSES[path])
        client.assert_closed()


@pytest.mark.parametrize("status", [408, 411, 500])
@pytest.mark.parametrize("at", ["open", "write", "finish"])
def test_these_refusals_close_the_connection(at: str, status: int) -> None:
    with serving(at, status) as server:
        client = server.connect()
        client.send(request("/chosen", method="POST", content=b"hello") + CANARY)
        assert client.assert_responds(status).headers["connection"] == "close"
        client.assert_closed()


def test_a_sink_that_finds_the_request_malformed_closes_the_connection() -> None:
    def refuse(request: Request) -> NoReturn:
        raise ProtocolError(400, "malformed")

    routes = Router()
    routes.post("/post", sink=refuse)(lambda _: Response())
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/post", method="POST", content=b"hello") + CANARY)
        assert client.assert_responds(400).headers["connection"] == "close"
        client.assert_closed()


@pytest.mark.parametrize("at", ["open", "finish"])
@pytest.mark.parametrize("lines", [["Content-Length: 0"], ["Content-Length: 0", EXPECT], []])
def test_a_refusal_without_a_body_keeps_the_connection(at: str, lines: list[str]) -> None:
    with serving(at) as server:
        client = server.connect()
        client.send(request("/chosen", *lines, method="POST") + CANARY)
        assert [answer.status for answer in client.responses()] == [412, 200]


def test_a_wrong_password_keeps_the_connection() -> None:
    routes = AuthRouter(auth=digest("anna:secret"))
    routes.post("/post")(lambda request: Response(200, request.content))
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/post", method="POST", content=HIDDEN) + request("/none") + request("/post"))
        assert [answer.status for answer in client.responses()] == [401, 401, 401]
        client.send(
            request("/post", "Authorization: Basic YW5uYTpzZWNyZXQ=", method="POST", content=b"hello")
        )
        assert client.assert_responds(200).content == b"hello"


def test_the_next_body_is_not_discarded() -> None:
    with serving() as server:
        client = server.connect()
        client.send(request("/none", "Content-Length: 5", method="POST"))
        client.assert_responds(404)
        client.send(b"hello" + request("/post", "Content-Length: 5", method="POST") + b"w")
        assert client.connection.state is State.RECEIVING_CONTENT
        client.send(b"orld")
        assert client.assert_responds(200).content == b"world"


@pytest.mark.parametrize("following", [b"", b"\r", CANARY[:1], CANARY, ASKING, UPLOAD, b"\r\n" + UPLOAD])
def test_no_connection_is_idle_with_bytes_to_parse(following: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    enter = Connection._enter

    def check(connection: Connection, state: State) -> None:
        assert state is not State.IDLE or connection.unparsed == 0
        enter(connection, state)

    monkeypatch.setattr(Connection, "_enter", check)
    with serving() as server:
        client = server.connect()
        client.send(request("/none", "Content-Length: 5", method="POST"))
        client.assert_responds(404)
        client.send(b"hello" + following)
        assert client.connection.state is not State.CLOSED
        assert all(answer.status in (100, 200) for answer in client.responses())


def test_the_next_body_has_a_rate_window_of_its_own() -> None:
    with serving() as server:
        client = server.connect()
        client.send(request("/none", "Content-Length: 5", method="POST"))
        client.assert_responds(404)
        server.clock.advance(19)
        client.send(b"hello" + request("/post", "Content-Length: 5", method="POST"))
        server.clock.advance(19)
        client.assert_open()
        client.send(b"world")
        assert client.assert_responds(200).content == b"world"


def test_a_slow_discarded_body_closes_the_connection_without_another_response() -> None:
    log = StringIO()
    with serving(log=log) as server:
        client = server.connect()
        client.send(request("/none", f"Content-Length: {MAX_DISCARDED}", method="POST"))
        client.assert_responds(404)
        client.send(bytes(10_000))  # 500 bytes/s over the first window
        server.clock.advance(20)
        client.send(bytes(9_999))
        client.assert_open()
        server.clock.advance(20)
        client.assert_closed()
        assert not server.context.connections
    assert statuses(log) == [404]


def statuses(log: StringIO) -> list[int]:
    """Return the status in each line of the access log."""
    return [int(status) for status in re.findall(r'HTTP/1\.1" ([0-9]{3}) ', log.getvalue())]


def test_each_refused_request_has_one_line_in_the_access_log() -> None:
    log = StringIO()
    with serving(log=log) as server:
        client = server.connect()
        client.send(request("/none", method="POST", content=b"hello") + CANARY)
        client.send(request("/open", "Content-Length: 5", method="POST"))
        client.close()
        assert not server.context.connections
    assert statuses(log) == [404, 200, 412]


def test_a_server_that_is_stopping_answers_what_is_behind_a_discarded_body() -> None:
    with serving() as server:
        client = server.connect()
        client.send(request("/none", "Content-Length: 5", method="POST"))
        client.assert_responds(404)
        server.context.state = ServerState.STOPPING
        client.connection.stop()
        client.send(b"hello" + CANARY)
        assert client.assert_responds(200).headers["connection"] == "close"
        client.assert_closed()
