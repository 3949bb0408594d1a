"""Media types and parameters: what is accepted, and what is malformed."""

import pytest

from reactor.http11.content_type import media_type, parameters
from reactor.http11.errors import HTTPError


@pytest.mark.parametrize(
    ("value", "media", "values"),
    [
        (None, "", {}),
        ("", "", {}),
        ("text/plain", "text/plain", {}),
        (" Text/Plain \t; A=b", "text/plain", {"a": "b"}),
        ("text/plain;;; a=1 ; a=2;", "text/plain", {"a": "1"}),
        (r'a/b; c="d; e=\"f\"\g%22%0D%0A"', "a/b", {"c": 'd; e="f"\\g"\r\n'}),
        ("; a=b", "", {"a": "b"}),
        ("a/b; c=", "a/b", {"c": ""}),
        ('form-data; filename*="x"', "form-data", {"filename*": '"x"'}),
    ],
)
def test_a_value_is_a_type_with_parameters(value: str | None, media: str, values: dict[str, str]) -> None:
    assert (media_type(value), parameters(value or "")) == (media, values)


@pytest.mark.parametrize("value", ["a/b; c", "a/b; =d", 'a/b; c="', "a/b; c=d e", "a/b; c d=e"])
def test_malformed_parameters_are_400(value: str) -> None:
    with pytest.raises(HTTPError) as caught:
        parameters(value)
    assert caught.value.status == 400
    assert repr(value[3:]) in caught.value.reason
