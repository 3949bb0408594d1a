"""The reactor: an event loop over one selector. Each turn (iteration) of the loop has five steps:

    1. look up the earliest deadline, which limits how long the loop may sleep
    2. demultiplex: sleep until a handle is ready or that deadline passes; if a deadline has passed, poll
       once more without sleeping, since received bytes take precedence over deadlines
    3. dispatch: call each ready event handler, then those scheduled by ``soon``, for at most 10 ms; those
       left over follow in the next turn, which does not sleep (``call_order.py``)
    4. call the handlers whose deadline has passed, unless they are left over, in the first 20 ms of the turn
    5. call the functions registered with ``at_turn_end``

The reactor knows nothing about HTTP. Its selector and clock, which are nondeterministic, are parameters.
"""

import logging
import selectors
import threading
import time
from collections.abc import Callable
from math import inf

from reactor.call_order import CallOrder
from reactor.deadlines import Deadlines
from reactor.event_handler import BOTH, CALLBACKS, DEADLINE, READ, WRITE, EventHandler, Interest
from reactor.loop_hooks import LoopHooks, Ready, SlowReporter

log = logging.getLogger("reactor")

MAX_SLEEP = 1e6  # seconds (11 days): epoll takes milliseconds as a C int
LONG_CALLBACK = 1.0  # seconds; a callback that takes longer extends its handler's deadline


