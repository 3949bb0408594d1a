"""Results of handlers, and responses to errors, as clients get them."""

import gc
import logging
import warnings
import weakref
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from reactor import Deferred, HTTPError, Request, Response
from reactor.allowed_hosts import AllowedHosts
from reactor.basic_auth import AuthRouter, digest
from reactor.http11.deferred import Steps
from reactor.http11.message import HeaderPairs, LiveStream
from reactor.http11.results import Result
from reactor.routing import Handler, Router, buffered
from tests.support.in_process import Answer, Harness
from tests.support.requests import answering, request

AUTHORIZATION = f"Authorization: Basic {b64encode(b'anna:secret').decode()}"


def steps_to(result: Result) -> Steps:
    yield int
    return result


def resolved(result: Result) -> Deferred:
    deferred = Deferred()
    deferred.resolve(result)
    return deferred


WAYS: dict[str, Callable[[Result], Result | Deferred]] = {
    "returned": lambda result: result,
    "of steps": lambda result: Deferred(steps_to(result)),
    "resolved": resolved,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("result", "content_type", "content"),
    [
        ("<b>", "text/plain; charset=utf-8", b"<b>"),
        (b"<b>", "application/octet-stream", b"<b>"),
        ({"a": 1}, "application/json", b'{"a":1}'),
        ([1], "application/json", b"[1]"),
    ],
    ids=["str", "bytes", "dict", "list"],
)
def test_a_handler_returns_text_bytes_or_json(
    way: str, result: Result, content_type: str, content: bytes
) -> None:
    routes = Router()
    routes.get("/")(lambda _: WAYS[way](result))
    with Harness(routes) as server:
        answer = server.connect().get("/")
    assert (answer.headers["content-type"], answer.content) == (content_type, content)


# Invalid results.


async def async_handler(request: Request) -> Response:
    return Response()


def no_result(request: Request) -> None:
    """Return nothing."""


def no_result_of_steps(request: Request) -> Deferred:
    return Deferred(steps_to(None))  # type: ignore[arg-type]


def deferred_of_steps(request: Request) -> Deferred:
    return Deferred(steps_to(Deferred()))  # type: ignore[arg-type]


def coroutine_of_steps(request: Request) -> Deferred:
    return Deferred(steps_to(async_handler(request)))  # type: ignore[arg-type]


def pieces(request: Request) -> Iterator[bytes]:
    yield b""


@pytest.mark.parametrize("has_password", [False, True])
@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (no_result, "None (expected a Response, str, bytes, dict or list; no return statement?)"),
        (async_handler, "coroutine (expected .*; handlers are plain functions, not async)"),
        (pieces, r"generator (expected .*; to send what a generator yields, return Response.stream(...))"),
        (no_result_of_steps, "None (expected .*; no return statement?)"),
        (deferred_of_steps, "Deferred (expected .*)"),
        (coroutine_of_steps, "coroutine (expected .*; handlers are plain functions, not async)"),
    ],
)
def test_the_log_names_the_handler_and_what_it_returned(
    has_password: bool, handler: Handler, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    routes = AuthRouter(auth=digest("anna:secret")) if has_password else Router()
    routes.get("/items/{id}")(handler)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Harness(routes) as server:
            client = server.connect()
            client.send(request("/items/1", AUTHORIZATION))
            client.assert_responds(500)
            client.send(request("/items/1", AUTHORIZATION))
            client.assert_responds(500)
    where = f"{__name__}.{handler.__name__} of GET /items/{{id}} returned "
    for record in caplog.records:
        before, text = record.getMessage().split(where)
        assert before == "c1: the handler "
        start, _, end = kind.partition(".*")
        assert text.startswith(start)
        assert text.endswith(end)
        assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    assert len(caplog.records) == 2


def test_a_wrong_result_without_a_client_is_logged_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    work: list[Callable[[], object]] = []
    routes = Router()
    routes.get("/")(coroutine_of_steps)
    with Harness(routes, in_worker=work.append) as server:
        client = server.connect()
        client.send(request("/"))
        client.close()
        work.pop()()
    (record,) = caplog.records
    assert record.getMessage().startswith("c1: a Deferred, which was no longer awaited, returned coroutine (")
    assert record.exc_info is None


# Error handlers.


def json_error(request: Request, error: HTTPError) -> dict[str, str | int]:
    return {"status": error.status, "reason": error.reason}


def refuse(status: int, headers: HeaderPairs = ()) -> Handler:
    def handler(request: Request) -> str:
        raise HTTPError(status, "refused", headers)

    return handler


def fail(error: Exception, *_: object) -> str:
    raise error


def send(server: Harness, data: bytes) -> Answer:
    """Send a request on a new connection; return its response."""
    client = server.connect()
    client.send(data)
    (answer,) = client.responses()
    return answer


def with_errors(routes: Router) -> Router:
    """Add routes that refuse, and an error handler for all refusals."""
    routes.get("/refuses")(refuse(503, (("Retry-After", "7"), ("Vary", "Cookie"))))
    routes.post("/small", sink=buffered(3), limits=(("Upload-Limit", "max-size=3"),))(refuse(400))
    routes.post("/sink-refuses", sink=lambda _: fail(HTTPError(409, "refused")))(refuse(400))  # type: ignore[arg-type,return-value]
    routes.error(HTTPError)(json_error)
    return routes


@pytest.mark.parametrize(
    ("data", "status", "headers"),
    [
        (request("/refuses"), 503, {"retry-after": "7", "vary": "Cookie, Accept-Encoding"}),
        (request("/none"), 404, {}),
        (request("/small"), 405, {"allow": "POST, OPTIONS"}),
        (request("/small", method="FROB"), 501, {}),
        (request("/small", method="POST", content=b"1234"), 413, {"upload-limit": "max-size=3"}),
        (request("/sink-refuses", method="POST", content=b"1"), 409, {}),
        (request("/small", "Expect: 100-continue", "Content-Length: 4", method="POST"), 413, {}),
    ],
)
def test_an_error_handler_makes_the_response_to_every_refusal(
    data: bytes, status: int, headers: dict[str, str]
) -> None:
    with Harness(with_errors(Router())) as server:
        answer = send(server, data)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert answer.content.startswith(b'{"status":%d,"reason":"' % status)
    assert headers.items() <= answer.headers.items()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        request("/\0"),
        request("/small", "Transfer-Encoding: chunked", method="POST") + b"x\r\n",
    ],
)
def test_a_malformed_request_gets_the_default_response(data: bytes) -> None:
    with Harness(with_errors(Router())) as server:
        answer = send(server, data)
    assert (answer.status, answer.headers["content-type"]) == (400, "text/plain")


