"""The server context: what all connections of one server share.

These are the routes, the settings, the access log, the default headers, and the table of connections.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from enum import Enum, auto
from functools import partial
from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, NamedTuple
from weakref import ref

from reactor.allowed_hosts import AllowedHosts
from reactor.http11.dates import format_date
from reactor.http11.deferred import Call, Deferred, call_at_once
from reactor.http11.errors import HTTPError
from reactor.http11.head import HeadReader
from reactor.http11.message import NO_PARAMS, Request, Response
from reactor.http11.serializer import Serializer
from reactor.http11.target import NOT_SECURED
from reactor.logs.access_log import AccessLog
from reactor.loop import Reactor
from reactor.routing import Route, Router
from reactor.server.failed_logins import FailedLogins
from reactor.server.prefix import Prefix
from reactor.server.request_body import RequestBody
from reactor.server.state import State
from reactor.server.write_buffer import SendFile
from reactor.server.write_timeout import Unacknowledged, unacknowledged
from reactor.settings import Settings
from reactor.trusted_proxies import TrustedProxies

if TYPE_CHECKING:
    from reactor.server.connection import Connection


class ServerState(Enum):
    """The state of a server; see the table in ``reactor.server.shutdown``."""

    RUNNING = auto()
    UNREADY = auto()
    STOPPING = auto()
    STOPPED = auto()


class Abandoned(NamedTuple):
    """A result that will be dropped, and the request body that is used until then.

    ``find`` returns the Deferred; None if it has no steps, and the application has dropped it.
    """

    find: Callable[[], Deferred | None]
    request_body: RequestBody | None


# Calls a function with arguments in the loop's next turn; thread-safe.
CallSoon = Callable[..., object]


class ServerContext:
    """One server's routes, settings and connections.

    ``default_headers`` are encoded header lines that follow Date in every response. The wall clock (seconds
    since the epoch), sendfile and ``unacknowledged`` can be replaced, for tests, like the reactor's selector
    and clock. Requests for hosts outside ``allowed_hosts`` get 403; None allows every host. ``call_soon`` is
    None if no other thread uses the loop. ``in_worker`` calls a function in a worker thread;
    ``worker_queue_is_full`` returns whether too many functions are waiting for one.
    ``connection_numbers`` are 1, 2, ... by default. Connections of ``trusted_proxies`` must begin with a
    PROXY header if ``proxy_protocol`` is true. ``prefix`` is the path prefix of the server, which
    ``read_prefix`` has checked.
    """

    def __init__(
        self,
        reactor: Reactor,
        router: Router,
        settings: Settings,
        access_log: AccessLog | None = None,
        wall_clock: Callable[[], float] = time.time,
        sendfile: SendFile = os.sendfile,
        default_headers: bytes = b"",
        call_soon: CallSoon | None = None,
        allowed_hosts: AllowedHosts | None = None,
        unacknowledged: Unacknowledged = unacknowledged,
        in_worker: Call = call_at_once,
        worker_queue_is_full: Callable[[], bool] = bool,  # False
        connection_numbers: Iterator[int] | None = None,
        trusted_proxies: TrustedProxies | None = None,
        proxy_protocol: bool = False,
        prefix: str = "",
    ) -> None:
        self.reactor = reactor
        self.router = router
        self.settings = settings
        self.access_log = access_log
        self.wall_clock = wall_clock
        self.sendfile = sendfile
        self.unacknowledged = unacknowledged
        self.in_worker = in_worker
        self.worker_queue_is_full = worker_queue_is_full
        self._allowed_hosts = allowed_hosts
        self.trusted_proxies = trusted_proxies
        self.first_state_of_proxies = State.RECEIVING_PROXY_HEADER if proxy_protocol else State.ACCEPTED
        self._prefix = Prefix(prefix, router) if prefix else None
        self.head_reader = HeadReader(settings, prefix, trusted_proxies is not None)
        self.serializer = Serializer()
        # Timeouts in seconds, indexed by State.index.
        self.timeouts: tuple[float, ...] = tuple(
            inf if state.timeout is None else getattr(settings, f"{state.timeout}_timeout") for state in State
        )
        # A connection's share of a turn, kept as a range: creating one takes 60 ns.
        self.request_share = range(settings.turn_requests)
        # For bodies that are written to files, which need no bytes object. Its content changes in each turn.
        self.content_buffer = memoryview(bytearray(settings.turn_read_file))
        self.connections: dict[int, Connection] = {}
        # Connections with a result that will be dropped when it is known: closed ones, or answered with 503.
        self.abandoned: dict[Connection, Abandoned] = {}
        self._abandoned_steps = 0  # those whose Deferred has steps
        self.failed_logins = FailedLogins()
        self.state = ServerState.RUNNING
        self._call_soon = call_soon
        self._at_next_close: dict[Callable[[], None], None] = {}  # an ordered set
        self._connection_numbers = itertools.count(1) if connection_numbers is None else connection_numbers
        self._default_headers = default_headers
        self.common_headers = b""  # encoded: Date, unless disabled, and the default headers
        self.common_headers_expire = -inf  # a time of the reactor's clock

    def run_in_loop(self, function: Callable[[], object]) -> None:
        """Call a function in the loop's thread: now if this is that thread, else in its next turn."""
        if self._call_soon is None or get_ident() == self.reactor.thread:
            function()
        else:
            self._call_soon(function)

    def resolve(self, request: Request) -> Route:
        """Return the route of a request, and set the request's ``route`` and ``params``.

        Until a route is added, the result is cached in the target, which requests with the same head share.
        """
        cached = request.target.cached_route
        if cached is not None and cached[0] is self.router.version:
            _, route, params = cached
            assert isinstance(route, Route)
        else:
            version = self.router.version  # read first: a route may be added during the lookup
            if self._allowed_hosts is not None and not self._allowed_hosts.allows(request.head.host):
                route, params = self._allowed_hosts.error_route, NO_PARAMS
            elif request.target.scheme == "https" and request.scheme != "https":
                route, params = _NOT_SECURED, NO_PARAMS
            elif self._prefix is None:
                route, params = self.router.resolve(request.method, request.target.segments)
            else:
                route, params = self._prefix.resolve(request.method, request.target.segments)
            request.target.cached_route = version, route, params
        request.params = params
        request.route = route.template
        return route

    def resolve_forwarded(self, request: Request, proxies: TrustedProxies) -> Route:
        """Return the route of a request that a trusted proxy has sent, and set what the proxy reports."""
        hosts = self._allowed_hosts
        if hosts is not None and hosts.refuses_peer(request):
            return hosts.error_route
        try:
            proxies.apply(request)
        except HTTPError as error:
            return Route("", partial(_refuse, error), None)
        return self.resolve(request)

    def enter(self, state: ServerState) -> None:
        """Change the state of the server, which never returns to an earlier state."""
        assert state.value >= self.state.value, f"{self.state} -> {state}"
        self.state = state

    def allocate_number(self) -> int:
        """Allocate the number of a new connection."""
        return next(self._connection_numbers)

    @property
    def occupied(self) -> int:
        """The number of connections, with closed ones whose steps keep files open until they end.

        A Deferred without steps is not counted: an application that does not resolve it after the client has
        disconnected must not use up the connection limit.
        """
        return len(self.connections) + self._abandoned_steps

    def call_at_next_close(self, function: Callable[[], None]) -> None:
        """Call a function once, when ``occupied`` decreases."""
        self._at_next_close[function] = None

    def forget(self, connection: "Connection") -> None:
        """Remove a closed connection, and call the functions passed to ``call_at_next_close``."""
        self.connections.pop(connection.number, None)
        if self._at_next_close:
            self._notify_close()

    def abandon(self, connection: "Connection", deferred: Deferred, request_body: RequestBody | None) -> None:
        """Keep a connection, and the request body that the steps use, until ``forget_result``.

        Without steps, the Deferred is not kept: the application may drop it, and never resolve it.
        """
        if deferred.has_steps:
            self._abandoned_steps += 1
            self.abandoned[connection] = Abandoned(lambda: deferred, request_body)
            return
        call_soon = call_at_once if self._call_soon is None else self._call_soon
        drop = partial(call_soon, partial(self._drop_unresolved, connection))
        # The callback may be called in any thread, at any time.
        self.abandoned[connection] = Abandoned(ref(deferred, lambda _: drop()), request_body)

    def _drop_unresolved(self, connection: "Connection") -> None:
        if connection in self.abandoned:
            connection.drop_result()

    def forget_result(self, connection: "Connection") -> Abandoned:
        """Remove a connection whose result is known or no longer awaited, and return it; the same."""
        abandoned = self.abandoned.pop(connection)
        deferred = abandoned.find()
        if deferred is not None and deferred.has_steps:
            self._abandoned_steps -= 1
            self._notify_close()
        return abandoned

    def close_connections(self, close_workers: Callable[[], None]) -> None:
        """Close all connections, then the worker threads, and drop the results that are not sent."""
        for connection in list(self.connections.values()):
            connection.abort()
        for abandoned in self.abandoned.values():
            if deferred := abandoned.find():
                deferred.cancel()
        close_workers()
        for connection, abandoned in list(self.abandoned.items()):
            deferred = abandoned.find()
            if deferred is None or not deferred.in_step:  # otherwise a thread still uses its request body
                connection.drop_result()

    def _notify_close(self) -> None:
        functions, self._at_next_close = self._at_next_close, {}
        for function in functions:
            function()

    def renew_common_headers(self) -> None:
        """Encode the headers of every response, with the Date of the current second."""
        now = self.wall_clock()
        self.common_headers_expire = self.reactor.now + 1.0 - now % 1.0
        # RFC 9110, 6.6.1: a server with a clock sends Date in every response; a setting turns it off.
        date = f"Date: {format_date(now)}\r\n".encode("ascii") if self.settings.date_header else b""
        self.common_headers = date + self._default_headers


def _refuse(error: HTTPError, request: Request) -> Response:
    raise error


def _refuse_https(request: Request) -> Response:
    raise HTTPError(421, NOT_SECURED)


_NOT_SECURED = Route("", _refuse_https, None)
