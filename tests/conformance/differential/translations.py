"""How an oracle's report of one and the same message differs from ours, and the RFC sentence after it.

Theirs is brought into our words before the two are compared; nothing else about it changes, so that
any other difference is still seen.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from tests.conformance.differential.reading import Fields, Message

ABSOLUTE = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)


class Translation(NamedTuple):
    """One thing that an oracle reports in other words: ours, theirs -> theirs in our words."""

    name: str
    oracles: tuple[str, ...]
    specification: str
    apply: Callable[[Message, Message], Message]


def translate(oracle: str, ours: Message, theirs: Message) -> tuple[Message, list[str]]:
    """Bring theirs into our words; return it with the names of what changed it."""
    used = []
    for each in TRANSLATIONS:
        if oracle in each.oracles:
            translated = each.apply(ours, theirs)
            if translated != theirs:
                used.append(each.name)
            theirs = translated
    return theirs, used


def _without_white_space(_: Message, theirs: Message) -> Message:
    return theirs._replace(fields=tuple((name, value.rstrip(" \t")) for name, value in theirs.fields))


def _host_of_target(_: Message, theirs: Message) -> Message:
    match = ABSOLUTE.fullmatch(theirs.target)
    if match is None and theirs.method != "CONNECT":
        return theirs
    authority = theirs.target if match is None else match[1]
    others = tuple(field for field in theirs.fields if field[0].lower() != "host")
    return theirs._replace(fields=(("Host", authority), *others))


def _target_as_uri(_: Message, theirs: Message) -> Message:
    if theirs.method == "CONNECT":
        return theirs._replace(target=f"http://{theirs.target}")
    match = ABSOLUTE.fullmatch(theirs.target)
    if match is None:
        return theirs
    rest = match[2]
    if not rest.startswith("/"):
        rest = "*" if theirs.method == "OPTIONS" and not rest else f"/{rest}"
    return theirs._replace(target=f"http://{match[1]}{rest}")


def _coding_as_written(ours: Message, theirs: Message) -> Message:
    if len(ours.fields) != len(theirs.fields):
        return theirs
    fields: Fields = tuple(
        our if our[0].lower() == "transfer-encoding" and (our[0], our[1].lower()) == their else their
        for our, their in zip(ours.fields, theirs.fields, strict=True)
    )
    return theirs._replace(fields=fields)


# In this order: the target is read as it came for the sake of Host, and only then rewritten.
TRANSLATIONS = (
    Translation(
        "white space after a value is kept",
        ("httptools",),
        "RFC 9112, 5.1: white space around a field value is not part of it and is removed when it is read",
        _without_white_space,
    ),
    Translation(
        "Host is kept with a target that names its own",
        ("h11", "httptools"),
        "RFC 9112, 3.2.2 and 3.3: the authority in the target replaces whatever Host says",
        _host_of_target,
    ),
    Translation(
        "an absolute target is reported unchanged",
        ("h11", "httptools"),
        "RFC 9110, 4.2.3: schemes have no case and an empty path is /; RFC 9112, 3.2.4: OPTIONS for a"
        " URI without path or query means *",
        _target_as_uri,
    ),
    Translation(
        "Transfer-Encoding in lower case",
        ("h11",),
        "RFC 9112, 7: names of transfer codings have no case; we report each field as it was written",
        _coding_as_written,
    ),
)
