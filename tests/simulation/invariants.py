"""The invariants: what must be true after every turn, and at the end.

    each connection is in one state, and the site, the server context and the selector agree on it
    interest and deadline are those of the table in the docstring of ``connection.py``
    a deadline moves when the state says so, and at no other time
    what a connection holds in memory is bounded
    nothing is registered that is closed
    each handler that was reported ready has made progress, or now waits for something else
    calls begin within the share of a turn, in an order in which no ready handler waits for ever
    the acceptor obeys its rules (``acceptor_rules.py``)
    what the server keeps is bounded, and at rest when all clients have left (``sizes.py``)
    the access log has the statuses that the clients have got

The table is read as text; nothing of it is taken from the code that it describes. In each turn the
connections that were called or changed are checked, and all of them from time to time:
the others cannot have changed.
"""

import json
from math import inf

from reactor.event_handler import DEADLINE, EventHandler, Interest
from reactor.http11.deferred import Deferred
from reactor.http11.serializer import ChunkSource
from reactor.routing import BufferSink
from reactor.server.connection import STOP_GRACE, Connection
from reactor.server.context import ServerState
from reactor.server.state import State
from reactor.server.write_timeout import CHECKS
from tests.simulation.network import Socket
from tests.simulation.site import MAX_IN_MEMORY, Site

CHECK_INTERVAL = 64  # turns between two checks of everything
MAX_TURNS = 300_000
LONGEST = 20_000.0  # seconds of simulated time, if the clock does not jump
MAX_TURNS_LEFT_OVER = 400  # in a row, if reports are incomplete
CALL_GROUPS = 3  # each makes at least one call, if the loop is overloaded
MAX_TURNS_WITHOUT_PROGRESS = 30  # in a row, for false reports and for events that are reported one by one
LARGEST_HEAD = 2_000  # bytes; with it, a piece of a stream
# These keep their deadline as long as they last; the others may be given more time.
SILENT = (State.RECEIVING_PROXY_HEADER, State.ACCEPTED)
FIXED_DEADLINE = (*SILENT, State.IDLE, State.RECEIVING_HEAD, State.DRAINING)


