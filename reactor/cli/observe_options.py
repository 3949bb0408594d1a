"""Observe options: --explain, --trace and --inspect, and the instrumentation that they select.

    --explain               log a paragraph for each event loop turn to standard error
    --trace FILE            write a timeline for Perfetto, up to the size trace-limit
    --inspect [HOST:PORT]   serve the inspector and metrics on a listening socket of their own

Values are checked when the options are parsed; an invalid one leads to exit code 2 and one line.
"""

import argparse
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from reactor.allowed_hosts import ANY, is_address, is_loopback
from reactor.cli.option_types import FileOnly, Group, size
from reactor.inspector import inspector
from reactor.inspector.routes import endpoints
from reactor.logs.stderr import StderrHandler
from reactor.observe.events import EventCallback
from reactor.observe.explain import Explain
from reactor.observe.instrumented import InstrumentedConnection, InstrumentedReactor
from reactor.observe.metrics import Metrics
from reactor.observe.trace import LIMIT, Trace
from reactor.server.listen import StartError
from reactor.server.server import Instrumentation
from reactor.settings import Settings, format_size

log = logging.getLogger("reactor")
turns = logging.getLogger("reactor.turns")  # one paragraph for each turn, at level debug

Address = tuple[str, int]

_ADDRESS = re.compile(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/ ]+)):)?([0-9]{1,5})", re.ASCII)


def address(text: str) -> Address:
    """Parse HOST:PORT, or PORT alone.

    >>> address("4222"), address("[::1]:0")
    (('127.0.0.1', 4222), ('::1', 0))
    """
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match[3]) > 65535:
        raise argparse.ArgumentTypeError(
            f"invalid HOST:PORT: {text!r} (examples: 127.0.0.1:4222, [::1]:4222, 4222)"
        )
    return match[1] or match[2] or inspector.HOST, int(match[3])


def add_options(group: Group) -> None:
    """Add the options to a group."""
    group.add_argument(
        "--explain",
        action="store_true",
        help="log a plain-English summary of each turn (iteration) of the event loop to standard error",
    )
    group.add_argument(
        "--inspect",
        nargs="?",
        const=(inspector.HOST, inspector.PORT),
        type=address,
        metavar="HOST:PORT",
        help="serve the inspector (a web page that shows and pauses the event loop) and metrics on "
        f"HOST:PORT; without HOST:PORT, on {inspector.HOST}:{inspector.PORT} (default: none)",
    )
    group.add_argument(
        "--trace",
        metavar="FILE",
        help="write a trace of the event loop to FILE, for Perfetto or chrome://tracing (default: none)",
    )
    group.add_argument(
        "--trace-limit",
        action=FileOnly,
        default=LIMIT,
        read=size,
        shown=format_size(LIMIT),
        effect="stop tracing when the file of `--trace` reaches this size",
    )


@contextmanager
def instrument(options: argparse.Namespace, settings: Settings) -> Iterator[Instrumentation | None]:
    """Yield the instrumentation of the server, or None; raise StartError.

    Close the instrumentation and then the trace at the end, also if the server cannot start.
    """
    subscribers: list[EventCallback] = []
    if options.explain:
        _log_turns()
    if turns.isEnabledFor(logging.DEBUG):
        colour = options.explain and _supports_colour()
        subscribers.append(Explain(turns.debug, settings.slow_turn, colour))
    with ExitStack() as stack:
        if options.trace is not None:
            trace = _open_trace(options.trace, options.trace_limit)
            stack.callback(trace.close)
            subscribers.append(trace)
        names = [name for name in options.allowed_host if name != ANY]
        instrumentation = _instrumentation(options.inspect, subscribers, settings, names)
        if instrumentation is not None:
            stack.callback(instrumentation.close)
        yield instrumentation


def describe(instrumentation: Instrumentation | None) -> str:
    """Return the note for the start line on where the server can be observed, or ""."""
    inspector_address = "" if instrumentation is None else instrumentation.description
    return inspector_address and f"{inspector_address}, which --auth does not cover"


def _instrumentation(
    inspect: Address | None, subscribers: list[EventCallback], settings: Settings, names: Sequence[str]
) -> Instrumentation | None:
    if inspect is not None:
        host, port = inspect
        if not (host == "localhost" or (is_address(host) and is_loopback(host))):
            log.warning(
                "anyone who can reach %s can inspect and pause this server "
                "(without HOST:PORT, --inspect allows this machine only)",
                host,
            )
        metrics = Metrics()
        return inspector.inspected(
            subscribers, host, port, settings, [endpoints(metrics)], [metrics], names=names
        )
    return Instrumentation(InstrumentedReactor(subscribers), InstrumentedConnection) if subscribers else None


def _open_trace(path: str, limit: int) -> Trace:
    try:
        return Trace(path, limit)
    except (OSError, ValueError) as error:  # open() raises ValueError for a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise StartError(f"cannot write the trace file {path!r}: {reason}") from None


def _log_turns() -> None:
    """Log the turns at any --log-level, without the prefix of other messages."""
    handler = StderrHandler(raw=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    turns.handlers = [handler]
    turns.setLevel(logging.DEBUG)
    turns.propagate = False


def _supports_colour() -> bool:
    """Return whether standard error is a terminal with colours, and NO_COLOR is unset (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return sys.stderr is not None and sys.stderr.isatty()
