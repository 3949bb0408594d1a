"""The results of handlers: what a handler may return, and the response that each becomes.

    Result          Response
    Response        itself
    str             text/plain in UTF-8, never HTML
    bytes           application/octet-stream
    dict or list    application/json

A handler may also return a ``Deferred``, whose result is one of these. Anything else is a ``ResultError``.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

from reactor.http11.message import BYTES, HeaderPairs, Response

EXPECTED = "a Response, str, bytes, dict or list"


class JSONArray(Protocol):
    """A list of anything, for the type checker: no tuple, str or iterator has a method ``reverse``."""

    def __iter__(self) -> Iterator[object]:
        """Iterate over the items."""

    def reverse(self) -> None:
        """Reverse the items."""


Result = Response | str | bytes | Mapping[str, object] | JSONArray


class ResultError(TypeError):
    """A handler returned what is not a result; the text says what, and what is expected."""


def to_response(result: object, status: int = 200) -> Response:
    """Return the response for a result; text, bytes and JSON get the status.

    Raise ResultError for any other type, and TypeError or ValueError for what JSON cannot express.
    """
    if isinstance(result, Response):
        return result
    if isinstance(result, str):
        return Response.text(result, status)
    if isinstance(result, bytes):
        return Response(status, result, BYTES)
    if isinstance(result, (dict, list)):
        return Response.json(result, status)
    if inspect.iscoroutine(result):
        result.close()  # otherwise Python warns that it was never awaited
    kind = "None" if result is None else type(result).__name__
    raise ResultError(f"{kind} (expected {EXPECTED}{_hint(result)})")


def _hint(result: object) -> str:
    """Return what the author of the handler may have meant, or ""."""
    if result is None:
        return "; no return statement?"
    if inspect.iscoroutine(result):
        return "; handlers are plain functions, not async"
    if inspect.isgenerator(result):
        return "; to send what a generator yields, return Response.stream(...)"
    if isinstance(result, tuple):
        return "; for a status, return Response.text(..., status)"
    return ""


def with_missing_headers(response: Response, headers: HeaderPairs) -> Response:
    """Return the response with those of the headers that it lacks; the response itself is not changed.

    >>> with_missing_headers(Response(404, headers={"vary": "Cookie"}), (("Vary", "*"), ("A", "b"))).headers
    (('vary', 'Cookie'), ('A', 'b'))
    """
    present = {name.lower() for name, _ in response.headers}
    missing = tuple((name, value) for name, value in headers if name.lower() not in present)
    if not missing:
        return response
    return Response(
        response.status, response.content, (*response.headers, *missing), response.compress_min_size
    )


def name_of_function(function: Callable[..., object]) -> str:
    """Return the module and the qualified name of a function, for the log.

    >>> name_of_function(partial(name_of_function)), name_of_function(str)
    ('reactor.http11.results.name_of_function', 'builtins.str')
    """
    function = inspect.unwrap(function)
    while isinstance(function, partial):
        function = inspect.unwrap(function.func)
    if not hasattr(function, "__qualname__"):  # an object with a method __call__
        function = type(function)
    return f"{function.__module__}.{function.__qualname__}"
