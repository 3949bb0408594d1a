"""What a handler may return, and what is logged for anything else."""

import warnings
from collections.abc import Iterator
from functools import partial, wraps

import pytest

from reactor.http11.message import Response
from reactor.http11.results import ResultError, name_of_function, to_response, with_missing_headers


class Text(str):
    """A subclass of a type that may be returned."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("result", "content_type", "content"),
    [
        ("<b>é</b>", "text/plain; charset=utf-8", "<b>é</b>".encode()),
        (Text("a"), "text/plain; charset=utf-8", b"a"),
        ("", "text/plain; charset=utf-8", b""),
        (b"<b>", "application/octet-stream", b"<b>"),
        ({"a": [1, None]}, "application/json", b'{"a":[1,null]}'),
        ({}, "application/json", b"{}"),
        (["é"], "application/json", '["é"]'.encode()),
    ],
    ids=repr,
)
def test_text_bytes_and_json_become_responses(result: object, content_type: str, content: bytes) -> None:
    response = to_response(result)
    assert (response.status, dict(response.headers)) == (200, {"Content-Type": content_type})
    assert response.content == content
    assert to_response(result, 404).status == 404


def test_a_response_is_returned_as_it_is() -> None:
    response = Response(201)
    assert to_response(response, 404) is response
    assert response.status == 201


async def coroutine() -> None:
    """Return nothing."""


def generator() -> Iterator[bytes]:
    """Yield nothing."""
    yield from ()


@pytest.mark.parametrize(
    ("result", "kind", "hint"),
    [
        (None, "None", "; no return statement?"),
        (generator(), "generator", "; to send what a generator yields, return Response.stream(...)"),
        (("created", 201), "tuple", "; for a status, return Response.text(..., status)"),
        (1, "int", ""),
        (bytearray(b"a"), "bytearray", ""),
        (Response, "type", ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_an_error_that_says_what_is_expected(result: object, kind: str, hint: str) -> None:
    with pytest.raises(ResultError) as caught:
        to_response(result)
    assert str(caught.value) == f"{kind} (expected a Response, str, bytes, dict or list{hint})"


def test_a_coroutine_is_closed_so_that_python_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ResultError, match=r"coroutine .*; handlers are plain functions, not async"):
            to_response(coroutine())


@pytest.mark.parametrize("result", [{"a": object()}, [float("nan")], {1: {2, 3}}])
def test_what_json_cannot_express_is_an_error(result: object) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        to_response(result)
    assert not isinstance(caught.value, ResultError)


def test_missing_headers_are_added_to_a_copy() -> None:
    response = Response(404, b"a", {"allow": "GET"}, 256)
    added = with_missing_headers(response, (("Allow", "POST"), ("Vary", "a"), ("Vary", "b")))
    assert added.headers == (("allow", "GET"), ("Vary", "a"), ("Vary", "b"))
    assert (added.status, added.content, added.compress_min_size) == (404, b"a", 256)
    assert response.headers == (("allow", "GET"),)
    assert with_missing_headers(response, (("Allow", "POST"),)) is response


class Handlers:
    """Objects that can be called."""

    def method(self) -> None: ...

    def __call__(self) -> None: ...


def test_functions_are_named_by_module_and_qualified_name() -> None:
    @wraps(coroutine)
    def wrapper() -> None: ...

    here = __name__
    assert name_of_function(generator) == f"{here}.generator"
    assert name_of_function(Handlers().method) == f"{here}.Handlers.method"
    assert name_of_function(Handlers()) == f"{here}.Handlers"
    assert name_of_function(partial(partial(Handlers().method), 1)) == f"{here}.Handlers.method"
    assert name_of_function(partial(wrapper)) == f"{here}.coroutine"
