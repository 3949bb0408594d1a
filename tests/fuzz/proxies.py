"""Fuzzed input of proxies: forwarded fields, of which a client writes the left part, and PROXY headers."""

from random import Random

from reactor.http11.addresses import normalized
from reactor.http11.errors import HTTPError, ProtocolError
from reactor.http11.forwarded import SCHEMES, Origin, read_forwarded
from reactor.http11.headers import Headers
from reactor.http11.prefix import read_prefix
from reactor.http11.proxy_header import MAX_V2, UNIX, V2, read_proxy_header
from reactor.http11.target import check_host
from tests.fuzz.mutate import mutate
from tests.fuzz.property import fault_of_refusal

PROXY, CLIENT = "10.0.0.1", "192.0.2.7"
VALUES = (
    b'for=192.0.2.60;proto=http;by=203.0.113.43, for="[2001:db8:cafe::17]:4711"',
    b'for=10.0.0.2;host="a.test:8443";proto=https, for=unknown, for=_hidden',
    b"203.0.113.66, 2001:db8::1, 10.0.0.2, 10.0.0.3:80",
    b"https, http",
    b"/share, /a%20b/",
)
FIELD_TOKENS = (
    *(b"for=", b"proto=", b"host=", b"10.0.0.2", b"[::ffff:10.0.0.2]", b"unknown", b"unix", b"_x", b"https"),
    *(
        b",",
        b";",
        b"=",
        b'"',
        b"\\",
        b" ",
        b"\t",
        b":",
        b"[",
        b"]",
        b"/",
        b"//",
        b"..",
        b"%2e",
        b"%",
        b"\xff",
    ),
)
NAMES = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix")
HEADERS = (
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n",
    b"PROXY UNKNOWN\r\n",
    V2 + b"\x21\x11\x00\x0c" + bytes(range(12)),
    V2 + b"\x21\x21\x00\x27" + bytes(range(36)) + b"\4\0\0",
    V2 + b"\x21\x31\x00\xd8" + bytes(216),
    V2 + b"\x20\x00\x00\x00",
)
HEADER_TOKENS = (b"\r\n", b" ", b"TCP4", b"UNKNOWN", b"::", b"%", b"\x21", b"\x00", b"\xff", b"65536", V2)


def make_forwarded(random: Random) -> bytes:
    """Make a value of one of the fields, mutated; as in a valid head, without control characters."""
    data = mutate(random, random.choice(VALUES), FIELD_TOKENS)
    return bytes(each for each in data if each == 9 or (each >= 32 and each != 127)).strip(b" \t")


def check_forwarded(data: bytes) -> str | None:
    """Check the value in each field, alone and with what a proxy adds."""
    value = data.decode("latin-1")
    for name in NAMES:
        fault = _fault_of(_read((name, value)))
        if fault is not None:
            return f"{name}: {fault}"
    client = _read(("x-forwarded-for", value), ("x-forwarded-for", CLIENT))
    if not isinstance(client, Origin) or client.address != CLIENT:
        return f"a client spoofs X-Forwarded-For: {client}"
    client = _read(("forwarded", value), ("forwarded", f"for={CLIENT};proto=https;host=a"))
    if isinstance(client, Origin) and client != Origin(CLIENT, "https", "a"):
        return f"a client spoofs Forwarded: {client}"
    return None


def _read(*lines: tuple[str, str]) -> Origin | HTTPError:
    headers = Headers([(name, value, name) for name, value in lines])
    try:
        return read_forwarded(headers, PROXY, lambda address: address.startswith("10."))
    except HTTPError as error:
        return error


def _fault_of(origin: Origin | HTTPError) -> str | None:
    """Check that all parts of an origin are valid, or that the error is one that is shown in one line."""
    if isinstance(origin, HTTPError):
        return fault_of_refusal(origin)
    if origin.scheme not in (None, *SCHEMES):
        return f"scheme {origin.scheme!r}"
    if origin.host is not None:
        check_host(origin.host.encode("latin-1"))  # raises ProtocolError
    if origin.prefix is not None and read_prefix(origin.prefix) != origin.prefix:
        return f"prefix {origin.prefix!r}"
    return None if normalized(origin.address) == origin.address else f"address {origin.address!r}"


def make_proxy_header(random: Random) -> bytes:
    """Make a header, mostly mutated, with bytes behind it."""
    data = random.choice(HEADERS)
    return (mutate(random, data, HEADER_TOKENS) if random.random() < 0.9 else data) + b"GET / HTTP/1.1\r\n"


def check_proxy_header(data: bytes) -> str | None:
    """Check that a header is read when its last byte has come, and has a valid address."""
    outcomes = []
    for end in range(1, len(data) + 1):
        try:
            outcomes.append(read_proxy_header(data[:end]))
        except ProtocolError as error:
            return fault_of_refusal(error) or (None if not any(outcomes) else "refused after it was read")
    found = [each for each in outcomes if each is not None]
    if len(set(found)) > 1 or (found and outcomes.index(found[0]) != found[0].length - 1):
        return f"the result depends on the bytes behind it: {found[:3]}"
    if not found:
        return None if len(data) < MAX_V2 else "too long, and not refused"
    address = found[0].address
    return None if address in (None, UNIX) or normalized(str(address)) == address else f"address {address!r}"
