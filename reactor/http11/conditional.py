"""Conditional requests: preconditions are evaluated before a method is performed (RFC 9110, 13).

``evaluate`` performs steps 1 to 4 of 13.2.2; ``range_applies`` performs step 5:

    Step  Header               Evaluated if                   False     True
    1     If-Match             present                        412       step 3
    2     If-Unmodified-Since  If-Match is absent             412       step 3
    3     If-None-Match        present                        304, 412  perform the method
    4     If-Modified-Since    If-None-Match is absent,       304       perform the method
                               and the method is GET or HEAD
    5     If-Range             a range is requested           200       206

The status of step 3 is 304 for GET and HEAD, 412 for other methods. Call ``evaluate`` only if the response to
the request without its preconditions would be 2xx or 412 (13.2.1).

This module compares validators, but does not generate them. It does not use files or a clock.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from reactor.http11.dates import read_date
from reactor.http11.grammar import find_entity_tags, is_entity_tag, is_entity_tags
from reactor.http11.headers import Headers

# The headers of section 13, in lower case.
CONDITIONAL = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"})

# Methods that neither select a representation nor change one (RFC 9110, 13.2.1).
_WITHOUT_REPRESENTATION = frozenset({"CONNECT", "OPTIONS", "TRACE"})


class Validators(NamedTuple):
    """The validators of one state of a representation (RFC 9110, 8.8).

    ``etag`` is an entity tag as in the header, with its quotes and an optional ``W/``, or empty;
    ``modified`` is in seconds since the epoch, None if unknown.
    """

    etag: str
    modified: float | None


def is_conditional(headers: Headers) -> bool:
    """Return whether a request has a precondition (otherwise validators need not be computed)."""
    return not CONDITIONAL.isdisjoint(headers)


def evaluate(method: str, headers: Headers, current: Validators | None, now: float) -> int | None:
    """Return 304 or 412, the status to respond with, or None to perform the method.

    ``current`` describes the current representation of the target, None if it has none; ``now`` is in
    seconds since the epoch.
    """
    if method in _WITHOUT_REPRESENTATION:
        return None
    if not _unchanged(headers, current, now):
        return 412
    if _is_new(method, headers, current, now):
        return None
    return 304 if method in ("GET", "HEAD") else 412


def range_applies(headers: Headers, current: Validators, now: float) -> bool:
    """Return whether a range may be sent: If-Range is absent or true (RFC 9110, 13.1.5).

    A malformed value is false, since sending the whole content is always correct.
    """
    value = headers.get("if-range")
    if value is None:
        return True
    if is_entity_tag(value):
        return _strongly_equal(value, current.etag)
    date = read_date(value, now)
    return date is not None and date == _floor(current.modified) and _is_strong(current.modified, now)


def _unchanged(headers: Headers, current: Validators | None, now: float) -> bool:
    """Evaluate steps 1 and 2; return whether the representation is the one that the client knows."""
    tags = headers.get("if-match")
    if tags is not None:
        # A malformed list matches nothing: the client wants to avoid overwriting the changes of others, so
        # the method must not be performed without the check.
        return bool(_matches(tags, current, _strongly_equal))
    date = _parse_date(headers.get("if-unmodified-since"), now)
    modified = _floor(current.modified) if current else None
    return date is None or modified is None or modified <= date


def _is_new(method: str, headers: Headers, current: Validators | None, now: float) -> bool:
    """Evaluate steps 3 and 4; return whether the client does not have the current representation."""
    tags = headers.get("if-none-match")
    if tags is not None:
        matches = _matches(tags, current, _weakly_equal)
        # A malformed list may be meant to prevent overwriting, so only GET and HEAD ignore it.
        return method in ("GET", "HEAD") if matches is None else not matches
    if method not in ("GET", "HEAD"):
        return True
    date = _parse_date(headers.get("if-modified-since"), now)
    modified = _floor(current.modified) if current else None
    return date is None or modified is None or modified > date


def _matches(tags: str, current: Validators | None, equal: Callable[[str, str], bool]) -> bool | None:
    """Return whether "*" or one of the entity tags matches; None for a malformed list."""
    if tags == "*":
        return current is not None
    if not is_entity_tags(tags):
        return None
    return current is not None and any(equal(tag, current.etag) for tag in find_entity_tags(tags))


def _strongly_equal(tag: str, etag: str) -> bool:
    """Compare two entity tags, neither of which may be weak (RFC 9110, 8.8.3.2)."""
    return tag == etag and not tag.startswith("W/")


def _weakly_equal(tag: str, etag: str) -> bool:
    """Compare two entity tags, weak or strong (RFC 9110, 8.8.3.2)."""
    return tag.removeprefix("W/") == etag.removeprefix("W/")


def _parse_date(value: str | None, now: float) -> int | None:
    """Parse a date; an invalid one is treated as absent (RFC 9110, 13.1.3 and 13.1.4)."""
    return None if value is None else read_date(value, now)


def _floor(modified: float | None) -> int | None:
    """Round down to whole seconds, as in Last-Modified, which clients send back."""
    return None if modified is None else math.floor(modified)


def _is_strong(modified: float | None, now: float) -> bool:
    """Return whether a date can be a strong validator (RFC 9110, 8.8.2.2).

    Until its second is over, the content may change again without a new date, so the date is weak. (The RFC
    also requires the client to check that the Date of its copy is later.)
    """
    return modified is not None and now - modified >= 1
