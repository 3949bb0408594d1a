"""Load processes: the load generator in a child process on the clients' core, and its protocol.

    the measuring process                the load process
    sends the job                        connects all clients, sends how many were served, measures
    reads the server's CPU time          sends the sample
    reads CPU time and memory            keeps all connections open until it is killed

The work of the measuring process does not slow down the clients. Idle connections are held until the
measuring process asks how many of them are still served.
"""

import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.load.clients import LoadError as LoadError
from benchmarks.load.round import ANSWER_TIMEOUT, CONNECT_TIMEOUT, Job, Round
from benchmarks.results.samples import Sample
from benchmarks.servers.process import CLIENT_CORE, ROOT, RunningServer, pin_to_core, raise_open_file_limit

MAX_HOLD_SECONDS = 120.0  # for which idle connections are kept open, at most

# The measuring process.


def measure(
    server: RunningServer,
    job: Job,
    question: str,
    workload: str = "hot",
    round: int = 1,
    x: float | None = None,
) -> Sample:
    """Run a job against a server and return the sample; raise LoadError."""
    with LoadProcess(server.address, job) as load:
        began, used = time.monotonic(), server.cpu()
        sample: Sample = load.receive(job.seconds + 2 * ANSWER_TIMEOUT)
        took, used = time.monotonic() - began, server.cpu() - used
        return replace(
            sample,
            question=question,
            workload=workload,
            peer=server.name,
            round=round,
            x=x,
            server_cpu=used / took,
            resident=server.resident(),
        )


class IdleConnections:
    """A number of idle connections; ``kept`` is set when ``hold_idle`` ends."""

    def __init__(self, established: int) -> None:
        self.established = established
        self.kept = 0


@contextmanager
def hold_idle(address: tuple[str, int], connections: int) -> Iterator[IdleConnections]:
    """Keep idle connections open, each served once; at the end, count those that are still served.

    They are closed after MAX_HOLD_SECONDS. Raises LoadError.
    """
    job = Job(connections, seconds=MAX_HOLD_SECONDS, idle=True)
    with LoadProcess(address, job) as load:
        held = IdleConnections(load.established)
        yield held
        load.pipe.send("end")
        held.kept = load.receive(6 * CONNECT_TIMEOUT)


class LoadProcess:
    """A context manager for a load process, which has connected when created, and is killed on exit."""

    def __init__(self, address: tuple[str, int], job: Job) -> None:
        self.pipe, its_end = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from benchmarks.load.process import main; main({its_end.fileno()})"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[its_end.fileno()],
            preexec_fn=lambda: pin_to_core(CLIENT_CORE),
        )
        its_end.close()
        try:
            self.pipe.send((address, job))
            timeout = 2 * CONNECT_TIMEOUT + 2 * ANSWER_TIMEOUT + job.connections / 100
            self.established: int = self.receive(timeout)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "LoadProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self.pipe.close()

    def receive(self, timeout: float) -> Any:
        """Return the next message; raise LoadError if it is an error, or not there in time."""
        if not self.pipe.poll(timeout):
            raise LoadError(f"load generator did not respond within {timeout:g} seconds")
        try:
            message = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            raise LoadError(f"load generator ended with exit code {self._process.wait()}") from None
        if isinstance(message, LoadError):
            raise message
        return message


# The load process.


def main(descriptor: int) -> None:
    """Run the job that is received from a pipe."""
    pipe = Connection(descriptor)
    address, job = pipe.recv()
    raise_open_file_limit()
    gc.disable()  # requests create no reference cycles, and a collection would delay responses
    try:
        with Round(address, job) as running:
            for message in hold(running, pipe) if job.idle else phases(running):
                pipe.send(message)
            pipe.recv()  # until the measuring process has ended or kills this one
    except LoadError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the measuring process has ended
    except Exception as error:
        pipe.send(LoadError(f"load generator failed: {type(error).__name__}: {error}"))


def phases(running: Round) -> Iterator[int | Sample]:
    """Yield the number of established connections before the measurement, and then the sample."""
    established = running.connect()
    running.warm_up()
    yield established
    yield running.measure()


def hold(running: Round, pipe: Connection) -> Iterator[int]:
    """Yield the number of served connections, and at the end the number of those that are still served."""
    yield running.connect()
    running.group.run(pipe.poll, running.job.seconds)
    yield running.still_served()
