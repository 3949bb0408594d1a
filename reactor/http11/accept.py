"""Content negotiation: which of several formats a client prefers (RFC 9110, 12.4.2 and 12.5.1).

    Accept: text/html, */*;q=0.8   read_weights   -> {"text/html": 1.0, "*/*": 0.8}
    {format: weight}, default      preferred      -> the format with the greatest weight

What a wildcard stands for is decided by the caller. Accept-Encoding has a reader of its own (``coding.py``),
which is on the way of every new head and looks for a few names only.
"""

from collections.abc import Mapping

from reactor.http11.grammar import find_weight


def read_weights(value: str) -> dict[str, float]:
    """Read a list of members with weights; return the weights by name, in lower case.

    Of a name that is repeated the first one counts. A member whose weight is missing or malformed has 1.

    >>> read_weights("text/html;level=1;q=0.4, TEXT/plain")
    {'text/html': 0.4, 'text/plain': 1.0}
    """
    weights: dict[str, float] = {}
    for member in value.split(","):
        name, semicolon, parameters = member.partition(";")
        weight = find_weight(semicolon + parameters.rstrip(" \t"))
        weights.setdefault(name.strip(" \t").lower(), float(weight[1]) if weight else 1.0)
    return weights


def preferred(weights: Mapping[str, float], default: str) -> str:
    """Return the name with the greatest weight, the first of equals; the default if no weight is above 0.

    >>> preferred({"html": 0.5, "json": 0.5, "text": 0.1}, "text"), preferred({"html": 0.0}, "text")
    ('html', 'text')
    """
    best = max(weights, key=lambda name: weights[name])
    return best if weights[best] > 0 else default
