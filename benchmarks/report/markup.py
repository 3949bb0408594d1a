"""HTML and SVG elements, with all text escaped.

    tag("p", "1 < 2", class_="note")    <p class="note">1 &lt; 2</p>

Everything except Markup is escaped; Markup is created only here or from constants of this package.
"""

import html

from benchmarks.results.units import slug
from benchmarks.servers.peers import PEERS

VOID = frozenset({"meta", "br"})
COLOURED = ("reactor", "reactor +log", "bare loop", "nginx", "bjoern", "uvicorn", "granian")


class Markup(str):
    """A string that is already HTML."""

    __slots__ = ()


NOTHING = Markup("")


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element; attributes that are None are omitted, and ``aria_label`` becomes aria-label.

    >>> tag("i", aria_label="x", id=None)
    '<i aria-label="x"></i>'
    >>> tag("b", "<i>", class_='"')
    '<b class="&quot;">&lt;i&gt;</b>'
    """
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{words}>")
    return Markup(f"<{name}{words}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Concatenate elements; escape everything except Markup."""
    return Markup("".join(each if isinstance(each, Markup) else html.escape(str(each)) for each in children))


def peer_class(peer: str) -> str:
    """Return the CSS class that sets a peer's colour; servers of the user share one.

    >>> peer_class("nginx"), peer_class("tornado"), peer_class("127.0.0.1:8000")
    ('p-nginx', 'p-other', 'p-added')
    """
    return f"p-{slug(peer)}" if peer in COLOURED else "p-other" if peer in PEERS else "p-added"
