"""The server under simulation: all of it is real except the layer below.

    real         Reactor, Deadlines, Acceptor, Connection, Parser, WriteBuffer, ServerContext, Router,
                 handlers, Store, WorkerPool, Shutdown
    simulated    the selector, the sockets, signals, sendfile, the clocks, threads, and the faults of the file
                 system

Each connection checks its changes of state against the table, and reports them to the world. Besides
the built-in routes there are some for what those do not do: streams, live streams, failures.
"""

import io
import signal
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from reactor import handlers
from reactor.event_handler import DEADLINE, EventHandler, Interest
from reactor.handlers.files.store import Store
from reactor.http11.message import TEXT, LiveStream, Request, Response
from reactor.http11.serializer import ChunkSource
from reactor.logs.access_log import AccessLog
from reactor.loop import Reactor
from reactor.loop_hooks import LoopHooks
from reactor.routing import Router, buffered
from reactor.server.acceptor import DRAIN_TIME, Acceptor
from reactor.server.connection import Connection
from reactor.server.connection_hooks import ConnectionHooks
from reactor.server.context import Abandoned, ServerContext, ServerState
from reactor.server.shutdown import Shutdown
from reactor.server.state import State
from reactor.server.worker_pool import WorkerPool
from reactor.settings import Settings
from tests.simulation.acceptor_rules import AcceptorRules
from tests.simulation.application import PlannedError, add_routes
from tests.simulation.disk import Disk
from tests.simulation.features import MAX_RESUMABLE, Features
from tests.simulation.network import Listener, Network, Signals
from tests.simulation.selector import NOT_REGISTERED, SimulatedSelector
from tests.simulation.sizes import Sizes, shrink_caches
from tests.simulation.world import World

# Where a connection may be closed in favour of another: no answer is in progress.
DISPENSABLE = (State.ACCEPTED, State.IDLE, State.RECEIVING_HEAD, State.DRAINING)
TURN_SHARE = 0.010  # seconds in which the calls of a turn may begin
MAX_IN_MEMORY = 64 * 1024
MAX_BODY = 120_000
MAX_CHUNK_EXTENSIONS = 500  # bytes in one body
# Reasons why a client may fail.
TOO_MANY_BYTES = "more bytes arrived during a suspension than the server reads in a turn"
ABORTED = "the shutdown ended before it was served"
EVICTED = "it was closed at the connection limit"
HALF_CLOSED = "it half-closed before its answer was known"


class SimulatedContext(ServerContext):
    """A server context whose connections report their state changes to the site."""

    site: "Site"

    def forget_result(self, connection: Connection) -> Abandoned:
        """Note that a closed connection no longer counts, which ends the acceptor's pause."""
        before = self.occupied
        abandoned = super().forget_result(connection)
        self.site.has_freed_place |= self.occupied < before
        return abandoned


class SimulatedConnection(Connection):
    """A connection that reports each change of its state."""

    __slots__ = ()

    def __init__(self, context: ServerContext, sock: Any, peer: str) -> None:
        super().__init__(context, sock, peer)
        self._note_change(None, self.state)

    def active_hooks(self) -> ConnectionHooks | None:
        return self

    def on_state_change(self, before: State, after: State) -> None:
        self._note_change(before, after)

    def on_response(self, request: Request, status: int, data: bytes, compressed: int) -> None:
        """Count the responses of a turn, and what was compressed for them."""
        assert isinstance(self._context, SimulatedContext)
        self._context.site.note_response(self, compressed)

    def _note_change(self, before: State | None, after: State) -> None:
        assert isinstance(self._context, SimulatedContext)
        self._context.site.note_change(self, before, after)


