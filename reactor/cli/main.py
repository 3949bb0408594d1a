"""The ``reactor`` command: parse the options, serve, and return an exit code.

0  stopped by a signal        2  invalid option        3  the server could not start
"""

import argparse
import gc
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from types import FrameType

from reactor import handlers
from reactor.cli import access_options, observe_options, proxy_options, wsgi_options
from reactor.cli.cleanup import Cleanup
from reactor.cli.options import USAGE, check_combinations, make_parser, parse_options
from reactor.cli.processes import Process, SingleProcess, WorkerProcess, supervise
from reactor.cli.start_lines import start_lines, urls_of
from reactor.handlers.files.media_types import TYPES
from reactor.handlers.files.store import Store
from reactor.http11.coding import ENGINE_NAME
from reactor.http11.message import HeaderPairs
from reactor.logs.stderr import MessageFormatter, StderrHandler, escape_unprintable
from reactor.routing import Router
from reactor.server.listen import Listener, StartError, UsageError
from reactor.server.server import Instrumentation, Server, serve
from reactor.server.worker_pool import THREADS
from reactor.settings import Settings
from reactor.workers.worker import Worker
from reactor.wsgi import mount

log = logging.getLogger("reactor")

STOPPED, NOT_STARTED = 0, 3

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class StoppedError(BaseException):
    """A signal arrived before the server handled signals."""


class SignalsOutsideServing:
    """Handles signals before and after the server handles them.

    Before, they end the process with the exit code of a stopped server; after, they are ignored, so that they
    do not change that exit code. SIGUSR1 is ignored before and after.
    """

    def __init__(self) -> None:
        self._served = self._stopped = False
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def note_ready(self) -> None:
        """Leave signals to the server from now on; raise StoppedError if one has arrived before."""
        self._served = True
        if self._stopped:  # StoppedError was raised where exceptions are ignored, as in a finalizer
            raise StoppedError

    def ignore(self) -> None:
        """Ignore signals: the process is about to exit."""
        self._served = True
        # Block them first: the interpreter reports a signal that arrives while its handler becomes SIG_IGN.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGUSR1 and not self._served and not self._stopped:
            self._stopped = True
            raise StoppedError


def command() -> int:
    """Run ``main`` as a whole process; return the exit code."""
    gc.freeze()  # full collections need not visit the modules, which takes 17 ms
    return _run_process(lambda on_ready: main(on_ready=on_ready))


def _run_process(function: Callable[[Callable[[], None]], int]) -> int:
    """Call a function with the signal handling of a whole process; return its exit code.

    It gets a function to call as soon as the server handles signals.
    """
    signals = SignalsOutsideServing()
    try:
        return function(signals.note_ready)
    except StoppedError:
        return STOPPED
    except KeyboardInterrupt:  # by the second signal (``SignalHandle``)
        log.warning("stopped while a callback blocked the event loop", exc_info=True)
        return STOPPED
    finally:
        signals.ignore()


def main(arguments: Sequence[str] | None = None, on_ready: Callable[[], None] = lambda: None) -> int:
    """Run the server with these arguments; return the exit code.

    ``on_ready`` is called as soon as the server handles signals.
    """
    parser = make_parser()
    options = parse_options(parser, arguments, os.environ)
    check_combinations(parser, options)
    _reserve_standard_descriptors()
    # After "stty tostop", writing a line would stop a server in the background.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    messages = StderrHandler()
    messages.setFormatter(MessageFormatter())
    logging.basicConfig(level=options.log_level.upper(), handlers=[messages], force=True)
    logging.captureWarnings(True)  # the warnings module itself writes to standard error, which can block
    chosen = {each.name: getattr(options, each.name) for each in fields(Settings) if each.metadata}
    try:
        settings = Settings(**chosen, date_header=not options.no_date_header)
        default_headers = access_options.default_headers(options)
    except ValueError as error:
        # The message names fields of Settings; the user of the command knows options.
        names = {dest: options.origins.get(dest, dest.replace("_", "-")) for dest in chosen}
        parser.error(re.sub(r"\b[a-z_]+\b", lambda match: names.get(match[0], match[0]), str(error)))
    access_options.warn_about_typed_passwords(options)
    if sys.stdout is None and not options.no_access_log:
        log.warning("access log disabled: stdout is closed")

    def run_worker(worker: Worker, inspector: Listener | None) -> int:
        messages.setFormatter(MessageFormatter(f"worker {worker.number}: "))
        return _run_process(partial(_run_worker, options, settings, default_headers, worker, inspector))

    try:
        if options.workers > 1:
            supervise(options, settings, messages, on_ready, run_worker)
        else:
            _serve(options, settings, default_headers, SingleProcess(messages, on_ready))
    except StartError as error:
        if error.details:
            messages.write(error.details)
        messages.write(f"reactor: {error}")
        return USAGE if isinstance(error, UsageError) else NOT_STARTED
    return STOPPED


