"""What a parser makes of some bytes, in one form for ours and for the oracles, so that they compare.

    Reading   messages, and how it ended:
    COMPLETE  every byte was used, or ignored after the last message; nothing is missing
    WAITING   the last message, or its head, needs more bytes
    REFUSED   what came next is not a message
    STOPPED   the parser hands the connection over (CONNECT, Upgrade) and reads no further

The content of a message that is not whole is not compared: how much of it a parser hands out before
it sees a fault is its own affair.
"""

from enum import Enum, auto
from typing import NamedTuple

from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings

Fields = tuple[tuple[str, str], ...]


class End(Enum):
    """How a reading ended; the table is at the top of this file."""

    COMPLETE = auto()
    WAITING = auto()
    REFUSED = auto()
    STOPPED = auto()


class Message(NamedTuple):
    """One request: bytes as ISO 8859-1 text, names as they were written, values without white space."""

    method: str
    target: str
    fields: Fields
    keep_alive: bool
    content: bytes | None = None  # None: it is not whole


class Reading(NamedTuple):
    """What came out of one parser, and ``starts``, where it began to look for each message."""

    messages: tuple[Message, ...]
    end: End
    status: int = 0
    reason: str = ""
    starts: tuple[int, ...] = ()


class Ours:
    """Our parser, fed once; its ``HeadReader`` is shared, as that of a server is."""

    def __init__(self) -> None:
        self.heads = HeadReader(Settings())

    def read(self, data: bytes) -> Reading:
        """Read all that the bytes hold."""
        messages: list[Message] = []
        starts: list[int] = []
        parser = Parser(self.heads)
        parser.feed(data)
        try:
            while True:
                starts.append(len(data) - parser.buffered)
                if not _read_message(parser, messages):
                    break
        except ProtocolError as error:
            return Reading(tuple(messages), End.REFUSED, error.status, error.reason, tuple(starts))
        waiting = parser.phase in (Phase.HEAD, Phase.CONTENT)
        end = End.WAITING if waiting else End.COMPLETE
        return Reading(tuple(messages), end, starts=tuple(starts))


def _read_message(parser: Parser, messages: list[Message]) -> bool:
    """Add the next message; return False when it is not whole, or was the last one."""
    request = parser.next_request()
    if request is None:
        return False
    message = Message(
        request.method, str(request.target), tuple(request.headers.lines), request.head.keep_alive
    )
    messages.append(message)
    content = b""
    while parser.phase is Phase.CONTENT:
        data = parser.next_content()
        content += data
        if not data and parser.phase is Phase.CONTENT:
            return False
    messages[-1] = message._replace(content=content)
    return True
