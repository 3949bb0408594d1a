"""The server: one reactor, one listening handle, the signals, composed.

    with Server(routes, port=0) as server:   binds, and listens
        server.run()                         serves until it is told to stop

``serve`` does both, and prints where. On the first SIGTERM or SIGINT the server answers the requests
that it has received and closes each connection (``reactor.server.shutdown``); on the second it stops at once.
SIGHUP stops it in the same way if the process has a controlling terminal (which was closed); otherwise
it calls ``on_reload``. SIGUSR1 logs every connection.
"""

import logging
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import NamedTuple, TextIO

from reactor.allowed_hosts import AllowedHosts, is_loopback
from reactor.http11.default_headers import write_fields
from reactor.http11.message import Fields
from reactor.logs.access_log import AccessLog
from reactor.logs.stderr import MessageHandler, nonblocking_stderr
from reactor.loop import Interest, Reactor
from reactor.routing import Router
from reactor.server.acceptor import Acceptor, Connect
from reactor.server.connection import Connection
from reactor.server.context import ServerContext, ServerState
from reactor.server.shutdown import Shutdown
from reactor.settings import Settings
from reactor.wakeup import SignalHandle, Wakeup

log = logging.getLogger("reactor")

HOST = "127.0.0.1"
PORT = 4221
BACKLOG = 4096
# Stands in for the number of a signal where ``Server.stop`` was called; there is no signal 0.
STOP = 0
UNSENT_IN_KERNEL = 128 * 1024  # octets

# Descriptors kept for all that is no connection: the selector, the log, and files in flight.
FEWEST_FILES = 32


class StartError(Exception):
    """The server cannot start; the message says why in one line."""


class Instrumentation(NamedTuple):
    """How a server is watched: by which reactor, its connections made by what, and within what it runs.

    ``around`` is entered when the server listens, and gives a note for the line of the start.
    """

    reactor: Reactor
    connect: Connect
    around: "Callable[[Server], AbstractContextManager[str]]" = lambda server: nullcontext("")


