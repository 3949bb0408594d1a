"""Headers that are sent: a mapping or pairs of strings from the application, a tuple of pairs inside."""

from collections.abc import Iterable, Mapping

# Headers as (name, value) pairs.
HeaderPairs = tuple[tuple[str, str], ...]
# The same, or a mapping from name to value: what an application may pass.
HeaderSource = Mapping[str, str] | Iterable[tuple[str, str]]


def header_pairs(headers: HeaderSource) -> HeaderPairs:
    """Return headers as a tuple of pairs.

    >>> header_pairs({"Location": "/"})
    (('Location', '/'),)
    """
    return tuple(headers.items() if isinstance(headers, Mapping) else headers)
