"""Every error that a person can meet in a browser is a page; other clients get one line of text."""

import pytest

from reactor.allowed_hosts import AllowedHosts
from reactor.basic_auth import AuthRouter, digest
from reactor.http11.errors import HTTPError
from reactor.http11.message import Request, Response
from reactor.routing import Router, buffered
from tests.support.in_process import Answer, Harness

BROWSER = "Accept: text/html,*/*;q=0.8"
LARGE = "Content-Length: 99"


def routes(router: Router) -> Router:
    """Add routes that refuse requests, or fail."""

    @router.get("/gone")
    def gone(request: Request) -> Response:
        raise HTTPError(410, "the file is gone")

    @router.get("/broken")
    def broken(request: Request) -> Response:
        raise ValueError("the secret")

    router.post("/form", buffered(10))(lambda request: Response(200))
    return router


def answer(server: Harness, method: str, path: str, *lines: str) -> Answer:
    client = server.connect()
    head = "".join(f"{line}\r\n" for line in ("Host: test", *lines))
    client.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
    (found,) = client.responses(method)
    return found


ERRORS = [
    ("GET", "/none", (), 404),
    ("DELETE", "/gone", (), 405),
    ("BREW", "/gone", (), 501),
    ("GET", "/gone", (), 410),
    ("GET", "/broken", (), 500),
    ("POST", "/form", (LARGE,), 413),
]


@pytest.mark.parametrize(("method", "path", "lines", "status"), ERRORS)
def test_an_error_is_a_page_for_browsers_only(
    method: str, path: str, lines: tuple[str, ...], status: int
) -> None:
    with Harness(routes(Router())) as server:
        page = answer(server, method, path, *lines, BROWSER)
        text = answer(server, method, path, *lines)
    assert page.status == text.status == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.content.endswith(b'<nav><a href="./">Start page</a></nav>\n')
    assert text.content.count(b"\n") == 1
    assert text.content.strip() in page.content
    assert text.headers["content-type"] == "text/plain"
    assert page.headers["vary"] == text.headers["vary"] == "Accept"


def test_a_missing_password_and_a_host_that_is_not_allowed_are_pages() -> None:
    with Harness(routes(AuthRouter(digest("a:b")))) as server:
        page = answer(server, "GET", "/gone", BROWSER)
        assert (page.status, page.headers["www-authenticate"][:5]) == (401, "Basic")
        assert b"<h1>Unauthorized</h1>" in page.content
    with Harness(routes(Router()), allowed_hosts=AllowedHosts()) as server:
        page = answer(server, "GET", "/gone", BROWSER)
        assert page.status == 403
        assert b"host not allowed: &#x27;test&#x27;" in page.content


def test_head_has_the_headers_of_the_page() -> None:
    with Harness(routes(Router())) as server:
        head, get = (answer(server, method, "/gone", BROWSER) for method in ("HEAD", "GET"))
    assert (head.status, head.headers, head.content) == (410, get.headers, b"")


def test_a_head_that_stays_incomplete_is_a_page_and_a_malformed_one_is_text() -> None:
    with Harness(routes(Router())) as server:
        client = server.connect()
        client.send(f"GET /a/b HTTP/1.1\r\nHost: test\r\n{BROWSER}\r\n".encode())
        server.clock.advance(100)
        assert client.assert_responds(408).content.endswith(b'<nav><a href="./">Start page</a></nav>\n')
        refused = answer(server, "GET", "/gone", BROWSER, "Content-Length: x")
        assert refused.headers["content-type"] == "text/plain"
