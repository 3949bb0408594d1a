"""The ``reactor`` command: parse the options, serve, and return an exit code.

0  stopped by a signal        2  invalid option        3  the server could not start
"""

import argparse
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from types import FrameType

from reactor import handlers
from reactor.cli import access_options, observe_options
from reactor.cli.config_file import apply_config, config_path
from reactor.cli.options import apply_environment, check_combinations, make_parser, read_variable
from reactor.cli.start_line import start_line
from reactor.handlers.files.media_types import TYPES
from reactor.handlers.files.store import Store
from reactor.http11.coding import ENGINE
from reactor.http11.message import Fields
from reactor.logs.stderr import MessageFormatter, StderrHandler
from reactor.server.listen import StartError
from reactor.server.server import Server, serve
from reactor.settings import Settings

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
    """Run ``main`` with the signal handling of a whole process; return the exit code."""
    signals = SignalsOutsideServing()
    try:
        return main(on_ready=signals.note_ready)
    except StoppedError:
        return STOPPED
    finally:
        signals.ignore()


def main(arguments: Sequence[str] | None = None, on_ready: Callable[[], None] = lambda: None) -> int:
    """Run the server with these arguments; return the exit code.

    ``on_ready`` is called as soon as the server handles signals.
    """
    parser = make_parser()
    path = config_path(arguments, os.environ)
    if path is not None:
        apply_config(parser, path, read_variable)
    apply_environment(parser, os.environ)
    options = parser.parse_args(arguments)
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
        parser.error(
            re.sub(r"\b[a-z]+(_[a-z]+)+\b", lambda name: "--" + name[0].replace("_", "-"), str(error))
        )
    access_options.warn_about_typed_passwords(parser, options)
    try:
        _serve(options, settings, default_headers, messages, on_ready)
    except StartError as error:
        messages.write(f"reactor: {error}")
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
    default_headers: Fields,
    messages: StderrHandler,
    on_ready: Callable[[], None],
) -> None:
    """Open the directory, build the routes and serve."""

    def begin(server: Server) -> None:
        messages.write(start_line(server, directory, notes))
        on_ready()
        access_options.after_start(options, server.url, server.local)

    store = None
    directory = "" if options.directory is None else os.path.abspath(options.directory)
    if sys.stdout is None and not options.no_access_log:
        log.warning("access log disabled: stdout is closed")
    if options.directory is not None:
        store = _open_store(options, settings)
    try:
        routes = access_options.make_router(options)
        with observe_options.instrument(options, settings) as instrumentation:
            notes = (
                access_options.describe_access(options),
                "" if ENGINE == "zlib" else f"gzip by {ENGINE}",
                "" if instrumentation is None else instrumentation.description,
            )
            serve(
                handlers.build(
                    store,
                    options.read_only,
                    options.allow_delete,
                    resumable=settings.max_body if options.resumable else None,
                    routes=routes,
                    allowed_origin=access_options.allowed_origin(options),
                ),
                options.host,
                options.port,
                settings,
                access_log=None if options.no_access_log else sys.stdout,
                log_format=options.log_format,
                default_headers=default_headers,
                on_ready=begin,
                instrumentation=instrumentation,
                on_reload=access_options.reloader(options, routes),
                allowed_hosts=access_options.allowed_hosts(options),
            )
    finally:
        if store is not None:
            store.close()


def _open_store(options: argparse.Namespace, settings: Settings) -> Store:
    try:
        store = Store(
            options.directory,
            options.hidden,
            options.fsync,
            settings.min_free_space,
            media_type=TYPES[options.types],
        )
        removed = 0 if options.read_only else store.remove_leftovers()
    except OSError as error:
        raise StartError(f"cannot share directory {options.directory!r}: {error.strerror}") from None
    if removed:
        log.info("removed %d unfinished upload%s", removed, "s" if removed > 1 else "")
    return store
