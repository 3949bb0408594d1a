"""The start line: the directory, the URL, whether the network can reach it, and notes on the options."""

from collections.abc import Iterable

from reactor.server.server import Server


def start_line(server: Server, directory: str, notes: Iterable[str]) -> str:
    """Return the line; ``directory`` is "" if none is shared, and empty notes are omitted."""
    reach = "this machine only" if server.local else "reachable from the network"
    details = "; ".join(note for note in (reach, *notes) if note)
    return f"reactor: serving {directory and directory + ' '}on {server.url} ({details})"
