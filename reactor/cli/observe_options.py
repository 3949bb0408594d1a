"""Observe options: --explain, --trace and --inspect, and the instrumentation that they select.

    --explain               a paragraph for each turn, on standard error
    --trace FILE            the loop as a timeline, for Perfetto; --trace-limit ends it
    --inspect [HOST:PORT]   the microscope, on a listening handle of its own

An option is checked when it is parsed: an invalid one leads to exit code 2 and one line.
"""

import argparse
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from reactor.allowed_hosts import ANY, is_address, is_loopback
from reactor.cli.option_types import size
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
from reactor.settings import Settings

log = logging.getLogger("reactor")
turns = logging.getLogger("reactor.turns")  # a paragraph each, at debug

Address = tuple[str, int]

_ADDRESS = re.compile(r"(?:(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/ ]+)):)?([0-9]{1,5})", re.ASCII)


def address(text: str) -> Address:
    """Read HOST:PORT, or PORT alone.

    >>> address("4222"), address("[::1]:0")
    (('127.0.0.1', 4222), ('::1', 0))
    """
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match[3]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST:PORT, such as 127.0.0.1:4222")
    return match[1] or match[2] or inspector.HOST, int(match[3])


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser, in a group of their own."""
    group = parser.add_argument_group("watching the loop")
    group.add_argument(
        "--explain", action="store_true", help="tell on standard error, in words, what the loop does"
    )
    group.add_argument(
        "--trace",
        metavar="FILE",
        help="write a trace that opens in Perfetto and chrome://tracing (default: none)",
    )
    group.add_argument(
        "--trace-limit",
        type=size,
        default=LIMIT,
        metavar="OCTETS",
        help=f"a trace that has grown so far ends (default: {LIMIT >> 20} MiB)",
    )
    group.add_argument(
        "--inspect",
        nargs="?",
        const=(inspector.HOST, inspector.PORT),
        type=address,
        metavar="HOST:PORT",
        help="serve a page that shows the loop and can hold it, and metrics, on "
        f"{inspector.HOST}:{inspector.PORT} without HOST:PORT (default: none)",
    )


@contextmanager
def instrument(options: argparse.Namespace, settings: Settings) -> Iterator[Instrumentation | None]:
    """Yield the instrumentation of the server, None without one; raise StartError.

    Close it at the end, also if the server cannot start, and then the trace.
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


def _instrumentation(
    inspect: Address | None, subscribers: list[EventCallback], settings: Settings, names: Sequence[str]
) -> Instrumentation | None:
    if inspect is not None:
        host, port = inspect
        if not (host == "localhost" or (is_address(host) and is_loopback(host))):
            log.warning("whoever reaches %s port %d can see and hold this server", host, port)
        metrics = Metrics()
        return inspector.inspected(
            subscribers, host, port, settings, [endpoints(metrics)], [metrics], names=names
        )
    return Instrumentation(InstrumentedReactor(subscribers), InstrumentedConnection) if subscribers else None


def _open_trace(path: str, limit: int) -> Trace:
    try:
        return Trace(path, limit)
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise StartError(f"cannot write the trace {path!r}: {reason}") from None


def _log_turns() -> None:
    """Log the turns whatever the level of the other messages is, and without their prefix."""
    handler = StderrHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    turns.handlers = [handler]
    turns.setLevel(logging.DEBUG)
    turns.propagate = False


def _supports_colour() -> bool:
    """Say whether standard error is a terminal that shows colours, and may (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return sys.stderr is not None and sys.stderr.isatty()
