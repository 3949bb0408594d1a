"""One experiment: servers, each restarted in turn while clients send requests.

for each restart: SIGTERM; wait until the process has ended; start it; wait until it is ready;
                  wait for MIN_READY, as Kubernetes does with minReadySeconds
"""

import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.restarts import proxies
from tests.restarts.clients import CLIENTS, Load
from tests.restarts.servers import SERVERS, Instance, free_port

MIN_READY = 1.0  # seconds; longer than two health checks
# --shutdown-delay, as the ready-made configurations say; without a proxy as reactor.service does.
DELAYS = {"haproxy": 3.0, "nginx": 1.0, "": 1.0}


class Setup(NamedTuple):
    """What is restarted: a server, and the proxy in front of two of them ("": a socket, and one server)."""

    server: str
    proxy: str

    def __str__(self) -> str:
        return f"{self.server} behind {self.proxy}" if self.proxy else f"{self.server}, socket activation"


class Result(NamedTuple):
    """What one experiment has counted."""

    requests: dict[str, int]
    connections: int
    failures: Counter[str]
    stops: list[float]
    seconds: float

    @property
    def failed(self) -> int:
        """The number of failed requests."""
        return sum(self.failures.values())

    def row(self, name: str) -> str:
        """Return a row of the table."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.failures.most_common()) or "-"
        requests = " | ".join(str(self.requests[kind]) for kind in CLIENTS)
        times = f"{len(self.stops)} | {median(self.stops):.1f} s | {self.seconds:.0f} s"
        return f"| {name} | {requests} | {self.failed} | {kinds} | {times} |"


HEADER = """\
| server | small GETs | uploads | downloads | failed | of these | restarts | median stop | duration |
|---|---|---|---|---|---|---|---|---|"""


def missing(setup: Setup) -> str:
    """Return the program that a setup needs and that is not installed, or ""."""
    return "" if not setup.proxy or shutil.which(setup.proxy) else setup.proxy


def experiment(setup: Setup, restarts: int, python: str, pace: float = 1.0) -> Result:
    """Restart each server so many times under load, and count the requests.

    ``pace`` multiplies all times, also those in the configuration of the proxy; with 1 it is as documented.
    """
    stops: list[float] = []
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        directory = Path(scratch) / "shared"
        directory.mkdir()
        instances, port = stack.enter_context(serving(setup, python, directory, pace))
        pause = threading.Event()
        began = time.monotonic()
        with Load(port, directory, pace) as load:
            pause.wait(MIN_READY * pace)
            for _ in range(restarts):
                for instance in instances:
                    stops.append(instance.restart())
                    pause.wait(MIN_READY * pace)
        seconds = time.monotonic() - began
        requests = {kind: load.requests(kind) for kind in CLIENTS}
        return Result(requests, load.connections, load.failures, stops, seconds)


@contextmanager
def serving(setup: Setup, python: str, directory: Path, pace: float) -> Iterator[tuple[list[Instance], int]]:
    """Run the servers, and the proxy; yield them, and the port for the clients."""
    kind, delay = SERVERS[setup.server], DELAYS[setup.proxy] * pace
    with ExitStack() as stack:
        if setup.proxy:
            instances = [Instance(kind, python, free_port(), directory, delay) for _ in range(2)]
            port = free_port()
        else:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=4096))
            port = listener.getsockname()[1]
            instances = [Instance(kind, python, port, directory, delay, listener)]
        for instance in instances:
            stack.callback(instance.close)
            instance.start()
        if setup.proxy:
            scratch = directory.parent
            text = proxies.configuration(setup.proxy, instances, kind.check, port, scratch, pace)
            stack.enter_context(proxies.running(setup.proxy, text, port, scratch))
        yield instances, port
