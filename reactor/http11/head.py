"""Request heads: from bytes to a method, a target and headers.

1. One regular expression checks a whole head, and divides it into method, target, version and headers.
2. One search finds the headers that the server interprets: host, content length, keep-alive, expectation,
   preferred coding. They are interpreted together.
3. The other headers are parsed when they are used (``headers.py``): many handlers use none.

If the expression does not match, or a limit is exceeded, the head is read again line by line to find out what
is wrong. A ``HeadReader`` caches the heads that were received twice, shared by all connections of one server.

``parse_partial_head`` parses as much as possible of an invalid head, for the access log and the error
response: a response to HEAD has no content (RFC 9110, 9.3.2). Its result never reaches a handler.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial

from reactor.http11.accept import preferred_coding
from reactor.http11.cache import BoundedCache
from reactor.http11.errors import ProtocolError, quote
from reactor.http11.framing import body_length
from reactor.http11.grammar import (
    FIELD_LINES,
    HEAD,
    METHODS,
    TOKEN,
    find_no_line_end,
    find_stray_control,
    is_method,
    match_field_line,
    match_version,
)
from reactor.http11.headers import HeaderLine, Headers, combine, read_header_line
from reactor.http11.message import ROOT_SITE, Head, Request, Site
from reactor.http11.target import Target, check_host, origin_form, read_target
from reactor.settings import Settings, format_size

MAX_CACHED_HEAD = 2048  # bytes; longer heads are parsed each time
MAX_PARTIAL_LINES = 32  # header lines that are parsed of an invalid head
MAX_REPEAT = 2**31 - 1  # of lines in an expression; ``re`` accepts twice as many
# The first bytes of a TLS handshake record (RFC 8446, 5.1): the client means https.
TLS = b"\x16\x03"
# The first bytes of a PROXY header: of version 1, and of version 2 behind its empty lines.
PROXY_HEADERS = b"PROXY TCP", b"PROXY UNKNOWN", b"\0"

# Common methods need not be decoded.
_METHODS = {name.encode(): name for name in METHODS}

# The parts of a Request: method, target, head and headers.
ParsedHead = tuple[str, Target, Head, Headers]
# The position of a fault in the bytes, and its error.
Fault = tuple[int, ProtocolError]


class HeadReader:
    """Parses heads and caches the results; shared by all connections with the same settings.

    ``heads`` caches parsed heads by the bytes of the whole head; ``chunk_sizes``, used by ``ChunkedReader``,
    caches the sizes of chunks, and the lengths of their extensions, by their first lines. A result depends on
    the bytes alone. ``prefix`` is the path prefix of the server. ``accepts_https`` is true if a trusted proxy
    may send targets with https.
    """

    __slots__ = (
        "_accepts_https",
        "_interpret",
        "_match",
        "_match_lines",
        "_max_unchecked",
        "chunk_sizes",
        "heads",
        "settings",
    )

    def __init__(self, settings: Settings, prefix: str = "", accepts_https: bool = False) -> None:
        self.settings = settings
        self._accepts_https = accepts_https
        # Up to this length, neither the head nor any line of it can be too long.
        self._max_unchecked = min(settings.max_request_line, settings.max_field_line, settings.max_head - 4)
        # The number of lines is part of the expression: counting them takes 0.2 us.
        self._match = _compile(HEAD, settings.max_fields)
        self._match_lines = _compile(FIELD_LINES, settings.max_fields)
        self.heads = BoundedCache[bytes, ParsedHead](512, MAX_CACHED_HEAD)
        # A key is at most one head: with the default limits, 64 entries hold at most 2 MiB.
        self._interpret = lru_cache(maxsize=64)(
            partial(_interpret, Site(prefix=prefix) if prefix else ROOT_SITE)
        )
        self.chunk_sizes = BoundedCache[bytes, tuple[int, int]](512, 32)

    def read(self, data: bytes) -> ParsedHead:
        """Parse a head that is not cached, including its empty line; raise ProtocolError."""
        match = self._match(data)
        if match is None or (len(data) > self._max_unchecked and self._is_too_long(data)):
            self.check(data[:-2])
            self._check_header_lines(data[:-4].split(b"\r\n")[1:])
            raise AssertionError(f"no fault in {data!r}")
        method_bytes, path, query, other_target, minor_version = match.groups()
        method = _METHODS.get(method_bytes) or method_bytes.decode("ascii")
        if other_target is None and method != "CONNECT":
            target = origin_form(path, query)
        else:
            target = read_target(method, data.split(b" ", 2)[1], self._accepts_https)
        head = self._interpret(minor_version, tuple(find_interpreted(data)))
        headers = Headers(data)
        if target.authority is not None:  # RFC 9112, 3.2.2: it replaces Host
            head, headers = head.with_host(target.authority), headers.replacing("Host", target.authority)
        parsed = method, target, head, headers
        self.heads.put(data, parsed)
        return parsed

    def check(self, data: bytes, start: int = 0) -> None:
        """Raise ProtocolError if the beginning of a head is already invalid.

        Of two faults the first one is reported, so that the error does not depend on how the bytes were
        received. The bytes before ``start`` have been checked. A request line is checked when it is complete.
        """
        if data.startswith(PROXY_HEADERS):
            raise ProtocolError(400, "unexpected PROXY header (see --proxy-protocol and --trusted-proxy)")
        fault = self._too_long(data.rstrip(b"\r\n"))
        if data.find(b"\r\n", start) >= 0:  # saves the next search while a long line arrives in pieces
            end = data.find(b"\r\n")  # of the request line, and new if it is not before start
            if end >= start and (fault is None or end < fault[0]):
                fault = _request_line_fault(data, end, self._accepts_https) or fault
        _check_beginning("request head", data, start, fault)

    def read_trailers(self, data: bytes) -> None:
        """Check a complete trailer section, without its empty line; raise ProtocolError."""
        try:
            self._read_trailers(data)
        except ProtocolError:
            self.check_trailers(data + b"\r\n")
            raise

    def check_trailers(self, data: bytes, start: int = 0) -> None:
        """Raise ProtocolError if the beginning of a trailer section is already invalid."""
        _check_beginning("trailer section", data, start, self._trailers_too_long(data.rstrip(b"\r\n")))

    def _too_long(self, data: bytes) -> Fault | None:
        """Return the fault if a head, or its beginning, exceeds a limit."""
        limit, max_head = self.settings.max_request_line, self.settings.max_head
        if len(data) > limit and data.find(b"\r\n", 0, limit + 2) < 0:
            if data.find(b" ", 0, limit + 1) < 0:  # not a request line, but a method at most
                return limit, ProtocolError(400, f"method exceeds {format_size(limit)}")
            return limit, ProtocolError(414, f"request line exceeds {format_size(limit)}")
        if len(data) + 4 > max_head:
            error = ProtocolError(431, f"request head exceeds {format_size(max_head)}")
            return _skip_line_ends(data, max_head - 4), error
        return None

    def _trailers_too_long(self, data: bytes) -> Fault | None:
        """Return the fault if a trailer section, without its empty line, exceeds the limit."""
        limit = self.settings.max_head
        if len(data) + 2 > limit:
            error = ProtocolError(431, f"trailer section exceeds {format_size(limit)}")
            return _skip_line_ends(data, limit - 2), error
        return None

    def _read_trailers(self, data: bytes) -> None:
        too_long = self._trailers_too_long(data)
        if too_long is not None:
            raise too_long[1]
        # One match: single lines would take twice as long as a request of the same length.
        if len(data) > self.settings.max_field_line or self._match_lines(data + b"\r\n") is None:
            self._check_header_lines(data.split(b"\r\n"))

    def _is_too_long(self, data: bytes) -> bool:
        lines = data.split(b"\r\n")
        return (
            self._too_long(data[:-4]) is not None or max(map(len, lines[1:])) > self.settings.max_field_line
        )

    def _check_header_lines(self, lines: list[bytes]) -> None:
        if len(lines) > self.settings.max_fields:
            raise ProtocolError(431, f"more than {self.settings.max_fields} header lines")
        limit = self.settings.max_field_line
        for line in lines:
            if len(line) > limit:
                raise ProtocolError(431, f"header line exceeds {format_size(limit)}")
            if match_field_line(line) is None:
                read_header_line(line)  # raises ProtocolError


def _compile(pattern: bytes, max_lines: int) -> Callable[[bytes], re.Match[bytes] | None]:
    """Return the function that matches a whole head, or its lines."""
    return re.compile(pattern.replace(b"%d", b"%d" % min(max_lines, MAX_REPEAT))).fullmatch


def _skip_line_ends(data: bytes, limit: int) -> int:
    """Return the position of the first byte from ``limit`` on that is not part of a line end."""
    match = find_no_line_end(data, limit)
    return len(data) if match is None else match.start()


def _request_line_fault(data: bytes, end: int, accepts_https: bool = False) -> Fault | None:
    """Return the fault if the request line, which ends at ``end``, is invalid."""
    try:
        method, target, version = data[:end].split(b" ", 2)
        name = _read_method(method)
        _read_version(version)
        read_target(name, target, accepts_https)
    except ProtocolError as error:
        return end, error
    except ValueError:
        return end, ProtocolError(400, "malformed request line")
    return None


def _check_beginning(what: str, data: bytes, start: int, fault: Fault | None) -> None:
    """Raise the first of two faults: a stray control character, or another one."""
    stray = find_stray_control(data, start)
    if stray is not None and (fault is None or stray.start() <= fault[0]):
        if data.startswith(TLS):
            raise ProtocolError(400, "TLS handshake on a plain HTTP port (use http://)")
        raise ProtocolError(400, f"bare CR, bare LF or NUL in the {what}")  # RFC 9112, 2.2
    if fault is not None:
        raise fault[1]


def _read_method(data: bytes) -> str:
    if is_method(data) is None:
        raise ProtocolError(400, f"malformed method: {quote(data.decode('latin-1'))}")
    return data.decode("ascii")


def _read_version(data: bytes) -> int:
    """Return the minor version to serve, 0 or 1 (RFC 9112, 2.3); raise ProtocolError (400 or 505)."""
    match = match_version(data)
    if match is None:
        raise ProtocolError(400, "malformed request line")
    if match[1] != b"1":
        version = quote(data.decode("latin-1"))
        raise ProtocolError(505, f"unsupported HTTP version: {version} (supported: HTTP/1.0, HTTP/1.1)")
    return min(int(match[2]), 1)  # RFC 9110, 2.5: a higher minor version is served as our own


# The lines of the headers that the server interprets, in a valid head; all others are for the application.
find_interpreted = re.compile(
    rb"\r\n(?=[htcea])"  # saves an eighth of the time
    rb"((?:host|transfer-encoding|content-length|connection|expect|accept-encoding):[^\r]*+)",
    re.IGNORECASE,
).findall


def _interpret(site: Site, minor_version: bytes, lines: tuple[bytes, ...]) -> Head:
    """Interpret header lines together; raise ProtocolError if they are invalid or contradict each other."""
    version = min(int(minor_version), 1)  # RFC 9110, 2.5: a higher one is served as our own
    value_of = combine(map(read_header_line, lines)).get
    host = value_of("host")
    if host is not None:
        check_host(host.encode("latin-1"))
    elif version == 1:  # RFC 9112, 3.2
        raise ProtocolError(400, "missing Host header")
    return Head(
        version,
        body_length(value_of("transfer-encoding"), value_of("content-length"), version),
        _keeps_alive(version, _connection_options(value_of("connection"))),
        _expects_continue(value_of("expect"), version),
        preferred_coding(value_of("accept-encoding")),
        host,
        site,
    )


def _connection_options(value: str | None) -> list[str]:
    """Parse Connection = #connection-option, case-insensitively (RFC 9110, 7.6.1)."""
    return [] if value is None else [option.strip(" \t").lower() for option in value.split(",")]