def test_a_host_that_is_not_allowed_gets_the_default_response() -> None:
    with Harness(with_errors(Router()), allowed_hosts=AllowedHosts(["test"])) as server:
        assert send(server, request("/none")).headers["content-type"] == "application/json"
        answer = send(server, request("/none").replace(b"Host: test", b"Host: evil.example"))
    assert (answer.status, answer.headers["content-type"]) == (403, "text/plain")


def test_an_incomplete_head_gets_the_default_response() -> None:
    with Harness(with_errors(Router())) as server:
        client = server.connect()
        client.send(request("/refuses")[:-1])
        server.clock.advance(21)
        assert client.assert_responds(408).headers["content-type"] == "text/plain"


def test_a_slow_body_is_refused_by_the_error_handler() -> None:
    with Harness(with_errors(Router())) as server:
        client = server.connect()
        client.send(request("/small", "Content-Length: 3", method="POST"))
        server.clock.advance(21)
        assert client.assert_responds(408).content.startswith(b'{"status":408')


def test_wrong_passwords_get_the_error_handlers_response_after_the_delay() -> None:
    with Harness(with_errors(AuthRouter(auth=digest("anna:secret")))) as server:
        assert send(server, request("/none")).content == b'{"status":401,"reason":"authentication required"}'
        client = server.connect()
        client.send(request("/none", "Authorization: Basic YTpi"))
        client.assert_open()
        server.clock.advance(0.25)
        answer = client.assert_responds(401)
        assert answer.content == b'{"status":401,"reason":"wrong user or password"}'
        assert answer.headers["www-authenticate"].startswith("Basic ")
        client.send(request("/none", AUTHORIZATION))
        client.assert_responds(404)


