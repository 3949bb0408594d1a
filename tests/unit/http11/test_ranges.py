"""Ranges: parsing for content of a given size, and multipart/byteranges."""

import email
import email.policy
import re
from collections.abc import Iterator
from random import Random

import pytest

from reactor.http11.ranges import (
    MAX_RANGES,
    content_range,
    multipart_end,
    multipart_head,
    read_ranges,
    unsatisfied_range,
)

HUGE = "9" * 8000  # digits, more than int() accepts


def spans(value: str, size: int) -> list[tuple[int, int]] | None:
    """Return the parts as pairs of first and last position."""
    parts = read_ranges(value, size)
    return None if parts is None else [(part.start, part.stop - 1) for part in parts]


# The examples of the RFC, for 10,000 bytes: 14.1.2 and 14.1.1.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-499", [(0, 499)]),
        ("bytes=500-999", [(500, 999)]),
        ("bytes=-500", [(9500, 9999)]),
        ("bytes=9500-", [(9500, 9999)]),
        ("bytes=0-0,-1", [(0, 0), (9999, 9999)]),
        (
            "bytes= 0-999, 4500-5499, -1000",
            [(0, 999), (4500, 5499), (9000, 9999)],
        ),  # with the space in the RFC
        ("bytes=500-600,601-999", [(500, 999)]),  # other ways to request the second 500
        ("bytes=500-700,601-999", [(500, 999)]),
    ],
)
def test_the_examples_of_the_rfc(value: str, expected: list[tuple[int, int]] | None) -> None:
    assert spans(value, 10_000) == expected


# One part, of ten bytes.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-9", [(0, 9)]),
        ("bytes=0-", [(0, 9)]),
        ("bytes=9-", [(9, 9)]),
        ("bytes=9-9", [(9, 9)]),
        ("bytes=0-10", [(0, 9)]),
        ("bytes=5-100", [(5, 9)]),
        ("bytes=10-", []),
        ("bytes=10-10", []),
        ("bytes=11-20", []),
        ("bytes=-1", [(9, 9)]),
        ("bytes=-9", [(1, 9)]),
        ("bytes=-10", [(0, 9)]),
        ("bytes=-11", [(0, 9)]),
        ("bytes=-0", []),
        ("bytes=-000", []),
        ("bytes=003-0005", [(3, 5)]),
        ("bytes=-03", [(7, 9)]),
        ("BYTES=0-1", [(0, 1)]),
        ("Bytes=-1", [(9, 9)]),
        # Very large numbers.
        (f"bytes=0-{10**18}", [(0, 9)]),
        (f"bytes=0-{2**64}", [(0, 9)]),
        (f"bytes=1-{HUGE}", [(1, 9)]),
        (f"bytes=-{HUGE}", [(0, 9)]),
        (f"bytes={HUGE}-", []),
        (f"bytes={HUGE}-{HUGE}", []),
        (f"bytes={2**64}-", []),
        (f"bytes={'0' * 8000}1-{'0' * 8000}2", [(1, 2)]),
        (f"bytes=-{'0' * 8000}", []),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_single_range_is_parsed(value: str, expected: list[tuple[int, int]]) -> None:
    assert spans(value, 10) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-", [(0, 10**15 - 1)]),
        (f"bytes={10**15 - 1}-", [(10**15 - 1, 10**15 - 1)]),
        (f"bytes={10**15}-", []),
        ("bytes=-999999999999999", [(1, 10**15 - 1)]),
        (f"bytes=5-{10**18 - 1}", [(5, 10**15 - 1)]),
    ],
)
def test_a_range_of_a_huge_file_is_parsed(value: str, expected: list[tuple[int, int]]) -> None:
    assert spans(value, 10**15) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-", []),
        ("bytes=0-0", []),
        ("bytes=0-4", []),
        ("bytes=5-", []),
        ("bytes=-0", []),
        ("bytes=0-,-0", []),
        # A suffix of empty content is satisfied, but has no Content-Range.
        ("bytes=-1", None),
        ("bytes=-500", None),
        ("bytes=0-, -1", None),
    ],
)
def test_ranges_of_an_empty_file(value: str, expected: list[tuple[int, int]] | None) -> None:
    assert spans(value, 0) == expected


