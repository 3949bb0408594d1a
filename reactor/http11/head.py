"""Request heads: from bytes to a method, a target and headers.

1. The request line: method, target and version.
2. The field lines, each by its grammar; a line in the cache is not checked again.
3. The interpreted fields together: host, content length, keep-alive, expectation, preferred coding.

Each step is a pure function of the bytes, so that its result can be cached. A ``HeadReader`` holds the
caches that the connections of one server share: whole heads; header blocks, which are all that follows
the target (a browser repeats the same one for each target); single field lines; and chunk size lines.

A head that is refused is read as far as possible by ``parse_partial_head``, for the log and for the form
of the response: a response to HEAD has no content (RFC 9110, 9.3.2). Its result is never served.
"""

import re
from functools import lru_cache

from reactor.http11.accept import preferred_coding
from reactor.http11.cache import BoundedCache
from reactor.http11.errors import ProtocolError
from reactor.http11.framing import content_length
from reactor.http11.grammar import (
    METHODS,
    TOKEN,
    find_no_line_end,
    find_stray_control,
    is_method,
    match_version,
)
from reactor.http11.headers import FieldLine, Headers, combine, read_field_line
from reactor.http11.message import Head, Request
from reactor.http11.target import Target, check_host, read_target
from reactor.settings import Settings

MAX_CACHED_HEAD = 2048  # bytes; longer heads are parsed each time
MAX_PARTIAL_LINES = 32  # field lines that are read of a head that is refused
# The first bytes of a TLS handshake record (RFC 8446, 5.1): the client means https.
TLS = b"\x16\x03"

# What nearly every request line begins and ends with; all else is read by its grammar.
_METHODS = {name.encode(): name for name in METHODS}
_VERSIONS = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}

# What a Request is made of: method, target, and what the rest means.
ParsedHead = tuple[str, Target, Head]
# Where octets are at fault, and the error that says so.
Fault = tuple[int, ProtocolError]


