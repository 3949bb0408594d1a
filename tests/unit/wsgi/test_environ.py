"""The environ: every variable of PEP 3333 and CGI, the path of a mounted application, and headers."""

import pytest

from reactor.http11.message import Response
from reactor.routing import Router
from reactor.wsgi import mount
from tests.support.in_process import Harness
from tests.support.requests import request
from tests.unit.wsgi.sites import Fixed, exchange


def environ_of(sent: bytes, path: str = "/") -> dict[str, object]:
    app, routes = Fixed([b""]), Router()
    mount(routes, app, path)
    with Harness(routes) as server:
        client = server.connect("192.0.2.7")
        client.send(sent)
        client.assert_responds()
    (environ,) = app.environ
    assert type(environ) is dict
    return environ


def test_the_environ_of_a_get_request() -> None:
    environ = environ_of(request("/a/b?x=1&y=%20", "Accept: text/html"))
    expected = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "HTTP_ACCEPT": "text/html",
        "HTTP_HOST": "test",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "x=1&y=%20",
        "RAW_URI": "/a/b?x=1&y=%20",
        "REMOTE_ADDR": "192.0.2.7",
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/a/b?x=1&y=%20",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input_terminated": True,
        "wsgi.multiprocess": False,
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
    }
    others = {"SERVER_SOFTWARE", "wsgi.errors", "wsgi.file_wrapper", "wsgi.input"}
    assert environ.keys() == expected.keys() | others
    assert {name: environ[name] for name in expected} == expected
    assert str(environ["SERVER_SOFTWARE"]).startswith("reactor/")


@pytest.mark.parametrize(
    ("mounted", "target", "script_name", "path_info"),
    [
        ("/", "/", "", "/"),
        ("/", "/a%20b/%C3%A9", "", "/a b/Ã©"),
        ("/", "/a%2Fb", "", "/a/b"),
        ("/", "//a/", "", "//a/"),
        ("/shop", "/shop", "/shop", ""),
        ("/shop", "/shop/", "/shop", "/"),
        ("/shop", "/sh%6Fp/a/b", "/shop", "/a/b"),
        ("/shop/", "/shop", "/shop", ""),
        ("/shop/", "/shop/a", "/shop", "/a"),
        ("/a/b", "/a/b/c", "/a/b", "/c"),
        ("/é", "/%C3%A9/%E2%82%AC", "/Ã©", "/â\x82¬"),
        ("/", "http://other.test:81/a?b", "", "/a"),
    ],
)
def test_the_path_is_split_where_the_application_is_mounted(
    mounted: str, target: str, script_name: str, path_info: str
) -> None:
    environ = environ_of(request(target), mounted)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, path_info)
    assert environ["RAW_URI"] == target
    assert environ["HTTP_HOST"] == ("other.test:81" if "other" in target else "test")


@pytest.mark.parametrize(
    ("lines", "name", "value"),
    [
        (("X-A: 1", "x-a: 2"), "HTTP_X_A", "1,2"),
        (("Cookie: a=1", "Cookie: b=2"), "HTTP_COOKIE", "a=1; b=2"),
        (("X_A: spoofed", "X-A: 1"), "HTTP_X_A", "1"),
        (("X_A: spoofed",), "HTTP_X_A", None),
        (("Proxy: http://evil.test",), "HTTP_PROXY", None),
        (("Content-Type: text/plain",), "CONTENT_TYPE", "text/plain"),
        (("Content-Type: text/plain",), "HTTP_CONTENT_TYPE", None),
        (("Content_Length: 5",), "HTTP_CONTENT_LENGTH", None),
        (("Content-Length: 0",), "CONTENT_LENGTH", "0"),
        ((), "CONTENT_LENGTH", None),
        (("X-Latin: \xe9",), "HTTP_X_LATIN", "\xe9"),
    ],
)
def test_headers_become_variables(lines: tuple[str, ...], name: str, value: str | None) -> None:
    assert environ_of(request("/", *lines)).get(name) == value


def test_a_chunked_body_has_its_size_and_no_transfer_encoding() -> None:
    app = Fixed()
    sent = request("/", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    exchange(app, sent)
    assert app.bodies == [b"abcde"]
    assert app.environ[0]["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in app.environ[0]


def test_each_request_gets_an_environ_of_its_own() -> None:
    app = Fixed()
    exchange(app, request() + request())
    first, second = app.environ
    assert first is not second
    assert first["wsgi.input"] is not second["wsgi.input"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_every_method_reaches_the_application(method: str) -> None:
    app = Fixed([b"here"])
    assert exchange(app, request(method=method)).data.endswith(b"here")
    assert app.environ[0]["REQUEST_METHOD"] == method


def test_more_specific_routes_take_precedence() -> None:
    routes = Router()
    mount(routes, Fixed([b"application"]))
    routes.get("/health")(lambda _: Response.text("well"))
    mount(routes, Fixed([b"shop"]), "/shop")
    with Harness(routes) as server:
        client = server.connect()
        assert client.get("/health").content == b"well"
        assert client.get("/health/x").content == b"application"
        assert client.get("/shop/x").content == b"shop"
        assert client.get("/shops").content == b"application"


@pytest.mark.parametrize("path", ["", "shop", "/{name}", "//"])
def test_an_invalid_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="invalid path of a WSGI application"):
        mount(Router(), Fixed(), path)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="invalid WSGI application: 5"):
        mount(Router(), 5)  # type: ignore[arg-type]


def test_errors_are_logged_line_by_line(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ, start_response):  # type: ignore[no-untyped-def]
        print("one\ntwo", file=environ["wsgi.errors"])
        environ["wsgi.errors"].writelines(["th", "ree\n", "x" * 9000])
        assert caplog.records[-1].getMessage().endswith("x"), "an incomplete line without a limit"
        environ["wsgi.errors"].writelines(["\n", "x" * 9000, "\n", "fo"])
        environ["wsgi.errors"].write("ur")
        environ["wsgi.errors"].flush()
        start_response("204 No Content", [])
        return []

    exchange(app)
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    texts = [record.getMessage() for record in caplog.records]
    assert texts[:3] == ["application: one", "application: two", "application: three"]
    assert "".join(text.removeprefix("application: ") for text in texts[3:]) == "x" * 18_000 + "four"
    assert max(map(len, texts)) < 8300
