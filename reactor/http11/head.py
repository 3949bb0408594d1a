"""The head of a request, read into what it means.

1. The request line: a method, a target, and the version.
2. The field lines, each by its grammar; a line seen before needs no second look.
3. What they say together: host, content length, persistence, expectation, preferred coding.
4. Who answers: what the router makes of the method and the path.

Each of these is a pure function of the octets, so a memo of its result is exact. A ``HeadReader``
holds the memos that the connections of one server share: of whole heads, of all that follows the
target (a browser asks for one target after another in the same words), of single field lines, and of
the lines that begin a chunk.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from reactor.http11.cache import BytesCache
from reactor.http11.coding import preferred_coding
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
from reactor.http11.headers import FieldLine, Headers, read_field_line
from reactor.http11.message import NO_PARAMS, Head, Params, Request
from reactor.http11.target import Target, check_host, read_target
from reactor.settings import Settings

# DOC OF reactor/http11/head.py
# """What can be read of a request that is refused: for the line in the log, and the form of the answer.
#
# Whoever refuses a request does not know for certain what it asks for. But the answer to HEAD has no
# content (RFC 9110, 9.3.2), and the log says what came as far as it can be read. Nothing else may
# depend on it: a request that was glimpsed is never served.
# """


MOST_LINES = 32

_match_request_line = re.compile(rb"(" + TOKEN + rb") ([^ ]+) HTTP/1\.([0-9])\r\n").match


def glimpse(octets: bytes) -> Request:
    """Make a request of the beginning of a head; without a readable request line its target is empty."""
    match = _match_request_line(octets)
    if match is None:
        method = "HEAD" if octets.startswith(b"HEAD ") else ""
        return Request(method, Target("", ()), Head(1, Headers(), persistent=False))
    lines = octets[match.end() :].split(b"\r\n", MOST_LINES)[:MOST_LINES]
    headers = Headers([field_line for line in lines for field_line in _readable(line)])
    target = Target(match[2].decode("latin-1"), ())
    return Request(match[1].decode("ascii"), target, Head(min(int(match[3]), 1), headers, persistent=False))


def _readable(octets: bytes) -> list[FieldLine]:
    """Return the field line, when it is one."""
    try:
        return [read_field_line(octets)]
    except ProtocolError:
        return []


# Octets of a head; longer ones are read anew each time.
LONGEST_KNOWN = 2048
# What a client that means https begins with: a record of a handshake (RFC 8446, 5.1).
TLS = b"\x16\x03"

# What nearly every request line begins and ends with; all else is read by its grammar.
_METHODS = {name.encode(): name for name in METHODS}
_VERSIONS = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}

# Given a method and the segments of a path: what answers, and the parts of the path that it names.
Resolve = Callable[[str, Sequence[str]], tuple[Any, Params]]
# Given the host of a request: the route that refuses it, None for a host that is allowed.
RefuseHost = Callable[[str | None], Any]
# What a Request is made of: method, target, what the rest means, what answers, and its parameters.
ReadHead = tuple[str, Target, Head, Any, Params]
# Where octets are at fault, and the error that says so.
Fault = tuple[int, ProtocolError]


def nobody(method: str, segments: Sequence[str]) -> tuple[None, Params]:
    """Stand in for a router where none is needed."""
    return None, NO_PARAMS


