"""A shared directory below a prefix: every link, Location and form action stays below it, and works.

Both ways are crawled as a browser does: the proxy keeps the prefix (``--prefix``), or removes it and sends
X-Forwarded-Prefix.
"""

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from reactor import handlers
from reactor.handlers.files.media_types import guess
from reactor.handlers.files.store import Store
from reactor.http11.errors import HTTPError
from reactor.http11.message import Request
from tests.support.in_process import Answer, Client, Harness

PROXY = "192.0.2.99"
HTML = "Accept: text/html"
RESUMABLE = ("Upload-Complete: ?0", "Upload-Draft-Interop-Version: 8")
NAMES = ("a.txt", "with space.txt", "café & <b>.txt", "a:b", "100%.txt", "#?.txt")
ORIGIN = "http://test"


class Site:
    """What a browser sees through a proxy; ``prefix`` is that of the URLs."""

    def __init__(self, client: Client, prefix: str, removed: str) -> None:
        self._client = client
        self.prefix = prefix
        self._removed = removed

    def send(self, url: str, *lines: str, method: str = "GET", content: bytes = b"") -> Answer:
        """Send a request for a URL, as the proxy forwards it; return the last response."""
        parts = urlsplit(url)
        assert url.startswith(f"{ORIGIN}/"), url
        assert (parts.path + "/").startswith(f"{self.prefix}/"), url
        path = parts.path.removeprefix(self._removed) or "/"
        fields = [f"Content-Length: {len(content)}"] if method in ("POST", "PUT", "PATCH") else []
        if self._removed:
            fields.append(f"X-Forwarded-Prefix: {self._removed}")
        target = f"{path}?{parts.query}" if parts.query else path
        head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: test", *lines, *fields, "", ""])
        self._client.send(head.encode() + content)
        answers = self._client.responses(method, method)
        return answers[-1]

    def url(self, path: str) -> str:
        return f"{ORIGIN}{self.prefix}{path}"


@contextmanager
def site(tmp_path: Path, way: str, pages: bool = False) -> Iterator[Site]:
    own, removed = {
        "kept": ("/own", ""),
        "removed": ("", "/gone/d%C3%A9ep"),
        "both": ("/own%20one", "/gone"),
    }[way]
    for directory in ("", "below", "below/deeper"):
        (tmp_path / directory).mkdir(exist_ok=True)
        for name in NAMES:
            (tmp_path / directory / name).write_bytes(b"content")
    with closing(Store(tmp_path, media_type=guess) if pages else Store(tmp_path)) as store:
        routes = handlers.build(store, allow_delete=True, resumable=1000)
        with Harness(routes, prefix=own, trusted_proxies=[PROXY]) as server:
            yield Site(server.connect(PROXY), removed + own, removed)


def links(answer: Answer) -> list[str]:
    """Return the URLs of links and forms of a page, and that of a redirect."""
    found = [answer.headers["location"]] if "location" in answer.headers else []
    if answer.headers.get("content-type", "").startswith("text/html"):
        found += re.findall(r' (?:href|action)="([^"]*)"', answer.content.decode())
    return [unescape(each) for each in found if not each.startswith("data:")]


WAYS = pytest.mark.parametrize("way", ["kept", "removed", "both"])


@WAYS
def test_every_link_from_the_start_page_works(way: str, tmp_path: Path) -> None:
    with site(tmp_path, way) as one:
        pending = [one.url("/"), one.url(""), one.url("/files"), one.url("/files/below")]
        if way == "removed":
            pending.remove(one.url(""))  # the proxy sends "/", or redirects by itself
        seen: dict[str, int] = {}
        while pending:
            url = pending.pop().partition("#")[0]
            if url not in seen:
                answer = one.send(url, HTML)
                seen[url] = answer.status
                pending += [urljoin(url, link) for link in links(answer)]
    assert {url: status for url, status in seen.items() if status not in (200, 301, 308)} == {}
    files = [url for url in seen if url.endswith((".txt", "a:b", "a%3Ab"))]
    assert len(files) == 3 * len(NAMES)
    assert one.url("/files/below/deeper/") in seen


@WAYS
@pytest.mark.parametrize(
    ("path", "parent", "status"),
    [
        ("/nothing", "/", 200),
        ("/files/nothing", "/files/", 200),
        ("/files/below/x/", "/files/below/", 200),
        ("/files/below/no/one", "/files/below/no/", 404),
    ],
)
def test_the_links_of_an_error_page_work(
    way: str, path: str, parent: str, status: int, tmp_path: Path
) -> None:
    with site(tmp_path, way) as one:
        url = one.url(path)
        answer = one.send(url, HTML)
        assert answer.status == 404
        found = [urljoin(url, link) for link in links(answer)]
        assert found == [*dict.fromkeys([one.url(parent), one.url("/")])]
        assert one.send(found[0], HTML).status == status


