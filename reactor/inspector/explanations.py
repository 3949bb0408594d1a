"""Explanations of the loop's steps, each with the file and line of the function that implements it.

File and line are read from the function object, so they are always correct.
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
    """One step, and the function that implements it."""

    name: str
    title: str
    text: str
    function: Callable[..., object]

    def as_dict(self) -> dict[str, Any]:
        """Return the step as JSON for the page."""
        file = self.function.__module__.replace(".", "/") + ".py"
        line = self.function.__code__.co_firstlineno
        return {"name": self.name, "title": self.title, "words": self.text, "file": file, "line": line}


STEPS = (
    Step(
        "earliest",
        "Look up the earliest deadline",
        "The loop may sleep until the earliest deadline of all event handlers, and no longer. Deadlines "
        "are kept in a heap, with the earliest at its top. A deadline that is only postponed is not moved "
        "in the heap.",
        Deadlines.earliest,
    ),
    Step(
        "select",
        "Demultiplex",
        "One system call (select, epoll or kqueue) waits for all handles at once. It returns the handles "
        "that are ready, or none if the deadline has passed. The loop sleeps nowhere else.",
        Reactor._demultiplex,
    ),
    Step(
        "dispatch",
        "Dispatch",
        "The loop calls the event handlers of the ready handles one after the other, in a single thread. "
        "None of them may block: while one runs, all others wait. After each call the loop reads the "
        "handler's interest and deadline again. After 10 ms of calls, those left over follow in the next "
        "turn, the short ones first.",
        Reactor._dispatch,
    ),
    Step(
        "soon",
        "Call soon",
        "A connection that has received more requests than its share of a turn answers the rest in the "
        "next turn, which does not sleep. The other connections are served in between. A connection whose "
        "deferred response is known sends it in the same way.",
        Reactor.soon,
    ),
    Step(
        "late",
        "Deadlines",
        "Event handlers whose deadline has passed are called by on_deadline: the request head is "
        "incomplete, the client does not read the response, or the connection has been idle for too long.",
        Deadlines.due,
    ),
    Step(
        "accept",
        "Accept",
        "The listening handle is readable when a client has connected. Each accepted connection has a "
        "handle of its own, which is registered with the selector.",
        Acceptor._accept,
    ),
    Step(
        "receive",
        "Receive",
        "recv returns the bytes that have arrived: one request, several, or part of one. A connection "
        "reads at most its share of a turn, so that the others are served as well.",
        Connection.on_readable,
    ),
    Step(
        "parse",
        "Parse",
        "The bytes are appended to the parser's buffer, and the parser returns the next request. If the "
        "request is incomplete, nothing blocks: the connection waits in the selector until more bytes "
        "arrive.",
        Parser.next_request,
    ),
    Step(
        "handler",
        "Call the handler",
        "The route was found when the head was complete. Its handler is a plain function that takes a "
        "request and returns a response. All other connections wait until it returns. For work that blocks "
        "it returns a Deferred at once, and a worker thread does the work.",
        Connection._respond,
    ),
    Step(
        "serialize",
        "Serialize",
        "The response is converted to bytes: the status line, the headers and the body, which is "
        "compressed if the client prefers that.",
        Serializer.serialize,
    ),
    Step(
        "send",
        "Send",
        "The response is sent immediately, and most responses fit into the kernel's send buffer. If one does "
        "not fit, the rest stays in the write buffer, and WRITE is registered with the selector until it "
        "is sent.",
        WriteBuffer.flush,
    ),
    Step(
        "enter",
        "Enter a state",
        "The state of a connection determines which events it waits for, and its timeout. One method "
        "changes the state and sets two attributes that the loop reads: interest and deadline.",
        Connection._enter,
    ),
)
