r"""The request target: its four forms, parsed into authority, path and query (RFC 9112, 3.2).

    Form            Example                  Valid for
    origin-form     /echo/abc?x=1            every method but CONNECT
    absolute-form   http://host/echo/abc     every method but CONNECT; its authority replaces Host
    authority-form  host:80                  CONNECT only
    asterisk-form   *                        OPTIONS only

A path is split at slashes before percent-encoding is decoded, so that ``%2F`` stays inside its segment.
Dot segments are not resolved: the handler decides what they mean.

Browsers leave characters unencoded that RFC 3986 does not allow: ``[ ] | ^``, in a query also ``{ } \`` and
the backtick. They are accepted, and kept as received; ``percent_encoded`` encodes them for a Location.

>>> read_target("GET", b"/echo/a%20b/c?x=1").segments
('echo', 'a b', 'c')
"""

import ipaddress
from collections.abc import Mapping
from functools import partial
from urllib.parse import unquote_to_bytes

from reactor.http11.errors import ProtocolError, quote
from reactor.http11.grammar import match_absolute_form, match_host, match_origin_form, replace_raw

# RFC 9110, 7.4: the reason for 421.
NOT_SECURED = "https target on a plain HTTP connection"


class Target:
    """A parsed request target.

    ``path`` and ``query`` are as received, still percent-encoded, with raw characters where the client sent
    them (``query`` is None without a "?");
    ``segments`` is the path split at slashes and decoded, without the empty segment before the first slash;
    ``authority`` is the host, with the port if one is given, of an absolute-form or authority-form, else
    None. The asterisk-form has the path "*" and no segments; the authority-form has an empty path and no
    segments.

    Requests with the same cached head share one target, so that it caches what depends on the head alone.
    ``cached_route`` is the result of routing: the version of the routes, the route, and the path parameters.
    ``cached_texts`` is two parts of the line in the access log: the request line; Referer and User-Agent.
    ``cached_client`` is what a trusted proxy reports with this head; requests of other peers do not use it.
    """

    __slots__ = ("authority", "cached_client", "cached_route", "cached_texts", "path", "query", "segments")

    scheme = "http"  # of an absolute-form

    def __init__(
        self, path: str, segments: tuple[str, ...], query: str | None = None, authority: str | None = None
    ) -> None:
        self.path = path
        self.segments = segments
        self.query = query
        self.authority = authority
        self.cached_route: tuple[object, object, Mapping[str, str]] | None = None
        self.cached_texts: tuple[str, str] | None = None
        self.cached_client: object = None

    def copy(self) -> "Target":
        """Return a copy with empty caches, for a request that differs from others with the same head."""
        return type(self)(self.path, self.segments, self.query, self.authority)

    def __str__(self) -> str:
        scheme = "" if self.authority is None else f"{self.scheme}://{self.authority}"
        query = "" if self.query is None else f"?{self.query}"
        return f"{scheme}{self.path}{query}"


class SecureTarget(Target):
    """An absolute-form with https: a proxy with TLS may pass it on as received."""

    __slots__ = ()

    scheme = "https"


def read_target(method: str, target: bytes, accepts_https: bool = False) -> Target:
    """Parse a request target; raise ProtocolError: 400 for an invalid one, 421 for one with https.

    With ``accepts_https``, the latter is a ``SecureTarget``, whose scheme is checked when it is routed.
    """
    if method == "CONNECT":
        return _read_authority_form(target)
    match = match_origin_form(target)
    if match is None:
        return _read_other_form(method, target, accepts_https)
    return origin_form(match[1], match[2])


def origin_form(
    path_bytes: bytes, query: bytes | None, authority: str | None = None, kind: type[Target] = Target
) -> Target:
    """Return the target of a path and a query that match the grammar; raise ProtocolError(400)."""
    path = path_bytes.decode("ascii")
    segments = path[1:].split("/") if "%" not in path else _decoded_segments(path)
    return kind(path, tuple(segments), query if query is None else query.decode("ascii"), authority)


def check_host(host: bytes) -> None:
    """Check a value of Host (RFC 9110, 7.2; empty is valid); raise ProtocolError(400)."""
    match = match_host(host)
    if match is None:
        raise ProtocolError(400, f"malformed host: {quote(host.decode('latin-1'))}")
    if match[1] is not None:
        try:
            ipaddress.IPv6Address(match[1].decode("ascii"))
        except ValueError:
            raise ProtocolError(400, "malformed IPv6 address in the host") from None


def _read_other_form(method: str, target: bytes, accepts_https: bool) -> Target:
    if target == b"*" and method == "OPTIONS":
        return Target("*", ())
    match = match_absolute_form(target)
    if match is None:
        raise ProtocolError(400, "invalid request target")
    authority, path_bytes, query = match.groups()
    check_host(authority)
    if not authority or authority.startswith(b":"):
        raise ProtocolError(400, "request target without a host")  # RFC 9110, 4.2.1
    kind = SecureTarget if target[:5].lower() == b"https" else Target
    if kind is SecureTarget and not accepts_https:
        raise ProtocolError(421, NOT_SECURED)
    if not path_bytes and method == "OPTIONS" and query is None:  # RFC 9112, 3.2.4
        return kind("*", (), None, authority.decode("ascii"))
    return origin_form(path_bytes or b"/", query, authority.decode("ascii"), kind)


def _read_authority_form(target: bytes) -> Target:
    """Parse "host:port"; the port is required (RFC 9112, 3.2.3)."""
    check_host(target)
    host, _, port = target.rpartition(b":")
    if not host or not port.isdigit():
        raise ProtocolError(400, "invalid CONNECT target (expected host:port)")
    return Target("", (), None, target.decode("ascii"))


# Percent-encodes the raw characters of a received path or query; without them, it calls no Python function.
percent_encoded = partial(replace_raw, lambda match: f"%{ord(match[0]):02X}")


def _decoded_segments(path: str) -> list[str]:
    """Split a path at its slashes and decode each segment as UTF-8; raise ProtocolError(400).

    All segments are decoded together, separated by NUL, which no segment may contain: a path of 60 KiB can
    have 15,000 segments.
    """
    try:
        decoded = unquote_to_bytes(path.replace("/", "\0")).decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError(400, "percent-encoded path is not valid UTF-8") from None
    if decoded.count("\0") > path.count("/"):
        raise ProtocolError(400, "NUL byte in the path")
    return decoded[1:].split("\0")
