"""Minimised findings of the fuzzer: the property holds for them now, however they are cut."""

import pytest

from reactor.settings import Settings
from tests.fuzz.property import ParserProperty
from tests.fuzz.surfaces import TINY

# The limits are those of TINY: 60 bytes in a request line, 40 in a field line, 200 in a head.
LENGTH_1 = b"POST / HTTP/1.1\r\nHost:\r\nContent-Length:1\r\n\r\n"

FOUND = {
    # The CR at the end of a body hid the bare LF after it, unless they came separately.
    "bare LF after a body that ends in CR": LENGTH_1 + b"\r\n",
    # A whole delivery reported one of two faults, and byte by byte the other.
    "NUL after the limit of the request line": b"a" * 61 + b"\0",
    "LF after the limit of the request line": b"a" * 61 + b"\n",
    "CR after the limit of the request line": b"a" * 61 + b"\ra",
    "LF after the limit of the head": b"a\r\n" + b"a:\r\n" * 49 + b"aaaa\n",
    # The end of a section that had begun counted towards its length, but only if more data followed.
    "CR after the limit of the head": b"a\r\n" + b"a:\r\n" * 48 + b"a\r\n\r\ra",
    "CR at the end of a head, beyond its limit": b"a / a/a\r\n" + b"a:\r\n" * 46 + b"aaa\r\r\n\r\n",
    # The parser waited for one byte more than the property allowed; the limit allows it.
    "trailer section at its limit, half of its end": (
        b"POST / HTTP/1.1\r\nHost:\r\nTransfer-Encoding:chunked\r\n\r\n0\r\n" + b"a:aaaa\r\n" * 25 + b"\r"
    ),
    "CR in a field line that is too long": b"a / HTTP/1.1\r\na:" + b"a" * 40 + b"\r\r\n\r\n",
}


@pytest.mark.parametrize("what", FOUND)
@pytest.mark.parametrize("settings", [Settings(), TINY], ids=["default limits", "tiny limits"])
def test_earlier_findings_stay_fixed(what: str, settings: Settings) -> None:
    assert ParserProperty(settings).check(FOUND[what]) is None
