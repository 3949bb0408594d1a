"""Clients that count every request that fails: small GETs, uploads and downloads.

    client    requests                                   fails unless
    get       GET /echo/TEXT, with pauses                200, and the text
    upload    POST /files/NAME, 512 KiB, sent in parts   201, and the file on the disk is equal
    download  GET /files/download.bin, 16 MiB, in parts  200, and the content is equal

Some uploads and downloads take seconds, longer than the server continues to serve before it stops accepting.

No client retries. After a complete response a client opens another connection if the response has
``Connection: close``, or if the server has closed the connection before the next request is written, as every
client does. A request that gets no answer has failed, also on a connection that was kept.
"""

import random
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from pathlib import Path

TIMEOUT = 15.0  # seconds without progress after which a request has failed
DOWNLOAD = "download.bin"
DOWNLOAD_SIZE = 16 << 20  # more than the kernel and the proxy keep for a slow client
DOWNLOAD_PART = 256 << 10
UPLOAD_SIZE = 512 << 10  # far more than HAProxy's buffer of 16 KiB
UPLOAD_PART = 32 << 10
RECEIVE_BUFFER = 64 << 10
# Clients of each kind, by the mean seconds between two requests ("get"), or between two parts.
CLIENTS = {
    "get": (0.01, 0.01, 0.05, 0.05, 0.3, 0.3),
    "upload": (0.01, 0.05, 0.3),
    "download": (0.01, 0.06),
}
BETWEEN_TRANSFERS = 0.02  # seconds

KINDS: dict[type[Exception], str] = {
    IncompleteRead: "truncated",
    RemoteDisconnected: "no response",
    ConnectionRefusedError: "refused",
    ConnectionResetError: "reset",
    BrokenPipeError: "reset while sending",
    TimeoutError: "timeout",
}


class RequestError(Exception):
    """A response that is not what it should be."""


class Client(threading.Thread):
    """One client; ``counts`` has the number of requests, and ``failures`` those that failed, by kind."""

    def __init__(self, kind: str, number: int, pause: float, port: int, directory: Path) -> None:
        super().__init__(name=f"{kind}-{number}", daemon=True)
        self.kind, self.requests, self.connections = kind, 0, 0
        self.failures: Counter[str] = Counter()
        self._request: Callable[[], None] = getattr(self, f"_{kind}")
        self._pause, self._directory = pause, directory
        self._random = random.Random(self.name)
        self._connection = HTTPConnection("127.0.0.1", port, TIMEOUT)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let the request end, and send no others."""
        self._stopping.set()

    def run(self) -> None:
        """Send requests until ``stop``."""
        between = self._pause if self.kind == "get" else BETWEEN_TRANSFERS
        while not self._stopping.wait(self._random.expovariate(1 / between)):
            self.requests += 1
            try:
                self._connect()
                self._request()
            except (RequestError, OSError, HTTPException) as error:
                self.failures[f"{self.kind}: {describe(error)}"] += 1
                self._connection.close()
        self._connection.close()

    def _connect(self) -> None:
        """Open a connection for the first request, or if the server has closed the previous one."""
        sock = self._connection.sock
        if sock is not None and select.select([sock], [], [], 0)[0]:
            self._connection.close()
        if self._connection.sock is None:
            self._connection.connect()
            self.connections += 1

    def _get(self) -> None:
        text = f"{self.name}-{self.requests}"
        self._connection.request("GET", f"/echo/{text}")
        self._expect(200, text.encode())

    def _download(self) -> None:
        self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._connection.request("GET", f"/files/{DOWNLOAD}")
        response = self._response(200)
        received = bytearray()
        while part := response.read(DOWNLOAD_PART):
            received += part
            self._stopping.wait(self._pause)
        if received != (self._directory / DOWNLOAD).read_bytes():
            raise RequestError("truncated" if len(received) < DOWNLOAD_SIZE else "wrong content")

    def _upload(self) -> None:
        content = self._random.randbytes(UPLOAD_SIZE)
        name = f"{self.name}-{self.requests}"
        self._connection.putrequest("POST", f"/files/{name}")
        self._connection.putheader("Content-Length", str(len(content)))
        self._connection.endheaders()
        for start in range(0, len(content), UPLOAD_PART):
            self._connection.send(content[start : start + UPLOAD_PART])
            self._stopping.wait(self._pause)
        self._expect(201)
        file = self._directory / name
        if not file.exists():
            raise RequestError("not stored")
        if file.read_bytes() != content:
            raise RequestError("wrong content stored")
        file.unlink()

    def _response(self, status: int) -> HTTPResponse:
        response = self._connection.getresponse()
        if response.status != status:
            raise RequestError(f"status {response.status}")
        return response

    def _expect(self, status: int, content: bytes | None = None) -> None:
        received = self._response(status).read()
        if content is not None and received != content:
            raise RequestError("wrong content")


def describe(error: Exception) -> str:
    """Return the kind of a failure."""
    named = (text for kind, text in KINDS.items() if isinstance(error, kind))
    return next(named, str(error) or type(error).__name__)


class Load:
    """All clients; ``with Load(port, directory) as load`` runs them. ``pace`` multiplies their pauses."""

    def __init__(self, port: int, directory: Path, pace: float = 1.0) -> None:
        (directory / DOWNLOAD).write_bytes(random.Random(DOWNLOAD).randbytes(DOWNLOAD_SIZE))
        self.clients = [
            Client(kind, number, pause * pace, port, directory)
            for kind, pauses in CLIENTS.items()
            for number, pause in enumerate(pauses)
        ]

    def __enter__(self) -> "Load":
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *error: object) -> None:
        for client in self.clients:
            client.stop()
        for client in self.clients:
            client.join(3 * TIMEOUT)
            if client.is_alive():
                client.failures[f"{client.kind}: endless"] += 1

    def requests(self, kind: str) -> int:
        """Return the number of requests of one kind."""
        return sum(client.requests for client in self.clients if client.kind == kind)

    @property
    def connections(self) -> int:
        """The number of connections that were opened."""
        return sum(client.connections for client in self.clients)

    @property
    def failures(self) -> Counter[str]:
        """The number of failed requests, by kind."""
        return sum((client.failures for client in self.clients), Counter())
