"""The simulated selector: refuses what a real one refuses, and reports events in any order.

What is ready is kept up to date by the network, which reports each change; so the cost of a turn
depends on the events, not on the number of sockets. A report may be incomplete (epoll has a limit,
too), comes in random order, and may hold handles that are not ready after all; those are counted as
false reports.
"""

import errno
from collections.abc import Mapping
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey
from typing import Any

from tests.simulation.network import Handle, Network, Socket
from tests.simulation.world import World

NOT_REGISTERED = "the selector took no further handle"  # why a failure is allowed
WORDS = ("", "readable", "writable", "readable and writable")


class SimulatedSelector(BaseSelector):
    """A selector over the handles of one simulated network."""

    def __init__(self, world: World, network: Network) -> None:
        self._world = world
        self._network = network
        self._keys: dict[int, SelectorKey] = {}
        self._ready: dict[int, int] = {}
        # The last report: the events of each handle, and whether the selector had to wait for them.
        self.reported: list[tuple[SelectorKey, int]] = []
        self.false_reports: set[int] = set()
        self._random = world.stream("selector")
        network.touch = self._touch

    # What a selector does.

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        descriptor = self._check(fileobj, events)
        if descriptor in self._keys:
            raise KeyError(f"descriptor {descriptor} is registered already")
        if isinstance(fileobj, Socket) and self._world.happens("unregistrable", fileobj.random):
            self._world.allow_failure(fileobj.name, NOT_REGISTERED)
            self._network.exhausted = True
            raise OSError(errno.ENOSPC, "planted")
        return self._set(SelectorKey(fileobj, descriptor, events, data))

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        descriptor = self._check(fileobj, events)
        if descriptor not in self._keys:
            raise KeyError(f"descriptor {descriptor} is not registered")
        return self._set(SelectorKey(fileobj, descriptor, events, data))

    def unregister(self, fileobj: Any) -> SelectorKey:
        descriptor = self._descriptor(fileobj)
        key = self._keys.pop(descriptor)
        self._ready.pop(descriptor, None)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        world, network = self._world, self._network
        network.begin_turn()
        self.false_reports = set()
        began = world.now
        world.pass_turn()
        if not self._ready and not self._report_falsely():
            world.wait(float("inf") if timeout is None else world.now + timeout, lambda: self._ready)
        self.reported = self._report()
        world.turn += 1
        world.log("turn %d at %.6f, after %.6f s%s", world.turn, world.now, world.now - began, self._words())
        return self.reported

    def close(self) -> None:
        self._keys.clear()
        self._ready.clear()

    def get_map(self) -> Mapping[Any, SelectorKey]:
        return self._keys

    # For the invariants.

    def is_exact(self) -> bool:
        """Return whether the recorded readiness is that of each handle."""
        found = {number: self._find(key) for number, key in self._keys.items()}
        return self._ready == {number: events for number, events in found.items() if events}

    # How it is done.

    def _check(self, fileobj: Any, events: int) -> int:
        if not events or events & ~(EVENT_READ | EVENT_WRITE):
            raise ValueError(f"invalid events: {events}")
        return self._descriptor(fileobj)

    def _descriptor(self, fileobj: Any) -> int:
        descriptor = int(fileobj.fileno())
        if descriptor < 0:
            raise ValueError(f"invalid descriptor: {descriptor}")
        return descriptor

    def _set(self, key: SelectorKey) -> SelectorKey:
        self._keys[key.fd] = key
        self._touch(key.fd)
        return key

    def _find(self, key: SelectorKey) -> int:
        assert isinstance(key.fileobj, Handle)
        return key.fileobj.readiness() & key.events

    def _touch(self, descriptor: int) -> None:
        key = self._keys.get(descriptor)
        events = 0 if key is None else self._find(key)
        if events:
            self._ready[descriptor] = events
        else:
            self._ready.pop(descriptor, None)

    def _report_falsely(self) -> bool:
        """Choose a handle to report falsely as ready."""
        if self._keys and self._world.happens("spurious", self._random):
            self.false_reports.add(self._random.choice(list(self._keys)))
        return bool(self.false_reports)

    def _report(self) -> list[tuple[SelectorKey, int]]:
        """Return some or all ready handles in any order, and some that are not ready."""
        world = self._world
        chosen = list(self._ready.items())
        if len(chosen) > 1:
            self._random.shuffle(chosen)
            if world.happens("few", self._random):
                del chosen[self._random.randint(1, len(chosen)) :]
        exact = dict(chosen)
        self._report_falsely()
        self.false_reports = {
            number for number in sorted(self.false_reports) if number not in exact and number in self._keys
        }
        chosen += [(number, self._keys[number].events) for number in sorted(self.false_reports)]
        return [(self._keys[number], events) for number, events in chosen]

    def _words(self) -> str:
        """Describe the report in words."""
        if self._world.trace is None:
            return ""
        words = ""
        for key, events in self.reported:
            assert isinstance(key.fileobj, Handle)
            false = " (false)" if key.fd in self.false_reports else ""
            words += f"; {key.fileobj.name} {WORDS[events]}{false}"
        return words
