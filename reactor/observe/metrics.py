"""Metrics of the server: counters from the event stream, and gauges that are read on request.

    http_server_...     requests by method, route, status, version and scheme, with OpenTelemetry's names
    reactor_...         connections, refusals, closes, and the event loop
    process_...         memory, CPU time and file descriptors

Every label has a fixed set of values: known methods (else ``_OTHER``), route templates (never paths), states,
and reasons. So the number of series is bounded. "Lag" is the delay before the last ready handle of a turn is
called. Process metrics come from psutil if it is installed, else from the operating system.

``reactor.observe.prometheus`` writes what ``families`` returns.
"""

import os
import resource
import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence, Sized
from importlib import import_module
from typing import Any, NamedTuple

from reactor.event_handler import DEADLINE, SOON
from reactor.http11.grammar import METHODS
from reactor.logs.access_log import Exchange
from reactor.observe.events import EventKind, Subscriber
from reactor.server.context import ServerContext
from reactor.server.state import CloseReason, State

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Counts of values by upper bound, and one for values above all bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


Value = float | Histogram


class MetricFamily(NamedTuple):
    """All series of one metric, with its kind, unit ("" for none) and help text."""

    name: str
    kind: str
    unit: str
    help: str
    series: list[tuple[Labels, Value]]


# Bounds in seconds: those that OpenTelemetry recommends for requests, and finer ones for the event loop.
REQUEST_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
LOOP_DURATIONS = (0.00001, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)
SIZES = (0.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)  # bytes

_REASONS = {
    400: "malformed",
    401: "unauthorized",
    403: "forbidden",
    408: "too_slow",
    413: "content_too_long",
    414: "target_too_long",
    417: "expectation",
    431: "head_too_long",
    500: "failure",
    501: "not_implemented",
    505: "version",
    507: "no_space",
}
OTHER_REASON, OTHER_METHOD = "other", "_OTHER"
_METHODS = frozenset(METHODS)
# The states in which a connection has a request in progress.
_ACTIVE = frozenset(State) - {
    *(State.RECEIVING_PROXY_HEADER, State.ACCEPTED, State.IDLE, State.RECEIVING_HEAD),
    *(State.DRAINING, State.CLOSED),
}


class _Requests:
    """The histograms of the requests with one method, route, status, version and scheme."""

    __slots__ = ("duration", "received", "sent")

    def __init__(self) -> None:
        self.duration = Histogram(REQUEST_DURATIONS)
        self.received = Histogram(SIZES)
        self.sent = Histogram(SIZES)


