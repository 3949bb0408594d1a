"""A ``ProtocolError`` refuses a request: its status is one of a refusal."""

import pytest

from reactor.http11.errors import ProtocolError


@pytest.mark.parametrize("status", [400, 404, 418, 499, 500, 599])
def test_a_refusal_has_the_status_of_one(status: int) -> None:
    error = ProtocolError(status, "why")
    assert (error.status, error.reason) == (status, "why")


@pytest.mark.parametrize("status", [-1, 0, 99, 100, 200, 204, 302, 304, 399, 600, 1000, "404", None])
def test_any_other_status_is_a_mistake(status: int) -> None:
    with pytest.raises(ValueError, match="status"):
        ProtocolError(status, "why")


def test_a_refusal_may_say_more_in_fields() -> None:
    assert ProtocolError(404, "why").headers == ()
    assert ProtocolError(405, "why", (("Allow", "GET"),)).headers == (("Allow", "GET"),)
