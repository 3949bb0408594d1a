"""The server as a library: stopped from any thread, run in any thread, several in one process."""

import io
import re
import resource
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reactor.http11.message import LiveStream, Request, Response
from reactor.routing import Router
from reactor.server.listen import StartError
from reactor.server.server import Server
from reactor.settings import Settings
from tests.support.process import TIMEOUT, ClientConnection, run_command
from tests.support.running import ServerThread
from tests.unit.handlers.files.shared import no_descriptor_leaks

# No deadline passes here: a server that ends was stopped.
PATIENT = Settings(
    shutdown_timeout=3600, keep_alive_timeout=3600, first_octet_timeout=3600, linger_timeout=0.1
)


@pytest.fixture(autouse=True)
def same_limit_on_open_files() -> Iterator[None]:
    """A server raises the open-file limit of its process."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def routes(name: str = "a server") -> Router:
    router = Router()
    router.get("/")(lambda _: Response.text(name))
    router.get("/live")(lambda _: Response(200, LiveStream()))

    @router.post("/")
    def repeat(request: Request) -> Response:
        return Response(200, request.content)

    return router


class Running(ServerThread):
    """A server in a thread other than the main one, with timeouts that never expire."""

    def __init__(self, name: str = "a server") -> None:
        super().__init__(routes(name), PATIENT)


def idle(running: ServerThread) -> ClientConnection:
    client = running.connect()
    assert client.get("/").status == 200
    return client


def begin_upload(running: ServerThread) -> ClientConnection:
    client = running.connect()
    client.send_head("POST", "/", "Content-Length: 5", "Expect: 100-continue")
    assert client.answer().status == 100
    return client


def begin_stream(running: ServerThread) -> ClientConnection:
    client = running.connect()
    client.send_head("GET", "/live")
    assert client.read_head().startswith(b"HTTP/1.1 200 ")
    return client


def test_stop_from_another_thread_closes_idle_connections() -> None:
    with Running() as running:
        client = idle(running)
        running.server.stop()
        client.assert_closed()
        running.assert_ends()
        with pytest.raises(ConnectionRefusedError):
            running.connect()


def test_stop_waits_for_responses_in_flight() -> None:
    with Running() as running:
        client, upload = idle(running), begin_upload(running)
        running.server.stop()
        client.assert_closed()  # so the stop was processed
        assert running.running
        upload.send(b"hello")
        answer = upload.answer()
        assert (answer.content, answer.headers["connection"]) == (b"hello", "close")
        running.assert_ends()


@pytest.mark.parametrize("begin", [begin_upload, begin_stream])
def test_a_second_stop_ends_at_once(
    begin: Callable[[ServerThread], ClientConnection],
) -> None:
    with Running() as running:
        begin(running)
        running.server.stop()
        running.server.stop()
        running.assert_ends()


def test_stop_before_run_ends_it_with_a_waiting_client() -> None:
    with Server(routes(), port=0, settings=PATIENT) as server, ClientConnection(server.address[1]):
        server.stop()
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


@pytest.mark.system
def test_stop_before_run_ends_it_in_the_main_thread() -> None:
    program = (
        "from reactor.routing import Router; from reactor.server.server import Server\n"
        "with Server(Router(), port=0) as server: server.stop(); server.run(); print('ended')"
    )
    done = run_command(sys.executable, "-c", program)
    assert (done.returncode, done.stdout) == (0, "ended\n")


def test_stop_after_the_end_has_no_effect() -> None:
    with Running() as running:
        running.server.stop()
        running.assert_ends()
        running.server.stop()
        running.server.close()
        running.server.stop()


def test_a_server_that_never_runs_leaves_nothing_open() -> None:
    with no_descriptor_leaks():
        Server(routes(), port=0).close()
        with Server(routes(), port=0) as server:
            server.stop()


def test_two_servers_in_one_process_are_independent() -> None:
    with Running("one") as one, Running("two") as two:
        first, second = idle(one), idle(two)
        assert (first.get("/").content, second.get("/").content) == (b"one", b"two")
        one.server.stop()
        one.assert_ends()
        first.assert_closed()
        assert second.get("/").content == b"two"
        assert idle(two).get("/").content == b"two"


@pytest.mark.system
def test_two_servers_run_in_two_threads() -> None:
    program = """
import signal, sys, threading, urllib.request
from reactor.routing import Router
from reactor.http11.message import Response
from reactor.server.server import Server

def routes(name):
    router = Router()
    router.get("/")(lambda _: Response(200, name))
    return router

def ask():
    for server in (main, other):
        print(urllib.request.urlopen(server.url, timeout=20).read())
    other.stop()
    thread.join(20)
    signal.raise_signal(signal.SIGTERM)

with Server(routes(b"main"), port=0) as main, Server(routes(b"extra"), port=0) as other:
    thread = threading.Thread(target=other.run)
    asking = threading.Thread(target=ask)
    main.run(on_ready=lambda: (thread.start(), asking.start()))
    asking.join(20)
    print(thread.is_alive(), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    done = run_command(sys.executable, "-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'main'\nb'extra'\nFalse True\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_format": "xx"}, "invalid log_format: 'xx' (choose from combined, json)"),
        ({"log_format": "xx", "access_log": sys.stdout}, "invalid log_format: 'xx'"),
        ({"access_log": "access.log"}, "invalid access_log: 'access.log' (must be a text stream)"),
        ({"port": 65536}, "invalid port: 65536 (must be a number from 0 to 65535)"),
        ({"port": -1}, "invalid port: -1"),
        ({"port": "8000"}, "invalid port: '8000'"),
        ({"host": ""}, "invalid host: '' (examples: 127.0.0.1, 0.0.0.0, ::)"),
        ({"host": None}, "invalid host: None"),
        ({"settings": {"max_body": 5}}, "invalid settings: {'max_body': 5} (must be a Settings)"),
        ({"default_headers": {"X-A": "1"}}, "invalid default_headers: {'X-A': '1'} (must be (name, value) "),
        ({"default_headers": ("X-A", "1")}, "invalid default_headers: "),
        ({"routes": None}, "invalid routes: None (must be a Router)"),
        ({"prefix": "//a"}, "invalid prefix: '//a'"),
        ({"trusted_proxies": ["x"]}, "invalid proxy: 'x'"),
        ({"proxy_protocol": True}, "proxy_protocol has no effect without trusted_proxies"),
    ],
    ids=str,
)
def test_an_invalid_argument_is_named_and_leaves_nothing_open(
    arguments: dict[str, Any], message: str
) -> None:
    with no_descriptor_leaks(), pytest.raises(ValueError, match=re.escape(message)):
        Server(**{"routes": Router(), "port": 0, **arguments})


def test_a_port_in_use_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with no_descriptor_leaks(), pytest.raises(StartError, match="cannot listen"):
            Server(routes(), port=port, access_log=io.StringIO())
