"""The result of a function that runs in a worker thread (``Server.run_in_thread``), as a Deferred."""

import logging
from collections.abc import Callable

from reactor.http11.deferred import Deferred
from reactor.http11.results import name_of_function

log = logging.getLogger("reactor")


class ThreadResult(Deferred):
    """A Deferred whose function begins before a handler returns it.

    If the function raises an exception and no handler has returned this object, the exception is logged.
    ``call_soon`` calls a function in the loop, and returns False if the loop has ended.
    """

    __slots__ = ("_call_soon", "_function")

    begun = True

    def __init__(
        self, function: Callable[[], object], call_soon: Callable[[Callable[[], object]], bool]
    ) -> None:
        super().__init__()
        self._function = function
        self._call_soon = call_soon

    @property
    def has_steps(self) -> bool:
        """True: a worker thread makes it known, and not the application."""
        return True

    def call(self) -> None:
        """Call the function, in a worker thread."""
        if self._cancelled:
            return
        self.in_step = True
        try:
            outcome, error = self._function(), None
        except Exception as raised:
            outcome, error = None, raised
        except BaseException as raised:  # such as SystemExit, which must not end the thread
            outcome, error = None, RuntimeError(f"{raised!r} in a worker thread")
        self.in_step = False
        self._end(outcome, error)
        # In the next turn: a handler that called run_in_thread() has returned by then.
        if error is not None and not self._call_soon(self._log_unless_returned):
            self._log_unless_returned()

    def _log_unless_returned(self) -> None:
        if not self._started:
            name = name_of_function(self._function)
            log.error("unhandled exception in %s, run in a thread", name, exc_info=self._error)
