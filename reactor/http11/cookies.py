"""Cookies of a request: the values of its Cookie headers (RFC 6265, 4.2 and 5.4).

>>> read_cookies(['id=1; theme="dark"; id=2', "malformed"])
Cookies([('id', '1'), ('id', '2'), ('theme', 'dark')])
"""

from collections.abc import Iterable, Iterator

from reactor.http11.grammar import is_token
from reactor.http11.multidict import Cookies


def read_cookies(lines: Iterable[str]) -> Cookies:
    """Return the cookies in the values of the header lines; malformed ones are skipped.

    Browsers send the cookie with the longest path first. Any site of a domain can set cookies for all of it,
    so a malformed one must not make the others unusable.
    """
    return Cookies(_pairs(lines))


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each well-formed cookie."""
    for line in lines:
        for pair in line.split(";"):
            name, equals, value = (each.strip(" \t") for each in pair.partition("="))
            if not equals or is_token(name.encode("latin-1")) is None:
                continue
            # cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE )       RFC 6265, 4.1.1
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            try:
                yield name, value.encode("latin-1").decode("utf-8")  # scripts set cookies in UTF-8
            except UnicodeDecodeError:
                continue