class SimulatedReactor(Reactor):
    """A reactor that records which handler it calls."""

    def __init__(self, selector: SimulatedSelector, world: World) -> None:
        super().__init__(selector, world.clock, processor_time=world.clock)
        self._world = world
        self.called: list[tuple[EventHandler, int]] = []  # in this turn, with their readiness
        # Calls of this turn that began after its share, and deadlines after twice its share.
        self.late_calls = self.late_deadlines = 0
        self.before_connection_call: Callable[[Connection], None] = lambda connection: None
        self.before_other_call: Callable[[EventHandler], None] = lambda handler: None

    def turn(self, may_sleep: bool = True) -> None:
        self.called.clear()
        self.late_calls = self.late_deadlines = 0
        super().turn(may_sleep)

    def active_hooks(self) -> LoopHooks | None:
        return self

    def before_call(self, handler: EventHandler, events: int) -> None:
        took = self._world.now - self.began
        if events == DEADLINE:
            self.late_deadlines += took > 2 * TURN_SHARE
            if handler.deadline > self.clock():
                self._world.fail(f"{handler!r} is called before its deadline")
        else:
            self.late_calls += took > TURN_SHARE
        self.called.append((handler, events))
        if isinstance(handler, Connection):
            self._world.current = handler.peer
            self.before_connection_call(handler)
        else:
            self._world.current = ""
            self.before_other_call(handler)
        self._world.pass_call()
        if events == DEADLINE:
            self._world.log("  the deadline of %s has passed", self._world.current or "the server")


class SignalReader(EventHandler):
    """Passes signals on to the shutdown, as the server does."""

    def __init__(self, site: "Site") -> None:
        super().__init__(Signals(site.network), Interest.READ)
        self._site = site

    def on_readable(self) -> None:
        """Read the numbers that came."""
        try:
            numbers = self.handle.recv(4096)
        except BlockingIOError:
            return
        for number in numbers:
            self._site.world.log("  signal %d", number)
            self._site.receive_signal()


class Ticker(EventHandler):
    """The application behind the live streams: sends a piece of one of them now and then."""

    def __init__(self, site: "Site") -> None:
        super().__init__()
        self._site = site
        self._streams: list[tuple[LiveStream, list[bytes]]] = []
        self._random = site.world.stream("ticker")

    def add(self, stream: LiveStream, pieces: list[bytes]) -> None:
        """Send these pieces in time."""
        self._streams.append((stream, pieces))
        self.deadline = min(self.deadline, self._site.reactor.now + self._random.random())
        self._site.reactor.refresh(self)

    def on_deadline(self) -> None:
        """Send the next piece of any stream, or end it."""
        random = self._random
        stream, pieces = random.choice(self._streams)
        if pieces and not stream.closed:
            stream.send(pieces.pop(0))
        else:
            stream.close()
            self._streams.remove((stream, pieces))
        self.deadline = self._site.reactor.now + random.random() if self._streams else inf


class Worker(EventHandler):
    """The worker threads: calls what would block, each after a while, in any order."""

    def __init__(self, site: "Site") -> None:
        super().__init__()
        self._site = site
        self._calls: list[Callable[[], object]] = []
        self._random = site.world.stream("worker")

    def submit(self, function: Callable[[], object]) -> None:
        """Call a function later."""
        self._calls.append(function)
        self.deadline = min(self.deadline, self._site.reactor.now + self._random.random())
        self._site.reactor.refresh(self)

    def on_deadline(self) -> None:
        """Call one of the functions."""
        self._calls.pop(self._random.randrange(len(self._calls)))()
        self.deadline = self._site.reactor.now + self._random.random() if self._calls else inf


