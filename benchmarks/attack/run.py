"""One attack: a server, honest clients and attackers, in phases.

    Phase    Attackers             Honest clients          Measured
    before   -                     connect, send requests  times; then memory, descriptors
    arrival  connect               send requests           times
    quiet    do not reconnect      idle                    CPU used by the attack alone
    attack   attack and reconnect  send requests           times, CPU
    after    disconnected          idle                    CPU; memory and descriptors, once all
                                                           attackers' connections are closed
    last     -                     send one more request   connections that were never lost

The honest clients are an open loop of ``benchmarks.load``, whose requests are timed from when they were due.
The attackers are in another process (process.py), which notes the most memory and descriptors of the server.

The quiet phase comes before the attack if the attackers hold still (it ends before the server's timeouts),
and after it otherwise; attackers that never rest have none. The attack lasts for the duration of its scale,
and until the expected events have occurred, so that an attack without effect does not count as survived.
"""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.attack.attackers import AttackSettings
from benchmarks.attack.files import NAMES, disk_directory, write_files
from benchmarks.attack.process import attack_process
from benchmarks.attack.scenarios import Scale, Scenario
from benchmarks.load.clients import Tally
from benchmarks.load.round import Job, Round
from benchmarks.results.samples import Peer, Sample
from benchmarks.servers.peers import PEERS, Adapter
from benchmarks.servers.process import RunningServer, run_server

MAX_WAIT = 20.0  # seconds, for any condition


class AttackRun:
    """One scenario at one scale."""

    def __init__(self, scenario: Scenario, scale: Scale, server: RunningServer) -> None:
        self.scenario, self.scale, self.server = scenario, scale, server
        self.count = scenario.count(scale)
        honest = min(scale.honest, scenario.honest)
        job = Job(honest, rate=honest / scale.interval, target="/echo/{n}", expected=b"{n}")
        self.honest = Round(server.address, job)
        self.group = self.honest.group
        self.observed: dict[str, float] = {}

    def run(self) -> Sample:
        """Run all phases; end the server."""
        scenario, scale, server = self.scenario, self.scale, self.server
        settings = AttackSettings(
            scenario.plans, scenario.interval * scale.haste, scenario.returning, server.directory, scale.large
        )
        with self.honest, attack_process(server, settings, self.count) as self._command:
            return self._run()

    def _run(self) -> Sample:
        scenario, server, honest, group = self.scenario, self.server, self.honest, self.group
        honest.connect()
        group.tally = before = Tally()
        self._ask_while(self.scale.attack / 6, lambda: True)
        self._command("report")
        files, resident, shared_core = server.descriptors(), server.resident(), server.shares_core()
        group.tally = tally = Tally()
        began = group.clock()
        self._arrive()
        if scenario.holds_still:
            self._quiet()
        self._command("set_returning", scenario.returning)
        cpu = self._cpu(lambda: self._ask_while(self.scale.attack, self._in_effect))
        seconds, attacked, in_effect = group.clock() - began, server.resident(), self._in_effect()
        if scenario.rests and not scenario.holds_still:
            self._quiet()
        report = self._command("report")
        self._leave(files)
        self.observed |= {
            "p99 before": before.latency.percentile(0.99),
            "RSS before": resident,
            "RSS during": report.resident,
            "RSS after": server.resident(),
            "memory kept": server.resident() - resident,
            "descriptors": report.descriptors - files,
            "descriptors kept": server.descriptors() - files,
        }
        group.tally = last = Tally()
        honest.still_served()
        never_lost = sum(each.was_answered and not each.losses for each in honest.requesters)
        failures = before.failures + tally.failures + last.failures
        lost = len(honest.requesters) - never_lost
        failures += Counter({"connection lost": lost, "attack without effect": not in_effect})
        held = report.descriptors - files + len(honest.requesters)
        failures += faults(scenario, self.scale, report.events, held, server)
        return replace(
            honest.sample(tally, seconds),
            question="attack",
            workload=scenario.name,
            peer=server.name,
            round=1,
            errors=failures.total(),
            failures=dict(failures),
            server_cpu=cpu,
            resident=attacked,
            shared_core=shared_core,
            established=never_lost,
            observed=self.observed,
        )

    def _arrive(self) -> None:
        time = self.scenario.arrival_seconds * self.scale.share
        self._command("arrive", time)
        self._ask_while(time, lambda: self._command("report").events["connected"] >= self.count)

    def _quiet(self) -> None:
        self._command("set_returning", False)
        # First wait for attackers that are still connecting.
        self.group.run(lambda: not self._command("report").connecting, MAX_WAIT)
        quiet = self.scale.attack / 3
        # Then wait until the server has processed their data.
        self.group.run_for(quiet / 2 if self.scenario.holds_still else quiet)
        self.observed["CPU idle"] = self._cpu(lambda: self.group.run_for(quiet))

    def _leave(self, descriptors: int) -> None:
        self._command("leave")
        self.group.run(lambda: self.server.descriptors() <= descriptors, MAX_WAIT)
        self.observed["CPU after"] = self._cpu(lambda: self.group.run_for(self.scale.attack / 4))

    def _in_effect(self) -> bool:
        events, expected = self._command("report").events, self.scenario.expected_events.items()
        return all(events[what] >= share * self.count for what, share in expected)

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
    counts["file left over"] = sum(not name.startswith(NAMES) for name in files)
    counts[f"exit code {code}"] = int(code != 0)
    return Counter({**counts, "traceback": server.log().count("Traceback")})


def run_attack(
    pipe: "Connection[tuple[Peer, Sample], None]", adapter: Adapter, scenario: Scenario, scale: Scale
) -> None:
    """Run one scenario against a server of its own; send this server's command and the sample."""
    argv = adapter.argv if scenario.peers else PEERS["reactor +log"].argv
    argv = [*scenario.environment(scale), *argv, *scenario.options]
    with tempfile.TemporaryDirectory(
        prefix="benchmark-", dir=disk_directory() if scenario.on_disk else None
    ) as directory:
        write_files(scenario, scale, Path(directory))
        with run_server(replace(adapter, argv=argv), Path(directory)) as server:
            sample = AttackRun(scenario, scale, server).run()
    pipe.send((replace(server.peer, name=f"{server.name}, {scenario.name}"), sample))
