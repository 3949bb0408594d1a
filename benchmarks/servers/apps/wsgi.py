"""The WSGI application for bjoern, granian, gunicorn and waitress."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.servers.apps.shared import PIECE, compressed, path_of, store

Start = Callable[[str, list[tuple[str, str]]], object]
TEXT = ("Content-Type", "text/plain")
BINARY = ("Content-Type", "application/octet-stream")


def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Handle one request."""
    path = environ["PATH_INFO"]
    if path.startswith("/echo/"):
        return echo(path[6:].encode("latin-1"), environ, start)
    if path.startswith("/files/"):
        reply = upload if environ["REQUEST_METHOD"] == "POST" else download
        return reply(path[7:], environ, start)
    return refuse(start)


def echo(text: bytes, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Return the text."""
    fields = [TEXT, ("Vary", "Accept-Encoding")]
    if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
        text = compressed(text)
        fields.append(("Content-Encoding", "gzip"))
    start("200 OK", [*fields, ("Content-Length", str(len(text)))])
    return [text]


def download(name: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Send a file, with wsgi.file_wrapper if the server has it."""
    path = path_of(name)
    if path is None or not path.is_file():
        return refuse(start)
    file = path.open("rb")
    start("200 OK", [BINARY, ("Content-Length", str(os.fstat(file.fileno()).st_size))])
    wrapper = environ.get("wsgi.file_wrapper")
    return wrapper(file, PIECE) if wrapper is not None else iter(lambda: file.read(PIECE), b"")


def upload(name: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Store a file."""
    size = left = int(environ.get("CONTENT_LENGTH") or 0)
    source = environ["wsgi.input"]

    def pieces() -> Iterable[bytes]:
        nonlocal left
        while left and (piece := source.read(min(PIECE, left))):
            left -= len(piece)
            yield piece

    if not store(name, pieces(), size):
        return refuse(start)
    start("201 Created", [("Content-Length", "0")])
    return [b""]


def refuse(start: Start) -> Iterable[bytes]:
    """Respond with 404."""
    start("404 Not Found", [("Content-Length", "0")])
    return [b""]
