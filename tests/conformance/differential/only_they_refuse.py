"""What an oracle refuses and we take, and where the two part otherwise; the RFC sentence for each."""

import re
from collections.abc import Callable

from tests.conformance.differential.compare import Difference, DifferenceKind
from tests.conformance.differential.reading import End, Ours
from tests.conformance.differential.row import BOTH, H11, HTTPTOOLS, Disagreement
from tests.conformance.differential.sketch import TOKEN, Sketch, is_chunk_line

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH")
CONNECTIONS = (b"connection", b"proxy-connection")


def _after_last_request(difference: Difference, _: Sketch) -> bool:
    return difference.before is not None and not difference.before.keep_alive


def _unknown_method(_: Difference, sketch: Sketch) -> bool:
    return sketch.method not in METHODS and TOKEN.fullmatch(sketch.method) is not None


def _white_space_in_extension(_: Difference, sketch: Sketch) -> bool:
    if not sketch.chunked:
        return False
    size_lines, _trailers, rest = sketch.chunks()
    # A line that is not whole yet may lack a token or a quote.
    lines = [line for line in (*size_lines, rest, rest + b"a", rest + b'"') if is_chunk_line(line)]
    return any(re.search(rb'[ \t;=][ \t]|[ \t][;=]|"[^"]*[\x80-\xff]', line) for line in lines)


def _white_space_after_coding(_: Difference, sketch: Sketch) -> bool:
    return sketch.chunked and any(
        re.fullmatch(rb"(?i)transfer-encoding:[ \t]*chunked[ \t]+", line) for line in sketch.lines
    )


def _framing_in_trailers(_: Difference, sketch: Sketch) -> bool:
    names = {line.partition(b":")[0].lower() for line in sketch.chunks().trailers}
    return sketch.chunked and not names.isdisjoint({b"content-length", b"transfer-encoding"})


def _connection_in_trailers(difference: Difference, _: Sketch) -> bool:
    trailers = Sketch(difference.previous).chunks().trailers
    return any(line.partition(b":")[0].lower() in CONNECTIONS for line in trailers)


def _huge_length(_: Difference, sketch: Sketch) -> bool:
    return any(re.fullmatch(rb"[0-9]{19,}", value) for value in sketch.values(b"content-length"))


def _other_minor_version(_: Difference, sketch: Sketch) -> bool:
    return re.fullmatch(rb"HTTP/1\.[2-9]", sketch.version) is not None


def _incomplete(difference: Difference, _: Sketch) -> bool:
    """We wait for the end of a line or head; once it has come, we refuse it, too."""
    waits = difference.our_reading.end is End.WAITING
    return waits and Ours().read(difference.data + b"\r\n\r\n").end is End.REFUSED


def _empty_line_before(_: Difference, sketch: Sketch) -> bool:
    return sketch.before in [b"\r\n" * i for i in range(1, 9)]


def _theirs(
    name: str,
    oracles: tuple[str, ...],
    specification: str,
    matches: Callable[[Difference, Sketch], bool],
) -> Disagreement:
    return Disagreement(name, oracles, DifferenceKind.ONLY_THEY_REFUSE, specification, matches)


ONLY_THEY_REFUSE = (
    _theirs(
        "bytes after the last request",
        BOTH,
        "RFC 9112, 9.6: after a request with close a server reads no further one; not an error",
        _after_last_request,
    ),
    _theirs(
        "an unknown method",
        HTTPTOOLS,
        "RFC 9110, 9.1: a method is any token; an unknown one gets 501 and is framed like the others",
        _unknown_method,
    ),
    _theirs(
        "white space or obs-text in chunk extensions",
        BOTH,
        "RFC 9112, 7.1.1: BWS around ; and = is read and dropped; RFC 9110, 5.6.4: obs-text may be quoted",
        _white_space_in_extension,
    ),
    _theirs(
        "white space after chunked",
        HTTPTOOLS,
        "RFC 9112, 5.1: white space after a value is not part of it",
        _white_space_after_coding,
    ),
    _theirs(
        "framing fields in the trailers",
        BOTH,
        "RFC 9110, 6.5.1: trailers are not merged into the headers, and may be ignored",
        _framing_in_trailers,
    ),
    _theirs(
        "Connection in the trailers is used",
        HTTPTOOLS,
        "RFC 9110, 6.5.1: a field that controls the connection or its framing has no meaning in trailers",
        _connection_in_trailers,
    ),
    _theirs(
        "a huge Content-Length",
        BOTH,
        "RFC 9110, 8.6: any number of digits is valid; the limit is checked later, with 413",
        _huge_length,
    ),
    _theirs(
        "an empty line before the request line",
        H11,
        "RFC 9112, 2.2: a server should ignore at least one empty line there",
        _empty_line_before,
    ),
    _theirs(
        "another minor version",
        HTTPTOOLS,
        "RFC 9110, 2.5: a higher minor version of the same major one is treated as the highest supported one",
        _other_minor_version,
    ),
    _theirs(
        "refused before it is complete",
        BOTH,
        "RFC 9112 does not say when an error must be detected; we detect it at the end of the line or head",
        _incomplete,
    ),
)


def _keep_alive_in_1_0(difference: Difference, sketch: Sketch) -> bool:
    assert difference.ours is not None
    options = sketch.members(b"connection")
    return (
        sketch.version == b"HTTP/1.0"
        and b"keep-alive" in options
        and b"close" not in options
        and difference.ours.keep_alive
    )


def _proxy_connection(difference: Difference, sketch: Sketch) -> bool:
    """It says what they obey."""
    assert difference.theirs is not None
    said = b"keep-alive" if difference.theirs.keep_alive else b"close"
    return said in sketch.members(b"proxy-connection") and said not in sketch.members(b"connection")


def _close_and_keep_alive(difference: Difference, sketch: Sketch) -> bool:
    assert difference.ours is not None
    options = sketch.members(b"connection")
    return b"close" in options and b"keep-alive" in options and not difference.ours.keep_alive


def _lone_cr(difference: Difference, sketch: Sketch) -> bool:
    return difference.data.lstrip(b"\r\n") == b"" and difference.data.endswith(b"\r")


OTHERS = (
    Disagreement(
        "Proxy-Connection is used",
        HTTPTOOLS,
        DifferenceKind.PERSISTENCE,
        "RFC 9112, C.2.2: it was a mistake of proxies; only Connection says whether to persist (9.3)",
        _proxy_connection,
    ),
    Disagreement(
        "close together with keep-alive",
        HTTPTOOLS,
        DifferenceKind.PERSISTENCE,
        "RFC 9112, 9.3: whether close is checked first; keep-alive counts only without it",
        _close_and_keep_alive,
    ),
    Disagreement(
        "keep-alive in HTTP/1.0",
        H11,
        DifferenceKind.PERSISTENCE,
        "RFC 9112, 9.3: HTTP/1.0 persists where keep-alive is among the options and the server wants it to",
        _keep_alive_in_1_0,
    ),
    Disagreement(
        "an incomplete empty line",
        HTTPTOOLS,
        DifferenceKind.LENGTH,
        "RFC 9112, 2.2: an empty line is CRLF; after its CR a byte is missing",
        _lone_cr,
    ),
)
