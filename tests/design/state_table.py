"""A parser of the state table in the docstring of ``reactor.server.connection``."""

from reactor.inspector.table import Row


def read_table(text: str) -> dict[str, Row]:
    """Return the rows by the name of their state; a line without a state continues the row above it."""
    lines = iter(text.splitlines())
    header = next(line for line in lines if line.split()[:1] == ["State"])
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
