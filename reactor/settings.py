"""Every limit and deadline, each with its unit and its reason.

The command line, its environment variables, ``--help`` and the README's table are all made from
the fields below, so that there is one place to read and one to change. Sizes are in octets, times
in seconds. The settings know nothing of what obeys them.
"""

from dataclasses import dataclass, field, fields
from typing import Any

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def _limit(default: float, unit: str, group: str, reason: str, minimum: float = 1) -> Any:
    metadata = {"unit": unit, "group": group, "help": reason, "minimum": minimum}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The limits and deadlines of one server; raises ValueError for a value out of range."""

    # What a request may be.
    max_request_line: int = _limit(8190, "octets", "requests", "longer request lines get 414")
    max_field_line: int = _limit(8190, "octets", "requests", "a longer field line gets 431")
    max_fields: int = _limit(100, "fields", "requests", "more field lines get 431")
    max_head: int = _limit(32 * KIB, "octets", "requests", "a longer head gets 431")
    max_body: int = _limit(1 * GIB, "octets", "requests", "longer content gets 413, before it is read", 0)
    max_chunk_line: int = _limit(
        1 * KIB, "octets", "requests", "a longer chunk size with its extensions gets 400", 16
    )
    min_free_space: int = _limit(
        64 * MIB, "octets", "requests", "an upload that would leave less on the disk gets 507", 0
    )

    # How long a connection may take. A State names its timeout; "_timeout" makes it a field here.
    first_octet_timeout: float = _limit(
        20.0, "seconds", "deadlines", "from connecting to the first octet; then closed", 0.001
    )
    head_timeout: float = _limit(
        20.0, "seconds", "deadlines", "from a head's first octet to its end, never extended; then 408", 0.001
    )
    content_timeout: float = _limit(
        20.0, "seconds", "deadlines", "the window over which --min-rate is measured", 0.001
    )
    min_rate: float = _limit(
        500.0, "octets/s", "deadlines", "content that comes slower over a whole window gets 408", 0
    )
    stall_timeout: float = _limit(
        60.0, "seconds", "deadlines", "a client that takes nothing of its response is reset", 0.001
    )
    keep_alive_timeout: float = _limit(
        75.0, "seconds", "deadlines", "idle between two requests; then closed silently", 0.001
    )
    linger_timeout: float = _limit(
        5.0, "seconds", "deadlines", "after the last response, for the client to read it and close", 0.001
    )
    shutdown_delay: float = _limit(
        0.0,
        "seconds",
        "deadlines",
        "after SIGTERM or SIGINT, serve as before for so long, while /readyz of the inspector answers 503",
        0,
    )
    # Below the 10 s after which container runtimes kill.
    shutdown_timeout: float = _limit(
        8.0,
        "seconds",
        "deadlines",
        "after that delay, maximum time to finish requests; then connections are cut off",
        0,
    )

    # What one connection may hold, and what it may take of one turn before others have theirs.
    high_water: int = _limit(256 * KIB, "octets", "shares", "unsent responses above this: parse no more")
    low_water: int = _limit(64 * KIB, "octets", "shares", "unsent responses below this: parse again", 0)
    turn_read: int = _limit(64 * KIB, "octets", "shares", "read from one connection in one turn")
    turn_send: int = _limit(256 * KIB, "octets", "shares", "sent to one connection in one turn")
    turn_compress: int = _limit(64 * KIB, "octets", "shares", "compressed for one connection in one turn")
    turn_requests: int = _limit(
        64, "requests", "shares", "answered, or pieces of content taken, for one connection in one turn"
    )
    turn_accepts: int = _limit(64, "connections", "shares", "accepted in one turn")
    max_connections: int = _limit(
        0, "connections", "shares", "held at once; 0 takes what the limit on open files allows", 0
    )

    slow_turn: float = _limit(
        0.05, "seconds", "shares", "a hook, or a whole turn, that takes longer is logged", 0.001
    )

    # Switches.
    date_header: bool = True

    def __post_init__(self) -> None:
        for each in fields(self):
            value, minimum = getattr(self, each.name), each.metadata.get("minimum", 0)
            # "not >=" instead of "<": a NaN compares false with everything, and is out of range too.
            if not minimum <= value < 2**53:
                raise ValueError(f"{each.name} must be from {minimum} to {2**53 - 1}, not {value}")
        if self.low_water >= self.high_water:
            raise ValueError("low_water must be less than high_water")
