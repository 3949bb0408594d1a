"""Lesson 10: a thread pool for blocking calls, which returns results to the loop through a wakeup handle.

A blocking call (a name lookup, a library without a non-blocking API) runs in a thread. The thread does not
touch the loop: it queues a callback and writes to the wakeup handle, and the loop runs the callback in one
of its turns. The loop is not blocked.
"""

import select
from concurrent.futures import ThreadPoolExecutor
from math import inf

from reactor.event_handler import EventHandler
from reactor.loop import Reactor
from reactor.wakeup import Wakeup

BLOCK_SECONDS, TICK = 0.2, 0.01  # seconds


class Ticker(EventHandler):
    """Counts the ticks of a timer."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(deadline=reactor.now)
        self._reactor = reactor
        self.ticks = 0

    def on_deadline(self) -> None:
        """Count, and set the next deadline."""
        self.ticks += 1
        self.deadline = self._reactor.now + TICK


def block() -> int:
    """Block as a slow library call would; return a number."""
    select.select((), (), (), BLOCK_SECONDS)
    return 42


def main() -> None:
    """Run a blocking call in a thread while the loop ticks, and receive its result in a turn."""
    reactor = Reactor()
    ticker = Ticker(reactor)

    def on_result(result: int) -> None:
        print(f"result {result}; the loop ticked {ticker.ticks} times while the thread was blocked")
        ticker.deadline = inf
        reactor.stop()

    wakeup = Wakeup()
    reactor.register(ticker)
    reactor.register(wakeup)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(block).add_done_callback(lambda future: wakeup.call_soon(on_result, future.result()))
        reactor.run()
    reactor.remove(wakeup)
    wakeup.close()
    reactor.close()


if __name__ == "__main__":
    main()