def _run_worker(
    options: argparse.Namespace,
    settings: Settings,
    default_headers: HeaderPairs,
    worker: Worker,
    inspector: Listener | None,
    on_ready: Callable[[], None],
) -> int:
    """Serve in a worker process; return the exit code."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [*ENDING_SIGNALS, signal.SIGCHLD])
    try:
        _serve(options, settings, default_headers, WorkerProcess(worker, inspector, on_ready))
    except StartError as error:
        worker.report_failure(str(error), error.details)
        return NOT_STARTED
    return STOPPED


def _reserve_standard_descriptors() -> None:
    """Open /dev/null in place of each standard descriptor that is closed.

    Otherwise a client's connection could get descriptor 1 or 2, to which C libraries and the interpreter
    print fatal errors.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(
                os.open(os.devnull, os.O_RDWR), True
            )  # open() returns the lowest free descriptor: this one


def _serve(
    options: argparse.Namespace,
    settings: Settings,
    default_headers: HeaderPairs,
    process: Process,
) -> None:
    """Open the directory or file, build the routes and serve."""
    store = None if options.directory is None else _open_store(options, settings)
    try:
        shared = _describe_shared(options, store)
        options.read_only = options.read_only or (store is not None and store.is_single_file)
        routes = _make_routes(options, settings, process, store)
        with process.instrument(options, settings) as instrumentation:
            notes = _notes(options, process, instrumentation)
            serve(
                routes,
                options.host,
                options.port,
                settings,
                access_log=None if options.no_access_log else sys.stdout,
                log_format=options.log_format,
                default_headers=default_headers,
                on_ready=partial(_begin, options, process, store, shared, notes),
                instrumentation=instrumentation,
                on_reload=partial(process.reload, access_options.reloader(options, routes)),
                allowed_hosts=access_options.allowed_hosts(options),
                threads=wsgi_options.number_of_threads(options) or THREADS,
                trusted_proxies=proxy_options.trusted_proxies(options),
                proxy_protocol=options.proxy_protocol,
                prefix=options.prefix,
                **process.server_options(options),
            )
    finally:
        process.close()
        if store is not None:
            store.close()


def _make_routes(
    options: argparse.Namespace, settings: Settings, process: Process, store: Store | None
) -> Router:
    """Return the routes of the WSGI application, or of the shared files."""
    routes = access_options.make_router(options)
    if options.wsgi is not None:
        application = wsgi_options.load(options.wsgi)
        in_loop = not wsgi_options.number_of_threads(options)
        mount(routes, application, in_loop=in_loop, multiprocess=process.is_one_of_several)
    else:
        handlers.build(
            store,
            options.read_only,
            options.allow_delete,
            resumable=settings.max_body if options.resumable else None,
            routes=routes,
            allowed_origin=access_options.allowed_origin(options),
        )
    return routes


def _begin(
    options: argparse.Namespace,
    process: Process,
    store: Store | None,
    shared: str,
    notes: Sequence[str],
    server: Server,
) -> None:
    """Announce that the server serves, and start removing the leftovers of unfinished uploads."""
    urls = urls_of(server)
    after_start = partial(access_options.after_start, options, urls, server.local)
    process.announce(server, tuple(start_lines(server, urls, shared, notes)), after_start)
    if store is not None:
        store.close_in_background(server.in_background)
    if store is not None and not options.read_only and process.removes_leftovers:
        cleanup = Cleanup(server.reactor, store.remove_leftovers())
        store.on_close(cleanup.close)
        server.call_soon(server.reactor.soon, cleanup)  # also wakes a loop that the inspector runs


def _notes(
    options: argparse.Namespace, process: Process, instrumentation: Instrumentation | None
) -> Sequence[str]:
    """Return the notes at the end of the start line."""
    return (
        process.note,
        access_options.describe_access(options) if options.wsgi is None else wsgi_options.describe(options),
        "" if ENGINE_NAME == "zlib" else f"gzip by {ENGINE_NAME}",
        observe_options.describe(instrumentation),
    )


def _describe_shared(options: argparse.Namespace, store: Store | None) -> str:
    """Return the name of the directory, file or application that is served; empty without any."""
    if store is None:
        return "" if options.wsgi is None else str(options.wsgi.text)
    # abspath() removes ".." with the name before it, which may be that of a symbolic link.
    absolute = os.path.realpath if ".." in options.directory.split("/") else os.path.abspath
    path = escape_unprintable(absolute(options.directory))
    return f"the file {path}" if store.is_single_file else path


def _open_store(options: argparse.Namespace, settings: Settings) -> Store:
    try:
        return Store(
            options.directory,
            options.hidden,
            options.fsync,
            settings.min_free_space,
            media_type=TYPES[options.types],
            precompressed=options.precompressed,
        )
    except (OSError, ValueError) as error:  # open() raises ValueError for a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise StartError(f"cannot share {options.directory!r}: {reason}") from None
