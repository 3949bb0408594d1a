"""The event handlers that a reactor calls, and what they wait for.

An event handler states what it waits for in two plain attributes, ``interest`` and ``deadline``, and one of
its callbacks is called when that happens. After each call the reactor compares both with what is registered,
and updates the selector if the interest has changed, and the deadlines if the deadline is earlier:

    class Echo(EventHandler):
        def on_readable(self):
            data = self.handle.recv(4096)
            if data:
                self.handle.send(data)
            else:  # the client has closed the connection
                reactor.remove(self)
                self.handle.close()

    reactor = Reactor()
    reactor.register(Echo(connected_socket, Interest.READ))
    reactor.run()

A handle that stays ready is reported again in each turn (level-triggered), and a deadline that has passed
and is not moved comes up again in each turn.

The names are those of the Reactor pattern (Pattern-Oriented Software Architecture, volume 2).
"""

import selectors
from enum import IntEnum
from math import inf
from typing import Any


class Interest(IntEnum):
    """The readiness that an event handler waits for; the same numbers as the selector's."""

    NONE = 0
    READ = selectors.EVENT_READ
    WRITE = selectors.EVENT_WRITE
    BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
BOTH = READ | WRITE
DEADLINE, SOON = 0, 4  # what a handler is called for when its handle is not ready
# Names of callbacks, indexed by event mask, DEADLINE or SOON.
CALLBACKS = ("on_deadline", "on_readable", "on_writable", "on_readable and on_writable", "on_soon")


class EventHandler:
    """Waits for one handle, or for a deadline alone.

    ``handle`` is anything with a ``fileno()``; None for a handler that waits only for its deadline.
    ``interest`` and ``deadline`` (in seconds of the reactor's clock; infinite for never) belong to the
    handler, which may change them whenever it is called. When it changes them at another time, it calls
    ``Reactor.refresh``. The attributes that begin with ``reactor_`` are the reactor's.
    """

    __slots__ = ("deadline", "handle", "interest", "reactor_deadline", "reactor_interest")

    def __init__(self, handle: Any = None, interest: int = Interest.NONE, deadline: float = inf) -> None:
        self.handle = handle
        self.interest = interest
        self.deadline = deadline
        self.reactor_interest: int = Interest.NONE  # what is registered with the selector
        self.reactor_deadline = inf  # what is scheduled, at most ``deadline`` after a call; inf for nothing

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def on_readable(self) -> None:
        """Read: the handle has bytes, its end, or an error that reading will show."""

    def on_writable(self) -> None:
        """Write: the handle accepts bytes again."""

    def on_soon(self) -> None:
        """Continue, in the turn after the one in which ``Reactor.soon`` was called."""

    def on_deadline(self) -> None:
        """Act on the deadline, which has passed: move it, or call ``Reactor.remove``."""

    def on_failure(self) -> None:
        """Release everything: a callback raised an exception, and the reactor has removed this handler."""