class Server:
    """An HTTP/1.1 server; raises StartError when it cannot listen.

    ``access_log`` is a stream for one line a request, None for no log. ``common_fields`` are what every
    response carries, as (name, value) pairs; ValueError is raised for one that cannot be. The selector
    and the clocks come in from outside; they default to the real ones. With a ``watch`` they are those of
    its reactor, whose readers see what the loop and the connections do. ``on_reload`` is called on SIGHUP.
    Other threads may call ``call_soon`` and ``stop``; the rest belongs to the thread that runs the server.

    ``allowed_hosts`` (host names, or an ``AllowedHosts``) are served besides ``localhost`` and IP addresses;
    requests for other hosts get 403. None serves every host. ValueError is raised for an invalid name.

    ``outer`` is the reactor that ``run`` runs, and where ``hear`` is called with signals: the server's own,
    unless something stands around it that has it take its turns.
    """

    def __init__(
        self,
        routes: Router,
        host: str = HOST,
        port: int = PORT,
        settings: Settings | None = None,
        access_log: TextIO | None = None,
        log_format: str = "combined",
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        common_fields: Fields = (),
        watch: Instrumentation | None = None,
        on_reload: Callable[[], None] | None = None,
        allowed_hosts: AllowedHosts | Iterable[str] | None = None,
    ) -> None:
        settings = Settings() if settings is None else settings
        constant_fields = write_fields(common_fields)
        if allowed_hosts is not None and not isinstance(allowed_hosts, AllowedHosts):
            allowed_hosts = AllowedHosts(allowed_hosts)
        clock = clock if watch is None else watch.reactor.clock
        lines = AccessLog(access_log, log_format, clock, wall_clock) if access_log is not None else None
        limit = connection_limit(settings.max_connections)
        listener = listen(host, port)
        if watch is None:
            self.reactor = Reactor(selector, clock, settings.slow_turn)
        else:
            self.reactor = watch.reactor
        self.outer = self.reactor
        self.hear = self.on_signal
        self.address: tuple[str, int] = listener.getsockname()[:2]
        self._wakeup = Wakeup()
        self._signals = SignalHandle(self._hear)  # in the outer reactor: also a held loop can be stopped
        self.context = ServerContext(
            self.reactor,
            routes,
            settings,
            lines,
            wall_clock,
            constant_fields=constant_fields,
            call_soon=self._wakeup.call_soon,
            allowed_hosts=None if allowed_hosts is None else allowed_hosts.at(self.address[0]),
        )
        connect = Connection if watch is None else watch.connect
        self._acceptor = Acceptor(self.context, listener, limit, connect)
        self._on_reload = on_reload
        # Checked at the start: /dev/tty cannot be opened after the terminal is closed.
        self._has_terminal = _has_controlling_terminal()
        self.reactor.register(self._wakeup)
        self.reactor.register(self._acceptor)
        if lines is not None:
            self.reactor.at_turn_end(lines.flush)
        self._shutdown = Shutdown(self.context, self._acceptor, self._stop_loop)

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.reactor.thread not in (None, threading.get_ident()):
            self.stop()  # close() raises in this thread, and must not leave the other one to run for ever
        self.close()

    @property
    def url(self) -> str:
        """Where the server can be reached."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def local(self) -> bool:
        """True when only this machine reaches the server."""
        return is_loopback(self.address[0])

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve until ``stop``, or, in the main thread, until SIGINT or SIGTERM.

        ``on_ready`` is called as soon as a signal would be heard. Raise RuntimeError while it runs already.
        """
        if self.reactor.thread is not None:
            raise RuntimeError("Server.run() was called while the server runs")
        if self.context.state is ServerState.STOPPED:
            raise RuntimeError("Server.run() was called after the server has stopped")
        self.reactor.thread = threading.get_ident()  # also where ``outer`` takes its turns
        try:
            self._signals.interest = Interest.READ  # none after an earlier run that ended by an exception
            self.outer.register(self._signals)
            if threading.current_thread() is threading.main_thread():
                self._signals.catch(_signals())
            with nonblocking_stderr():
                on_ready()
                if not self._signals.closed:
                    self.outer.run()
        finally:
            self._signals.restore()
            if not self._signals.closed:
                self.outer.remove(self._signals)
            self.reactor.thread = None

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the loop's thread, in its next turn.

        May be called from any thread, and before ``run``. Functions are called in the order in which they
        were passed; an exception is logged. Functions that wait when the server stops are dropped. Raise
        RuntimeError when the server is closed.
        """
        if not self._wakeup.call_soon(function, *arguments):
            raise RuntimeError("Server.call_soon() was called after Server.close()")

    def stop(self) -> None:
        """Answer the requests that have been received, then stop; asked again, stop at once.

        May be called from any thread, before ``run``, and after ``close``.
        """
        self._signals.call_soon(self._hear, STOP)

    def close(self) -> None:
        """Close every handle, which cuts off the connections that are left.

        Raise RuntimeError if called from another thread while the server runs.
        """
        self.reactor.check_thread("Server.close()")
        if self._signals.closed:
            return
        self.outer.stop()
        self.context.enter(ServerState.STOPPED)
        self._acceptor.close()
        for connection in list(self.context.connections.values()):
            connection.abort()
        if self.context.access_log is not None:
            self.context.access_log.close()
        self.reactor.remove(self._wakeup)
        self._wakeup.close()
        self.outer.remove(self._signals)
        self._signals.close()
        self.reactor.close()

    def on_signal(self, number: int) -> None:
        """Stop, reload, or log every connection."""
        self.reactor.check_thread("Server.on_signal()")
        if number == signal.SIGUSR1:
            self._tell_connections()
        elif not self.stops_on(number):
            self._reload()
        # A terminal that is closed can send SIGHUP twice, by the shell and by the kernel.
        elif number != signal.SIGHUP or self.context.state is ServerState.RUNNING:
            name = "Server.stop()" if number == STOP else signal.Signals(number).name
            if number == signal.SIGHUP:
                name = "SIGHUP (the process was started from a terminal)"
            log.info("%s: %s", name, self._shutdown.words)
            self._shutdown.begin()

    def stops_on(self, number: int) -> bool:
        """Say whether a signal stops the server."""
        return number != signal.SIGUSR1 and (number != signal.SIGHUP or self._has_terminal)

    def _hear(self, number: int) -> None:
        self.hear(number)

    def _stop_loop(self) -> None:
        self.outer.stop()

    def _reload(self) -> None:
        if self._on_reload is None:
            log.info("SIGHUP: nothing to reload")
        else:
            self._on_reload()

    def _tell_connections(self) -> None:
        """Write the table of connections into the log."""
        connections = self.context.connections.values()
        log.info("%d connections", len(connections))
        for connection in connections:
            log.info("%s", connection.row(self.reactor.now))


def serve(
    routes: Router,
    host: str = HOST,
    port: int = PORT,
    settings: Settings | None = None,
    access_log: TextIO | None = sys.stdout,
    log_format: str = "combined",
    what: str = "",
    notes: Sequence[str] = (),
    common_fields: Fields = (),
    on_ready: Callable[[Server], None] = lambda server: None,
    watch: Instrumentation | None = None,
    on_reload: Callable[[], None] | None = None,
    allowed_hosts: AllowedHosts | Iterable[str] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; raise StartError when the server cannot listen.

    Print one line on standard error: ``what`` is served, where, from where it is reached, and ``notes``,
    empty ones left out. Then, as soon as a signal would be heard, ``on_ready`` is called.
    """
    with ExitStack() as stack:
        stderr = MessageHandler()
        stack.callback(stderr.close)
        server = stack.enter_context(
            Server(
                routes,
                host,
                port,
                settings,
                access_log,
                log_format,
                common_fields=common_fields,
                watch=watch,
                on_reload=on_reload,
                allowed_hosts=allowed_hosts,
            )
        )
        note = "" if watch is None else stack.enter_context(watch.around(server))
        reach = "this machine only" if server.local else "reachable from the network"
        told = "; ".join(note for note in (reach, *notes, note) if note)
        line = f"reactor: serving {what and what + ' '}on {server.url} ({told})"

        def announce() -> None:
            stderr.write(line)
            on_ready(server)

        server.run(announce)


