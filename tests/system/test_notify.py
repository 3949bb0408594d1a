"""Notifications to systemd, by real processes; the test is the service manager."""

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import TIMEOUT, ServerProcess

MICROSECONDS = "100000"  # of the watchdog


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.bind(str(tmp_path / "notify"))
        yield sock


def variables(manager: socket.socket, **extra: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.getsockname(), **extra}


def names(manager: socket.socket) -> list[str]:
    """Return the names in the next datagram."""
    return [line.partition("=")[0] for line in manager.recv(4096).decode().splitlines()]


def next_of(manager: socket.socket, name: str) -> list[str]:
    """Wait for a datagram that begins with a name, and return its lines."""
    while True:
        lines = manager.recv(4096).decode().splitlines()
        if lines[0].startswith(name + "="):
            return lines


def test_a_service_is_ready_reloaded_and_stopped(tmp_path: Path, manager: socket.socket) -> None:
    password = tmp_path / "password"
    password.write_text("user:password")
    options = ("--auth", f"@{password}", "--shutdown-delay", "3600")
    launcher = ("setsid",)  # without a terminal, SIGHUP reloads
    with ServerProcess(*options, launcher=launcher, extra=variables(manager)) as server:
        assert manager.recv(4096) == b"READY=1\nSTATUS=serving"
        server.send_signal(signal.SIGHUP)
        assert names(manager) == ["RELOADING", "MONOTONIC_USEC"]
        assert names(manager) == ["READY", "STATUS"]
        server.terminate()
        assert manager.recv(4096) == b"STOPPING=1\nSTATUS=stopping"
        assert server.get("/", "Authorization: Basic dXNlcjpwYXNzd29yZA==").headers["connection"] == "close"
        server.terminate()
        assert server.exit_code() == 0
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_the_server_starts_without_the_manager(tmp_path: Path) -> None:
    with ServerProcess(extra={"NOTIFY_SOCKET": str(tmp_path / "missing")}) as server:
        assert server.get("/").status == 200


# A handler blocks the loop for several timeouts; what it sends itself shows when.
PROGRAM = """
import socket, time
from reactor import Router
from reactor.cli import main

def block(request):
    notifier = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notifier.sendto(b"X_BLOCKED=1", {address!r})
    time.sleep(0.5)
    notifier.sendto(b"X_CONTINUED=1", {address!r})
    notifier.close()
    return "done"

make_router = main.access_options.make_router

def with_block(options):
    routes = make_router(options)
    routes.get("/block")(block)
    return routes

main.access_options.make_router = with_block
main.main(["--port", "0", "--slow-turn", "5"])
"""


def test_the_watchdog_is_silent_while_a_handler_blocks(manager: socket.socket) -> None:
    program = PROGRAM.format(address=manager.getsockname())
    extra = variables(manager, WATCHDOG_USEC=MICROSECONDS)
    with ServerProcess(command=("-c", program), extra=extra) as server:
        assert next_of(manager, "READY")
        assert next_of(manager, "WATCHDOG") == ["WATCHDOG=1"]
        assert manager.recv(4096) == b"STATUS=serving; open connections: 0"
        asking = threading.Thread(target=server.get, args=("/block",), daemon=True)
        asking.start()
        assert next_of(manager, "X_BLOCKED")
        assert names(manager) == ["X_CONTINUED"]
        assert next_of(manager, "WATCHDOG") == ["WATCHDOG=1"]
        asking.join(TIMEOUT)
        server.terminate()
        assert next_of(manager, "STOPPING") == ["STOPPING=1", "STATUS=stopping"]
        assert server.exit_code() == 0
