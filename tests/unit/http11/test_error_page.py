"""Error responses: a page with a way back for clients that prefer HTML, one line of text for all others."""

import json
import re
from urllib.parse import unquote, urljoin

import pytest

from reactor.http11.error_page import error_response
from reactor.http11.errors import HTTPError, ProblemError, ProtocolError
from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request, Response
from reactor.http11.target import Target, read_target

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
HOSTILE = "<script>alert('x')</script>&\""


def answer(
    error: HTTPError, accept: str | None = BROWSER, path: str = "/files/x", method: str = "GET"
) -> Response:
    headers = Headers([] if accept is None else [("accept", accept, "Accept")])
    target = read_target("GET", path.encode()) if path else Target("", ())
    return error_response(Request(method, target, Head(1), headers), error)


def page(path: str, method: str = "GET") -> str:
    content = answer(HTTPError(404, "file not found"), path=path, method=method).content
    assert isinstance(content, bytes)
    return content.decode()


@pytest.mark.parametrize("accept", [None, "", "*/*", "text/plain", "application/json", "text/html;q=0, */*"])
def test_other_clients_get_one_line_of_text(accept: str | None) -> None:
    response = answer(HTTPError(404, "file not found"), accept)
    assert (response.status, response.content) == (404, b"file not found\n")
    assert response.headers == (("Content-Type", "text/plain"), ("Vary", "Accept"))


def test_a_browser_gets_a_page_that_names_the_error() -> None:
    response = answer(HTTPError(405, "method not allowed", (("Allow", "GET"),)))
    assert response.status == 405
    assert b"<h1>Method Not Allowed</h1>" in response.content  # type: ignore[operator]
    assert b"<p>Error 405: method not allowed</p>" in response.content  # type: ignore[operator]
    headers = dict(response.headers)
    assert headers["Allow"] == "GET"
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Vary"] == "Accept"
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; "
        r"form-action 'none'; base-uri 'none'; frame-ancestors 'none'; img-src data:",
        headers["Content-Security-Policy"],
    )


@pytest.mark.parametrize("accept", [None, BROWSER, "text/plain"])
def test_a_problem_is_json_for_every_client(accept: str | None) -> None:
    members: dict[str, str | int] = {"title": "Out of \u2603", "left": 3}
    response = answer(ProblemError(409, "none left", (("A", "b"),), "out-of-stock", members), accept)
    assert response.status == 409
    assert response.headers == (("Content-Type", "application/problem+json"), ("A", "b"))
    assert isinstance(response.content, bytes)
    assert json.loads(response.content) == {
        "type": "https://iana.org/assignments/http-problem-types#out-of-stock",
        "title": "Out of \u2603",
        "status": 409,
        "detail": "none left",
        "left": 3,
    }


def test_a_malformed_request_gets_text() -> None:
    response = answer(ProtocolError(400, "malformed host"))
    assert response.content == b"malformed host\n"
    assert response.headers == (("Content-Type", "text/plain"),)


@pytest.mark.parametrize(
    ("path", "links"),
    [
        ("/none", ["/"]),
        ("/", ["/"]),
        ("/files/", ["/"]),
        ("/files/x", ["/files/", "/"]),
        ("/files/photos/x", ["/files/photos/", "/"]),
        ("/files/photos/x/", ["/files/photos/", "/"]),
        ("/files/a%2Fb/x?sort=size", ["/files/a%2Fb/", "/"]),
        ("http://test/files/x", ["/files/", "/"]),
        ("http://test", ["/"]),
        ("", ["/"]),  # the request line could not be read
    ],
)
@pytest.mark.parametrize("prefix", ["http://test", "http://test/behind/a/proxy"])
def test_the_links_lead_to_the_folder_and_to_the_start(path: str, links: list[str], prefix: str) -> None:
    found = re.findall(r'<a href="([^"]*)">', page(path))
    assert all(re.fullmatch(r"\./|(\.\./)+", link) for link in found)
    address = prefix + (path.removeprefix("http://test") or "/")
    assert [urljoin(address, link) for link in found] == [prefix + link for link in links]
    assert re.findall("<bdi>([^<]*)</bdi>", page(path)) == [unquote(link) for link in links[:-1]]


def test_a_form_that_is_refused_leads_back_to_its_page() -> None:
    found = re.findall(r'<a href="(.*?)"><bdi>(.*?)</bdi>', page("/files/photos/", "POST"))
    assert found == [("./", "/files/photos/")]


def test_a_path_that_begins_with_two_slashes_leads_to_no_other_host() -> None:
    assert re.findall(r'href="([^"]*)"', page("//evil.example/x"))[1:] == ["./", "../../"]


def test_the_folder_is_shown_decoded() -> None:
    assert "<bdi>/files/my photos/</bdi></a>" in page("/files/my%20photos/x")


def test_neither_the_path_nor_the_reason_can_inject_markup() -> None:
    quoted = "".join(f"%{byte:02X}" for byte in HOSTILE.encode())
    content = answer(HTTPError(403, HOSTILE), path=f"/files/{quoted}/x?{quoted}").content
    assert isinstance(content, bytes)
    text = content.decode()
    assert "<script" not in text
    escaped = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;&quot;"
    assert text.count(escaped) == 2