class HeadReader:
    """Parses heads and caches the results; shared by all connections with the same settings.

    ``heads`` caches parsed heads by the bytes of the whole head; ``chunk_sizes``, used by ``ChunkedReader``,
    caches the sizes of chunks by their first lines. A result depends on the bytes alone.
    """

    __slots__ = (
        "_header_blocks",
        "_interpret",
        "_lines",
        "_max_unchecked",
        "chunk_sizes",
        "heads",
        "settings",
    )

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._max_unchecked = min(settings.max_request_line, settings.max_head - 4)
        self.heads = BoundedCache[bytes, ParsedHead](512, MAX_CACHED_HEAD)
        self._header_blocks = BoundedCache[bytes, Head](256, MAX_CACHED_HEAD)
        self._lines = BoundedCache[bytes, FieldLine](1024, 256)
        # The lines are at most one head: with the limits as they are, 64 entries hold at most 2 MiB.
        self._interpret = lru_cache(maxsize=64)(_interpret)
        self.chunk_sizes = BoundedCache[bytes, int](512, 32)

    def read(self, octets: bytes) -> ParsedHead:
        """Parse a head that is not in the cache, with its empty line; raise ProtocolError."""
        try:
            return self._read(octets)
        except ProtocolError:
            self.check(octets[:-2])
            raise

    def check(self, octets: bytes, start: int = 0) -> None:
        """Refuse the beginning of a head that no further octets can mend; raise ProtocolError.

        Of two faults the one that comes first counts, so that the answer does not depend on how the
        octets are cut. Controls are looked for from ``start`` on.
        """
        _check_beginning("request head", octets, start, self._too_long(octets.rstrip(b"\r\n")))

    def read_trailers(self, octets: bytes) -> None:
        """Check a trailer section, without its empty line, as a head is checked; raise ProtocolError."""
        try:
            self._read_trailers(octets)
        except ProtocolError:
            self.check_trailers(octets + b"\r\n")
            raise

    def check_trailers(self, octets: bytes, start: int = 0) -> None:
        """Refuse the beginning of a trailer section that no further octets can mend, as ``check`` does."""
        _check_beginning("trailer section", octets, start, self._trailers_too_long(octets.rstrip(b"\r\n")))

    def _too_long(self, octets: bytes) -> Fault | None:
        """Return what is too long about a head, or its beginning."""
        limit, max_head = self.settings.max_request_line, self.settings.max_head
        if len(octets) > limit and octets.find(b"\r\n", 0, limit + 2) < 0:
            return limit, ProtocolError(414, f"request line exceeds {limit} bytes")
        if len(octets) + 4 > max_head:
            return _beyond(octets, max_head - 4), ProtocolError(431, f"request head exceeds {max_head} bytes")
        return None

    def _trailers_too_long(self, octets: bytes) -> Fault | None:
        """Return what is too long about a trailer section, or its beginning; its empty line is not in it."""
        limit = self.settings.max_head
        if len(octets) + 2 > limit:
            return _beyond(octets, limit - 2), ProtocolError(431, f"trailer section exceeds {limit} bytes")
        return None

    def _read_trailers(self, octets: bytes) -> None:
        too_long = self._trailers_too_long(octets)
        if too_long is not None:
            raise too_long[1]
        self._read_field_lines(octets.split(b"\r\n"))

    def _read(self, octets: bytes) -> ParsedHead:
        if len(octets) > self._max_unchecked:
            too_long = self._too_long(octets[:-4])
            if too_long is not None:
                raise too_long[1]
        try:
            method_octets, target_octets, header_block = octets[:-4].split(b" ", 2)
        except ValueError:
            raise ProtocolError(400, "malformed request line") from None
        method = _METHODS.get(method_octets) or _read_method(method_octets)
        cached_head = self._header_blocks.get(header_block)
        head = cached_head or self._read_header_block(header_block)
        target = read_target(method, target_octets)
        if target.authority is not None:
            head = head.with_authority(target.authority)
        read = method, target, head
        if cached_head is not None:  # a head with a new header block is not likely to come again
            self.heads.put(octets, read)
        return read

    def _read_header_block(self, octets: bytes) -> Head:
        """Parse a head from its version on.

        Without its last line it is mostly a header block as well. So where only the last line of a client's
        requests is new each time (an id, a cookie, a validator), that line alone is parsed.
        """
        front, _, last = octets.rpartition(b"\r\n")
        cached = self._header_blocks.get(front)
        head = None if cached is None else self._append_line(cached, last)
        if head is None:
            head = self._read_lines(octets, front, last)
        self._header_blocks.put(octets, head)
        return head

    def _append_line(self, head: Head, octets: bytes) -> Head | None:
        """Return a head with one more field line; None where that line may change what the others mean."""
        if head.headers.line_count >= self.settings.max_fields:
            return None
        line = self._read_line(octets)
        return None if line[0] in INTERPRETED_FIELDS else head.with_headers(head.headers.followed_by(line))

    def _read_lines(self, octets: bytes, front: bytes, last: bytes) -> Head:
        """Read a head line by line; keep it without its last line where the next one may have another."""
        last_line_is_new = last not in self._lines
        lines = octets.split(b"\r\n")
        version = _VERSIONS.get(lines[0])
        if version is None:
            version = _read_version(lines[0])
        field_lines = self._read_field_lines(lines[1:])
        interpreted = tuple([line for line in field_lines if line[0] in INTERPRETED_FIELDS])
        head = Head(version, Headers(field_lines), *self._interpret(version, interpreted))
        if last_line_is_new and field_lines and field_lines[-1][0] not in INTERPRETED_FIELDS:
            self._header_blocks.put(front, head.with_headers(Headers(field_lines[:-1])))
        return head

    def _read_field_lines(self, lines: list[bytes]) -> list[FieldLine]:
        if len(lines) > self.settings.max_fields:
            raise ProtocolError(431, f"more than {self.settings.max_fields} header lines")
        found = list(map(self._lines.get, lines))
        index = -1
        for _ in range(found.count(None)):
            index = found.index(None, index + 1)
            found[index] = field_line = self._read_line(lines[index])
            self._lines.put(lines[index], field_line)
        return found  # type: ignore[return-value]  # no None is left

    def _read_line(self, line: bytes) -> FieldLine:
        """Parse a field line that is not in the cache."""
        if len(line) > self.settings.max_field_line:
            raise ProtocolError(431, f"header line exceeds {self.settings.max_field_line} bytes")
        return read_field_line(line)


def _beyond(octets: bytes, limit: int) -> int:
    """Return where the first octet beyond a limit stands that cannot belong to the end of a section."""
    found = find_no_line_end(octets, limit)
    return len(octets) if found is None else found.start()


