"""The standard library's http.server, with one thread per connection.

python -m benchmarks.servers.apps.http_server 8000
"""

import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.servers.apps.shared import DIRECTORY, PIECE, compressed, store


class Handler(SimpleHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered, to send head and body in one packet

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments, directory=str(DIRECTORY))

    def do_GET(self) -> None:
        """Return the text, or a file."""
        if self.path.startswith("/echo/"):
            self.echo(self.path[6:].encode())
        elif self.path.startswith("/files/"):
            self.path = self.path[6:]
            super().do_GET()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """Store a file."""
        length = int(self.headers.get("Content-Length", 0))
        sizes = [PIECE] * (length // PIECE) + [length % PIECE]
        pieces = (self.rfile.read(size) for size in sizes)
        stored = store(self.path.removeprefix("/files/"), pieces, length)
        self.send_response(201 if stored else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def echo(self, text: bytes) -> None:
        """Return the text."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Vary", "Accept-Encoding")
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            text = compressed(text)
            self.send_header("Content-Encoding", "gzip")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """A server with the backlog of the others."""

    request_queue_size = 4096


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
