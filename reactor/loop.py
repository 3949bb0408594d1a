"""The reactor: an event loop over one selector. Each turn of the loop has four steps:

    1. look up the earliest deadline: that is how long the loop may sleep
    2. demultiplex: sleep until a handle is ready or that deadline passes; when a deadline has passed,
       look once more without sleeping: received bytes take precedence over deadlines
    3. dispatch: call each ready event handler
    4. call the handlers that asked to be called soon, then those whose deadline has passed, and then
       the functions that end every turn

The reactor knows no HTTP. What is not deterministic, the selector and the clock, is passed in.
"""

import logging
import selectors
import threading
import time
from collections.abc import Callable
from math import inf

from reactor.deadlines import Deadlines
from reactor.event_handler import BOTH, CALLBACKS, DEADLINE, READ, SOON, WRITE, EventHandler, Interest
from reactor.loop_hooks import LoopHooks, Ready, SlowReporter

log = logging.getLogger("reactor")

MAX_SLEEP = 1e6  # seconds, 11 days: the selector counts milliseconds in a C int
LONG_CALLBACK = 1.0  # seconds; a longer callback was suspended with the process, or nothing could be in time


class Reactor(LoopHooks):
    """Waits for many handles at once, in one thread, and calls their event handlers one by one."""

    def __init__(
        self,
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
        deadlines: Deadlines[EventHandler] | None = None,
    ) -> None:
        self._selector = selectors.DefaultSelector() if selector is None else selector
        self.clock = clock  # in seconds; deadlines are in its time
        self._deadlines = Deadlines[EventHandler]() if deadlines is None else deadlines
        self._soon: dict[EventHandler, bool] = {}  # in the order in which they asked
        self._turn_ends: list[Callable[[], None]] = []
        self._slow, self._long_callback = inf, LONG_CALLBACK
        self._reporter: SlowReporter | None = None
        self._running = False
        self._hooks = self.hooks()
        self.thread: int | None = None  # the identifier of the thread that runs the loop
        self.now = clock()  # deadlines count from here: ``began``, or the return of a long callback after it
        self.began = self.now  # when the events of the present turn were collected
        self.returned = self.now  # when the latest callback returned

    # In a thread that is not the running loop's, these raise RuntimeError.

    def refresh(self, handler: EventHandler) -> None:
        """Look at an event handler's interest and deadline again."""
        self.check_thread("Reactor.refresh()")
        if handler.interest != handler.reactor_interest:
            self._change_interest(handler)
        if handler.deadline < handler.reactor_deadline:
            self._deadlines.schedule(handler)

    register = refresh  # the name that the Reactor pattern gives it

    def soon(self, handler: EventHandler) -> None:
        """Call ``on_soon`` in the next turn, which then does not sleep; called twice before that, once."""
        self.check_thread("Reactor.soon()")
        self._soon[handler] = True

    def remove(self, handler: EventHandler) -> None:
        """Stop waiting for anything on behalf of an event handler: before it closes its handle."""
        self.check_thread("Reactor.remove()")
        handler.interest = Interest.NONE
        handler.deadline = inf
        self._soon.pop(handler, False)
        self._deadlines.forget(handler)
        if handler.reactor_interest:
            self._change_interest(handler)

    def at_turn_end(self, function: Callable[[], None]) -> None:
        """Have a function called at the end of every turn."""
        self.check_thread("Reactor.at_turn_end()")
        self._turn_ends.append(function)

    def report_slow(self, seconds: float, reporter: SlowReporter) -> None:
        """Report each callback, and turn, that takes longer; ``now`` moves after such a callback, too."""
        self._slow, self._long_callback, self._reporter = seconds, min(seconds, LONG_CALLBACK), reporter

    def update_now(self) -> None:
        """Read the clock again: for a handler that sets deadlines, and may be called late in a long turn."""
        self.now = self.clock()

    def check_thread(self, call: str) -> None:
        """Raise RuntimeError in a thread that is not the loop's, while the loop runs."""
        if self.thread not in (None, threading.get_ident()):
            name = threading.current_thread().name
            raise RuntimeError(f"{call} called from another thread, {name!r}: use Server.call_soon()")

    def run(self) -> None:
        """Take turns until ``stop`` is called."""
        self.check_thread("Reactor.run()")
        self._running, self.thread = True, threading.get_ident()
        try:
            while self._running:
                self.turn()
        finally:
            self.thread = None

    def stop(self) -> None:
        """Return from ``run`` after the present turn."""
        self.check_thread("Reactor.stop()")
        self._running = False

    def close(self) -> None:
        """Close the selector; the handles belong to their event handlers."""
        self.check_thread("Reactor.close()")
        self._selector.close()

    def turn(self, may_sleep: bool = True) -> None:
        """Wait for events once, and call the event handlers that they are for."""
        soon = tuple(self._soon) if self._soon else ()
        ready, due_by = self._demultiplex(may_sleep and not soon)
        for key, events in ready:
            self._dispatch(key.data, events)
        for handler in soon:
            if self._soon.pop(handler, False):  # else it was removed in this turn
                self._dispatch(handler, SOON)
        for handler in self._deadlines.due(due_by):
            self._dispatch(handler, DEADLINE)
        for function in self._turn_ends:
            function()
        if self._reporter is not None and self.clock() - self.began > self._slow:
            self._reporter.on_slow_turn(len(ready))

    def _demultiplex(self, may_sleep: bool) -> tuple[Ready, float]:
        """Sleep until a handle is ready or a deadline passes; set ``now``.

        The process may have been suspended since the selector looked (SIGSTOP, a debugger, a laptop). So
        when a deadline has passed, look again, which reports again what is still ready, and judge deadlines
        by the time before that look, which is returned: bytes that have arrived are never late.
        """
        earliest, asked = self._deadlines.earliest(), self.clock()
        wait = earliest - asked if may_sleep else 0.0
        timeout = 0.0 if wait < 0.0 else wait if wait < MAX_SLEEP else None if wait == inf else MAX_SLEEP
        ready = self._selector.select(timeout)
        due_by = self.now = self.began = self.returned = self.clock()
        if earliest <= due_by:
            ready = self._selector.select(0)
            self.now = self.began = self.returned = self.clock()
        if self._hooks is not None:
            self._hooks.on_selected(asked, timeout, ready)
        return ready, due_by

    def _dispatch(self, handler: EventHandler, events: int) -> None:
        """Call the callbacks of one event handler for an event mask, DEADLINE or SOON.

        A ready event can be stale: a handler called earlier in this turn may have closed this one or
        changed what it waits for. So an event counts only where the handler still waits for it.
        """
        hooks = self._hooks
        if hooks is not None:
            hooks.before_call(handler, events)
        try:
            if events & READ & handler.interest:
                handler.on_readable()
            if events & WRITE & handler.interest:
                handler.on_writable()
            if not events & BOTH:
                handler.on_deadline() if events == DEADLINE else handler.on_soon()
            if handler.interest != handler.reactor_interest:
                self._change_interest(handler)
        except Exception:
            self._fail(handler)
        except BaseException:  # such as SystemExit: when the loop runs again, the handler continues
            self.refresh(handler)
            raise
        if handler.deadline < handler.reactor_deadline:
            self._deadlines.schedule(handler)
        before, now = self.returned, self.clock()
        self.returned = now
        if now - before > self._long_callback:
            self._note_long_callback(handler, events, now - before)
        if hooks is not None:
            hooks.after_call(handler, events, before)

    def _note_long_callback(self, handler: EventHandler, events: int, seconds: float) -> None:
        """Move ``now`` to the end of a long callback: deadlines that are set from here on begin there.

        After LONG_CALLBACK, extend the deadline of its own handler, which may have set it before the pause.
        After less than that a client with slow requests could otherwise prolong its own deadline for ever.
        """
        self.now = self.returned
        if seconds > LONG_CALLBACK:
            handler.deadline += seconds
        if self._reporter is not None and seconds > self._slow:
            self._reporter.on_slow_callback(handler, CALLBACKS[events], seconds)

    def _fail(self, handler: EventHandler) -> None:
        log.exception("unhandled exception in %r, which is removed", handler)
        try:
            self.remove(handler)
        except (KeyError, ValueError, OSError):  # the handle is no longer registered with the selector
            handler.reactor_interest = Interest.NONE
        try:
            handler.on_failure()
        except Exception:
            log.exception("exception in on_failure() of %r", handler)

    def _change_interest(self, handler: EventHandler) -> None:
        """Update the selector, which cannot wait for no event: then the handle is unregistered."""
        wanted = handler.interest
        if not handler.reactor_interest:
            self._selector.register(handler.handle, wanted, handler)
        elif wanted:
            self._selector.modify(handler.handle, wanted, handler)
        else:
            self._selector.unregister(handler.handle)
        handler.reactor_interest = wanted
