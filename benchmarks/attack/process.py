"""The attack process: the attackers in a process of their own, so that honest clients do not wait for them.

    the process of the honest clients       the attack process
    sends a command: a method of Attackers  executes it, and sends a Report

Both share the clients' core, on which the attack process has a low priority. It has one connection per
attacker, and ends by itself after some seconds, or with the other process. It also watches the server.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import psutil

from benchmarks.attack.attackers import Attacker, AttackSettings
from benchmarks.load.clients import ClientGroup
from benchmarks.load.process import load_process
from benchmarks.servers.process import RunningServer
from reactor.event_handler import EventHandler
from reactor.loop import Reactor

WATCH_INTERVAL = 0.1  # seconds
REPORT_TIMEOUT = 20.0  # seconds
MAX_SECONDS = 150.0  # of an attack


class Report(NamedTuple):
    """What has happened so far."""

    events: Counter[str]  # responses by status, connects, closes, resets ...
    connecting: bool  # whether any attacker waits to connect, or is connecting
    descriptors: int  # the most that the server had open
    resident: int  # the most resident bytes that it had


class Attackers(EventHandler):
    """The attack clients of a run; an event handler that observes the server from time to time."""

    def __init__(self, group: ClientGroup, settings: AttackSettings, count: int, server: int) -> None:
        super().__init__(deadline=group.clock())
        self._group, self._settings = group, settings
        self._servers = [psutil.Process(server), *psutil.Process(server).children()]
        self._descriptors, self._resident, self._events = 0, 0, Counter[str]()
        self._clients = [Attacker(group, settings, self._events, number) for number in range(count)]
        group.reactor.register(self)

    def on_deadline(self) -> None:
        """Observe the server."""
        with suppress(psutil.NoSuchProcess):  # gunicorn ends a worker that is too slow
            self._descriptors = max(self._descriptors, sum(each.num_fds() for each in self._servers))
            self._resident = max(self._resident, sum(each.memory_info().rss for each in self._servers))
        self.deadline = self._group.reactor.now + WATCH_INTERVAL

    def arrive(self, seconds: float) -> None:
        """Connect all within some seconds."""
        for number, client in enumerate(self._clients):
            client.connect_later(seconds * number / len(self._clients))

    def set_returning(self, returning: bool) -> None:
        """Set whether attackers reconnect."""
        self._settings.returning = returning

    def leave(self) -> None:
        """Disconnect all."""
        for client in self._clients:
            client.disconnect()

    def report(self) -> Report:
        """Observe the server, and return what has happened so far."""
        self.on_deadline()
        connecting = any(client.connecting for client in self._clients)
        return Report(self._events, connecting, self._descriptors, self._resident)


@contextmanager
def attack_process(
    server: RunningServer, settings: AttackSettings, count: int, seconds: float = MAX_SECONDS
) -> Iterator[Callable[..., Report]]:
    """Run attackers for some seconds at most; yield a function that sends a command and returns a report."""
    with load_process(run_attackers, server.address, settings, count, server.pid, seconds) as (pipe, receive):

        def command(name: str, *arguments: object) -> Report:
            with suppress(BrokenPipeError):  # it has ended: ``receive`` raises LoadError
                pipe.send((name, *arguments))
            report: Report = receive(REPORT_TIMEOUT)
            return report

        yield command


def run_attackers(
    pipe: "Connection[Report, tuple[Any, ...]]",
    address: tuple[str, int],
    settings: AttackSettings,
    count: int,
    server: int,
    seconds: float,
) -> None:
    """Execute the commands of an attack run for some seconds; ``server`` is a process id."""
    os.nice(10)  # a low priority
    group = ClientGroup(address, b"", b"", Reactor())
    attackers = Attackers(group, settings, count, server)
    end = group.clock() + seconds
    while group.clock() < end and group.run(pipe.poll, end - group.clock()):
        command, *arguments = pipe.recv()
        getattr(attackers, command)(*arguments)
        pipe.send(attackers.report())
