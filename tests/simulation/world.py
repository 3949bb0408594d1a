"""The simulated world: one seed, one clock, one schedule, one trace.

    random     chance for what is decided before the run; the same seed gives the same run
    stream     chance for one client, socket or other part of the world: what happens to one of them does not
               change the faults and delays of the others
    now        monotonic seconds; time passes in the selector's sleep, and a little everywhere else
    schedule   what the clients will do next, by time and then by the order of planning
    rates      how often each fault happens in this seed
    trace      what happened, in words; None for no trace

Nothing here is ordered by ``id()`` or by a hash. The world knows no HTTP and no sockets.
"""

import random
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from math import inf
from typing import NoReturn

# How often a fault happens, by kind: each seed takes one level of each.
LEVELS = {
    "eagain": (0.0, 0.0, 0.02, 0.2),  # a call returns EAGAIN although it could succeed
    "short": (0.0, 0.1, 0.5),  # the kernel transfers fewer bytes than it could
    "reset": (0.0, 0.0, 0.001, 0.01),  # the network breaks the connection during a call
    "emfile": (0.0, 0.0, 0.05, 0.5),  # accept finds no descriptor or no memory
    "abort": (0.0, 0.0, 0.05),  # a client disconnects before it is accepted
    "unregistrable": (0.0, 0.0, 0.0, 0.03),  # the selector takes no further handle
    "spurious": (0.0, 0.0, 0.02, 0.1),  # a handle is reported ready, and is not
    "few": (0.0, 0.1, 0.7),  # only some of the ready handles are reported
    "jump": (0.0, 0.0, 0.0, 0.0005),  # the clock jumps: the server was suspended, and its clients were not
    "slow": (0.0, 0.0, 0.0, 0.05, 0.5),  # a callback of the server takes up to LONGEST_CALL
    "disk": (0.0, 0.0, 0.03, 0.2),  # a call to the file system fails
    "commit": (0.0, 0.0, 0.05, 0.3),  # a call that commits an upload fails
    "piecemeal": (0.0, 0.1, 0.5),  # a write takes fewer bytes than it was given
}
TURN_COSTS = 1e-4  # seconds, at most
LONGEST_JUMP = 100.0
LONGEST_CALL = 0.03  # three times the share of a turn
# What no real kernel does, and what is left out right after a jump, in whose turn a client's fate is decided.
FALSE_RESULTS = frozenset({"eagain", "short", "few"})

Wait = float | Callable[[], bool]
Steps = Iterator[Wait]


class Violation(BaseException):
    """An invariant is broken. Not an ``Exception``, so that the server cannot catch it."""


class Process:
    """An independent process: a generator of delays in seconds, or of conditions to wait for."""

    def __init__(self, world: "World", steps: Steps, source: random.Random) -> None:
        self._world = world
        self._random = source
        self._steps = steps
        self._condition: Callable[[], bool] | None = None
        self.finished = False
        world.after(0.0, self._step)

    def notify(self) -> None:
        """Check the awaited condition again."""
        if self._condition is not None and self._condition():
            self._condition = None
            self._world.after(self._random.random() * 1e-3, self._step)

    def stop(self) -> None:
        """Do nothing more."""
        self.finished = True
        self._condition = None

    def _step(self) -> None:
        if self.finished:
            return
        wait = next(self._steps, None)
        if wait is None:
            self.finished = True
        elif callable(wait):
            self._condition = wait
            self.notify()
        else:
            self._world.after(wait, self._step)


class World:
    """Chance, time, and the planned events."""

    def __init__(self, seed: int, trace: list[str] | None = None) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.trace = trace
        self.now = 1000.0
        self.turn = 0
        self.finished = False  # nothing is planned or ready, and no deadline is set
        self.rates = {kind: self.random.choice(levels) for kind, levels in LEVELS.items()}
        if self.rates["jump"]:
            self.rates["slow"] = 0.0  # what arrived during a suspension is to be read in the next turns
        # For whom the server is working, by the client's name; "" for the server itself.
        self.current = ""
        # Why a client may get less than it asked for, by its name; clients not listed get everything.
        self.allowed_failures: dict[str, list[str]] = {}
        self.on_jump: Callable[[], None] = lambda: None
        self._time = self.stream("time")
        self._streams: dict[str, random.Random] = {}  # for calls that are made for a client, by its name
        self._exact_until = -1  # the last turn without false results
        self._schedule: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0

    # Trace and failures.

    def log(self, text: str, *values: object) -> None:
        """Add a line to the trace."""
        if self.trace is not None:
            self.trace.append(text % values)

    def fail(self, reason: str) -> NoReturn:
        """Fail: an invariant is broken."""
        raise Violation(f"turn {self.turn}: {reason}")

    def allow_failure(self, name: str, reason: str) -> None:
        """Note why a client may get less than it asked for."""
        reasons = self.allowed_failures.setdefault(name, [])
        if reason not in reasons:
            reasons.append(reason)
            self.log("  %s may fail: %s", name, reason)

    # Chance.

    def stream(self, name: str) -> random.Random:
        """Return a source of chance for one part of the world."""
        return random.Random(f"{self.seed} {name}")

    def happens(self, kind: str, source: random.Random | None = None) -> bool:
        """Return whether a fault happens now; without a source, to the client that is being served."""
        if kind in FALSE_RESULTS and self.turn <= self._exact_until:
            return False
        often = self.rates[kind]
        if not often:
            return False
        if source is None:
            source = self._streams.get(self.current)
            if source is None:
                source = self._streams[self.current] = self.stream(f"{self.current}'s calls")
        return source.random() < often

    # Time.

    def clock(self) -> float:
        """Return the monotonic time; it always advances, and the server can be suspended at any call."""
        self.now += 1e-6
        if self.happens("jump", self._time):
            self._jump()
        return self.now

    def wall_clock(self) -> float:
        """Return seconds since the epoch."""
        return 1.7e9 + self.now

    def after(self, delay: float, function: Callable[[], None]) -> None:
        """Schedule an action."""
        self._planned += 1
        heappush(self._schedule, (self.now + delay, self._planned, function))

    def pass_turn(self) -> None:
        """Let the time of one turn pass, with the clients' actions in that time."""
        self.now += self._time.random() * TURN_COSTS
        if self.happens("jump", self._time):
            self._jump()
        while self._schedule and self._schedule[0][0] <= self.now:
            heappop(self._schedule)[2]()

    def pass_call(self) -> None:
        """Let the time of a callback pass."""
        if self.happens("slow", self._time):
            self.now += self._time.random() * LONGEST_CALL

    def wait(self, until: float, awake: Callable[[], object]) -> None:
        """Let time pass until something ends the wait, or until a time."""
        while not awake():
            when = self._schedule[0][0] if self._schedule else inf
            if when == inf and until == inf:
                self.finished = True
                return
            if when > until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, when)
            heappop(self._schedule)[2]()

    def _jump(self) -> None:
        """Suspend the server: its clients continue, and it sees nothing of them until it is resumed."""
        end = self.now + self._time.random() * LONGEST_JUMP
        self.log("the clock jumps by %.3f s", end - self.now)
        # The turn that is suspended may have looked at the selector already, and the next looks twice.
        self._exact_until = self.turn + 3
        while self._schedule and self._schedule[0][0] <= end:
            self.now = max(self.now, self._schedule[0][0])
            heappop(self._schedule)[2]()
        self.now = end
        self.on_jump()
