"""Mappings with several values for a name: the first wins, and a missing name is a client's error."""

import pytest

from reactor.http11.errors import HTTPError, MissingFieldError
from reactor.http11.form import Files, FormFile
from reactor.http11.multidict import Cookies, MultiDict

FIELDS = MultiDict([("a", "1"), ("b", ""), ("a", "2")])


def test_the_first_value_wins() -> None:
    assert (FIELDS["a"], FIELDS["b"], FIELDS.get("a"), FIELDS.get("c"), FIELDS.get("c", "3")) == (
        *("1", "", "1", None, "3"),
    )
    assert (dict(FIELDS), list(FIELDS), len(FIELDS)) == ({"a": "1", "b": ""}, ["a", "b"], 2)
    assert ("a" in FIELDS, "c" in FIELDS, bool(MultiDict())) == (True, False, False)


def test_all_values_are_returned_in_order_as_a_copy() -> None:
    FIELDS.get_all("a").append("3")
    FIELDS.get_all("c").append("3")
    assert (FIELDS.get_all("a"), FIELDS.get_all("c")) == (["1", "2"], [])


def test_it_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        FIELDS["a"] = "2"  # type: ignore[index]
    with pytest.raises(AttributeError):
        FIELDS.x = 1  # type: ignore[attr-defined]


def test_equality_is_that_of_all_values() -> None:
    assert MultiDict([("b", ""), ("a", "1"), ("a", "2")]) == FIELDS
    assert MultiDict([("b", ""), ("a", "2"), ("a", "1")]) != FIELDS
    assert MultiDict([("a", "1"), ("b", "")]) != FIELDS
    assert dict(FIELDS) != FIELDS
    assert MultiDict([("a", "1")]) == {"a": "1"}
    assert MultiDict() != 1


def test_the_repr_shows_all_values() -> None:
    assert repr(FIELDS) == "MultiDict([('a', '1'), ('a', '2'), ('b', '')])"


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        (MultiDict(), r"missing field: 'x\n'"),
        (Cookies(), r"missing cookie: 'x\n'"),
        (Files([("a", FormFile("", "", b""))]), r"missing file: 'x\n'"),
    ],
)
def test_a_missing_name_is_a_key_error_and_a_400(mapping: MultiDict | Files, reason: str) -> None:
    for expected in (KeyError, HTTPError, MissingFieldError):
        with pytest.raises(expected):
            mapping["x\n"]
    with pytest.raises(HTTPError) as caught:
        mapping["x\n"]
    assert (caught.value.status, caught.value.reason, caught.value.headers) == (400, reason, ())
