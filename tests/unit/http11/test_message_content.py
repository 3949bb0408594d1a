"""What a request offers to its handler: the query, cookies and the decoded body; errors become responses."""

import pytest

from reactor.http11.message import Request, Response
from reactor.http11.multidict import MultiDict
from reactor.routing import Router
from tests.support.in_process import Answer, Harness
from tests.support.requests import request as written
from tests.unit.http11.deliver import get
from tests.unit.http11.test_message import request_of

routes = Router()


@routes.get("/args")
def args(request: Request) -> Response:
    return Response.text(f"{request.args['x']} {request.args.get('y')}")


@routes.get("/cookies")
def cookies(request: Request) -> Response:
    return Response.text(f"{request.cookies['x']} {request.cookies.get('y')}")


@routes.post("/text")
def text(request: Request) -> Response:
    return Response.text(request.text())


@routes.post("/json")
def json(request: Request) -> Response:
    return Response.json([request.json()])


@routes.post("/form")
def form(request: Request) -> Response:
    form = request.form()
    return Response.text(f"{form['x']} {form.get('y')} {list(form.files)}")


@routes.post("/file")
def file(request: Request) -> Response:
    return Response(200, request.form().files["x"].content)


def ask(path: str, *lines: str, content: bytes = b"") -> Answer:
    with Harness(routes) as server:
        client = server.connect()
        client.send(written(path, *lines, method="POST" if content else "GET", content=content))
        (answer,) = client.responses()
        client.assert_open()
        return answer


FORM = "Content-Type: application/x-www-form-urlencoded"
PARTS = "Content-Type: multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="x"; filename="f"\r\n\r\n\0\xff\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("path", "lines", "content", "expected"),
    [
        ("/args?x=a+b&x=c", [], b"", "a b None"),
        ("/cookies", ["Cookie: x=1", "Cookie: y=2; x=3"], b"", "1 2"),
        ("/text", [], b"\xc3\xa9", "\xe9"),
        ("/text", ["Content-Type: text/plain; charset=iso-8859-1"], b"\xe9", "\xe9"),
        ("/json", ["Content-Type: application/json"], b'{"a":1}', '[{"a":1}]'),
        ("/form", [FORM], b"x=1&y=%C3%A9", "1 \xe9 []"),
        ("/file", [PARTS], FILE, b"\0\xff"),
    ],
)
def test_a_handler_gets_what_the_client_sent(
    path: str, lines: list[str], content: bytes, expected: str | bytes
) -> None:
    answer = ask(path, *lines, content=content)
    wanted = expected.encode() if isinstance(expected, str) else expected
    assert (answer.status, answer.content) == (200, wanted)


@pytest.mark.parametrize(
    ("path", "lines", "content", "status", "reason"),
    [
        ("/args", [], b"", 400, "missing field: 'x'"),
        ("/args?x=%FF", [], b"", 400, "the query is not valid UTF-8"),
        ("/cookies", [], b"", 400, "missing cookie: 'x'"),
        ("/text", [], b"\xff", 400, "request body is not valid utf-8: byte 0"),
        ("/json", [], b"{}", 415, "missing Content-Type (expected Content-Type: application/json)"),
        ("/json", ["Content-Type: application/json"], b"{", 400, "invalid JSON: Expecting property name"),
        ("/form", [FORM], b"y=1", 400, "missing field: 'x'"),
        ("/form", [PARTS], FILE, 400, "missing field: 'x'"),
        ("/file", [FORM], b"x=1", 400, "missing file: 'x'"),
        ("/form", [], b"x=1", 415, "missing Content-Type (expected Content-Type: application/x-www"),
    ],
)
def test_a_refusal_is_one_line_and_keeps_the_connection(
    path: str, lines: list[str], content: bytes, status: int, reason: str
) -> None:
    answer = ask(path, *lines, content=content)
    assert (answer.status, answer.content.count(b"\n")) == (status, 1)
    assert answer.content.decode().startswith(reason)


def test_a_request_without_a_query_has_no_args() -> None:
    for data in (get(), get(target=b"/?")):
        assert request_of(data).args == MultiDict()
