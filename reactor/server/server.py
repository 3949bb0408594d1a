"""The server: a reactor, listening sockets and signal handling.

    with Server(routes, port=0) as server:   binds the address and listens
        server.run()                         serves until a signal or ``stop()``

``serve`` does both. The first SIGTERM or SIGINT starts a graceful shutdown: the server answers the requests
that it has received and closes each connection (``reactor.server.shutdown``). The second one stops it
immediately. SIGHUP acts like SIGTERM if the process has a controlling terminal, which was closed; otherwise
it calls ``on_reload``. SIGUSR1 logs every connection.
"""

import logging
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial, update_wrapper
from types import TracebackType
from typing import TextIO

from reactor.allowed_hosts import AllowedHosts, is_loopback
from reactor.event_handler import Interest
from reactor.http11.default_headers import encode_headers
from reactor.http11.deferred import Deferred
from reactor.http11.message import HeaderPairs
from reactor.http11.prefix import read_prefix
from reactor.logs.access_log import FORMATS, AccessLog
from reactor.logs.slow_callbacks import SlowCallbackLog
from reactor.logs.stderr import nonblocking_stderr
from reactor.logs.watchdog import Watchdog
from reactor.loop import Reactor
from reactor.routing import Router
from reactor.server.acceptor import Acceptor, ConnectionFactory
from reactor.server.connection import Connection
from reactor.server.context import ServerContext, ServerState
from reactor.server.listen import Listener, listen, tcp_addresses, url_of
from reactor.server.open_files import connection_limit
from reactor.server.sharing import Sharing
from reactor.server.shutdown import Shutdown
from reactor.server.thread_result import ThreadResult
from reactor.server.worker_pool import THREADS, WorkerPool, queue_full
from reactor.settings import Settings
from reactor.timer import Timer
from reactor.trusted_proxies import TrustedProxies
from reactor.wakeup import SignalHandle, Wakeup

log = logging.getLogger("reactor")

HOST = "127.0.0.1"
PORT = 4221
# The signal number that represents a call of ``Server.stop``; signal 0 does not exist.
STOP = 0


class Instrumentation:
    """The reactor and the connection factory of an observed server, and hooks for subclasses.

    ``run_loop`` is the reactor whose ``run`` the server calls: the same one, or one that runs its turns.
    ``description`` is the address at which the server can be observed, or "". ``descriptors`` is the number
    of file descriptors that it may need.

    The server closes it when it is closed itself. If the server cannot start, nothing closes it, so the code
    that created the instrumentation must close it as well.
    """

    descriptors = 0

    def __init__(
        self,
        reactor: Reactor,
        make_connection: ConnectionFactory,
        run_loop: Reactor | None = None,
        description: str = "",
    ) -> None:
        self.reactor = reactor
        self.make_connection = make_connection
        self.run_loop = reactor if run_loop is None else run_loop
        self.description = description

    def on_start(self, server: "Server") -> None:
        """Start observing a server, which is listening."""

    def on_signal(self, server: "Server", number: int) -> None:
        """Handle a signal, or STOP, in a turn of ``run_loop``."""
        server.on_signal(number)

    def on_close(self) -> None:
        """Stop observing the server, which is about to close its connections."""

    def close(self) -> None:
        """Close the reactor's selector; may be called twice."""
        self.reactor.close()


