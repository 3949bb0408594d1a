"""Load processes: a load generator in a child process on the clients' core, and its protocol.

    the measuring process                the load process
    sends the function to call           calls it, with a pipe: connects all clients, sends how many were
    reads the server's CPU time            served, and measures
    reads CPU time and memory            sends the sample, and keeps all connections open until it is ended

The work of the measuring process does not slow down the clients.
"""

import gc
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.load.clients import LoadError as LoadError
from benchmarks.load.round import ANSWER_TIMEOUT, CONNECT_TIMEOUT, Job, Round
from benchmarks.results.samples import Sample
from benchmarks.servers.process import CLIENT_CORE, ROOT, RunningServer, prepare_child, raise_open_file_limit

MAX_HOLD_SECONDS = 120.0  # for which idle connections are kept open, at most

# The measuring process.


def measure(server: RunningServer, job: Job) -> Sample:
    """Run a job against a server and return the sample, without its place in the run; raise LoadError."""
    with load_process(run_job, server.address, job_for(server, job)) as (_, receive):
        receive(connect_timeout(job))
        began, used = time.monotonic(), server.cpu()
        sample: Sample = receive(job.seconds + 2 * ANSWER_TIMEOUT)
        took, used = time.monotonic() - began, server.cpu() - used
        sample = replace(sample, resident=server.resident(), shared_core=server.shares_core())
        return replace(sample, peer=server.name, server_cpu=used / took)


@contextmanager
def hold_idle(server: RunningServer, connections: int) -> Iterator[Callable[[], int]]:
    """Keep idle connections open, each served a request once.

    Yields a function that counts those that are still served. They are closed after MAX_HOLD_SECONDS.
    Raises LoadError.
    """
    job = Job(connections, MAX_HOLD_SECONDS, idle=True)
    with load_process(run_job, server.address, job_for(server, job)) as (pipe, receive):
        receive(connect_timeout(job))

        def still_served() -> int:
            pipe.send("end")
            return int(receive(connect_timeout(job)))

        yield still_served


def job_for(server: RunningServer, job: Job) -> Job:
    """Return the job with the request and response body of a server of the user."""
    target, content = server.adapter.target, server.adapter.content
    return replace(job, target=target, expected=content) if target and content is not None else job


def connect_timeout(job: Job) -> float:
    """Return how many seconds it may take to connect, at most."""
    return 2 * CONNECT_TIMEOUT + 2 * ANSWER_TIMEOUT + job.connections / 100


@contextmanager
def load_process(
    function: Callable[..., None], *arguments: object
) -> Iterator[tuple["Connection[Any, Any]", Callable[[float], Any]]]:
    """Call a function in a load process, with a pipe and arguments; the process is ended afterwards.

    Yields the other end of the pipe, and a function that receives a message.
    That function raises LoadError if the message is an error, or is not there after some seconds.
    """
    pipe, its_end = Pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", f"from benchmarks.load.process import main; main({its_end.fileno()})"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        pass_fds=[its_end.fileno()],
        start_new_session=True,  # Ctrl-C interrupts the measuring process only
        preexec_fn=lambda: prepare_child(CLIENT_CORE),
    )
    its_end.close()

    def receive(seconds: float) -> Any:
        if not pipe.poll(seconds):
            raise LoadError(f"load generator did not respond within {seconds:g} seconds")
        try:
            message = pipe.recv()
        except (EOFError, ConnectionResetError):
            raise LoadError(f"load generator ended with exit code {process.wait()}") from None
        if isinstance(message, LoadError):
            raise message
        return message

    try:
        pipe.send((function, arguments))
        yield pipe, receive
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(ANSWER_TIMEOUT)
        process.kill()
        process.wait()
        pipe.close()


# The load process.


def main(descriptor: int) -> None:
    """Call the function that is received from a pipe."""
    pipe = Connection(descriptor)
    function, arguments = pipe.recv()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # clean up
    raise_open_file_limit()
    gc.disable()  # requests create no reference cycles, and a collection would delay responses
    try:
        function(pipe, *arguments)
    except LoadError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the measuring process has ended
    except Exception as error:
        pipe.send(LoadError(f"load generator failed: {type(error).__name__}: {error}"))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends anyway


def run_job(pipe: "Connection[Any, str]", address: tuple[str, int], job: Job) -> None:
    """Send the number of established connections; then a sample, or how many idle ones are still served."""
    with Round(address, job) as running:
        established = running.connect()
        if not job.idle:
            running.warm_up()
        pipe.send(established)
        if job.idle:
            running.group.run(pipe.poll, job.seconds)
        pipe.send(running.still_served() if job.idle else running.measure())
        pipe.recv()  # until the measuring process ends this one, or has ended
