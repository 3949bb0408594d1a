"""The start line: what is served, where, who can reach it, and the notes of the options."""

from collections.abc import Iterable

from reactor.server.server import Server


def start_line(server: Server, directory: str, notes: Iterable[str]) -> str:
    """Return the line; no directory is shared where it is "", and empty notes are left out."""
    reach = "this machine only" if server.local else "reachable from the network"
    details = "; ".join(note for note in (reach, *notes) if note)
    return f"reactor: serving {directory and directory + ' '}on {server.url} ({details})"
