"""A real server for a test, on a free port, in a thread."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TextIO, TypedDict, Unpack

from reactor.allowed_hosts import AllowedHosts
from reactor.http11.message import HeaderPairs
from reactor.routing import Router
from reactor.server.listen import Listener
from reactor.server.server import Instrumentation, Server
from reactor.settings import Settings


class ServerOptions(TypedDict, total=False):
    """The parameters of ``Server`` that a test may use."""

    host: str
    settings: Settings | None
    access_log: TextIO | None
    log_format: str
    default_headers: HeaderPairs
    instrumentation: Instrumentation | None
    on_reload: Callable[[], None] | None
    allowed_hosts: AllowedHosts | Iterable[str] | None
    threads: int
    on_stop: Callable[[Server], None] | None
    listeners: Sequence[Listener]
    on_stopping: Callable[[], None] | None


@contextmanager
def running(
    routes: Router, on_ready: Callable[[Server], None] = lambda server: None, **options: Unpack[ServerOptions]
) -> Iterator[str]:
    """Run a server during a ``with`` statement, which gets its URL; then stop it gracefully.

    ``on_ready`` is called with the server, in its thread. Raise StartError if the server cannot listen, and
    what ``on_ready`` or the loop raises.
    """
    ready = Event()
    server = Server(routes, port=0, **options)

    def run() -> None:
        def report_ready() -> None:
            on_ready(server)
            ready.set()

        with server:
            server.run(report_ready)

    with ThreadPoolExecutor(1, "reactor-server") as thread:
        run_ended = thread.submit(run)
        run_ended.add_done_callback(lambda _: ready.set())
        try:
            ready.wait()
            if not run_ended.done():
                yield server.url
        finally:
            server.stop()
        run_ended.result()
