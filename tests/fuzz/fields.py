"""Fuzzed fields: structured fields, digests and Accept; and the form, which is content.

Each check returns what is wrong in words, or None, and depends on the bytes alone.
"""

from random import Random

from reactor.handlers.files.digests import ALGORITHMS, read_digests
from reactor.http11.accept import preferred_format, prefers_html
from reactor.http11.errors import HTTPError
from reactor.http11.multipart import FormReader, Part
from reactor.http11.structured_fields import parse_dictionary, parse_item
from tests.fuzz.mutate import mutate
from tests.fuzz.property import fault_of_refusal

BOUNDARY = b"boundary"

STRUCTURED_TOKENS = (
    b":",
    b"=",
    b",",
    b";",
    b'"',
    b"\\",
    b"(",
    b")",
    b"?0",
    b"%c3",
    b"@",
    b".",
    b"a",
    b"1",
    b" ",
)
DIGEST_TOKENS = (b"sha-256=", b"sha-512=", b":", b"=", b",", b";", b"A" * 44, b"md5", b" ", b'"', b"(")
ACCEPT_TOKENS = (
    b"text/html",
    b"text/plain",
    b"text/*",
    b"*/*",
    b"application/json",
    b";q=",
    b"0.5",
    b"1.",
    b",",
    b" ",
    b";",
    b"/",
)
FORM_TOKENS = (
    b"\r\n",
    b"--boundary",
    b"--boundary--",
    b'Content-Disposition: form-data; name="file"; filename="x"',
    b"\r\n\r\n",
    b"--",
    b'"',
    b"; filename*=UTF-8''x%C3%BC",
    b"; filename*=iso-8859-1''%FF",
    b"'",
    b"%",
    b"\xff",
    b"\\",
    b"Content-Transfer-Encoding: 8bit",
    b"Content-Type: multipart/mixed",
    b";",
    b"\n",
)


def make_structured(random: Random) -> bytes:
    """Make a structured field: an item or a dictionary, mutated."""
    item = random.choice((b"?1", b"42", b"-1.5", b'"a, b"', b"*a/b", b":q80=:", b"@1", b'%"%c3%bc"'))
    member = random.choice((b"", b"a=", b"b;c, a=", b"a=(1 ?0;d), b="))
    return mutate(
        random, member + item + random.choice((b"", b";e", b";e=?0;f=1", b", g")), STRUCTURED_TOKENS
    )


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


def check_structured(data: bytes) -> str | None:
    """Check that an item is the same as a member, and that the members of a dictionary may be repeated."""
    value = data.decode("latin-1")
    item, members = parse_item(value), parse_dictionary(value)
    if item is not None and parse_dictionary(f"a={value}") != {"a": item}:
        return "is an item, but no member"
    if members and parse_dictionary(f"{value}, {value}") != members:
        return "is a dictionary, but not twice"
    return None


def check_digest(data: bytes) -> str | None:
    """Check that digests have the length of their algorithm."""
    try:
        digests = read_digests(data.decode("latin-1"))
    except HTTPError as error:
        return fault_of_refusal(error)
    wrong = [name for name, digest in digests.items() if len(digest) != ALGORITHMS[name]().digest_size]
    return f"digests of the wrong length: {wrong}" if wrong else None


def check_accept(data: bytes) -> str | None:
    """Check that some format is always chosen, and that Vary names User-Agent where it decides."""
    value = data.decode("latin-1")
    (curl, vary), (other, _) = preferred_format(value, "curl/8"), preferred_format(value, None)
    if (curl, other) not in (("html", "html"), ("json", "json"), ("text", "text"), ("text", "html")):
        return f"curl gets {curl}, other clients {other}"
    if (curl != other) != ("User-Agent" in vary):
        return f"curl gets {curl}, other clients {other}, with Vary: {vary}"
    return "prefers HTML although it is not preferred" if prefers_html(value) and other != "html" else None


def check_form(data: bytes) -> str | None:
    """Check that a form is the same however it is cut."""
    whole = _read_form([data])
    for size in (1, 3):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        if _read_form(pieces) != whole:
            return f"gives other parts in pieces of {size}"
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
    except HTTPError as error:
        fault = fault_of_refusal(error)
        return fault or error.status
    return parts
