"""Every state change of the table, caused by a client, each in a test of its own."""

import socket
from collections.abc import Callable

import pytest

from reactor.http11.deferred import Deferred
from reactor.http11.message import LiveStream, Request, Response
from reactor.server.connection import STOP_GRACE, Connection
from reactor.server.context import ServerState
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import answering, request

GET = request("/canary")
LARGE = request("/0")
LIVE = request("/1")
LATER = request("/later")
POST = request("/post", "Content-Length: 5", method="POST")
ASKING = request("/post", "Content-Length: 5", "Expect: 100-continue", method="POST")

REFUSED = request("/none", "Content-Length: 5", method="POST")
LAST_LARGE = request("/0", "Connection: close")
LAST_LIVE = request("/1", "Connection: close")
UPLOAD = request("/post", "Transfer-Encoding: chunked", method="POST")
CHUNKS = b"1\r\na\r\n" * 1100  # more than one turn's share
MANY = GET * 64 + b"\r\n"  # one turn's share, and a little more

PROXY = "192.0.2.99"
PROXY_HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"

Step = bytes | Callable[[Client], object]


def read(client: Client) -> None:
    client.read()


def wake(client: Client) -> None:
    speaker = client.server.connect()
    speaker.send(request("/wake"))
    speaker.assert_responds()
    speaker.connection.abort()


def stop(client: Client) -> None:
    client.server.context.state = ServerState.STOPPING
    client.connection.stop()


def abort_while_yielding(client: Client) -> None:
    client.sock.send(MANY)
    client.server.reactor.turn()
    client.connection.abort()


def wait(client: Client) -> None:
    client.server.clock.advance(STOP_GRACE)


# The steps of a client; the last one changes the first state to the second.
SCRIPTS: dict[tuple[str, str], list[Step]] = {
    ("RECEIVING_PROXY_HEADER", "ACCEPTED"): [PROXY_HEADER[:5], PROXY_HEADER[5:]],
    ("RECEIVING_PROXY_HEADER", "DRAINING"): [stop, wait],
    ("RECEIVING_PROXY_HEADER", "CLOSED"): [PROXY_HEADER[:5], Client.close],
    ("ACCEPTED", "RECEIVING_HEAD"): [GET[:1]],
    ("ACCEPTED", "RECEIVING_CONTENT"): [POST],
    ("ACCEPTED", "CONTINUING"): [ASKING],
    ("ACCEPTED", "RESPONDING"): [GET],
    ("ACCEPTED", "YIELDING"): [UPLOAD + CHUNKS],
    ("ACCEPTED", "DRAINING"): [stop, wait],
    ("ACCEPTED", "CLOSED"): [Client.close],
    ("IDLE", "RECEIVING_HEAD"): [GET, GET[:1]],
    ("IDLE", "RECEIVING_CONTENT"): [GET, POST],
    ("IDLE", "CONTINUING"): [GET, ASKING],
    ("IDLE", "RESPONDING"): [GET, GET],
    ("IDLE", "YIELDING"): [GET, UPLOAD + CHUNKS],
    ("IDLE", "DRAINING"): [GET, stop],
    ("IDLE", "CLOSED"): [GET, Client.close],
    ("RECEIVING_HEAD", "RECEIVING_CONTENT"): [POST[:-1], POST[-1:]],
    ("RECEIVING_HEAD", "CONTINUING"): [ASKING[:-1], ASKING[-1:]],
    ("RECEIVING_HEAD", "RESPONDING"): [GET[:-1], GET[-1:]],
    ("RECEIVING_HEAD", "YIELDING"): [UPLOAD[:-1], UPLOAD[-1:] + CHUNKS],
    ("RECEIVING_HEAD", "IDLE"): [b"\r", b"\n"],
    ("RECEIVING_HEAD", "CLOSED"): [GET[:-1], Client.close],
    ("CONTINUING", "RECEIVING_CONTENT"): [ASKING],
    ("CONTINUING", "CLOSED"): [LARGE + ASKING, Client.close],
    ("RECEIVING_CONTENT", "RESPONDING"): [POST, b"hello"],
    ("RECEIVING_CONTENT", "YIELDING"): [UPLOAD, CHUNKS],
    ("RECEIVING_CONTENT", "IDLE"): [REFUSED, b"hello"],
    ("RECEIVING_CONTENT", "RECEIVING_HEAD"): [REFUSED, b"hello" + GET[:1]],
    ("RECEIVING_CONTENT", "CLOSED"): [POST, Client.close],
    ("RESPONDING", "IDLE"): [GET],
    ("RESPONDING", "RECEIVING_HEAD"): [GET + GET[:1]],
    ("RESPONDING", "RECEIVING_CONTENT"): [GET + POST],
    ("RESPONDING", "CONTINUING"): [GET + ASKING],
    ("RESPONDING", "WAITING"): [LIVE],
    ("RESPONDING", "YIELDING"): [MANY],
    ("RESPONDING", "FINISHING"): [b"nonsense\r\n\r\n"],
    ("RESPONDING", "CLOSED"): [LARGE, Client.close],
    ("RESPONDING", "AWAITING_RESULT"): [LATER],
    ("AWAITING_RESULT", "RESPONDING"): [LATER, wake],
    ("AWAITING_RESULT", "CLOSED"): [LATER, Client.close],
    ("WAITING", "RESPONDING"): [LIVE, wake],
    ("WAITING", "CLOSED"): [LIVE, Client.close],
    ("YIELDING", "RESPONDING"): [MANY + GET],
    ("YIELDING", "RECEIVING_HEAD"): [MANY + GET[:-1]],
    ("YIELDING", "RECEIVING_CONTENT"): [MANY + POST],
    ("YIELDING", "CONTINUING"): [MANY + ASKING],
    ("YIELDING", "IDLE"): [MANY + b"\r\n"],
    ("YIELDING", "CLOSED"): [GET, abort_while_yielding],
    ("WAITING", "FINISHING"): [LAST_LIVE, wake],
    ("FINISHING", "DRAINING"): [b"nonsense\r\n\r\n"],
    ("FINISHING", "WAITING"): [LAST_LIVE],
    ("FINISHING", "CLOSED"): [LAST_LARGE, Client.close],
    ("DRAINING", "CLOSED"): [b"nonsense\r\n\r\n", read, Client.half_close],
}


