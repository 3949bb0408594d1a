"""--explain: the exact paragraphs, their bounds, escaping and colours."""

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reactor.event_handler import EventHandler
from reactor.handlers.files.store import Store
from reactor.http11.deferred import Deferred
from reactor.http11.message import LiveStream, Response
from reactor.observe.explain import MAX_ACTIONS, Explain
from reactor.routing import Router
from reactor.settings import Settings
from tests.support.command import CommandServer
from tests.support.in_process import Client, Harness
from tests.support.process import ROOT, TIMEOUT, environment

GET = b"GET /echo/hi HTTP/1.1\r\nHost: x\r\n\r\n"


class ExplainedServer:
    """A server in process whose events are explained; masks file descriptors and turn numbers."""

    def __init__(
        self, routes: Router | None = None, store: Store | None = None, colour: bool = False
    ) -> None:
        self.lines: list[str] = []
        self.explain = Explain(self.lines.append, Settings().slow_turn, colour)
        self.server = Harness(routes, store, subscribers=[self.explain])

    def __enter__(self) -> "ExplainedServer":
        self.server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(None, None, None)

    def connect(self) -> Client:
        return self.server.connect()

    def take(self) -> list[str]:
        lines = [re.sub(r"turn \d+", "turn N", re.sub(r"fd \d+", "fd N", line)) for line in self.lines]
        self.lines.clear()
        return lines


def test_a_request_is_one_paragraph() -> None:
    with ExplainedServer() as explained:
        client = explained.connect()
        client.send(GET)
        sent = len(client.read())
        assert explained.take() == [
            "turn N: slept 0 us of at most 20 s; 1 ready: fd N readable; called fd N: read 34 bytes, "
            f"GET /echo/hi (200), {sent} bytes sent, ACCEPTED -> RESPONDING -> IDLE"
        ]


def test_closed_connections_are_forgotten() -> None:
    with ExplainedServer() as explained:
        for _ in range(3):
            client = explained.connect()
            client.send(GET)
            client.close()
        assert "closed: the client closed the connection" in explained.take()[-1]
        open_client = explained.connect()
        open_client.send(GET)
        assert open_client.read()
        assert len(explained.explain._fds) == 1


def test_accepted_clients_are_listed() -> None:
    with CommandServer("--explain", "--no-access-log") as server:
        connection = server.connect()
        port = connection.sock.getsockname()[1]
        line = server.stderr.next()
        assert line is not None
        assert re.fullmatch(
            rf"turn \d+: slept [\d.]+ m?u?s, with no deadline; 1 ready: listener; "
            rf"called listener: accepted fd \d+ from 127\.0\.0\.1:{port}",
            line,
        )


def test_pipelined_requests_are_listed_up_to_a_limit() -> None:
    with ExplainedServer() as explained:
        explained.connect().send(GET * 12)
        (line,) = explained.take()
        assert line.count("GET /echo/hi (200)") == 8
        assert "and 4 more requests" in line


def test_continuing_with_pipelined_requests_is_not_late() -> None:
    with ExplainedServer() as explained:
        explained.connect().send(GET * 68)
        first, second = explained.take()
        assert first.endswith("ACCEPTED -> RESPONDING -> YIELDING")
        assert re.fullmatch(
            r"turn N: slept 0 us of at most 0 s; nothing ready; called fd N \(soon\): "
            r"(GET /echo/hi \(200\), ){4}[\d,]+ bytes sent, YIELDING -> RESPONDING -> IDLE",
            second,
        )


def test_ready_handles_are_listed_up_to_a_limit() -> None:
    with ExplainedServer() as explained:
        clients = [explained.connect() for _ in range(20)]
        for client in clients:
            client.sock.send(GET)
        explained.server.run()
        (line,) = explained.take()
        assert "20 ready: " in line
        assert line.count("fd N readable") == 8
        assert "readable and 12 more; called " in line
        assert line.endswith("; and 12 more")


def test_unsent_bytes_are_reported_as_waiting() -> None:
    routes = Router()
    routes.get("/large")(lambda request: Response(200, b"x" * 4_000_000))
    with ExplainedServer(routes) as explained:
        client = explained.connect()
        client.send(GET.replace(b"/echo/hi", b"/large"))
        first = explained.take()[0]
        assert re.search(
            r"GET /large \(200\), [\d,]+ bytes sent \(left: [\d,]+ bytes\), ACCEPTED -> RESPONDING$",
            first,
        )
        client.read()
        last = explained.take()[-1]
        assert re.search(r"fd N writable; called fd N: [\d,]+ bytes sent, RESPONDING -> IDLE$", last)


