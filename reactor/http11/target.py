"""The request target: its four forms, and what they say of host, path and query (RFC 9112, 3.2).

    Form            Example                  Where it is legal
    origin-form     /echo/abc?x=1            every method but CONNECT
    absolute-form   http://host/echo/abc     every method but CONNECT; its authority replaces Host
    authority-form  host:80                  CONNECT only
    asterisk-form   *                        OPTIONS only

A path is split at its slashes before its percent-escapes are decoded, so that ``%2F`` stays inside
its segment. Dot segments are left as they are: what they mean is for the handler to decide.

>>> read_target("GET", b"/echo/a%20b/c?x=1").segments
('echo', 'a b', 'c')
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from reactor.http11.errors import ProtocolError
from reactor.http11.grammar import match_absolute_form, match_host, match_origin_form


class Target:
    """Where a request goes.

    ``path`` and ``query`` are as they came, still percent-encoded (``query`` is None without a
    "?"); ``segments`` is the path split at its slashes and decoded, without the empty one before
    the first slash; ``authority`` is the host that an absolute-form names, or None. For the
    asterisk-form the path is "*", and there are no segments.

    One target serves all requests with the same bytes as their head. ``found`` is for the server, which keeps
    there what it has found for them: the version of its routes, the route, and what the route names.
    """

    __slots__ = ("authority", "found", "path", "query", "segments")

    def __init__(
        self, path: str, segments: tuple[str, ...], query: str | None = None, authority: str | None = None
    ) -> None:
        self.path = path
        self.segments = segments
        self.query = query
        self.authority = authority
        self.found: tuple[object, object, Mapping[str, str]] | None = None

    def __str__(self) -> str:
        scheme = "" if self.authority is None else f"http://{self.authority}"
        query = "" if self.query is None else f"?{self.query}"
        return f"{scheme}{self.path}{query}"


def read_target(method: str, octets: bytes) -> Target:
    """Read a request target for this method; raise ProtocolError, 400 where it is none, or 421."""
    if method == "CONNECT":
        return _read_authority_form(octets)
    match = match_origin_form(octets)
    if match is None:
        return _read_other_form(method, octets)
    path = match[1].decode("ascii")
    query = match[2]
    return Target(path, _segments(path), query if query is None else query.decode("ascii"))


def check_host(octets: bytes) -> None:
    """Check a Host value by its grammar (RFC 9110, 7.2; empty is legal); raise ProtocolError(400)."""
    match = match_host(octets)
    if match is None:
        raise ProtocolError(400, "malformed host")
    if match[1] is not None:
        try:
            ipaddress.IPv6Address(match[1].decode("ascii"))
        except ValueError:
            raise ProtocolError(400, "malformed IPv6 address in the host") from None


def _read_other_form(method: str, octets: bytes) -> Target:
    if octets == b"*" and method == "OPTIONS":
        return Target("*", ())
    match = match_absolute_form(octets)
    if match is None:
        raise ProtocolError(400, "invalid request target")
    authority, octets_of_path, query = match.groups()
    check_host(authority)
    if not authority or authority.startswith(b":"):
        raise ProtocolError(400, "request target without a host")  # RFC 9110, 4.2.1
    if octets[:5].lower() == b"https":  # RFC 9110, 7.4: what is to be secured cannot come from here
        raise ProtocolError(421, "https target on a plain HTTP connection")
    path = octets_of_path.decode("ascii")
    if not path and method == "OPTIONS" and query is None:  # RFC 9112, 3.2.4
        return Target("*", (), None, authority.decode("ascii"))
    path = path or "/"
    return Target(
        path,
        _segments(path),
        query if query is None else query.decode("ascii"),
        authority.decode("ascii"),
    )


def _read_authority_form(octets: bytes) -> Target:
    """Read "host:port"; the port is not optional here (RFC 9112, 3.2.3)."""
    check_host(octets)
    host, _, port = octets.rpartition(b":")
    if not host or not port.isdigit():
        raise ProtocolError(400, "invalid CONNECT target (expected host:port)")
    return Target("", (), None, octets.decode("ascii"))


def _segments(path: str) -> tuple[str, ...]:
    """Split a path at its slashes and decode each segment as UTF-8; raise ProtocolError(400)."""
    segments = tuple(path[1:].split("/"))
    if "%" not in path:
        return segments
    try:
        decoded = tuple(unquote_to_bytes(segment).decode("utf-8") for segment in segments)
    except UnicodeDecodeError:
        raise ProtocolError(400, "percent-encoded path is not valid UTF-8") from None
    if "\0" in "".join(decoded):
        raise ProtocolError(400, "NUL byte in the path")
    return decoded
