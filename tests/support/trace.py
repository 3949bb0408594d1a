"""Runs for a trace: a server in the same thread as the test, and all kinds of clients."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from reactor import handlers
from reactor.handlers.files.store import Store
from reactor.http11.deferred import Deferred
from reactor.http11.message import LiveStream, Request, Response
from reactor.observe.events import Event, EventCallback
from reactor.observe.trace import LIMIT, Trace
from tests.support.in_process import Clock, Harness
from tests.support.process import head
from tests.support.requests import shrink_buffers

GET = head("GET", "/echo/hi")
PROXY = "192.0.2.99"  # whose connections begin with a PROXY header


class Ticking(Clock):
    """A clock that advances each time it is read."""

    def __call__(self) -> float:
        """Return the time, different at each call."""
        self.now += 1.7e-6
        return self.now


class Site(Harness):
    """A harness with the built-in routes, files, and what fails, streams or keeps its client waiting."""

    def __init__(self, store: Store, subscribers: Sequence[EventCallback]) -> None:
        self.log = io.StringIO()
        self.stream = LiveStream()
        routes = handlers.build(store)

        @routes.get("/fails")
        def fails(request: Request) -> Response:
            raise RuntimeError("on purpose")

        self.deferred = Deferred()
        routes.get("/later")(lambda request: self.deferred)

        @routes.get("/live")
        def live(request: Request) -> Response:
            return Response(200, self.stream)

        super().__init__(
            routes,
            access_log=self.log,
            subscribers=subscribers,
            trusted_proxies=[PROXY],
            proxy_protocol=True,
        )


@contextmanager
def site(
    tmp_path: Path, clock: type[Clock] = Ticking, subscribers: Sequence[EventCallback] = ()
) -> Iterator[Site]:
    """Open a directory with a large file, and serve it."""
    (tmp_path / "shared").mkdir(exist_ok=True)
    (tmp_path / "shared" / "large").write_bytes(b"0123456789abcdef" * 60_000)
    store = Store(str(tmp_path / "shared"))
    try:
        with patch("tests.support.in_process.Clock", clock), Site(store, subscribers) as server:
            yield server
        assert server.context.access_log is not None
        server.context.access_log.flush()  # each turn flushes, but no turn follows the last one
    finally:
        store.close()


@contextmanager
def traced(tmp_path: Path, clock: type[Clock] = Ticking, limit: int = LIMIT) -> Iterator[Site]:
    """Serve with a trace in ``tmp_path / "trace"``."""
    trace = Trace(str(tmp_path / "trace"), limit)
    with site(tmp_path, clock, [trace]) as server:
        yield server
    trace.close()


def mixed_run(server: Site) -> None:
    """Let all kinds of clients come: quick, slow, wrong, late and gone."""
    client = server.connect()
    client.send(GET)
    client.send(GET * 5 + head("GET", "/echo/" + "a" * 200, "Accept-Encoding: gzip"))
    client.send(head("GET", "/nothing") + head("PATCH", "/") + head("GET", "/fails"))
    client.send(head("GET", "/files/large"))
    client.responses()
    upload(server)
    slow_reader(server)
    server.connect().send(GET * 70)  # more than one turn's share
    server.connect().send(b"BAD\r\n\r\n")
    server.connect(PROXY).send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + GET)
    server.connect().send(b"GET /half")
    server.connect().send(head("POST", "/files/late", "Content-Length: 9") + b"abc")
    gone = server.connect()
    gone.send(head("POST", "/files/gone", "Content-Length: 9") + b"abc")
    gone.close()
    live = server.connect()
    live.send(head("GET", "/live"))
    server.stream.send(b"news")
    later = server.connect()
    later.send(head("GET", "/later"))
    server.deferred.resolve(Response.text("late"))
    later.assert_responds()
    server.run()
    for _ in range(3):
        server.clock.advance(21)
    server.connect().send(GET)


def upload(server: Site) -> None:
    """Upload a file with Expect: 100-continue."""
    client = server.connect()
    client.send(head("POST", "/files/new", "Expect: 100-continue", "Content-Length: 6"))
    client.send(b"abc")
    client.send(b"def")
    assert [answer.status for answer in client.responses("POST")] == [100, 201]


def slow_reader(server: Site) -> None:
    """Request more than the kernel takes at once, and read it late."""
    client = server.connect()
    shrink_buffers(client)
    client.send(head("GET", "/files/large") + GET)
    client.responses()


def one_by_one(trace: Trace) -> EventCallback:
    """Make a reader that passes events to a trace one by one, as when the loop is held."""

    def read(events: list[Event]) -> None:
        for event in events:
            trace([event])

    return read