@pytest.mark.parametrize("where", ["handler", "sink"])
@pytest.mark.parametrize(
    ("keys", "status", "content", "level", "has_trace"),
    [
        ([KeyError], 404, b"KeyError", logging.INFO, False),
        ([LookupError], 499, b"KeyError", logging.INFO, False),
        ([Exception], 400, b"KeyError", logging.INFO, False),
        ([KeyError], 500, b"KeyError", logging.ERROR, True),
        ([Exception], 503, b"KeyError", logging.ERROR, True),
        ([500], 500, b"HTTPError", logging.ERROR, True),
        ([HTTPError], 500, b"HTTPError", logging.ERROR, True),
        ([ValueError], 500, b"", logging.ERROR, True),
    ],
)
def test_exceptions_are_logged_with_a_traceback_unless_the_client_is_to_blame(
    where: str,
    keys: list[int],
    status: int,
    content: bytes,
    level: int,
    has_trace: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    routes = Router()
    failing = partial(fail, KeyError("planted"))
    sink = failing if where == "sink" else buffered(9)
    routes.post("/", sink=sink)(failing)  # type: ignore[arg-type]
    for key in keys:
        routes.error(key)(lambda request, error: Response.text(type(error).__name__, status))
    with Harness(routes) as server:
        answer = send(server, request("/", method="POST", content=b"1"))
    assert answer.status == status
    if content:
        assert answer.content in (content, content.replace(b"HTTP", b"Sink"))
    else:
        assert answer.content.endswith(b"failed\n")
    (record,) = caplog.records
    assert (record.levelno, bool(record.exc_info)) == (level, has_trace)
    assert ("planted" in record.getMessage()) == (not has_trace)


def test_the_error_handler_of_a_deferred_result_is_called() -> None:
    def steps() -> Steps:
        yield int
        raise KeyError("planted")

    routes = Router()
    routes.get("/")(lambda _: Deferred(steps()))
    routes.error(KeyError)(lambda request, error: {"key": error.args[0]})
    with Harness(routes) as server:
        assert send(server, request("/")).content == b'{"key":"planted"}'


@pytest.mark.parametrize(
    "invalid",
    [Response(404, b"", {"A": "a\r\nb"}), Response(700), Response(404, 5)],  # type: ignore[arg-type]
    ids=["header", "status", "content"],
)
@pytest.mark.parametrize("refused", ["by the handler", "by the sink"])
def test_an_invalid_response_of_an_error_handler_is_replaced(
    invalid: Response, refused: str, caplog: pytest.LogCaptureFixture
) -> None:
    routes = with_errors(Router())
    routes.error(503)(lambda request, error: invalid)
    routes.error(409)(lambda request, error: invalid)
    path = "/refuses" if refused == "by the handler" else "/sink-refuses"
    method = "GET" if path == "/refuses" else "POST"
    with Harness(routes) as server:
        client = server.connect()
        client.send(request(path, method=method, content=b"1" if method == "POST" else b""))
        assert client.assert_responds(500).content == b"the request handler failed\n"
        client.send(request("/none"))
        client.assert_responds(404)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


class IncompleteError(HTTPError):
    """An error whose constructor does not call that of its base class."""

    def __init__(self) -> None:
        pass


def test_an_error_that_cannot_be_sent_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    def handler(request: Request) -> str:
        raise IncompleteError

    routes = answering()
    routes.get("/")(handler)
    with Harness(routes) as server:
        client = server.connect()
        client.send(request("/"))
        assert client.assert_responds(500).content == b"the request handler failed\n"
        client.get("/canary")
    assert caplog.records[-1].getMessage() == "c1: invalid response to an error, <Request GET />"


def test_a_stream_in_use_is_not_closed_by_an_error_that_returns_it_again() -> None:
    stream = LiveStream()
    routes = Router()
    routes.get("/")(lambda _: Response(200, stream))
    routes.get("/refuses")(refuse(404))
    routes.error(404)(lambda request, error: Response(404, stream))
    with Harness(routes) as server:
        first = server.connect()
        first.send(request("/"))
        for path in ("/none", "/", "/refuses"):
            assert send(server, request(path)).status == 500
        stream.send(b"news")
        assert b"news" in first.read()
        assert not stream.closed


def test_a_shared_response_of_an_error_handler_is_not_changed() -> None:
    shared = Response(413, b"too large", {"A": "a"})
    routes = with_errors(Router())
    routes.error(413)(lambda request, error: shared)
    with Harness(routes) as server:
        for _ in range(2):
            answer = send(server, request("/small", method="POST", content=b"1234"))
            assert (answer.content, answer.headers["upload-limit"]) == (b"too large", "max-size=3")
    assert shared.headers == (("A", "a"),)


def test_a_failed_request_is_released_without_a_garbage_collection() -> None:
    """An exception whose traceback refers to itself would be freed late."""
    errors: list[weakref.ref[HTTPError]] = []

    def handler(request: Request) -> str:
        error = HTTPError(400, "planted")
        errors.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    routes = Router()
    routes.get("/")(handler)
    with Harness(routes) as server:
        gc.collect()
        gc.disable()
        try:
            assert send(server, request("/")).status == 400
            assert errors[0]() is None
        finally:
            gc.enable()


def test_a_wrong_result_is_a_500_and_no_exception_of_the_application() -> None:
    routes = Router()
    routes.get("/")(no_result)  # type: ignore[type-var]
    routes.error(TypeError)(lambda request, error: "an exception")
    with Harness(routes) as server:
        assert send(server, request("/")).content == b"the request handler failed\n"
        routes.error(500)(lambda request, error: error.reason.upper())
        assert send(server, request("/")).content == b"THE REQUEST HANDLER FAILED"
