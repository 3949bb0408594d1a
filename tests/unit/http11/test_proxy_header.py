"""The PROXY header: both versions, delivered whole, byte by byte and with a request behind it."""

import pytest

from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser
from reactor.http11.proxy_header import MAX_V1, MAX_V2, V2, ProxyHeader, read_proxy_header
from reactor.settings import Settings

REQUEST = b"GET /echo/hi HTTP/1.1\r\nHost: x\r\n\r\n"
IPV4 = bytes([192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 0x04, 0x01, 0xBB])
IPV6 = bytes.fromhex("20010db800000000000000000000000720010db8000000000000000000000001") + b"\1\2\3\4"
MAPPED = bytes(10) + b"\xff\xff" + IPV4[:4] + bytes(16) + b"\1\2\3\4"
UNIX = b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0")
TLV = b"\x04\x00\x05abcde"  # PP2_TYPE_NOOP


def v2(family: int, addresses: bytes, command: int = 0x21) -> bytes:
    return V2 + bytes([command, family]) + len(addresses).to_bytes(2, "big") + addresses


HEADERS = {
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n": "192.0.2.7",
    b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n": "255.255.255.255",
    b"PROXY TCP6 2001:db8:0::7 ::1 0 443\r\n": "2001:db8::7",
    b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n": "192.0.2.7",
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN " + b"f" * (MAX_V1 - 16) + b"\r\n": None,
    v2(0x11, IPV4): "192.0.2.7",
    v2(0x11, IPV4 + TLV): "192.0.2.7",
    v2(0x11, IPV4 + b"\0" * (MAX_V2 - 16 - 12)): "192.0.2.7",
    v2(0x21, IPV6): "2001:db8::7",
    v2(0x21, IPV6 + TLV * 9): "2001:db8::7",
    v2(0x21, MAPPED): "192.0.2.7",
    v2(0x31, UNIX): "unix",
    v2(0x00, b""): None,
    v2(0x00, TLV): None,
    v2(0x00, b"", 0x20): None,
    v2(0x11, IPV4, 0x20): None,  # LOCAL: addresses are ignored
    v2(0xFF, TLV, 0x20): None,
}
MALFORMED = {
    REQUEST: "no PROXY header",
    b"\x16\x03\x01": "no PROXY header",
    b"PROXY": None,
    b"PROXY\r\n": "no PROXY header",
    b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n": "no PROXY header",
    b"PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n": "malformed PROXY header",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n": "malformed PROXY header",
    b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n": "malformed PROXY header",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n": "malformed PROXY header",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n": "malformed PROXY header",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n": "malformed PROXY header",
    b"PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n": "malformed address",
    b"PROXY TCP4 192.0.2.7 ::1 1 2\r\n": "malformed address",
    b"PROXY TCP6 192.0.2.7 ::1 1 2\r\n": "malformed address",
    b"PROXY TCP6 fe80::1%a ::1 1 2\r\n": "malformed PROXY header",
    b"PROXY UNKNOWNS\r\n": "malformed PROXY header",
    b"PROXY TCP4 " + b"1" * MAX_V1: "exceeds 107 bytes",
    b"PROXY UNKNOWN " + b"f" * (MAX_V1 - 15) + b"\r\n": "exceeds 107 bytes",
    V2[:-1] + b"\r": "no PROXY header",
    v2(0x11, IPV4, 0x11): "unsupported version or command",
    v2(0x11, IPV4, 0x22): "unsupported version or command",
    v2(0x11, IPV4[:-1]): "incomplete addresses",
    v2(0x21, IPV4): "incomplete addresses",
    v2(0x31, UNIX[:-1]): "incomplete addresses",
    v2(0x12, IPV4): "unsupported or incomplete addresses",
    v2(0x11, IPV4 + b"\0" * (MAX_V2 - 16 - 11)): "2049 bytes (limit: 2048)",
    v2(0x11, IPV4 + b"\0" * 60_000): "60028 bytes",
}


@pytest.mark.parametrize(("data", "address"), HEADERS.items())
def test_a_header_is_read_as_soon_as_it_is_complete(data: bytes, address: str | None) -> None:
    expected = ProxyHeader(address, len(data), data.startswith(V2 + b"\x20"))
    assert read_proxy_header(data) == expected
    assert read_proxy_header(data + REQUEST) == expected
    assert [end for end in range(1, len(data)) if read_proxy_header(data[:end]) is not None] == []


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize("data", HEADERS)
def test_the_bytes_behind_the_header_are_the_first_request(data: bytes, step: int) -> None:
    parser = Parser(HeadReader(Settings()))
    header, sent = None, data + REQUEST
    for start in range(0, len(sent), step):
        parser.feed(sent[start : start + step])
        if header is None:
            header = parser.next_proxy_header()
    request = parser.next_request()
    assert header is not None
    assert header.address == HEADERS[data]
    assert request is not None
    assert request.path == "/echo/hi"
    assert parser.buffered == 0


@pytest.mark.parametrize(("data", "reason"), MALFORMED.items(), ids=lambda text: repr(text)[:50])
def test_a_malformed_header_is_an_error_at_some_byte_and_stays_one(data: bytes, reason: str | None) -> None:
    if reason is None:
        assert read_proxy_header(data) is None
        return
    with pytest.raises(ProtocolError) as whole:
        read_proxy_header(data)
    assert reason in whole.value.reason
    outcomes = [outcome(data[:end]) for end in range(1, min(len(data), 3000) + 1)]
    first = next(index for index, each in enumerate(outcomes) if each is not None)
    assert outcomes[:first] == [None] * first
    assert isinstance(outcomes[first], ProtocolError)


def outcome(data: bytes) -> ProxyHeader | ProtocolError | None:
    try:
        return read_proxy_header(data)
    except ProtocolError as error:
        return error
