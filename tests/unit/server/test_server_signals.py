"""What a server in the main thread does on each signal."""

import logging
import signal
from collections.abc import Callable

import pytest

from reactor.http11.message import Response
from reactor.routing import Router
from reactor.server import server as server_module
from reactor.server.server import Server
from reactor.settings import Settings
from tests.support.process import ClientConnection

pytestmark = pytest.mark.usefixtures("no_ignored_signals")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def run(
    numbers: tuple[signal.Signals, ...],
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool = False,
    on_reload: Callable[[], None] | None = None,
) -> None:
    """Run a server that receives these signals as soon as it serves; it must end, and restore handlers."""
    monkeypatch.setattr(server_module, "has_controlling_terminal", lambda: terminal)
    before = [signal.getsignal(number) for number in SIGNALS]

    def receive() -> None:
        for number in numbers:
            signal.raise_signal(number)

    with Server(Router(), port=0, on_reload=on_reload) as server:
        server.run(receive)
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "reactor")
    return caplog


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_run(
    number: signal.Signals, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run((number,), monkeypatch)
    assert logged.messages == [f"{number.name}: stopping"]


def test_sigusr1_logs_every_connection(
    logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = Router()
    settings = Settings(linger_timeout=0.1)
    with Server(routes, port=0, settings=settings) as server, ClientConnection(server.address[1]) as client:

        @routes.get("/")
        def interrupt(request: object) -> Response:
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGTERM)
            return Response(200)

        client.send_head("GET", "/")
        server.run()
        assert client.answer().status == 200
    assert logged.messages[0] == "open connections: 1"
    assert logged.messages[1].startswith("c1 127.0.0.1 fd ")


def test_sighup_without_a_terminal_reloads(
    logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    reloaded: list[int] = []
    run((signal.SIGHUP, signal.SIGTERM), monkeypatch, on_reload=lambda: reloaded.append(1))
    assert reloaded == [1]
    run((signal.SIGHUP, signal.SIGTERM), monkeypatch)
    assert "SIGHUP: nothing to reload" in logged.messages


def test_sighup_of_a_terminal_stops(
    logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run((signal.SIGHUP, signal.SIGHUP), monkeypatch, terminal=True)
    assert logged.messages == ["SIGHUP (the process was started from a terminal): stopping"]
