"""Mutations: what a careless or hostile client does to well-formed bytes, one small change each.

``mutate`` makes a few of them, chosen by one random source; it knows what is interesting in HTTP/1.1
(ends of lines, colons, lengths, codings) but not how a parser reads it.
"""

from collections.abc import Callable, Sequence
from random import Random

from tests.conformance.corpus.build import all_entries

FREQUENT_BYTES = b'\r\n\t \0\x01\x7f\x80\xff:;,="\\%/?#*[]@0123456789abfxAZ-_+.~'
TOKENS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r\n\t",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x85",
    b"\xa0",
    b"Content-Length: 3\r\n",
    b"Content-Length: +3\r\n",
    b"Content-Length: 3, 3\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"Transfer_Encoding: chunked\r\n",
    b"Host: y\r\n",
    b"Host: a, b\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: x\r\n",
    b"Proxy-Connection: close\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"0x5\r\n",
    b"ffffffffffffffff",
    b"10000000000000000",
    b'";"',
    b"s",
    b"https://x",
    b"%00",
    b"%zz",
    b"%ff",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
)

Mutation = Callable[[Random, bytes], bytes]


def corpus() -> list[bytes]:
    """Return the raw requests of the corpus, sorted by directory and name."""
    entries = sorted(all_entries(), key=lambda entry: (entry.directory, entry.name))
    return [entry.data for entry in entries]


def mutate(random: Random, data: bytes, tokens: Sequence[bytes] = TOKENS) -> bytes:
    """Make one to four changes."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        if random.random() < 0.3:
            data = _insert(random, data, random.choice(tokens))
        else:
            data = random.choice(MUTATIONS)(random, data)
    return data


def _insert(random: Random, data: bytes, piece: bytes) -> bytes:
    """Insert a piece; a whole line or more goes mostly where a line begins."""
    if piece.endswith(b"\r\n") and random.random() < 0.8:
        at = _line_start(random, data)
    else:
        at = random.randint(0, len(data))
    return data[:at] + piece + data[at:]


def _line_start(random: Random, data: bytes) -> int:
    """Return the beginning of some line, rarely of the first."""
    found = data.find(b"\r\n", random.randint(0, len(data)))
    found = found if found >= 0 else data.find(b"\r\n")
    return found + 2 if found >= 0 else 0


def _change(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + bytes([random.choice(FREQUENT_BYTES)]) + data[at + 1 :]


def _any_byte(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.randbytes(1) + data[at + 1 :]


def _add(random: Random, data: bytes) -> bytes:
    return _insert(random, data, bytes([random.choice(FREQUENT_BYTES)]))


def _remove(random: Random, data: bytes) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + data[at + random.choice((1, 1, 2, 8)) :]


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randint(0, len(data))]


def _repeat(random: Random, data: bytes) -> bytes:
    start = random.randint(0, len(data))
    piece = data[start : start + random.choice((1, 2, 5, 30))]
    return data[:start] + piece * random.choice((2, 2, 3, 20)) + data[start + len(piece) :]


def _repeat_line(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(random.randint(0, len(lines)), random.choice(lines))
    return b"\r\n".join(lines)


def _swap_lines(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    i, j = random.randrange(len(lines)), random.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\r\n".join(lines)


def _other_line_end(random: Random, data: bytes) -> bytes:
    at = _line_start(random, data)
    ends = (b"\n", b"\r", b"\r\r\n", b"\n\n", b" \r\n", b"\r\n ", b"\r \n", b"\0\r\n")
    return data[: max(at - 2, 0)] + random.choice(ends) + data[at:]


def _around_colon(random: Random, data: bytes) -> bytes:
    at = data.find(b":", _line_start(random, data))
    spaced = (b" :", b"\t:", b"::", b"", b":\0", b"\r\n:", b":\x0b", b":\xa0")
    return data if at < 0 else data[:at] + random.choice(spaced) + data[at + 1 :]


def _other_case(random: Random, data: bytes) -> bytes:
    start = random.randint(0, len(data))
    end = start + random.choice((1, 4, 20))
    return data[:start] + data[start:end].swapcase() + data[end:]


MUTATIONS: tuple[Mutation, ...] = (
    _change,
    _any_byte,
    _add,
    _remove,
    _cut,
    _repeat,
    _repeat_line,
    _swap_lines,
    _other_line_end,
    _around_colon,
    _other_case,
)
