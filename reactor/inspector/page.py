"""The page of the inspector: one HTML document that includes its style and its scripts.

    page.html    the static elements
    page.css     the style, light and dark; one colour for each state
    turn.js      the turn: its steps, and a bar for each of the last 200
    flow.js      the transitions between states, as arcs
    board.js     the state board: a lane for each state, a chip for each connection
    panel.js     one connection: its history, its traffic, its row in the state table
    page.js      the event stream, the controls, and the lists at the side

The files are read once from the package's folder ``assets``, which may be in a zip file. The page loads
nothing else, and its Content Security Policy (level 3) allows nothing else: only these scripts and styles, by
their hashes, and only connections to its own server. Its data comes from ``/events`` and
``/connections/{number}``.
"""

from importlib.resources import files
from string import Template

from reactor.http11.html import content_security_policy, html_headers

_ASSETS = files("reactor.inspector") / "assets"
_SCRIPTS = ("turn.js", "flow.js", "board.js", "panel.js", "page.js")


def _read(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


_STYLE = _read("page.css")
_SCRIPT = "\n".join(map(_read, _SCRIPTS))

POLICY = content_security_policy(_STYLE, _SCRIPT)
PAGE = Template(_read("page.html")).substitute(style=_STYLE, script=_SCRIPT).encode()
HTML_HEADERS = (
    *html_headers(POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
