"""Event handlers: what a reactor calls, with their interest and deadline.

An event handler declares what it waits for in two plain attributes, ``interest`` and ``deadline``, and the
reactor calls the matching callback. After each call, the reactor updates the selector if the interest has
changed, and its heap of deadlines if the deadline has become earlier:

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

A handle is reported in every turn while it is ready (level-triggered), and a passed deadline in every turn
until it is moved.

The names are those of the Reactor pattern (Pattern-Oriented Software Architecture, volume 2).
"""

import selectors
from enum import IntEnum
from math import inf
from typing import Any


class Interest(IntEnum):
    """The readiness that an event handler waits for, with the values of ``selectors``."""

    NONE = 0
    READ = selectors.EVENT_READ
    WRITE = selectors.EVENT_WRITE
    BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
BOTH = READ | WRITE
DEADLINE, SOON = 0, 4  # reasons for a call other than a ready handle
# Names of callbacks, indexed by an event mask, or by DEADLINE or SOON.
CALLBACKS = ("on_deadline", "on_readable", "on_writable", "on_readable and on_writable", "on_soon")


class EventHandler:
    """Waits for one handle, or only for a deadline.

    ``handle`` is an object with a ``fileno()``, or None. ``interest`` and ``deadline`` (in seconds of the
    reactor's clock; ``inf`` for never) may be changed in any callback; elsewhere, call ``Reactor.refresh``
    after changing them. The attributes that begin with ``reactor_`` belong to the reactor. While the loop is
    overloaded, handlers that are ``is_urgent`` are called first; their calls must be short.
    """

    is_urgent = False

    __slots__ = (
        "deadline",
        "handle",
        "interest",
        "reactor_average",
        "reactor_deadline",
        "reactor_interest",
        "reactor_took",
    )

    def __init__(self, handle: Any = None, interest: int = Interest.NONE, deadline: float = inf) -> None:
        self.handle = handle
        self.interest = interest
        self.deadline = deadline
        self.reactor_interest: int = Interest.NONE  # what is registered with the selector
        self.reactor_deadline = inf  # what is scheduled, or inf; after a call, not later than ``deadline``
        # In seconds; inf before the first: the duration of the last call, and the average processor time of
        # the calls while the loop was overloaded.
        self.reactor_took = self.reactor_average = inf

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def on_readable(self) -> None:
        """Read: the handle has bytes, is at its end, or has an error, which reading raises."""

    def on_writable(self) -> None:
        """Write: the handle accepts bytes again."""

    def on_soon(self) -> None:
        """Continue, in the turn after ``Reactor.soon`` was called."""

    def on_deadline(self) -> None:
        """Handle a passed deadline: move it, or call ``Reactor.remove``."""

    def on_failure(self) -> None:
        """Release all resources: a callback raised an exception, and the reactor removed this handler."""
