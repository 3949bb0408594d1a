"""Error responses: a page with a way back for clients that prefer HTML, a line of plain text for all others.

    Not Found
    Error 404: file not found
    [/files/photos/]  [Start page]          the folder of the requested path, and /

1. The links are relative, made of dots and slashes only. So they are right behind a proxy that removes a
   prefix, and a path such as ``//evil.example/`` cannot lead to another host. Only the link from a path
   outside the prefix of the server is absolute.
2. The reason and the folder are escaped. The policy of the page allows nothing but its own style.
3. A malformed request (ProtocolError) gets plain text: its headers cannot be relied on.
4. A ProblemError gets JSON, whatever the client accepts (RFC 9457).
"""

import json
from html import escape
from urllib.parse import unquote

from reactor.http11.accept import prefers_html
from reactor.http11.errors import HTTPError, ProblemError, ProtocolError
from reactor.http11.html import content_security_policy, html_headers
from reactor.http11.message import Request, Response, reason_phrase

_STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfc; --ink: #1d1f22; --quiet: #63686f; --accent: #1f5fa8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181b; --ink: #e4e5e7; --quiet: #9a9fa7; --accent: #8ab8ee; }
}
body { max-width: 36rem; margin: 0 auto; padding: 18vh 1.5rem 2rem; overflow-wrap: anywhere; }
body { background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 0.25rem; font-size: 1.5rem; font-weight: 600; letter-spacing: -0.01em; }
p { margin: 0 0 1.75rem; color: var(--quiet); }
nav { display: flex; flex-wrap: wrap; gap: 0.6rem; }
a { padding: 0.3rem 0.8rem; border: 1px solid; border-radius: 6px; }
a { max-width: 100%; box-sizing: border-box; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; text-underline-offset: 0.2em; }
"""
HEADERS = (
    *html_headers(content_security_policy(_STYLE)),
    ("X-Content-Type-Options", "nosniff"),
)
# For both formats: otherwise a cache could send the text of an error to browsers.
_VARY = ("Vary", "Accept")
_PROBLEM = ("Content-Type", "application/problem+json")


def error_response(request: Request, error: HTTPError) -> Response:
    """Return the response to a request that was refused with an error."""
    if isinstance(error, ProtocolError):
        return Response.error(error.status, error.reason, error.headers)
    if isinstance(error, ProblemError):
        return Response(error.status, json.dumps(error.details).encode() + b"\n", (_PROBLEM, *error.headers))
    if not prefers_html(request.headers.get("accept")):
        return Response.error(error.status, error.reason, (_VARY, *error.headers))
    return Response(error.status, _page(request, error).encode(), (*HEADERS, _VARY, *error.headers))


def _page(request: Request, error: HTTPError) -> str:
    phrase = reason_phrase(error.status)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{phrase}</title>\n<link rel="icon" href="data:,">\n<style>{_STYLE}</style>\n'
        f"<h1>{phrase}</h1>\n<p>Error {error.status}: {escape(error.reason)}</p>\n"
        f"<nav>{_links(request)}</nav>\n"
    )


def _links(request: Request) -> str:
    """Return links to the folder of the requested path, unless it is the root, and to the root."""
    *folders, last = request.target.segments or ("",)
    site = request.head.site
    own_prefix = unquote(site.prefix.removeprefix(site.removed)).split("/")[1:]
    if folders[: site.depth] != own_prefix:
        return f'<a href="{site.prefix}/">Start page</a>'
    start = f'<a href="{"../" * (len(folders) - site.depth) or "./"}">Start page</a>'
    up = "./"
    if not last and request.method != "POST":  # the folder has the error; a form is sent to its own page
        folders, up = folders[:-1], "../"
    if len(folders) <= site.depth:
        return start
    return f'<a href="{up}"><bdi>/{escape("/".join(folders))}/</bdi></a> {start}'
