"""Which error handler makes the response to an error, and what it may return."""

import logging
from collections.abc import Callable
from typing import cast

import pytest

from reactor.error_handlers import ErrorKey
from reactor.http11.errors import (
    HostError,
    HTTPError,
    LoginError,
    MissingFieldError,
    ProblemError,
    ProtocolError,
)
from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request, Response
from reactor.http11.results import Result
from reactor.http11.target import Target
from reactor.routing import Router

REQUEST = Request("GET", Target("/", ("",)), Head(1), Headers())


def naming(key: ErrorKey) -> Callable[[Request, HTTPError], str]:
    """Return an error handler that responds with its key."""
    return lambda request, error: f"{key}: {error}"


def respond(keys: list[ErrorKey], error: Exception) -> bytes:
    """Return the content of the response to an error, if there are handlers for these keys."""
    routes = Router()
    for key in keys:
        routes.error(cast(int, key))(naming(key))
    content = routes.error_handlers.respond(REQUEST, error).content
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize(
    ("keys", "error", "found"),
    [
        ([404, HTTPError], HTTPError(404, ""), 404),
        ([405, HTTPError], HTTPError(404, ""), HTTPError),
        ([LoginError, HTTPError], LoginError(401, ""), LoginError),
        ([LoginError, 401], LoginError(401, ""), 401),
        ([Exception, LookupError], KeyError(), LookupError),
        ([Exception, LookupError, KeyError], KeyError(), KeyError),
        ([Exception, 500], KeyError(), Exception),
        ([Exception], HTTPError(404, ""), None),
        ([KeyError, LookupError, Exception], MissingFieldError("field", "q"), None),
        ([KeyError, HTTPError], MissingFieldError("field", "q"), HTTPError),
        ([500], KeyError(), 500),
        ([HTTPError], KeyError(), HTTPError),
        ([404, ValueError], KeyError(), None),
        ([404], HTTPError(405, ""), None),
        ([400, HTTPError, Exception], ProtocolError(400, ""), None),
        ([], HTTPError(404, ""), None),
    ],
)
def test_the_most_specific_handler_is_called(
    keys: list[ErrorKey], error: Exception, found: ErrorKey | None
) -> None:
    content = respond(keys, error)
    assert content.startswith(f"{found}: ".encode()) == (found is not None), content


@pytest.mark.parametrize(
    ("result", "status"),
    [("text", 405), (b"bytes", 405), ({"a": 1}, 405), (Response(200, b"a"), 200)],
    ids=["str", "bytes", "dict", "Response"],
)
def test_a_result_gets_the_status_and_the_headers_of_the_error(result: Result, status: int) -> None:
    routes = Router()
    routes.error(405)(lambda request, error: result)
    error = HTTPError(405, "", (("Allow", "GET"), ("Vary", "Accept")))
    for _ in range(2):
        response = routes.error_handlers.respond(REQUEST, error)
        assert response.status == status
        assert response.headers[-2:] == (("Allow", "GET"), ("Vary", "Accept"))
        assert len({name for name, _ in response.headers}) == len(response.headers)


def test_headers_of_the_handler_precede_those_of_the_error() -> None:
    routes = Router()
    routes.error(503)(lambda request, error: Response.text("later", 503, {"retry-after": "1"}))
    response = routes.error_handlers.respond(REQUEST, HTTPError(503, "", (("Retry-After", "9"),)))
    assert [value for name, value in response.headers if name.lower() == "retry-after"] == ["1"]


def test_an_exception_without_a_status_gets_500() -> None:
    routes = Router()

    @routes.error(ValueError)
    def invalid(request: Request, error: ValueError) -> dict[str, str]:
        return {"error": str(error)}

    response = routes.error_handlers.respond(REQUEST, UnicodeError("planted"))
    assert (response.status, response.content) == (500, b'{"error":"planted"}')


@pytest.mark.parametrize(
    ("fails", "message"),
    [
        (lambda *_: None, "returned None (expected a Response, str, bytes, dict or list; no return"),
        (
            lambda *_: 1 // 0,
            "unhandled exception in the error handler tests.unit.test_error_handlers.<lambda>",
        ),
        (lambda request, error: {"a": error}, "unhandled exception in the error handler"),
    ],
    ids=["None", "exception", "no JSON"],
)
def test_a_failing_error_handler_is_logged_and_the_default_is_sent(
    fails: object, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    routes = Router()
    routes.error(404)(cast("type[Response]", fails))
    routes.error(500)(cast("type[Response]", fails))  # not called for a failure of the first one
    response = routes.error_handlers.respond(REQUEST, HTTPError(404, "secret"))
    assert (response.status, response.content) == (500, b"the request handler failed\n")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert message in record.getMessage()


def test_a_problem_keeps_its_response_unless_it_has_a_handler() -> None:
    problem = ProblemError(409, "", (), "mismatching-upload-offset", {})
    assert b"mismatching" in respond([404], problem)
    assert respond([ProblemError], problem).startswith(b"<class")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (200, "invalid error status: 200 (expected 400 to 599)"),
        (399, "invalid error status"),
        (600, "invalid error status"),
        (True, "invalid error: True (expected a status, such as 404, or an exception type)"),
        ("404", "invalid error: '404' (expected a status"),
        (int, "invalid error: <class 'int'> (expected a status"),
        (KeyboardInterrupt, "invalid error: <class 'KeyboardInterrupt'> (expected a status"),
        (ValueError(), r"invalid error: ValueError() (expected a status"),
        (ProtocolError, "invalid error: ProtocolError (it always gets the default response)"),
        (HostError, "invalid error: HostError (it always gets the default response)"),
        (404, "404 already has an error handler"),
        (HTTPError, "HTTPError already has an error handler"),
    ],
)
def test_an_invalid_or_duplicate_key_is_refused(key: int, message: str) -> None:
    routes = Router()
    for each in (404, HTTPError):
        routes.error(cast(int, each))(lambda request, error: "first")
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        routes.error(key)(lambda request, error: "second")
    assert str(caught.value).startswith(message)


def test_one_function_can_handle_several_errors() -> None:
    routes = Router()

    @routes.error(404)
    @routes.error(405)
    def handler(request: Request, error: HTTPError) -> str:
        return f"{error.status}"

    for status in (404, 405):
        assert routes.error_handlers.respond(REQUEST, HTTPError(status, "")).content == b"%d" % status


def test_an_error_handler_may_raise_another_refusal(caplog: pytest.LogCaptureFixture) -> None:
    routes = Router()

    @routes.error(KeyError)
    @routes.error(404)
    def refuse(request: Request, error: Exception) -> str:
        raise HTTPError(404, "no such item")

    response = routes.error_handlers.respond(REQUEST, KeyError("x"))
    assert (response.status, response.content) == (404, b"no such item\n")
    assert caplog.records == []
