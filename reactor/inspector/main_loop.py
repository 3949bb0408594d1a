"""The main loop as one handle among others: an epoll handle can itself be waited for.

A selector is a handle, too. ``epoll_create`` and ``kqueue`` return a descriptor, and it is *readable*
when something that is registered with it is ready. So one reactor can wait for another:

    the outer reactor waits for    its listening handle, its browsers, and the main selector
    the main selector waits for    everything that the server serves

When the main selector becomes readable, or the main loop's earliest deadline passes, the outer reactor
calls us as it calls any event handler, and at the end of its own turn we take one of the main loop. To
pause it is to wait for that handle no more. The clients are still connected, their octets wait in the
kernel, and the outer reactor goes on serving the page on which somebody looks at it all: in one thread.

That is also how loops are nested in earnest: a toolkit with a loop of its own that has to wait for
another's, a library that hands out its epoll handle instead of a hundred sockets.
"""

from math import inf

from reactor.event_handler import EventHandler, Interest
from reactor.inspector.stepping import SteppedReactor
from reactor.loop import Reactor


class MainLoop(EventHandler):
    """Takes a turn of the main reactor when one is due."""

    __slots__ = ("_asked", "_inner", "_is_due", "_outer")

    def __init__(self, inner: SteppedReactor, outer: Reactor) -> None:
        super().__init__(inner.selector, Interest.READ)
        self._inner = inner
        self._outer = outer
        self._is_due = False
        self._asked = False  # the outer selector has been asked since the loop was resumed
        outer.at_turn_end(self._take_turn)
        self._await()

    def on_readable(self) -> None:
        """Note that something is ready."""
        self._is_due = True

    def on_deadline(self) -> None:
        """Note that a deadline has passed."""
        self.deadline = inf
        self._is_due = True

    def _take_turn(self) -> None:
        """Take a turn of the main loop, if one is due.

        At the end of the outer turn and not in one of its calls: where the main loop is held, nobody of
        the outer turn must be left uncalled behind it.
        """
        if self._is_due:
            self._is_due = False
            self._inner.turn()
            if self.interest:
                self._await()
                self._outer.refresh(self)
        elif self._asked:
            self._inner.control.nothing_is_ready()
        else:
            self._asked = True

    def suspend(self) -> None:
        """Wait for the main loop no more."""
        self.interest = Interest.NONE
        self.deadline = inf
        self._outer.refresh(self)

    def resume(self) -> None:
        """Wait for it again."""
        self.interest = Interest.READ
        self._asked = False
        self._await()
        self._outer.refresh(self)

    def _await(self) -> None:
        """Translate its earliest deadline to the outer clock."""
        earliest = self._inner.earliest()
        waits = earliest - self._inner.clock()
        self.deadline = inf if earliest == inf else self._outer.clock() + max(0.0, waits)
