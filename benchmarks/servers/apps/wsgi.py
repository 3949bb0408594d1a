"""The WSGI application for reactor, bjoern, granian, gunicorn and waitress.

``python -m benchmarks.servers.apps.wsgi 8000`` runs it with bjoern.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.servers.apps.shared import PIECE, echo, path_of, store

BINARY = ("Content-Type", "application/octet-stream")


def application(environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    """Return a text or 4 MiB in pieces; send a file, with wsgi.file_wrapper if there is one; store a file."""
    path = environ["PATH_INFO"]
    if path.startswith("/echo/"):
        text, fields = echo(path[6:].encode("latin-1"), environ.get("HTTP_ACCEPT_ENCODING", ""))
        start("200 OK", [*fields, ("Content-Length", str(len(text)))])
        return [text]
    if path == "/pieces":
        start("200 OK", [BINARY])
        return (bytes(PIECE) for _ in range(64))
    if environ["REQUEST_METHOD"] == "POST":
        size = int(environ["CONTENT_LENGTH"])
        status = store(path, environ["wsgi.input"].read(size), size)
        start(f"{status} Stored" if status == 201 else f"{status} Not Stored", [("Content-Length", "0")])
        return [b""]
    file = path_of(path)
    start("200 OK", [BINARY, ("Content-Length", str(file.stat().st_size))])
    opened = file.open("rb")
    wrapper = environ.get("wsgi.file_wrapper")
    return wrapper(opened, PIECE) if wrapper is not None else iter(lambda: opened.read(PIECE), b"")


if __name__ == "__main__":
    import bjoern

    bjoern.run(application, "127.0.0.1", int(sys.argv[1]), listen_backlog=4096)
