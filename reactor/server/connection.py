"""A connection: a state machine that parses requests, calls handlers and sends responses.

    State                   Waits for  Timeout       On timeout      Successors
    RECEIVING_PROXY_HEADER  READ       proxy_header  close           ACCEPTED DRAINING CLOSED
    ACCEPTED                READ       first_octet   close           RECEIVING_HEAD RECEIVING_CONTENT
                                                                     CONTINUING RESPONDING YIELDING DRAINING
                                                                     CLOSED
    IDLE                    READ       keep_alive    close           RESPONDING RECEIVING_HEAD
                                                                     RECEIVING_CONTENT CONTINUING YIELDING
                                                                     DRAINING CLOSED
    RECEIVING_HEAD          READ       head          answer 408      RESPONDING RECEIVING_CONTENT CONTINUING
                                                                     YIELDING IDLE CLOSED
    CONTINUING              WRITE      stall         reset           RECEIVING_CONTENT CLOSED
    RECEIVING_CONTENT       READ       content       measure rate    RESPONDING YIELDING IDLE RECEIVING_HEAD
                                                                     CLOSED
    RESPONDING              WRITE      stall         reset           IDLE RECEIVING_HEAD RECEIVING_CONTENT
                                                                     CONTINUING YIELDING WAITING
                                                                     AWAITING_RESULT FINISHING CLOSED
    YIELDING                -          -             -               RESPONDING RECEIVING_HEAD
                                                                     RECEIVING_CONTENT CONTINUING IDLE CLOSED
    WAITING                 READ       heartbeat     send heartbeat  RESPONDING FINISHING CLOSED
    AWAITING_RESULT         READ       result        answer 503      RESPONDING CLOSED
    FINISHING               WRITE      stall         reset           DRAINING WAITING CLOSED
    DRAINING                READ       linger        close           CLOSED
    CLOSED                  -          -             -               -

A timeout starts when the state is entered. In RESPONDING and FINISHING it restarts whenever the socket
accepts a part of the response, a stream has nothing to send, or a check finds that the client has read
something (``write_timeout.py``). In RECEIVING_CONTENT it is the *rate window*, over which the rate of the
request body is measured. If the body was fast enough, the next window starts.

With the PROXY protocol, a connection of a trusted proxy begins in RECEIVING_PROXY_HEADER; the bytes behind
the header are those of the first request. The address in it is that of the client from then on. A malformed
header closes the connection without a response.

The first byte of a request leads from IDLE to RECEIVING_HEAD; a complete request leads straight to
RESPONDING. After the response is sent, the next state depends on the receive buffer: IDLE if it is empty,
RECEIVING_HEAD or RECEIVING_CONTENT if it holds a part of a request, and YIELDING, until the next turn, if
the connection has used its share of this turn. Most responses are sent in one call: the connection is IDLE
again before the reactor checks its interest, so WRITE is not registered.

A route or a sink may refuse a request before its body is complete. The response is sent at once. If the rest
of the body is short, it is then received and discarded, in RECEIVING_CONTENT, and the next request follows.
Otherwise, and after a malformed request, the response is the last one.

CONTINUING waits until an interim response, such as 100 (Continue), is sent; in RECEIVING_CONTENT, others may
be sent, without waiting for the client to read them. WAITING waits for data of a live stream; only a stream
of server-sent events has the timeout, after which a comment is sent. AWAITING_RESULT waits for the response
of a ``Deferred``, which may have a timeout of its own, or for the end of the delay after a failed login. If
more than a request head is received in these two states, the rest is left in the socket until the response is
known or sent; behind a live stream that may never end, the connection is closed. The last response of a
connection (after ``Connection: close``, an error, or when the server is stopping) is sent in FINISHING,
followed by DRAINING, so that the client sees an orderly close instead of a reset. In every state that waits
for READ, the connection becomes CLOSED when the client closes it.
"""

import logging
import socket
import struct
from math import inf

from reactor.error_handlers import HANDLER_FAILED
from reactor.event_handler import EventHandler, Interest
from reactor.http11.deferred import Deferred
from reactor.http11.error_page import error_response
from reactor.http11.errors import HTTPError, LoginError, ProtocolError
from reactor.http11.message import HeaderPairs, Request, Response
from reactor.http11.parser import PHASE_CONTENT, PHASE_ENDED, PHASE_HEAD, PHASE_IDLE, Parser
from reactor.http11.proxy_header import UNIX
from reactor.http11.results import ResultError, name_of_function, to_response, with_missing_headers
from reactor.http11.serializer import ChunkSource, has_length, interim
from reactor.http11.target import Target
from reactor.logs.access_log import Exchange, Recorder, UnsentExchanges
from reactor.routing import Handler, Route
from reactor.server.connection_hooks import ConnectionHooks
from reactor.server.context import ServerContext, ServerState
from reactor.server.delayed_response import DelayedResponse
from reactor.server.request_body import MAX_DISCARDED, RequestBody, SinkError
from reactor.server.state import CloseReason, OnTimeout, State
from reactor.server.worker_pool import RETRY_AFTER, queue_full
from reactor.server.write_buffer import DONE, FlushResult, WriteBuffer, close_content
from reactor.server.write_timeout import WriteTimeout

