"""Fuzzed content of requests: the same bytes as JSON, text, fields of a query or a form, and cookies.

The check returns what is wrong in words, or None, and depends on the bytes alone.
"""

import json
from collections.abc import Callable
from random import Random
from urllib.parse import urlencode

from reactor.http11.body import read_json, read_text
from reactor.http11.cookies import read_cookies
from reactor.http11.errors import HTTPError
from reactor.http11.form import URLENCODED, read_form, read_query
from reactor.http11.multidict import MultiDict
from tests.fuzz.mutate import mutate
from tests.fuzz.property import fault_of_refusal

TOKENS = (
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u", b"\\ud800", b"NaN", b"-", b"1e", b"999", b"."),
    *(b"[" * 2000, b"9" * 5000, b"\xef\xbb\xbf", b"\xff", b"\0", b"\n", b"\xc3\xbc", b"\xed\xa0\x80"),
    *(b"&", b"=", b"+", b"%", b"%2B", b"%FF", b"%c3%bc", b";", b"; ", b"&" * 1000),
)
SEEDS = (
    b'{"a": [1, -2.5e3, true, null, "\\u00e9"]}',
    b"a=1&b=%C3%BC+c&a=",
    b'session="abc"; theme=dark; x=%20',
    b"text; charset=utf-16; x=1",
)


def make_content(random: Random) -> bytes:
    """Make JSON, fields, cookies or parameters, mutated."""
    return mutate(random, random.choice(SEEDS), TOKENS)


def check_content(data: bytes) -> str | None:
    """Check that each reader reads or refuses, and that what is read is the same when it is written again."""
    text = data.decode("latin-1")
    checks: tuple[Callable[[], str | None], ...] = (
        lambda: _check_json(data),
        lambda: _check_fields(read_form(data, URLENCODED)),
        lambda: _check_fields(read_query(text.encode("ascii", "ignore").decode())),
        lambda: _check_cookies(text),
        lambda: "no text" if not isinstance(read_text(data, "text/plain"), str) else None,
        lambda: "no text" if not isinstance(read_text(b"a\xff", text), str) else None,
    )
    for check in checks:
        try:
            fault = check()
        except HTTPError as error:
            fault = fault_of_refusal(error) or (f"is {error.status}" if error.status >= 500 else None)
        if fault:
            return fault
    return None


def _check_json(data: bytes) -> str | None:
    value = read_json(data, "application/json")
    written = json.dumps(value, allow_nan=False).encode()
    return (
        None if read_json(written, "application/json") == value else "is other JSON when it is written again"
    )


def _check_fields(fields: MultiDict) -> str | None:
    written = urlencode({name: fields.get_all(name) for name in fields}, doseq=True)
    again = read_form(written.encode(), URLENCODED)
    return None if again == MultiDict(_pairs(fields)) else "has other fields when it is written again"


def _pairs(fields: MultiDict) -> list[tuple[str, str]]:
    return [(name, value) for name in fields for value in fields.get_all(name)]


def _check_cookies(text: str) -> str | None:
    cookies = read_cookies([text])
    again = read_cookies([f'{name}="{value.encode().decode("latin-1")}"' for name, value in _pairs(cookies)])
    return None if again == cookies else "has other cookies when they are written again"
