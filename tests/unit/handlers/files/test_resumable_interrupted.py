"""Uploads that are interrupted at random places, and resumed until they are complete."""

from collections.abc import Iterator
from random import Random

import pytest

from reactor.handlers.files.resumable import PROGRESS_INTERVAL
from tests.support.in_process import Answer, Client, Harness
from tests.support.requests import chunks, in_pieces
from tests.unit.handlers.files.resumable_client import (
    VERSION,
    head,
    is_gone,
    leftovers,
    patch_lines,
    resumable,
)
from tests.unit.handlers.files.shared import Shared, open_descriptors, request

SIZE = 2 * PROGRESS_INTERVAL


@pytest.fixture
def server(shared: Shared) -> Iterator[Harness]:
    with resumable(shared, SIZE) as harness:
        yield harness


class RandomUpload:
    """A client that sends a file in parts of random lengths; some requests are cut off."""

    def __init__(self, server: Harness, seed: int) -> None:
        self.server = server
        self.random = Random(seed)
        self.data = self.random.randbytes(self.random.randrange(SIZE))
        self.where: str | None = None
        self.offset = 0  # of the server
        self.guaranteed = 0  # bytes that the server has acknowledged

    def run(self) -> None:
        """Upload the whole file."""
        while not self._send_part():
            self._ask()

    def _send_part(self) -> bool:
        """Send one request, or a part of it; return whether the upload is complete."""
        complete = self.random.random() < 0.4
        left = len(self.data) - self.offset
        end = len(self.data) if complete else self.offset + self.random.randint(0, left)
        body, length = self.data[self.offset : end], f"Content-Length: {end - self.offset}"
        if self.random.random() < 0.5:
            body, length = (
                chunks(*in_pieces(body, self.random.randint(100, 9000))),
                "Transfer-Encoding: chunked",
            )
        lines = [
            length,
            *self._sometimes("Expect: 100-continue"),
            *self._sometimes(f"Upload-Length: {len(self.data)}"),
        ]
        if self.where is None:
            message = head("PUT", "/files/new", f"Upload-Complete: ?{complete:d}", VERSION, *lines)
        else:
            lines += self._sometimes(VERSION)
            message = head("PATCH", self.where, *patch_lines(self.offset, complete, *lines))
        client = self.server.connect()
        self._deliver(client, message + body)
        answers = client.responses()
        client.close()
        return self._read(answers)

    def _sometimes(self, line: str) -> list[str]:
        return [line] if self.random.random() < 0.5 else []

    def _deliver(self, client: Client, data: bytes) -> None:
        """Send data in pieces, often not all of it."""
        if self.random.random() < 0.6:
            data = data[: self.random.randrange(len(data))]
        for piece in in_pieces(data, self.random.choice((1000, 70_000, len(data) + 1))):
            client.send(piece)

    def _read(self, answers: list[Answer]) -> bool:
        for answer in answers:
            assert answer.status in (100, 104, 201, 204), answer
            if answer.status in (104, 201) and answer.headers.get("upload-complete") != "?1":
                self.where = answer.headers.get("location", self.where)
            self.guaranteed = max(self.guaranteed, int(answer.headers.get("upload-offset", 0)))
        return bool(answers) and answers[-1].headers.get("upload-complete") == "?1"

    def _ask(self) -> None:
        """Retrieve the offset."""
        if self.where is not None:
            answer = request(self.server.connect(), self.random.choice(("GET", "HEAD")), self.where)
            self.offset = int(answer.headers["upload-offset"])
            assert self.guaranteed <= self.offset <= len(self.data)


@pytest.mark.parametrize("seed", range(60))
def test_an_upload_interrupted_at_random_is_completed(shared: Shared, server: Harness, seed: int) -> None:
    before = open_descriptors()
    upload = RandomUpload(server, seed)
    upload.run()
    assert (shared.path / "new").read_bytes() == upload.data
    assert upload.where is None or is_gone(server, upload.where)
    assert leftovers(shared) == 0
    for client in server.clients:
        client.close()
    assert open_descriptors() == before