def test_every_row_of_the_table_has_a_script() -> None:
    assert set(SCRIPTS) == {(state.name, after.name) for state in State for after in state.successors}


@pytest.mark.parametrize(("before", "after"), SCRIPTS, ids="-".join)
def test_the_last_step_makes_the_transition(before: str, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[str, str]] = set()
    enter = Connection._enter

    def note(connection: Connection, state: State) -> None:
        seen.add((connection.state.name, state.name))
        enter(connection, state)

    monkeypatch.setattr(Connection, "_enter", note)
    stream = LiveStream()
    routes = answering(lambda: Response(200, b"a" * 200_000), lambda: Response(200, stream))
    deferred = Deferred()
    routes.get("/later")(lambda _: deferred)

    @routes.get("/wake")
    def wake(request: Request) -> Response:
        stream.send(b"news")
        deferred.resolve(Response(200))
        return Response(200)

    # A turn's share that is less than the large response: it is still on its way after one turn.
    with Harness(routes, turn_send=100_000, trusted_proxies=[PROXY], proxy_protocol=True) as server:
        client = server.connect(PROXY if before == "RECEIVING_PROXY_HEADER" else "127.0.0.1")
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4608)
        client.connection.handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
        *first, last = SCRIPTS[before, after]
        for step in first:
            perform(client, step)
        seen.clear()
        perform(client, last)
        assert (before, after) in seen


FORBIDDEN = [(before, after) for before in State for after in State if after not in before.successors]


@pytest.mark.parametrize(("before", "after"), FORBIDDEN, ids=lambda state: state.name)
def test_an_unlisted_transition_raises(before: State, after: State) -> None:
    with Harness(answering()) as server:
        connection = server.connect().connection
        connection.state = before
        with pytest.raises(AssertionError, match=f"^{before.name} -> {after.name}$"):
            connection._enter(after)
        assert connection.state is before
        connection.state = State.ACCEPTED


def perform(client: Client, step: Step) -> None:
    if isinstance(step, bytes):
        client.send(step)
    else:
        step(client)
