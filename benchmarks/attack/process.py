"""The attack process: the attackers in a process of their own, so that honest clients do not wait for them.

    the attack run (run.py)                 the attack process
    sends a command: a method of Attackers  executes it, and sends a Report

Both share the clients' core, on which the attack process has a low priority. It also watches the
server. It has one connection per attacker, and ends by itself after some seconds, or with the attack run.
"""

import os
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import psutil

from benchmarks.attack.attackers import Attacker, Orders
from benchmarks.load.clients import ClientGroup
from reactor.event_handler import EventHandler
from reactor.loop import Reactor

NICENESS = 10  # a low priority
WATCH_INTERVAL = 0.1  # seconds


class Report(NamedTuple):
    """What has happened so far."""

    events: Counter[str]  # responses by status, connects, closes, resets ...
    connecting: bool  # whether any attacker waits to connect, or is connecting
    descriptors: int  # the most that the server had open
    resident: int  # the most resident bytes that it had


class Attackers(EventHandler):
    """The attack clients of a run; an event handler that observes the server from time to time."""

    def __init__(self, group: ClientGroup, orders: Orders, count: int, server: int) -> None:
        super().__init__(deadline=group.clock())
        self._group, self._orders, self._server = group, orders, psutil.Process(server)
        self._descriptors = self._resident = 0
        self._events = Counter[str]()
        self._clients = [Attacker(group, orders, self._events, number) for number in range(count)]
        group.reactor.register(self)

    def on_deadline(self) -> None:
        """Observe the server."""
        self._descriptors = max(self._descriptors, self._server.num_fds())
        self._resident = max(self._resident, self._server.memory_info().rss)
        self.deadline = self._group.reactor.now + WATCH_INTERVAL

    def on_failure(self) -> None:
        """Abort the run after an exception."""
        self._group.on_failure()

    # The commands.

    def arrive(self, seconds: float) -> None:
        """Connect all within some seconds."""
        for number, client in enumerate(self._clients):
            client.connect_later(seconds * number / len(self._clients))

    def set_returning(self, returning: bool) -> None:
        """Set whether attackers reconnect."""
        self._orders.returning = returning

    def leave(self) -> None:
        """Disconnect all."""
        for client in self._clients:
            client.disconnect()

    def report(self) -> Report:
        """Observe the server, and return what has happened so far."""
        self.on_deadline()
        connecting = any(client.connecting for client in self._clients)
        return Report(self._events, connecting, self._descriptors, self._resident)


def run_attackers(
    pipe: "Connection[Report, tuple[Any, ...]]",
    address: tuple[str, int],
    orders: Orders,
    count: int,
    server: int,
    seconds: float,
) -> None:
    """Execute the commands of an attack run for some seconds; ``server`` is a process id."""
    os.nice(NICENESS)
    group = ClientGroup(address, b"", b"", Reactor())
    attackers = Attackers(group, orders, count, server)
    end = group.clock() + seconds
    while group.run(pipe.poll, end - group.clock()):
        command, *arguments = pipe.recv()
        getattr(attackers, command)(*arguments)
        pipe.send(attackers.report())
