"""A single file instead of a directory: only its name is there, and nothing can be changed."""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from reactor import handlers
from reactor.handlers.files.media_types import guess
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import (
    Shared,
    no_descriptor_leaks,
    read,
    request,
)

TEXT = b"the same words again and again, " * 100


@contextmanager
def serving(path: Path) -> Iterator[Client]:
    """Serve a single file, with all that a directory permits turned on."""
    with closing(Store(path, hidden=True, media_type=guess, precompressed=True)) as store:
        routes = handlers.build(store, allow_delete=True, resumable=1000)
        with Harness(routes) as server:
            yield server.connect()


@pytest.fixture
def client(shared: Shared) -> Iterator[Client]:
    (shared.path / "text").write_bytes(TEXT)
    for suffix, content in ((".gz", gzip.compress(b"another file")), (".br", b"?"), (".zst", b"?")):
        (shared.path / f"text{suffix}").write_bytes(content)
    shared.original_files = shared.files()
    with serving(shared.path / "text") as client:
        yield client


def status_of(client: Client, method: str, path: str, *lines: str, content: bytes = b"") -> int:
    """Send a request on a connection of its own; return the status."""
    fields = lines if method == "GET" else (*lines, f"Content-Length: {len(content)}")
    return request(client.server.connect(), method, path, *fields, content=content).status


def listed(client: Client) -> list[str]:
    answer = client.get("/files/", "Accept: application/json")
    return [each["name"] for each in json.loads(answer.content)["entries"]]


OTHERS = [
    "file",
    "text.gz",
    "text/",
    "text/text",
    "below/",
    "below/file",
    "below/../text",
    "./text",
    "..",
    "../shared/text",
    "/text",
    ".",
    "TEXT",
    "text%2Ftext",
    "index.html",
    "outside",
]


def test_the_file_is_served_and_listed_alone(client: Client) -> None:
    assert (client.get("/files/text").content, listed(client)) == (TEXT, ["text"])
    page = client.get("/files/", "Accept: text/html").content
    assert b'href="text"' in page
    assert b"<form" not in page
    assert client.get("/files/", "User-Agent: curl", "Accept: text/plain").content == b"text\n"


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("query", ["", "?view", "?archive", "?sort=name"])
def test_any_other_name_is_404(client: Client, name: str, query: str) -> None:
    for lines in ((), ("Accept: text/html",), ("Accept-Encoding: gzip",), ("Range: bytes=0-1",)):
        assert status_of(client, "GET", f"/files/{name}{query}", *lines) == 404


@pytest.mark.parametrize("name", ["text", "new", "", *OTHERS])
def test_the_file_cannot_be_changed(client: Client, shared: Shared, name: str) -> None:
    path = f"/files/{name}"
    for method, line in (
        ("POST", "Content-Type: application/octet-stream"),
        ("POST", "Content-Type: multipart/form-data; boundary=x"),
        ("PUT", "If-None-Match: *"),
        ("PUT", "Upload-Complete: ?0"),
        ("DELETE", "If-Match: *"),
    ):
        assert status_of(client, method, path, line, content=b"x") == 405
    assert status_of(client, "PATCH", "/uploads/token", content=b"x") == 404
    shared.assert_untouched()


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_precompressed_variant_is_another_file(shared: Shared, coding: str) -> None:
    for suffix, content in (
        ("", TEXT),
        (".gz", gzip.compress(b"another file")),
        (".br", b"?"),
        (".zst", b"?"),
    ):
        (shared.path / f"text.txt{suffix}").write_bytes(content)
    with serving(shared.path / "text.txt") as client:
        content = client.get("/files/text.txt", f"Accept-Encoding: {coding}").content
        assert (gzip.decompress(content) if coding == "gzip" else content) == TEXT


def test_a_replacement_of_the_file_is_served(client: Client, shared: Shared) -> None:
    assert client.get("/files/text").content == TEXT
    (shared.path / "new").write_bytes(b"new")
    (shared.path / "new").rename(shared.path / "text")
    assert (client.get("/files/text").content, listed(client)) == (b"new", ["text"])


def remove(path: Path) -> None:
    path.unlink()


def replace_by_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "file")


def replace_by_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "text").write_bytes(b"secret")


@pytest.mark.parametrize("change", [remove, replace_by_a_link, replace_by_a_directory])
def test_without_the_file_there_is_nothing(
    client: Client, shared: Shared, change: Callable[[Path], None]
) -> None:
    assert client.get("/files/text").content == TEXT
    change(shared.path / "text")
    assert listed(client) == []
    for name in ("text", "text/", "text/text"):
        assert status_of(client, "GET", f"/files/{name}") == 404


@pytest.mark.parametrize("name", [".profile", ".reactor-upload-1-1", "a\\b", "a b%", "ä\n"])
def test_hidden_and_special_names_are_served(shared: Shared, name: str) -> None:
    (shared.path / name).write_bytes(b"named")
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    with serving(shared.path / name) as client:
        assert (client.get(f"/files/{quoted}").content, listed(client)) == (b"named", [name])


def test_a_link_names_its_target(shared: Shared, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("chain")
    (tmp_path / "chain").symlink_to(shared.path / "file")
    with serving(tmp_path / "link") as client:
        assert (client.get("/files/link").content, listed(client)) == (b"inside", ["link"])
        assert [status_of(client, "GET", f"/files/{each}") for each in ("file", "chain")] == [404, 404]
        (shared.path / "new").write_bytes(b"new")
        (shared.path / "new").rename(shared.path / "file")
        assert client.get("/files/link").content == b"new"
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to(shared.outside / "file")  # followed once only, at the start
        assert client.get("/files/link").content == b"new"


def test_a_relative_path_names_the_file(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shared.path / "below")
    with closing(Store("../file")) as store:
        monkeypatch.chdir(tmp_path)
        assert read(store, "file") == b"inside"


def test_a_page_is_served_instead_of_the_listing(shared: Shared) -> None:
    (shared.path / "index.html").write_bytes(b"<p>page")
    with serving(shared.path / "index.html") as client:
        assert client.get("/files/").content == b"<p>page"


@pytest.mark.parametrize("path", ["file/", "missing", "file/below", "pipe", "a\0b"])
def test_a_path_that_cannot_be_shared_raises(shared: Shared, path: str) -> None:
    os.mkfifo(shared.path / "pipe")
    with no_descriptor_leaks(), pytest.raises((OSError, ValueError)):
        Store(f"{shared.path}/{path}")


def test_a_file_that_cannot_be_read_raises(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    open_any = os.open

    def open_others(path: str, *arguments: Any, **named: Any) -> int:
        if os.path.basename(path) == "file":
            raise PermissionError
        return open_any(path, *arguments, **named)

    monkeypatch.setattr(os, "open", open_others)
    with no_descriptor_leaks(), pytest.raises(PermissionError):
        Store(shared.path / "file")
