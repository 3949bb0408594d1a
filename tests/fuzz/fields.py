"""Fuzzed fields: ranges, entity tags and dates, digests, Accept; and the form, which is content.

Each check returns what is wrong in words, or None, and depends on the octets alone.
"""

from random import Random

from handlers.digests import ALGORITHMS, read_digests
from handlers.form import FormReader, Part
from handlers.listing import preferred_format
from reactor.http11.dates import format_date, read_date
from reactor.http11.grammar import ProtocolError
from reactor.http11.headers import Headers
from reactor.http11.preconditions import Validators, evaluate, range_applies
from reactor.http11.ranges import MAX_RANGES, read_ranges
from tests.fuzz.mutate import mutate
from tests.fuzz.property import fault_of_refusal

NOW = 1_700_000_000.0
SIZE = 1000
CURRENT = Validators('"abc"', NOW - 100)
BOUNDARY = b"boundary"

RANGE_TOKENS = (b"bytes=", b"-", b",", b" ", b"\t", b"0-0", b"999-", b"-0", b"9" * 20, b"\xb2", b"5-4")
TAG_TOKENS = (b'"abc"', b'W/"abc"', b"W/", b'"', b",", b" ", b"*", b"\\", b"\xe4", b"\x00")
DATE_TOKENS = (b"GMT", b"Sun", b"Sunday", b",", b" ", b"-", b":", b"1994", b"94", b"Feb", b"30", b"60")
DIGEST_TOKENS = (b"sha-256=", b"sha-512=", b":", b"=", b",", b";", b"A" * 44, b"md5", b" ")
ACCEPT_TOKENS = (b"text/html", b"*/*", b"application/json", b";q=", b"0.5", b"1.", b",", b" ", b";", b"/")
FORM_TOKENS = (
    b"\r\n",
    b"--boundary",
    b"--boundary--",
    b'Content-Disposition: form-data; name="file"; filename="x"',
    b"\r\n\r\n",
    b"--",
    b'"',
    b"filename*=UTF-8''x",
    b";",
    b"\n",
)


def make_ranges(random: Random) -> bytes:
    """Make a Range value, mutated."""
    specs = [
        f"{random.randrange(1200)}-{random.choice(('', random.randrange(1200)))}"
        for _ in range(random.randrange(1, 6))
    ]
    return mutate(random, f"bytes={','.join(specs)}".encode(), RANGE_TOKENS)


def make_tags(random: Random) -> bytes:
    """Make a list of entity tags, mutated."""
    tags = random.choices(['"abc"', 'W/"abc"', '"x"', '""', '"a,b"'], k=random.randrange(1, 5))
    return mutate(random, ", ".join(tags).encode(), TAG_TOKENS)


def make_date(random: Random) -> bytes:
    """Make a date of one of the formats, mutated."""
    text = format_date(random.randrange(4_000_000_000))
    day, number, month, year, clock, _ = text.split()
    old = f"{day[:3]} {month} {int(number):2} {clock} {year}"
    return mutate(random, random.choice((text, old)).encode(), DATE_TOKENS)


def make_digest(random: Random) -> bytes:
    """Make a Repr-Digest value, mutated."""
    return mutate(random, b"sha-256=:" + b"A" * 43 + b"=:, md5=:AAAA:", DIGEST_TOKENS)


def make_accept(random: Random) -> bytes:
    """Make an Accept value, mutated."""
    return mutate(random, b"text/html,application/json;q=0.9,*/*;q=0.8", ACCEPT_TOKENS)


def make_form(random: Random) -> bytes:
    """Make the content of a form, mutated."""
    parts = [
        b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="%d"\r\n\r\n%b\r\n'
        % (number, random.randbytes(random.randrange(20)))
        for number in range(random.randrange(4))
    ]
    return mutate(random, b"".join([*parts, b"--boundary--\r\n"]), FORM_TOKENS)


def check_ranges(octets: bytes) -> str | None:
    """Check that the parts are few, within the content, and apart."""
    for size in (0, 1, SIZE):
        parts = read_ranges(octets.decode("latin-1"), size)
        if parts is None:
            continue
        positions = [position for part in parts for position in part]
        if len(parts) > MAX_RANGES or any(not part for part in parts):
            return f"gives {parts}"
        if len(set(positions)) < len(positions) or not set(positions) <= set(range(size)):
            return f"of {size} octets gives {parts}"
    return None


def check_tags(octets: bytes) -> str | None:
    """Check that whatever the fields say gives an answer, and one that is of that method."""
    value = octets.decode("latin-1")
    for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"):
        headers = Headers([(name, value, name)])
        for method in ("GET", "PUT"):
            for current in (CURRENT, None):
                status = evaluate(method, headers, current, NOW)
                if status not in (None, 412, *((304,) if method == "GET" else ())):
                    return f"{method} with {name} gives {status}"
    applies = range_applies(Headers([("if-range", value, "If-Range")]), CURRENT, NOW)
    if applies and value != CURRENT.etag and read_date(value, NOW) != int(NOW - 100):
        return "applies a range to what is another"
    return None


def check_date(octets: bytes) -> str | None:
    """Check that a date is none, or the same when it is written and read again."""
    read = read_date(octets.decode("latin-1"), NOW)
    if read is not None and read_date(format_date(read), NOW) != read:
        return f"is {read}, and another one when it is written and read again"
    return None


def check_digest(octets: bytes) -> str | None:
    """Check that digests have the length of their algorithm."""
    try:
        digests = read_digests(octets.decode("latin-1"))
    except ProtocolError as error:
        return fault_of_refusal(error)
    wrong = [name for name, digest in digests.items() if len(digest) != ALGORITHMS[name]().digest_size]
    return f"gives digests of another length: {wrong}" if wrong else None


def check_accept(octets: bytes) -> str | None:
    """Check that there is a format for everybody."""
    found = preferred_format(octets.decode("latin-1"))
    return None if found in ("html", "json", "text") else f"gives {found!r}"


def check_form(octets: bytes) -> str | None:
    """Check that a form is the same however it is cut."""
    whole = _read_form([octets])
    for size in (1, 3):
        pieces = [octets[start : start + size] for start in range(0, len(octets), size)]
        if _read_form(pieces) != whole:
            return f"is another form in pieces of {size}"
    return None


def _read_form(pieces: list[bytes]) -> object:
    """Return the parts of a form with their contents, or the status of its refusal."""
    reader = FormReader(BOUNDARY)
    parts: list[tuple[object, bytes]] = []
    try:
        for piece in pieces:
            for each in reader.feed(piece):
                if isinstance(each, Part):
                    parts.append((each, b""))
                else:
                    parts[-1] = (parts[-1][0], parts[-1][1] + each)
        reader.end()
    except ProtocolError as error:
        fault = fault_of_refusal(error)
        return fault or error.status
    return parts