class Metrics(Subscriber):
    """Counts events."""

    def __init__(self) -> None:
        super().__init__()
        self._requests: dict[tuple[str, str, int, int, str], _Requests] = {}
        self._accepted = 0
        self._closed: dict[str, int] = dict.fromkeys(CloseReason, 0)
        self._refused = dict.fromkeys((*_REASONS.values(), OTHER_REASON), 0)
        self._received = self._sent = 0  # bytes
        self._turns = self._ready = 0
        self._busy = self._waiting = 0.0
        self._turn = Histogram(LOOP_DURATIONS)
        self._lag = Histogram(LOOP_DURATIONS)
        self._selected_at = self._last_began = 0.0

    def on_selected(self, kind: EventKind, when: float, slept: float, ready: Sized) -> None:
        """Count the waiting time and the ready handles."""
        self._selected_at = self._last_began = when
        self._waiting += slept
        self._ready += len(ready)

    def on_called(self, kind: EventKind, when: float, handler: object, events: int, began: float) -> None:
        """Record when the last ready handle was called."""
        if events != DEADLINE and events != SOON:
            self._last_began = began

    def on_turn_ended(self, kind: EventKind, when: float, turn: int, began: float) -> None:
        """Count the turn."""
        seconds = when - began
        self._turns += 1
        self._busy += seconds
        self._turn.add(seconds)
        self._lag.add(self._last_began - self._selected_at)

    def on_opened(self, kind: EventKind, when: float, connection: object) -> None:
        """Count the connection."""
        self._accepted += 1

    def on_received(self, kind: EventKind, when: float, connection: object, data: bytes) -> None:
        """Count the bytes."""
        self._received += len(data)

    def on_sent(self, kind: EventKind, when: float, connection: object, count: int) -> None:
        """Count the bytes."""
        self._sent += count

    def on_refused(self, kind: EventKind, when: float, connection: object, status: int, reason: str) -> None:
        """Count the refusal."""
        self._refused[_REASONS.get(status, OTHER_REASON)] += 1

    def on_closed(self, kind: EventKind, when: float, connection: object, reason: CloseReason) -> None:
        """Count the close."""
        self._closed[reason] += 1

    def on_answered(
        self, kind: EventKind, when: float, connection: object, exchange: Exchange, body_bytes: int
    ) -> None:
        """Count the request."""
        request = exchange.request
        head, template = request.head, request.route
        key = (request.method, template, exchange.status, head.version, head.site.scheme)
        counts = self._requests.get(key) or self._make(key)
        # Histogram.add is inlined: three calls take 0.13 us of 1.4 us per request.
        duration = when - exchange.began
        counts.duration.counts[bisect_left(REQUEST_DURATIONS, duration)] += 1
        counts.duration.sum += duration
        length = head.length
        if length > 0:
            counts.received.add(length)
        else:  # most requests have no body
            counts.received.counts[0] += 1
        counts.sent.counts[bisect_left(SIZES, body_bytes)] += 1
        counts.sent.sum += body_bytes

    def _make(self, key: tuple[str, str, int, int, str]) -> _Requests:
        method = key[0] if key[0] in _METHODS else OTHER_METHOD
        return self._requests.setdefault((method, *key[1:]), _Requests())

    # On request.

    def families(self, context: ServerContext) -> list[MetricFamily]:
        """Return all metrics, including the current gauges of the server and the process."""
        return [*self._http(context), *self._connections(context), *self._loop(), *process()]

    def _http(self, context: ServerContext) -> Iterable[MetricFamily]:
        labelled = [(_labels(*key), counts) for key, counts in sorted(self._requests.items())]
        yield MetricFamily(
            "http_server_request_duration_seconds",
            HISTOGRAM,
            "seconds",
            "Time from parsing the request to sending the last byte of the response.",
            [(labels, counts.duration) for labels, counts in labelled],
        )
        yield MetricFamily(
            "http_server_request_body_size_bytes",
            HISTOGRAM,
            "bytes",
            "Content-Length of requests; 0 without one, as in the chunked coding.",
            [(labels, counts.received) for labels, counts in labelled],
        )
        yield MetricFamily(
            "http_server_response_body_size_bytes",
            HISTOGRAM,
            "bytes",
            "Size of response bodies as sent on the wire.",
            [(labels, counts.sent) for labels, counts in labelled],
        )
        active = sum(each.state in _ACTIVE for each in context.connections.values())
        yield MetricFamily("http_server_active_requests", GAUGE, "", "Requests in progress.", [((), active)])

    def _connections(self, context: ServerContext) -> Iterable[MetricFamily]:
        counts = dict.fromkeys(State, 0)
        parser = write_buffer = 0
        for each in context.connections.values():
            counts[each.state] += 1
            parser += each.unparsed
            write_buffer += each.unsent
        yield MetricFamily(
            "reactor_connections",
            GAUGE,
            "",
            "Open connections, by state.",
            _by("state", {state.name: count for state, count in counts.items() if state is not State.CLOSED}),
        )
        yield MetricFamily(
            "reactor_connections_accepted", COUNTER, "", "Connections accepted.", [((), self._accepted)]
        )
        yield MetricFamily(
            "reactor_connections_closed",
            COUNTER,
            "",
            "Connections closed, by reason.",
            _by("reason", self._closed),
        )
        yield MetricFamily(
            "reactor_refusals",
            COUNTER,
            "",
            "Requests refused before their handler was called, by reason.",
            _by("reason", self._refused),
        )
        yield MetricFamily(
            "reactor_received_bytes",
            COUNTER,
            "bytes",
            "Bytes received, framing included.",
            [((), self._received)],
        )
        yield MetricFamily(
            "reactor_sent_bytes", COUNTER, "bytes", "Bytes sent, framing included.", [((), self._sent)]
        )
        yield MetricFamily(
            "reactor_buffered_bytes",
            GAUGE,
            "bytes",
            "Bytes buffered in memory: unparsed requests and unsent responses.",
            _by("where", {"parser": parser, "write_buffer": write_buffer}),
        )

    def _loop(self) -> Iterable[MetricFamily]:
        yield MetricFamily(
            "reactor_loop_turns", COUNTER, "", "Turns (iterations) of the event loop.", [((), self._turns)]
        )
        yield MetricFamily(
            "reactor_loop_ready_events",
            COUNTER,
            "",
            "Ready handles returned by the selector.",
            [((), self._ready)],
        )
        yield MetricFamily(
            "reactor_loop_busy_seconds",
            COUNTER,
            "seconds",
            "Time that the event loop spent working.",
            [((), self._busy)],
        )
        yield MetricFamily(
            "reactor_loop_waiting_seconds",
            COUNTER,
            "seconds",
            "Time that the event loop spent waiting for events.",
            [((), self._waiting)],
        )
        yield MetricFamily(
            "reactor_loop_turn_duration_seconds",
            HISTOGRAM,
            "seconds",
            "Working time of a turn of the event loop.",
            [((), self._turn)],
        )
        yield MetricFamily(
            "reactor_loop_lag_seconds",
            HISTOGRAM,
            "seconds",
            "Delay between the selector's return and the call of the turn's last ready handle.",
            [((), self._lag)],
        )