# Several parts.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # In the order requested; unsatisfiable parts are omitted.
        ("bytes=0-1,4-5,8-9", [(0, 1), (4, 5), (8, 9)]),
        ("bytes=8-9,0-1,4-5", [(8, 9), (0, 1), (4, 5)]),
        ("bytes=-1,0-0", [(9, 9), (0, 0)]),
        ("bytes=20-30,0-0", [(0, 0)]),
        ("bytes=0-0,-0,5-5,10-", [(0, 0), (5, 5)]),
        ("bytes=10-,20-,-0", []),
        # Merged if they overlap or touch, at the position of the first.
        ("bytes=0-5,3-8", [(0, 8)]),
        ("bytes=3-8,0-5", [(0, 8)]),
        ("bytes=0-2,3-5", [(0, 5)]),
        ("bytes=3-5,0-2", [(0, 5)]),
        ("bytes=0-1,3-4", [(0, 1), (3, 4)]),
        ("bytes=0-9,2-3", [(0, 9)]),
        ("bytes=2-3,0-9", [(0, 9)]),
        ("bytes=5-5,5-5,5-5", [(5, 5)]),
        ("bytes=8-9,0-1,1-3", [(8, 9), (0, 3)]),
        ("bytes=1-3,8-9,0-1", [(0, 3), (8, 9)]),
        ("bytes=8-8,0-0,7-7", [(7, 8), (0, 0)]),
        ("bytes=0-1,8-9,1-8", [(0, 9)]),
        ("bytes=8-9,4-4,0-1,2-2", [(8, 9), (4, 4), (0, 2)]),
        ("bytes=0-,0-,0-", [(0, 9)]),
        ("bytes=-5,0-4", [(0, 9)]),
        # Syntax of lists.
        ("bytes=0-0, 2-2", [(0, 0), (2, 2)]),
        ("bytes=0-0 \t,\t 2-2", [(0, 0), (2, 2)]),
        ("bytes=,0-0,,2-2,", [(0, 0), (2, 2)]),
        ("bytes=,, ,\t0-0 , ", [(0, 0)]),
        ("bytes= \t, 0-0", [(0, 0)]),
    ],
)
def test_several_ranges_are_parsed(value: str, expected: list[tuple[int, int]]) -> None:
    assert spans(value, 10) == expected


# Ignored values.

IGNORED = [
    *("", "=", "bytes", "bytes=", "bytes=,", "bytes= , ,", "bytes=-", "bytes=--1", "bytes=0"),
    *("bytes=a-b", "bytes=0-1-2", "bytes=0--1", "bytes=-1-", "bytes=+0-1", "bytes=0-+1"),
    *("bytes=0x0-0x1", "bytes=1_0-2_0", "bytes=0.0-1.0", "bytes=\u0660-\u0661", "bytes=\xb2-\xb3"),
    *("bytes=0 -1", "bytes=0- 1", "bytes=- 1", "bytes =0-1", " bytes=0-1", "bytes=0-1\n"),
    *("bytes=0-1\x0b,2-3", "bytes=0-1;2-3", "bytes=0-1 2-3", "bytes:0-1", "bytes 0-1"),
    *("bytes 0-1/10", "byte=0-1", "bytess=0-1", "xbytes=0-1", "items=0-1", "seconds=1-2", "none"),
    *("*", "0-1", "=0-1", "bytes=0-1,bytes=2-3", "bytes=0-1, bytes=2-3"),
    # One invalid spec makes the whole set invalid.
    *("bytes=1-0", "bytes=9-8", "bytes=20-10", "bytes=0-1,5-4", "bytes=5-4,0-1", "bytes=0-1,x"),
    *("bytes=x,0-1", "bytes=0-1,-", "bytes=00010-9", f"bytes={HUGE}-5", f"bytes={HUGE}0-{HUGE}"),
    *(f"bytes={10**30}-{10**30 - 1}",),
]


@pytest.mark.parametrize("value", [pytest.param(value, id=ascii(value)[:30]) for value in IGNORED])
@pytest.mark.parametrize("size", [0, 10, 10**12])
def test_an_invalid_range_is_ignored(value: str, size: int) -> None:
    assert read_ranges(value, size) is None


def test_too_many_ranges_are_ignored() -> None:
    parts = [f"{2 * i}-{2 * i}" for i in range(MAX_RANGES + 1)]
    assert len(spans("bytes=" + ",".join(parts[:-1]), 1000) or []) == MAX_RANGES
    assert spans("bytes=" + ",".join(parts), 1000) is None


@pytest.mark.parametrize("spec", ["0-0", "-1", "500-", "2000-"])
def test_too_many_ranges_are_ignored_even_if_they_would_merge(spec: str) -> None:
    assert spans("bytes=" + ",".join([spec] * MAX_RANGES), 1000) is not None
    assert spans("bytes=" + ",".join([spec] * (MAX_RANGES + 1)), 1000) is None


def test_empty_list_members_do_not_count() -> None:
    assert spans("bytes=" + "," * 1000 + "0-0", 10) == [(0, 0)]


@pytest.mark.parametrize(
    "value",
    [
        "bytes=" + "," * 200_000 + "x",
        "bytes=" + " \t" * 100_000 + "x",
        "bytes=" + ", \t" * 70_000 + "x",
        "bytes=" + "0" * 200_000,
        "bytes=" + "0-" * 100_000,
        "bytes=" + "-" * 200_000,
        "bytes=" + "0-0," * 50_000 + "x",
        "bytes=" + "0-," * 70_000,
        "bytes=0-" + "0" * 200_000 + "x",
    ],
    ids=lambda value: ascii(value)[6:18],
)
def test_a_long_invalid_value_is_rejected_in_linear_time(value: str) -> None:
    # Quadratic backtracking would take minutes here, exponential backtracking would never end.
    assert read_ranges(value, 10) is None


# Properties, against sets of positions.


