"""Lesson 10: where a thread pool would stand: behind the loop, with a handle to come back by.

What must block (a lookup, a library that knows nothing else) is given to a thread. The thread does not
touch the loop; it has a function called by way of a wakeup handle, which is a handle like any other, and
the answer is taken up in a turn. The loop ticks all the time.
"""

import select
from concurrent.futures import ThreadPoolExecutor
from math import inf

from reactor.event_handler import EventHandler
from reactor.loop import Reactor
from reactor.wakeup import Wakeup

BLOCKS_FOR, TICK = 0.2, 0.01  # seconds


class Ticker(EventHandler):
    """Counts how often the loop comes round."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(deadline=reactor.now)
        self._reactor = reactor
        self.ticks = 0

    def on_deadline(self) -> None:
        """Count, and come again."""
        self.ticks += 1
        self.deadline = self._reactor.now + TICK


def block() -> int:
    """Do what would stop the loop; return a number."""
    select.select((), (), (), BLOCKS_FOR)
    return 42


def main() -> None:
    """Block in a thread while the loop ticks, and take up the answer in a turn."""
    reactor = Reactor()
    ticker = Ticker(reactor)

    def answered(number: int) -> None:
        print(f"the answer is {number}; the loop ticked {ticker.ticks} times meanwhile")
        ticker.deadline = inf
        reactor.stop()

    wakeup = Wakeup()
    reactor.register(ticker)
    reactor.register(wakeup)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(block).add_done_callback(lambda future: wakeup.call_soon(answered, future.result()))
        reactor.run()
    reactor.remove(wakeup)
    wakeup.close()
    reactor.close()


if __name__ == "__main__":
    main()
