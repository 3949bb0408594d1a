"""The limits and timeouts of a server, each with its unit, default, minimum and help text.

The command-line options, their environment variables, ``--help`` and the table of options in
handlers/README.md are generated from, or checked against, the fields below. Sizes are in bytes, times in
seconds. The group of a field is that of its option; "advanced" ones exist in the configuration file and the
environment only.
"""

from dataclasses import dataclass, field, fields
from typing import Any

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def format_size(size: float) -> str:
    """Format a number of bytes, in the largest unit in which it is whole.

    >>> format_size(8190), format_size(65536), format_size(0)
    ('8190 bytes', '64 KiB', '0 bytes')
    """
    for factor, unit in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} bytes"


def _limit(default: float, unit: str, group: str, help_text: str, minimum: float = 1) -> Any:
    metadata = {"unit": unit, "group": group, "help": help_text, "minimum": minimum}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The limits and timeouts of one server; raises ValueError for a value that is out of range."""

    # Limits.
    max_connections: int = _limit(
        0,
        "connections",
        "limits",
        "maximum concurrent connections; 0: as many as the open-file limit allows (two files for each)",
        0,
    )
    max_body: int = _limit(
        1 * GIB, "bytes", "limits", "maximum size of a request body; larger ones get 413", 0
    )
    max_head: int = _limit(
        32 * KIB,
        "bytes",
        "limits",
        "maximum size of a request head (request line and headers); larger ones get 431",
    )
    max_request_line: int = _limit(
        8190, "bytes", "limits", "maximum length of the request line; longer ones get 414"
    )
    max_field_line: int = _limit(
        8190, "bytes", "limits", "maximum length of a header line; longer ones get 431"
    )
    max_fields: int = _limit(
        100, "lines", "limits", "maximum number of header lines; requests with more get 431"
    )
    min_free_space: int = _limit(
        64 * MIB, "bytes", "limits", "minimum free disk space; uploads that would leave less get 507", 0
    )

    # Timeouts. The states of a connection refer to them by name, without "_timeout".
    first_octet_timeout: float = _limit(
        20.0, "seconds", "timeouts", "close a new connection on which no byte arrives for this long", 0.001
    )
    head_timeout: float = _limit(
        20.0,
        "seconds",
        "timeouts",
        "maximum time to receive a request head, from its first byte; slower requests get 408",
        0.001,
    )
    content_timeout: float = _limit(
        20.0,
        "seconds",
        "timeouts",
        "rate window: time over which --min-rate is measured",
        0.001,
    )
    min_rate: float = _limit(
        500.0,
        "bytes/s",
        "timeouts",
        "minimum rate of a request body in each --content-timeout; slower requests get 408",
        0,
    )
    stall_timeout: float = _limit(
        60.0,
        "seconds",
        "timeouts",
        "write timeout: reset the connection when the client has read nothing for this long",
        0.001,
    )
    keep_alive_timeout: float = _limit(
        75.0, "seconds", "timeouts", "close a connection that is idle between requests for this long", 0.001
    )
    shutdown_delay: float = _limit(
        0.0,
        "seconds",
        "timeouts",
        "after SIGTERM or SIGINT, keep serving for this long; responses close their connections, and /readyz "
        "of --inspect answers 503",
        0,
    )
    # Below the 10 s after which container runtimes kill.
    shutdown_timeout: float = _limit(
        8.0,
        "seconds",
        "timeouts",
        "during a graceful shutdown, maximum time to finish requests before connections are closed",
        0,
    )

    # Flow control, and fairness: what one connection may use of one event loop turn.
    linger_timeout: float = _limit(
        5.0,
        "seconds",
        "advanced",
        "after the last response, maximum time to wait for the client to read it and close",
        0.001,
    )
    heartbeat_timeout: float = _limit(
        15.0,
        "seconds",
        "advanced",
        "send a comment on a stream of server-sent events after this long without an event",
        0.001,
    )
    result_timeout: float = _limit(
        60.0,
        "seconds",
        "advanced",
        "maximum time to wait for a result that a handler has deferred; the client gets 503",
        0.001,
    )
    max_chunk_line: int = _limit(
        1 * KIB, "bytes", "advanced", "maximum length of a chunk-size line; longer ones get 400", 16
    )
    max_chunk_extensions: int = _limit(
        16 * KIB,
        "bytes",
        "advanced",
        "maximum total length of the chunk extensions of one request body; longer ones get 400",
        0,
    )
    high_water: int = _limit(
        256 * KIB,
        "bytes",
        "advanced",
        "stop parsing requests of a connection when this much is buffered for writing",
    )
    low_water: int = _limit(
        64 * KIB,
        "bytes",
        "advanced",
        "resume parsing requests when the write buffer has drained to this size",
        0,
    )
    turn_read: int = _limit(
        64 * KIB, "bytes", "advanced", "maximum bytes read from one connection per event loop turn"
    )
    turn_read_file: int = _limit(
        256 * KIB,
        "bytes",
        "advanced",
        "maximum bytes of a request body read from one connection per turn while it is written to a file",
    )
    turn_send: int = _limit(
        256 * KIB, "bytes", "advanced", "maximum bytes sent to one connection per event loop turn"
    )
    turn_compress: int = _limit(
        64 * KIB, "bytes", "advanced", "maximum bytes compressed for one connection per event loop turn"
    )
    turn_requests: int = _limit(
        64,
        "requests",
        "advanced",
        "maximum requests (or body chunks) processed for one connection per event loop turn",
    )
    turn_accepts: int = _limit(
        64, "connections", "advanced", "maximum connections accepted per event loop turn"
    )

    slow_turn: float = _limit(
        0.05,
        "seconds",
        "logging",
        "log a warning when a callback, or a whole turn of the event loop, takes longer than this",
        0.001,
    )

    watchdog: float = _limit(
        0.0,
        "seconds",
        "logging",
        "log the stack of a callback that blocks the event loop for longer than this; 0: off",
        0,
    )

    # Switches.
    date_header: bool = True

    def __post_init__(self) -> None:
        for each in fields(self):
            value, minimum = getattr(self, each.name), each.metadata.get("minimum", 0)
            kind = type(each.default)
            if not isinstance(value, (int, float) if kind is float else int):
                raise ValueError(f"invalid {each.name}: {value!r} (must be of type {kind.__name__})")
            # "not >=" instead of "<": a NaN compares false with everything, and is out of range too.
            if not minimum <= value < 2**53:
                bound = "less than 2**53" if value >= 2**53 else f"at least {minimum}"
                raise ValueError(f"invalid {each.name}: {value} (must be {bound})")
        if self.low_water >= self.high_water:
            raise ValueError(
                f"invalid low_water: {self.low_water} (must be less than high_water, {self.high_water})"
            )
