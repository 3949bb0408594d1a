"""The page of the inspector: one HTML document that includes its style and its scripts.

    page.html    the elements that are there before the first frame
    page.css     how it looks, in the light and in the dark; one colour for each state
    turn.js      the turn: its steps, and a bar for each of the last 200
    flow.js      the transitions between the states, as arcs that light up
    board.js     the state board: lanes, and chips that glide from one to another
    panel.js     one connection: its history, its traffic, its row in the table
    page.js      the stream of frames, the controls, and the lists at the side

The files are read from the folder ``assets`` of this package, once, also from a zip file. The page loads
nothing else, and its policy allows nothing else: only these scripts and styles, by their hashes (Content
Security Policy, level 3), and only connections to its own server. All that it shows comes over ``/events``.
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
