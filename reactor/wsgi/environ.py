"""The environ of a WSGI application: what PEP 3333 and CGI (RFC 3875) require of each request.

Three headers do not become variables: Content-Length, because CONTENT_LENGTH is the size of the body that was
received; Transfer-Encoding, because ``wsgi.input`` is the decoded body; and Proxy, because programs take
HTTP_PROXY for a configuration (CVE-2016-5385). Nor do names with an underscore, which could stand for those
with a hyphen.

SERVER_NAME and SERVER_PORT are the address of the server; applications build URLs from the Host header.
Behind a trusted proxy that names scheme, host or prefix, they are those of the URL that the client used.
SCRIPT_NAME begins with the prefix of the request.
"""

import re
from wsgiref.types import InputStream, WSGIEnvironment

from reactor._version import __version__
from reactor.http11.message import ROOT_SITE, Request, Site
from reactor.http11.prefix import prefix_segments
from reactor.routing import Router
from reactor.wsgi.error_log import ErrorLog
from reactor.wsgi.file_wrapper import FileWrapper

_match_host = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?").fullmatch
_WITHOUT_VARIABLE = frozenset({"content-length", "transfer-encoding", "proxy"})


class EnvironBuilder:
    """Builds the environ of each request below a path; ``segments`` are those of the path, decoded."""

    __slots__ = ("_constant", "_count", "_routes")

    def __init__(
        self, routes: Router, segments: tuple[str, ...], multithread: bool, multiprocess: bool
    ) -> None:
        self._routes = routes
        self._count = len(segments)
        self._constant: WSGIEnvironment = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SCRIPT_NAME": _path(segments),
            "SERVER_SOFTWARE": f"reactor/{__version__}",
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
            "wsgi.multiprocess": multiprocess,
            "wsgi.multithread": multithread,
            "wsgi.run_once": False,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
        }

    def build(self, request: Request, body: InputStream, size: int, errors: ErrorLog) -> WSGIEnvironment:
        """Return the environ of a request whose body of ``size`` bytes is complete."""
        host, port = self._routes.address
        site = request.head.site
        environ = self._constant.copy()
        environ["REQUEST_METHOD"] = request.method
        environ["PATH_INFO"] = _path(request.target.segments[site.depth + self._count :])
        environ["QUERY_STRING"] = request.query
        environ["RAW_URI"] = environ["REQUEST_URI"] = str(request.target)
        environ["REMOTE_ADDR"] = request.peer
        environ["SERVER_NAME"] = f"[{host}]" if ":" in host else host
        environ["SERVER_PORT"] = str(port)
        environ["SERVER_PROTOCOL"] = request.version
        environ["wsgi.input"] = body
        environ["wsgi.errors"] = errors
        _add_headers(environ, request)
        if site is not ROOT_SITE:
            _add_site(environ, site, request.head.host)
        if size or "content-length" in request.headers:
            environ["CONTENT_LENGTH"] = str(size)
        return environ


def _add_site(environ: WSGIEnvironment, site: Site, host: str | None) -> None:
    """Add the prefix of a request, and the URL that a trusted proxy names."""
    environ["SCRIPT_NAME"] = _path(prefix_segments(site.prefix)) + environ["SCRIPT_NAME"]
    environ["wsgi.url_scheme"] = site.scheme
    if site.is_forwarded and host:
        environ["SERVER_NAME"], environ["SERVER_PORT"] = _address(host, site.scheme)


def _address(host: str, scheme: str) -> tuple[str, str]:
    """Return the name and the port of a valid Host; without a port, that of the scheme.

    >>> _address("files.example", "https"), _address("[::1]:8443", "https"), _address("::1", "http")
    (('files.example', '443'), ('[::1]', '8443'), ('', '80'))
    """
    match = _match_host(host)
    name, port = ("", "") if match is None else (match[1], match[2] or "")
    return name, port or {"http": "80", "https": "443"}[scheme]


def _path(segments: tuple[str, ...]) -> str:
    """Join decoded segments, each after a slash; the bytes of the path become characters (PEP 3333).

    >>> _path(("café", ""))
    '/cafÃ©/'
    """
    path = "".join([f"/{segment}" for segment in segments])
    return path if path.isascii() else path.encode().decode("latin-1")


def _add_headers(environ: WSGIEnvironment, request: Request) -> None:
    for name, value in request.headers.lines:
        lower = name.lower()
        if "_" in name or lower in _WITHOUT_VARIABLE:
            continue
        variable = "CONTENT_TYPE" if lower == "content-type" else f"HTTP_{name.upper().replace('-', '_')}"
        before = environ.get(variable)
        if before is not None:
            # RFC 9110, 5.3; RFC 6265, 5.4: a comma may be a part of a cookie.
            value = f"{before}{'; ' if lower == 'cookie' else ','}{value}"
        environ[variable] = value
