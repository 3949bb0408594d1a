"""The routes of the inspector.

    For the page, by ``install``:
    GET /                     the page
    GET /events               server-sent events: hello, then frames
    GET /connections/{number} one connection, as JSON
    POST /control             pause, resume, event, turn, slow
    POST /breakpoints         set the states at which to pause, and whether to pause after a slow turn
    POST /demos               start a demo

    For programs, by ``endpoints``:
    GET /metrics              Prometheus text format, or OpenMetrics by Accept
    GET /healthz              200 while the inspector's loop runs
    GET /readyz               200 while connections are accepted, 503 while the server stops
    GET /connections          every connection, as JSON

The body of a POST must be application/json, which a form on another site cannot send.

Demo connections are not listed under /connections, and their requests are not counted. The metrics of the
loop (turns, lag, busy seconds) include the work they cause.
"""

import json
from collections.abc import Callable
from typing import Any

from reactor.http11.deferred import Deferred
from reactor.http11.errors import HTTPError, quote
from reactor.http11.message import LiveStream, Request, Response
from reactor.inspector.demo import DEMOS, MAX_CLIENTS, MAX_DEMOS
from reactor.inspector.page import HTML_HEADERS, PAGE
from reactor.inspector.snapshot import STATES
from reactor.inspector.subscribers import MAX_PAGES, Subscribers
from reactor.observe.events import descriptor_of, peer_of
from reactor.observe.metrics import MetricFamily, Metrics
from reactor.observe.prometheus import negotiate, render
from reactor.routing import Router, buffered
from reactor.server.context import ServerState
from reactor.server.listen import StartError
from reactor.server.server import Server

MAX_BODY = 4096  # bytes of a request body
MAX_LISTED = 1000  # connections
JSON_HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
EVENT_STREAM = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"))
DELAYS = 0.01, 60.0  # seconds, the minimum and maximum delay of slow motion

# Calls a function with the metrics of several processes, later.
Collect = Callable[[Callable[[list[MetricFamily]], None]], None]
# Registers more routes, given the router of the inspector and the server.
Installer = Callable[[Router, Server], None]


def install(routes: Router, subscribers: Subscribers) -> None:
    """Register the routes for the page."""
    control = subscribers.control

    def refuse_while_stopping() -> None:
        if subscribers.stopping:  # a held loop would keep the server from stopping
            raise HTTPError(409, "the server is stopping")

    @routes.get("/")
    def page(request: Request) -> Response:
        return Response(200, PAGE, (*HTML_HEADERS, ("Cache-Control", "no-cache")), 0)

    @routes.get("/events")
    def events(request: Request) -> Response:
        stream = LiveStream()
        if request.method != "HEAD" and not subscribers.add(stream):
            raise HTTPError(503, f"too many pages are open (limit {MAX_PAGES})")
        return Response(200, stream, EVENT_STREAM)

    @routes.get("/connections/{number}")
    def connection(request: Request) -> Response:
        number = request.params["number"]
        digits = number.removeprefix("-")  # the number of a demo connection is negative
        is_number = digits.isascii() and digits.isdigit() and len(digits) < 20
        details = subscribers.describe(int(number)) if is_number else None
        if details is None:
            raise HTTPError(404, f"connection not found: {number!r} (unknown, or closed too long ago)")
        return as_json(details)

    @routes.post("/control", buffered(MAX_BODY))
    def command(request: Request) -> Response:
        body = read_json(request)
        refuse_while_stopping()
        commands: dict[str, Callable[[], None]] = {
            "pause": control.pause,
            "resume": control.resume,
            "event": control.step_event,
            "turn": control.step_turn,
            "slow": lambda: control.slow_motion(_delay(body)),
        }
        do = body.get("do")
        if not isinstance(do, str) or do not in commands:
            raise HTTPError(400, f'invalid "do": {_quote(do)} (expected {", ".join(commands)})')
        commands[do]()
        subscribers.changed()
        return as_json({"mode": control.mode})

    @routes.post("/breakpoints", buffered(MAX_BODY))
    def breakpoints(request: Request) -> Response:
        body = read_json(request)
        refuse_while_stopping()
        states, slow = body.get("states"), body.get("slow")
        names = [state.name for state in STATES]
        if not isinstance(states, list):
            raise HTTPError(400, f'invalid "states": {_quote(states)} (expected a list of state names)')
        unknown = [each for each in states if each not in names]
        if unknown:
            raise HTTPError(400, f"unknown state: {_quote(unknown[0])} (expected {', '.join(names)})")
        if not isinstance(slow, bool):
            raise HTTPError(400, f'invalid "slow": {_quote(slow)} (expected true or false)')
        control.set_breakpoints(states, slow)
        subscribers.changed()
        return as_json({"states": sorted(states), "slow": slow})

    @routes.post("/demos", buffered(MAX_BODY))
    def demos(request: Request) -> Response:
        name = read_json(request).get("name")
        demo = DEMOS.get(name) if isinstance(name, str) else None
        if demo is None:
            raise HTTPError(404, f"unknown demo: {_quote(name)} (available: {', '.join(DEMOS)})")
        try:
            started = subscribers.demos.start(demo)
        except (OSError, StartError) as error:
            raise HTTPError(503, f"cannot start the demo: {error}") from None
        if not started:
            raise HTTPError(
                409, f"too many demos are running (limits: {MAX_DEMOS} demos, {MAX_CLIENTS} clients)"
            )
        subscribers.changed()
        return as_json({"name": demo.name}, 202)


