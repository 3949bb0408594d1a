"""Tornado: ``python -m benchmarks.servers.apps.tornado_app 8000``."""

import asyncio
import logging
import sys

from tornado.web import Application, RequestHandler, StaticFileHandler

from benchmarks.servers.apps.shared import DIRECTORY, echo, store


class Echo(RequestHandler):
    """Returns the text."""

    def get(self, text: str) -> None:
        """Return the text; Tornado itself does not compress bodies below 1,024 bytes."""
        content, fields = echo(text.encode(), self.request.headers.get("Accept-Encoding", ""))
        for name, value in fields:
            self.set_header(name, value)
        self.write(content)


class Files(StaticFileHandler):
    """Serves and stores files."""

    def post(self, name: str) -> None:
        """Store a file."""
        self.set_status(store(name, self.request.body, len(self.request.body)))


async def main(port: int) -> None:
    """Serve until killed."""
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    app = Application([(r"/echo/(.*)", Echo), (r"/files/(.*)", Files, {"path": str(DIRECTORY)})])
    app.listen(port, address="127.0.0.1", backlog=4096, max_buffer_size=1 << 30, idle_connection_timeout=75)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