class Invariants:
    """Looks at a site after each of its turns."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._world = site.world
        # Of each connection after the turn before: state, deadline, answers begun, bytes sent.
        self._known: dict[int, tuple[State, float, int, int]] = {}
        # The last window of a connection's content: answers begun before it, deadline.
        self._windows: dict[int, tuple[int, float]] = {}
        self._now = site.reactor.now
        self._began = site.world.now
        self.logged: dict[str, list[int]] = {}  # the statuses in the access log at the end, by client
        self._turns_without_progress = 0
        self._turns_left_over: dict[EventHandler, int] = {}
        self._turns_after_end = 0  # of the shutdown
        self._most_ready = 0  # handlers, while some are left over
        self.turns = 0

    def check_turn(self) -> None:
        """Check what the last turn did."""
        self.turns += 1
        site = self._site
        took = self._world.now - self._began
        if self.turns > MAX_TURNS or (took > LONGEST and not self._world.rates["jump"]):
            self._world.fail("the simulation does not end")
        self._check_progress()
        self._check_shutdown()
        for connection in self._touched():
            self._check_connection(connection)
        if self.turns % CHECK_INTERVAL == 0:
            self.check_everything()
        site.rules.check_turn()
        site.sizes.check_turn()
        site.changed.clear()
        site.progressed.clear()
        site.has_freed_place = False
        self._now = site.reactor.now

    def check_everything(self) -> None:
        """Check all connections, and that every list of them is the same."""
        site = self._site
        for connection in list(site.connections.values()):
            self._check_connection(connection)
        if set(site.connections) != set(site.context.connections):
            self._fail("the server context lists the wrong connections")
        for descriptor, key in site.selector.get_map().items():
            if site.network.handles.get(descriptor) is not key.fileobj:
                self._fail(f"descriptor {descriptor} is registered and closed")
        if not site.selector.is_exact():
            self._fail("the simulated selector is wrong about which sockets are ready")
        site.sizes.check_everything()

    def check_end(self) -> None:
        """Check that everything has ended: clients, connections, descriptors."""
        site = self._site
        self.check_everything()
        for connection in site.connections.values():
            self._fail(f"{connection!r} never ends")
        left = [] if site.exited else [site.listener, site.signals.handle]
        if list(site.network.handles.values()) != left:
            self._fail(f"{len(site.network.handles) - len(left)} sockets are left open")
        if {id(key.fileobj) for key in site.selector.get_map().values()} != set(map(id, left)):
            self._fail("more than the listening socket and the signals is registered at the end")
        if site.signals_received and not site.exited:
            self._fail("the shutdown never finishes")
        self._check_log()

    def _check_shutdown(self) -> None:
        """Check that the shutdown ends in time."""
        site, settings = self._site, self._site.settings
        ends = site.stopped_at + settings.shutdown_delay + settings.shutdown_timeout
        self._turns_after_end += site.reactor.began > ends and not site.finished
        # After a suspension many calls are due before the one that ends the shutdown.
        if self._turns_after_end > MAX_TURNS_WITHOUT_PROGRESS and not self._world.rates["jump"]:
            self._fail(f"the shutdown should have ended at {ends:.6f}")

    # Each connection.

    def _touched(self) -> list[Connection]:
        """Return the connections that were called or have changed in this turn, in order."""
        site = self._site
        called: list[EventHandler] = [handler for handler, _ in site.reactor.called]
        changed = [connection for connection, _, _ in site.changed]
        touched = {each.number: each for each in (*called, *changed) if isinstance(each, Connection)}
        return list(touched.values())

    def _check_connection(self, connection: Connection) -> None:
        state = connection.state
        handle = connection.handle
        assert isinstance(handle, Socket)
        if state is State.CLOSED:
            self._check_closed(connection)
            return
        if handle.fileno() < 0:
            self._fail(f"{connection!r} has closed its handle")
        if state is State.WAITING and self._site.context.state is ServerState.STOPPING:
            self._fail(f"{connection!r} waits for a live stream while the server stops")
        if (
            state is State.IDLE
            and self._site.context.state is ServerState.STOPPING
            and not connection.has_unread_input()
        ):
            self._fail(f"{connection!r} is idle while the server stops")
        stopping = self._site.context.state is ServerState.STOPPING
        if state in SILENT and stopping and connection.deadline > self._site.reactor.now + STOP_GRACE:
            self._fail(f"{connection!r} has sent nothing, and the server stops")
        wanted = state.interest
        if state is State.AWAITING_RESULT and connection.unparsed > self._site.settings.max_head:
            wanted = Interest.NONE  # enough is pipelined
        key = self._site.selector.get_map().get(handle.fileno())
        registered = 0 if key is None or key.data is not connection else key.events
        if not wanted == connection.interest == connection.reactor_interest == registered:
            self._fail(f"{connection!r} is registered for {registered}, and the table says {wanted!r}")
        self._check_deadline(connection)
        self._check_memory(connection)

    def _check_closed(self, connection: Connection) -> None:
        if connection.handle.fileno() >= 0:
            self._fail(f"{connection!r} has not closed its handle")
        if connection.number in self._site.context.connections:
            self._fail(f"{connection!r} is still in the list of connections")
        if connection.interest or connection.reactor_interest or connection.reactor_deadline != inf:
            self._fail(f"{connection!r} still waits for something")
        self._site.connections.pop(connection.number, None)
        self._known.pop(connection.number, None)

    def _waits_forever(self, connection: Connection) -> bool:
        """Return whether it waits for a stream without heartbeats, or a result without a timeout."""
        body = connection._write_buffer.body
        if connection.state is State.WAITING:
            return isinstance(body, ChunkSource) and not body.has_heartbeat
        return isinstance(body, Deferred) and body.timeout == inf

    def _check_deadline(self, connection: Connection) -> None:
        """Check a deadline against the table, and against the turn before."""
        state, deadline, now = connection.state, connection.deadline, self._site.reactor.now
        timeout = state.timeout
        sent = connection._write_buffer.sent
        before = self._known.get(connection.number)
        self._known[connection.number] = (state, deadline, connection.served, sent)
        if connection.reactor_deadline > deadline:
            self._fail(f"the deadline of {connection!r} is scheduled too late")
        if timeout is None:
            if deadline != inf:
                self._fail(f"{connection!r} has a deadline, and the table says none")
            return
        if deadline == inf and self._waits_forever(connection):
            return
        length = getattr(self._site.settings, f"{timeout}_timeout")
        began = self._site.reactor.began
        if (
            deadline <= began
            and before is not None
            and deadline == before[1]
            and self._was_called(connection)
        ):
            # When the server stops, bytes that have arrived are read in the next turn instead (seed 82).
            stopping = self._site.context.state is ServerState.STOPPING
            if not (stopping and connection.is_between_requests and connection.has_unread_input()):
                self._fail(f"the deadline of {connection!r} has passed without effect")
        # In states that wait for WRITE, the deadline is that of the next check once a flush was tried.
        lengths = (length, length / CHECKS) if timeout == "stall" else (length,)
        entered = any(each is connection for each, _, _ in self._site.changed)
        if before is None or entered:
            # A connection woken by another one's call may have been woken in the turn before.
            # And a body that continues after its share of a turn keeps its window.
            window = self._windows.get(connection.number)
            allowed = any(deadline in (now + each, self._now + each) for each in lengths) or (
                state is State.RECEIVING_CONTENT and window == (connection.served, deadline)
            )
        elif deadline == before[1]:
            allowed = not (sent > before[3] and timeout == "stall")
        elif timeout == "stall" and self._was_called(connection):
            allowed = began < deadline <= now + lengths[-1]  # another call may have been suspended since
        else:
            just_entered = before[1] > deadline  # and the first flush sent nothing
            allowed = deadline == now + lengths[-1] and (
                just_entered or self._may_renew_deadline(connection, before)
            )
        if state is State.RECEIVING_CONTENT:
            self._windows[connection.number] = (connection.served, deadline)
        # An idle connection has a moment left while the server stops.
        stopping = self._site.context.state is ServerState.STOPPING
        if stopping and state in (*SILENT, State.DRAINING) and deadline <= now + STOP_GRACE:
            allowed = True
        # In a turn in which the server was suspended, deadlines begin before and after that, and a hook that
        # was suspended has its deadline counted from its end.
        paused = now - began
        if paused and any(-1e-6 <= deadline - began - each <= 2 * paused for each in lengths):
            allowed = True
        # Rare: the suspended hook set no deadline, and the one from before is extended (seed 1191).
        if paused and before is not None and not entered and 0 < deadline - before[1] <= paused + 1e-3:
            allowed = True
        if not allowed:
            self._fail(
                f"the deadline of {connection!r} is {deadline - now:.6f} s away; {timeout} is {length:g}"
            )

    def _was_called(self, connection: Connection) -> bool:
        return any(handler is connection and not events for handler, events in self._site.reactor.called)

    def _may_renew_deadline(self, connection: Connection, before: tuple[State, float, int, int]) -> bool:
        """Return whether a connection that stays in its state may have a new deadline."""
        if connection.served > before[2]:
            return True  # another request's
        if connection.state in FIXED_DEADLINE:
            return False
        if connection.state is State.RECEIVING_CONTENT:
            return self._site.reactor.now >= before[1]  # the next window of the rate
        buffer = connection._write_buffer
        return buffer.sent > before[3] or buffer.awaits_producer or connection.peer in self._site.progressed

    def _check_memory(self, connection: Connection) -> None:
        settings = self._site.settings
        unsent = connection._write_buffer.size
        # The room is checked before an answer, so one answer may exceed it.
        if (
            not 0
            <= unsent
            <= settings.high_water + self._site.largest_answers[connection.peer] + LARGEST_HEAD
        ):
            self._fail(f"{connection!r} holds {unsent} bytes unsent")
        if connection._parser.buffered > settings.max_head + settings.turn_read:
            self._fail(f"{connection!r} holds {connection._parser.buffered} bytes unread")
        sink = connection._request_body._sink if connection._request_body is not None else None
        if isinstance(sink, BufferSink) and len(sink._data) > MAX_IN_MEMORY:
            self._fail(f"{connection!r} holds {len(sink._data)} bytes of content")

    # Progress.

    def _check_progress(self) -> None:
        """Check that each handler truly ready made progress, waits for something else, or is closed."""
        site = self._site
        left_over = site.reactor._order.left_over
        for key, events in site.selector.reported:
            handler = key.data
            if handler in left_over:
                continue
            same = handler.interest == key.events and handler.handle.fileno() == key.fd
            if same and key.fd not in site.network.moved and not self._may_make_no_progress(key.fd, handler):
                self._fail(f"{handler!r} was ready ({events}), made no progress, and waits for the same")
        self._check_order()
        still = site.selector.reported and not (site.network.moved or site.changed or site.progressed)
        self._turns_without_progress = self._turns_without_progress + 1 if still else 0
        if self._turns_without_progress > MAX_TURNS_WITHOUT_PROGRESS:
            self._fail(f"{self._turns_without_progress} turns in a row have made no progress")
        if not site.selector.reported and not site.reactor.called and not self._world.finished:
            self._fail("the reactor woke up without a reason")

    def _check_order(self) -> None:
        """Check the share of a turn, and that no ready handler waits for more turns than others are ready."""
        site = self._site
        reactor = site.reactor
        if reactor.late_calls > CALL_GROUPS or reactor.late_deadlines > 1:
            self._fail(f"{reactor.late_calls} calls, {reactor.late_deadlines} deadlines after a turn's share")
        called = {handler for handler, events in reactor.called if events}
        ready = [key.data for key, _ in site.selector.reported if key.fd not in site.selector.false_reports]
        uncalled = [handler for handler in ready if handler not in called and handler.interest]
        if uncalled and not called:
            self._fail(f"{uncalled[0]!r} is ready, and nothing was called")
        for handler, events in reactor.called:
            if events == DEADLINE and handler in uncalled:
                self._fail(f"{handler!r} is ready, and its deadline came first")
        self._turns_left_over = {each: self._turns_left_over.get(each, 0) + 1 for each in uncalled}
        self._most_ready = max(self._most_ready, len(ready)) if uncalled else 0
        # The order is that of the reports, if they are complete.
        most = self._most_ready if not self._world.rates["few"] else MAX_TURNS_LEFT_OVER
        for handler, turns in self._turns_left_over.items():
            if turns > most:
                self._fail(f"{handler!r} is ready, and was not called in {turns} turns")

    def _may_make_no_progress(self, descriptor: int, handler: EventHandler) -> bool:
        """Return whether an event handler has a reason to wait for the same again."""
        site = self._site
        if descriptor in site.network.denied or descriptor in site.selector.false_reports:
            return True
        if handler is site.signals:
            return False
        if handler is site.acceptor:
            # The acceptor yields to connections with bytes to read; its pause ends when a connection closes,
            # or when the result of a closed one ends.
            is_closed = any(state is State.CLOSED for _, _, state in site.changed)
            return site.network.peeked or is_closed or site.has_freed_place
        assert isinstance(handler, Connection)
        # Its body made progress without a byte to send; or it changed state and was woken again.
        return (
            handler._write_buffer.awaits_producer
            or handler.peer in site.progressed
            or any(each is handler for each, _, _ in site.changed)
        )

    # The log.

    def _check_log(self) -> None:
        """Check that each request of each connection is logged once, in order."""
        last: dict[int, int] = {}
        for line in self._site.log_lines.getvalue().splitlines():
            entry = json.loads(line)
            number, request = entry["connection"], entry["request"]
            self.logged.setdefault(entry["peer"], []).append(entry["status"])
            if request != last.get(number, 0) + 1:
                self._fail(f"request {request} of c{number} is logged after {last.get(number, 0)}")
            last[number] = request

    def _fail(self, reason: str) -> None:
        self._world.fail(reason)