class Server:
    """An HTTP/1.1 server; raises StartError if it cannot listen, and ValueError for an invalid argument.

    ``access_log`` is a text stream that gets one line per request, or None. ``default_headers`` are added to
    every response, as (name, value) pairs. The selector and the clocks can
    be replaced, for tests. With ``instrumentation``, its reactor's selector and clock are used, its hooks are
    called, and it is closed with the server. ``on_reload`` is called on SIGHUP. ``threads`` is the number of
    worker threads. ``on_stop`` is called with the server when it is closed after ``run``: all connections are
    closed then, and the worker threads have ended. ``listeners`` are listening sockets to use in place of
    ``host`` and ``port``; the server closes them, also if it cannot start. ``on_stopping`` is called once,
    when a graceful shutdown begins. ``sharing`` is set if other processes accept from the same sockets. Other
    threads may call ``call_soon``, ``run_in_thread``, ``in_background`` and ``stop`` only; everything else
    belongs to the thread that runs the server.

    ``allowed_hosts`` (host names, or an ``AllowedHosts``) are served in addition to ``localhost`` and IP
    addresses; requests for other hosts get 403. None allows every host.

    ``trusted_proxies`` (IP addresses, networks such as "10.0.0.0/8", and "unix" for connections over a Unix
    socket) may report the client's address, the scheme, the host and the path prefix of a request, in
    Forwarded or the X-Forwarded fields: ``Request.peer``, ``scheme``, ``head.host`` and ``prefix``. From
    other peers, these fields have no meaning. With ``proxy_protocol``, each connection of a trusted proxy
    must begin with a PROXY header. ``prefix`` is the path, such as "/share", below which the routes are.
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
        default_headers: HeaderPairs = (),
        instrumentation: Instrumentation | None = None,
        on_reload: Callable[[], None] | None = None,
        allowed_hosts: AllowedHosts | Iterable[str] | None = None,
        threads: int = THREADS,
        on_stop: Callable[["Server"], None] | None = None,
        listeners: Sequence[Listener] = (),
        on_stopping: Callable[[], None] | None = None,
        sharing: Sharing | None = None,
        trusted_proxies: TrustedProxies | Iterable[str] | None = None,
        proxy_protocol: bool = False,
        prefix: str = "",
    ) -> None:
        with ExitStack() as opened:  # closed if an argument is invalid, or the server cannot start
            for each in listeners:
                opened.callback(each.close)
            settings = Settings() if settings is None else settings
            _check_arguments(routes, host, port, settings, access_log, log_format, default_headers, threads)
            encoded_headers = encode_headers(default_headers)
            hosts = _allowed_hosts(allowed_hosts)
            proxies = _trusted_proxies(trusted_proxies, proxy_protocol)
            self.prefix = read_prefix(prefix)
            self._on_reload, self._on_stop, self._sharing = on_reload, on_stop, sharing
            self._has_run = False
            # Checked now: /dev/tty cannot be opened after the terminal was closed.
            self._has_terminal = has_controlling_terminal()
            reserved = 0 if instrumentation is None else instrumentation.descriptors
            limit = connection_limit(settings.max_connections, reserved, threads, len(listeners) or 1)
            self.listeners = tuple(listeners) or (opened.enter_context(listen(host, port)),)
            addresses = tcp_addresses(self.listeners)
            # Of the first TCP socket; with Unix sockets only, that of a router without a server.
            self.address = routes.address = addresses[0] if addresses else routes.address
            self._open_loop(instrumentation or Instrumentation(Reactor(selector, clock), Connection), opened)
            self._workers = WorkerPool(threads)
            clock = self.reactor.clock
            self.context = ServerContext(
                self.reactor,
                routes,
                settings,
                None if access_log is None else AccessLog(access_log, log_format, clock, wall_clock),
                wall_clock,
                default_headers=encoded_headers,
                call_soon=self._wakeup.call_soon,
                allowed_hosts=hosts and hosts.at([host for host, _ in addresses]),
                in_worker=self._workers.submit,
                worker_queue_is_full=self._workers.is_full,
                connection_numbers=None if sharing is None else sharing.connection_numbers,
                trusted_proxies=proxies,
                proxy_protocol=proxy_protocol,
                prefix=self.prefix,
            )
            self._start_accepting(limit, on_stopping)
            opened.pop_all()

    def _open_loop(self, instrumentation: Instrumentation, opened: ExitStack) -> None:
        """Take the reactor of the instrumentation, and open what wakes it up."""
        self._instrumentation = instrumentation
        self._run_loop = instrumentation.run_loop
        self.reactor = instrumentation.reactor
        self._wakeup = Wakeup()
        opened.callback(self._wakeup.close)
        # Registered with the loop that runs, so that a loop held by the inspector can be stopped, too.
        self._signals = SignalHandle(self._pass_signal, self.stops_on)
        opened.callback(self._signals.close)

    def _start_accepting(self, limit: int, on_stopping: Callable[[], None] | None) -> None:
        """Register the acceptors, of ``limit`` connections together, and what works in every turn."""
        context, make_connection = self.context, self._instrumentation.make_connection
        self._acceptors = tuple(
            Acceptor(context, each, limit, make_connection, self._sharing) for each in self.listeners
        )
        self._shutdown = Shutdown(context, self._acceptors, self._stop_loop, on_stopping)
        if context.access_log is not None:
            self.reactor.at_turn_end(context.access_log.flush)
        SlowCallbackLog(self.reactor, context.settings.slow_turn)
        self._watchdog = Watchdog(self._run_loop, context.settings.watchdog)
        self.reactor.register(self._wakeup)
        for acceptor in self._acceptors:
            self.reactor.register(acceptor)
        try:
            self._instrumentation.on_start(self)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.reactor.thread not in (None, threading.get_ident()):
            self.stop()  # close() raises in this thread; the other one must not run forever
        self.close()

    @property
    def url(self) -> str:
        """The URL of the server; unix:PATH if it listens on Unix sockets only."""
        paths = [each.unix_path for each in self.listeners]
        return f"unix:{paths[0]}" if all(paths) else url_of(*self.address)

    @property
    def local(self) -> bool:
        """Whether only this machine can connect: by loopback addresses and Unix sockets."""
        return all(is_loopback(host) for host, _ in tcp_addresses(self.listeners))

    @property
    def run_loop(self) -> Reactor:
        """The loop that runs: ``reactor``, or that of the inspector, which runs its turns and may hold it."""
        return self._run_loop

    def status(self) -> str:
        """Return a line for the service manager."""
        word = "serving" if self.context.state is ServerState.RUNNING else "stopping"
        return f"{word}; open connections: {len(self.context.connections)}"

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve until ``stop`` is called, or, in the main thread, until SIGINT or SIGTERM.

        Call ``on_ready`` once signals are handled; an exception that it raises is raised here, before any
        request is answered. Raise RuntimeError if the server is running already.
        """
        if self.reactor.thread is not None:
            raise RuntimeError("Server.run() called while the server is running")
        if self.context.state is ServerState.STOPPED:
            raise RuntimeError("Server.run() called after the server has stopped")
        self._has_run = True
        self.reactor.thread = threading.get_ident()  # also if another loop runs its turns
        try:
            self._signals.interest = Interest.READ  # NONE after a run that ended with an exception
            self._run_loop.register(self._signals)
            if threading.current_thread() is threading.main_thread():
                self._signals.catch(handled_signals())
            with nonblocking_stderr(), self._watchdog.watch():
                on_ready()
                if not self._signals.closed:
                    self._run_loop.run()
        finally:
            self._signals.restore()
            if not self._signals.closed:
                self._run_loop.remove(self._signals)
            self.reactor.thread = None

    def call_soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the loop's thread, in its next turn.

        May be called from any thread, and before ``run``. Functions are called in order; an exception is
        logged. Functions not called before the server stops are dropped. Raise RuntimeError if the server is
        closed.
        """
        if not self._wakeup.call_soon(function, *arguments):
            raise RuntimeError("Server.call_soon() called after Server.close()")

    def in_background(self, function: Callable[[], object]) -> None:
        """Call a function in a worker thread; at once if too many are waiting, or if the server is closed.

        An exception in a worker thread is logged. ``close`` waits for these functions.
        """
        self._workers.run(function)

    def run_in_thread(self, function: Callable[..., object], *arguments: object) -> Deferred:
        """Call a function in a worker thread; return its result, which a handler may return.

        May be called from any thread. An exception is handled like one of the handler, or logged if no
        handler returns the result. A handler may set its ``timeout`` before it returns it. Raise
        HTTPError(503) if too many functions are waiting, and RuntimeError if the server is closed.
        """
        if self._signals.closed:
            raise RuntimeError("Server.run_in_thread() called after Server.close()")
        if self._workers.is_full():
            raise queue_full()
        result = ThreadResult(partial(function, *arguments), self._call_while_running)
        self._workers.submit(update_wrapper(partial(result.call), function))  # named in the log
        return result

    def _call_while_running(self, function: Callable[[], object]) -> bool:
        return self.context.state is not ServerState.STOPPED and self._wakeup.call_soon(function)

    def after(self, seconds: float, function: Callable[..., object], *arguments: object) -> Timer:
        """Call a function in the loop's thread after so many seconds, unless the timer is cancelled.

        An exception is logged. Timers end with the server. Raise ValueError for a negative or infinite time,
        and RuntimeError if the server is closed, or runs in another thread.
        """
        return self._start_timer("Server.after()", seconds, partial(function, *arguments))

    def every(self, seconds: float, function: Callable[..., object], *arguments: object) -> Timer:
        """Call a function in the loop's thread every so many seconds, until the timer is cancelled.

        Calls that were missed, because something blocked the loop, are skipped. After an exception, which is
        logged, the timer continues. Errors are those of ``after``, and ValueError for 0.
        """
        return self._start_timer("Server.every()", seconds, partial(function, *arguments), seconds)

    def _start_timer(
        self, name: str, seconds: float, function: Callable[[], object], interval: float | None = None
    ) -> Timer:
        self.reactor.check_thread(name)
        if self._signals.closed:
            raise RuntimeError(f"{name} called after Server.close()")
        if self.reactor.thread is None:  # no turn sets it
            self.reactor.now = self.reactor.clock()
        return Timer(self.reactor, seconds, function, interval)

    def stop(self) -> None:
        """Answer the requests that have been received, then stop; if called again, stop immediately.

        May be called from any thread, before ``run``, and after ``close``.
        """
        self._signals.call_soon(self._pass_signal, STOP)

    def close(self) -> None:
        """Close all sockets, including those of open connections, and end the worker threads.

        Wait for a second at most for functions in worker threads, and log those that still run. Raise
        RuntimeError if called from another thread while the server runs.
        """
        self.reactor.check_thread("Server.close()")
        if self._signals.closed:
            return
        self._run_loop.stop()
        self._instrumentation.on_close()
        self.context.enter(ServerState.STOPPED)
        for acceptor in self._acceptors:
            acceptor.close()
        self.context.close_connections(self._workers.close)
        try:
            if self._has_run and self._on_stop is not None:
                on_stop, self._on_stop = self._on_stop, None  # it may call close()
                on_stop(self)
        finally:
            self._release()

    def _release(self) -> None:
        """Close what a server without connections has open."""
        if self.context.access_log is not None:
            self.context.access_log.close()
        self.reactor.remove(self._wakeup)
        self._wakeup.close()
        self._run_loop.remove(self._signals)
        self._signals.close()
        self._instrumentation.close()

    def on_signal(self, number: int) -> None:
        """Stop, reload, or log every connection."""
        self.reactor.check_thread("Server.on_signal()")
        if number == signal.SIGUSR1:
            self.log_connections()
        elif not self.stops_on(number):
            self.reload()
        # Closing a terminal can send SIGHUP twice: from the shell and from the kernel.
        elif number != signal.SIGHUP or self.context.state is ServerState.RUNNING:
            name = "Server.stop()" if number == STOP else signal.Signals(number).name
            if number == signal.SIGHUP:
                name = "SIGHUP (the process was started from a terminal)"
            # The supervisor of several processes logs it for all of them.
            level = logging.INFO if self._sharing is None else logging.DEBUG
            log.log(level, "%s: %s", name, self._shutdown.description)
            self._shutdown.begin()

    def stops_on(self, number: int) -> bool:
        """Return whether a signal stops the server."""
        return number != signal.SIGUSR1 and (number != signal.SIGHUP or self._has_terminal)

    def _pass_signal(self, number: int) -> None:
        if self._sharing is None or self._sharing.keep_signal(number):
            self._instrumentation.on_signal(self, number)

    def _stop_loop(self) -> None:
        self._run_loop.stop()

    def reload(self) -> None:
        """Call ``on_reload``; call this in the loop's thread."""
        if self._on_reload is None:
            log.info("SIGHUP: nothing to reload")
        else:
            self._on_reload()

    def log_connections(self) -> None:
        """Log a summary of every connection; call this in the loop's thread."""
        connections = self.context.connections.values()
        log.info("open connections: %d", len(connections))
        for connection in connections:
            log.info("%s", connection.summary(self.reactor.now))


