"""The surfaces: each makes its inputs from a random source, and checks one of them.

    parser            streams of requests, mutated, under the limits that a server has
    limits            the same under limits so small that every one is reached
    chunked           a chunked body, mutated, after a well-formed head
    accept-encoding   the value of that field
    target            a request target, for each kind of method
    ranges            the value of Range, for content of several sizes
    conditions        field lines with entity tags and dates, for several methods and states
    structured        a structured field
    digest, accept    the values of Repr-Digest and Accept
    form              multipart/form-data, the content of a form
    content           JSON, text, fields of queries and forms, and cookies
    forwarded         the values of Forwarded and the X-Forwarded fields
    proxy-header      the header of the PROXY protocol

A check returns what is wrong in words, or None. It depends on the bytes alone, so that a finding
can be made shorter and can be replayed.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from reactor.http11.accept import preferred_coding
from reactor.http11.errors import ProtocolError
from reactor.http11.target import Target, read_target
from reactor.settings import Settings
from tests.fuzz import fields, valid_messages
from tests.fuzz.conditions import check_conditions, check_range, make_conditions, make_range
from tests.fuzz.content import check_content, make_content
from tests.fuzz.mutate import corpus, mutate
from tests.fuzz.property import ParserProperty, fault_of_refusal
from tests.fuzz.proxies import check_forwarded, check_proxy_header, make_forwarded, make_proxy_header

Check = Callable[[bytes], str | None]

TINY = Settings(
    max_request_line=60,
    max_field_line=40,
    max_fields=6,
    max_head=200,
    max_body=40,
    max_chunk_line=16,
    max_chunk_extensions=20,
)
CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK_TOKENS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"0\r\n\r\n",
    b";",
    b'"',
    b"\\",
    b"=",
    b" ",
    b"\t",
    b"0x",
    b"fffffffff",
    b"\0",
)
CODING_TOKENS = (
    b"gzip",
    b"x-gzip",
    b"identity",
    b"*",
    b";q=",
    b"0.",
    b"1.",
    b"\xb2",
    b",",
    b" ",
    b"\t",
    b"00000",
)
TARGET_TOKENS = rb"// http:// % %00 %c3 %ff @ [::1] [ : .. # ? * | ^ ] { } \ `".split()
METHODS = ("GET", "OPTIONS", "CONNECT")


class Surface(NamedTuple):
    """One thing that is fuzzed."""

    name: str
    make: Callable[[Random], bytes]
    check: Check


def guarded(check: Check) -> Check:
    """Make a check that describes an unexpected exception in words."""

    def checked(data: bytes) -> str | None:
        try:
            return check(data)
        except Exception as error:
            return f"raises {type(error).__name__}: {error}"

    return checked


def surfaces() -> dict[str, Surface]:
    """Make new surfaces, by name; each has the caches of a server."""
    found = [
        Surface("parser", StreamMaker().make, ParserProperty(Settings()).check),
        Surface("limits", StreamMaker().make, ParserProperty(TINY).check),
        Surface("chunked", make_chunked, ParserProperty(Settings()).check),
        Surface("accept-encoding", make_accept_encoding, check_accept_encoding),
        Surface("target", make_target, check_target),
        Surface("ranges", make_range, check_range),
        Surface("conditions", make_conditions, check_conditions),
        Surface("structured", fields.make_structured, guarded(fields.check_structured)),
        Surface("digest", fields.make_digest, guarded(fields.check_digest)),
        Surface("accept", fields.make_accept, guarded(fields.check_accept)),
        Surface("form", fields.make_form, guarded(fields.check_form)),
        Surface("content", make_content, guarded(check_content)),
        Surface("forwarded", make_forwarded, guarded(check_forwarded)),
        Surface("proxy-header", make_proxy_header, guarded(check_proxy_header)),
    ]
    return {surface.name: surface for surface in found}


class StreamMaker:
    """Makes streams of requests: valid ones and entries of the corpus, mostly mutated."""

    def __init__(self) -> None:
        self._corpus = corpus()

    def make(self, random: Random) -> bytes:
        """Make one stream."""
        if self._corpus and random.random() < 0.4:
            # A long one would only be slow to deliver in pieces; what is long is in worst.py.
            data = random.choice(self._corpus)[:3000]
        else:
            data = valid_messages.stream(random)
        return mutate(random, data) if random.random() < 0.9 else data


def make_chunked(random: Random) -> bytes:
    """Make a chunked request, its body mutated."""
    return (
        CHUNKED_HEAD
        + mutate(random, valid_messages.chunks(random), CHUNK_TOKENS)
        + valid_messages.request(random)
    )


def make_accept_encoding(random: Random) -> bytes:
    """Make a value, mutated."""
    return mutate(random, valid_messages.accept_encoding(random), CODING_TOKENS)


def make_target(random: Random) -> bytes:
    """Make a target, mutated."""
    method = random.choice(METHODS).encode()
    return mutate(random, valid_messages.target(random, method), TARGET_TOKENS)


def check_accept_encoding(data: bytes) -> str | None:
    """Check that a value gives a coding, and that case, white space and empty members change nothing."""
    value = data.decode("latin-1")
    try:
        answers = [
            preferred_coding(value),
            preferred_coding(data.swapcase().decode("latin-1")),
            preferred_coding(f" , {value}\t,,"),
            preferred_coding(value.replace(",", " ,\t")),
        ]
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    if answers[0] not in (None, "gzip", "x-gzip"):
        return f"prefers {answers[0]!r}"
    if len(set(answers)) > 1:
        return f"case, empty members or white space change the result: {answers}"
    return None


def check_target(data: bytes) -> str | None:
    """Check a target for each kind of method."""
    for method in METHODS:
        try:
            target = read_target(method, data)
        except ProtocolError as error:
            fault = fault_of_refusal(error)
        except Exception as error:
            fault = f"raises {type(error).__name__}: {error}"
        else:
            fault = fault_of_target(method, target)
        if fault is not None:
            return f"{method}: {fault}"
    return None


def fault_of_target(method: str, target: Target) -> str | None:
    """Check what a target was read as: plain text that reads the same again."""
    written = str(target)
    if not (written.isascii() and written.isprintable()) or " " in written:
        return "contains characters that are invalid in a target"
    if any("\0" in segment for segment in target.segments):
        return "has a NUL in a segment"
    if not target.path.startswith("/"):
        return None  # the authority and asterisk forms are not URIs that can be read again
    again = read_target(method, written.encode("ascii"))
    if (again.path, again.query, again.segments) != (target.path, target.query, target.segments):
        return "changes in a round trip"
    if "/".join(target.segments).count("/") < target.path.count("/") - 1:
        return "has lost a segment"
    return None
