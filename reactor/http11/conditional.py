"""Conditional requests: preconditions are evaluated before a method is performed (RFC 9110, 13).

``evaluate`` takes the steps of 13.2.2, of which each decides or leaves it to the next:

    Step  Field                Asked when                     False     True
    1     If-Match             it is there                    412       step 3
    2     If-Unmodified-Since  If-Match is not there          412       step 3
    3     If-None-Match        it is there                    304, 412  go on
    4     If-Modified-Since    If-None-Match is not there,    304       go on
                               and the method is GET or HEAD
    5     If-Range             a range is asked for           the whole content, whatever the range

The status of step 3 is 304 for GET and HEAD, 412 for others. Step 5 is ``range_applies``, for who
serves ranges. When to ask is for the caller to know: where the answer without any condition would be
neither 2xx nor 412, there is nothing to ask (13.2.1).

A validator is compared with, never made here; this module knows no file and has no clock.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from reactor.http11.dates import read_date
from reactor.http11.grammar import find_entity_tags, is_entity_tag, is_entity_tags
from reactor.http11.headers import Headers

# The fields of section 13, as Headers names them.
CONDITIONAL = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})

# Methods that neither select a representation nor change one (RFC 9110, 13.2.1).
_WITHOUT_REPRESENTATION = frozenset({"CONNECT", "OPTIONS", "TRACE"})


class Validators(NamedTuple):
    """What tells one state of a representation from another (RFC 9110, 8.8).

    ``etag`` is an entity tag as it stands in the field, with its quotes and perhaps ``W/``, empty for
    none; ``modified`` is in seconds since the epoch, None where it is not known.
    """

    etag: str
    modified: float | None


def is_conditional(headers: Headers) -> bool:
    """Tell whether there is any precondition: one question, before validators are looked for."""
    return not CONDITIONAL.isdisjoint(headers)


def evaluate(method: str, headers: Headers, current: Validators | None, now: float) -> int | None:
    """Return the status to answer with instead of performing the method, 304 or 412, or None to go on.

    ``current`` is of the representation that the target has now, None where it has none; ``now`` is
    in seconds since the epoch.
    """
    if method in _WITHOUT_REPRESENTATION:
        return None
    if not _unchanged(headers, current, now):
        return 412
    if _is_new(method, headers, current, now):
        return None
    return 304 if method in ("GET", "HEAD") else 412


def range_applies(headers: Headers, current: Validators, now: float) -> bool:
    """Tell whether a range may be taken of what is there now (RFC 9110, 13.1.5): If-Range is true.

    Without the field it may; where the field is malformed, the whole content is always right.
    """
    value = headers.get("if-range")
    if value is None:
        return True
    if is_entity_tag(value):
        return _strongly_equal(value, current.etag)
    date = read_date(value, now)
    return date is not None and date == _whole(current.modified) and _is_strong(current.modified, now)


def _unchanged(headers: Headers, current: Validators | None, now: float) -> bool:
    """Take steps 1 and 2: is this still what the client knows?"""
    tags = headers.get("if-match")
    if tags is not None:
        # What is malformed matches nothing: a client that wants to overwrite no change of others is
        # told that it failed, rather than obeyed without the check.
        return bool(_matches(tags, current, _strongly_equal))
    date = _read(headers.get("if-unmodified-since"), now)
    modified = _whole(current.modified) if current else None
    return date is None or modified is None or modified <= date


def _is_new(method: str, headers: Headers, current: Validators | None, now: float) -> bool:
    """Take steps 3 and 4: is this nothing that the client knows?"""
    tags = headers.get("if-none-match")
    if tags is not None:
        matches = _matches(tags, current, _weakly_equal)
        # What is malformed may be meant to keep a method from overwriting what is there, so only
        # those that just read go on, and send what they would send to anybody.
        return method in ("GET", "HEAD") if matches is None else not matches
    if method not in ("GET", "HEAD"):
        return True
    date = _read(headers.get("if-modified-since"), now)
    modified = _whole(current.modified) if current else None
    return date is None or modified is None or modified > date


def _matches(tags: str, current: Validators | None, equal: Callable[[str, str], bool]) -> bool | None:
    """Tell whether "*" or one of a list of entity tags is what is there; None for a malformed list."""
    if tags == "*":
        return current is not None
    if not is_entity_tags(tags):
        return None
    return current is not None and any(equal(tag, current.etag) for tag in find_entity_tags(tags))


def _strongly_equal(tag: str, etag: str) -> bool:
    """Compare two entity tags, of which none may be weak (RFC 9110, 8.8.3.2)."""
    return tag == etag and not tag.startswith("W/")


def _weakly_equal(tag: str, etag: str) -> bool:
    """Compare what two entity tags have between their quotes (RFC 9110, 8.8.3.2)."""
    return tag.removeprefix("W/") == etag.removeprefix("W/")


def _read(value: str | None, now: float) -> int | None:
    """Read a date; an invalid one is as none (RFC 9110, 13.1.3 and 13.1.4)."""
    return None if value is None else read_date(value, now)


def _whole(modified: float | None) -> int | None:
    """Cut to the whole second that Last-Modified tells, or a client could never know the time."""
    return None if modified is None else math.floor(modified)


def _is_strong(modified: float | None, now: float) -> bool:
    """Tell whether a date can be a strong validator (RFC 9110, 8.8.2.2).

    It cannot in the second that it tells, in which the content may change again without any sign. When
    that is over, it tells the last content of its second; that this is what the client has, is for
    the client to know, from a Date at least one second later.
    """
    return modified is not None and now - modified >= 1
