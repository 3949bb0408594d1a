"""The connection state machine: the state alone decides what is waited for, and for how long.

    State              Waits for  Deadline     When it passes  Then
    ACCEPTED           READ       first_octet  close           RECEIVING_HEAD  RECEIVING_CONTENT
                                                               CONTINUING  RESPONDING  DRAINING  CLOSED
    IDLE               READ       keep_alive   close           RECEIVING_HEAD  RECEIVING_CONTENT
                                                               CONTINUING  RESPONDING  DRAINING  CLOSED
    RECEIVING_HEAD     READ       head         answer 408      RECEIVING_CONTENT  CONTINUING
                                                               RESPONDING  IDLE  CLOSED
    CONTINUING         WRITE      stall        reset           RECEIVING_CONTENT  CLOSED
    RECEIVING_CONTENT  READ       content      answer 408      RESPONDING  CLOSED
    RESPONDING         WRITE      stall        reset           IDLE  RECEIVING_HEAD  RECEIVING_CONTENT
                                                               CONTINUING  WAITING  DRAINING  CLOSED
    WAITING            READ       -            -               RESPONDING  CLOSED
    DRAINING           READ       linger       close           CLOSED
    CLOSED             -          -            -               -

The first octet leads from IDLE to RECEIVING_HEAD; a request that comes whole leads straight to
RESPONDING. When the response is sent, what the buffer holds says where to go: nothing, IDLE; a part
of a head or of content, RECEIVING_HEAD or RECEIVING_CONTENT; more requests than one turn's share,
RESPONDING again. CONTINUING waits until 100 (Continue) is sent. WAITING has a live stream that has
nothing more yet. After an error, after the last response, and when it is idle while the server stops,
the connection is DRAINING, so that the client sees the end instead of a reset. The end of what the
client sends leads to CLOSED from every state that reads.

The connection knows no grammar, no path and no file: the parser, the router and the handlers do.
"""

import logging
import socket
import struct
from enum import Enum
from math import inf

from reactor.http11.errors import HTTPError
from reactor.http11.message import Request, Response
from reactor.http11.parser import (
    PHASE_CONTENT,
    PHASE_ENDED,
    PHASE_HEAD,
    PHASE_IDLE,
    PHASE_LOST,
    Parser,
)
from reactor.http11.serializer import ChunkSource, has_length, interim
from reactor.logs.access_log import Exchange, PendingEntries
from reactor.loop import EventHandler, Interest
from reactor.routing import Handler, Route
from reactor.server.context import ServerContext, ServerState
from reactor.server.request_body import RequestBody
from reactor.server.write_buffer import DONE, FlushResult, WriteBuffer, close_content

log = logging.getLogger("reactor")

CONTINUE = interim(100)
# SO_LINGER, on, for no time: close() sends a reset, and nothing waits in the kernel.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
CLIENT_GONE = 499
# Seconds that a stopping server waits for a new connection's first bytes, and for an idle client to close.
STOP_GRACE = 1.0


class State(Enum):
    """Where a connection stands: the interest and the timeout of each row of the table above."""

    # The number keeps apart what is otherwise alike: members with equal values would be one.
    ACCEPTED = 0, Interest.READ, "first_octet"
    IDLE = 1, Interest.READ, "keep_alive"
    RECEIVING_HEAD = 2, Interest.READ, "head"
    CONTINUING = 3, Interest.WRITE, "stall"
    RECEIVING_CONTENT = 4, Interest.READ, "content"
    RESPONDING = 5, Interest.WRITE, "stall"
    WAITING = 6, Interest.READ, None
    DRAINING = 7, Interest.READ, "linger"
    CLOSED = 8, Interest.NONE, None

    def __init__(self, index: int, interest: Interest, timeout: str | None) -> None:
        self.index = index
        self.interest = interest
        self.timeout = timeout


