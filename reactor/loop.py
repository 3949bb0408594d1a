"""The reactor: demultiplex and dispatch, over one selector.

    1. look up the earliest deadline: that is how long we may sleep
    2. demultiplex: sleep until a handle is ready or that deadline passes; when a deadline has passed,
       look once more without sleeping: received bytes take precedence over deadlines
    3. dispatch: call each ready event handler
    4. call the event handlers whose deadline has passed; then whatever ends the turn

An event handler says what it waits for in two plain attributes, ``interest`` and ``deadline``, and
is called when that happens. After each call the reactor looks at both, and tells the selector and
the deadlines only when they changed. So "what am I waiting for" stands in one place, with the one
who waits:

    class Echo(EventHandler):
        def on_readable(self):
            self.handle.send(self.handle.recv(4096))

    reactor = Reactor()
    reactor.register(Echo(connected_socket, Interest.READ))
    reactor.run()

The names are those of the Reactor pattern (Pattern-Oriented Software Architecture, volume 2). The
reactor knows nothing about HTTP. The selector and the clock come in from outside, so that a test
can hold both still.
"""

import logging
import selectors
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from math import inf
from typing import Any

from reactor.deadlines import Deadlines

log = logging.getLogger("reactor")


class Interest(IntEnum):
    """The readiness that an event handler waits for; plain numbers, as the selector has them."""

    NONE = 0
    READ = selectors.EVENT_READ
    WRITE = selectors.EVENT_WRITE
    BOTH = selectors.EVENT_READ | selectors.EVENT_WRITE


# Seconds. The selector counts milliseconds in a C int; to wake for nothing once in 11 days is harmless.
MAX_SLEEP = 1e6
# Seconds. Who waits longer for an answer begins to notice; nobody else is served meanwhile.
SLOW_TURN = 0.05
# Seconds. If a hook takes longer, the process was suspended, or nothing could have been in time.
LONG_HOOK = 1.0

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
# Hook names, indexed by event mask (0: deadline).
HOOKS = ("on_deadline", "on_readable", "on_writable", "on_readable and on_writable")


class EventHandler:
    """What waits for one handle, or for a deadline alone.

    ``handle`` is anything with a ``fileno()``; None for a handler that waits only for its deadline.
    ``interest`` and ``deadline`` (in seconds of the reactor's clock; infinite for never) belong to
    the handler, which may change them whenever it is called. When it changes them at another time,
    it asks the reactor to ``refresh``. The attributes that begin with ``reactor_`` are the reactor's.
    """

    __slots__ = ("deadline", "handle", "interest", "reactor_deadline", "reactor_interest")

    def __init__(self, handle: Any = None, interest: int = Interest.NONE, deadline: float = inf) -> None:
        self.handle = handle
        self.interest = interest
        self.deadline = deadline
        self.reactor_interest: int = Interest.NONE  # what is registered with the selector
        self.reactor_deadline = inf  # what is scheduled; never later than ``deadline``

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def on_readable(self) -> None:
        """Read: the handle has octets, or its end, or a fault that reading will show."""

    def on_writable(self) -> None:
        """Write: the handle takes octets again."""

    def on_deadline(self) -> None:
        """Act on the deadline, which has passed, and set another or leave."""

    def on_failure(self) -> None:
        """Let go of everything: an exception came out of a hook, and the reactor has removed us."""


