"""Load processes: the load generator in a child process on the clients' core, and its protocol.

    the measuring process                the load process
    sends the job                        connects all clients
    reads the server's CPU time          sends "begin"
    reads CPU time and memory            sends "end", with all connections still open
    sends "stop"                         checks which idle connections are still served, sends "result"

The work of the measuring process does not slow down the clients, and all connections are closed when the
child ends. Messages are lines of JSON. A load process that exceeds a timeout is killed.
"""

import contextlib
import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from benchmarks.load.client_group import raise_open_file_limit
from benchmarks.load.round import ANSWER_TIMEOUT, CONNECT_TIMEOUT, Job, RequestSpec, Result, Round, make_load
from benchmarks.results.samples import Sample
from benchmarks.servers.process import CLIENT_CORE, ROOT, RunningServer, pin_to_core
from reactor.event_handler import EventHandler, Interest

MAX_HOLD_SECONDS = 120.0  # for which idle connections are kept open, at most


class LoadError(Exception):
    """The load generator failed; the message is one line."""


# The measuring process.


def measure(
    server: RunningServer,
    job: Job,
    question: str,
    workload: str = "hot",
    round: int = 1,
    x: float | None = None,
    spec: RequestSpec | None = None,
) -> Sample:
    """Run a job against a server and return the sample; raise LoadError."""
    spec = spec or RequestSpec()
    with LoadProcess(server.address, job, spec) as load_process:
        began, used = time.monotonic(), server.cpu()
        load_process.wait_for("end", job.seconds + 2 * ANSWER_TIMEOUT)
        took, used = time.monotonic() - began, server.cpu() - used
        resident = server.resident()
        result = load_process.finish()
    if result.failures:
        raise LoadError(result.failures[0])
    return Sample(
        question=question,
        workload=workload,
        peer=server.name,
        round=round,
        x=x,
        requests=result.requests,
        errors=result.errors,
        seconds=result.seconds,
        transferred=result.transferred,
        latency=result.latency,
        server_cpu=used / took,
        client_cpu=result.client_cpu,
        resident=resident,
        asked=job.connections,
        established=result.established,
        intended=job.rate or None,
        verified=None if spec.content is None else result.answers,
        client="reactor",
    )


class IdleConnections:
    """A number of idle connections; ``kept`` is set when ``hold_idle`` ends."""

    def __init__(self, established: int) -> None:
        self.established = established
        self.kept = 0


@contextmanager
def hold_idle(
    address: tuple[str, int], connections: int, spec: RequestSpec | None = None
) -> Iterator[IdleConnections]:
    """Keep idle connections open, each served once; at the end, count those that are still served.

    They are closed after MAX_HOLD_SECONDS. Raises LoadError.
    """
    job = Job(connections=0, seconds=MAX_HOLD_SECONDS, idle=connections)
    with LoadProcess(address, job, spec or RequestSpec()) as load_process:
        held = IdleConnections(load_process.idle_established)
        yield held
        load_process.send_line("stop")
        load_process.wait_for("end", 2 * ANSWER_TIMEOUT)
        held.kept = load_process.finish().idle_kept


class LoadProcess:
    """A context manager for a load process; it has reached "begin" when created, and is killed on exit."""

    def __init__(self, address: tuple[str, int], job: Job, spec: RequestSpec) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from benchmarks.load.process import main; main()"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: pin_to_core(CLIENT_CORE),
        )
        try:
            self.send_line(json.dumps({"address": address, "job": asdict(job), "request": asdict(spec)}))
            timeout = 2 * CONNECT_TIMEOUT + 2 * ANSWER_TIMEOUT + (job.connections + job.idle) / 100
            self.idle_established = int(self.wait_for("begin", timeout)["idle_established"])
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "LoadProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def send_line(self, line: str) -> None:
        """Send one line; ignore a process that has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def wait_for(self, phase: str, timeout: float) -> dict[str, Any]:
        """Wait for the message of a phase; raise LoadError after ``timeout`` seconds."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(timeout, self._process.kill)
        watchdog.start()
        try:
            message: dict[str, Any] = json.loads(self._process.stdout.readline() or "{}")
        finally:
            watchdog.cancel()
        if message.get("phase") != phase:
            last = self._end()
            raise LoadError(f"load generator did not reach phase {phase!r}{': ' if last else ''}{last}")
        return message

    def finish(self) -> Result:
        """Stop the load and return the result. Raises LoadError."""
        self.send_line("stop")
        return Result.from_json(self.wait_for("result", 6 * CONNECT_TIMEOUT)["result"])

    def _end(self) -> str:
        """Kill the process; return the last line of its stderr."""
        self._process.kill()
        with contextlib.suppress(
            BrokenPipeError, ValueError
        ):  # it has ended before reading, or was killed before
            return "".join(self._process.communicate()[1].strip().splitlines()[-1:])
        return ""


# The load process.


class StdinSignal(EventHandler):
    """Watches standard input; ``received`` is True after the first line, or its end."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(pipe, Interest.READ)
        self.received = False

    def on_readable(self) -> None:
        """Set ``received``."""
        self.received = True
        self.interest = Interest.NONE


def main() -> None:
    """Run the job in the first line of standard input."""
    job_description = json.loads(sys.stdin.readline())
    job, spec = Job(**job_description["job"]), RequestSpec(**job_description["request"])
    raise_open_file_limit()
    gc.disable()  # requests create no reference cycles, and a collection would delay responses
    load = make_load(tuple(job_description["address"]), spec, job)
    stop = StdinSignal(sys.stdin)
    load.reactor.register(stop)

    def report_phase(phase: str, result: Result) -> None:
        message = {"phase": phase, "idle_established": result.idle_established}
        print(json.dumps(message), flush=True)
        if phase == "end":  # keep all connections open until the server was measured
            load.run(lambda: stop.received, ANSWER_TIMEOUT)

    result = Round(load, job, report_phase, lambda: stop.received).run()
    print(json.dumps({"phase": "result", "result": result.to_json()}), flush=True)