# For programs.


def endpoints(
    metrics: Metrics, collect: Collect | None = None, is_ready: Callable[[], bool] | None = None
) -> Installer:
    """Return a function that registers the routes for programs.

    With ``collect``, /metrics is what it collects: the metrics of several processes. ``is_ready`` decides for
    /readyz whether these serve.
    """

    def install(routes: Router, server: Server) -> None:
        context = server.context

        @routes.get("/metrics")
        def show_metrics(request: Request) -> Response | Deferred:
            media_type = negotiate(str(request.headers.get("accept", "")))
            headers = (("Content-Type", media_type), ("Vary", "Accept"), ("Cache-Control", "no-store"))

            def write(families: list[MetricFamily]) -> Response:
                return Response(200, render(families, media_type).encode(), headers)

            if collect is None:
                return write(metrics.families(context))
            result = Deferred()
            collect(lambda families: result.resolve(write(families)))
            return result

        @routes.get("/healthz")
        def healthy(request: Request) -> Response:
            return Response.text("ok\n")

        @routes.get("/readyz")
        def ready(request: Request) -> Response:
            if context.state is ServerState.RUNNING if is_ready is None else is_ready():
                return Response.text("ready\n")
            return Response.error(503, "the server is stopping")

        @routes.get("/connections")
        def connections(request: Request) -> Response:
            now = server.reactor.clock()
            open_connections = list(context.connections.values())
            listed = [
                {
                    "number": each.number,
                    "fd": descriptor_of(each.handle),
                    "peer": peer_of(each),
                    "state": each.state.name,
                    "served": each.served,
                    "route": each.route.template if each.route is not None else "",
                    "timeout": each.state.timeout,
                    "seconds_left": round(each.timeout_ends - now, 3) if each.state.timeout else None,
                }
                for each in open_connections[:MAX_LISTED]
            ]
            return as_json({"connections": listed, "left_out": len(open_connections) - len(listed)})

    return install


# JSON.


def as_json(data: object, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(status, json.dumps(data).encode(), JSON_HEADERS)


def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object in a request's body; raise HTTPError."""
    media_type = str(request.headers.get("content-type", "")).partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPError(415, f"invalid Content-Type: {quote(media_type)} (expected application/json)")
    try:
        data = json.loads(request.content)
    except (ValueError, RecursionError):
        raise HTTPError(400, "invalid JSON") from None
    if not isinstance(data, dict):
        raise HTTPError(400, "the request body must be a JSON object")
    return data


def _quote(value: object) -> str:
    """Return a JSON value for an error message; of an array or object, its type."""
    if isinstance(value, (list, dict)):
        return "array" if isinstance(value, list) else "object"
    return json.dumps(value)[:80]


def _delay(body: dict[str, Any]) -> float:
    delay = body.get("delay", 0.5)
    least, greatest = DELAYS
    if isinstance(delay, bool) or not isinstance(delay, (int, float)) or not least <= delay <= greatest:
        raise HTTPError(400, f'invalid "delay": {_quote(delay)} (expected {least:g} to {greatest:g} seconds)')
    return float(delay)