class Reactor:
    """Waits for many handles at once, in one thread, and calls their event handlers one by one."""

    def __init__(
        self,
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
        slow_turn: float = SLOW_TURN,
    ) -> None:
        self._selector = selectors.DefaultSelector() if selector is None else selector
        self._clock = clock
        self._slow_turn = slow_turn
        self._long_hook = min(slow_turn, LONG_HOOK)
        self._deadlines: Deadlines[EventHandler] = Deadlines()
        self._turn_ends: list[Callable[[], None]] = []
        self._running = False
        self.thread: int | None = None  # the identifier of the thread that runs the loop
        self.now = clock()  # when the present turn's events were collected, in seconds; later after a pause
        self._began = self.now  # when the present turn's events were collected, whatever happened since
        self._last = self.now  # when the last hook of the present turn returned
        self._last_logged = -inf  # start of the last turn in which a slow hook was logged

    @property
    def clock(self) -> Callable[[], float]:
        """The clock that deadlines are in, in seconds."""
        return self._clock

    # What event handlers ask for: in the loop's own thread, or RuntimeError is raised.

    def register(self, handler: EventHandler) -> None:
        """Begin to wait for what the event handler waits for; the same as ``refresh``, by its POSA name."""
        self.refresh(handler)

    def refresh(self, handler: EventHandler) -> None:
        """Look at an event handler's interest and deadline again."""
        self.check_thread("Reactor.refresh()")
        if handler.interest != handler.reactor_interest:
            self._change_interest(handler)
        if handler.deadline < handler.reactor_deadline:
            self._deadlines.schedule(handler)

    def remove(self, handler: EventHandler) -> None:
        """Stop waiting for anything on behalf of an event handler: before it closes its handle."""
        self.check_thread("Reactor.remove()")
        handler.interest = Interest.NONE
        handler.deadline = inf
        if handler.reactor_interest:
            self._change_interest(handler)
        self._deadlines.forget(handler)

    def at_turn_end(self, function: Callable[[], None]) -> None:
        """Have a function called at the end of every turn."""
        self.check_thread("Reactor.at_turn_end()")
        self._turn_ends.append(function)

    def update_now(self) -> None:
        """Read the clock again: for a handler that sets deadlines, and may be called late in a long turn."""
        self.now = self._clock()

    def check_thread(self, call: str) -> None:
        """Raise RuntimeError in a thread that is not the loop's, while the loop runs."""
        if self.thread is not None and threading.get_ident() != self.thread:
            raise RuntimeError(
                f"{call} was called in {threading.current_thread().name!r}, and the loop runs in another "
                "thread: pass the function to Server.call_soon()"
            )

    # Running.

    def run(self) -> None:
        """Take turns until ``stop`` is called."""
        self.check_thread("Reactor.run()")
        self._running = True
        self.thread = threading.get_ident()
        try:
            while self._running:
                self.turn()
        finally:
            self.thread = None

    def stop(self) -> None:
        """Let the present turn be the last."""
        self.check_thread("Reactor.stop()")
        self._running = False

    def close(self) -> None:
        """Close the selector; the handles belong to their event handlers."""
        self.check_thread("Reactor.close()")
        self._selector.close()

    def turn(self) -> None:
        """Wait once, and call everybody who is ready."""
        earliest = self._deadlines.earliest()
        timeout = None if earliest == inf else min(max(0.0, earliest - self._clock()), MAX_SLEEP)
        ready, due_by = self._demultiplex(timeout, earliest)
        for key, events in ready:
            self._dispatch(key.data, events)
        for handler in self._deadlines.due(due_by):
            self._call(handler, handler.on_deadline)
        for function in self._turn_ends:
            function()
        if self._clock() - self._began > self._slow_turn:
            self._log_slow_turn(len(ready))

    # One step each, which an instrumented reactor wraps.

    def _demultiplex(
        self, timeout: float | None, earliest: float
    ) -> tuple[list[tuple[selectors.SelectorKey, int]], float]:
        """Sleep until a handle is ready, for at most ``timeout`` seconds, None for ever; set ``now``.

        The process may have been suspended since the selector looked (SIGSTOP, a debugger, a laptop).
        So when the ``earliest`` deadline has passed, look again, and judge deadlines by the time before
        that look, which is returned: a client whose bytes have arrived is never treated as late.
        """
        ready = self._selector.select(timeout)
        due_by = self.now = self._began = self._last = self._clock()
        if earliest <= due_by:
            ready = self._selector.select(0)
            self.now = self._began = self._last = self._clock()
        return ready, due_by

    def _dispatch(self, handler: EventHandler, events: int) -> None:
        """Call the hooks of one ready event handler.

        A ready event can be stale: a handler called earlier in this turn may have closed this one
        or changed what it waits for. So an event counts only where the handler still waits for it.
        """
        try:
            if events & READ & handler.interest:
                handler.on_readable()
            if events & WRITE & handler.interest:
                handler.on_writable()
            if handler.interest is not handler.reactor_interest:
                self._change_interest(handler)
        except Exception:
            self._fail(handler)
        if handler.deadline < handler.reactor_deadline:
            self._deadlines.schedule(handler)
        now = self._clock()
        if now - self._last > self._long_hook:
            self._note_long_hook(handler, HOOKS[events], now)
        self._last = now

    def _call(self, handler: EventHandler, hook: Callable[[], None]) -> None:
        """Call one hook; an exception costs its event handler the place, and nobody else anything."""
        try:
            hook()
            self.refresh(handler)
        except Exception:
            self._fail(handler)
        now = self._clock()
        if now - self._last > self._long_hook:
            self._note_long_hook(handler, HOOKS[0], now)
        self._last = now

    def _note_long_hook(self, handler: EventHandler, hook: str, now: float) -> None:
        """Move ``now`` to the end of a hook that took long: deadlines that are set from here on begin there.

        After a suspension, extend the deadline of the hook's own handler as well, which may have been set
        before it. Less than that is not extended: a client could live on the time that its own hooks take.
        """
        seconds = now - self._last
        self.now = now
        if seconds > LONG_HOOK:
            handler.deadline += seconds
        if seconds > self._slow_turn:
            self._last_logged = self._began
            log.warning("slow: %s of %r took %.0f ms, and all others waited", hook, handler, seconds * 1e3)

    def _log_slow_turn(self, ready: int) -> None:
        """Tell of a turn that was slow by many hooks, none of them slow, or by what ends it."""
        if self._last_logged != self._began:
            now = self._clock()
            log.warning(
                "slow: a turn took %.0f ms: %.0f in the event handlers of %d ready handles, %.0f at its end",
                (now - self._began) * 1e3,
                (self._last - self._began) * 1e3,
                ready,
                (now - self._last) * 1e3,
            )

    def _fail(self, handler: EventHandler) -> None:
        log.exception("%r failed, and is removed", handler)
        try:
            self.remove(handler)
        except (KeyError, ValueError, OSError):  # the selector has let go of the handle by itself
            handler.reactor_interest = Interest.NONE
            self._deadlines.forget(handler)
        try:
            handler.on_failure()
        except Exception:
            log.exception("%r failed again on its way out", handler)

    def _change_interest(self, handler: EventHandler) -> None:
        """Tell the selector what changed; it refuses to wait for nothing, which is to unregister."""
        wanted, registered = handler.interest, handler.reactor_interest
        if not registered:
            self._selector.register(handler.handle, wanted, handler)
        elif wanted:
            self._selector.modify(handler.handle, wanted, handler)
        else:
            self._selector.unregister(handler.handle)
        handler.reactor_interest = wanted
