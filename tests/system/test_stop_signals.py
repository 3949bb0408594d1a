"""Signals to a real process: no received request is lost, whatever the server is doing at that moment."""

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.process import ANNOUNCE, TIMEOUT, ClientConnection, ServerProcess, head
from tests.unit.inspector.microscope import NOTE

# A handler that blocks the loop until something writes to a FIFO; opening the FIFO waits for that.
PROGRAM = """
import sys
from reactor import LiveStream, Response, Router, serve

routes = Router()

@routes.get("/block")
def block(request):
    with open({gate!r}) as gate:
        gate.read()
    return Response.text("unblocked")

@routes.get("/{{name}}")
def name(request):
    return Response.text(request.params["name"])

@routes.get("/live/stream")
def live(request):
    return Response(200, LiveStream())

serve(routes, port=0, access_log=None, on_ready=announce)
"""


pytestmark = pytest.mark.usefixtures("no_ignored_signals")


class BlockedServer(ServerProcess):
    """A server whose loop is blocked in a handler until ``unblock``; ``idle`` is a client served before."""

    def __init__(self, tmp_path: Path) -> None:
        self._gate = tmp_path / "gate"
        os.mkfifo(self._gate)
        super().__init__(command=("-c", ANNOUNCE + PROGRAM.format(gate=str(self._gate))))

    def __enter__(self) -> "BlockedServer":
        super().__enter__()
        self.idle = self.connect()
        assert self.idle.get("/first").status == 200
        self._blocking = self.connect()
        self._blocking.send_head("GET", "/block")
        self._writing_end = self._gate.open("w")
        return self

    def unblock(self) -> None:
        """Let the handler return."""
        self._writing_end.close()
        assert self._blocking.answer().content == b"unblocked"
        self._blocking.close()


def test_fifty_clients_that_connected_while_the_server_was_busy_are_answered(tmp_path: Path) -> None:
    with BlockedServer(tmp_path) as server:
        clients = [server.connect() for _ in range(50)]
        for number, client in enumerate(clients):
            client.send_head("GET", f"/{number}")
        server.send_signal(signal.SIGTERM)
        server.unblock()
        for number, client in enumerate(clients):
            answer = client.answer()
            assert (answer.content, answer.headers["connection"]) == (b"%d" % number, "close")
            client.assert_closed()
            client.close()
        assert server.exit_code() == 0


@pytest.mark.parametrize("count", [2, 200])
def test_pipelined_requests_and_one_on_an_idle_connection_are_answered(tmp_path: Path, count: int) -> None:
    with BlockedServer(tmp_path) as server:
        pipelining = server.connect()
        pipelining.send(b"".join(head("GET", f"/{number}") for number in range(count)))
        server.idle.send_head("GET", "/second")
        server.send_signal(signal.SIGTERM)
        server.unblock()
        answers = [pipelining.answer() for _ in range(count)]
        assert [answer.content for answer in answers] == [b"%d" % number for number in range(count)]
        assert [answer.headers.get("connection") for answer in answers] == [None] * (count - 1) + ["close"]
        pipelining.assert_closed()
        assert (server.idle.answer().content, server.idle.read_to_end()) == (b"second", b"")


def test_a_request_that_crosses_the_close_of_an_idle_connection_is_not_reset() -> None:
    with ServerProcess() as server:
        client = server.connect()
        assert client.get("/").status == 200
        server.send_signal(signal.SIGTERM)
        client.assert_closed()
        client.send_head("GET", "/late")
        assert client.sock.recv(1) == b""
        assert client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        client.close()
        assert server.exit_code() == 0


def test_a_live_stream_does_not_keep_the_server(tmp_path: Path) -> None:
    with ServerProcess(command=("-c", ANNOUNCE + PROGRAM.format(gate=""))) as server:
        client = server.connect()
        client.send_head("GET", "/live/stream")
        assert b" 200 " in client.read_head()
        server.send_signal(signal.SIGTERM)
        assert client.read_to_end() == b"0\r\n\r\n"
        client.close()
        assert server.exit_code() == 0


def test_readyz_answers_503_while_connections_are_still_accepted() -> None:
    with ServerProcess("--shutdown-delay", "3600", "--inspect", "127.0.0.1:0") as server:
        found = NOTE.search(server.start_line)
        assert found is not None
        with ClientConnection(int(found[1])) as probe:
            assert probe.get("/readyz").status == 200
            server.send_signal(signal.SIGTERM)
            while probe.get("/readyz").status == 200:
                pass
            assert probe.get("/readyz").status == 503
            answer = server.get("/")
            assert (answer.status, answer.headers.get("connection")) == (200, "close")
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0


# SIGHUP.