class HeadReader:
    """Reads heads, and remembers them; one for all connections with the same settings and routes.

    ``known`` holds what was read before, by the octets of the whole head; ``known_sizes`` is kept by
    the reader of chunks, by a chunk's first line. Whoever changes what ``resolve`` returns clears
    ``known``. ``refuse_host`` comes before ``resolve``; its result is remembered with the head, too.
    """

    __slots__ = (
        "_lines",
        "_refuse_host",
        "_resolve",
        "_surely_fits",
        "_tails",
        "known",
        "known_sizes",
        "settings",
    )

    def __init__(
        self, settings: Settings, resolve: Resolve = nobody, refuse_host: RefuseHost | None = None
    ) -> None:
        self.settings = settings
        self._surely_fits = min(settings.max_request_line, settings.max_head - 4)
        self._resolve = resolve
        self._refuse_host = refuse_host
        self.known: BytesCache[ReadHead] = BytesCache(entries=512, longest=LONGEST_KNOWN)
        self._tails: BytesCache[Head] = BytesCache(entries=256, longest=LONGEST_KNOWN)
        self._lines: BytesCache[FieldLine] = BytesCache(entries=1024, longest=256)
        self.known_sizes: BytesCache[int] = BytesCache(entries=512, longest=32)

    def read(self, octets: bytes) -> ReadHead:
        """Read a head that is not known, with its empty line; raise ProtocolError."""
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
        _check_beginning("head", octets, start, self._too_long(octets.rstrip(b"\r\n")))

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
            return limit, ProtocolError(414, f"request line over {limit} octets")
        if len(octets) + 4 > max_head:
            return _beyond(octets, max_head - 4), ProtocolError(431, f"head over {max_head} octets")
        return None

    def _trailers_too_long(self, octets: bytes) -> Fault | None:
        """Return what is too long about a trailer section, or its beginning; its empty line is not in it."""
        limit = self.settings.max_head
        if len(octets) + 2 > limit:
            return _beyond(octets, limit - 2), ProtocolError(431, f"trailer section over {limit} octets")
        return None

    def _read_trailers(self, octets: bytes) -> None:
        too_long = self._trailers_too_long(octets)
        if too_long is not None:
            raise too_long[1]
        self._read_field_lines(octets.split(b"\r\n"))

    def _read(self, octets: bytes) -> ReadHead:
        if len(octets) > self._surely_fits:
            too_long = self._too_long(octets[:-4])
            if too_long is not None:
                raise too_long[1]
        try:
            method_octets, target_octets, tail = octets[:-4].split(b" ", 2)
        except ValueError:
            raise ProtocolError(400, "malformed request line") from None
        method = _METHODS.get(method_octets) or _read_method(method_octets)
        known_head = self._tails.get(tail)
        head = known_head or self._read_tail(tail)
        target = read_target(method, target_octets)
        if target.authority is not None:
            head = head.with_authority(target.authority)
        refusal = None if self._refuse_host is None else self._refuse_host(head.host)
        if refusal is None:
            read = method, target, head, *self._resolve(method, target.segments)
        else:
            read = method, target, head, refusal, NO_PARAMS
        if known_head is not None:  # what has a part that is new is not likely to come again
            self.known.remember(octets, read)
        return read

    def _read_tail(self, octets: bytes) -> Head:
        """Read a head from its version on.

        Without its last line it is mostly a head as well. So where a client ends its requests with
        something new each time (an id, a cookie, a validator), that line alone is read.
        """
        front, _, last = octets.rpartition(b"\r\n")
        known = self._tails.get(front)
        head = None if known is None else self._extend(known, last)
        if head is None:
            head = self._read_lines(octets, front, last)
        self._tails.remember(octets, head)
        return head

    def _extend(self, head: Head, octets: bytes) -> Head | None:
        """Return a head with one line more; None where that line may change what the others mean."""
        if head.headers.line_count >= self.settings.max_fields:
            return None
        line = self._read_line(octets)
        return None if line[0] in DECISIVE else head.with_headers(head.headers.followed_by(line))

    def _read_lines(self, octets: bytes, front: bytes, last: bytes) -> Head:
        """Read a head line by line; keep it without its last line where the next one may have another."""
        ends_anew = last not in self._lines
        lines = octets.split(b"\r\n")
        version = _VERSIONS.get(lines[0])
        if version is None:
            version = _read_version(lines[0])
        field_lines = self._read_field_lines(lines[1:])
        decisive = tuple([line for line in field_lines if line[0] in DECISIVE])
        head = Head(version, Headers(field_lines), *_interpret(version, decisive))
        if ends_anew and field_lines and field_lines[-1][0] not in DECISIVE:
            self._tails.remember(front, head.with_headers(Headers(field_lines[:-1])))
        return head

    def _read_field_lines(self, lines: list[bytes]) -> list[FieldLine]:
        if len(lines) > self.settings.max_fields:
            raise ProtocolError(431, f"more than {self.settings.max_fields} field lines")
        found = list(map(self._lines.get, lines))
        place = -1
        for _ in range(found.count(None)):
            place = found.index(None, place + 1)
            found[place] = field_line = self._read_line(lines[place])
            self._lines.remember(lines[place], field_line)
        return found  # type: ignore[return-value]  # no None is left

    def _read_line(self, line: bytes) -> FieldLine:
        """Read a field line that is not known."""
        if len(line) > self.settings.max_field_line:
            raise ProtocolError(431, f"field line over {self.settings.max_field_line} octets")
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
            raise ProtocolError(400, "this looks like TLS, and plain HTTP is served here")
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
        raise ProtocolError(505, "only HTTP/1.0 and HTTP/1.1 are served")
    return min(int(match[2]), 1)  # RFC 9110, 2.5: a higher minor version is served as our own


# The fields that say how a request is read and answered; what all others say is the application's.
DECISIVE = frozenset(
    {"host", "transfer-encoding", "content-length", "connection", "expect", "accept-encoding"}
)


# The lines are at most one head: with the limits as they are, 64 entries hold at most 2 MiB.
@lru_cache(maxsize=64)
def _interpret(
    version: int, decisive: tuple[FieldLine, ...]
) -> tuple[int, bool, bool, str | None, str | None]:
    """Work out what the decisive lines mean together, as a Head has it after its headers.

    Raise ProtocolError where they contradict each other.
    """
    value_of = Headers(decisive).get
    host = value_of("host")
    if host is not None:
        check_host(host.encode("latin-1"))
    elif version == 1:  # RFC 9112, 3.2
        raise ProtocolError(400, "no Host in HTTP/1.1")
    return (
        content_length(value_of("transfer-encoding"), value_of("content-length"), version),
        _persistent(version, _connection_options(value_of("connection"))),
        _expects_continue(value_of("expect"), version),
        preferred_coding(value_of("accept-encoding")),
        host,
    )


def _connection_options(value: str | None) -> list[str]:
    """Read Connection = #connection-option, without regard to case (RFC 9110, 7.6.1)."""
    return [] if value is None else [option.strip(" \t").lower() for option in value.split(",")]


def _persistent(version: int, options: list[str]) -> bool:
    """Say whether the client lets the connection persist (RFC 9112, 9.3)."""
    return "close" not in options and (version == 1 or "keep-alive" in options)


def _expects_continue(value: str | None, version: int) -> bool:
    """Read Expect = #expectation (RFC 9110, 10.1.1); raise ProtocolError(417) for any other one."""
    if value is None:
        return False
    members = [member.strip(" \t").lower() for member in value.split(",")]
    expectations = [member for member in members if member]
    if any(each != "100-continue" for each in expectations):
        raise ProtocolError(417, "only 100-continue can be expected")
    return bool(expectations) and version == 1  # in HTTP/1.0 it is ignored