class SimulatedPool(WorkerPool):
    """A worker pool whose functions are called by a ``Worker``."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def _has_thread(self) -> bool:
        self._worker.submit(self._work_once)
        return True

    def _work_once(self) -> None:
        task = self._queue.get_nowait()
        assert task is not None, "the pool is closed"
        self._call(task)


class Site:
    """One server, ready to take turns."""

    def __init__(self, world: World, disk: Disk) -> None:
        random = world.random
        self.world = world
        self.network = Network(world, limit=random.choice((8, 40, 1000, 1000, 1000, 1000)))
        self.selector = SimulatedSelector(world, self.network)
        self.reactor = SimulatedReactor(self.selector, world)
        self.settings = choose_settings(world)
        self.log_lines = io.StringIO()
        self.store = Store(
            disk.path,
            fsync=random.random() < 0.3,
            min_free_space=1,
            free_space=disk.free_space,
            precompressed=disk.features.precompressed,
            wall_clock=world.wall_clock,
            clock=world.clock,
        )
        log = AccessLog(self.log_lines, "json", world.clock, world.wall_clock)
        self.ticker = Ticker(self)
        self.worker = Worker(self)
        self.pool = SimulatedPool(self.worker)
        self.context = SimulatedContext(
            self.reactor,
            self._routes(disk.features),
            self.settings,
            log,
            world.wall_clock,
            self.network.sendfile,
            default_headers=disk.features.default_headers(),
            unacknowledged=self.network.unacknowledged,
            in_worker=self._in_worker,
        )
        shrink_caches(self.context)
        self.context.site = self
        self.reactor.at_turn_end(log.flush)
        self.connections: dict[int, Connection] = {}  # all that are not yet closed
        self.changed: list[tuple[Connection, State | None, State]] = []  # in this turn
        self.largest_answers: dict[str, int] = {}  # bytes in memory, by the client's name
        # How many answers a client must get whose connection is closed early, by its name.
        self.answers_before_end: dict[str, int] = {}
        self.has_freed_place = False  # in this turn, the result of a closed connection has ended
        self.progressed: set[str] = set()  # clients whose body advanced, though no byte was sent
        # Whether another process keeps the listening socket, and accepts the clients that still wait.
        self.has_successor = world.stream("successor").random() < 0.25
        self.listener = Listener(self.network, outlives_process=self.has_successor)
        self.limit = random.choice((3, 12, *(1000,) * 6))
        listener: Any = self.listener
        self.responses: dict[int, int] = {}  # in this turn, by connection number
        self.compressed: dict[int, int] = {}  # bytes in this turn
        self.rules = AcceptorRules(self)
        self.reactor.before_other_call = self.rules.before_call
        self.reactor.before_connection_call = self._note_chunk
        self.sizes = Sizes(self)
        self.acceptor = Acceptor(self.context, listener, self.limit, SimulatedConnection)
        self.reactor.register(self.acceptor)
        self.signals = SignalReader(self)
        self.reactor.register(self.signals)
        self.shutdown = Shutdown(self.context, (self.acceptor,), self._finish)
        self.network.on_listener_close = self._check_accept_queue
        self.signals_received = 0
        self.stopped_at = inf
        self.finished = False  # the shutdown has said so
        self.exited = False  # all handles are closed, as they are when the process ends

    def stop(self) -> None:
        """Send a signal."""
        if not self.exited:
            self.world.log("SIGTERM")
            self.signals.handle.send(signal.SIGTERM)

    @property
    def is_listening(self) -> bool:
        """Whether a client that connects must be accepted."""
        return self.context.state in (ServerState.RUNNING, ServerState.UNREADY) and not self.exited

    def receive_signal(self) -> None:
        """Act on a signal, as the server does."""
        self.signals_received += 1
        self.stopped_at = min(self.stopped_at, self.reactor.now)
        self.shutdown.begin()

    def exit(self) -> None:
        """Close what is left when the shutdown has finished, as the server does."""
        self.exited = True
        for connection in list(self.context.connections.values()):
            if not self._may_abort_requests():
                self.world.fail(f"the shutdown has finished before {connection!r}")
            self.world.allow_failure(connection.peer, ABORTED)
            self.answers_before_end.setdefault(connection.peer, connection.served)
            connection.abort()
        for closed in list(self.context.abandoned):
            closed.drop_result()
        self.acceptor.close()
        self.reactor.remove(self.signals)
        self.signals.handle.close()

    def _finish(self) -> None:
        self.finished = True

    def _may_abort_requests(self) -> bool:
        """Return whether open requests may go unanswered: after the time limit or a second signal."""
        settings = self.settings
        ends = self.stopped_at + settings.shutdown_delay + settings.shutdown_timeout
        return self.signals_received > 1 or self.reactor.now >= ends

    def _check_accept_queue(self, names: list[str]) -> None:
        """Check that clients are left in the accept queue only for lack of time."""
        drain_ends = self.stopped_at + self.settings.shutdown_delay + DRAIN_TIME
        is_early = not self._may_abort_requests() and self.reactor.now < drain_ends
        if is_early and not self.has_successor:
            self.world.fail(f"{', '.join(names)} are reset in the accept queue")
        for name in names:
            self.world.allow_failure(name, ABORTED)

    def note_change(self, connection: Connection, before: State | None, state: State) -> None:
        """Record a change of state."""
        self.changed.append((connection, before, state))
        self.world.log("  %s: %s -> %s", connection.peer, before.name if before else "new", state.name)
        self.connections[connection.number] = connection
        if before is None:
            self.rules.note_accept()
            if self.has_successor and self.context.state is ServerState.STOPPING:
                self.world.fail(f"{connection.peer} is accepted in place of the next process")
        called = self.reactor.called[-1][0] if self.reactor.called else None
        # The accept queue is accepted by the call that begins to stop the server, too.
        stopping = self.context.state is ServerState.STOPPING and not isinstance(called, Connection)
        at_limit = self.context.occupied > self.limit
        if state is State.CLOSED and (called is self.acceptor or (stopping and at_limit)):
            self._check_closed_by_acceptor(connection, before)
        elif before is State.AWAITING_RESULT and state is State.CLOSED:
            self._check_closed_without_result(connection)

    def _check_closed_by_acceptor(self, connection: Connection, before: State | None) -> None:
        """Check that the acceptor closes a connection only for lack of room, and only an unserved one."""
        reasons = self.world.allowed_failures.get(connection.peer, ())
        if NOT_REGISTERED in reasons or ABORTED in reasons:
            return
        served = before is State.RECEIVING_HEAD and connection.served
        may_be_closed = before in DISPENSABLE or self.rules.was_delayed(connection)
        if not may_be_closed or served or self.context.occupied <= self.limit:
            self.world.fail(f"the acceptor has closed {connection.peer}, which was {before}")
        self.rules.check_eviction(connection, before)
        self.world.allow_failure(connection.peer, EVICTED)
        self.answers_before_end.setdefault(connection.peer, connection.served)

    def note_response(self, connection: Connection, compressed: int) -> None:
        """Count a response, and what was compressed for it."""
        number = connection.number
        self.responses[number] = self.responses.get(number, 0) + 1
        self.compressed[number] = self.compressed.get(number, 0) + compressed

    def _note_chunk(self, connection: Connection) -> None:
        """Note that a call takes a chunk from a stream: compressed, it may leave no byte to send."""
        body = connection._write_buffer.body
        if isinstance(body, ChunkSource) and not body.live and connection._write_buffer.awaits_producer:
            self.progressed.add(connection.peer)

    def _in_worker(self, function: Callable[[], object]) -> None:
        """Call a function in a worker thread."""
        client = self.world.current

        def work() -> None:
            self.world.current = client
            self.world.log("  a worker thread has worked for %s", client)
            function()

        self.pool.submit(work)

    def _check_closed_without_result(self, connection: Connection) -> None:
        """Check that the server drops a result only for a client that has closed its sending side."""
        tcp = connection.handle.tcp
        if tcp.up_ended and not tcp.client_closed:
            self.world.allow_failure(connection.peer, HALF_CLOSED)
            self.answers_before_end.setdefault(connection.peer, connection.served)
        elif not self.world.allowed_failures.get(connection.peer):
            self.world.fail(f"{connection!r} is closed before its result is known")

    def close(self) -> None:
        """Close everything that is still open."""
        self.reactor.called.clear()
        self.signals_received = 2  # open connections may be cut off
        if not self.exited:
            self.exit()
        self.reactor.close()
        self.store.close()

    # The application.

    def _routes(self, features: Features) -> Router:
        routes = handlers.build(
            self.store,
            allow_delete=features.delete,
            resumable=MAX_RESUMABLE if features.uploads else None,
            routes=features.router(),
            allowed_origin=features.allowed_origin or None,
        )
        add_routes(routes)

        @routes.post("/mirror", sink=buffered(MAX_IN_MEMORY))
        def mirror(request: Request) -> Response:
            return Response(200, request.content)

        @routes.get("/pieces/{mark}/{count}")
        def pieces(request: Request) -> Response:
            return Response(200, Pieces(self, pieces_of(request)), TEXT, compress_min_size=0)

        @routes.get("/live/{mark}/{count}")
        def live(request: Request) -> Response:
            stream = SimulatedLiveStream(self)
            self.ticker.add(stream, pieces_of(request))
            return Response(200, stream, TEXT)

        @routes.get("/fails")
        def fails(request: Request) -> Response:
            raise PlannedError

        @routes.get("/breaks/{mark}/{count}")
        def breaks(request: Request) -> Response:
            return Response(200, Pieces(self, pieces_of(request), breaks=True), TEXT)

        return routes


class Pieces:
    """A stream that notes each step as progress: compressed, it may leave no byte to send."""

    def __init__(self, site: "Site", pieces: list[bytes], breaks: bool = False) -> None:
        self._site = site
        self._pieces = pieces
        self._breaks = breaks

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._note()
            yield piece
        self._note()
        if self._breaks:
            self._site.world.allow_failure(self._site.world.current, "its body fails")
            raise PlannedError

    def close(self) -> None:
        """Close the stream, sent or not."""
        self._note()

    def _note(self) -> None:
        self._site.progressed.add(self._site.world.current)


class SimulatedLiveStream(LiveStream):
    """A live stream whose end counts as progress."""

    def __init__(self, site: "Site") -> None:
        super().__init__()
        self._site = site

    def close(self) -> None:
        """End the stream, or abandon it."""
        self._site.progressed.add(self._site.world.current)
        super().close()


def pieces_of(request: Request) -> list[bytes]:
    """Return the content of a stream, piece by piece."""
    return [piece_of(request.params["mark"], number) for number in range(int(request.params["count"]))]


def piece_of(mark: str, number: int) -> bytes:
    """Return one piece of a stream: of varying length, with the client's own mark."""
    return f"<{mark} {number}>".encode() * (1 + number * 7 % 40)


def choose_settings(world: World) -> Settings:
    """Choose limits, sometimes so small that every share is used up."""
    choose = world.random.choice
    high_water = choose((2_000, 16_000, 262_144))
    # After a suspension the server should read all new bytes in one turn; or TOO_MANY_BYTES applies.
    turn_read = choose((65_536,) if world.rates["jump"] else (300, 5_000, 65_536, 65_536))
    return Settings(
        high_water=high_water,
        low_water=high_water // choose((2, 4, 100)),
        turn_read=turn_read,
        turn_read_file=4 * turn_read,
        turn_send=choose((500, 5_000, 262_144, 262_144)),
        turn_compress=choose((1_024, 4_096, 65_536)),
        turn_accepts=choose((1, 3, 64)),
        min_free_space=1,
        max_body=MAX_BODY,
        max_chunk_extensions=MAX_CHUNK_EXTENSIONS,
        turn_requests=choose((2, 64, 64)),
        shutdown_delay=choose((0, 0, 0.5, 3)),
        shutdown_timeout=choose((0, *(8,) * 10, 30)),
        result_timeout=10_000.0,  # longer than any suspension
    )
