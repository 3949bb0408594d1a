"""Explanations: the steps of the loop in words, each with the file and line of its function.

File and line are read from the function, so that they are always right.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from reactor.deadlines import Deadlines
from reactor.http11.parser import Parser
from reactor.http11.serializer import Serializer
from reactor.loop import Reactor
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.server.write_buffer import WriteBuffer


class Step(NamedTuple):
    """One step, and the function that takes it."""

    name: str
    title: str
    words: str
    function: Callable[..., object]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON for the page."""
        file = self.function.__module__.replace(".", "/") + ".py"
        line = self.function.__code__.co_firstlineno
        return {"name": self.name, "title": self.title, "words": self.words, "file": file, "line": line}


STEPS = (
    Step(
        "earliest",
        "Look up the earliest deadline",
        "Of all that is waited for, what comes first? The loop may sleep until then, and not longer. "
        "A heap has the answer at its top; a deadline that only moves later is not even moved in it.",
        Deadlines.earliest,
    ),
    Step(
        "select",
        "Demultiplex",
        "One call to the kernel waits for all handles at once: select, epoll or kqueue. It returns "
        "those that are ready, or nothing when the deadline passes. This is the only place where the "
        "loop sleeps.",
        Reactor._demultiplex,
    ),
    Step(
        "dispatch",
        "Dispatch",
        "Each ready handle's event handler is called, one after the other, in this one thread. None "
        "may wait: while one works, all others stand still. Afterwards the loop asks what it waits "
        "for now.",
        Reactor._dispatch,
    ),
    Step(
        "soon",
        "Call soon",
        "A connection that has received more requests than its share of a turn answers the others in "
        "the next turn, which then does not sleep. So the other connections are served in between.",
        Reactor.soon,
    ),
    Step(
        "late",
        "Deadlines",
        "Who was to be done by now and is not, is called by on_deadline: a head that is not complete, "
        "a client that reads nothing, a connection that is idle for too long.",
        Deadlines.due,
    ),
    Step(
        "accept",
        "Accept",
        "The listening handle is readable when somebody wants to connect. Each connection gets a "
        "handle of its own, and is registered with the selector.",
        Acceptor._accept,
    ),
    Step(
        "receive",
        "Receive",
        "A readable handle has octets, and recv returns what has come: a whole request, several, or "
        "half of one. Never more than a turn's share, so that others have theirs.",
        Connection.on_readable,
    ),
    Step(
        "parse",
        "Parse",
        "The octets are added to what was there, and the parser is asked for the next request. When "
        "it is not complete, nothing waits for the rest: the connection goes back to the selector.",
        Parser.next_request,
    ),
    Step(
        "handler",
        "Call the handler",
        "The route was found when the head was complete. Its handler is a plain function from a "
        "request to a response; whatever it takes, everybody waits for it.",
        Connection._respond,
    ),
    Step(
        "serialize",
        "Serialize",
        "The response becomes octets: the status line, the fields, the content, compressed where the "
        "client prefers that.",
        Serializer.serialize,
    ),
    Step(
        "send",
        "Send",
        "Sending is tried at once, and most responses fit into what the kernel holds. Only what does "
        "not fit waits for the handle to become writable; only then the selector is told to wait for "
        "that.",
        WriteBuffer.flush,
    ),
    Step(
        "enter",
        "Enter a state",
        "The state alone says what is waited for and for how long. One method changes it, and the "
        "loop looks at the two attributes that it leaves behind: interest and deadline.",
        Connection._enter,
    ),
)
