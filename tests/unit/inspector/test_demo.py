"""The demo server: separate from the main server, and accessible to the demo clients only."""

import json
import logging
import re
import signal
import socket
from contextlib import closing
from pathlib import Path

import pytest

from reactor.inspector import demo_server
from reactor.inspector.demo import DEMOS, DemoClient
from reactor.inspector.routes import endpoints
from reactor.loop import Reactor
from reactor.observe.events import Event, EventKind
from reactor.observe.metrics import Metrics
from reactor.server.listen import StartError
from tests.support.command import CommandServer
from tests.support.process import ClientConnection
from tests.unit.inspector.in_process import InProcess
from tests.unit.inspector.microscope import NOTE, Microscope, speed_up

DEMO = b"GET /demo/block HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[demo_server.DemoServer]:
    """Return the demo servers created: nothing else reveals their port and token."""
    made: list[demo_server.DemoServer] = []

    class RecordedServer(demo_server.DemoServer):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr("reactor.inspector.inspector.DemoServer", RecordedServer)
    return made


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long each call of the blocking handler would have blocked."""
    calls: list[float] = []

    class Recording:
        @staticmethod
        def select(readable: object, writable: object, failed: object, seconds: float) -> None:
            calls.append(seconds)

    monkeypatch.setattr(demo_server, "select", Recording)
    return calls


# The main server is not changed.


def test_the_main_port_does_not_serve_the_blocking_handler(tmp_path: Path) -> None:
    with Microscope("--directory", str(tmp_path), "--auth-upload", "user:password") as server:
        wire = server.connect()
        for path in ("/demo/block", "/demo/large"):
            assert wire.get(path).status == 404
        assert server.post("/demos", {"name": "keep-alive"})[0] == 202
        assert wire.get("/demo/block").status == 404


def test_demos_run_on_a_server_that_requires_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    speed_up(monkeypatch, "keep-alive", 5)
    with Microscope("--auth", "user:password") as server, server.open_events() as stream:
        server.post("/demos", {"name": "keep-alive"})
        stream.until(lambda frame: any(chip[0] == -1 and chip[4] >= 2 for chip in frame["chips"]))
        found = json.loads(server.ask("/connections/-1")[1])
    sent = [text for _, way, _, text in found["traffic"] if way == "out"]
    assert sent
    assert all(text.startswith("HTTP/1.1 200 OK") for text in sent)


def test_demo_connections_do_not_count_against_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    speed_up(monkeypatch, "hundred", 5)
    with Microscope("--max-connections", "1") as server, server.open_events() as stream:
        wire = server.connect()
        assert wire.get("/").status == 200
        server.post("/demos", {"name": "hundred"})
        stream.until(lambda frame: frame["totals"]["requests"] >= 100)
        assert wire.get("/echo/still-here").content == b"still-here"


def test_demo_requests_are_not_in_the_access_log_or_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    speed_up(monkeypatch, "pipelining", 5)
    with CommandServer("--inspect", "127.0.0.1:0") as server:
        note = NOTE.search(server.start_line)
        assert note is not None
        server.get("/echo/served")
        content = b'{"name": "pipelining"}'
        with ClientConnection(int(note[1])) as wire:
            assert wire.post("/demos", content, "Content-Type: application/json").status == 202

            def demo_is_answered() -> bool:
                wire.send_head("GET", "/connections/-1")
                return b"8-of-8" in wire.answer().content

            server.keep_asking_until(demo_is_answered)
            figures = wire.get("/metrics").content.decode()
            listed = json.loads(wire.get("/connections").content)
        server.terminate()
        assert server.exit_code() == 0
        logged = server.stdout.rest()
    assert not [line for line in logged if "of-8" in line]
    answered = [line for line in logged if '"GET /echo/' in line]
    assert len(answered) == 1
    counted = re.findall(r"^http_server_request_duration_seconds_count\{.*echo.*\} (\d+)", figures, re.M)
    assert counted == ["1"]
    assert all(each["number"] > 0 for each in listed["connections"])


@pytest.mark.parametrize("held", [False, True])
def test_a_demo_does_not_delay_shutdown(held: bool) -> None:
    patient = ("--head-timeout", "1000", "--shutdown-timeout", "1000")
    with Microscope(*patient) as server, server.open_events() as stream:
        server.post("/demos", {"name": "one-byte"})
        stream.until(lambda frame: [chip[5] for chip in frame["chips"]] not in ([], [0]))
        if held:
            server.do("pause")
        server.terminate()
        assert server.exit_code() == 0


# The token.


def test_requests_without_the_token_call_no_handler(
    opened: list[demo_server.DemoServer], blocked: list[float]
) -> None:
    with InProcess() as site:
        host, port = opened[0].open()
        assert host == "127.0.0.1"
        outsider = site.connect(port)
        outsider.send(DEMO * 64)
        assert [outsider.answer().status for _ in range(64)] == [403] * 64
        for lines in ("Demo-Token: \r\n", "Demo-Token: guessed\r\n", "Demo-Token: \xe9\r\n"):
            outsider.send(DEMO.replace(b"\r\n\r\n", f"\r\n{lines}\r\n".encode("latin-1")))
            assert outsider.answer().status == 403
        outsider.send(DEMO.replace(b"/demo/block", b"/nothing"))
        assert outsider.answer().status == 403
        outsider.send(
            DEMO.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello")
        )
        assert outsider.answer().status == 403
        assert blocked == []
        token = opened[0].token
        client = site.connect(port)
        client.send(DEMO.replace(b"\r\n\r\n", f"\r\nDemo-Token: {token}\r\n\r\n".encode()))
        assert client.answer().status == 200
        assert blocked == [0.2]


def test_each_inspector_has_its_own_token(opened: list[demo_server.DemoServer]) -> None:
    with InProcess(), InProcess():
        first, second = opened
        assert first.token != second.token
        assert len(first.token) >= 40


def test_the_listener_is_opened_once_by_the_first_demo(opened: list[demo_server.DemoServer]) -> None:
    with InProcess() as site:
        handles = len(site.server.reactor._selector.get_map())
        for _ in range(2):
            assert site.post("/demos", {"name": "keep-alive"}).status == 202
        site.run_until(lambda: len(opened[0].context.connections) == 2)
        assert len(site.server.reactor._selector.get_map()) == handles + 3
        assert opened[0].open() == opened[0].open()
        assert len(site.server.reactor._selector.get_map()) == handles + 3


def test_demo_listener_and_connections_have_distinct_names() -> None:
    with InProcess() as site:
        page = site.open_page()
        site.connect()
        site.post("/demos", {"name": "keep-alive"})
        site.pass_time(0.05)
        frame = site.frame(page)
        assert sorted(chip[0] for chip in frame["chips"]) == [-1, 1]
        names = [name for _, name, _, _ in frame["handles"]]
        assert sorted(names) == ["c-1", "c1", "demolistener", "listener", "wakeup"]


# Errors and limits.


def test_starting_a_demo_fails_if_the_listener_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(host: str, port: int) -> socket.socket:
        raise StartError(f"cannot listen on {host} port {port}: planted")

    with InProcess() as site:
        monkeypatch.setattr(demo_server, "listen", fail)
        answer = site.post("/demos", {"name": "block"})
        assert answer.status == 503
        assert answer.content == b"cannot start the demo: cannot listen on 127.0.0.1 port 0: planted\n"
        peer = site.connect()
        peer.send(b"GET /echo/hi HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert peer.answer().content == b"hi"


def test_running_out_of_file_descriptors_leaves_no_client(
    monkeypatch: pytest.MonkeyPatch, opened: list[demo_server.DemoServer]
) -> None:
    made: list[socket.socket] = []
    real = socket.socket

    class LimitedSocket(real):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: object, **named: object) -> None:
            if not arguments and not named:  # created by a demo client
                if len(made) == 5:
                    raise OSError(24, "Too many open files")
                made.append(self)
            super().__init__(*arguments, **named)

    with InProcess() as site:
        peer = site.connect(site.inspector)
        monkeypatch.setattr("reactor.inspector.demo.socket.socket", LimitedSocket)
        content = b'{"name": "hundred"}'
        peer.send(
            b"POST /demos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
        )
        assert peer.answer().status == 503
        assert [each.fileno() for each in made] == [-1] * 5
        site.run_until(lambda: not opened[0].context.connections)


def test_the_number_of_clients_is_limited(opened: list[demo_server.DemoServer]) -> None:
    assert DEMOS["hundred"].clients == 100
    with InProcess() as site:
        answers = [site.post("/demos", {"name": "hundred"}) for _ in range(3)]
        assert [answer.status for answer in answers] == [202, 202, 409]
        assert answers[2].content == b"too many demos are running (limits: 10 demos, 200 clients)\n"


def test_a_stopping_server_starts_no_demo(opened: list[demo_server.DemoServer]) -> None:
    with InProcess() as site:
        busy = site.connect()
        busy.send(b"GET / HTTP/1.1\r\n")  # delays the shutdown
        assert site.post("/demos", {"name": "keep-alive"}).status == 202
        site.run_until(lambda: len(opened[0].context.connections) == 1)
        site.signal(signal.SIGTERM)
        site.run_until(lambda: not opened[0].context.connections)
        assert site.server.context.connections
        answer = site.post("/demos", {"name": "keep-alive"})
        assert answer.status == 503
        assert b"the server is stopping" in answer.content
        with pytest.raises(ConnectionRefusedError), socket.socket() as late:
            late.connect(opened[0]._address)


# Metrics, event by event.


def test_metrics_exclude_demo_connections_and_then_stop_filtering(
    opened: list[demo_server.DemoServer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    metrics = Metrics()
    every: list[Event] = []
    with InProcess([every.extend], [metrics], [endpoints(metrics)]) as site:

        def counts() -> tuple[int, int]:
            return metrics._accepted, sum(metrics._closed.values())

        peer = site.connect()
        assert counts() == (1, 0)
        site.post("/demos", {"name": "half-close"})
        site.run_until(lambda: any(event[0] is EventKind.ANSWERED for event in every))
        during = site.connect()
        during.send(b"GET /echo/hi HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert during.answer().content == b"hi"
        assert opened[0].context.connections
        assert counts() == (2, 0)
        assert [template for _, template, *_ in metrics._requests] == ["/echo/{text...}"]
        metrics._requests.clear()
        for _ in range(20):
            site.pass_time(0.5)
        site.run_until(lambda: any(event[0] is EventKind.CLOSED for event in every))
        site.run()
        assert counts() == (2, 0)
        assert not metrics._requests
        peer.close()
        site.run_until(lambda: counts() == (2, 1))
        assert opened[0].context._served[0]._excluded is None


def test_a_client_closes_at_the_end_of_the_bytes_not_before_the_first() -> None:
    with closing(Reactor()) as loop, socket.create_server(("127.0.0.1", 0)) as listener:
        client = DemoClient(loop, listener.getsockname(), "token", lambda _: iter(()), 0)
        loop.register(client)
        server, _ = listener.accept()
        client.receive()
        assert not client.closed
        server.sendall(b"ab")
        client.receive(1)
        client.receive()
        assert not client.closed
        server.close()
        client.receive()
        assert client.closed
