"""HTML and SVG elements, with all text escaped.

    tag("p", "1 < 2", class_="note")    <p class="note">1 &lt; 2</p>

Everything except Markup is escaped; Markup is created only here or from constants of this package.
"""

import html

from benchmarks.results.units import slug

VOID = frozenset({"meta", "br", "hr"})
WIDTH = 440  # of every picture, in SVG units


class Markup(str):
    """A string that is already HTML."""

    __slots__ = ()


NOTHING = Markup("")


def escape(text: object) -> Markup:
    """Return text escaped for HTML, and Markup unchanged."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text)))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element; attributes that are None are omitted, and ``font_size`` becomes font-size.

    >>> tag("rect", x=1.25, stroke_width=2, id=None)
    '<rect x="1.2" stroke-width="2"></rect>'
    >>> tag("b", "<i>", class_='"')
    '<b class="&quot;">&lt;i&gt;</b>'
    """
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{words}>")
    return Markup(f"<{name}{words}>{join(*children)}</{name}>")


def join(*children: object) -> Markup:
    """Concatenate elements."""
    return Markup("".join(map(escape, children)))


def _short(value: object) -> object:
    """Round coordinates to one decimal, finer than a pixel."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


# SVG.


def picture(name: str, title: str, description: str, height: float, *children: Markup) -> Markup:
    """Return an SVG with a title and a description for screen readers."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *children,
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        class_="chart",
    )


def peer_class(peer: str) -> str:
    """Return the CSS class that sets a peer's colour."""
    return f"p-{slug(peer)}"


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> Markup:
    """Return an SVG text; the anchor is start, middle or end."""
    where = None if anchor == "start" else anchor
    return tag("text", words, x=x, y=y, text_anchor=where, class_=kind or None)
