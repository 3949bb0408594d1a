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


# By the value of Accept: the format for curl, and for every other client.
FORMATS: dict[str | None, tuple[str, str]] = {
    None: ("text", "html"),
    "": ("text", "html"),
    "*/*": ("text", "html"),
    "*/*;q=0.1": ("text", "html"),
    "text/*": ("text", "html"),
    "text/*, application/*": ("text", "html"),
    "image/png, */*;q=0.1": ("text", "html"),
    "text/html, text/plain": ("text", "html"),
    "text/plain": ("text", "text"),
    "text/plain, */*": ("text", "text"),
    "text/plain, text/html;q=0.9": ("text", "text"),
    "text/plain;q=0.5, text/*;q=0.4": ("text", "text"),
    "image/png": ("text", "text"),
    "*/*;q=0": ("text", "text"),
    "text/html": ("html", "html"),
    "TEXT/HTML": ("html", "html"),
    "application/xhtml+xml": ("html", "html"),
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": ("html", "html"),
    "text/html, */*": ("html", "html"),
    "text/*, text/plain;q=0.5": ("html", "html"),
    "*/*, text/plain;q=0": ("html", "html"),
    "text/plain;q=0, text/html;q=0.1": ("html", "html"),
    "text/html, application/json": ("html", "html"),
    "application/json;q=0.5, text/html": ("html", "html"),
    "application/json": ("json", "json"),
    "application/json, */*": ("json", "json"),
    "application/json, text/plain, */*": ("json", "json"),
    "application/json, text/html;q=0.9": ("json", "json"),
    "application/*": ("json", "json"),
    "application/*, text/*;q=0.9": ("json", "json"),
    "*/*, text/*;q=0.9": ("json", "json"),
    "text/html;q=0.3, text/plain;q=0.2, */*": ("json", "json"),
    "*/*, text/*;q=0": ("json", "json"),
    "application/x.html, text/*;q=0.5": ("text", "html"),
    "*/*, text/html;q=0": ("text", "text"),
    "*/*, text/html;q=0, text/plain;q=0": ("json", "json"),
    "text/html;q=0": ("text", "text"),
    "text/html;q=0.3, */*;q=0.8": ("text", "text"),
    "text/html;q=0, application/json;q=0.001": ("json", "json"),
    "text/html;level=1;q=0.4, application/json;q=0.5": ("json", "json"),
    "text/html ; q=0.4 , application/json ; Q=0.5": ("json", "json"),
    "text/html;q=x, application/json;q=0.9": ("html", "html"),
    "text/html;q=0.1, text/html;q=1, text/plain;q=0.5": ("text", "text"),
    ",,;,text/html;;,": ("html", "html"),
}


@pytest.mark.parametrize(("accept", "expected"), FORMATS.items())
def test_the_format_is_negotiated(accept: str | None, expected: tuple[str, str]) -> None:
    vary = "Accept" if expected[0] == expected[1] else "Accept, User-Agent"
    assert preferred_format(accept, "curl/8.5.0") == (expected[0], vary)
    for agent in (None, "", "Wget/1.21", "Mozilla/5.0 curl/8", "curl", "python-requests/2.31.0"):
        assert preferred_format(accept, agent) == (expected[1], vary)


@pytest.mark.parametrize(("accept", "expected"), FORMATS.items())
def test_html_is_preferred_only_if_it_is_named(accept: str | None, expected: tuple[str, str]) -> None:
    named = accept is not None and ("text/html" in accept.lower() or "xhtml" in accept)
    assert prefers_html(accept) is (named and expected[1] == "html")
