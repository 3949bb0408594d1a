"""The constructors of responses: what they send, and what they refuse."""

import pytest

from reactor.http11.message import HeaderPairs, Response

JSON = ("Content-Type", "application/json")
TEXT = ("Content-Type", "text/plain; charset=utf-8")
HTML = ("Content-Type", "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("response", "status", "content", "headers"),
    [
        (Response.text("\xe9", 201, {"X-A": "1"}), 201, b"\xc3\xa9", (TEXT, ("X-A", "1"))),
        (Response.html("<p>", headers=[("X-A", "1")]), 200, b"<p>", (HTML, ("X-A", "1"))),
        (Response.json({"a": ["\xe9", 1, None]}), 200, b'{"a":["\xc3\xa9",1,null]}', (JSON,)),
        (Response.json([], 404), 404, b"[]", (JSON,)),
        (Response.redirect("./a b\xe9?x=%20\r\n"), 302, b"", (("Location", "./a%20b%C3%A9?x=%20%0D%0A"),)),
        (Response.redirect("/", 303, {"X-A": "1"}), 303, b"", (("Location", "/"), ("X-A", "1"))),
        (Response(200, b"", {"X-A": "1", "X-B": "2"}), 200, b"", (("X-A", "1"), ("X-B", "2"))),
        (Response(200, b"", [("X-A", "1"), ("X-A", "2")]), 200, b"", (("X-A", "1"), ("X-A", "2"))),
    ],
)
def test_constructors(response: Response, status: int, content: bytes, headers: HeaderPairs) -> None:
    assert (response.status, response.content, response.headers) == (status, content, headers)


def test_a_stream_is_not_read_before_it_is_sent() -> None:
    chunks = iter([b"a", b"b"])
    response = Response.stream(chunks, 202)
    assert (response.status, list(chunks)) == (202, [b"a", b"b"])
    assert response.headers == (("Content-Type", "application/octet-stream"),)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes", {"a": object()}])
def test_what_json_cannot_express_is_an_error(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Response.json(value)


@pytest.mark.parametrize("status", [200, 300, 304, 404])
def test_only_redirects_redirect(status: int) -> None:
    with pytest.raises(ValueError, match=f"invalid redirect status: {status}"):
        Response.redirect("/", status)
