"""Notifications to the service manager: the datagrams, and when they are sent."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reactor.loop import Reactor
from reactor.server.notify import STATUS_INTERVAL, Notifier, report_regularly
from reactor.timer import Timer
from tests.support.in_process import Clock

PID = 42
WATCHDOG = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}


class Manager:
    """A service manager: a socket that receives notifications."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(address.replace("@", "\0"))
        self.environment = {"NOTIFY_SOCKET": address}

    def received(self) -> list[str]:
        """Return all notifications since the last call."""
        received = []
        try:
            while True:
                received.append(self.sock.recv(4096).decode())
        except BlockingIOError:
            return received


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    one = Manager(f"@reactor {os.getpid()}" if request.param == "abstract" else str(tmp_path / "n"))
    with one.sock:
        yield one


@pytest.fixture
def notifier(manager: Manager) -> Iterator[Notifier]:
    one = Notifier({**manager.environment, **WATCHDOG}, lambda: 1_234_567_891, PID)
    yield one
    one.close()


# Datagrams.


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Notifier.ready, ["READY=1\nSTATUS=serving"]),
        (lambda one: one.ready("a\nMAINPID=1"), ["READY=1\nSTATUS=a MAINPID=1"]),
        (Notifier.stopping, ["STOPPING=1\nSTATUS=stopping"]),
        (Notifier.reloading, ["RELOADING=1\nMONOTONIC_USEC=1234567"]),
        (Notifier.watchdog, ["WATCHDOG=1"]),
        (lambda one: one.status("é\n\udcff"), ["STATUS=é ?"]),
        (
            lambda one: one.reload(one.watchdog),
            ["RELOADING=1\nMONOTONIC_USEC=1234567", "WATCHDOG=1", "READY=1\nSTATUS=serving"],
        ),
    ],
)
def test_each_call_sends_datagrams(
    call: Callable[[Notifier], None], expected: list[str], notifier: Notifier, manager: Manager
) -> None:
    call(notifier)
    assert manager.received() == expected


def test_a_failed_reload_ends_too(notifier: Notifier, manager: Manager) -> None:
    def fail() -> None:
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        notifier.reload(fail)
    assert [each.partition("=")[0] for each in manager.received()] == ["RELOADING", "READY"]


def test_the_clock_is_that_of_the_system(manager: Manager) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    notifier = Notifier(manager.environment)
    notifier.reloading()
    notifier.close()
    (text,) = manager.received()
    microseconds = int(text.rpartition("=")[2])
    assert before // 1000 <= microseconds <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_without_a_service_manager_nothing_happens() -> None:
    notifier = Notifier(WATCHDOG)
    assert not notifier.active
    assert notifier.watchdog_timeout == 0
    notifier.ready()
    assert report_regularly(notifier, Reactor(), str) is None


def test_a_full_or_closed_socket_of_the_manager_is_ignored(notifier: Notifier, manager: Manager) -> None:
    for _ in range(1000):
        notifier.watchdog()
    assert 0 < len(manager.received()) < 1000
    manager.sock.close()
    notifier.watchdog()
    notifier.close()
    notifier.watchdog()
    assert not notifier.active


@pytest.mark.parametrize("address", ["notify", "vsock:2:1", "/" + "x" * 200, "/missing/notify"])
def test_an_invalid_address_is_ignored(address: str, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready()
    notifier.close()
    relative = address[0] != "/"
    assert (f"invalid NOTIFY_SOCKET: {address!r} (a path or @NAME)" in caplog.text) is relative


# The watchdog.


@pytest.mark.parametrize(
    ("variables", "timeout"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "2500000"}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "42"}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "43"}, 0),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": "x"}, 0),
        ({"WATCHDOG_PID": "42"}, 0),
        ({"WATCHDOG_USEC": "0"}, 0),
        ({"WATCHDOG_USEC": "-5"}, 0),
        ({"WATCHDOG_USEC": "9999"}, 0),
        ({"WATCHDOG_USEC": "10000"}, 0.01),
        ({"WATCHDOG_USEC": "9" * 5000}, 0),
        ({"WATCHDOG_USEC": "٣"}, 0),
    ],
)
def test_the_watchdog_timeout_is_that_of_this_process(
    variables: dict[str, str], timeout: float, manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier({**manager.environment, **variables}, pid=PID)
    notifier.close()
    assert notifier.watchdog_timeout == timeout
    is_invalid = "WATCHDOG_USEC" in variables and not timeout and "WATCHDOG_PID" not in variables
    assert ("watchdog disabled: invalid WATCHDOG_USEC" in caplog.text) is is_invalid


def make_reactor() -> tuple[Reactor, Clock]:
    clock = Clock()
    return Reactor(clock=clock), clock


def advance(reactor: Reactor, clock: Clock, seconds: float) -> None:
    clock.now += seconds
    for _ in range(3):
        reactor.turn(may_sleep=False)


def test_the_watchdog_is_notified_twice_per_timeout(notifier: Notifier, manager: Manager) -> None:
    reactor, clock = make_reactor()
    timer = report_regularly(notifier, reactor, lambda: f"at {clock.now - start:g}")
    assert timer is not None
    start = clock.now
    for seconds, expected in (
        (14.5, []),
        (0.5, ["WATCHDOG=1", "STATUS=at 15"]),
        (14, []),
        (1, ["WATCHDOG=1", "STATUS=at 30"]),
    ):
        advance(reactor, clock, seconds)
        assert manager.received() == expected
    timer.cancel()
    advance(reactor, clock, 100)
    assert manager.received() == []
    reactor.close()


def test_without_a_watchdog_the_status_is_renewed(manager: Manager) -> None:
    reactor, clock = make_reactor()
    notifier = Notifier(manager.environment)
    report_regularly(notifier, reactor, lambda: "fine")
    advance(reactor, clock, STATUS_INTERVAL - 0.5)
    assert manager.received() == []
    advance(reactor, clock, 0.5)
    assert manager.received() == ["STATUS=fine"]
    notifier.close()
    reactor.close()


def test_a_blocked_loop_does_not_notify_the_watchdog(notifier: Notifier, manager: Manager) -> None:
    reactor, clock = make_reactor()
    report_regularly(notifier, reactor, lambda: "fine")
    during: list[str] = []

    def block() -> None:
        clock.now += 300
        during.extend(manager.received())

    Timer(reactor, 1, block)
    advance(reactor, clock, 1)
    assert during == []
    assert manager.received() == ["WATCHDOG=1", "STATUS=fine"]
    advance(reactor, clock, 1)
    assert manager.received() == []
    reactor.close()
