"""A router: from a method and a path to a handler.

    routes = Router()

    @routes.get("/hello/{name}")
    def hello(request):
        return Response.text(f"Hello, {request.params['name']}!")

A segment of a pattern is literal, or ``{name}`` for any one segment, or, at the end, ``{name...}`` for the
rest of the path including slashes. The patterns form a tree with one level per segment; a literal segment
is tried before ``{name}``, and that before ``{name...}``.

A route also has a *sink factory*: before the body is read, it opens a sink, which receives the body, or
refuses the request. The router has no connection; the server calls ``resolve``.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Protocol, TypeVar, overload

from reactor.error_handlers import ErrorHandlers, ErrorKey
from reactor.http11 import grammar
from reactor.http11.cors import preflight_headers
from reactor.http11.deferred import Deferred
from reactor.http11.errors import HTTPError, content_too_large
from reactor.http11.message import NO_PARAMS, HeaderPairs, Params, Request, Response
from reactor.http11.results import Result
from reactor.settings import MIB

Handler = Callable[[Request], Result | Deferred]
Function = TypeVar("Function", bound=Handler)
# The exception type, and the result, of a function that ``Router.error`` registers.
Error = TypeVar("Error", bound=Exception)
ErrorResult = TypeVar("ErrorResult", bound=Result)
ErrorFunction = TypeVar("ErrorFunction", bound=Callable[[Request, HTTPError], Result])

# All known methods except CONNECT, which has no path, and which only proxies implement.
METHODS = tuple(method for method in grammar.METHODS if method != "CONNECT")


class Sink(Protocol):
    """Receives the body of one request, chunk by chunk; as ``bytes``, unless it is also a ``ViewSink``.

    ``write`` and ``finish`` may raise HTTPError to refuse the request. ``close`` is always called, once.
    """

    def write(self, data: bytes) -> None:
        """Receive a chunk of the body."""

    def finish(self) -> object:
        """Return the result for the handler; called when the body is complete.

        Bytes become ``request.content``, anything else becomes ``request.upload``.
        """

    def close(self) -> None:
        """Release resources, and delete an incomplete result."""


class InterimSink:
    """Base class of sinks with interim responses (RFC 9110, 15.2).

    ``interim`` is the status and the headers of the next one, or None. The server sends it and sets it to
    None, before the body is received and after each write. A sink may replace one that is not sent yet: while
    the client does not read, later ones wait. HTTP/1.0 clients get no interim response.
    """

    __slots__ = ()

    interim: tuple[int, HeaderPairs] | None


class ViewSink:
    """Base class of sinks that do not keep what is written to them, such as those that write to a file.

    A part of a body whose length is known may then be a memoryview of a buffer that all connections share, of
    up to ``turn_read_file`` bytes. Its content changes after ``write`` returns.
    """

    __slots__ = ()

    def write(self, data: bytes | memoryview) -> None:
        """Receive a chunk of the body."""
        raise NotImplementedError


# Opens a sink for the body of a request; raises HTTPError to refuse the request.
SinkFactory = Callable[[Request], Sink]


class DiscardSink:
    """A sink that counts the body's bytes and discards them; raises HTTPError(413) above ``limit`` bytes.

    ``announced`` is the Content-Length of the body, and is checked before any of it is read.
    """

    __slots__ = ("_limit", "_size")

    def __init__(self, limit: int, announced: int = 0) -> None:
        if announced > limit:
            raise content_too_large(limit)
        self._limit = limit
        self._size = 0

    def write(self, data: bytes) -> None:
        """Count the bytes of a chunk."""
        self._size += len(data)
        if self._size > self._limit:
            raise content_too_large(self._limit)

    def finish(self) -> bytes:
        """Return no body."""
        return b""

    def close(self) -> None:
        """Do nothing: this sink has no resources."""


class BufferSink(DiscardSink):
    """A sink that keeps the body in memory, up to ``limit`` bytes."""

    __slots__ = ("_data",)

    def __init__(self, limit: int, announced: int = 0) -> None:
        super().__init__(limit, announced)
        self._data = bytearray()  # not a list: an object for each chunk of one byte takes too much memory

    def write(self, data: bytes) -> None:
        """Append a chunk of the body."""
        super().write(data)
        self._data += data

    def finish(self) -> bytes:
        """Return the body."""
        return bytes(self._data)

    def close(self) -> None:
        """Release the memory."""
        self._data.clear()


def buffered(limit: int) -> SinkFactory:
    """Return a sink factory that keeps a body of up to ``limit`` bytes in memory."""
    return _LimitedSinks(limit, BufferSink)


def discard(limit: int) -> SinkFactory:
    """Return a sink factory that discards a body of up to ``limit`` bytes."""
    return _LimitedSinks(limit, DiscardSink)


class _LimitedSinks:
    """A sink factory for one class and one limit."""

    __slots__ = ("_limit", "_sink_class")

    def __init__(self, limit: int, sink_class: type[DiscardSink]) -> None:
        self._limit = limit
        self._sink_class = sink_class

    def __call__(self, request: Request) -> DiscardSink:
        """Open a sink for a request; raise HTTPError(413) if its Content-Length is above the limit."""
        return self._sink_class(self._limit, request.head.length)


# In GET, HEAD, DELETE and OPTIONS a body has no meaning (RFC 9110, 9.3), so it is discarded.
DEFAULT_SINKS = {
    method: buffered(1 * MIB) if method in ("POST", "PUT", "PATCH") else discard(1 * MIB)
    for method in METHODS
}


class Route:
    """A handler, and the sink factory for the body; None to respond without reading the body.

    ``always_open_sink`` opens a sink for requests without a body, too, since the handler uses its result.
    ``limits`` is headers that say which bodies are accepted, for 413 and responses to OPTIONS. ``function``
    is what was registered, for the log, if the handler calls it.
    """

    __slots__ = ("always_open_sink", "function", "handler", "limits", "sink", "template")

    def __init__(
        self,
        template: str,
        handler: Handler,
        sink: SinkFactory | None,
        always_open_sink: bool = False,
        limits: HeaderPairs = (),
        function: Handler | None = None,
    ) -> None:
        self.template = template
        self.handler = handler
        self.function = handler if function is None else function
        self.sink = sink
        self.always_open_sink = always_open_sink
        self.limits = limits


class _Node:
    """A node of the tree: a child for each next segment, and the routes of the path that ends here."""

    __slots__ = ("literals", "named", "rest", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.named: tuple[str, _Node] | None = None
        self.rest: tuple[str, _Node] | None = None
        self.routes: dict[str, Route] = {}


class Router:
    """A set of routes for a server; with ``cors`` it also responds to preflight requests."""

    def __init__(self, cors: bool = False) -> None:
        self._root = _Node()
        self._cors = cors
        self.error_handlers = ErrorHandlers()
        self.version = object()  # replaced when a route is added
        self.address = ("localhost", 80)  # host and port; set by the server

    # Registration.

    def get(self, pattern: str) -> Callable[[Function], Function]:
        """Register a function for GET and HEAD."""
        return self.route("GET", pattern)

    def post(
        self, pattern: str, sink: SinkFactory | None = None, limits: HeaderPairs = ()
    ) -> Callable[[Function], Function]:
        """Register a function for POST; without a sink, a body of up to 1 MiB is kept in memory."""
        return self.route("POST", pattern, sink, limits)

    def put(
        self, pattern: str, sink: SinkFactory | None = None, limits: HeaderPairs = ()
    ) -> Callable[[Function], Function]:
        """Register a function for PUT; without a sink, a body of up to 1 MiB is kept in memory."""
        return self.route("PUT", pattern, sink, limits)

    def patch(
        self, pattern: str, sink: SinkFactory | None = None, limits: HeaderPairs = ()
    ) -> Callable[[Function], Function]:
        """Register a function for PATCH; without a sink, a body of up to 1 MiB is kept in memory."""
        return self.route("PATCH", pattern, sink, limits)

    def delete(self, pattern: str) -> Callable[[Function], Function]:
        """Register a function for DELETE; a body is discarded."""
        return self.route("DELETE", pattern)

    def route(
        self, method: str, pattern: str, sink: SinkFactory | None = None, limits: HeaderPairs = ()
    ) -> Callable[[Function], Function]:
        """Register a function for a method.

        ``sink`` opens the sink for the body of a request. ``limits`` are headers that say which bodies are
        accepted, for 413 and responses to OPTIONS. Raise ValueError for an invalid method or pattern.
        """
        if method not in METHODS:
            raise ValueError(f"invalid method: {method!r} (expected one of {', '.join(METHODS)})")
        if sink is not None and not callable(sink):
            raise TypeError(f"invalid sink: {sink!r} (expected a function, such as buffered(10_000))")

        def register(function: Function) -> Function:
            node = self._node(pattern)
            implied = method == "HEAD" and node.routes.get("HEAD") is node.routes.get("GET")
            if method in node.routes and not implied:
                raise ValueError(f"{method} {pattern} already has a handler")
            route = Route(pattern, function, sink or DEFAULT_SINKS[method], sink is not None, limits)
            node.routes[method] = route
            if method == "GET":
                node.routes.setdefault("HEAD", route)
            self.version = object()
            return function

        return register

    @overload
    def error(self, key: int) -> Callable[[ErrorFunction], ErrorFunction]: ...

    @overload
    def error(
        self, key: type[Error]
    ) -> Callable[[Callable[[Request, Error], ErrorResult]], Callable[[Request, Error], ErrorResult]]: ...

    def error(self, key: ErrorKey) -> Callable[[Callable[..., ErrorResult]], Callable[..., ErrorResult]]:
        """Register a function that makes the response to an error, from the request and the error.

        ``key`` is a status, such as 404, or an exception type; HTTPError is the type of every refusal. Text,
        bytes and JSON get the status of the error, which is 500 for any exception but an HTTPError. An
        exception is logged in one line if its response has a status below 500, with a traceback otherwise.
        Raise ValueError for an invalid or duplicate key.
        """

        def register(function: Callable[..., ErrorResult]) -> Callable[..., ErrorResult]:
            self.error_handlers.add(key, function)
            return function

        return register

    def _node(self, pattern: str) -> _Node:
        """Return the node of a pattern; missing nodes are created."""
        if not pattern.startswith("/"):
            raise ValueError(f"invalid pattern: {pattern!r} (expected a leading slash)")
        node, segments = self._root, pattern.split("/")[1:]
        names = []
        for index, segment in enumerate(segments, 1):
            if not segment.startswith("{"):
                node = node.literals.setdefault(segment, _Node())
                continue
            name = segment[1:-1].removesuffix("...")
            if not segment.endswith("}") or not name.isidentifier():
                raise ValueError(
                    f"invalid pattern: {pattern!r} ({segment!r} must be {{name}} or {{name...}})"
                )
            if name in names:
                raise ValueError(f"invalid pattern: {pattern!r} (duplicate name {name!r})")
            names.append(name)
            if segment.endswith("...}"):
                if index < len(segments):
                    raise ValueError(f"invalid pattern: {pattern!r} ({segment!r} must be the last segment)")
                node.rest = self._branch(node.rest, name, pattern)
                node = node.rest[1]
            else:
                node.named = self._branch(node.named, name, pattern)
                node = node.named[1]
        return node

    @staticmethod
    def _branch(branch: tuple[str, _Node] | None, name: str, pattern: str) -> tuple[str, _Node]:
        if branch is None:
            return name, _Node()
        if branch[0] != name:
            raise ValueError(
                f"invalid pattern: {pattern!r} ({name!r} is named {branch[0]!r} in another pattern)"
            )
        return branch

    # Lookup.

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route for a method and the segments of a path, and the path parameters.

        Both are immutable, so that they can be cached and shared by many requests. If no route matches, the
        returned route responds with an error: 501 for an unknown method, 404 for an unknown path, 405 for a
        method that the path does not support. ``segments`` is empty for the asterisk-form.
        """
        params: dict[str, str] = {}
        node = self._find(self._root, segments, 0, params) if segments else None
        if node is not None:
            route = node.routes.get(method)
            if route is not None:
                return route, MappingProxyType(params) if params else NO_PARAMS
        return self._no_match(method, node, bool(segments)), NO_PARAMS

    def _find(self, node: _Node, segments: Sequence[str], index: int, params: dict[str, str]) -> _Node | None:
        """Return the node for the segments from ``index`` on, None without a match."""
        while index < len(segments):
            segment = segments[index]
            child = node.literals.get(segment)
            index += 1
            if child is not None:
                if node.named is None and node.rest is None:  # the only way
                    node = child
                    continue
                match = self._find(child, segments, index, params)
                if match is not None:
                    return match
            if node.named is not None and segment:
                match = self._find(node.named[1], segments, index, params)
                if match is not None:
                    params[node.named[0]] = segment
                    return match
            if node.rest is None:
                return None
            params[node.rest[0]] = "/".join(segments[index - 1 :])
            return node.rest[1]
        return node if node.routes else None

    def _no_match(self, method: str, node: _Node | None, has_path: bool) -> Route:
        if method not in METHODS:
            return self._error_route(501, f"method not implemented: {method[:40]}")
        if method == "OPTIONS" and (node is not None or not has_path):
            routes = node.routes.values() if node is not None else ()
            limits = dict.fromkeys(header for route in routes for header in route.limits)
            return _options(self._allowed(node), tuple(limits), self._cors)
        if node is None:
            return self._error_route(404, "no resource at this path")
        allowed = self._allowed(node)
        return self._error_route(405, f"method not allowed (allowed: {allowed})", (("Allow", allowed),))

    def _error_route(self, status: int, reason: str, headers: HeaderPairs = ()) -> Route:
        """Return a route that responds with an error, a new one each time: its handler may raise it."""
        respond = self.error_handlers.respond
        return Route("", lambda request: respond(request, HTTPError(status, reason, headers)), None)

    @staticmethod
    def _allowed(node: _Node | None) -> str:
        """Return the value of Allow for a node; all methods of the server for the asterisk-form."""
        methods = METHODS if node is None else node.routes
        return ", ".join(method for method in METHODS if method in methods or method == "OPTIONS")


def _options(allowed: str, limits: HeaderPairs, cors: bool) -> Route:
    """Return a route that responds to OPTIONS; a body has no meaning here (RFC 9110, 9.3.7)."""
    headers = (("Allow", allowed), *limits, *(preflight_headers(allowed) if cors else ()))
    return Route("", lambda request: Response(204, b"", headers), discard(64 * 1024))