def serve(
    routes: Router,
    host: str = HOST,
    port: int = PORT,
    settings: Settings | None = None,
    access_log: TextIO | None = sys.stdout,
    log_format: str = "combined",
    default_headers: HeaderPairs = (),
    on_ready: Callable[[Server], None] = lambda server: None,
    instrumentation: Instrumentation | None = None,
    on_reload: Callable[[], None] | None = None,
    allowed_hosts: AllowedHosts | Iterable[str] | None = None,
    threads: int = THREADS,
    on_stop: Callable[[Server], None] | None = None,
    listeners: Sequence[Listener] = (),
    on_stopping: Callable[[], None] | None = None,
    sharing: Sharing | None = None,
    trusted_proxies: TrustedProxies | Iterable[str] | None = None,
    proxy_protocol: bool = False,
    prefix: str = "",
) -> None:
    """Serve until SIGINT or SIGTERM; raise StartError if the server cannot listen.

    Print nothing but the access log. Call ``on_ready`` with the server once signals are handled; if it raises
    an exception, the server is closed, and the exception is raised here. The other parameters are those of
    ``Server``.
    """
    with Server(
        routes,
        host,
        port,
        settings,
        access_log,
        log_format,
        default_headers=default_headers,
        instrumentation=instrumentation,
        on_reload=on_reload,
        allowed_hosts=allowed_hosts,
        threads=threads,
        on_stop=on_stop,
        listeners=listeners,
        on_stopping=on_stopping,
        sharing=sharing,
        trusted_proxies=trusted_proxies,
        proxy_protocol=proxy_protocol,
        prefix=prefix,
    ) as server:
        server.run(lambda: on_ready(server))