def test_a_refusal_is_reported_once_with_its_reason() -> None:
    with ExplainedServer() as explained:
        explained.connect().send(b"GET / HTTP/1.1\r\n\r\n")
        (line,) = explained.take()
        assert "refused with 400: missing Host header, " in line
        assert line.count("400") == 1
        assert line.endswith("ACCEPTED -> RESPONDING -> FINISHING -> DRAINING")


def test_a_deadline_is_reported_with_its_name() -> None:
    with ExplainedServer() as explained:
        explained.connect().send(b"GE")
        explained.take()
        explained.server.clock.advance(20)
        line = explained.take()[0]
        assert "nothing ready; called fd N (head timeout): refused with 408: " in line


def test_a_close_is_reported_with_its_reason() -> None:
    with ExplainedServer() as explained:
        client = explained.connect()
        client.send(GET)
        client.sock.close()
        explained.server.run()
        assert explained.take()[-1].endswith(
            "called fd N: closed: the client closed the connection, IDLE -> CLOSED"
        )


class Callback(EventHandler):
    """Calls a function once, in the next turn."""

    def __init__(self, explained: ExplainedServer, function: Callable[[], object]) -> None:
        super().__init__()
        self.on_soon = function  # type: ignore[assignment, method-assign]
        explained.server.reactor.soon(self)
        explained.server.run()


def test_a_connection_changed_by_another_handler_is_named() -> None:
    routes, stream = Router(), LiveStream()
    routes.get("/live")(lambda request: Response(200, stream))
    with ExplainedServer(routes) as explained:
        client = explained.connect()
        client.send(GET.replace(b"/echo/hi", b"/live"))
        assert re.search(r"\d bytes sent \(left: a stream\), .* -> WAITING$", explained.take()[0])
        Callback(explained, lambda: stream.send(b"news"))
        woken, sent, idle = explained.take()
        assert woken.endswith("; called callback (soon): fd N WAITING -> RESPONDING")
        assert sent.endswith("; called fd N: 9 bytes sent (left: a stream)")
        assert idle.endswith("; called fd N: RESPONDING -> WAITING")
        Callback(explained, client.connection.abort)
        (closed,) = explained.take()
        assert "called callback (soon): fd N closed: the server stopped" in closed
        assert closed.endswith(", fd N WAITING -> CLOSED")


def test_a_deferred_response_is_explained() -> None:
    routes, deferred = Router(), Deferred()
    routes.get("/echo/hi")(lambda request: Response(200))
    routes.get("/later")(lambda request: deferred)
    with ExplainedServer(routes) as explained:
        client = explained.connect()
        client.send(GET + GET.replace(b"/echo/hi", b"/later"))
        (waiting,) = explained.take()
        assert re.search(r"bytes sent \(left: a deferred response\), .* -> AWAITING_RESULT$", waiting)
        Callback(explained, lambda: deferred.resolve(Response(204)))
        assert explained.take()[1].endswith(
            "called fd N (soon): GET /later (204), 64 bytes sent, AWAITING_RESULT -> RESPONDING -> IDLE"
        )


def test_what_is_left_of_a_file_is_a_number_of_bytes(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 4_000_000)
    store = Store(str(tmp_path))
    with ExplainedServer(None, store) as explained:
        explained.connect().send(GET.replace(b"/echo/hi", b"/files/large"))
        assert re.search(r"[\d,]+ bytes sent \(left: \d,\d{3},\d{3} bytes of a file\), ", explained.take()[0])
    store.close()


def test_a_call_that_changes_many_connections_is_a_bounded_paragraph() -> None:
    with ExplainedServer() as explained:
        for _ in range(50):
            explained.connect()
        several = list(explained.server.context.connections.values())

        def abort_all() -> None:
            for each in several:
                each.abort()

        Callback(explained, abort_all)
        (line,) = explained.take()
        assert line.count("closed: ") == MAX_ACTIONS
        assert line.endswith(", and 68 more actions")


