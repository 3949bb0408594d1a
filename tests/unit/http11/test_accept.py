"""Content negotiation: the weights of a list, and the format with the highest weight."""

import pytest

from reactor.http11.accept import preferred, read_weights


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