def _signals() -> list[signal.Signals]:
    """Return the signals that the server acts on."""
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
    # Started by nohup, for example: closing the terminal must not matter.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def _has_controlling_terminal() -> bool:
    """Say whether this process has a terminal whose closing sends SIGHUP."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket that does not block; raise StartError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(
            error
        )  # not the error: it would keep this frame alive
        raise StartError(f"cannot listen on {host}: {reason}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it: a response is whole when it is sent, and gains nothing by waiting.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # What waits unsent for a slow client waits in the outbox, where it is bounded, and not in
            # megabytes of the kernel's memory.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_IN_KERNEL)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(
            error
        )  # not the error: it would keep this frame alive
        raise StartError(f"cannot listen on {host} port {port}: {reason}") from None
    return listener


def connection_limit(wanted: int) -> int:
    """Return how many connections may be held, ``wanted`` being 0 for as many as files may be open.

    Raise the limit on open files as far as it goes. Raise StartError when it is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # some systems refuse their own hard limit; what we have must do
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 20
    if soft < FEWEST_FILES:
        raise StartError(f"the limit on open files is {soft}: at least {FEWEST_FILES} are needed (ulimit -n)")
    # A download or an upload holds a second descriptor beside its connection's.
    available = soft - max(FEWEST_FILES // 2, soft // 8)
    if wanted > available:
        raise StartError(
            f"the limit on open files, {soft}, leaves {available} connections, not {wanted} (ulimit -n)"
        )
    return wanted or available