@WAYS
def test_the_location_of_an_upload_leads_to_the_file(way: str, tmp_path: Path) -> None:
    with site(tmp_path, way) as one:
        for name in ("new", "caf%C3%A9%20new", "a%3Ab2"):
            url = one.url(f"/files/below/{name}")
            answer = one.send(url, method="PUT", content=b"abc")
            assert answer.status == 201
            assert urljoin(url, answer.headers["location"]) == url
            assert one.send(url).content == b"abc"


@WAYS
def test_a_form_leads_back_to_its_page(way: str, tmp_path: Path) -> None:
    content = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nabc\r\n--x--\r\n'
    with site(tmp_path, way) as one:
        start = one.url("/")
        action = re.search('action="([^"]*)"', one.send(start, HTML).content.decode())
        assert action is not None
        url = urljoin(start, action[1])
        answer = one.send(
            url, "Content-Type: multipart/form-data; boundary=x", method="POST", content=content
        )
        assert answer.status == 303
        assert one.send(urljoin(url, answer.headers["location"]), HTML).status == 200
        assert one.send(urljoin(url, "f")).content == b"abc"


@WAYS
def test_an_upload_is_resumed_at_its_location(way: str, tmp_path: Path) -> None:
    with site(tmp_path, way) as one:
        url = one.url("/files/resumed")
        begun = one.send(url, *RESUMABLE, method="PUT", content=b"abc")
        assert begun.status == 201
        resource = urljoin(url, begun.headers["location"])
        assert one.send(resource, method="HEAD").headers["upload-offset"] == "3"
        lines = ("Content-Type: application/partial-upload", "Upload-Offset: 3", "Upload-Complete: ?1")
        done = one.send(resource, *lines, method="PATCH", content=b"def")
        assert done.status == 201
        assert urljoin(resource, done.headers["location"]) == url
        assert one.send(url).content == b"abcdef"


@WAYS
def test_the_location_in_an_interim_response_is_the_same(way: str, tmp_path: Path) -> None:
    with site(tmp_path, way) as one:
        one.send(one.url("/files/x"), *RESUMABLE, method="PUT", content=b"abc")
        one._client.received = b""
        client = one._client
        path = one.url("/files/y").removeprefix(ORIGIN).removeprefix(one._removed)
        removed = f"X-Forwarded-Prefix: {one._removed}\r\n" if one._removed else ""
        lines = "\r\n".join(RESUMABLE)
        client.send(
            f"PUT {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n{removed}{lines}\r\n\r\nabc".encode()
        )
        answers = client.responses("PUT", "PUT")
    assert [answer.status for answer in answers] == [104, 201]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert answers[0].headers["location"].startswith(f"{one.prefix}/uploads/")


@WAYS
def test_a_json_listing_has_the_path_of_its_url(way: str, tmp_path: Path) -> None:
    with site(tmp_path, way) as one:
        answer = one.send(one.url("/files/below/"), "Accept: application/json")
        assert json.loads(answer.content)["path"] == f"{unquote(one.prefix)}/files/below/"


@WAYS
def test_a_start_page_of_index_html_redirects_below_the_prefix(way: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>Hello")
    with site(tmp_path, way, pages=True) as one:
        answer = one.send(one.url("/"), HTML)
        if answer.status == 302:
            answer = one.send(urljoin(one.url("/"), answer.headers["location"]), HTML)
        assert answer.status == 200


def test_paths_outside_the_prefix_are_404_with_a_hint_and_a_way_back(tmp_path: Path) -> None:
    with site(tmp_path, "kept") as one:
        client = one._client
        for path in ("/", "/files/a.txt", "/owner/files/", "/Own/files/", "//own/files/"):
            answer = outside(client, path)
            text = answer.content.decode()
            assert "no resource at this path: all are below /own/" in text
            assert "X-Forwarded-Prefix" in text
            assert links(answer) == ["/own/"]
        client.send(b"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n")
        client.assert_responds(204)


def outside(client: Client, path: str) -> Answer:
    client.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n{HTML}\r\n\r\n".encode())
    return client.assert_responds(404)


def test_the_prefix_itself_redirects_with_its_query_and_method() -> None:
    with Harness(prefix="/a/b") as server:
        client = server.connect()
        for method in ("GET", "POST"):
            client.send(f"{method} /a/b?x=1 HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n".encode())
            assert client.assert_responds(308).headers["location"] == "./b/?x=1"


def test_an_encoded_prefix_is_compared_decoded() -> None:
    with Harness(prefix="/caf%C3%A9") as server:
        assert server.connect().get("/caf%c3%a9/echo/hi").content == b"hi"
        assert server.connect().get("/c%61f%C3%A9/echo/hi").content == b"hi"


def test_an_error_handler_answers_paths_outside_the_prefix() -> None:
    routes = handlers.build()

    @routes.error(404)
    def not_found(request: Request, error: HTTPError) -> str:
        return f"{request.prefix} {request.path} {error.status}"

    with Harness(routes, prefix="/own") as server:
        client = server.connect()
        client.send(b"GET /x HTTP/1.1\r\nHost: test\r\n\r\n")
        assert client.assert_responds(404).content == b"/own /x 404"
