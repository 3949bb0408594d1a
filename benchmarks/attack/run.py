"""One attack: a server, honest clients and attackers, in phases.

    Phase    Attackers             Honest clients          Measured
    before   -                     connect, send requests  times; then memory, descriptors
    arrival  connect               send requests           times
    quiet    do not reconnect      idle                    CPU used by the attack alone
    attack   attack and reconnect  send requests           times, CPU, memory, descriptors
    after    disconnected          idle                    CPU; memory and descriptors, once all
                                                           attackers' connections are closed
    last     -                     send one more request   connections that were never lost

The honest clients are an open loop of ``benchmarks.load``, whose requests are timed from when they were due.
They share a core with the attackers, so the times are upper bounds.

The quiet phase comes before the attack if the attackers hold still (it ends before the server's timeouts),
and after it otherwise. The attack lasts for the duration of its scale, and until the expected events have
occurred, so that an attack without effect does not count as survived.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection

from benchmarks.attack.attackers import Attackers
from benchmarks.attack.scenarios import Scale, Scenario
from benchmarks.load.clients import Tally
from benchmarks.load.round import Job, Round
from benchmarks.results.samples import Peer, Sample
from benchmarks.servers.peers import PEERS
from benchmarks.servers.process import RunningServer, run_server
from reactor.event_handler import EventHandler

LARGE = 64 << 20  # bytes, of a sparse file
NOTE_INTERVAL = 0.25  # seconds
MAX_WAIT = 20.0  # seconds, for any condition


class AttackRun(EventHandler):
    """One scenario at one scale; an event handler that observes the server from time to time."""

    def __init__(self, scenario: Scenario, scale: Scale, server: RunningServer) -> None:
        super().__init__()
        self.scenario, self.scale, self.server = scenario, scale, server
        with (server.directory / "large").open("wb") as file:
            file.truncate(LARGE)
        count = min(scale.honest, scenario.honest)
        job = Job(count, rate=count / scale.interval, target="/echo/{n}", expected=b"{n}")
        self.honest = Round(server.address, job)
        self.group = self.honest.group
        interval = scenario.interval * scale.haste
        self.attackers = Attackers(self.group, scenario.plans, scenario.count(scale), interval)
        self.observed: dict[str, float] = {}
        self.descriptors = 0  # the most that the server had open

    def run(self) -> Sample:
        """Run all phases; end the server."""
        scenario, server, honest, group = self.scenario, self.server, self.honest, self.group
        with honest:
            honest.connect()
            group.tally = before = Tally()
            self._ask_while(self.scale.attack / 6, lambda: True)
            files, resident = server.descriptors(), server.resident()
            group.tally = tally = Tally()
            began = group.clock()
            self._arrive()
            if scenario.holds_still:
                self._quiet()
            self.attackers.returning = True
            cpu = self._cpu(lambda: self._ask_while(self.scale.attack, self._in_effect))
            self.on_deadline()
            seconds, attacked, in_effect = group.clock() - began, server.resident(), self._in_effect()
            if not scenario.holds_still:
                self._quiet()
            events = Counter(self.attackers.events)
            self._leave(files)
            self.observed["memory kept"] = server.resident() - resident
            self.observed["descriptors kept"] = server.descriptors() - files
            group.tally = last = Tally()
            honest.still_served()
            never_lost = sum(each.was_answered and not each.losses for each in honest.requesters)
        held, lost = self.descriptors - files, len(honest.requesters) - never_lost
        self.observed |= {"p99 before": before.latency.percentile(0.99), "descriptors": held}
        failures = before.failures + tally.failures + last.failures
        failures += Counter({"connection lost": lost, "attack without effect": not in_effect})
        failures += faults(scenario, self.scale, events, held + len(honest.requesters), server)
        return replace(
            honest.sample(tally, seconds),
            question="attack",
            workload=scenario.name,
            peer="reactor",
            round=1,
            errors=failures.total(),
            failures=dict(failures),
            server_cpu=cpu,
            resident=attacked,
            established=never_lost,
            observed=self.observed,
        )

    # The phases.

    def _arrive(self) -> None:
        self.on_deadline()
        self.group.reactor.register(self)
        time = self.scenario.arrival_seconds * self.scale.share
        clients, events = self.attackers.clients, self.attackers.events
        for number, client in enumerate(clients):
            client.connect_later(time * number / len(clients))
        self._ask_while(time, lambda: events["connected"] >= len(clients))

    def _quiet(self) -> None:
        self.attackers.returning = False
        # First wait for attackers that are still connecting.
        self.group.run(lambda: not any(each.connecting for each in self.attackers.clients), MAX_WAIT)
        quiet = self.scale.attack / 3
        # Then wait until the server has processed their data.
        self.group.run_for(quiet / 2 if self.scenario.holds_still else quiet)
        self.observed["CPU idle"] = self._cpu(lambda: self.group.run_for(quiet))

    def _leave(self, descriptors: int) -> None:
        self.group.reactor.remove(self)
        for attacker in self.attackers.clients:
            attacker.disconnect()
        self.group.run(lambda: self.server.descriptors() <= descriptors, MAX_WAIT)
        self.observed["CPU after"] = self._cpu(lambda: self.group.run_for(self.scale.attack / 4))

    # Helpers.

    def on_deadline(self) -> None:
        """Note how many descriptors the server has open."""
        self.descriptors = max(self.descriptors, self.server.descriptors())
        self.deadline = self.group.reactor.now + NOTE_INTERVAL

    def _in_effect(self) -> bool:
        count, expected = len(self.attackers.clients), self.scenario.expected_events.items()
        happened = all(self.attackers.events[what] >= share * count for what, share in expected)
        return happened and self.scenario.expected_log in self.server.log()

    def _ask_while(self, seconds: float, until: Callable[[], bool]) -> None:
        """Let each honest client send requests for some seconds, and until a condition holds."""
        self.honest.run_open_loop(max(seconds, self.scale.interval))
        end = self.group.clock() + MAX_WAIT
        while not until() and self.group.clock() < end:
            self.honest.run_open_loop(self.scale.interval)

    def _cpu(self, run: Callable[[], None]) -> float:
        """Run a phase; return the server's CPU usage in it, in cores."""
        began, used = self.group.clock(), self.server.cpu()
        run()
        return (self.server.cpu() - used) / max(self.group.clock() - began, 1e-9)


def faults(
    scenario: Scenario, scale: Scale, events: Counter[str], held: int, server: RunningServer
) -> Counter[str]:
    """End the server, and count what should not have happened, besides failed requests of honest clients."""
    wrong = ("wrong responses", "no response", *scenario.forbidden_events)
    limit = scenario.limit(scale)
    files, code = {path.name for path in server.directory.iterdir()}, server.end()
    counts = {f"attacker: {event}": events[event] for event in wrong}
    if limit:  # one more is open while another is closed in its favour
        counts["connection over the limit"] = max(0, held - limit - 1)
    counts["file left over"] = len(files - {"large", "bomb"})
    counts[f"exit code {code}"] = int(code != 0)
    return Counter({**counts, "traceback": server.log().count("Traceback")})


def run_attack(pipe: "Connection[tuple[Peer, Sample], None]", scenario: Scenario, scale: Scale) -> None:
    """Run one scenario against a server of its own; send this server's command and the sample."""
    logging = PEERS["reactor +log"]
    argv = [*scenario.environment(scale), *logging.argv]
    with run_server(replace(logging, name=f"reactor, {scenario.name}", argv=argv)) as server:
        sample = AttackRun(scenario, scale, server).run()
    pipe.send((server.peer, sample))
