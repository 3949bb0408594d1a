"""Content negotiation: the weights of a list, and the format with the highest weight."""

import pytest

from reactor.http11.accept import preferred, preferred_format, prefers_html, read_weights


@pytest.mark.parametrize(
    ("value", "weights"),
    [
        ("", [("", 1.0)]),
        ("text/html", [("text/html", 1.0)]),
        ("TEXT/Html", [("text/html", 1.0)]),
        ("a, b;q=0.5 ,\tc ; q=0.25", [("a", 1.0), ("b", 0.5), ("c", 0.25)]),
        ("a;Q=0.5", [("a", 0.5)]),
        ("a;level=1;q=0.4", [("a", 0.4)]),
        ("a;q=0.4;extension=1", [("a", 0.4)]),
        ("a;q=0", [("a", 0.0)]),
        ("a;q=0.", [("a", 0.0)]),
        ("a;q=1.000", [("a", 1.0)]),
        ("a;q=0.3, a;q=0.9", [("a", 0.3), ("a", 0.9)]),
        ("a;q=2", [("a", 1.0)]),
        ("a;q=0.1234", [("a", 1.0)]),
        ("a;q=1.5", [("a", 1.0)]),
        ("a;q", [("a", 1.0)]),
    ],
)
def test_weights_are_read_in_order(value: str, weights: list[tuple[str, float]]) -> None:
    assert read_weights(value) == weights


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"a": 0.1, "b": 0.2}, "b"),
        ({"a": 0.2, "b": 0.2}, "a"),
        ({"a": 0.0, "b": 0.001}, "b"),
        ({"a": 0.0, "b": 0.0}, "default"),
    ],
)
def test_the_greatest_weight_wins_and_the_first_of_equals(weights: dict[str, float], expected: str) -> None:
    assert preferred(weights, "default") == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text"),
        ("", "text"),
        ("*/*", "text"),
        ("text/*", "text"),
        ("text/plain", "text"),
        ("image/png", "text"),
        ("text/html", "html"),
        ("TEXT/HTML", "html"),
        ("application/xhtml+xml", "html"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("application/json", "json"),
        ("application/json, text/plain, */*", "json"),
        ("application/json;q=0.5, text/html", "html"),
        ("application/json, text/html;q=0.9", "json"),
        ("text/html;q=0.3, */*;q=0.8", "text"),
        ("text/html;q=0.3, text/plain;q=0.2, */*", "html"),
        ("text/html;q=0", "text"),
        ("text/html;q=0, application/json;q=0.001", "json"),
        ("text/plain;q=0, text/html;q=0.1", "html"),
        ("text/html;level=1;q=0.4, application/json;q=0.5", "json"),
        ("text/html ; q=0.4 , application/json ; Q=0.5", "json"),
        (",,;,text/html;;,", "html"),
    ],
)
def test_the_format_is_negotiated(accept: str | None, expected: str) -> None:
    assert preferred_format(accept) == expected
    assert prefers_html(accept) is (expected == "html")
