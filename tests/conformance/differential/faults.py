"""What the RFC calls faulty, recognised from the bytes alone: one small predicate for each fault.

None of this shares code with ``reactor/``: a predicate that asked the parser would agree with it.
"""

import ipaddress
import re
from urllib.parse import unquote_to_bytes

from reactor.settings import Settings
from tests.conformance.differential.sketch import (
    CHUNK_SIZE,
    TOKEN,
    Sketch,
    has_control,
    is_chunk_line,
    is_field_line,
)

LIMITS = Settings()
UNRESERVED = rb"0-9A-Za-z._~\-"
HOST_BYTES = re.compile(b"[" + UNRESERVED + b"!$&'()*+;=%]*")  # no comma: two Host lines combined have one
# What browsers send unencoded is taken: [ ] | ^ in a path, and { } \ ` in a query.
PATH_BYTES = re.compile(b"[" + UNRESERVED + b"!$&'()*+,;=%:@/" + rb"\[\]|^]*")
QUERY_BYTES = re.compile(b"[" + UNRESERVED + b"!$&'()*+,;=%:@/?" + rb"\[\]|^{}\\`]*")
BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
STRAY = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")


def stray_in_head(sketch: Sketch) -> bool:
    """A bare CR or LF, or a NUL, in the head."""
    return STRAY.search(sketch.before + sketch.head + sketch.end) is not None


def control_in_field(sketch: Sketch) -> bool:
    return any(has_control(line) for line in sketch.lines)


def folded(sketch: Sketch) -> bool:
    return any(line[:1] in (b" ", b"\t") for line in sketch.lines)


def is_host(data: bytes) -> bool:
    """Check uri-host with an optional port."""
    if data.startswith(b"["):
        inside, bracket, port = data[1:].partition(b"]")
        if not bracket or (port and not port.startswith(b":")):
            return False
        return _is_port(port[1:]) and _is_ip_literal(inside)
    name, _, port = data.partition(b":")
    return HOST_BYTES.fullmatch(name) is not None and not BROKEN_ESCAPE.search(name) and _is_port(port)


def _is_port(data: bytes) -> bool:
    return not data or (data.isdigit() and data.isascii())


def _is_ip_literal(data: bytes) -> bool:
    if re.fullmatch(b"[vV][0-9A-Fa-f]+[.][" + UNRESERVED + b"!$&'()*+,;=:]+", data):
        return True
    try:
        ipaddress.IPv6Address(data.decode("ascii"))
    except ValueError:
        return False
    return b"%" not in data


def bad_host(sketch: Sketch) -> bool:
    return not all(is_host(value) for value in sketch.values(b"host"))


def no_host(sketch: Sketch) -> bool:
    return sketch.version not in (b"HTTP/1.0", b"HTTP/0.9") and not sketch.values(b"host")


def two_hosts(sketch: Sketch) -> bool:
    return len(sketch.values(b"host")) > 1


def bad_target(sketch: Sketch) -> bool:
    """A target in none of the four forms, or in one that the method does not have."""
    target, method = sketch.target, sketch.method
    if method == b"CONNECT":
        host, _, port = target.rpartition(b":")
        return not (host and port.isdigit() and is_host(target))
    if target == b"*":
        return method != b"OPTIONS"
    match = re.fullmatch(rb"(?i:https?)://([^/?]*)(.*)", target, re.DOTALL)
    if match is not None:
        if not match[1] or match[1].startswith(b":") or not is_host(match[1]):
            return True
        target = b"/" + match[2]
    path, _, query = target.partition(b"?")
    valid = path.startswith(b"/") and PATH_BYTES.fullmatch(path) and QUERY_BYTES.fullmatch(query)
    return not valid or bool(BROKEN_ESCAPE.search(target))


def secure_scheme(sketch: Sketch) -> bool:
    """A target that asks for a secured connection, over a plain one."""
    return sketch.target[:8].lower() == b"https://"


def bad_path(sketch: Sketch) -> bool:
    """A path with an escaped NUL, or with escapes that are not UTF-8."""
    decoded = unquote_to_bytes(sketch.target.partition(b"?")[0])
    try:
        decoded.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return b"\0" in decoded


def bad_request_line_of_an_incomplete_head(sketch: Sketch) -> bool:
    """A complete line that is not three words, or whose first word is not a method, without an empty line."""
    is_complete = sketch.request_line != sketch.head and not sketch.end
    return is_complete and (len(sketch.parts) != 3 or TOKEN.fullmatch(sketch.method) is None)


def bad_version(sketch: Sketch) -> bool:
    return re.fullmatch(rb"HTTP/1\.[0-9]", sketch.version) is None


def other_expectation(sketch: Sketch) -> bool:
    return (
        any(value.lower() != b"100-continue" for value in sketch.values(b"expect"))
        or len(sketch.values(b"expect")) > 1
    )


def doubtful_length(sketch: Sketch) -> bool:
    """Content-Length that is not one number on one line."""
    values = sketch.values(b"content-length")
    return len(values) > 1 or any(not re.fullmatch(rb"[0-9]+", value) for value in values)


def two_framings(sketch: Sketch) -> bool:
    return bool(sketch.values(b"content-length") and sketch.values(b"transfer-encoding"))


def coding_in_1_0(sketch: Sketch) -> bool:
    return sketch.version == b"HTTP/1.0" and bool(sketch.values(b"transfer-encoding"))


def other_coding(sketch: Sketch) -> bool:
    """Transfer-Encoding that is anything but one chunked."""
    return bool(sketch.values(b"transfer-encoding")) and sketch.members(b"transfer-encoding") != [b"chunked"]


def bad_chunk_line(sketch: Sketch) -> bool:
    """A whole line where a chunk-size with its extensions should be, and is not."""
    return sketch.chunked and not all(map(is_chunk_line, sketch.chunks().size_lines))


def unfinished_chunk_line(sketch: Sketch) -> bool:
    """Such a line that has no end yet, but a bare LF in it."""
    return sketch.chunked and b"\n" in sketch.chunks().rest


def bad_trailer(sketch: Sketch) -> bool:
    return sketch.chunked and not all(is_field_line(line) for line in sketch.chunks().trailers if line)


def over_a_limit(sketch: Sketch) -> bool:
    """Longer than a server has to take: request line, field line, fields, head, chunk lines, trailers."""
    lines = sketch.lines
    too_long = len(sketch.request_line) > LIMITS.max_request_line or len(sketch.head) + 4 > LIMITS.max_head
    too_many = len(lines) > LIMITS.max_fields or any(len(line) > LIMITS.max_field_line for line in lines)
    if too_long or too_many or not sketch.chunked:
        return too_long or too_many
    walked = sketch.chunks()
    return (
        any(len(line) > LIMITS.max_chunk_line for line in (*walked.size_lines, walked.rest))
        or sum(len(line.lstrip(b"0123456789ABCDEFabcdef")) for line in walked.size_lines)
        > LIMITS.max_chunk_extensions
        or len(walked.trailers) > LIMITS.max_fields
        or any(len(line) > LIMITS.max_field_line for line in walked.trailers)
        or sum(len(line) + 2 for line in walked.trailers) > LIMITS.max_head
    )


def too_much_content(sketch: Sketch) -> bool:
    """Chunk sizes that add up to more than a server has to take, whether or not the data has come."""
    sizes = [CHUNK_SIZE.match(line) for line in sketch.chunks().size_lines]
    return sketch.chunked and sum(int(size[0], 16) for size in sizes if size) > LIMITS.max_body


def many_empty_lines(sketch: Sketch) -> bool:
    return sketch.before.count(b"\r\n") > 8