def specs(random: Random, size: int) -> Iterator[tuple[str, set[int]]]:
    """Make specs, each with the positions that it requests."""
    for _ in range(random.choice((1, 1, 2, 3, 8, MAX_RANGES))):
        first, last = sorted(random.choices(range(size + 5), k=2))
        everything = set(range(size))
        yield random.choice(
            [
                (f"{first}-{last}", everything & set(range(first, last + 1))),
                (f"{first}-", everything & set(range(first, size))),
                (f"-{last}", everything & set(range(size - last, size))),
            ]
        )


def test_merged_ranges_cover_the_request_without_overlap() -> None:
    random = Random(1)
    for _ in range(3000):
        size = random.choice((1, 2, 10, 100))
        requested = list(specs(random, size))
        parts = read_ranges("bytes=" + ",".join(spec for spec, _ in requested), size)
        assert parts is not None
        assert all(part.step == 1 and len(part) > 0 for part in parts)
        positions = [position for part in parts for position in part]
        assert len(positions) == len(set(positions))
        assert set(positions) == set().union(*(wanted for _, wanted in requested))
        assert not {part.stop for part in parts} & {part.start for part in parts}


def test_merged_ranges_keep_the_order_of_the_request() -> None:
    random = Random(2)
    for _ in range(3000):
        size = random.choice((10, 100))
        made = list(specs(random, size))
        requested = [wanted for _, wanted in made if wanted]
        parts = read_ranges("bytes=" + ",".join(spec for spec, _ in made), size)
        assert parts is not None
        places = [next(i for i, wanted in enumerate(requested) if wanted <= set(part)) for part in parts]
        assert places == sorted(places)


# Content-Range.


@pytest.mark.parametrize(
    ("part", "size", "expected"),
    [
        (range(5), 10, "bytes 0-4/10"),
        (range(10), 10, "bytes 0-9/10"),
        (range(9, 10), 10, "bytes 9-9/10"),
        # Of 14.4.
        (range(42, 1234), 1234, "bytes 42-1233/1234"),
        (range(500), 1234, "bytes 0-499/1234"),
        (range(734, 1234), 1234, "bytes 734-1233/1234"),
    ],
)
def test_content_range_has_the_range_and_the_length(part: range, size: int, expected: str) -> None:
    assert content_range(part, size) == expected


@pytest.mark.parametrize(("size", "expected"), [(0, "bytes */0"), (47022, "bytes */47022")])
def test_content_range_of_a_416_has_the_length(size: int, expected: str) -> None:
    assert unsatisfied_range(size) == expected


# multipart/byteranges.


def test_a_part_has_type_and_content_range() -> None:
    assert multipart_head(b"THIS_STRING_SEPARATES", "application/pdf", range(500, 1000), 8000) == (
        b"\r\n--THIS_STRING_SEPARATES\r\n"
        b"Content-Type: application/pdf\r\n"
        b"Content-Range: bytes 500-999/8000\r\n"
        b"\r\n"
    )
    assert multipart_end(b"THIS_STRING_SEPARATES") == b"\r\n--THIS_STRING_SEPARATES--\r\n"


def test_a_part_without_a_type_has_no_content_type() -> None:
    assert multipart_head(b"b", "", range(1), 2) == b"\r\n--b\r\nContent-Range: bytes 0-0/2\r\n\r\n"


def multipart(boundary: bytes, media_type: str, content: bytes, parts: list[range]) -> bytes:
    pieces = (
        multipart_head(boundary, media_type, part, len(content)) + content[part.start : part.stop]
        for part in parts
    )
    return b"".join(pieces) + multipart_end(boundary)


@pytest.mark.parametrize("media_type", ["application/octet-stream", "text/plain"])
def test_the_standard_library_parses_the_multipart(media_type: str) -> None:
    random = Random(4)
    # No bare CR or LF: the reader in the standard library treats them as line ends.
    content = bytes(random.choices(range(0x20, 0x7F), k=1000))
    for _ in range(100):
        parts = read_ranges("bytes=" + ",".join(spec for spec, _ in specs(random, 1000)), 1000)
        if not parts:
            continue
        data = multipart(b"a'b", media_type, content, parts)
        head = b'Content-Type: multipart/byteranges; boundary="a\'b"\r\n\r\n'
        found = list(email.message_from_bytes(head + data, policy=email.policy.HTTP).iter_parts())
        assert [each["Content-Range"] for each in found] == [content_range(part, 1000) for part in parts]
        assert {each["Content-Type"] for each in found} == {media_type}
        payloads = [str(each.get_payload()).encode("ascii") for each in found]
        assert payloads == [content[part.start : part.stop] for part in parts]


def test_every_delimiter_is_on_its_own_line() -> None:
    data = multipart(b"b", "text/plain", b"0123456789", [range(2), range(5, 6), range(8, 10)])
    assert re.findall(rb"\r\n--b(?:--)?\r\n", data) == [b"\r\n--b\r\n"] * 3 + [b"\r\n--b--\r\n"]
    assert data.count(b"--b") == 4
