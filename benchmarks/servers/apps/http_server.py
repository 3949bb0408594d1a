"""http.server, with one thread per connection: ``python -m benchmarks.servers.apps.http_server 8000``."""

import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.servers.apps.shared import DIRECTORY, echo, pieces, store


class Handler(SimpleHTTPRequestHandler):
    """Handles the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered, to send head and body in one packet

    def do_GET(self) -> None:
        """Return a text, or a file."""
        if not self.path.startswith("/echo/"):
            self.directory, self.path = str(DIRECTORY), self.path.removeprefix("/files")
            super().do_GET()
            return
        self.respond(200, *echo(self.path[6:].encode(), self.headers.get("Accept-Encoding", "")))

    def do_POST(self) -> None:
        """Store a file."""
        size = int(self.headers["Content-Length"])
        self.respond(store(self.path, pieces(self.rfile.read, size), size), b"", [])

    def respond(self, status: int, content: bytes, fields: list[tuple[str, str]]) -> None:
        """Send a response."""
        self.send_response(status)
        closing = [("Connection", "close")] * self.close_connection
        for name, value in (*fields, *closing, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 4096  # as the others
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
