"""100 (Continue) after responses that are not sent yet: the request body is received next."""

import pytest

from reactor.http11.message import Response
from reactor.server.connection import Connection
from reactor.server.state import State
from tests.support.in_process import Client, Harness
from tests.support.requests import answering, request, shrink_buffers, write

LARGE = b"a" * 50_000
ASKING = request("/post", "Content-Length: 5", "Expect: 100-continue", method="POST")


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[State]:
    """Return the states that connections enter, in order."""
    states: list[State] = []
    enter = Connection._enter

    def note(connection: Connection, state: State) -> None:
        states.append(state)
        enter(connection, state)

    monkeypatch.setattr(Connection, "_enter", note)
    return states


def states_after_continuing(entered: list[State]) -> list[State]:
    """Return the states after CONTINUING, which may be entered again to move its deadline."""
    first = entered.index(State.CONTINUING)
    return [state for state in entered[first:] if state is not State.CONTINUING]


def ask_unread(server: Harness) -> Client:
    """Request a large response, then send a request with a body; read nothing yet."""
    client = server.connect()
    shrink_buffers(client)
    write(client, request("/0") + ASKING)
    server.run()
    assert client.connection.state is State.CONTINUING
    return client


@pytest.mark.parametrize("low_water", [0, 1, 1000, 40_000])
@pytest.mark.parametrize("turn_send", [1, 3000, 1 << 18])
def test_a_100_continue_waits_for_an_unread_response(
    low_water: int, turn_send: int, entered: list[State]
) -> None:
    routes = answering(lambda: Response(200, LARGE))
    with Harness(routes, low_water=low_water, high_water=100_000, turn_send=turn_send) as server:
        client = ask_unread(server)
        first, interim = client.responses()
        assert (first.content, interim.status) == (LARGE, 100)
        assert states_after_continuing(entered) == [State.RECEIVING_CONTENT]
        assert client.connection.state is State.RECEIVING_CONTENT
        client.send(b"hello")
        assert client.assert_responds().content == b"hello"
        client.get("/canary")


def test_a_body_after_100_continue_has_its_own_deadline(entered: list[State]) -> None:
    with Harness(answering(lambda: Response(200, LARGE)), low_water=0, high_water=100_000) as server:
        client = ask_unread(server)
        server.clock.advance(59)
        client.responses()
        assert states_after_continuing(entered) == [State.RECEIVING_CONTENT]
        server.clock.advance(19.9)
        client.assert_open()
        server.clock.advance(0.2)
        client.assert_responds(408)
