"""A held loop is resumed when no page is open; connections that were opened before the page."""

import logging
import signal
import socket
from collections.abc import Callable

import pytest

from reactor.http11.message import Response
from reactor.inspector.snapshot import HISTORY
from reactor.server.context import ServerState
from reactor.server.state import State
from tests.unit.inspector.in_process import InProcess, Peer

GET = b"GET /echo/hi HTTP/1.1\r\nHost: localhost\r\n\r\n"
RESUMED = "inspector: no page open for 5 s: resuming the loop"
ACCEPTED, IDLE, RESPONDING = State.ACCEPTED.index, State.IDLE.index, State.RESPONDING.index


def pause(site: InProcess) -> None:
    assert site.post("/control", {"do": "pause"}).status == 200


def slow(site: InProcess) -> None:
    assert site.post("/control", {"do": "slow", "delay": 60}).status == 200


def stop_at_a_state(site: InProcess) -> None:
    assert site.post("/breakpoints", {"states": ["DRAINING"], "slow": False}).status == 200


def stop_at_a_slow_turn(site: InProcess) -> None:
    assert site.post("/breakpoints", {"states": [], "slow": True}).status == 200


HOLDS = [pause, slow, stop_at_a_state, stop_at_a_slow_turn]
Hold = Callable[[InProcess], None]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# Without a page.


@pytest.mark.parametrize("hold", HOLDS)
def test_five_seconds_after_the_last_page_the_loop_is_resumed(
    hold: Hold, caplog: pytest.LogCaptureFixture
) -> None:
    with InProcess() as site:
        first, second = site.open_page(), site.open_page()
        hold(site)
        for _ in range(20):
            site.pass_time(1)
        first.close()
        for _ in range(20):
            site.pass_time(1)
        assert site.control.may_hold
        second.close()
        site.pass_time(0.1)  # enough to detect that the stream is closed
        site.pass_time(4.9)
        assert site.control.may_hold
        assert warnings(caplog) == []
        site.pass_time(0.2)
        assert not site.control.may_hold
        assert site.control.held_at is None
        assert warnings(caplog) == [RESUMED]
        peer = site.connect()
        peer.send(GET)
        assert peer.answer().content == b"hi"


@pytest.mark.parametrize("hold", HOLDS)
def test_without_a_page_the_loop_is_resumed_five_seconds_after_the_last_command(hold: Hold) -> None:
    with InProcess() as site:
        for _ in range(3):
            hold(site)
            site.pass_time(4.9)
            assert site.control.may_hold
        site.pass_time(0.2)
        assert not site.control.may_hold


def test_a_page_that_reloads_keeps_the_loop_held() -> None:
    with InProcess() as site:
        page = site.open_page()
        pause(site)
        page.close()
        site.pass_time(0.1)
        site.pass_time(4.0)
        site.open_page()
        for _ in range(20):
            site.pass_time(1)
        assert site.control.mode == "paused"


def test_an_explicit_resume_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with InProcess() as site:
        pause(site)
        site.post("/control", {"do": "resume"})
        site.pass_time(10)
        assert warnings(caplog) == []


def test_reading_a_connection_does_not_extend_the_timeout() -> None:
    with InProcess() as site:
        site.connect()
        pause(site)
        for _ in range(6):
            site.ask("/connections/1")
            site.pass_time(1)
        assert site.control.mode == "running"


def test_a_loop_held_in_the_middle_of_a_turn_is_resumed() -> None:
    with InProcess() as site:
        page = site.open_page()
        site.post("/breakpoints", {"states": ["RESPONDING"], "slow": False})
        peer = site.connect()
        held: list[bool] = []

        def while_held() -> None:
            if site.control.held_at is not None:
                if not held:
                    page.sock.close()
                held.append(True)
                site.clock.now += 0.25

        site.at_each_turn = while_held
        peer.send(GET)  # the loop is held within, until it is resumed
        assert len(held) > 20
        assert peer.answer().content == b"hi"
        assert site.control.break_on_states == frozenset()