def _check_beginning(what: str, octets: bytes, start: int, too_long: Fault | None) -> None:
    """Raise whichever of two faults comes first: a stray control, or what is too long."""
    stray = find_stray_control(octets, start)
    if stray is not None and (too_long is None or stray.start() <= too_long[0]):
        if octets.startswith(TLS):
            raise ProtocolError(400, "TLS handshake on a plain HTTP port (use http://)")
        raise ProtocolError(400, f"bare CR, bare LF or NUL in the {what}")  # RFC 9112, 2.2
    if too_long is not None:
        raise too_long[1]


def _read_method(octets: bytes) -> str:
    if is_method(octets) is None:
        raise ProtocolError(400, "malformed method")
    return octets.decode("ascii")


def _read_version(octets: bytes) -> int:
    """Return the minor version to serve, 0 or 1 (RFC 9112, 2.3); raise ProtocolError, 400 or 505."""
    match = match_version(octets)
    if match is None:
        raise ProtocolError(400, "malformed request line")
    if match[1] != b"1":
        raise ProtocolError(505, "unsupported HTTP version (supported: HTTP/1.0, HTTP/1.1)")
    return min(int(match[2]), 1)  # RFC 9110, 2.5: a higher minor version is served as our own


# The fields that decide how a request is read and answered; all others are the application's.
INTERPRETED_FIELDS = frozenset(
    {"host", "transfer-encoding", "content-length", "connection", "expect", "accept-encoding"}
)


def _interpret(
    version: int, interpreted: tuple[FieldLine, ...]
) -> tuple[int, bool, bool, str | None, str | None]:
    """Work out what the interpreted fields mean together, as the arguments of Head after its headers.

    Raise ProtocolError where they contradict each other.
    """
    value_of = combine(interpreted).get
    host = value_of("host")
    if host is not None:
        check_host(host.encode("latin-1"))
    elif version == 1:  # RFC 9112, 3.2
        raise ProtocolError(400, "missing Host header")
    return (
        content_length(value_of("transfer-encoding"), value_of("content-length"), version),
        _keeps_alive(version, _connection_options(value_of("connection"))),
        _expects_continue(value_of("expect"), version),
        preferred_coding(value_of("accept-encoding")),
        host,
    )


def _connection_options(value: str | None) -> list[str]:
    """Read Connection = #connection-option, without regard to case (RFC 9110, 7.6.1)."""
    return [] if value is None else [option.strip(" \t").lower() for option in value.split(",")]


def _keeps_alive(version: int, options: list[str]) -> bool:
    """Return whether the client allows further requests on the connection (RFC 9112, 9.3)."""
    return "close" not in options and (version == 1 or "keep-alive" in options)


def _expects_continue(value: str | None, version: int) -> bool:
    """Read Expect = #expectation (RFC 9110, 10.1.1); raise ProtocolError(417) for any other one."""
    if value is None:
        return False
    members = [member.strip(" \t").lower() for member in value.split(",")]
    expectations = [member for member in members if member]
    if any(each != "100-continue" for each in expectations):
        raise ProtocolError(417, "unsupported Expect (expected 100-continue)")
    return bool(expectations) and version == 1  # in HTTP/1.0 it is ignored


_match_request_line = re.compile(rb"(" + TOKEN + rb") ([^ ]+) HTTP/1\.([0-9])\r\n").match


def parse_partial_head(octets: bytes) -> Request:
    """Parse the beginning of a head that is refused; the target is empty if the request line is malformed."""
    match = _match_request_line(octets)
    if match is None:
        method = "HEAD" if octets.startswith(b"HEAD ") else ""
        return Request(method, Target("", ()), Head(1, Headers(), keep_alive=False))
    lines = octets[match.end() :].split(b"\r\n", MAX_PARTIAL_LINES)[:MAX_PARTIAL_LINES]
    headers = Headers([field_line for line in lines for field_line in _readable(line)])
    target = Target(match[2].decode("latin-1"), ())
    return Request(match[1].decode("ascii"), target, Head(min(int(match[3]), 1), headers, keep_alive=False))


def _readable(octets: bytes) -> list[FieldLine]:
    """Return the field line in a list, which is empty when it is malformed."""
    try:
        return [read_field_line(octets)]
    except ProtocolError:
        return []
