"""The worker's side: one process of several, with its number, its listening sockets and its channel.

A worker runs the same server as a single process. What differs:

    Connections    worker 1 of 3 numbers them 1, 4, 7, ..., so that no two workers use the same number
    Signals        SIGTERM, SIGINT (and SIGHUP, if the terminal was closed) are reported to the supervisor,
                   once: they may have been sent to the whole process group, or to this worker alone
    Accept queue   drained only if all workers stop; otherwise the others take the connections in it
    Supervisor     if it has ended, so that the channel is closed, the worker stops gracefully
"""

import itertools
import logging
import socket
from collections.abc import Callable, Iterator, Sequence

from reactor.http11.body import JSONValue
from reactor.observe.metrics import MetricFamily
from reactor.server.context import ServerState
from reactor.server.listen import Listener
from reactor.server.server import STOP, Server
from reactor.workers.balance import ConnectionCounts
from reactor.workers.channel import Channel, Kind, pack
from reactor.workers.metrics import decode, encode

log = logging.getLogger("reactor")

MAX_TEXT = 1 << 15  # characters of an error that are sent to the supervisor

# Returns the metrics of a server.
Measure = Callable[[Server], list[MetricFamily]]
# Gets the metrics of all workers.
OnCollected = Callable[[list[MetricFamily]], None]


class Worker:
    """This process: worker ``number`` of ``count``, which replaces ``restarts`` earlier ones.

    ``alive_every`` is the interval in seconds at which it reports that its loop runs; 0: never.
    """

    def __init__(
        self,
        number: int,
        count: int,
        restarts: int,
        sock: socket.socket,
        listeners: Sequence[Listener],
        counts: ConnectionCounts,
        alive_every: float = 0.0,
    ) -> None:
        self.number = number
        self.count = count
        self.restarts = restarts
        self.listeners = listeners
        self.connection_numbers: Iterator[int] = itertools.count(number, count)
        self._measure: Measure | None = None
        self._sock = sock
        self._counts = counts
        self._alive_every = alive_every
        self._outlive = [each.outlives_process for each in listeners]
        for each in listeners:
            each.outlives_process = True
        self._channel: Channel | None = None
        self._server: Server | None = None
        self._on_started: Callable[[], None] = lambda: None
        self._collecting: list[OnCollected] = []
        self._leaving = self._all_stop = False

    @property
    def is_first(self) -> bool:
        """Whether the inspector, --explain and --trace observe this worker."""
        return self.number == 1

    def report_ready(self, server: Server, lines: Sequence[str], on_started: Callable[[], None]) -> None:
        """Report that the server serves, with its start lines; call this in ``on_ready``.

        ``on_started`` is called in the first worker when all workers are ready for the first time.
        """
        self._server = server
        self._on_started = on_started
        self._channel = Channel(self._sock, server.run_loop, self._on_message, self._on_end)
        self._channel.send(Kind.READY, list(lines))
        server.reactor.at_turn_end(self._count_connections)
        if self._alive_every:
            server.every(self._alive_every, self._channel.send, Kind.ALIVE)

    def report_failure(self, message: str, details: str = "") -> None:
        """Report that the server cannot start, or print it if the supervisor has ended."""
        try:
            self._sock.sendall(pack(Kind.FAILED, [message, details[-MAX_TEXT:]]))
        except OSError:
            log.error("%s", message)

    def keep_signal(self, number: int) -> bool:
        """Return whether the server is to handle a signal; report one that stops it to the supervisor."""
        server = self._server
        if number == STOP or server is None or not server.stops_on(number):
            return True
        if not self._leaving and self._channel is not None:
            self._leaving = True
            self._channel.send(Kind.LEAVING)
        return False

    def is_ready(self) -> bool:
        """Return whether the workers serve, also if this one stops alone."""
        return not self._all_stop

    def is_ahead(self, connections: int) -> bool:
        """Note the number of open connections; return whether another worker has clearly fewer."""
        return self._counts.is_ahead(self.number, connections)

    def _count_connections(self) -> None:
        server = self._server
        if server is not None and server.context.state is ServerState.RUNNING:
            self._counts.set(self.number, server.context.occupied)
        else:
            self._counts.remove(self.number)

    def measure_with(self, measure: Measure) -> None:
        """Set the function that returns the metrics of this worker."""
        self._measure = measure

    def collect(self, on_collected: OnCollected) -> None:
        """Call a function with the metrics of all workers, within a second or two."""
        self._collecting.append(on_collected)
        if len(self._collecting) == 1 and self._channel is not None:
            self._channel.send(Kind.COLLECT)

    # Messages.

    def _on_message(self, kind: Kind, value: JSONValue) -> None:
        server, channel = self._server, self._channel
        assert server is not None
        assert channel is not None
        if kind is Kind.STARTED:
            self._on_started()
        elif kind is Kind.STOP:
            self._stop_with_others(server)
        elif kind is Kind.LEAVE:
            self._stop(server)
        elif kind is Kind.STOP_NOW:
            self._all_stop = True
            self._stop(server)
            server.stop()
        elif kind is Kind.RELOAD:
            server.call_soon(server.reload)
        elif kind is Kind.LOG_CONNECTIONS:
            server.log_connections()
        elif kind is Kind.MEASURE and self._measure is not None:
            if not channel.send(Kind.MEASURED, encode(self._measure(server))):
                channel.send(Kind.MEASURED, [])  # too long
        elif kind is Kind.COLLECTED:
            waiting, self._collecting = self._collecting, []
            families = decode(value)
            for each in waiting:
                each(families)

    def _on_end(self) -> None:
        """Stop: the supervisor has ended, and nothing else would stop this process."""
        assert self._server is not None
        if self._server.context.state is ServerState.RUNNING:
            log.error("the supervisor has ended; stopping")
        self._stop_with_others(self._server)

    def _stop_with_others(self, server: Server) -> None:
        self._all_stop = True
        for each, outlives in zip(self.listeners, self._outlive, strict=True):
            each.outlives_process = outlives
        self._stop(server)

    def _stop(self, server: Server) -> None:
        """Stop gracefully; does nothing if the server is stopping already."""
        if server.context.state is ServerState.RUNNING:
            server.stop()
