"""The page of the microscope: one HTML document, with its style and its scripts inside.

    page.html    what is there before anything has come
    page.css     how it looks, in the light and in the dark; one colour for each state
    turn.js      the turn: its four steps, and a bar for each of the last 200
    flow.js      the ways between the states, as arcs that light up
    board.js     the state board: lanes, and chips that glide from one to another
    panel.js     one connection: its history, its octets, its row in the table
    page.js      the stream of frames, the controls, and the lists at the side

They are put together here, once. The page needs nothing from anywhere else, and its policy allows
nothing else: of scripts and styles only these, known by their hashes (Content Security Policy,
level 3), and of connections only those to its own server.

It knows no connection and no loop: all that it shows comes over ``/events``.
"""

from pathlib import Path
from string import Template

from reactor.http11.html import content_security_policy, html_headers

_HERE = Path(__file__).parent / "assets"
_SCRIPTS = ("turn.js", "flow.js", "board.js", "panel.js", "page.js")


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


_STYLE = _read("page.css")
_SCRIPT = "\n".join(map(_read, _SCRIPTS))

POLICY = content_security_policy(_STYLE, _SCRIPT)
PAGE = Template(_read("page.html")).substitute(style=_STYLE, script=_SCRIPT).encode()
HTML_HEADERS = (
    *html_headers(POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
