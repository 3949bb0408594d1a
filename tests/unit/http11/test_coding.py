"""Content coding: the coding preferred by Accept-Encoding, and gzip, at once and in slices."""

import gzip as standard_gzip
import zlib
from collections.abc import Iterator

import pytest

from reactor.http11.accept import preferred_coding
from reactor.http11.coding import ENGINE_NAME, gzip_bytes, gzip_slices
from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser
from reactor.settings import Settings
from tests.unit.http11.deliver import get

PREFERRED = {
    # Absent, or without a supported coding.
    None: None,
    "": None,
    " ": None,
    ",": None,
    ", ,\t,": None,
    "br": None,
    "br, deflate, zstd": None,
    "gzipped": None,
    "xgzip": None,
    "gzip2": None,
    # By name.
    "gzip": "gzip",
    "GZIP": "gzip",
    "GZip": "gzip",
    " \tgzip\t ": "gzip",
    "gzip, deflate, br": "gzip",
    "deflate,gzip": "gzip",
    "br;q=1.0, gzip;q=0.8, *;q=0.1": "gzip",
    ",gzip,": "gzip",
    "encoding-1, encoding-2, encoding-3, gzip": "gzip",
    "x-gzip": "x-gzip",
    "X-GZip": "x-gzip",
    "x-gzip, gzip": "gzip",
    "gzip, x-gzip": "gzip",
    "x-gzip;q=0": None,
    # By weight.
    "gzip;q=1": "gzip",
    "gzip;q=1.": "gzip",
    "gzip;q=1.000": "gzip",
    "gzip;q=0.001": "gzip",
    "gzip;q=0.5": "gzip",
    "gzip;Q=0.5": "gzip",
    "gzip ; q=0.5": "gzip",
    "gzip\t;\tq=0.5": "gzip",
    "gzip;q=0": None,
    "gzip;q=0.": None,
    "gzip;q=0.0": None,
    "gzip;q=0.000": None,
    "GZIP;q=0": None,
    "gzip;q=0, *": None,
    "gzip;q=0, deflate": None,
    # Against identity.
    "identity": None,
    "identity, gzip": "gzip",
    "gzip, identity": "gzip",
    "gzip;q=0.5, identity;q=0.5": "gzip",
    "gzip;q=0.5, identity": None,
    "gzip;q=0.5, identity;q=0.6": None,
    "gzip;q=0.6, identity;q=0.5": "gzip",
    "identity;q=1, gzip;q=0.999": None,
    "gzip;q=0.001, identity;q=0": "gzip",
    "x-gzip;q=0.5, identity;q=0.6": None,
    "IDENTITY, gzip;q=0.9": None,
    # Any coding.
    "*": "gzip",
    "*;q=0.1": "gzip",
    "* ; q=0.1": "gzip",
    "*;q=0": None,
    "*;q=0, gzip": "gzip",
    "gzip, *;q=0": "gzip",
    "*, gzip;q=0": None,
    "*, x-gzip;q=0": None,
    "*;q=0.5, identity": None,
    "*;q=0.5, identity;q=0": "gzip",
    "br, *": "gzip",
    # Identity is sent even if nothing is acceptable.
    "identity;q=0": None,
    "identity;q=0, gzip;q=0": None,
    "identity;q=0, br": None,
    "*;q=0, br": None,
    # Malformed members are skipped.
    "gzip;q=2": None,
    "gzip;q=1.001": None,
    "gzip;q=1.5": None,
    "gzip;q=-1": None,
    "gzip;q=+1": None,
    "gzip;q=0.1234": None,
    "gzip;q=.5": None,
    "gzip;q=": None,
    "gzip;q": None,
    "gzip;": None,
    "gzip;q=0,5": None,
    "gzip;q=x": None,
    "gzip;q=1e0": None,
    "gzip;q=nan": None,
    "gzip;q = 1": None,
    "gzip;level=9": None,
    "gzip;q=1;level=9": None,
    "gzip deflate": None,
    '"gzip"': None,
    "gzip;q=\u0661": None,
    "g\u00e9zip, gzip": "gzip",
    "gzip;q=x, x-gzip": "x-gzip",
    ";q=1, gzip": "gzip",
    "=, gzip;q=0.5": "gzip",
}


@pytest.mark.parametrize(
    ("field", "coding"), [pytest.param(*row, id=ascii(row[0])) for row in PREFERRED.items()]
)
def test_accept_encoding_selects_the_coding(field: str | None, coding: str | None) -> None:
    assert preferred_coding(field) == coding


