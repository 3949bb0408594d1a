"""One attack run: a server, honest clients and attackers, in phases.

    Phase    Attackers             Honest clients          Measured
    before   -                     connect, send requests  times; then memory, descriptors
    arrival  connect               send requests           times
    quiet    do not reconnect      idle                    CPU used by the attack alone
    attack   attack and reconnect  send requests           times, CPU, memory, descriptors
    after    disconnected          idle                    CPU; memory and descriptors, once all
                                                           attackers' connections are closed
    last     -                     send one more request   connections that were never lost

The quiet phase comes before the attack if the attackers hold still (it ends before the server's timeouts),
and after it otherwise. The attack lasts for the duration of its scale, and until the expected events have
occurred, so that an attack without effect does not count as survived.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.attack.attackers import Attacker
from benchmarks.attack.clients import HonestClient
from benchmarks.attack.server import AttackedServer
from benchmarks.load.client_group import ClientGroup

STEPS = 8  # steps of the quiet phase; at most as many precede it
AT_REST = 0.05  # CPU usage, in cores
LARGE = 64 << 20  # bytes, of a sparse file


@dataclass(frozen=True)
class Scale:
    """The size of an attack, and the durations of its phases, in seconds."""

    share: float  # of the scenario's attackers
    honest: int
    interval: float  # between two requests of an honest client
    before: float
    attack: float
    quiet: float
    after: float
    timeout: float  # for the server's timeouts, whose defaults would take minutes
    interval_factor: float  # factor for the attackers' interval; 0.1 is ten times as fast
    max_wait: float  # for any condition
    own_core: bool = True  # whether to pin the server to its own core


@dataclass(frozen=True)
class Scenario:
    """One kind of attack."""

    name: str
    what: str
    attackers: int  # at full scale
    kind: Callable[[ClientGroup, int, float], Attacker]
    # Events required before the attack may end, with their number per attacker.
    expected_events: Mapping[str, float]
    timeouts: Sequence[str] = ()  # variables of the server, set to the timeout of the scale
    interval: float = 1.0  # seconds between two actions of an attacker
    holds_still: bool = False  # whether attackers are inactive until the server's timeouts
    honest: int = 1 << 20  # maximum of honest clients
    min_attackers: int = 1  # at any scale
    arrival_seconds: float = 1.0  # seconds in which the attackers connect
    open_file_limit: int = 0  # the server's ulimit -n
    expected_log: str = ""  # required text in the server's log
    max_connections: float = 0  # the server's connection limit, as a share of the attackers; 0: its default
    forbidden_events: Sequence[str] = ()  # events that must not occur


@dataclass
class Outcome:
    """The result of a run; times in seconds and sorted, memory in bytes, CPU usage in cores."""

    attackers: int = 0
    options: str = ""
    max_connections: int = 0
    times_before: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    errors: int = 0
    honest: int = 0
    kept: int = 0
    events: dict[str, int] = field(default_factory=dict)
    reached: bool = False
    cpu: dict[str, float] = field(default_factory=dict)
    resident: dict[str, int] = field(default_factory=dict)
    descriptors: dict[str, int] = field(default_factory=dict)
    leftovers: list[str] = field(default_factory=list)
    traceback: bool = False
    exit_code: int | None = None

    @property
    def survived(self) -> bool:
        """True if the server did not crash and logged no traceback."""
        return self.exit_code == 0 and not self.traceback


class AttackRun:
    """One scenario at one scale."""

    def __init__(self, scenario: Scenario, scale: Scale, directory: Path) -> None:
        self.scenario, self.scale, self.directory = scenario, scale, directory
        with (directory / "large").open("wb") as file:
            file.truncate(LARGE)
        self.group = ClientGroup(scale.interval)
        honest = min(scale.honest, scenario.honest)
        self.honest = [HonestClient(self.group, number) for number in range(honest)]
        count = max(scenario.min_attackers, round(scenario.attackers * scale.share))
        interval = scenario.interval * scale.interval_factor
        self.attackers = [scenario.kind(self.group, number, interval) for number in range(count)]
        max_connections = round(scenario.max_connections * count)
        variables = dict.fromkeys(scenario.timeouts, f"{scale.timeout:g}")
        if max_connections:
            variables["REACTOR_MAX_CONNECTIONS"] = str(max_connections)
        options = " ".join(f"{name}={value}" for name, value in variables.items())
        self.outcome = Outcome(count, options, max_connections, honest=honest)
        variables["REACTOR_DIRECTORY"] = str(directory)
        self.server = AttackedServer(self.group, variables, scenario.open_file_limit, scale.own_core)

    def run(self) -> Outcome:
        """Run all phases."""
        try:
            self._before()
            self._arrive()
            if self.scenario.holds_still:
                self._quiet()
            self._attack()
            if not self.scenario.holds_still:
                self._quiet()
            self._after()
            self._last()
            self.outcome.traceback = self.server.stderr.has(b"Traceback")
            self.outcome.exit_code = self.server.stop() if self.server.alive else self.server.process.poll()
            return self.outcome
        finally:
            for client in (*self.attackers, *self.honest):
                client.disconnect()
            self.server.end()
            self.group.reactor.close()

    # The phases.

    def _before(self) -> None:
        for client in self.honest:
            client.connect_later(0)
        self.group.run(lambda: all(each.connected for each in self.honest), self.scale.max_wait)
        self._ask_while(self.scale.before, lambda: all(each.answered for each in self.honest))
        self.outcome.times_before = self._take_times()
        self._note("before")

    def _arrive(self) -> None:
        self.group.ticker.periodic = lambda: self._note("attack")
        time = self.scenario.arrival_seconds * self.scale.share
        for client in self.attackers:
            client.connect_later(time * client.number / len(self.attackers))
        self._ask_while(time, lambda: self.group.events["connected"] >= len(self.attackers))

    def _attack(self) -> None:
        self.group.returning = True
        with_cpu = self._measured("attack")
        self._ask_while(self.scale.attack, lambda: self._in_effect)
        with_cpu()
        self._note("attack")
        self.outcome.reached = self._in_effect
        self.outcome.times = self._take_times()

    def _quiet(self) -> None:
        self.group.returning = False
        # First wait for attackers that are still connecting.
        self.group.run(lambda: not any(each.connecting for each in self.attackers), self.scale.max_wait)
        step = self.scale.quiet / STEPS
        # Then wait until the server has processed their data; a busy loop never rests and is measured too.
        for _ in range(STEPS // 2 if self.scenario.holds_still else STEPS):
            if self._rest("quiet", step) < AT_REST:
                break
        self._rest("quiet", self.scale.quiet)

    def _after(self) -> None:
        self.group.ticker.periodic = lambda: None
        self.outcome.events = dict(self.group.events)
        for client in self.attackers:
            client.disconnect()
        before = self.outcome.descriptors["before"]
        self.group.run(lambda: self.server.descriptors <= before, self.scale.max_wait)
        self._rest("after", self.scale.after)
        self._note("after")

    def _last(self) -> None:
        answered = [each.answered for each in self.honest]
        self._ask_while(0, lambda: all(h.answered > a for h, a in zip(self.honest, answered, strict=True)))
        self.outcome.kept = sum(not each.lost for each in self.honest)
        self.outcome.errors = sum(each.errors for each in self.honest)
        self.outcome.leftovers = sorted(
            path.name for path in self.directory.iterdir() if path.name not in ("large", "bomb")
        )

    # Helpers.

    @property
    def _in_effect(self) -> bool:
        events, count = self.group.events, len(self.attackers)
        logged = self.server.stderr.has(self.scenario.expected_log.encode())
        return logged and all(
            events[what] >= share * count for what, share in self.scenario.expected_events.items()
        )

    def _ask_while(self, seconds: float, until: Callable[[], bool]) -> None:
        """Let honest clients send requests for some seconds and until a condition holds."""
        group = self.group
        group.asking = True
        for number, client in enumerate(self.honest):
            client.start(self.scale.interval * number / len(self.honest))
        group.run_for(seconds)
        group.run(until, self.scale.max_wait)
        group.asking = False
        group.run(lambda: not any(each.waiting for each in self.honest), self.scale.max_wait)
        for client in self.honest:
            client.give_up()

    def _take_times(self) -> list[float]:
        times = sorted(time for each in self.honest for time in each.times)
        for each in self.honest:
            each.times.clear()
        return times

    def _rest(self, phase: str, seconds: float) -> float:
        """Wait without honest requests; return the server's CPU usage."""
        with_cpu = self._measured(phase)
        self.group.run_for(seconds)
        with_cpu()
        return self.outcome.cpu[phase]

    def _measured(self, phase: str) -> Callable[[], None]:
        """Start measuring CPU usage; return a function that ends it."""
        began, used = self.group.now, self.server.cpu

        def end() -> None:
            elapsed = self.group.now - began
            self.outcome.cpu[phase] = (self.server.cpu - used) / elapsed if elapsed else 0.0

        return end

    def _note(self, phase: str) -> None:
        """Record the maximum of descriptors and memory in a phase."""
        outcome, server = self.outcome, self.server
        outcome.descriptors[phase] = max(server.descriptors, outcome.descriptors.get(phase, 0))
        outcome.resident[phase] = max(server.resident, outcome.resident.get(phase, 0))


def run_attack(scenario: Scenario, scale: Scale) -> Outcome:
    """Run one scenario in a temporary directory."""
    with tempfile.TemporaryDirectory() as directory:
        return AttackRun(scenario, scale, Path(directory)).run()