log = logging.getLogger("reactor")

CONTINUE = interim(100)
# SO_LINGER with a timeout of 0: close() resets the connection and discards what the kernel has buffered.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# Logged, never sent, for a response that is broken off by the client (as in nginx) or by the server.
CLIENT_GONE, BROKEN_OFF = 499, 500
BY_CLIENT = frozenset({CloseReason.CLIENT_CLOSED, CloseReason.TIMEOUT, CloseReason.SEND_FAILED})
# Refusals that close the connection: the client is too slow, the body has no length, or a sink failed.
CLOSING = frozenset({408, 411, 500})
# When the server is stopping: seconds to wait for the first bytes of a new connection, and for an idle
# client to close.
STOP_GRACE = 1.0

# Enum members used for each request, bound once: in Python 3.11, State.IDLE takes 50 ns longer than IDLE.
RECEIVING_PROXY_HEADER = State.RECEIVING_PROXY_HEADER
ACCEPTED = State.ACCEPTED
IDLE = State.IDLE
RECEIVING_HEAD = State.RECEIVING_HEAD
CONTINUING = State.CONTINUING
RECEIVING_CONTENT = State.RECEIVING_CONTENT
RESPONDING = State.RESPONDING
YIELDING = State.YIELDING
WAITING = State.WAITING
AWAITING_RESULT = State.AWAITING_RESULT
FINISHING = State.FINISHING
DRAINING = State.DRAINING
CLOSED = State.CLOSED
RUNNING = ServerState.RUNNING
STOPPING = ServerState.STOPPING