def test_a_page_that_reads_no_frames_counts_as_closed(caplog: pytest.LogCaptureFixture) -> None:
    with InProcess() as site:
        site.open_page(receive_buffer=4096)
        for connection in site.inspector_connections():
            connection.handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        pause(site)
        for _ in range(40):  # until the kernel's buffers are full, and then 10 s without progress
            site.pass_time(1)
        assert site.control.mode == "running"
        assert warnings(caplog)[-1] == RESUMED


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
def test_unacknowledged_frames_close_the_connection() -> None:
    with InProcess() as site:
        site.open_page()
        (connection,) = site.inspector_connections()
        timeout = connection.handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert timeout == 10_000


# Waiting for an event or a turn.


@pytest.mark.parametrize("what", ["event", "turn"])
def test_a_step_with_nothing_ready_is_reported_as_waiting(what: str) -> None:
    with InProcess() as site:
        page = site.open_page()
        pause(site)
        assert site.frame(page)["waiting"] == ""
        site.post("/control", {"do": what})
        site.run()
        site.pass_time(0.05)
        frame = site.frame(page)
        assert (frame["mode"], frame["waiting"], frame["at"]) == ("paused", what, None)
        site.connect()  # the event
        site.pass_time(0.05)
        frame = site.frame(page)
        assert (frame["mode"], frame["waiting"]) == ("paused", "")
        assert frame["at"]["step"] == "turn"


@pytest.mark.parametrize("what", ["event", "turn"])
def test_a_step_with_a_ready_handle_is_not_reported_as_waiting(what: str) -> None:
    with InProcess() as site:
        page = site.open_page()
        pause(site)
        site.connect()
        waiting: list[str] = []
        site.at_each_turn = lambda: waiting.append(site.control.waiting)
        site.post("/control", {"do": what})
        site.pass_time(0.05)
        assert set(waiting) == {""}
        assert site.frame(page)["waiting"] == ""
        assert site.frame(page)["totals"]["accepted"] == 1


def test_a_stopping_server_does_not_log_the_resume_message(caplog: pytest.LogCaptureFixture) -> None:
    with InProcess() as site:
        busy = site.connect()
        busy.send(b"GET / HTTP/1.1\r\n")
        pause(site)
        site.signal(signal.SIGTERM)
        site.pass_time(6)
        assert site.server.context.state is not ServerState.RUNNING
        assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/control", {"do": "pause"}),
        ("/control", {"do": "slow"}),
        ("/control", {"do": "event"}),
        ("/breakpoints", {"states": ["IDLE"], "slow": False}),
    ],
)
def test_a_stopping_server_cannot_be_held(path: str, data: dict[str, object]) -> None:
    with InProcess() as site:
        busy = site.connect()
        busy.send(b"GET / HTTP/1.1\r\n")
        site.signal(signal.SIGTERM)
        site.run_until(lambda: site.server.context.state is ServerState.STOPPING)
        answer = site.post(path, data)
        assert (answer.status, answer.content) == (409, b"the server is stopping\n")
        assert site.control.mode == "running"


