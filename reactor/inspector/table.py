"""The state table, read out of the docstring of ``reactor.connection``: what people read is what is shown."""

from typing import NamedTuple

from reactor import connection


class Row(NamedTuple):
    """One row of the state table, in its own words."""

    waits_for: str
    deadline: str
    when_it_passes: str
    then: tuple[str, ...]


def state_table(text: str = connection.__doc__ or "") -> dict[str, Row]:
    """Read the table, which is empty where there are no docstrings (-OO).

    A line without a state continues the one above.
    """
    lines = iter(text.splitlines())
    header = next((line for line in lines if line.split()[:1] == ["State"]), None)
    if header is None:
        return {}
    starts = [header.index(name) for name in ("State", "Waits", "Deadline", "When", "Then")]
    rows: dict[str, Row] = {}
    last = ""
    for line in lines:
        if not line.strip():
            break
        cells = [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
        then = tuple(word for word in cells[4].split() if word != "-")
        if cells[0]:
            last = cells[0]
            rows[last] = Row(cells[1], cells[2], cells[3], then)
        else:
            rows[last] = rows[last]._replace(then=rows[last].then + then)
    return rows