# Members that are used at each request, bound once: in Python 3.11, State.IDLE takes 50 ns longer than IDLE.
ACCEPTED = State.ACCEPTED
IDLE = State.IDLE
RECEIVING_HEAD = State.RECEIVING_HEAD
CONTINUING = State.CONTINUING
RECEIVING_CONTENT = State.RECEIVING_CONTENT
RESPONDING = State.RESPONDING
WAITING = State.WAITING
DRAINING = State.DRAINING
CLOSED = State.CLOSED
STOPPING = ServerState.STOPPING


class Connection(EventHandler):
    """One client's connection, from accept to close."""

    __slots__ = (
        "_context",
        "_parser",
        "_pending_entries",
        "_request_body",
        "_write_buffer",
        "number",
        "peer",
        "route",
        "served",
        "state",
    )

    def __init__(self, context: ServerContext, sock: socket.socket, peer: str) -> None:
        super().__init__(sock)
        self._context = context
        self._parser = Parser(context.head_reader)
        self._write_buffer = WriteBuffer(context.settings.high_water, context.sendfile)
        self._request_body: RequestBody | None = None
        self.peer = peer
        self.number = context.next_number()
        lines = context.access_log
        self._pending_entries = None if lines is None else PendingEntries(lines, peer, self.number)
        self.served = 0  # requests answered, refused ones included
        self.route: Route | None = None  # of the latest request
        self._enter(ACCEPTED)

    def __repr__(self) -> str:
        route = f" {self.route.template}" if self.route is not None and self.route.template else ""
        return f"<Connection c{self.number} {self.peer} {self.state.name}{route}>"

    # What others ask.

    @property
    def idle(self) -> bool:
        """True between two requests, and before the first."""
        return self.state is IDLE or self.state is ACCEPTED

    @property
    def never_completed_request(self) -> bool:
        """True while the first request has begun and is not complete, and after the last response."""
        begun = self.state is RECEIVING_HEAD or self.state is IDLE
        return (begun and self.served == 0) or self.state is DRAINING

    def has_unread_input(self) -> bool:
        """Ask the kernel whether octets have arrived that are not read yet."""
        try:
            return bool(self.handle.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def summary(self, now: float) -> str:
        """Return the line of this connection in the table of connections that is logged."""
        until = "" if self.deadline == inf else f", {self.state.timeout} in {self.deadline - now:.1f} s"
        return (
            f"c{self.number} {self.peer} fd {self.handle.fileno()} {self.state.name}, {self.served} served, "
            f"{self._parser.buffered} octets in, {self._write_buffer.size} out{until}"
        )

    def stop(self) -> None:
        """Answer the requests that have been received, then close: the server is stopping."""
        reactor = self._context.reactor
        reactor.check_thread("Connection.stop()")
        if self.state is ACCEPTED:
            self.deadline = min(self.deadline, reactor.now + STOP_GRACE)
        elif self.state is IDLE:
            self._end_idle()
        else:
            self._end_live_stream()
        reactor.refresh(self)

    def abort(self) -> None:
        """Close at once; reset if a response is only partly sent, so that it does not look complete."""
        self._context.reactor.check_thread("Connection.abort()")
        if self._write_buffer.size or self._write_buffer.body is not None:
            self._reset()
        else:
            self._close()

    # What the reactor calls.

    def on_readable(self) -> None:
        """Take the octets that came, and do all that they make possible."""
        octets = self._receive()
        if octets is None:
            return
        if not octets:
            self._close()
        elif self.state is not DRAINING:
            self._parser.feed(octets)
            if self.state is not WAITING:
                self._process()
            elif self._parser.buffered > self._context.settings.max_head:
                limit = self._context.settings.max_head
                log.info("c%d: closed: over %d bytes pipelined behind a live stream", self.number, limit)
                self._close()

    def on_writable(self) -> None:
        """Go on with what is to be sent, and with the requests that wait behind it."""
        self._process()

    def on_deadline(self) -> None:
        """Be done with a client that is too slow, as its state has it."""
        state = self.state
        if state is RECEIVING_HEAD:
            self._request_timeout("the head is not complete in time")
        elif state is RECEIVING_CONTENT:
            self._measure_rate()
        elif state is RESPONDING or state is CONTINUING:
            log.info("c%d: reset: nothing taken of the response in time", self.number)
            self._reset()
        elif state is not DRAINING and self._context.state is STOPPING:
            self._end_idle()
        else:
            self._close()

    def on_failure(self) -> None:
        """Let go of everything after an exception; it has been logged."""
        self._close()

    # Octets to requests, requests to responses.

    def _process(self) -> None:
        """Answer the requests that are complete, send, and enter the next state."""
        write_buffer = self._write_buffer
        settings = self._context.settings
        # A next request is parsed when the response before it is queued whole, and mostly sent.
        ready = write_buffer.body is None and write_buffer.size <= settings.low_water
        wants_octets = ready and self._answer_requests()
        sent_before = write_buffer.sent
        try:
            result = write_buffer.flush(self.handle, settings.turn_send)
        except Exception as error:  # a stream is the application's code, and its head has been sent
            # A file that changes or fails meanwhile is nothing that its code could do about.
            trace = None if isinstance(error, OSError) else error
            log.error("c%d: the content broke off: %s", self.number, error, exc_info=trace)
            result = FlushResult.FAILED
            if self._pending_entries is not None:
                self._pending_entries.log_aborted(write_buffer.sent)
        if self._pending_entries is not None:
            self._pending_entries.log_sent(write_buffer.sent, result is DONE)
        if result is DONE:
            self._next_state(wants_octets)
        else:
            self._next_state_blocked(result, write_buffer.sent > sent_before)

    def _answer_requests(self) -> bool:
        """Answer requests while there is room; return True when the parser needs more octets."""
        parser = self._parser
        settings = self._context.settings
        compressed = 0
        try:
            for _ in range(settings.turn_requests):
                if self._request_body is not None:
                    if not self._take_content(self._request_body):
                        return True
                else:
                    request = parser.next_request()
                    if request is None:
                        return True
                    self.route = route = request.route
                    if parser.phase is PHASE_CONTENT or route.always_open_sink:
                        compressed += self._begin_content(request, route)
                    else:
                        compressed += self._respond(request, route.handler)
                if parser.phase is not PHASE_HEAD and parser.phase is not PHASE_CONTENT:
                    return True
                if not self._write_buffer.has_room or compressed >= settings.turn_compress:
                    return False
        except HTTPError as error:
            self._refuse(error)
            return True
        return False

    def _begin_content(self, request: Request, route: Route) -> int:
        """Answer a request whose content is not wanted, or make a place for it.

        Return how many octets were compressed for the answer.
        """
        if route.sink is None:
            self._parser.abandon()
            return self._respond(request, route.handler)
        self._open_request_body(request, route)
        return 0

    def _open_request_body(self, request: Request, route: Route) -> None:
        """Make a place for the content, and ask for it where the client waits to be asked."""
        now, max_body = self._context.reactor.now, self._context.settings.max_body
        assert route.sink is not None, "content without a sink is not taken"
        try:
            request_body = RequestBody(request, route.handler, route.sink, now, max_body)
        except HTTPError as error:
            self._refuse(error, request)
            return
        self._request_body = request_body
        if self._parser.phase is not PHASE_CONTENT:
            self._complete(request_body)
        elif request.head.version == 1:  # RFC 9110, 15.2: what is interim is not of HTTP/1.0
            self._write_interim(request_body)

    def _write_interim(self, request_body: RequestBody) -> None:
        """Say what is to be said before the content comes; wait until it is sent."""
        octets = b"" if request_body.interim is None else interim(*request_body.interim)
        # RFC 9110, 10.1.1: no need to ask when some of it is here already.
        if request_body.request.head.expects_continue and not self._parser.buffered:
            octets += CONTINUE
        if octets:
            if self._pending_entries is not None:
                self._pending_entries.end(self._write_buffer.queued)
            self._write_buffer.write(octets)
            if not self._parser.buffered:
                self._enter(CONTINUING)

    def _take_content(self, request_body: RequestBody) -> bool:
        """Pass on the content that has come; return False when more is needed."""
        octets = self._parser.next_content()
        if octets:
            request_body.write(octets)
        if self._parser.phase is not PHASE_CONTENT:
            self._complete(request_body)
            return True
        return bool(octets)

    def _complete(self, request_body: RequestBody) -> None:
        """Answer a request whose content is complete."""
        request_body.finish()
        self._respond(request_body.request, request_body.handler)
        self._close_request_body()

    def _close_request_body(self) -> None:
        if self._request_body is not None:
            request_body, self._request_body = self._request_body, None
            request_body.close()

    def _respond(self, request: Request, handler: Handler) -> int:
        """Call the handler of a complete request, and queue its response; return the octets compressed."""
        self._enter(RESPONDING)
        response: Response | None = None
        try:
            response = handler(request)
            return self._enqueue_response(request, response)
        except HTTPError as error:
            log.info("c%d: %d %s", self.number, error.status, error.reason)
            response = Response.error(error.status, error.reason, error.headers)
        except Exception:
            log.exception("c%d: %r failed", self.number, request)
            close_content(getattr(response, "content", None))
            response = Response.error(500, "the server failed to answer")
        return self._enqueue_response(request, response)

    def _refuse(self, error: HTTPError, request: Request | None = None) -> None:
        """Answer what cannot be accepted; what follows it on the connection is not read."""
        if self._request_body is not None:
            request = self._request_body.request
        elif request is None:
            request = error.request or self._parser.partial_request()
        self._parser.abandon()
        log.info("c%d: %d %s", self.number, error.status, error.reason)
        self._enter(RESPONDING)
        self._enqueue_response(request, Response.error(error.status, error.reason, error.headers))
        self._close_request_body()

    def _enqueue_response(self, request: Request, response: Response) -> int:
        """Add a response to the write buffer; return how many octets were compressed for it."""
        context = self._context
        parser = self._parser
        write_buffer = self._write_buffer
        head = request.head
        if context.reactor.now >= context.common_headers_expire:
            context.renew_common_headers()
        keep_alive = head.keep_alive and parser.phase is not PHASE_LOST
        if context.state is STOPPING and not parser.buffered and not self.has_unread_input():
            keep_alive = False  # this is the last of the requests that have been received
        if head.version == 0 and not has_length(response):
            keep_alive = False
        octets, body, compressed = context.serializer.serialize(
            request, response, keep_alive, context.common_headers, context.settings.turn_compress
        )
        if body is not None and isinstance(body, ChunkSource) and not body.subscribe(self._wake):
            log.error("c%d: a LiveStream can be sent in one response only", self.number)
            raise HTTPError(500, "the server failed to answer")
        if not keep_alive:
            parser.stop_after_current()
        self.served += 1
        if self._pending_entries is not None:
            began = context.reactor.now if self._request_body is None else self._request_body.began
            start_offset = write_buffer.sent + write_buffer.size  # no earlier body is left
            body_offset = start_offset + octets.find(b"\r\n\r\n") + 4
            exchange = Exchange(request, response.status, self.served, began, body_offset)
            self._pending_entries.begin(exchange, start_offset)
        write_buffer.write(octets)
        if body is not None:
            write_buffer.add(body)
            if context.state is STOPPING:
                self._end_live_stream()
        return compressed

    def _end_live_stream(self) -> None:
        if isinstance(self._write_buffer.body, ChunkSource):
            try:
                self._write_buffer.body.end()
            except Exception:  # the application's code
                log.exception("c%d: closing a live stream failed", self.number)

    def _wake(self) -> None:
        """Resume the connection when its live stream has data or has ended; thread-safe."""
        self._context.run_in_loop(self._resume)

    def _resume(self) -> None:
        if self.state is WAITING:
            self._enter(RESPONDING)
            self._context.reactor.refresh(self)

    def _request_timeout(self, reason: str) -> None:
        """Answer 408 to a client that is too slow."""
        self._refuse(HTTPError(408, reason))
        self._process()

    def _measure_rate(self) -> None:
        """Give content that came fast enough another window of time."""
        assert self._request_body is not None, "content is received for a request"
        too_slow = self._request_body.measure_rate(self._context.settings)
        if too_slow is None:
            self._await_content()
        else:
            self._request_timeout(too_slow)

    def _await_content(self) -> None:
        """Wait for more content, in the window of time that has begun, if one has."""
        assert self._request_body is not None, "content is received for a request"
        self._enter(RECEIVING_CONTENT)
        self.deadline = self._request_body.window_ends = min(self._request_body.window_ends, self.deadline)

    # The only calls that touch the socket, except those of the write buffer.

    def _receive(self) -> bytes | None:
        """Return what came, None when nothing did after all, and b"" at the end or after a fault."""
        try:
            octets: bytes = self.handle.recv(self._context.settings.turn_read)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return octets

    def _linger(self) -> None:
        """Shut down sending, and wait for the client to close.

        RFC 9112, 9.6: where octets come after a close, the kernel resets the connection, and the
        client may lose an answer that it has not yet read.
        """
        self._enter(DRAINING)
        try:
            self.handle.shutdown(socket.SHUT_WR)
        except OSError:
            self._close()

    def _end_idle(self) -> None:
        """Shut down an idle connection and drain it: a request already on its way must not be reset."""
        if not self.has_unread_input():  # else its bytes are read in the next turn, and answered
            self._linger()
            if self.state is DRAINING:
                self.deadline = min(self.deadline, self._context.reactor.now + STOP_GRACE)

    def _reset(self) -> None:
        """Close without waiting for what the kernel still holds."""
        try:
            self.handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        except OSError:
            pass  # it is gone already, which is all we want
        self._close()

    def _close(self) -> None:
        """Let go of everything; log what the client did not stay for."""
        if self.state is CLOSED:
            return
        if self._pending_entries is not None:
            self._log_unsent(self._pending_entries)
        self._close_request_body()
        self._enter(CLOSED)
        self._write_buffer.clear()
        # A handle must leave the selector before it is closed: its number may be reused at once.
        self._context.reactor.remove(self)
        self.handle.close()
        self._context.forget(self)

    def _log_unsent(self, pending: PendingEntries) -> None:
        """Log the responses that the client did not stay for, and the request whose content was received."""
        sent = self._write_buffer.sent
        if self._request_body is not None:
            request, began = self._request_body.request, self._request_body.began
            pending.begin(Exchange(request, CLIENT_GONE, self.served + 1, began, sent), sent)
        pending.log_aborted(sent, CLIENT_GONE)

    # The state machine.

    def _next_state(self, wants_octets: bool) -> None:
        """Enter the state that follows when everything is sent; a state that continues keeps its deadline."""
        phase = self._parser.phase
        state = self.state
        if phase is PHASE_IDLE:
            # From RECEIVING_HEAD: only an empty line was received.
            if state is RESPONDING or state is RECEIVING_HEAD:
                self._enter(IDLE)
            if self._context.state is STOPPING and self.state is IDLE:
                self._end_idle()
        elif phase is PHASE_ENDED or phase is PHASE_LOST:
            self._linger()
        elif not wants_octets and self._parser.buffered:
            self._enter(RESPONDING)  # no event will tell of octets that we hold already
        elif phase is PHASE_HEAD:
            if state is not RECEIVING_HEAD:
                self._enter(RECEIVING_HEAD)
        elif state is not RECEIVING_CONTENT:
            self._await_content()

    def _next_state_blocked(self, result: FlushResult, progress: bool) -> None:
        """Enter the state that follows when a flush did not send everything."""
        if result is FlushResult.FAILED:
            self._reset()  # what was sent is not the whole, and must not look as if it were
        elif result is FlushResult.STREAM_IDLE:
            self._enter(WAITING)
        elif self.state is CONTINUING or self.state is RESPONDING:
            # What is still to be made is waited for from us, and not from the client.
            if progress or self._write_buffer.awaits_producer:
                self._enter(self.state)
        else:
            self._enter(RESPONDING)

    def _enter(self, state: State) -> None:
        """Change the state, and with it what the reactor waits for, and for how long."""
        self.state = state
        self.interest = state.interest
        context = self._context
        self.deadline = context.reactor.now + context.timeouts[state.timeout]
