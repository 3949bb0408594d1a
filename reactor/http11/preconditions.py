"""Preconditions: whether a request is to be performed, given what is there (RFC 9110, 13).

    1  If-Match             false: 412
    2  If-Unmodified-Since  false: 412   where there is no If-Match
    3  If-None-Match        false: 304 for GET and HEAD, 412 for others
    4  If-Modified-Since    false: 304   GET and HEAD, where there is no If-None-Match
    5  If-Range             false: the whole content, by ``range_applies``

Strong comparison is for what will be changed or joined, the weak one for what is shown (8.8.3.2).
This module knows no file: its validators come from outside, as does the time.
"""

from typing import NamedTuple

from reactor.http11.dates import read_date
from reactor.http11.grammar import find_entity_tags, is_entity_tag, is_entity_tags
from reactor.http11.headers import Headers

CONDITIONAL = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})
_SAFE = ("GET", "HEAD")


class Validators(NamedTuple):
    """What tells one state of a resource from another.

    ``etag`` as the field has it, in its quotes, or "" for none; ``modified`` in seconds since the
    epoch, or None where that is not known.
    """

    etag: str
    modified: float | None


def evaluate(method: str, headers: Headers, current: Validators | None, now: float) -> int | None:
    """Return the status to answer with instead, 304 or 412; None where the request is to be performed.

    ``current`` is None where there is nothing (RFC 9110, 13.2.2). ``now`` is in seconds since the epoch.
    """
    if_match, if_none_match = headers.get("if-match"), headers.get("if-none-match")
    if if_match is not None:
        if not _matches(if_match, current):
            return 412
    elif not _unmodified(headers.get("if-unmodified-since"), current, now):
        return 412
    if if_none_match is not None:
        if _some_match(if_none_match, current, method):
            return 304 if method in _SAFE else 412
    elif method in _SAFE and not _modified(headers.get("if-modified-since"), current, now):
        return 304
    return None


def range_applies(headers: Headers, current: Validators, now: float) -> bool:
    """Say whether Range counts: without If-Range, and where it names just what is there (13.1.5)."""
    value = headers.get("if-range")
    if value is None:
        return True
    if is_entity_tag(value):
        return _strong(value) and value == current.etag
    date = read_date(value, now)
    if date is None or current.modified is None:
        return False
    # RFC 9110, 8.8.2.2: a second change within the second would not show, so it must have passed.
    return date == int(current.modified) and now - current.modified >= 1


def _matches(value: str, current: Validators | None) -> bool:
    """Evaluate If-Match (13.1.1). What is malformed matches nothing: nothing is to be lost by it."""
    if value == "*":
        return current is not None
    if current is None or not is_entity_tags(value) or not _strong(current.etag):
        return False
    return current.etag in find_entity_tags(value)


def _some_match(value: str, current: Validators | None, method: str) -> bool:
    """Evaluate the opposite of If-None-Match (13.1.2).

    What is malformed counts as a match where something would be changed, and as none where the worst
    is that content is sent once more.
    """
    if value == "*":
        return current is not None
    if not is_entity_tags(value):
        return method not in _SAFE
    if current is None or not current.etag:
        return False
    return _opaque(current.etag) in map(_opaque, find_entity_tags(value))


def _unmodified(value: str | None, current: Validators | None, now: float) -> bool:
    """Evaluate If-Unmodified-Since (13.1.4); it is ignored where nothing can be told by it."""
    date = None if value is None else read_date(value, now)
    if date is None or current is None or current.modified is None:
        return True
    return int(current.modified) <= date


def _modified(value: str | None, current: Validators | None, now: float) -> bool:
    """Evaluate If-Modified-Since (13.1.3); it is ignored where nothing can be told by it."""
    date = None if value is None else read_date(value, now)
    if date is None or current is None or current.modified is None:
        return True
    return int(current.modified) > date


def _strong(etag: str) -> bool:
    return etag.startswith('"')


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/")
