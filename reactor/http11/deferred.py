"""Responses that are not known yet when their handler returns.

    @routes.get("/report/{name}")
    def report(request):
        return Deferred(make_report(request.params["name"]))

    def make_report(name):
        rows = yield partial(query_database, name)  # called in a worker thread
        return str(rows)  # the rest of the generator runs in the loop

``Deferred(function)`` calls one function in a worker thread; its result is the response. Or the application
keeps the ``Deferred``, and calls ``resolve`` or ``fail`` later.
"""

from collections.abc import Callable, Generator
from functools import partial, update_wrapper
from threading import RLock
from typing import Any

from reactor.http11.message import Response
from reactor.http11.results import EXPECTED, Result, ResultError, to_response

# Yields functions that may block, gets their results, and returns what a handler may return.
Steps = Generator[Callable[[], Any], Any, Result]
# Calls a function, in another thread or in the loop, at once or later.
Call = Callable[[Callable[[], object]], object]


def call_at_once(function: Callable[[], object]) -> None:
    """Call a function at once, in this thread."""
    function()


def _only_step(function: Callable[[], Result]) -> Steps:
    result: Result = yield function
    return result


class Deferred:
    """A response that is known later; a handler returns it in place of a ``Response``.

    ``steps`` is a generator, or a function that is the only step, whose result is the response. Each function
    that ``steps`` yields is called in a worker thread. An exception that it raises is raised in ``steps``;
    one that ``steps`` raises is handled like one of the handler. Without steps, the application calls
    ``resolve`` or ``fail``, once, in any thread. If neither happens within ``timeout`` seconds, the client
    gets 503; None: that of the settings; ``math.inf``: wait without a limit. ``closed`` becomes true when the
    client has disconnected or got 503, so that the response will be dropped. A Deferred belongs to one
    response. Raise ValueError for a timeout that is not positive.
    """

    # True if a function waits in the worker pool, or runs, before ``start`` is called.
    begun = False

    __slots__ = (
        "__weakref__",
        "_cancelled",
        "_error",
        "_in_loop",
        "_in_worker",
        "_lock",
        "_notify",
        "_outcome",
        "_started",
        "_steps",
        "closed",
        "done",
        "in_step",
        "timeout",
    )

    def __init__(
        self, steps: Steps | Callable[[], Result] | None = None, timeout: float | None = None
    ) -> None:
        if timeout is not None and not timeout > 0:  # also a NaN
            raise ValueError(f"invalid timeout: {timeout!r} (expected seconds above 0, or math.inf for none)")
        self.timeout = timeout
        self._lock = RLock()  # a signal handler written in Python may interrupt resolve(), and call it
        self._steps = _only_step(steps) if callable(steps) else steps
        if not isinstance(self._steps, Generator | None):
            raise TypeError(f"Deferred() takes a generator or a function, not {type(steps).__name__}")
        self._started = False
        self._cancelled = False
        self._outcome: object = None
        self._error: Exception | None = None
        self._notify: Callable[[Deferred], object] | None = None
        self.closed = False
        self.done = False  # the response, or the exception, is known
        self.in_step = False  # a worker thread calls a function

    def resolve(self, result: Result) -> None:
        """Set the result, which may be what a handler may return.

        Raise TypeError for anything else, and RuntimeError if called again.
        """
        try:
            response = to_response(result)  # raise in the caller, not later in the loop
        except ResultError:
            kind = type(result).__name__
            raise TypeError(f"Deferred.resolve() takes {EXPECTED}, not {kind}") from None
        self._end(response)

    def fail(self, error: Exception) -> None:
        """Set the exception that is handled like one of the handler; raise RuntimeError if called again."""
        self._end(None, error)

    @property
    def has_steps(self) -> bool:
        """Whether worker threads make it known, and not the application."""
        return self._steps is not None

    def result(self) -> Response:
        """Return the response, or raise the exception; ResultError if the steps returned anything else."""
        assert self.done, "the response is not known"
        if self._error is not None:
            raise self._error
        return to_response(self._outcome)

    # Called by the connection, in the loop.

    def start(self, in_worker: Call, in_loop: Call, notify: Callable[["Deferred"], object]) -> None:
        """Run the steps, if any; call ``notify`` with this object in the loop when the response is known.

        Raise RuntimeError if called again.
        """
        with self._lock:
            if self._started:
                raise RuntimeError("a Deferred can be returned only once")
            self._started, was_done = True, self.done
            self._in_worker, self._in_loop = in_worker, in_loop
            if not was_done:
                self._notify = notify
        if was_done:
            notify(self)
        elif self._steps is not None:
            self._advance(self._steps, None, None)

    def close(self) -> None:
        """Note that the client has disconnected, or has got another response."""
        self.closed = True

    def cancel(self) -> None:
        """Skip the steps that have not begun."""
        self._cancelled = True

    def abort(self) -> None:
        """End the steps before the next one; no step may be running."""
        if self._steps is not None:
            self._steps.close()

    def _end(self, outcome: object, error: Exception | None = None) -> None:
        with self._lock:
            if self.done:
                raise RuntimeError("the Deferred is already resolved")
            self._outcome, self._error, self.done = outcome, error, True
            notify, self._notify = self._notify, None  # the connection is not kept any longer
        if notify is not None:
            self._in_loop(partial(notify, self))

    def _advance(self, steps: Steps, value: object, error: BaseException | None) -> None:
        """Pass the result of a step to the generator, and begin the next step."""
        try:
            step = steps.send(value) if error is None else steps.throw(error)
        except StopIteration as stop:
            self._end(stop.value)
        except Exception as raised:
            self._end(None, raised)
        else:
            if not callable(step):
                steps.close()
                kind = type(step).__name__
                self._end(None, TypeError(f"a step of a Deferred is {kind} (expected a function to call)"))
                return
            self._in_worker(update_wrapper(partial(self._run, steps, step), step))  # named in the log

    def _run(self, steps: Steps, step: Callable[[], object]) -> None:
        """Run a step in a worker thread."""
        if self._cancelled:
            return
        value, error = None, None
        self.in_step = True
        try:
            value = step()
        except BaseException as raised:  # such as SystemExit: raised in the loop
            error = raised
        self.in_step = False
        self._in_loop(partial(self._advance, steps, value, error))
