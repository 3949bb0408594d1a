"""The observer: what a turn did, one stream of events for any number of readers.

    TurnBegan -> Selected -> Called ... -> TurnEnded

Watching is composed, not switched on: an ``ObservedReactor`` is the same reactor with each of its
steps wrapped, and a plain ``Reactor`` has no line that asks whether anybody looks. A reader is any
function of one event; ``TurnLog`` is one, which tells each turn in a line of the debug log.
"""

import logging
import selectors
from collections.abc import Callable, Sequence
from typing import NamedTuple

from reactor.loop import EventHandler, Reactor

log = logging.getLogger("reactor.turns")


class TurnBegan(NamedTuple):
    """A turn began; turns are counted from 1."""

    turn: int


class Selected(NamedTuple):
    """The selector returned. Times are in seconds; ``timeout`` is None for ever."""

    timeout: float | None
    waited: float
    ready: list[tuple[selectors.SelectorKey, int]]


class Called(NamedTuple):
    """An event handler was called. ``events`` is its readiness, 0 for its deadline."""

    handler: EventHandler
    events: int
    seconds: float


class TurnEnded(NamedTuple):
    """A turn ended; ``seconds`` is how long it took without the waiting."""

    turn: int
    seconds: float


Event = TurnBegan | Selected | Called | TurnEnded
EventReader = Callable[[Event], None]


class ObservedReactor(Reactor):
    """A reactor that tells its readers what it does."""

    def __init__(
        self,
        readers: Sequence[EventReader],
        selector: selectors.BaseSelector | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if clock is None:
            super().__init__(selector)
        else:
            super().__init__(selector, clock)
        self._readers = readers
        self._turn = 0

    def _tell(self, event: Event) -> None:
        for reader in self._readers:
            reader(event)

    def turn(self) -> None:
        """Take a turn, and tell of it."""
        self._turn += 1
        self._tell(TurnBegan(self._turn))
        super().turn()
        self._tell(TurnEnded(self._turn, self._clock() - self.now))

    def _demultiplex(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        began = self._clock()
        ready = super()._demultiplex(timeout)
        self._tell(Selected(timeout, self._clock() - began, ready))
        return ready

    def _dispatch(self, handler: EventHandler, events: int) -> None:
        began = self._clock()
        super()._dispatch(handler, events)
        self._tell(Called(handler, events, self._clock() - began))

    def _call(self, handler: EventHandler, hook: Callable[[], None]) -> None:
        began = self._clock()
        super()._call(handler, hook)
        self._tell(Called(handler, 0, self._clock() - began))


class TurnLog:
    """Tells each turn in one line of the debug log."""

    def __init__(self) -> None:
        self._words: list[str] = []

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, TurnBegan):
            self._words = [f"turn {event.turn}:"]
        elif isinstance(event, Selected):
            self._words.append(f"waited {event.waited * 1e3:.1f} ms, {len(event.ready)} ready;")
        elif isinstance(event, Called):
            what = ("deadline of", "readable", "writable", "readable and writable")[event.events]
            self._words.append(f"{what} {event.handler!r} {event.seconds * 1e6:.0f} us;")
        else:
            self._words.append(f"{event.seconds * 1e6:.0f} us in all")
            log.debug(" ".join(self._words))
