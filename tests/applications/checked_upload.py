"""Stores uploaded PNG and PDF files, each under its SHA-256, and serves them."""

import hashlib
import os
import sys
from contextlib import suppress
from functools import partial
from tempfile import NamedTemporaryFile

from reactor import Deferred, HTTPError, Request, Response, Router, Settings, buffered, serve

SETTINGS = Settings(max_body=10 << 20)
EXTENSIONS = {b"\x89PNG\r\n\x1a\n": "png", b"%PDF-": "pdf"}  # by the first bytes


class Upload:  # a sink; its file is deleted at the end unless ``store`` has given it a second name
    def __init__(self, directory: str, request: Request) -> None:
        self.request, self.start, self.file = request, b"", NamedTemporaryFile(dir=directory, prefix=".")  # noqa: SIM115

    def write(self, data: bytes) -> None:
        self.start += data[: 8 - len(self.start)]
        if not any(magic.startswith(self.start[: len(magic)]) for magic in EXTENSIONS):
            raise HTTPError(415, "expected a PNG or PDF file")
        self.file.write(data)

    def finish(self) -> "Upload":
        return self

    def close(self) -> None:
        self.file.close()

    def store(self, content: bytes) -> Response:  # in a worker thread
        with self.file as file, suppress(FileExistsError):
            self.write(content)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if len(self.start) < 8 or self.request.headers.get("x-sha256", digest).lower() != digest:
                raise HTTPError(422, f"the file is incomplete or damaged: its SHA-256 is {digest}")
            os.fsync(file.fileno())
            name = f"{digest}.{EXTENSIONS.get(self.start, 'pdf')}"
            os.link(file.name, os.path.join(os.path.dirname(file.name), name))
        return Response.json({"sha256": digest}, 201, {"Location": f"/files/{name}"})


def install(routes: Router, directory: str) -> None:
    routes.static("/files", directory)

    @routes.put("/files", lambda request: Upload(directory, request))
    @routes.post("/files", buffered(SETTINGS.max_body))
    def upload(request: Request) -> Deferred:
        content = request.form().files["file"].content if request.method == "POST" else b""
        sink = request.upload if isinstance(request.upload, Upload) else Upload(directory, request)
        return Deferred(partial(sink.store, content))


if __name__ == "__main__":
    install(routes := Router(), sys.argv[2])
    start, port = "reactor: serving on {0.url} (uploads)".format, int(sys.argv[1])
    serve(routes, port=port, settings=SETTINGS, on_ready=lambda server: print(start(server), file=sys.stderr))
