"""Metrics as text, in one of two formats.

    Media type                                    Format
    text/plain; version=0.0.4                     Prometheus' own
    application/openmetrics-text; version=1.0.0   OpenMetrics, with units and an end marker

The client chooses by Accept; the default is Prometheus.
"""

from collections.abc import Iterable, Iterator

from reactor.http11.accept import preferred, read_weights
from reactor.observe.metrics import COUNTER, Histogram, Labels, MetricFamily, Value

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_ESCAPES = {"\\": "\\\\", "\n": "\\n", '"': '\\"'}


def negotiate(accept: str) -> str:
    """Return the media type that Accept prefers (RFC 9110, 12.5.1), by default Prometheus'."""
    offers = {"text/plain": 0.0, "application/openmetrics-text": 0.0}
    for name, weight in read_weights(accept):
        if name in offers:
            # Prometheus lists a media type once for each version that it supports.
            offers[name] = max(offers[name], weight)
    return OPEN if preferred(offers, "text/plain") == "application/openmetrics-text" else PLAIN


def render(families: Iterable[MetricFamily], media_type: str) -> str:
    """Format metric families as one of the two media types."""
    is_open = media_type == OPEN
    lines = [line for family in families if family.series for line in _family(family, is_open)]
    return "\n".join([*lines, "# EOF" if is_open else ""]) + ("\n" if is_open else "")


def _family(family: MetricFamily, is_open: bool) -> Iterator[str]:
    total = f"{family.name}_total" if family.kind == COUNTER else family.name
    # In Prometheus' format, the name of a counter is that of its samples.
    name = family.name if is_open else total
    yield f"# HELP {name} {_escape(family.help, quotes=is_open)}"
    yield f"# TYPE {name} {family.kind}"
    if is_open and family.unit:
        yield f"# UNIT {name} {family.unit}"
    for labels, value in family.series:
        yield from (
            _histogram(family.name, labels, value)
            if isinstance(value, Histogram)
            else (f"{total}{_braces(labels)} {_number(value)}",)
        )


def _histogram(name: str, labels: Labels, value: Histogram) -> Iterator[str]:
    cumulative = 0
    for bound, count in zip((*value.bounds, None), value.counts, strict=True):
        cumulative += count
        limit = "+Inf" if bound is None else _number(float(bound))
        yield f"{name}_bucket{_braces((*labels, ('le', limit)))} {cumulative}"
    yield f"{name}_count{_braces(labels)} {cumulative}"
    yield f"{name}_sum{_braces(labels)} {_number(value.sum)}"


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels) + "}"


def _escape(text: str, quotes: bool = True) -> str:
    return "".join(_ESCAPES.get(each, each) if quotes or each != '"' else each for each in text)


def _number(value: Value) -> str:
    return repr(value)