class Reactor(LoopHooks):
    """Waits for many handles in one thread, and calls their event handlers one after the other."""

    def __init__(
        self,
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
        deadlines: Deadlines[EventHandler] | None = None,
        processor_time: Callable[[], float] = time.thread_time,
    ) -> None:
        self._selector = selectors.DefaultSelector() if selector is None else selector
        self.clock = clock  # in seconds; deadlines are times of this clock
        self._deadlines = Deadlines[EventHandler]() if deadlines is None else deadlines
        self._soon: dict[EventHandler, bool] = {}  # an ordered set
        self._turn_ends: list[Callable[[], None]] = []
        self._order = CallOrder(processor_time)
        self._slow_after, self._update_now_after = inf, LONG_CALLBACK  # seconds
        self._reporter: SlowReporter | None = None
        self._running = False
        self._hooks = self.active_hooks()
        self.thread: int | None = None  # identifier of the thread that runs the loop
        self.now = clock()  # base of new deadlines: ``began``, or when a long callback returned
        self.began = self.now  # when the events of the turn were collected
        self.returned = self.now  # when the latest callback returned

    def refresh(self, handler: EventHandler) -> None:
        """Update the registration of an event handler after its interest or deadline has changed."""
        self.check_thread("Reactor.refresh()")
        if handler.interest != handler.reactor_interest:
            self._change_interest(handler)
        if handler.deadline < handler.reactor_deadline:
            self._deadlines.schedule(handler)

    register = refresh  # the name that the Reactor pattern gives it

    def soon(self, handler: EventHandler) -> None:
        """Call ``on_soon`` once, in the next turn, which does not sleep."""
        self.check_thread("Reactor.soon()")
        self._soon[handler] = True

    def remove(self, handler: EventHandler) -> None:
        """Unregister an event handler; must be called before its handle is closed."""
        self.check_thread("Reactor.remove()")
        handler.interest = Interest.NONE
        handler.deadline = inf
        self._soon.pop(handler, False)
        self._order.left_over.pop(handler, 0)
        self._deadlines.forget(handler)
        if handler.reactor_interest:
            self._change_interest(handler)

    def at_turn_end(self, function: Callable[[], None]) -> None:
        """Call a function at the end of every turn."""
        self.check_thread("Reactor.at_turn_end()")
        self._turn_ends.append(function)

    def report_slow(self, seconds: float, reporter: SlowReporter) -> None:
        """Report callbacks and turns that take more than ``seconds``; update ``now`` after the callbacks."""
        self._reporter, self._slow_after = reporter, seconds
        self._update_now_after = min(seconds, LONG_CALLBACK)

    def check_thread(self, call: str) -> None:
        """Raise RuntimeError if the loop runs in another thread."""
        if self.thread not in (None, threading.get_ident()):
            name = threading.current_thread().name
            raise RuntimeError(f"{call} called from another thread, {name!r}: use Server.call_soon()")

    def run(self) -> None:
        """Run turns until ``stop`` is called."""
        self.check_thread("Reactor.run()")
        self._running, self.thread = True, threading.get_ident()
        try:
            while self._running:
                self.turn()
        finally:
            self.thread = None

    def stop(self) -> None:
        """Make ``run`` return after the current turn."""
        self.check_thread("Reactor.stop()")
        self._running = False

    def close(self) -> None:
        """Close the selector; the handles belong to their event handlers."""
        self.check_thread("Reactor.close()")
        self._selector.close()

    def turn(self, may_sleep: bool = True) -> None:
        """Run one turn: wait for events, and call their event handlers."""
        soon = tuple(self._soon) if self._soon else ()
        ready, due_until = self._demultiplex(may_sleep and not soon and not self._order.left_over)
        self._order.run(ready, soon, self.began, self._dispatch)
        if due_until is not None:
            self._order.run_due(self._deadlines, due_until, self.began, self._dispatch)
        for function in self._turn_ends:
            function()
        if self._reporter is not None and self.clock() - self.began > self._slow_after:
            self._reporter.on_slow_turn(len(ready))

    def _demultiplex(self, may_sleep: bool) -> tuple[Ready, float | None]:
        """Sleep until a handle is ready or a deadline passes, set ``now``, and return the ready handles.

        If a deadline has passed in a sleep, poll again: bytes that arrived in time precede it, even if the
        process was suspended (SIGSTOP, a laptop lid). Also return until when deadlines are due, or None.
        """
        earliest, called_at = self._deadlines.earliest(), self.clock()
        wait = earliest - called_at if may_sleep else 0.0
        timeout = 0.0 if wait < 0.0 else wait if wait < MAX_SLEEP else None if wait == inf else MAX_SLEEP
        ready = self._selector.select(timeout)
        due_until = self.now = self.began = self.returned = self.clock()
        if timeout == 0.0:
            due_until, self._order.polled_for = called_at, self.began - called_at
        elif earliest <= due_until:
            ready = self._selector.select(0)
            self.now = self.began = self.returned = self.clock()
        if self._hooks is not None:
            self._hooks.on_selected(called_at, timeout, ready)
        return ready, due_until if earliest <= due_until else None

    def _dispatch(self, handler: EventHandler, events: int) -> float:
        """Call one event handler; ``events`` is an event mask, or the constant DEADLINE or SOON.

        Return the time. An event can be stale: a handler called earlier in this turn may have removed this
        one or changed its interest. So an event is ignored unless the handler still waits for it.
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
                if events == DEADLINE:
                    handler.on_deadline()
                elif self._soon.pop(handler, False):  # otherwise it was removed in this turn
                    handler.on_soon()
            if handler.interest != handler.reactor_interest:
                self._change_interest(handler)
        except Exception:
            self._fail(handler)
        except BaseException:  # such as SystemExit: keep the handler registered, in case the loop runs again
            self.refresh(handler)
            raise
        if handler.deadline < handler.reactor_deadline:
            self._deadlines.schedule(handler)
        before, now = self.returned, self.clock()
        self.returned = now
        handler.reactor_took = took = now - before
        if took > self._update_now_after:
            self._note_long_callback(handler, events, took)
        if hooks is not None:
            hooks.after_call(handler, events, before)
        return now

    def _note_long_callback(self, handler: EventHandler, events: int, seconds: float) -> None:
        """Set ``now`` to the end of a long callback, so that later deadlines start there.

        One over LONG_CALLBACK also extends the handler's deadline, which it may have set at its beginning. A
        shorter one does not: a client with requests that are slow to process could extend it forever.
        """
        self.now = self.returned
        if seconds > LONG_CALLBACK:
            handler.deadline += seconds
        if self._reporter is not None and seconds > self._slow_after:
            self._reporter.on_slow_callback(handler, CALLBACKS[events], seconds)

    def _fail(self, handler: EventHandler) -> None:
        log.exception("unhandled exception in %r; removing it from the loop", handler)
        try:
            self.remove(handler)
        except (KeyError, ValueError, OSError):  # the handle is no longer registered with the selector
            handler.reactor_interest = Interest.NONE
        try:
            handler.on_failure()
        except Exception:
            log.exception("exception in on_failure() of %r", handler)

    def _change_interest(self, handler: EventHandler) -> None:
        """Update the selector; unregister a handle without interest, since selectors do not accept 0."""
        interest = handler.interest
        if not handler.reactor_interest:
            self._selector.register(handler.handle, interest, handler)
        elif interest:
            self._selector.modify(handler.handle, interest, handler)
        else:
            self._selector.unregister(handler.handle)
        handler.reactor_interest = interest