def test_a_server_with_a_pending_stop_cannot_be_held() -> None:
    data = b'{"do": "pause"}'
    head = "POST /control HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with InProcess() as site:
        site.open_page()
        peer = site.connect(site.inspector)
        peer.sock.send(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        # The server itself is notified in its next turn, after the request.
        site.signal(signal.SIGTERM)
        assert site.server.context.state is ServerState.RUNNING
        assert peer.answer().status == 409
        assert site.control.mode == "running"


def test_a_reload_keeps_a_held_loop_and_its_breakpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    with InProcess() as site:
        monkeypatch.setattr(site.server, "_has_terminal", False)
        site.open_page()
        site.post("/breakpoints", {"states": ["CLOSED"], "slow": False})
        pause(site)
        site.signal(signal.SIGHUP)
        site.pass_time(1)
        assert site.control.mode == "paused"
        assert site.control.break_on_states == {"CLOSED"}


@pytest.mark.parametrize("then", ["pause", "resume", "slow"])
def test_another_command_cancels_waiting(then: str) -> None:
    with InProcess() as site:
        page = site.open_page()
        pause(site)
        site.post("/control", {"do": "event"})
        site.pass_time(0.05)
        site.post("/control", {"do": then})
        site.pass_time(0.05)
        assert site.frame(page)["waiting"] == ""


# Connections that were opened before the page.


def served(site: InProcess) -> Peer:
    """Return a connection that was answered ten seconds after it was accepted, and is now idle."""
    peer = site.connect()
    site.pass_time(10)
    peer.send(GET)
    peer.answer()
    return peer


def test_the_age_of_a_connection_starts_at_accept() -> None:
    with InProcess() as site:
        served(site)
        site.pass_time(20)
        page = site.open_page()
        known = site.ask("/connections/1")
        assert (known["age"], known["served"], known["state"]) == (30, 1, IDLE)
        (chip,) = site.frame(page)["chips"]
        assert chip[8] == 20  # seconds in its state
        assert known["history"] == [[20, None, IDLE]]
        assert known["missing"] == "unseen"


def test_events_after_the_page_was_opened_are_recorded() -> None:
    with InProcess() as site:
        peer = served(site)
        page = site.open_page()
        site.pass_time(5)
        peer.send(GET)
        peer.answer()
        known = site.ask("/connections/1")
        assert known["history"] == [[5, None, IDLE], [0, IDLE, RESPONDING], [0, RESPONDING, IDLE]]
        assert known["missing"] == "unseen"
        page.close()


def test_a_connection_accepted_after_the_page_has_a_complete_history() -> None:
    with InProcess() as site:
        site.open_page()
        peer = served(site)
        known = site.ask("/connections/1")
        assert [after for _, _, after in known["history"]] == [ACCEPTED, RESPONDING, IDLE]
        assert (known["age"], known["missing"]) == (10, "")
        for _ in range(HISTORY):
            peer.send(GET)
            peer.answer()
        assert site.ask("/connections/1")["missing"] == "dropped"


def test_a_connection_in_its_first_state_has_a_complete_history() -> None:
    with InProcess() as site:
        site.connect()
        site.pass_time(3)
        site.open_page()
        known = site.ask("/connections/1")
        assert known["history"] == [[3, None, ACCEPTED]]
        assert (known["age"], known["missing"]) == (3, "")


def test_the_age_of_a_closed_connection_is_constant() -> None:
    with InProcess() as site:
        peer = served(site)
        site.open_page()
        peer.close()
        for _ in range(7):
            site.pass_time(1)
        known = site.ask("/connections/1")
        assert known["closed"]
        assert known["age"] == 10


def test_a_density_counts_the_time_in_the_current_state() -> None:
    with InProcess() as site:
        for _ in range(301):
            site.connect()
        site.pass_time(15)
        page = site.open_page()
        frame = site.frame(page)
        assert frame["density"][ACCEPTED] == [0, 0, 0, 0, 0, 301, 0, 0]  # 10 to 60 s


@pytest.mark.parametrize(
    ("begun", "state"),
    [
        (
            b"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n0123",
            State.RECEIVING_CONTENT,
        ),
        (b"GET /echo/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic s", State.RECEIVING_HEAD),
    ],
    ids=["content", "Authorization"],
)
def test_a_request_begun_before_the_page_is_hidden(begun: bytes, state: State) -> None:
    with InProcess() as site:
        site.server.context.router.post("/post")(lambda request: Response.text("stored"))
        peer = site.connect()
        peer.send(begun)
        assert site.server.context.connections[1].state is state
        site.open_page()
        peer.send(b"secret-secret")
        texts = [text for _, way, _, text in site.ask("/connections/1")["traffic"] if way == "in"]
        assert texts == ["[13 B hidden]"]