class Connection(EventHandler, ConnectionHooks):
    """One client's connection, from accept to close."""

    __slots__ = (
        "_context",
        "_hooks",
        "_parser",
        "_proxies",
        "_request_body",
        "_streamed_target",
        "_unsent_exchanges",
        "_write_buffer",
        "_write_timeout",
        "number",
        "peer",
        "route",
        "served",
        "state",
    )

    def __init__(self, context: ServerContext, sock: socket.socket, peer: str) -> None:
        # The proxies that the server trusts, if the peer is one of them, else None.
        proxies = context.trusted_proxies
        self._proxies = proxies if proxies is not None and proxies.trusts(peer) else None
        first = ACCEPTED if self._proxies is None else context.first_state_of_proxies
        super().__init__(sock, first.interest, context.reactor.now + context.timeouts[first.index])
        self._context = context
        self._hooks = self.active_hooks()
        self._parser = Parser(context.head_reader)
        self._write_buffer = WriteBuffer(context.sendfile)
        self._write_timeout: WriteTimeout | None = None  # made when a response is not sent at once
        self._request_body: RequestBody | None = None
        # The method and the target of the request whose response has the body in the write buffer.
        self._streamed_target: tuple[str, Target | None] = "", None
        self.peer = peer
        self.number = context.allocate_number()
        recorder = self.recorder()
        self._unsent_exchanges = None if recorder is None else UnsentExchanges(recorder, self.number)
        self.served = 0  # requests answered, including refused ones
        self.route: Route | None = None  # of the latest request
        self.state = first

    def __repr__(self) -> str:
        route = f" {self.route.template}" if self.route is not None and self.route.template else ""
        return f"<Connection c{self.number} {self.peer} {self.state.name}{route}>"

    # Called by the server, the acceptor and the inspector.

    @property
    def is_between_requests(self) -> bool:
        """True between requests, and before the first one."""
        return self.state is IDLE or self.state is ACCEPTED or self.state is RECEIVING_PROXY_HEADER

    @property
    def is_dispensable(self) -> bool:
        """True if only a part of the first request head has been received, and in DRAINING.

        At the connection limit, such a connection is closed before one that is idle between requests.
        """
        begun = self.state is RECEIVING_HEAD or self.state is IDLE
        return (begun and self.served == 0) or self.state is DRAINING

    @property
    def is_delayed(self) -> bool:
        """True while the response to a failed login is delayed.

        At the connection limit, such a connection is closed before all others.
        """
        return isinstance(self._write_buffer.body, DelayedResponse)

    @property
    def unparsed(self) -> int:
        """The number of received bytes that are not parsed yet."""
        return self._parser.buffered

    @property
    def unsent(self) -> int:
        """The number of bytes in the write buffer."""
        return self._write_buffer.size

    @property
    def timeout_ends(self) -> float:
        """When the timeout of the current state ends, in time of the reactor's clock; inf without one.

        In the states that wait for WRITE, the deadline can be that of the next check.
        """
        if self.state.on_timeout is not OnTimeout.RESET or self._write_timeout is None:
            return self.deadline
        return max(self.deadline, self._write_timeout.ends)

    def recorder(self) -> Recorder | None:
        """Return the recorder of this connection's exchanges, or None; a subclass may return itself."""
        return self._context.access_log

    def has_unread_input(self) -> bool:
        """Return whether the socket has unread bytes."""
        try:
            return bool(self.handle.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def summary(self, now: float) -> str:
        """Return a one-line summary of this connection, for the log."""
        until = ""
        if self.timeout_ends != inf:
            timeout = str(self.state.timeout).replace("_", "-")
            until = f", {timeout} timeout in {self.timeout_ends - now:.1f} s"
        return (
            f"c{self.number} {self.peer} fd {self.handle.fileno()} {self.state.name}, {self.served} served, "
            f"{self._parser.buffered} bytes unparsed, {self._write_buffer.size} unsent{until}"
        )

    def stop(self) -> None:
        """Answer the requests that have been received, then close (graceful shutdown)."""
        reactor = self._context.reactor
        reactor.check_thread("Connection.stop()")
        if self.state is ACCEPTED or self.state is RECEIVING_PROXY_HEADER:
            self.deadline = min(self.deadline, reactor.now + STOP_GRACE)
        elif self.state is IDLE:
            self._end_idle()
        else:
            self._end_live_stream()
            if isinstance(self._write_buffer.body, DelayedResponse):
                self._write_buffer.body.end()
        reactor.refresh(self)

    def abort(self) -> None:
        """Close immediately; reset if a response is incomplete, so that it does not look complete."""
        self._context.reactor.check_thread("Connection.abort()")
        self._abort(CloseReason.SERVER_CLOSED)

    # Called by the reactor.

    def on_readable(self) -> None:
        """Receive bytes, and process them as far as possible."""
        data: bytes | memoryview
        try:
            if self.state is RECEIVING_CONTENT:
                data = self._receive_content()
            else:
                data = self.handle.recv(self._context.settings.turn_read)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(CloseReason.COMPLETED if self.state is DRAINING else CloseReason.CLIENT_CLOSED)
            return
        if self._hooks is not None:
            self._hooks.on_received(bytes(data))
        state = self.state
        if state is not DRAINING:
            if isinstance(data, bytes):
                self._parser.feed(data)
            else:
                self._parser.feed_content(data)
            if state.parses_requests:
                self._process()
            elif state is RECEIVING_PROXY_HEADER:
                self._receive_proxy_header()
            else:
                self._limit_pipelined(self.is_delayed and self._parser.phase is PHASE_ENDED)

    def _receive_proxy_header(self) -> None:
        """Take the client's address from a complete PROXY header, and process the request behind it."""
        try:
            header = self._parser.next_proxy_header()
        except ProtocolError as error:
            log.info("c%d: closed connection of the proxy %s: %s", self.number, self.peer, error.reason)
            self._close(CloseReason.PROXY_HEADER)
            return
        if header is None:
            return
        address, proxies = header.address, self._context.trusted_proxies
        if address is not None:
            self.peer = address
        # A client without an address may be any one, as may one of a Unix socket of the proxy.
        unknown = address is None or address == UNIX or proxies is None or not proxies.trusts(address)
        if unknown and not header.is_local:
            self._proxies = None
        self._enter(ACCEPTED)
        if self._context.state is STOPPING:
            self.stop()
        self._process()

    def _receive_content(self) -> bytes | memoryview:
        """Receive a part of a body: for sinks that take views into the server's buffer. Raise OSError.

        In RECEIVING_CONTENT they get it at once. Chunks, and bytes behind a body, are parsed in other memory.
        """
        assert self._request_body is not None, "RECEIVING_CONTENT without a request body"
        left = self._parser.content_left
        if self._request_body.view_sink is None or left == inf or self._parser.buffered:
            data: bytes = self.handle.recv(self._context.settings.turn_read)
            return data
        buffer = self._context.content_buffer
        return buffer[: self.handle.recv_into(buffer, int(min(len(buffer), left)))]

    def _limit_pipelined(self, of_refused_body: bool = False) -> None:
        """Limit the bytes received behind a result, or a live stream.

        Those of a refused body, which the parser ignores, are left in the socket: receiving them would make
        the client send all of it before the response.
        """
        limit = self._context.settings.max_head
        if self._parser.buffered <= limit and not of_refused_body:
            return
        body = self._write_buffer.body
        if not isinstance(body, ChunkSource) or body.ends_by_itself:
            self.interest = Interest.NONE  # receive the rest after the response
        else:
            log.info("c%d: closed: over %d bytes pipelined behind a live stream", self.number, limit)
            self._close(CloseReason.SERVER_CLOSED)

    def on_writable(self) -> None:
        """Continue sending, then process the requests that are already buffered."""
        self._process()

    def on_soon(self) -> None:
        """Continue with the requests that exceeded the share of the last turn, or with a result."""
        if self.state is AWAITING_RESULT:
            self._enter(RESPONDING)
            self._process()
        elif self.state is YIELDING:  # otherwise it was closed while the inspector held this call
            self._process()

    def on_deadline(self) -> None:
        """Take the action that the state table defines for a timeout."""
        action = self.state.on_timeout
        if action is OnTimeout.ANSWER_408:
            self._request_timeout(f"request head incomplete after {self._context.settings.head_timeout:g} s")
        elif action is OnTimeout.MEASURE_RATE:
            self._measure_rate()
        elif action is OnTimeout.RESET:
            self._check_write_timeout()
        elif action is OnTimeout.ANSWER_503:
            self._result_timeout()
        elif action is OnTimeout.SEND_HEARTBEAT:
            self._renew_deadline()  # the stream may have ended, or have data already
            assert isinstance(self._write_buffer.body, ChunkSource), "WAITING without a stream"
            self._write_buffer.body.send_heartbeat()
        elif self.is_between_requests and self._context.state is STOPPING:
            self._end_idle()
        else:
            self._close(CloseReason.TIMEOUT)

    def on_failure(self) -> None:
        """Close the connection after an unhandled exception, which has been logged.

        A truncated response must not look complete. Only the last one may end with the connection instead of
        a length: reset the connection if the last response is not sent completely.
        """
        if self._parser.phase is PHASE_ENDED:
            self._abort(CloseReason.HANDLER_FAILED)
        else:
            self._close(CloseReason.HANDLER_FAILED)

    # From bytes to requests, from requests to responses.

    def _process(self) -> None:
        """Answer complete requests, send responses, and enter the next state."""
        write_buffer = self._write_buffer
        settings = self._context.settings
        # Backpressure: parse the next request only when the previous response is buffered completely and the
        # buffer is below the low-water mark.
        ready = write_buffer.body is None and write_buffer.size <= settings.low_water
        is_done = ready and self._answer_requests()
        sent_before = write_buffer.sent
        if write_buffer.body is None:  # most responses are bytes in memory: this saves a call
            result = write_buffer.flush_bytes(self.handle, settings.turn_send)
        else:
            result = write_buffer.flush(self.handle, settings.turn_send)
        sent = write_buffer.sent - sent_before
        if self._hooks is not None and sent:
            self._hooks.on_sent(sent)
        if self._unsent_exchanges is not None:
            self._unsent_exchanges.log_sent(write_buffer.sent, result is DONE)
        if result is DONE:
            self._next_state(is_done)
        else:
            self._after_incomplete_flush(result, sent > 0, is_done)

    def _answer_requests(self) -> bool:
        """Answer requests; return False if a limit was reached while more requests may be buffered."""
        parser = self._parser
        write_buffer = self._write_buffer
        context, proxies = self._context, self._proxies
        settings = context.settings
        compressed = 0
        try:
            for _ in self._context.request_share:
                if self._request_body is not None:
                    taken = self._take_content(self._request_body)
                    if taken is None:
                        return True
                    compressed += taken
                else:
                    request = parser.next_request()
                    if request is None:
                        return True
                    request.peer = self.peer
                    if proxies is None:
                        self.route = route = context.resolve(request)
                    else:
                        self.route = route = context.resolve_forwarded(request, proxies)
                    if parser.phase is PHASE_CONTENT or route.always_open_sink:
                        compressed += self._begin_content(request, route)
                    else:
                        compressed += self._respond(request, route.handler)
                if parser.phase is not PHASE_HEAD and parser.phase is not PHASE_CONTENT:
                    return True
                if write_buffer.body is not None or write_buffer.size >= settings.high_water:
                    return False
                if compressed >= settings.turn_compress:
                    return False
        except HTTPError as error:
            self._refuse(error)
        return False

    def _begin_content(self, request: Request, route: Route) -> int:
        """Open the sink for a request body; return the number of bytes compressed.

        A request whose route has no sink is answered before its body is received.
        """
        if route.sink is None:
            if not self._can_discard(request):
                self._parser.end()
            compressed = self._respond(request, route.handler)
            self._discard_content(request)
            return compressed
        now, max_body = self._context.reactor.now, self._context.settings.max_body
        try:
            request_body = RequestBody(request, route.handler, route.sink, now, max_body)
        except HTTPError as error:
            self._refuse(error, request)
            return 0
        self._request_body = request_body
        if request.head.expects_continue or request_body.interim_sink is not None:
            self._invite_content(request_body)
        return 0 if self._parser.phase is PHASE_CONTENT else self._complete(request_body)

    def _invite_content(self, request_body: RequestBody) -> None:
        """Send the interim response of the sink, if any, and 100 (Continue) if the client expects it."""
        data = request_body.take_interim()
        # RFC 9110, 10.1.1: 100 may be omitted when a part of the body has been received already.
        awaits_content = self._parser.phase is PHASE_CONTENT and not self._parser.buffered
        if awaits_content and request_body.request.head.expects_continue:
            data += CONTINUE
        if data:
            self._write_interim(data)
            if awaits_content:
                self._enter(CONTINUING)

    def _write_interim(self, data: bytes) -> None:
        """Add interim responses to the write buffer."""
        if self._unsent_exchanges is not None:
            self._unsent_exchanges.end(self._write_buffer.total_added)  # the previous response ends here
        self._write_buffer.write(data)

    def _take_content(self, request_body: RequestBody) -> int | None:
        """Pass received body bytes to the sink; return the bytes compressed, None if more are needed."""
        data = self._parser.next_content()
        if data:
            request_body.write(data)
        if self._parser.phase is not PHASE_CONTENT:
            return self._complete(request_body)
        sink = request_body.interim_sink
        # At most one waits until the client reads: the sink replaces it by a later one.
        if sink is not None and sink.interim is not None and not self._write_buffer.size:
            self._write_interim(request_body.take_interim())
        return 0 if data else None

    def _complete(self, request_body: RequestBody) -> int:
        """Answer a complete request, unless it has been refused; return the number of bytes compressed."""
        request_body.finish()
        compressed = 0
        if request_body.handler is not None:
            compressed = self._respond(request_body.request, request_body.handler)
        elif self.state is RECEIVING_CONTENT and self._parser.phase is PHASE_HEAD:
            self._enter(RECEIVING_HEAD)  # of the next request
        self._close_request_body()
        return compressed

    def _close_request_body(self) -> None:
        # None if a handler has closed this connection. A Deferred uses the body until it is resolved.
        if self._request_body is not None and not isinstance(self._write_buffer.body, Deferred):
            request_body, self._request_body = self._request_body, None
            request_body.close()

    def _respond(self, request: Request, handler: Handler) -> int:
        """Call the handler and enqueue its response; return the number of bytes compressed."""
        if self.state is not RESPONDING:
            self._enter(RESPONDING)
        if self._hooks is not None:
            self._hooks.on_request(request)
        response: object = None  # until the handler returns
        try:
            response = handler(request)
            if not isinstance(response, Response):
                if isinstance(response, Deferred):
                    self._defer(request, handler, response)
                    return 0
                response = to_response(response)
            return self._enqueue_response(request, response)
        except LoginError as error:
            return 0 if self._delay(request, error) else self._enqueue_error(request, error)
        except Exception as error:
            if isinstance(response, Response) and not isinstance(error, HTTPError):
                close_content(response.content)
            return self._enqueue_error(request, error)

    def _enqueue_error(self, request: Request, error: Exception, headers: HeaderPairs = ()) -> int:
        """Log an error, and enqueue the response to it, which gets the headers that it lacks.

        The application's error handler may have made it. If it is invalid, the client gets the default.
        """
        response: Response | None = None  # until it is known
        try:
            response = self._error_response(request, error)
            return self._enqueue_response(request, with_missing_headers(response, headers))
        except Exception as invalid:
            log.error("c%d: invalid response to an error, %r", self.number, request, exc_info=invalid)
            if response is not None and not isinstance(invalid, HTTPError):
                close_content(response.content)
        return self._enqueue_response(request, error_response(request, HTTPError(500, HANDLER_FAILED)))

    def _error_response(self, request: Request, error: Exception) -> Response:
        """Log an error, and return the response to it."""
        handlers = self._context.router.error_handlers
        cause = error.cause if isinstance(error, SinkError) else error
        if isinstance(cause, ResultError):
            shown: Exception = HTTPError(500, HANDLER_FAILED)
        else:
            shown = error if handlers.find(cause) is None else cause
        response = handlers.respond(request, shown)
        self._log_error(request, error, cause, response.status)
        return response

    def _log_error(self, request: Request, error: Exception, cause: Exception, status: int) -> None:
        """Log an error that was answered with this status; ``cause`` is what a sink raised, or the error."""
        if isinstance(cause, HTTPError):
            log.info("c%d: %d %s", self.number, cause.status, cause.reason)
        elif isinstance(cause, ResultError):
            self._log_wrong_result(request, cause)
        elif status < 500:
            log.info("c%d: %r: %s: %s", self.number, request, type(cause).__qualname__, cause)
        elif cause is error:
            log.error("c%d: unhandled exception in the handler of %r", self.number, request, exc_info=cause)
        else:
            log.error("unhandled exception while processing a request body", exc_info=cause)

    def _log_wrong_result(self, request: Request, error: ResultError) -> None:
        assert self.route is not None, "a result without a route"
        name, where = name_of_function(self.route.function), f"{request.method} {request.route}"
        log.error("c%d: the handler %s of %s returned %s", self.number, name, where, error)

    # Responses that are not known yet. The Deferred takes the place of the response in the write buffer, and
    # uses the request body until it is resolved or dropped, even if the connection is closed before.

    def _defer(self, request: Request, handler: Handler, deferred: Deferred) -> None:
        """Add a Deferred to the write buffer."""
        context = self._context
        if deferred.has_steps and not deferred.begun and context.worker_queue_is_full():
            deferred.abort()
            raise queue_full()
        deferred.start(context.in_worker, context.run_in_loop, self._on_resolved)
        if self.state is CLOSED:  # the handler called Server.close() or abort()
            self._parser.end()
            self._abandon(deferred)
            return
        if self._request_body is None:  # when the request began, for the access log
            self._request_body = RequestBody.without_bytes(request, handler, context.reactor.now)
        self._write_buffer.add(deferred)

    def _delay(self, request: Request, error: LoginError) -> bool:
        """Delay the response to a failed login; return False to send it at once: the server is stopping."""
        context, route = self._context, self.route
        assert route is not None, "a failed login without a route"
        now = context.reactor.now
        delay, refusal = context.failed_logins.refuse(request.peer, error, now)
        if context.state is STOPPING:
            return False
        # The delay must not keep a received body in memory or on disk.
        began = now if self._request_body is None else self._request_body.began
        self._close_request_body()
        request.content = b""
        self._request_body = RequestBody.without_bytes(request, route.handler, began)
        refused = context.router.error_handlers.respond(request, refusal)
        response = DelayedResponse(context.reactor, delay, refused)
        self._defer(request, route.handler, response)
        return True

    def _on_resolved(self, deferred: Deferred) -> None:
        context = self._context
        if self._write_buffer.body is deferred:  # not a later one of the same connection
            if self.state is AWAITING_RESULT:
                context.reactor.soon(self)
        elif self in context.abandoned and context.abandoned[self].find() is deferred:
            self.drop_result()

    def _continue_with_result(self, progress: bool) -> None:
        """Wait for the result, or enqueue its response; send it now, unless this turn has sent bytes."""
        assert isinstance(self._write_buffer.body, Deferred), "no Deferred in the write buffer"
        assert self._request_body is not None, "a Deferred without a request body"
        if not self._write_buffer.body.done:
            self._enter(AWAITING_RESULT)
            timeout = self._write_buffer.body.timeout
            if timeout is not None:
                self.deadline = self._context.reactor.now + timeout
            self._limit_pipelined()
            return
        deferred = self._write_buffer.take_deferred()
        request = self._request_body.request
        self._respond(request, lambda _: deferred.result())
        self._close_request_body()
        self._discard_content(request)
        if not progress:
            self._process()
        elif self.state is RESPONDING:
            self._start_write_timeout()

    def _result_timeout(self) -> None:
        """Answer 503, close the connection after it, and drop the result when it is known."""
        assert isinstance(self._write_buffer.body, Deferred), "no Deferred in the write buffer"
        assert self._request_body is not None, "a Deferred without a request body"
        if self._write_buffer.body.done:  # a thread has just resolved it
            self.on_soon()
            return
        deferred, request = self._write_buffer.take_deferred(), self._request_body.request
        assert self.route is not None, "a result without a route"
        seconds = self._context.settings.result_timeout if deferred.timeout is None else deferred.timeout
        name = name_of_function(self.route.function)
        log.warning("c%d: result timeout: no result of %s after %g s", self.number, name, seconds)
        self._parser.end()
        self._enter(RESPONDING)
        self._enqueue_error(request, HTTPError(503, "the result took too long", RETRY_AFTER))
        close_content(deferred)
        self._abandon(deferred)
        self._process()

    def _abandon(self, deferred: Deferred) -> None:
        """Drop a result, now or when it is known; a step that is running may use the request body."""
        request_body, self._request_body = self._request_body, None
        self._context.abandon(self, deferred, request_body)
        if deferred.done:
            self.drop_result()

    def drop_result(self) -> None:
        """Release what belongs to an abandoned result; log an unhandled exception."""
        find, request_body = self._context.forget_result(self)
        deferred = find()
        try:
            if deferred is not None and deferred.done:
                close_content(deferred.result().content)
            elif deferred is not None:
                deferred.abort()
        except HTTPError:
            pass  # the response would have been an error
        except ResultError as error:
            log.error("c%d: a Deferred, which was no longer awaited, returned %s", self.number, error)
        except Exception:
            log.exception("c%d: unhandled exception of a result that was no longer awaited", self.number)
        if request_body is not None:
            request_body.close()

    def _refuse(self, error: HTTPError, request: Request | None = None) -> None:
        """Answer a request with an error, and discard the rest of its body or end the connection."""
        if self._hooks is not None:
            self._hooks.on_refused(error)
        is_routed = True
        if self._request_body is not None:
            request = self._request_body.request
        elif request is None:
            request, is_routed = self._parser.partial_request(), False
            request.peer = self.peer
        if isinstance(error, ProtocolError) or error.status in CLOSING or not self._can_discard(request):
            self._parser.end()
        if self.state is not RESPONDING:
            self._enter(RESPONDING)
        if isinstance(error, LoginError) and self._delay(request, error):
            return
        headers = self.route.limits if error.status == 413 and self.route is not None else ()
        if is_routed:
            self._enqueue_error(request, error, headers)
        else:
            log.info("c%d: %d %s", self.number, error.status, error.reason)
            self._enqueue_response(request, with_missing_headers(error_response(request, error), headers))
        self._close_request_body()
        self._discard_content(request)

    def _can_discard(self, request: Request) -> bool:
        """Return whether the rest of the body is short, and the client will certainly send it.

        RFC 9110, 10.1.1: a client that expects 100 (Continue) need not send the body after a refusal.
        """
        left = self._parser.content_left
        omits = request.head.expects_continue and self._request_body is None and not self._parser.buffered
        return left == 0 or (left <= MAX_DISCARDED and request.head.version == 1 and not omits)

    def _discard_content(self, request: Request) -> None:
        """Discard the rest of the body of a request that has been refused, after its response is known."""
        if self._parser.phase is PHASE_CONTENT and self._request_body is None:
            self._request_body = RequestBody.discarding(request, self._context.reactor.now)

    def _enqueue_response(self, request: Request, response: Response) -> int:
        """Add a response to the write buffer; return the number of bytes compressed."""
        context = self._context
        parser = self._parser
        write_buffer = self._write_buffer
        head = request.head
        if self.state is CLOSED:  # the handler called Server.close() or abort()
            parser.end()
            close_content(response.content)
            return 0
        if context.reactor.now >= context.common_headers_expire:
            context.renew_common_headers()
        keep_alive = head.keep_alive and parser.phase is not PHASE_ENDED
        if context.state is not RUNNING and not parser.buffered and not self.has_unread_input():
            keep_alive = False  # the server stops soon, and this was the last received request
        if head.version == 0 and not has_length(response):
            keep_alive = False
        hooks = self._hooks
        if hooks is not None:
            hooks.before_response(request)
        data, body, compressed = context.serializer.serialize(
            request, response, keep_alive, context.common_headers, context.settings.turn_compress
        )
        if body is not None and isinstance(body, ChunkSource) and not body.subscribe(self._wake):
            log.error("c%d: a LiveStream can be sent only in one response", self.number)
            raise HTTPError(500, HANDLER_FAILED)
        self.served += 1
        if self._unsent_exchanges is not None:
            began = context.reactor.now if self._request_body is None else self._request_body.began
            start_offset = write_buffer.sent + write_buffer.size  # no earlier body is pending
            body_offset = start_offset + data.find(b"\r\n\r\n") + 4
            exchange = Exchange(request, response.status, self.served, began, body_offset)
            self._unsent_exchanges.begin(exchange, start_offset)
        write_buffer.write(data)
        if body is not None:
            write_buffer.add(body)
            self._streamed_target = request.method, request.target
            if context.state is STOPPING:
                self._end_live_stream()
        if hooks is not None:
            hooks.on_response(request, response.status, data, compressed)
        if not keep_alive:
            parser.end()
            self._enter(FINISHING)
        return compressed

    def _end_live_stream(self) -> None:
        if isinstance(self._write_buffer.body, ChunkSource):
            try:
                self._write_buffer.body.end()
            except Exception:  # the application's code
                log.exception("c%d: unhandled exception while closing a live stream", self.number)

    def _wake(self) -> None:
        """Resume the connection when its live stream has data or has ended; thread-safe."""
        self._context.run_in_loop(self._resume)

    def _resume(self) -> None:
        if self.state is WAITING:
            self._enter(FINISHING if self._parser.phase is PHASE_ENDED else RESPONDING)
            # The socket may stay full for the whole timeout: check meanwhile whether the client reads.
            self._start_write_timeout()
            self._context.reactor.refresh(self)

    def _request_timeout(self, reason: str) -> None:
        """Answer 408 (Request Timeout)."""
        self._refuse(HTTPError(408, reason))
        self._process()

    def _measure_rate(self) -> None:
        """Start another rate window; if the body is too slow, answer 408, or close after a refusal."""
        assert self._request_body is not None, "RECEIVING_CONTENT without a request body"
        too_slow = self._request_body.measure_rate(self._context.settings)
        if too_slow is None:
            self._await_content()
        elif self._request_body.handler is None:
            log.info("c%d: closed: %s", self.number, too_slow)
            self._close(CloseReason.TIMEOUT)
        else:
            self._request_timeout(too_slow)

    def _await_content(self) -> None:
        """Wait for more of the body; a rate window that has started continues."""
        assert self._request_body is not None, "RECEIVING_CONTENT without a request body"
        if self.state is RECEIVING_CONTENT:
            self._renew_deadline()
        else:
            self._enter(RECEIVING_CONTENT)
        self.deadline = self._request_body.window_ends = min(self._request_body.window_ends, self.deadline)

    # Closing.

    def _linger(self) -> None:
        """Shut down the sending side, and wait for the client to close (lingering close).

        RFC 9112, 9.6: if bytes arrive after close(), the kernel resets the connection, and the client may
        lose a response that it has not read yet.
        """
        self._enter(DRAINING)
        try:
            self.handle.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(CloseReason.COMPLETED)

    def _end_idle(self) -> None:
        """Shut down and drain an idle connection, so that a request in transit is not lost to a reset."""
        if not self.has_unread_input():  # otherwise the request is read and answered in the next turn
            self._linger()
            if self.state is DRAINING:
                self.deadline = min(self.deadline, self._context.reactor.now + STOP_GRACE)

    def _abort(self, reason: CloseReason) -> None:
        """Close; reset the connection if a response is not sent completely."""
        if self._write_buffer.size or self._write_buffer.body is not None:
            self._reset(reason)
        else:
            self._close(reason)

    def _reset(self, reason: CloseReason) -> None:
        """Close with a reset, discarding what the kernel has buffered."""
        try:
            self.handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        except OSError:
            pass  # the client has closed the connection already
        self._close(reason)

    def _close(self, reason: CloseReason) -> None:
        """Close the socket and release all resources; log incomplete responses."""
        if self.state is CLOSED:
            return
        if self._unsent_exchanges is not None:
            self._log_unsent(self._unsent_exchanges, CLIENT_GONE if reason in BY_CLIENT else BROKEN_OFF)
            self._unsent_exchanges = None  # avoids a reference cycle if this connection is the recorder
        self._close_request_body()
        deferred = self._write_buffer.body
        self._enter(CLOSED)
        self._write_buffer.clear()
        if isinstance(deferred, Deferred):
            self._abandon(deferred)
        # Unregister the socket before closing it: its file descriptor may be reused immediately.
        self._context.reactor.remove(self)
        self.handle.close()
        if self._hooks is not None:
            self._hooks.on_closed(reason)
            self._hooks = None  # avoids a reference cycle if this connection is its own hooks object
        self._context.forget(self)

    def _log_unsent(self, exchanges: UnsentExchanges, status: int) -> None:
        """Log incomplete responses, and a request whose body is incomplete, with this status."""
        sent = self._write_buffer.sent
        if self._request_body is not None and self._request_body.handler is not None:
            request, began = self._request_body.request, self._request_body.began
            exchanges.begin(Exchange(request, status, self.served + 1, began, sent), sent)
        exchanges.log_aborted(sent, status)

    def _log_body_failure(self) -> None:
        """Log why the body of a response could not be sent."""
        error = self._write_buffer.failure
        # An OSError is not the application's fault (a file changed or cannot be read): no traceback.
        trace = None if isinstance(error, OSError) else error
        where = "{} {}".format(*self._streamed_target)
        log.error("c%d: sending the response to %s failed: %s", self.number, where, error, exc_info=trace)

    # The state machine.

    def _next_state(self, is_done: bool) -> None:
        """Enter the next state after everything was sent; an unchanged state keeps its deadline."""
        phase = self._parser.phase
        state = self.state
        if state is FINISHING:
            self._linger()
        elif phase is PHASE_IDLE:
            if state is not IDLE and state is not ACCEPTED:
                self._enter(IDLE)
            if self._context.state is STOPPING and self.state is IDLE:
                self._end_idle()
        elif not is_done and self._parser.buffered:
            if state is not YIELDING:
                self._enter(YIELDING)
            self._context.reactor.soon(self)
        elif phase is PHASE_HEAD:
            if state is not RECEIVING_HEAD:
                self._enter(RECEIVING_HEAD)
        elif phase is PHASE_CONTENT and state is not RECEIVING_CONTENT:
            self._await_content()

    def _after_incomplete_flush(self, result: FlushResult, progress: bool, is_done: bool) -> None:
        """Enter the next state after a flush that did not send everything."""
        buffered = self._write_buffer.size
        if result is FlushResult.FAILED:
            self._reset(CloseReason.SEND_FAILED)
        elif result is FlushResult.BODY_FAILED:
            self._log_body_failure()
            # The response is truncated, and must not look complete.
            self._reset(CloseReason.BODY_FAILED)
        elif result is FlushResult.STREAM_IDLE:
            self._enter(WAITING)
            body = self._write_buffer.body
            assert isinstance(body, ChunkSource), "STREAM_IDLE without a stream"
            if not body.has_heartbeat:
                self.deadline = inf
            if body.ends_by_itself:
                self._limit_pipelined()
        elif result is FlushResult.AWAITED:
            self._continue_with_result(progress)
        elif self.state in (RECEIVING_CONTENT, YIELDING) and buffered <= self._context.settings.low_water:
            # Only an interim response is unsent. The client may send the whole body before it reads: receive
            # more, and flush again with each part.
            self._next_state(is_done)
        else:
            if self.interest != Interest.WRITE:
                # The interim response is not sent completely, and a part of the body was received.
                self._enter(RESPONDING)
            now, timeout = self._context.reactor.now, self._write_timeout
            # If a stream has no chunk ready, the application is slow, not the client: restart the timeout. A
            # deadline after the next check is that of a state that has just been entered.
            restarts = progress or self._write_buffer.awaits_producer
            if restarts or timeout is None or self.deadline > timeout.next_check(now):
                self._start_write_timeout()

    def _start_write_timeout(self) -> None:
        """Start the write timeout; the next deadline is that of its first check."""
        context = self._context
        if self._write_timeout is None:
            self._write_timeout = WriteTimeout(
                self.handle, context.settings.stall_timeout, context.unacknowledged
            )
        self.deadline = self._write_timeout.start(context.reactor.now)

    def _check_write_timeout(self) -> None:
        """Reset the connection if the client has read nothing for the write timeout."""
        timeout = self._write_timeout
        next_check = None if timeout is None else timeout.check(self._context.reactor.now, self.deadline)
        if next_check is not None:
            self.deadline = next_check
        else:
            log.info("c%d: write timeout, connection reset", self.number)
            self._reset(CloseReason.TIMEOUT)

    def _enter(self, state: State) -> None:
        """Change the state, and with it the interest and the deadline."""
        before = self.state
        assert state in before.successors, f"{before.name} -> {state.name}"
        self.state = state
        self.interest = state.interest
        context = self._context
        self.deadline = context.reactor.now + context.timeouts[state.index]
        if self._hooks is not None:
            self._hooks.on_state_change(before, state)

    def _renew_deadline(self) -> None:
        """Restart the timeout of the current state."""
        context = self._context
        self.deadline = context.reactor.now + context.timeouts[self.state.index]
