"""Content negotiation by Accept and Accept-Encoding (RFC 9110, 12.4.2, 12.5.1 and 12.5.3).

    Input                                    Function            Result
    Accept: text/html, */*;q=0.8             read_weights        [("text/html", 1.0), ("*/*", 0.8)]
    {format: weight}, default                preferred           the format with the greatest weight
    Accept and User-Agent                    preferred_format    "html", "json" or "text", and Vary
    Accept: text/html, */*;q=0.8             prefers_html        whether HTML is named and preferred
    Accept-Encoding: br, gzip;q=0.5          preferred_coding    "gzip", "x-gzip", or None for identity
                                             preferred_codings   those of PRECOMPRESSED, best first

If no coding is acceptable, identity is sent rather than 406: most
clients can read it anyway, and RFC 9110, 12.5.3 allows it.
"""

from collections.abc import Mapping

from reactor.http11.grammar import find_weight, find_weighted_codings

# Codings of precompressed content; of equal weights the first is preferred.
PRECOMPRESSED = ("br", "zstd", "gzip")

# The members of Accept that match each format, with their specificity. Of equals, JSON is preferred to text
# only if it is named: through "*/*" it comes last.
_NAMED = 2
_FORMATS = {
    "html": {"text/html": _NAMED, "text/*": 1, "*/*": 0},
    "json": {"application/json": _NAMED, "application/*": 1, "*/*": -1},
    "text": {"text/plain": _NAMED, "text/*": 1, "*/*": 0},
}


def read_weights(value: str) -> list[tuple[str, float]]:
    """Parse a list of members with weights; return each name, in lower case, and its weight.

    A missing or malformed weight counts as 1. The caller interprets repeated names.

    >>> read_weights("text/html;level=1;q=0.4, TEXT/plain")
    [('text/html', 0.4), ('text/plain', 1.0)]
    """
    weights = []
    for member in value.split(","):
        name, semicolon, parameters = member.partition(";")
        weight = find_weight(semicolon + parameters.rstrip(" \t"))
        weights.append((name.strip(" \t").lower(), float(weight[1]) if weight else 1.0))
    return weights


def preferred(weights: Mapping[str, float], default: str) -> str:
    """Return the name with the greatest weight, the first of equals; the default if no weight is above 0.

    >>> preferred({"html": 0.5, "json": 0.5, "text": 0.1}, "text"), preferred({"html": 0.0}, "text")
    ('html', 'text')
    """
    best = max(weights, key=lambda name: weights[name])
    return best if weights[best] > 0 else default


def preferred_format(accept: str | None, user_agent: str | None) -> tuple[str, str]:
    """Return the format that a client prefers, "html", "json" or "text", and the value of Vary.

    If HTML and text are equally good, curl gets text, and every other client HTML. If no format is
    acceptable, the result is text.

    >>> preferred_format("text/plain, */*;q=0.8", "Wget/1.21"), preferred_format("*/*", "Wget/1.21")
    (('text', 'Accept'), ('html', 'Accept, User-Agent'))
    """
    ranks = _rank_formats(accept)
    best = max(ranks.values())
    if best[0] == 0:
        return "text", "Accept"
    if ranks["html"] == ranks["text"] == best:
        is_curl = user_agent is not None and user_agent.startswith("curl/")
        return "text" if is_curl else "html", "Accept, User-Agent"
    return max(ranks, key=lambda name: ranks[name]), "Accept"


def prefers_html(accept: str | None) -> bool:
    """Return whether an Accept header names HTML and prefers it, as that of a browser does.

    >>> prefers_html("text/html, */*;q=0.8"), prefers_html("*/*")
    (True, False)
    """
    # The first two tests take 0.1 us, and decide for nearly all clients but browsers.
    if accept is None or "html" not in accept.lower():
        return False
    ranks = _rank_formats(accept)
    weight, specificity = ranks["html"]
    return weight > 0 and specificity == _NAMED and ranks["html"] == max(ranks.values())


def _rank_formats(accept: str | None) -> dict[str, tuple[float, int]]:
    """Return the weight of each format, and the specificity of the member of Accept that gives it.

    The most specific member that matches counts (RFC 9110, 12.5.1), and the first weight of a repeated one.
    Without Accept, all formats are acceptable; XHTML counts as HTML.
    """
    weights: dict[str, float] = {}
    for name, weight in read_weights(accept or "*/*"):
        weights.setdefault(name, weight)
    if "application/xhtml+xml" in weights:
        weights.setdefault("text/html", weights["application/xhtml+xml"])
    return {
        name: next(((weights[each], rank) for each, rank in ranges.items() if each in weights), (0.0, 0))
        for name, ranges in _FORMATS.items()
    }


def preferred_coding(accept_encoding: str | None) -> str | None:
    """Return "gzip", or "x-gzip" if only that name is listed, or None for identity.

    Malformed members are skipped; without the header, the result is None.

    >>> preferred_coding("br, gzip;q=0.5, identity;q=0.7"), preferred_coding("x-gzip")
    (None, 'x-gzip')
    """
    if not accept_encoding:
        return None
    weights = _weights(accept_encoding)
    any_weight = weights.get("*", 0.0)
    coding = "x-gzip" if "x-gzip" in weights and "gzip" not in weights else "gzip"
    gzip_weight = weights.get(coding, any_weight)
    # If identity is not listed, it is acceptable, but any acceptable gzip is preferred.
    identity_weight = weights.get("identity", any_weight)
    return coding if gzip_weight > 0 and gzip_weight >= identity_weight else None


def preferred_codings(accept_encoding: str) -> tuple[str, ...]:
    """Return the codings of ``PRECOMPRESSED`` that the client prefers to identity, best first.

    Of equal weights, the coding that compresses most content better comes first. "*" matches gzip only,
    which every client can decode; the others must be listed.

    >>> preferred_codings("gzip, deflate, br"), preferred_codings("zstd;q=0.5, *"), preferred_codings("")
    (('br', 'gzip'), ('gzip', 'zstd'), ())
    """
    weights = _weights(accept_encoding)
    any_weight = weights.get("*", 0.0)
    weights.setdefault("gzip", weights.get("x-gzip", any_weight))
    identity_weight = weights.get("identity", 0.0)
    acceptable = [
        name for name in PRECOMPRESSED if weights.get(name, 0.0) > 0 and weights[name] >= identity_weight
    ]
    return tuple(sorted(acceptable, key=lambda name: -weights[name]))


def _weights(accept_encoding: str) -> dict[str, float]:
    """Parse the weights of known codings; the first weight of a repeated coding counts.

    Unlike ``read_weights``, it skips malformed members.
    """
    weights: dict[str, float] = {}
    for name, weight in find_weighted_codings(accept_encoding):
        weights.setdefault(name.lower(), float(weight or 1))
    return weights