@contextmanager
def on_a_terminal(*options: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run a server whose controlling terminal is a new one; yield the process and the other end of it."""
    ours, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "reactor", "--port", "0", *options],
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(terminal)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait(TIMEOUT)
        assert process.stderr is not None
        process.stderr.close()


def test_a_terminal_that_is_closed_stops_the_server_gracefully() -> None:
    with on_a_terminal() as (process, ours):
        assert process.stderr is not None
        port = int(process.stderr.readline().split("http://127.0.0.1:")[1].split("/")[0])
        with ClientConnection(port) as client:
            client.send(head("GET", "/echo/whole")[:-2])
            with ClientConnection(port) as other:
                assert other.get("/").status == 200
            os.close(ours)
            assert "SIGHUP" in process.stderr.readline()
            process.send_signal(signal.SIGHUP)  # shells send it as well
            client.send(b"\r\n")
            answer = client.answer()
            assert (answer.content, answer.headers["connection"]) == (b"whole", "close")
        assert process.wait(TIMEOUT) == 0


def test_without_a_terminal_sighup_reloads_the_password_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("me:old\n")
    with ServerProcess("--auth", f"@{file}", launcher=("setsid",)) as server:
        client = server.connect()
        assert client.get("/", "Authorization: Basic bWU6b2xk").status == 200
        file.write_text("me:new\n")
        server.send_signal(signal.SIGHUP)
        while "reloaded the password file" not in (line := server.stderr.next() or ""):
            assert line, "the server has ended"
        assert client.get("/", "Authorization: Basic bWU6b2xk").status == 401
        assert server.get("/", "Authorization: Basic bWU6bmV3").status == 200


def test_sighup_that_is_ignored_at_the_start_stays_ignored() -> None:
    with ServerProcess(launcher=("nohup",)) as server:
        server.send_signal(signal.SIGHUP)
        assert server.get("/").status == 200
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not [line for line in server.stderr.rest() if "SIGHUP" in line]


def test_a_reload_that_fails_leaves_the_server_to_be_stopped() -> None:
    program = """
from reactor import Response, Router, serve

routes = Router()
routes.get("/")(lambda request: Response(200))

def fail():
    raise RuntimeError("planted")

serve(routes, port=0, access_log=None, on_reload=fail, on_ready=announce)
"""
    with ServerProcess(command=("-c", ANNOUNCE + program), launcher=("setsid",)) as server:
        server.send_signal(signal.SIGHUP)
        while "planted" not in (line := server.stderr.next() or ""):
            assert line, "the server has ended"
        assert server.get("/").status == 200
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0


# Signals and children: a forked child has the handlers of its parent, and the socket pair that wakes it.

FORKING = """
import multiprocessing, os, signal, sys
from reactor import Response, Router, serve

routes = Router()
context = multiprocessing.get_context("fork")

@routes.get("/terminate")
def terminate(request):
    ready = context.Event()
    child = context.Process(target=lambda: (ready.set(), signal.pause()))
    child.start()
    ready.wait()
    child.terminate()
    child.join()
    return Response.text(str(child.exitcode))

@routes.get("/")
def root(request):
    return Response(200)

serve(routes, port=0, access_log=None, on_ready=announce)
"""


def test_the_signal_of_a_forked_child_ends_the_child_and_not_the_server() -> None:
    with ServerProcess(command=("-c", ANNOUNCE + FORKING)) as server:
        assert server.get("/terminate").content == b"-15"
        for _ in range(3):
            assert server.get("/").status == 200
        server.send_signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_a_signal_is_heard_behind_many_others(tmp_path: Path) -> None:
    program = """
import os, signal
from reactor import Response, Router, serve

signal.signal(signal.SIGUSR2, lambda number, frame: None)
routes = Router()

@routes.get("/")
def root(request):
    for _ in range(2000):
        os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGTERM)
    return Response(200)

serve(routes, port=0, access_log=None, on_ready=announce)
"""
    with ServerProcess(command=("-c", ANNOUNCE + program)) as server:
        client = server.connect()
        assert client.get("/").status == 200
        client.close()
        assert server.exit_code() == 0


@pytest.mark.parametrize("other", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_while_the_process_ends_do_not_change_its_exit_code(other: signal.Signals) -> None:
    with ServerProcess() as server:
        while server.process.poll() is None:
            server.send_signal(signal.SIGTERM)
            server.send_signal(other)
        assert server.process.poll() == 0
        assert "Traceback" not in "\n".join(server.stderr.rest()[-40:])


def test_a_signal_before_the_server_serves_ends_it_like_a_stop(tmp_path: Path) -> None:
    fifo = tmp_path / "password"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "reactor", "--port", "0", "--auth", f"@{fifo}"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        with fifo.open("w"):  # it is opened when the options are read
            process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait(TIMEOUT)
        process.stderr.close()
