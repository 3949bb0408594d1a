"""HTML and SVG elements, with everything that was measured escaped.

    tag("p", "1 < 2", class_="note")    <p class="note">1 &lt; 2</p>

Whatever is not Markup is escaped; Markup is only made here, or is a constant of this package.
"""

import html

from benchmarks.results.units import slug

VOID = frozenset({"meta", "br", "hr"})
WIDTH = 440  # of every picture


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING = Markup("")


def escape(text: object) -> Markup:
    """Return text as HTML; Markup stays as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text)))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Make an element; an attribute is left out when None, and ``font_size`` stands for font-size.

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
    """Put elements one behind the other."""
    return Markup("".join(map(escape, children)))


def _short(value: object) -> object:
    """Return a coordinate with one digit behind the point: that is finer than a screen."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


# SVG.


def picture(name: str, title: str, description: str, height: float, *children: Markup) -> Markup:
    """Return an SVG that can be read aloud."""
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
    """Return the class that gives a peer its colour."""
    return f"p-{slug(peer)}"


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> Markup:
    """Write words; the anchor is start, middle or end."""
    where = None if anchor == "start" else anchor
    return tag("text", words, x=x, y=y, text_anchor=where, class_=kind or None)
