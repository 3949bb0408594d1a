"""The timers of a server, and its start and stop hooks."""

import threading
from collections.abc import Callable, Iterator
from math import inf, nan

import pytest

from reactor import Request, Router, Server, Timer, serve
from reactor.server.context import ServerState
from tests.support.in_process import Clock, EagerSelector
from tests.support.process import TIMEOUT
from tests.support.running import ServerThread


class Site:
    """A server whose turns are taken by the test."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.calls: list[object] = []
        self.server = Server(Router(), port=0, selector=EagerSelector(), clock=self.clock)

    def note(self, *arguments: object) -> None:
        self.calls.append((self.clock.now - 1000.0, *arguments))

    def advance(self, *seconds: float) -> None:
        for each in seconds:
            self.clock.now += each
            self.server.reactor.turn()


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    with one.server:
        yield one


def test_a_function_is_called_after_some_seconds_with_its_arguments(site: Site) -> None:
    timer = site.server.after(5, site.note, "a", 1)
    assert isinstance(timer, Timer)
    site.advance(4.9, 0.1, 10)
    assert site.calls == [(5.0, "a", 1)]


def test_a_function_is_called_every_few_seconds_until_it_is_cancelled(site: Site) -> None:
    timer = site.server.every(5, site.note, "a")
    site.advance(5, 12, 3)
    timer.cancel()
    site.advance(5, 5)
    timer.cancel()
    assert site.calls == [(5.0, "a"), (17.0, "a"), (20.0, "a")]


def test_before_run_the_time_is_counted_from_the_call(site: Site) -> None:
    site.clock.now += 100  # no turn: the application starts slowly
    site.server.after(5, site.note)
    site.advance(0, 4.9)
    assert site.calls == []
    site.advance(0.1)
    assert site.calls == [(105.0,)]


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("after", -1),
        ("after", nan),
        ("after", inf),
        ("every", 0),
        ("every", -1),
        ("every", nan),
        ("every", inf),
    ],
)
def test_invalid_times_are_refused(site: Site, name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^invalid (delay|interval): .* \(expected seconds, "):
        getattr(site.server, name)(seconds, site.note)
    site.advance(10)
    assert site.calls == []


def test_a_closed_server_has_no_timers() -> None:
    site = Site()
    with site.server:
        site.server.every(1, site.note)
    for name in ("after", "every"):
        with pytest.raises(RuntimeError, match=rf"^Server.{name}\(\) called after Server.close\(\)$"):
            getattr(site.server, name)(1, site.note)
    assert site.calls == []


@pytest.mark.parametrize("name", ["after", "every", "cancel"])
def test_other_threads_get_an_error(name: str) -> None:
    with ServerThread(Router()) as running:
        timers: list[Timer] = []
        running.call(lambda: timers.append(running.server.every(3600, list)))
        with pytest.raises(
            RuntimeError, match=rf"\.{name}\(\) called from another thread, .*: use Server.call_soon"
        ):
            timers[0].cancel() if name == "cancel" else getattr(running.server, name)(1, list)
        assert timers[0].deadline < inf, "it is cancelled"


def test_a_running_server_calls_a_function_in_its_thread() -> None:
    called = threading.Event()
    threads: list[int] = []

    def function() -> None:
        threads.append(threading.get_ident())
        called.set()

    with ServerThread(Router()) as running:
        running.call(lambda: running.server.after(0, function))
        assert called.wait(TIMEOUT)
        assert threads == [running.thread.ident]


# Hooks.


class Hooks:
    """Records what a server does, and stops it as soon as it serves."""

    def __init__(self, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.events: list[str] = []
        self.threads: set[int] = set()

    def note(self, event: str) -> None:
        self.events.append(event)
        self.threads.add(threading.get_ident())
        if event == self.fails_at:
            raise ValueError(event)

    def on_ready(self, server: Server) -> None:
        self.note("ready")
        server.run_in_thread(self.note, "in a thread")
        server.after(0, server.stop)
        if self.fails_at == "run":
            server.call_soon(self.exit)

    def exit(self) -> None:
        raise SystemExit("run")

    def on_stop(self, server: Server) -> None:
        assert server.context.state is ServerState.STOPPED
        assert not server.context.connections
        assert "in a thread" in self.events or self.fails_at == "ready"
        self.note("stopped")


def run(hooks: Hooks) -> None:
    serve(Router(), port=0, access_log=None, on_ready=hooks.on_ready, on_stop=hooks.on_stop)


def test_the_hooks_are_called_once_before_and_after_serving() -> None:
    hooks = Hooks()
    run(hooks)
    assert hooks.events == ["ready", "in a thread", "stopped"]


@pytest.mark.parametrize(
    ("fails_at", "events", "error"),
    [
        ("ready", ["ready", "stopped"], ValueError),
        ("run", ["ready", "in a thread", "stopped"], SystemExit),
        ("stopped", ["ready", "in a thread", "stopped"], ValueError),
    ],
)
def test_an_exception_ends_serve_after_the_server_is_closed(
    fails_at: str, events: list[str], error: type[BaseException]
) -> None:
    hooks = Hooks(fails_at)
    servers: list[Server] = []
    on_ready = hooks.on_ready

    def note_server(server: Server) -> None:
        servers.append(server)
        on_ready(server)

    hooks.on_ready = note_server  # type: ignore[method-assign]
    with pytest.raises(error, match=f"^{fails_at}$"):
        run(hooks)
    assert hooks.events == events
    with pytest.raises(RuntimeError, match=r"after Server\.close"):
        servers[0].call_soon(list)


def test_a_server_that_never_ran_does_not_call_the_stop_hook() -> None:
    hooks = Hooks()
    with Server(Router(), port=0, on_stop=hooks.on_stop):
        pass
    assert hooks.events == []


def test_closing_twice_calls_the_stop_hook_once() -> None:
    calls: list[Server] = []
    server = Server(Router(), port=0, on_stop=calls.append)
    server.stop()
    server.run()
    assert calls == []
    server.close()
    server.close()
    assert calls == [server]


def test_the_stop_hook_may_close_the_server() -> None:
    calls: list[Server] = []

    def on_stop(server: Server) -> None:
        calls.append(server)
        server.close()

    serve(Router(), port=0, access_log=None, on_ready=Server.stop, on_stop=on_stop)
    assert len(calls) == 1
    with pytest.raises(RuntimeError, match=r"after Server\.close"):
        calls[0].call_soon(list)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_the_number_of_threads_is_checked(threads: int) -> None:
    for make in (Server, serve):
        create: Callable[..., object] = make
        with pytest.raises(
            ValueError, match=f"invalid threads: {threads!r} \\(must be a number, at least 1\\)"
        ):
            create(Router(), port=0, threads=threads)


def test_a_server_has_the_number_of_threads_that_was_asked_for() -> None:
    barrier = threading.Barrier(4, timeout=TIMEOUT)
    with Server(Router(), port=0, threads=3) as server:
        for _ in range(3):
            server.run_in_thread(barrier.wait)
        barrier.wait()  # raises BrokenBarrierError unless all three are running


def test_a_handler_can_start_a_timer() -> None:
    called = threading.Event()
    routes = Router()

    @routes.get("/")
    def root(request: Request) -> str:
        running.server.after(0, called.set)
        return "started"

    with ServerThread(routes) as running:
        client = running.connect()
        client.send_head("GET", "/")
        client.read_head()
        assert called.wait(TIMEOUT)