@pytest.mark.parametrize(
    ("lines", "coding"),
    [
        ([], None),
        ([b"Accept-Encoding:"], None),
        ([b"Accept-Encoding: gzip"], "gzip"),
        ([b"ACCEPT-encoding:GZIP"], "gzip"),
        ([b"Accept-Encoding: br", b"Accept-Encoding: gzip"], "gzip"),
        ([b"Accept-Encoding: gzip;q=0.5", b"Accept-Encoding: identity"], None),
        ([b"Accept-Encoding: g\xe9zip"], None),
        ([b"Accept: gzip"], None),
    ],
)
def test_accept_encoding_lines_are_combined(lines: list[bytes], coding: str | None) -> None:
    parser = Parser(HeadReader(Settings()))
    parser.feed(get(*lines))
    request = parser.next_request()
    assert request is not None
    assert request.head.coding == coding


TEXT = b"the quick brown fox jumps over the lazy dog, again and again; " * 1200
# Incompressible bytes, from a generator with a fixed seed.
NOISE = bytearray(70_000)
_state = 1
for _i in range(len(NOISE)):
    _state = _state * 1103515245 + 12345 & 0x7FFFFFFF
    NOISE[_i] = _state >> 16 & 0xFF
LENGTHS = [
    *(0, 1, 2, 3, 10, 63, 64, 65, 127, 128, 255, 256, 257, 500, 511, 512, 513, 1000, 1023, 1024, 1025, 2047),
    *(
        2048,
        4095,
        4096,
        4097,
        8191,
        8192,
        16383,
        16384,
        16385,
        32767,
        32768,
        32769,
        65535,
        65536,
        65537,
        70_000,
    ),
]


@pytest.mark.parametrize("length", LENGTHS)
def test_gzip_round_trips(length: int) -> None:
    for content in (TEXT[:length], bytes(NOISE[:length]), b"a" * length, bytes(length)):
        assert standard_gzip.decompress(gzip_bytes(content)) == content
        assert zlib.decompress(gzip_bytes(content), 16 + 15) == content


@pytest.mark.parametrize("length", [60, 1000, 5000, 70_000])
def test_gzip_round_trips_repeatedly(length: int) -> None:
    content = TEXT[:length]
    once = gzip_bytes(content)
    assert [gzip_bytes(content) for _ in range(3)] == [once] * 3
    assert zlib.decompress(once, 16 + 15) == content


@pytest.mark.parametrize("length", [length for length in LENGTHS if length >= 127])
def test_gzip_makes_text_smaller(length: int) -> None:
    assert len(gzip_bytes(TEXT[:length])) < length
    assert len(gzip_bytes(b"a" * length)) < length


@pytest.mark.parametrize("length", LENGTHS)
def test_gzip_of_random_bytes_is_barely_larger(length: int) -> None:
    assert len(gzip_bytes(bytes(NOISE[:length]))) <= length + 32 + length // 100


def test_gzip_of_a_long_text_is_about_as_small_as_zlib() -> None:
    # The engine of the extra "fast" is faster, but has a smaller window for repetitions.
    worse = {"zlib": 1.1, "isal": 1.5}[ENGINE_NAME]
    assert len(gzip_bytes(TEXT)) <= len(standard_gzip.compress(TEXT, 6)) * worse


@pytest.mark.parametrize("share", [1, 7, 1000, 65_536, 100_000])
@pytest.mark.parametrize("content", [b"", b"a", TEXT[:3000], bytes(NOISE[:3000])])
def test_gzip_slices_round_trip(content: bytes, share: int) -> None:
    assert standard_gzip.decompress(b"".join(gzip_slices([content], share))) == content


def test_gzip_pieces_round_trip() -> None:
    pieces = [b"", TEXT[:5], TEXT[5:5], TEXT[5:40_000], TEXT[40_000:], b""]
    assert standard_gzip.decompress(b"".join(gzip_slices(pieces, 4096))) == TEXT
    assert standard_gzip.decompress(b"".join(gzip_slices([], 4096))) == b""


def test_an_empty_piece_is_one_step() -> None:
    taken: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"", b"", b"abc"):
            taken.append(piece)
            yield piece

    steps = gzip_slices(pieces(), 4096)
    for count in (1, 2, 3):
        next(steps)
        assert len(taken) == count


@pytest.mark.parametrize(
    ("length", "share"), [(10_000, 1000), (10_001, 1000), (999, 1000), (1000, 1000), (70_000, 65_536)]
)
def test_a_step_compresses_at_most_its_share(length: int, share: int) -> None:
    content = bytes(NOISE[:length])
    steps = list(gzip_slices([content], share))
    assert len(steps) >= -(-length // share)
    # Incompressible output is as long as the input, except for what zlib buffers.
    produced = 0
    for number, step in enumerate(steps[:-1], 1):
        produced += len(step)
        assert produced <= number * share + 32 + number


def test_pieces_are_read_lazily() -> None:
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(10):
            taken += 1
            yield TEXT[:1000]

    steps = gzip_slices(pieces(), 500)
    assert taken == 0
    for number in range(1, 11):
        next(steps)
        next(steps)
        assert taken == number
