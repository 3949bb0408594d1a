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

from benchmarks.attack.attackers import Attacker, Siege
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
        self.siege = Siege()
        interval = scenario.interval * scale.haste
        self.attackers = [
            Attacker(self.group, self.siege, scenario.plans, number, interval)
            for number in range(scenario.count(scale))
        ]
        self.cpu: dict[str, float] = {}  # by phase, in cores
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
            self.siege.returning = True
            self._measure_cpu("attack", lambda: self._ask_while(self.scale.attack, self._in_effect))
            self.on_deadline()
            seconds, attacked, in_effect = group.clock() - began, server.resident(), self._in_effect()
            if not scenario.holds_still:
                self._quiet()
            events = Counter(self.siege.events)
            self._leave(files)
            kept = {
                "memory kept": server.resident() - resident,
                "descriptors kept": server.descriptors() - files,
            }
            group.tally = last = Tally()
            honest.still_served()
            never_lost = sum(each.was_answered and not each.losses for each in honest.requesters)
        held, lost = self.descriptors - files, len(honest.requesters) - never_lost
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
            server_cpu=self.cpu["attack"],
            resident=attacked,
            established=never_lost,
            observed={
                "p99 before": before.latency.percentile(0.99),
                "descriptors": held,
                "CPU idle": self.cpu["idle"],
                "CPU after": self.cpu["after"],
                **kept,
            },
        )

    # The phases.

    def _arrive(self) -> None:
        self.on_deadline()
        self.group.reactor.register(self)
        time = self.scenario.arrival_seconds * self.scale.share
        for client in self.attackers:
            client.connect_later(time * client.number / len(self.attackers))
        self._ask_while(time, lambda: self.siege.events["connected"] >= len(self.attackers))

    def _quiet(self) -> None:
        self.siege.returning = False
        # First wait for attackers that are still connecting.
        self.group.run(lambda: not any(each.connecting for each in self.attackers), MAX_WAIT)
        quiet = self.scale.attack / 3
        # Then wait until the server has processed their data.
        self.group.run_for(quiet / 2 if self.scenario.holds_still else quiet)
        self._measure_cpu("idle", lambda: self.group.run_for(quiet))

    def _leave(self, descriptors: int) -> None:
        self.group.reactor.remove(self)
        for attacker in self.attackers:
            attacker.disconnect()
        self.group.run(lambda: self.server.descriptors() <= descriptors, MAX_WAIT)
        self._measure_cpu("after", lambda: self.group.run_for(self.scale.attack / 4))

    # Helpers.

    def on_deadline(self) -> None:
        """Note how many descriptors the server has open."""
        self.descriptors = max(self.descriptors, self.server.descriptors())
        self.deadline = self.group.reactor.now + NOTE_INTERVAL

    def _in_effect(self) -> bool:
        events, count = self.siege.events, len(self.attackers)
        expected = self.scenario.expected_events.items()
        return (
            all(events[what] >= share * count for what, share in expected)
            and self.scenario.expected_log in self.server.log()
        )

    def _ask_while(self, seconds: float, until: Callable[[], bool]) -> None:
        """Let honest clients send requests for some seconds and until a condition holds, but one each."""
        answered = self.group.tally.answers + len(self.honest.requesters)
        self.honest.run_open_loop(seconds, lambda: self.group.tally.answers >= answered and until())

    def _measure_cpu(self, phase: str, run: Callable[[], None]) -> None:
        """Measure the server's CPU usage in a phase."""
        began, used = self.group.clock(), self.server.cpu()
        run()
        self.cpu[phase] = (self.server.cpu() - used) / max(self.group.clock() - began, 1e-9)


def faults(
    scenario: Scenario, scale: Scale, events: Counter[str], held: int, server: RunningServer
) -> Counter[str]:
    """End the server, and count what should not have happened, besides failed requests of honest clients."""
    wrong = ("wrong responses", "no response", *scenario.forbidden_events)
    limit = scenario.limit(scale)
    files, code = {path.name for path in server.directory.iterdir()}, server.end()
    return Counter(
        {
            **{f"attacker: {event}": events[event] for event in wrong},
            # One more is open while another is closed in its favour.
            "connection over the limit": max(0, held - limit - 1) if limit else 0,
            "file left over": len(files - {"large", "bomb"}),
            f"exit code {code}": int(code != 0),
            "traceback": server.log().count("Traceback"),
        }
    )


def run_attack(pipe: "Connection[tuple[Peer, Sample], None]", scenario: Scenario, scale: Scale) -> None:
    """Run one scenario against a server of its own; send this server's command and the sample."""
    logging = PEERS["reactor +log"]
    argv = ["env", *scenario.variables(scale), *logging.argv]
    adapter = replace(logging, name=f"reactor, {scenario.name}", argv=argv)
    with run_server(adapter, open_files=scenario.open_file_limit) as server:
        sample = AttackRun(scenario, scale, server).run()
    pipe.send((server.peer, sample))