def _keeps_alive(version: int, options: list[str]) -> bool:
    """Return whether the client allows further requests on the connection (RFC 9112, 9.3)."""
    return "close" not in options and (version == 1 or "keep-alive" in options)


def _expects_continue(value: str | None, version: int) -> bool:
    """Parse Expect = #expectation (RFC 9110, 10.1.1); raise ProtocolError(417) if one is unsupported."""
    if value is None:
        return False
    members = [member.strip(" \t").lower() for member in value.split(",")]
    expectations = [member for member in members if member]
    if any(each != "100-continue" for each in expectations):
        raise ProtocolError(417, f"unsupported Expect: {quote(value)} (expected 100-continue)")
    return bool(expectations) and version == 1  # in HTTP/1.0 it is ignored


_match_request_line = re.compile(rb"(" + TOKEN + rb") ([^ ]+) HTTP/1\.([0-9])\r\n").match


def parse_partial_head(data: bytes) -> Request:
    """Parse the beginning of an invalid head; the target is empty if the request line is malformed."""
    match = _match_request_line(data)
    if match is None:
        method = "HEAD" if data.startswith(b"HEAD ") else ""
        return Request(method, Target("", ()), Head(1, keep_alive=False), Headers())
    lines = data[match.end() :].split(b"\r\n", MAX_PARTIAL_LINES)[:MAX_PARTIAL_LINES]
    headers = Headers([header_line for line in lines for header_line in _readable(line)])
    target = Target(match[2].decode("latin-1"), ())
    head = Head(min(int(match[3]), 1), keep_alive=False)
    return Request(match[1].decode("ascii"), target, head, headers)


def _readable(data: bytes) -> list[HeaderLine]:
    """Return the header line in a list, which is empty if the line is malformed."""
    try:
        return [read_header_line(data)]
    except ProtocolError:
        return []
