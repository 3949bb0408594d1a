"""The page of the inspector: one HTML document that includes its style and its scripts.

    page.html    the elements that are there before the first frame
    page.css     how it looks, in the light and in the dark; one colour for each state
    turn.js      the turn: its four steps, and a bar for each of the last 200
    flow.js      the transitions between the states, as arcs that light up
    board.js     the state board: lanes, and chips that glide from one to another
    panel.js     one connection: its history, its traffic, its row in the table
    page.js      the stream of frames, the controls, and the lists at the side

The files are read from the folder ``assets`` of this package, once, also from a zip file. The page loads
nothing else, and its policy allows nothing else: only these scripts and styles, by their hashes (Content
Security Policy, level 3), and only connections to its own server. All that it shows comes over ``/events``.
"""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from string import Template

_ASSETS = files("reactor.inspector") / "assets"
_SCRIPTS = ("turn.js", "flow.js", "board.js", "panel.js", "page.js")


def _read(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_STYLE = _read("page.css")
_SCRIPT = "\n".join(map(_read, _SCRIPTS))

POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {_hash(_SCRIPT)}",
        f"style-src {_hash(_STYLE)}",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "img-src data:",
    )
)
PAGE = Template(_read("page.html")).substitute(style=_STYLE, script=_SCRIPT).encode()
HTML_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)
