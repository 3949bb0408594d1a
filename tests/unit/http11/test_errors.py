"""``HTTPError`` and ``ProtocolError``: an error response's status, reason and headers."""

import pytest

import reactor
from reactor.http11.errors import HTTPError, ProtocolError, content_too_large

BOTH = [HTTPError, ProtocolError]


@pytest.mark.parametrize("error_type", BOTH)
@pytest.mark.parametrize("status", [400, 404, 418, 499, 500, 599])
def test_an_error_has_a_status_and_a_reason(error_type: type[HTTPError], status: int) -> None:
    error = error_type(status, "why")
    assert (error.status, error.reason) == (status, "why")


@pytest.mark.parametrize("error_type", BOTH)
@pytest.mark.parametrize("status", [-1, 0, 99, 100, 200, 204, 302, 304, 399, 600, 1000, "404", None])
def test_a_status_other_than_4xx_or_5xx_is_a_value_error(error_type: type[HTTPError], status: int) -> None:
    with pytest.raises(ValueError, match="status"):
        error_type(status, "why")


@pytest.mark.parametrize("error_type", BOTH)
def test_an_error_may_have_headers(error_type: type[HTTPError]) -> None:
    assert error_type(404, "why").headers == ()
    assert error_type(405, "why", (("Allow", "GET"),)).headers == (("Allow", "GET"),)


def test_protocol_error_is_an_exported_http_error() -> None:
    assert issubclass(ProtocolError, HTTPError)
    assert reactor.HTTPError is HTTPError


@pytest.mark.parametrize(("limit", "size"), [(1 << 30, "1 GiB"), (3 << 10, "3 KiB"), (1025, "1025 bytes")])
def test_a_limit_is_written_with_its_unit(limit: int, size: str) -> None:
    assert content_too_large(limit).reason == f"request body exceeds {size}"
