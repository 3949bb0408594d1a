"""Ranges: which parts are asked for, and how they are written (RFC 9110, 14)."""

import random

import pytest

from reactor.http11.ranges import (
    MAX_RANGES,
    content_range,
    multipart_end,
    multipart_head,
    read_ranges,
    unsatisfied,
)

SIZE = 10_000


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        # The examples of 14.1.2, of 10,000 octets.
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 1000)]),
        ("bytes=-500", [(9500, 10_000)]),
        ("bytes=9500-", [(9500, 10_000)]),
        ("bytes=0-0,-1", [(0, 1), (9999, 10_000)]),
        ("bytes= 0-999, 4500-5499, -1000", [(0, 1000), (4500, 5500), (9000, 10_000)]),
        ("bytes=500-600,601-999", [(500, 601), (601, 1000)]),
        ("bytes=500-700,601-999", [(500, 1000)]),
        # And others.
        ("bytes=0-", [(0, SIZE)]),
        ("Bytes=0-0", [(0, 1)]),
        ("bytes=,,0-0 ,\t1-1,", [(0, 1), (1, 2)]),
        ("bytes=9999-99999999999999999999999999999", [(9999, SIZE)]),
        ("bytes=00000000000000000000001-2", [(1, 3)]),
        ("bytes=-99999999999999999999999999999999", [(0, SIZE)]),
        ("bytes=10000-", []),
        ("bytes=-0", []),
        ("bytes=99999999999999999999999999999999-", []),
        ("bytes=10000-,0-0", [(0, 1)]),
        ("bytes=5-9,0-2", [(5, 10), (0, 3)]),
        ("bytes=5-9,20-29,7-22", [(5, 30)]),
        ("bytes=20-29,5-9,0-4", [(20, 30), (5, 10), (0, 5)]),
        ("bytes=0-0,2-2,4-4,0-4", [(0, 5)]),
    ],
)
def test_the_parts_are_read(asked: str, parts: list[tuple[int, int]]) -> None:
    assert read_ranges(asked, SIZE) == [range(*part) for part in parts]


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=5",
        "bytes=5-4",
        "bytes=0-0,5-4",
        "bytes=99999999999999999999-5",
        "bytes=a-b",
        "bytes=0x1-2",
        "bytes=+1-2",
        "bytes=1 -2",
        "bytes=1-2 3-4",
        "bytes=1-2;3-4",
        "bytes =0-1",
        "octets=0-1",
        "items=0-1",
        "bytes=0-1, items=0-1",
        "bytes=\u0661-\u0662",
        "bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)),
    ],
)
def test_what_is_malformed_or_too_much_is_ignored(asked: str) -> None:
    assert read_ranges(asked, SIZE) is None


def test_of_nothing_there_is_no_part() -> None:
    for asked in ("bytes=0-", "bytes=-5", "bytes=0-0"):
        assert read_ranges(asked, 0) == []


def test_as_many_as_are_allowed_are_read() -> None:
    asked = ",".join(f"{2 * number}-{2 * number}" for number in range(MAX_RANGES))
    parts = read_ranges(f"bytes={asked}", SIZE)
    assert parts is not None
    assert len(parts) == MAX_RANGES


def test_parts_never_overlap_and_are_what_was_asked_for() -> None:
    source = random.Random(1)
    for _ in range(3000):
        size = source.randrange(1, 60)
        specs, wanted = [], set()
        for _ in range(source.randrange(1, 8)):
            first = source.randrange(70)
            last = first + source.randrange(20)
            kind = source.choice(("both", "open", "suffix"))
            specs.append({"both": f"{first}-{last}", "open": f"{first}-", "suffix": f"-{first}"}[kind])
            wanted |= {
                "both": set(range(first, min(size, last + 1))),
                "open": set(range(first, size)),
                "suffix": set(range(max(0, size - first), size)),
            }[kind]
        parts = read_ranges("bytes=" + ",".join(specs), size)
        assert parts is not None
        positions = [position for part in parts for position in part]
        assert len(positions) == len(set(positions))
        assert set(positions) == wanted


def test_a_part_says_where_it_belongs() -> None:
    assert content_range(range(500), 1234) == "bytes 0-499/1234"
    assert unsatisfied(1234) == "bytes */1234"


def test_several_parts_are_delimited_by_crlf_alone() -> None:
    head = multipart_head(b"B", "text/plain", range(5), 10)
    assert head == b"\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-4/10\r\n\r\n"
    assert multipart_end(b"B") == b"\r\n--B--\r\n"
    assert b"\n" not in (head + multipart_end(b"B")).replace(b"\r\n", b"")