def _by(label: str, values: dict[str, int]) -> list[tuple[Labels, Value]]:
    return [(((label, name),), value) for name, value in values.items()]


def _labels(method: str, template: str, status: int, version: int, scheme: str) -> Labels:
    route = (("http_route", template),) if template else ()
    return (
        ("http_request_method", method),
        ("http_response_status_code", str(status)),
        *route,
        ("network_protocol_version", f"1.{version}"),
        ("url_scheme", scheme),
    )


# The process.


def process() -> Iterable[MetricFamily]:
    """Return the metrics of this process; without psutil, those that the operating system provides."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = usage.ru_utime + usage.ru_stime
    yield MetricFamily(
        "process_cpu_seconds", COUNTER, "seconds", "CPU time, user and system.", [((), seconds)]
    )
    figures = _of_psutil() or _of_proc()
    for name, unit, text in (
        ("process_resident_memory_bytes", "bytes", "Resident memory."),
        ("process_open_fds", "", "Open file descriptors."),
        ("process_start_time_seconds", "seconds", "Start time of the process, in seconds since the epoch."),
    ):
        if name in figures:
            yield MetricFamily(name, GAUGE, unit, text, [((), figures[name])])


def _of_psutil() -> dict[str, float]:
    try:
        psutil: Any = import_module("psutil")
    except ImportError:
        return {}
    own = psutil.Process()
    return {
        "process_resident_memory_bytes": float(own.memory_info().rss),
        "process_open_fds": float(own.num_fds()),
        "process_start_time_seconds": float(own.create_time()),
    }


def _of_proc() -> dict[str, float]:
    if not sys.platform.startswith("linux"):
        return {}
    try:
        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[1])
        descriptors = len(os.listdir("/proc/self/fd"))
    except (OSError, ValueError, IndexError):
        return {}
    return {
        "process_resident_memory_bytes": float(pages * resource.getpagesize()),
        "process_open_fds": float(descriptors),
    }
