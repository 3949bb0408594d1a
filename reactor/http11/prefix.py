"""The path prefix of a server: the beginning of every URL path, in front of the paths of its routes.

    URL in the browser                   https://example.com/share/files/a.txt
    with --prefix /share                 the proxy forwards /share/files/a.txt
    with X-Forwarded-Prefix: /share      the proxy removes the prefix, and forwards /files/a.txt
    both                                 X-Forwarded-Prefix is in front of the --prefix

A prefix is written into Location as it is. So it has only unreserved characters and percent-encoded ones, no
empty segment (``//evil.example`` would be another host), no dot segment, and no encoded slash or control.
"""

import re

from reactor.http11.errors import ProtocolError
from reactor.http11.grammar import PCT_ENCODED, UNRESERVED
from reactor.http11.target import origin_form

MAX_PREFIX = 1024  # characters

_SEGMENT = rb"(?:[" + UNRESERVED + rb"]|" + PCT_ENCODED + rb")+"
_match_prefix = re.compile(rb"(?:/" + _SEGMENT + rb")*/?").fullmatch
_find_unsafe = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]").search


def read_prefix(text: str) -> str:
    """Return a prefix without a slash at its end, so that "/" becomes "", as without one; raise ValueError.

    >>> read_prefix("/share/"), read_prefix("/")
    ('/share', '')
    """
    path = text.removesuffix("/")
    valid = len(text) <= MAX_PREFIX and text.isascii()
    if valid and _match_prefix(text.encode()) is not None:
        try:
            segments = prefix_segments(path)
        except ProtocolError:  # not UTF-8
            segments = ("..",)
        if not any(each in (".", "..") or _find_unsafe(each) for each in segments):
            return path
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    raise ValueError(f"invalid prefix: {shown!a} (examples: /share, /tools/files; no //, . or ..)")


def prefix_segments(prefix: str) -> tuple[str, ...]:
    """Return the segments of a prefix, decoded, as those of a target."""
    return origin_form(prefix.encode("ascii"), None).segments if prefix else ()
