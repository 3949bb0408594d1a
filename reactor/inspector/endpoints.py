"""Figures: what programs ask the inspector for, on its own listening handle.

GET /metrics       Prometheus' text, or OpenMetrics by Accept
GET /healthz       200 while the loop that serves this runs
GET /readyz        200 while connections are accepted, 503 while the server stops
GET /connections   every connection, as JSON

Demo connections are not among the connections, and their requests are not counted; the figures of the loop
(turns, lag, busy seconds) include the work that they cause, since the loop does it.
"""

from reactor.http11.message import Request, Response
from reactor.inspector.inspector import Installer
from reactor.inspector.routes import as_json
from reactor.observe.events import descriptor_of, peer_of
from reactor.observe.metrics import Metrics
from reactor.observe.prometheus import negotiate, render
from reactor.routing import Router
from reactor.server.context import ServerState
from reactor.server.server import Server

MOST = 1000  # connections that are listed


def figures(metrics: Metrics) -> Installer:
    """Return what registers the routes for some metrics."""

    def install(routes: Router, server: Server) -> None:
        context = server.context

        @routes.get("/metrics")
        def show(request: Request) -> Response:
            media_type = negotiate(str(request.headers.get("accept", "")))
            text = render(metrics.families(context), media_type)
            headers = (("Content-Type", media_type), ("Vary", "Accept"), ("Cache-Control", "no-store"))
            return Response(200, text.encode(), headers)

        @routes.get("/healthz")
        def healthy(request: Request) -> Response:
            return Response.text("ok\n")

        @routes.get("/readyz")
        def ready(request: Request) -> Response:
            if context.state is ServerState.RUNNING:
                return Response.text("ready\n")
            return Response.error(503, "the server is stopping")

        @routes.get("/connections")
        def connections(request: Request) -> Response:
            now = server.reactor.clock()
            several = list(context.connections.values())
            listed = [
                {
                    "number": each.number,
                    "fd": descriptor_of(each.handle),
                    "peer": peer_of(each),
                    "state": each.state.name,
                    "served": each.served,
                    "route": each.route.template if each.route is not None else "",
                    "deadline": each.state.timeout,
                    "seconds_left": round(each.deadline - now, 3) if each.state.timeout else None,
                }
                for each in several[:MOST]
            ]
            return as_json({"connections": listed, "left_out": len(several) - len(listed)})

    return install
