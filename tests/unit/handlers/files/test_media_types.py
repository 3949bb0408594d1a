"""Media types by file extension, and which files are compressed."""

from contextlib import closing

import pytest

from reactor.handlers.files.media_types import OCTET_STREAM, binary, file_type, guess
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, request


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("data.json", "application/json; charset=utf-8"),
        ("logo.svg", "image/svg+xml; charset=utf-8"),
        ("photo.jpeg", "image/jpeg"),
        ("archive.tar.gz", OCTET_STREAM),
        ("page.html.gz", OCTET_STREAM),
        ("README", OCTET_STREAM),
        ("strange.\u00e4\u00f6\u00fc", OCTET_STREAM),
        ("http://x/y.html", "text/html; charset=utf-8"),
        ("data:text/html,x", OCTET_STREAM),
        ("", OCTET_STREAM),
    ],
)
def test_types_are_guessed_by_name_only(name: str, media_type: str) -> None:
    assert guess(name) == media_type
    assert binary(name) == OCTET_STREAM


def test_types_are_guessed_only_with_the_option(shared: Shared, client: Client) -> None:
    (shared.path / "page.html").write_bytes(b"<script>alert(1)</script>")
    assert client.get("/files/page.html").headers["content-type"] == OCTET_STREAM
    with closing(Store(shared.path, media_type=guess)) as store, Harness(store=store) as server:
        answer = server.connect().get("/files/page.html")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_type_depends_on_name_and_first_bytes() -> None:
    assert file_type("a.txt", binary, b"text").compressible
    assert not file_type("a.zip", binary, b"text").compressible
    assert not file_type("a.txt", binary, b"PK\x03\x04....").compressible


def test_a_site_is_served_with_its_index_pages(shared: Shared) -> None:
    (shared.path / "index.html").write_bytes(b"<h1>Home</h1>")
    (shared.path / "below" / "style.css").write_bytes(b"p {}")
    with closing(Store(shared.path, media_type=guess)) as store, Harness(store=store) as server:
        client = server.connect()
        page = client.get("/files/")
        assert (page.content, page.headers["content-type"]) == (b"<h1>Home</h1>", "text/html; charset=utf-8")
        lines = [f"If-None-Match: {page.headers['etag']}"]
        assert request(client, "GET", "/files/", *lines).status == 304
        assert client.get("/files/below/").content.split() == [b"file", b"style.css"]
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        assert b"index.html" in server.connect().get("/files/").content