def test_a_call_without_an_action_is_its_name() -> None:
    with ExplainedServer() as explained:
        Callback(explained, lambda: None)
        assert explained.take()[0].endswith("nothing ready; called callback (soon)")


def test_a_timeout_is_written_as_words() -> None:
    with ExplainedServer() as explained:
        explained.connect().get("/echo/hi")
        explained.take()
        explained.server.clock.advance(75)
        (line,) = explained.take()
        assert "called fd N (keep-alive timeout): closed: timeout, IDLE -> CLOSED" in line


def test_an_upload_is_reported_from_head_to_end(tmp_path: object) -> None:
    store = Store(str(tmp_path))
    with ExplainedServer(None, store) as explained:
        client = explained.connect()
        head = b"POST /files/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        client.send(head)
        assert "25 bytes sent, ACCEPTED -> CONTINUING -> RECEIVING_CONTENT" in explained.take()[0]
        client.send(b"abc")
        assert "POST /files/a (201)" in explained.take()[-1]
    store.close()


def test_targets_are_escaped_and_truncated_and_fields_hidden() -> None:
    with ExplainedServer() as explained:
        target = b'/echo/%0a"' + b"a" * 100
        explained.connect().send(
            b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VjcmV0\r\n\r\n"
        )
        text = "\n".join(explained.take())
        assert "c2VjcmV0" not in text
        assert "a" * 61 not in text


def test_compression_is_reported() -> None:
    with ExplainedServer() as explained:
        explained.connect().get("/echo/aaaa", "Accept-Encoding: gzip")
        assert "GET /echo/aaaa (200), 4 bytes compressed, " in explained.take()[0]


def test_a_slow_call_is_marked() -> None:
    routes = Router()
    with ExplainedServer(routes) as explained:
        clock = explained.server.clock

        @routes.get("/slow")
        def slow(request: object) -> Response:
            clock.now += 0.2
            return Response.text("")

        explained.connect().get("/slow")
        assert "SLOW: blocked the loop for 200.0 ms" in explained.take()[0]


def test_states_and_statuses_are_coloured_on_request() -> None:
    with ExplainedServer(colour=True) as explained:
        client = explained.connect()
        client.get("/echo/a")
        client.send(GET.replace(b"/echo/hi", b"/nothing"))
        lines = explained.take()
        assert "\x1b[32m200\x1b[0m" in lines[0]
        assert "\x1b[36mIDLE\x1b[0m" in lines[0]
        assert "\x1b[33m404\x1b[0m" in lines[1]


@pytest.mark.parametrize(
    ("status", "code"), [(200, 32), (399, 32), (400, 33), (499, 33), (500, 31), (501, 31)]
)
def test_the_class_of_a_status_is_its_colour(status: int, code: int) -> None:
    routes = Router()
    routes.get("/")(lambda request: Response(status, b""))
    with ExplainedServer(routes, colour=True) as explained:
        explained.connect().send(GET.replace(b"/echo/hi", b"/"))
        assert f"\x1b[{code}m{status}\x1b[0m" in explained.take()[0]


@pytest.mark.system
@pytest.mark.parametrize(("extra", "coloured"), [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False)])
def test_colours_are_used_on_capable_terminals(extra: dict[str, str], coloured: bool) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "reactor", "--port", "0", "--explain", "--no-access-log"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(extra), stdin=subprocess.DEVNULL, stderr=theirs, stdout=theirs
    )
    os.close(theirs)
    try:
        said = b""
        while b"\n" not in said:
            assert select.select([ours], [], [], TIMEOUT)[0]
            said += os.read(ours, 4096)
        process.terminate()
        while b"called" not in said:
            assert select.select([ours], [], [], TIMEOUT)[0]
            said += os.read(ours, 4096)
        assert (b"\x1b[1mturn" in said) == coloured
        process.wait(TIMEOUT)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_the_debug_log_has_the_same_text() -> None:
    with CommandServer("--log-level", "debug", "--no-access-log") as server:
        server.get("/echo/hi")
        line = ""
        while "GET /echo/hi (200)" not in line:
            line = server.stderr.next() or "GET /echo/hi (200), the end"
        assert re.match(r"reactor: turn \d+: slept ", line)


def test_without_the_option_no_turn_is_reported() -> None:
    with CommandServer("--no-access-log") as server:
        server.get("/echo/hi")
        server.terminate()
        assert [line for line in server.stderr.rest() if "turn" in line] == []
