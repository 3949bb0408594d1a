"""``GET /`` with a shared directory: its page for browsers, 200 with an empty body for other clients."""

import re
from contextlib import closing

import pytest

from reactor import handlers
from reactor.basic_auth import AuthRouter, digest
from reactor.handlers.files.media_types import guess
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, post, request

BROWSER = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def links_of(page: str) -> list[str]:
    return re.findall(r'(?:href|action)="(?!data:)([^"]*)"', page)


@pytest.mark.parametrize("query", ["", "?sort=size&order=desc"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_browser_gets_the_page_of_the_directory(
    shared: Shared, client: Client, query: str, coding: str
) -> None:
    (shared.path / "a b&c").touch()
    page = client.get("/files/" + query, BROWSER, f"Accept-Encoding: {coding}")
    front = client.get("/" + query, BROWSER, f"Accept-Encoding: {coding}")
    assert front.headers == page.headers
    if coding == "identity":
        text, expected = front.content.decode(), page.content.decode()
        assert links_of(text)[-3:] == ["files/below/", "files/a%20b%26c", "files/file"] or query
        assert text.replace('="files/', '="') == expected.replace('="./', '="')


@pytest.mark.parametrize("line", ["X: 1", "Accept: */*", "Accept: application/json", "Accept: text/html;q=0"])
def test_other_clients_get_an_empty_body(client: Client, line: str) -> None:
    answer = client.get("/", line)
    assert answer.content == b""
    assert set(answer.headers) == {"date", "content-length", "vary"}
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("line", ["X: 1", BROWSER])
def test_without_a_directory_it_is_empty_and_does_not_vary(line: str) -> None:
    with Harness() as server:
        answer = server.connect().get("/", line)
    assert answer.content == b""
    assert set(answer.headers) == {"date", "content-length"}


@pytest.mark.parametrize("line", ["X: 1", BROWSER])
def test_head_is_get_without_content(client: Client, line: str) -> None:
    head = request(client, "HEAD", "/", line)
    assert (head.status, head.headers) == (200, client.get("/", line).headers)


def test_an_upload_from_the_front_page_goes_to_the_directory(shared: Shared, client: Client) -> None:
    page = client.get("/", BROWSER).content.decode()
    assert '<form id="upload" method="post" enctype="multipart/form-data" action="files/">' in page
    assert post(client, "/", b"abc").status == 405
    shared.assert_untouched()


def test_a_read_only_server_shows_no_upload(store: Store) -> None:
    with Harness(handlers.build(store, read_only=True)) as server:
        assert b"<form" not in server.connect().get("/", BROWSER).content


@pytest.mark.parametrize("line", ["X: 1", BROWSER])
def test_a_password_is_required(store: Store, line: str) -> None:
    with Harness(handlers.build(store, routes=AuthRouter(digest("a:b")))) as server:
        assert request(server.connect(), "GET", "/", line).status == 401
        assert server.connect().get("/", line, "Authorization: Basic YTpi").status == 200


def test_a_site_with_pages_is_at_its_own_url(shared: Shared) -> None:
    (shared.path / "index.html").write_bytes(b'<img src="logo.png">')
    with closing(Store(shared.path, media_type=guess)) as store, Harness(store=store) as server:
        client = server.connect()
        front = request(client, "GET", "/", BROWSER)
        assert (front.status, front.headers["location"], front.headers["vary"]) == (302, "./files/", "Accept")
        assert client.get("/files/", BROWSER).content == b'<img src="logo.png">'
        assert client.get("/").content == b""
