"""A router: from a method and a path to a handler.

    routes = Router()

    @routes.get("/hello/{name}")
    def hello(request):
        return Response.text(f"Hello, {request.params['name']}!")

A pattern is a path whose segments are literal, or ``{name}`` for one segment, or, at its end,
``{name...}`` for the rest of the path, slashes and all. The patterns make a tree with a level for
each segment; a literal segment is tried before a named one, and that before the rest.

A route also says what becomes of a request's content, before any of it is read: its *sink* opens a
place for it, or refuses the request. Routing knows no connection; whoever serves asks ``resolve``.
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Protocol, TypeVar

from reactor.http11 import grammar
from reactor.http11.cors import preflight_fields
from reactor.http11.errors import content_too_large
from reactor.http11.message import NO_PARAMS, Fields, Params, Request, Response
from reactor.settings import MIB

Handler = Callable[[Request], Response]
Function = TypeVar("Function", bound=Handler)

# All that are known but CONNECT, which names no path, and which only a proxy has a use for.
METHODS = tuple(method for method in grammar.METHODS if method != "CONNECT")


class Sink(Protocol):
    """Where the content of one request goes, piece by piece as it comes.

    ``write`` and ``finish`` may raise HTTPError to refuse the request after all. ``close`` is
    called once, whatever happened.
    """

    def write(self, octets: bytes) -> None:
        """Take a piece of the content."""

    def finish(self) -> object:
        """Return what the handler gets, now that the body is complete.

        Bytes become ``request.content``, anything else becomes ``request.upload``.
        """

    def close(self) -> None:
        """Let go of the place: the request is done with, and what was not kept is to be gone."""


class InterimSink:
    """Base class of sinks that have an interim response sent before the body is received (RFC 9110, 15.2).

    ``interim`` is its status and its header fields, or None. HTTP/1.0 clients get no interim response.
    """

    __slots__ = ()

    interim: tuple[int, Fields] | None


# Given a request whose head is complete, open a place for its content; raise HTTPError to refuse.
SinkFactory = Callable[[Request], Sink]


class DiscardSink:
    """A sink that counts the body's bytes and discards them; raises HTTPError(413) above ``limit`` bytes.

    ``announced`` is the Content-Length of a body, and is checked before any of it is read.
    """

    __slots__ = ("_limit", "_size")

    def __init__(self, limit: int, announced: int = 0) -> None:
        if announced > limit:
            raise content_too_large(limit)
        self._limit = limit
        self._size = 0

    def write(self, octets: bytes) -> None:
        """Count a piece of the content."""
        self._size += len(octets)
        if self._size > self._limit:
            raise content_too_large(self._limit)

    def finish(self) -> bytes:
        """Return no content."""
        return b""

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


class BufferSink(DiscardSink):
    """A sink that keeps the content in memory, up to ``limit`` octets."""

    __slots__ = ("_octets",)

    def __init__(self, limit: int, announced: int = 0) -> None:
        super().__init__(limit, announced)
        self._octets = bytearray()  # not a list: a piece may be a single octet, and an object each is dear

    def write(self, octets: bytes) -> None:
        """Take a piece of the content."""
        super().write(octets)
        self._octets += octets

    def finish(self) -> bytes:
        """Return the content."""
        return bytes(self._octets)

    def close(self) -> None:
        """Forget what came."""
        self._octets.clear()


def buffered(limit: int) -> SinkFactory:
    """Make a sink factory that keeps content of up to ``limit`` octets in memory."""
    return _LimitedSinks(limit, BufferSink)


def discard(limit: int) -> SinkFactory:
    """Make a sink factory that takes content of up to ``limit`` octets, and keeps none of it."""
    return _LimitedSinks(limit, DiscardSink)


class _LimitedSinks:
    """A sink factory: makes sinks of one class with one limit."""

    __slots__ = ("_limit", "_sink_class")

    def __init__(self, limit: int, sink_class: type[DiscardSink]) -> None:
        self._limit = limit
        self._sink_class = sink_class

    def __call__(self, request: Request) -> DiscardSink:
        """Open a sink for a request; raise HTTPError(413) when its Content-Length is above the limit."""
        return self._sink_class(self._limit, request.head.length)


# In GET, HEAD, DELETE and OPTIONS content means nothing (RFC 9110, 9.3): it is not to cost memory.
DEFAULT_SINKS = {
    method: buffered(1 * MIB) if method in ("POST", "PUT", "PATCH") else discard(1 * MIB)
    for method in METHODS
}


class Route:
    """What answers a request: a handler, and the sink for its content, None to answer without taking it.

    ``always_open_sink`` says that the sink is opened for a request without content, too: its result is what
    the handler uses.
    """

    __slots__ = ("always_open_sink", "handler", "sink", "template")

    def __init__(
        self, template: str, handler: Handler, sink: SinkFactory | None, always_open_sink: bool = False
    ) -> None:
        self.template = template
        self.handler = handler
        self.sink = sink
        self.always_open_sink = always_open_sink


class _Node:
    """One level of the tree: where each next segment leads, and what answers when there is none."""

    __slots__ = ("literals", "named", "rest", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.named: tuple[str, _Node] | None = None
        self.rest: tuple[str, _Node] | None = None
        self.routes: dict[str, Route] = {}


class Router:
    """A set of routes, passed in by whoever starts the server; with ``cors`` OPTIONS answers a preflight."""

    def __init__(self, cors: bool = False) -> None:
        self._root = _Node()
        self._cors = cors
        self.version = object()  # another one when a route is added

    # Building it.

    def get(self, pattern: str) -> Callable[[Function], Function]:
        """Register a function for GET, and so for HEAD."""
        return self.route("GET", pattern)

    def post(self, pattern: str, sink: SinkFactory | None = None) -> Callable[[Function], Function]:
        """Register a function for POST; without a sink, up to 1 MiB of content is kept in memory."""
        return self.route("POST", pattern, sink)

    def route(
        self, method: str, pattern: str, sink: SinkFactory | None = None
    ) -> Callable[[Function], Function]:
        """Register a function for a method; raise ValueError for a pattern that cannot be."""
        if method not in METHODS:
            raise ValueError(f"invalid method: {method!r} (expected one of {', '.join(METHODS)})")

        def register(function: Function) -> Function:
            node = self._node(pattern)
            implied = method == "HEAD" and node.routes.get("HEAD") is node.routes.get("GET")
            if method in node.routes and not implied:
                raise ValueError(f"{method} {pattern} already has a handler")
            node.routes[method] = Route(pattern, function, sink or DEFAULT_SINKS[method], sink is not None)
            if method == "GET":
                node.routes.setdefault("HEAD", node.routes["GET"])
            self.version = object()
            return function

        return register

    def _node(self, pattern: str) -> _Node:
        """Return the node of a pattern, made where it is missing."""
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
                f"invalid pattern: {pattern!r} ({{{name}}} is named {{{branch[0]}}} in another pattern)"
            )
        return branch

    # Asking it.

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return the route for a method and the segments of a path, and the parts that it names.

        Neither changes, so that they can be cached and serve many requests.
        If none matches, the route answers with an error: 501 for an unknown method, 404 for
        the path, 405 for the method there. ``segments`` is empty for the asterisk-form.
        """
        params: dict[str, str] = {}
        node = self._find(self._root, segments, 0, params) if segments else None
        if node is not None:
            route = node.routes.get(method)
            if route is not None:
                return route, MappingProxyType(params)
        return self._no_match(method, node, bool(segments)), NO_PARAMS

    def _find(self, node: _Node, segments: Sequence[str], index: int, params: dict[str, str]) -> _Node | None:
        """Walk down the tree from a node with the segments from ``index`` on."""
        while index < len(segments) and node.named is None and node.rest is None:  # there is but one way
            child = node.literals.get(segments[index])
            if child is None:
                return None
            node, index = child, index + 1
        if index == len(segments):
            return node if node.routes else None
        segment = segments[index]
        literal = node.literals.get(segment)
        if literal is not None:
            found = self._find(literal, segments, index + 1, params)
            if found is not None:
                return found
        if node.named is not None and segment:
            found = self._find(node.named[1], segments, index + 1, params)
            if found is not None:
                params[node.named[0]] = segment
                return found
        if node.rest is not None:
            params[node.rest[0]] = "/".join(segments[index:])
            return node.rest[1]
        return None

    def _no_match(self, method: str, node: _Node | None, has_path: bool) -> Route:
        if method not in METHODS:
            return _error_route(501, "method not implemented")
        if method == "OPTIONS" and (node is not None or not has_path):
            return _options(self._allowed(node), self._cors)
        if node is None:
            return _error_route(404, "no resource at this path")
        allowed = self._allowed(node)
        return _error_route(405, f"method not allowed (allowed: {allowed})", (("Allow", allowed),))

    @staticmethod
    def _allowed(node: _Node | None) -> str:
        """Write the Allow field of a node; of all methods that the server knows, for the asterisk-form."""
        known = METHODS if node is None else node.routes
        return ", ".join(method for method in METHODS if method in known or method == "OPTIONS")


def _error_route(status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> Route:
    return Route("", lambda request: Response.error(status, reason, headers), None)


def _options(allowed: str, cors: bool) -> Route:
    """Answer OPTIONS, whose content, if there is any, means nothing here (RFC 9110, 9.3.7)."""
    headers = (("Allow", allowed), *(preflight_fields(allowed) if cors else ()))
    return Route("", lambda request: Response(204, b"", headers), discard(64 * 1024))