def _check_arguments(
    routes: object,
    host: object,
    port: object,
    settings: object,
    access_log: object,
    log_format: object,
    default_headers: object,
    threads: object,
) -> None:
    """Raise ValueError for an invalid argument, which would otherwise fail later, or not be noticed."""
    pairs = isinstance(default_headers, (tuple, list)) and all(
        isinstance(each, (tuple, list)) and len(each) == 2 for each in default_headers
    )
    stream = access_log is None or hasattr(access_log, "write")
    for name, value, valid, expected in (
        ("routes", routes, isinstance(routes, Router), "must be a Router"),
        ("host", host, isinstance(host, str) and host, "examples: 127.0.0.1, 0.0.0.0, ::"),
        ("port", port, isinstance(port, int) and 0 <= port <= 65535, "must be a number from 0 to 65535"),
        ("settings", settings, isinstance(settings, Settings), "must be a Settings"),
        ("access_log", access_log, stream, "must be a text stream"),
        ("log_format", log_format, log_format in FORMATS, f"choose from {', '.join(FORMATS)}"),
        ("default_headers", default_headers, pairs, "must be (name, value) pairs"),
        ("threads", threads, isinstance(threads, int) and threads >= 1, "must be a number, at least 1"),
    ):
        if not valid:
            raise ValueError(f"invalid {name}: {value!r} ({expected})")


def _allowed_hosts(hosts: AllowedHosts | Iterable[str] | None) -> AllowedHosts | None:
    return hosts if hosts is None or isinstance(hosts, AllowedHosts) else AllowedHosts(hosts)


def _trusted_proxies(
    proxies: TrustedProxies | Iterable[str] | None, proxy_protocol: bool
) -> TrustedProxies | None:
    """Return the trusted proxies; raise ValueError for an invalid one, and a protocol without any."""
    if proxies is None and proxy_protocol:
        raise ValueError("proxy_protocol has no effect without trusted_proxies")
    return proxies if proxies is None or isinstance(proxies, TrustedProxies) else TrustedProxies(proxies)


def handled_signals() -> list[signal.Signals]:
    """Return the signals that the server handles."""
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
    # An ignored SIGHUP stays ignored: the process was started with nohup, for example.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


def has_controlling_terminal() -> bool:
    """Return whether this process has a controlling terminal, which sends SIGHUP when it is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
