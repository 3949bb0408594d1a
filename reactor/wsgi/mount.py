"""Routes to a WSGI application: every method, and every path below one."""

from wsgiref.types import WSGIApplication

from reactor.http11.deferred import Deferred
from reactor.http11.message import Request, Response
from reactor.routing import METHODS, Router
from reactor.wsgi.application_call import ApplicationCall
from reactor.wsgi.environ import EnvironBuilder
from reactor.wsgi.error_log import ErrorLog
from reactor.wsgi.in_loop import respond
from reactor.wsgi.in_thread import ThreadedResponse
from reactor.wsgi.request_input import RequestInput


def mount(
    routes: Router,
    app: WSGIApplication,
    path: str = "/",
    in_loop: bool = False,
    multiprocess: bool = False,
) -> None:
    """Pass all requests for a path, and for every path below it, to a WSGI application.

    Each request occupies a worker thread until the application has produced the whole response; ``in_loop``
    calls it in the event loop instead. ``multiprocess`` is true if other processes call it, too. Other
    routes take precedence where their pattern is more specific. Raise ValueError for an invalid path, and
    TypeError for an application that cannot be called.
    """
    if not callable(app):
        raise TypeError(f"invalid WSGI application: {app!r} (expected a function or another callable)")
    if not path.startswith("/") or "{" in path or "//" in path:
        raise ValueError(f"invalid path of a WSGI application: {path!r} (examples: '/', '/shop')")
    prefix = path.removesuffix("/")
    environ = EnvironBuilder(routes, tuple(prefix.split("/")[1:]), not in_loop, multiprocess)
    handler = _Mount(app, environ, in_loop)
    for pattern in ([prefix] if prefix else []) + [f"{prefix}/{{path...}}"]:
        for method in METHODS:
            routes.route(method, pattern, handler.open_sink)(handler.handle)


class _Mount:
    """The handler of all routes of an application."""

    def __init__(self, app: WSGIApplication, environ: EnvironBuilder, in_loop: bool) -> None:
        self._app = app
        self._environ = environ
        self._in_loop = in_loop
        self._reported: set[str] = set()

    def open_sink(self, request: Request) -> RequestInput:
        """Open the sink for the body of a request."""
        return RequestInput()

    def handle(self, request: Request) -> Response | Deferred:
        """Call the application, now or in a worker thread."""
        received = request.upload
        assert isinstance(received, RequestInput), "a request without its sink"
        size, body, errors = received.size, received.take(), ErrorLog()
        environ = self._environ.build(request, body, size, errors)
        call = ApplicationCall(self._app, request, environ, body, errors, self._reported)
        return respond(call) if self._in_loop else ThreadedResponse(call)
