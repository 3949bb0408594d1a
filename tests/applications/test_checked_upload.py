"""Uploads that are checked: what is stored, and what is refused without leaving a file."""

import signal
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

from reactor import Router
from reactor.testing import Client, ClientResponse
from tests.applications.checked_upload import SETTINGS, install
from tests.support.process import ServerProcess

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 20_000
PDF = b"%PDF-1.7\n" + b"page" * 20_000
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


class Site(NamedTuple):
    client: Client
    directory: Path

    def put(self, content: bytes, checksum: str | None = None) -> ClientResponse:
        return self.client.put("/files", content=content, headers={"X-SHA256": checksum} if checksum else {})

    def post(self, content: bytes, checksum: str | None = None) -> ClientResponse:
        headers = {**FORM, "X-SHA256": checksum} if checksum else FORM
        return self.client.post("/files", content=form(content), headers=headers)

    def stored(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}


Send = Callable[[Site, bytes, str | None], ClientResponse]


def form(content: bytes, name: str = "file") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="../../a.exe"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    routes = Router()
    install(routes, str(tmp_path))
    with Client(routes, SETTINGS) as client:
        yield Site(client, tmp_path)


@pytest.mark.parametrize("send", [Site.put, Site.post])
@pytest.mark.parametrize(
    ("content", "extension", "media_type"), [(PNG, "png", "image/png"), (PDF, "pdf", "application/pdf")]
)
@pytest.mark.parametrize("with_checksum", [True, False])
def test_files_are_stored_once_and_served(
    site: Site, send: Send, content: bytes, extension: str, media_type: str, with_checksum: bool
) -> None:
    digest = sha256(content).hexdigest()
    for _ in range(2):
        answer = send(site, content, digest.upper() if with_checksum else None)
        assert (answer.status, answer.json()) == (201, {"sha256": digest})
    assert site.stored() == {f"{digest}.{extension}": content}
    path = answer.headers["location"]
    served = site.client.get(path)
    assert (served.content, served.headers["content-type"]) == (content, media_type)
    assert site.client.get(path, headers={"Range": "bytes=0-3"}).content == content[:4]
    assert site.client.head(path).headers["content-length"] == str(len(content))


@pytest.mark.parametrize("send", [Site.put, Site.post])
@pytest.mark.parametrize(
    ("content", "checksum", "status", "reason"),
    [
        (b"GIF89a" * 20, None, 415, "expected a PNG or PDF file"),
        (b"x", None, 415, "expected a PNG or PDF file"),
        (PNG[:7], None, 422, "the file is incomplete or damaged"),
        (b"", None, 422, "the file is incomplete or damaged"),
        (PNG, sha256(PDF).hexdigest(), 422, "the file is incomplete or damaged"),
        (PNG, "../x", 422, "the file is incomplete or damaged"),
        (PNG + bytes(SETTINGS.max_body), None, 413, "request body exceeds 10 MiB"),
    ],
)
def test_invalid_files_are_refused(
    site: Site, send: Send, content: bytes, checksum: str | None, status: int, reason: str
) -> None:
    answer = send(site, content, checksum)
    assert (answer.status, answer.text[: len(reason)]) == (status, reason)
    assert site.stored() == {}


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (form(PNG, "other"), FORM, 400),
        (form(PNG)[:-8], FORM, 400),
        (PNG, {"Content-Type": "image/png"}, 415),
        (b"file=x", {"Content-Type": "application/x-www-form-urlencoded"}, 400),
    ],
)
def test_invalid_forms_are_refused(site: Site, content: bytes, headers: dict[str, str], status: int) -> None:
    assert site.client.post("/files", content=content, headers=headers).status == status
    assert site.stored() == {}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/files", 405),
        ("PUT", "/files/a.png", 405),
        ("GET", "/files/a.png", 404),
        ("GET", "/files/..%2Fa.png", 404),
        ("GET", "/files/.hidden", 404),
    ],
)
def test_only_stored_files_are_served(site: Site, method: str, path: str, status: int) -> None:
    (site.directory / ".hidden").touch()
    assert site.client.request(method, path).status == status


@pytest.mark.system
def test_an_upload_that_is_interrupted_leaves_no_file(tmp_path: Path) -> None:
    with ServerProcess("0", str(tmp_path), command=("-m", "tests.applications.checked_upload")) as server:
        client = server.connect()
        client.send_head("PUT", "/files", f"Content-Length: {len(PNG)}", "Expect: 100-continue")
        assert client.read_head() == b"HTTP/1.1 100 Continue"
        client.send(PNG[:-1])
        server.send_signal(signal.SIGINT)
        client.close()
        assert (server.exit_code(), list(tmp_path.iterdir())) == (0, [])
