"""A server of the library that runs in a thread of its own: ``with ServerThread(routes) as running``."""

import threading
from collections.abc import Callable

from reactor.routing import Router
from reactor.server.server import Server
from reactor.server.worker_pool import THREADS
from reactor.settings import Settings
from tests.support.process import TIMEOUT, ClientConnection


class ServerThread:
    """Runs a server until the end of the ``with``, which stops it at once."""

    def __init__(self, routes: Router, settings: Settings | None = None, threads: int = THREADS) -> None:
        self.server = Server(routes, port=0, settings=settings, threads=threads)
        self.thread = threading.Thread(target=self.server.run, args=(self._note_ready,), daemon=True)
        self._ready = threading.Event()
        self._connections: list[ClientConnection] = []

    def __enter__(self) -> "ServerThread":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        for client in self._connections:
            client.close()
        self.server.stop()
        self.server.stop()
        self.assert_ends()
        self.server.close()

    def _note_ready(self) -> None:
        self._ready.set()

    def start(self) -> None:
        """Start the thread, and wait until the server serves."""
        self.thread.start()
        assert self._ready.wait(TIMEOUT)

    @property
    def running(self) -> bool:
        """True until ``run`` has returned."""
        return self.thread.is_alive()

    def connect(self) -> ClientConnection:
        """Make a connection, which is closed at the end."""
        self._connections.append(ClientConnection(self.server.address[1]))
        return self._connections[-1]

    def call(self, function: Callable[[], object]) -> object:
        """Call a function in the loop, and wait for what it returns."""
        results: list[object] = []
        done = threading.Event()

        def call() -> None:
            results.append(function())
            done.set()

        self.server.call_soon(call)
        assert done.wait(TIMEOUT)
        return results[0]

    def assert_ends(self) -> None:
        """Wait for the end of the thread."""
        self.thread.join(TIMEOUT)
        assert not self.running, "run() has not returned"
