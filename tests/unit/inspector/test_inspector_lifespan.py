"""The lifespan of the inspector, from its listening socket to close(), also if the server cannot start."""

import gc
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from reactor.inspector.inspector import inspected
from reactor.loop import LONG_CALLBACK
from reactor.routing import Router
from reactor.server.listen import StartError
from reactor.server.server import Server
from tests.support.command import run_main
from tests.unit.handlers.files.shared import no_descriptor_leaks
from tests.unit.inspector.in_process import InProcess


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


@pytest.fixture(autouse=True)
def no_garbage() -> Iterator[None]:
    """Disable the garbage collector during a test: it would close leaked sockets."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_the_address_is_known_before_the_server_starts() -> None:
    with closing(inspected([], port=0)) as inspector:
        assert inspector.description == f"inspector on {inspector.url}"
        port = int(inspector.url.rstrip("/").rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_on_all_addresses_the_url_is_the_one_for_this_machine(host: str, shown: str) -> None:
    with closing(inspected([], host, port=0)) as inspector:
        assert inspector.url.startswith(f"http://{shown}:")


def test_an_address_in_use_leaves_nothing_open(taken_port: int) -> None:
    with no_descriptor_leaks(), pytest.raises(StartError, match="cannot listen"):
        inspected([], port=taken_port)


def test_an_inspector_without_a_server_leaves_nothing_open() -> None:
    with no_descriptor_leaks():
        inspector = inspected([], port=0)
        inspector.close()
        inspector.close()


def test_a_server_closes_its_inspector() -> None:
    with no_descriptor_leaks():
        inspector = inspected([], port=0)
        with Server(Router(), port=0, instrumentation=inspector):
            pass
        inspector.close()


def test_a_command_that_cannot_start_closes_its_inspector(taken_port: int) -> None:
    run_main("--port", str(taken_port))  # open what the first run opens once per process
    with no_descriptor_leaks():
        done = run_main("--port", str(taken_port), "--inspect", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"port {taken_port}: Address already in use" in done.stderr


def test_a_paused_server_is_closed_with_its_connections() -> None:
    inspector = inspected([], port=0)
    with Server(Router(), port=0, instrumentation=inspector) as server:
        with socket.create_connection(server.address) as client:
            while not server.context.connections:
                inspector.run_loop.turn()
            inspector.control.set_breakpoints(["CLOSED"], slow=True)
            inspector.control.pause()
            inspector.run_loop.turn(may_sleep=False)
            server.close()
            assert client.recv(1) == b""
        assert inspector.control.mode == "running"


def test_the_slow_turn_setting_does_not_apply_to_the_inspector() -> None:
    inspector = inspected([], port=0)
    with Server(Router(), port=0, instrumentation=inspector) as server:
        assert server.reactor._update_now_after == server.context.settings.slow_turn
        assert inspector.run_loop._update_now_after == LONG_CALLBACK


def test_the_first_frame_after_a_command_has_the_position() -> None:
    with InProcess() as site:
        page = site.open_page()
        site.post("/control", {"do": "pause"})
        paused = [frame for frame in site.frames(page) if frame["mode"] == "paused"]
        assert paused[0]["at"]["step"] == "turn"
        assert paused[0]["clock"] == paused[-1]["clock"]
