"""The load generator in a process of its own, on the clients' core: both ends of the pipe.

    Who measures                         Who loads
    says what to do                      everybody connects
    looks at the server's processor      "begin"
    looks again, and at its memory       "end", while all connections are still held
    says that it is enough               sees which idle connections are served; "result"

So what the measuring process does costs the clients nothing, and what they hold is gone when they end. Each
says one line of JSON at a time. Who waits too long ends the other, by its process.
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

from benchmarks.load.client_group import raise_limit
from benchmarks.load.round import GREETING, PATIENCE, Ask, Job, Result, Round, make_load
from benchmarks.results.samples import Sample
from benchmarks.servers.process import CLIENT_CORE, ROOT, Serving, pinned
from reactor.loop import EventHandler, Interest

LONGEST_HOLD = 120.0  # seconds, that idle connections are held at most


class LoadError(Exception):
    """The load generator has no result; the text is one line."""


# Who measures.


def measure(
    serving: Serving,
    job: Job,
    question: str,
    workload: str = "hot",
    round: int = 1,
    x: float | None = None,
    ask: Ask | None = None,
) -> Sample:
    """Load a server, and return what came of it; raise LoadError."""
    ask = ask or Ask()
    with Generator(serving.address, job, ask) as generator:
        began, used = time.monotonic(), serving.cpu()
        generator.wait_for("end", job.seconds + 2 * PATIENCE)
        took, used = time.monotonic() - began, serving.cpu() - used
        resident = serving.resident()
        result = generator.finish()
    if result.failures:
        raise LoadError(result.failures[0])
    return Sample(
        question=question,
        workload=workload,
        peer=serving.name,
        round=round,
        x=x,
        requests=result.requests,
        errors=result.errors,
        seconds=result.seconds,
        octets=result.octets,
        latency=result.latency,
        server_cpu=used / took,
        client_cpu=result.client_cpu,
        resident=resident,
        asked=job.connections,
        established=result.established,
        intended=job.rate or None,
        verified=None if ask.content is None else result.answers,
        client="reactor",
    )


class Held:
    """Idle connections; ``kept`` is known when they have been let go."""

    def __init__(self, established: int) -> None:
        self.established = established
        self.kept = 0


@contextmanager
def holding(address: tuple[str, int], connections: int, ask: Ask | None = None) -> Iterator[Held]:
    """Hold idle connections, each of which has been served once; see at the end which still are.

    They are let go after two minutes, whatever happens. Raises LoadError.
    """
    job = Job(connections=0, seconds=LONGEST_HOLD, idle=connections)
    with Generator(address, job, ask or Ask()) as generator:
        held = Held(generator.idle_established)
        yield held
        generator.say("enough")
        generator.wait_for("end", 2 * PATIENCE)
        held.kept = generator.finish().idle_kept


class Generator:
    """One that loads a server: from "begin" on when made, until the end of the block at the latest."""

    def __init__(self, address: tuple[str, int], job: Job, ask: Ask) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from benchmarks.load.process import obey; obey()"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: pinned(CLIENT_CORE),
        )
        try:
            self.say(json.dumps({"address": address, "job": asdict(job), "ask": asdict(ask)}))
            patience = 2 * GREETING + 2 * PATIENCE + (job.connections + job.idle) / 100
            self.idle_established = int(self.wait_for("begin", patience)["idle_established"])
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def say(self, line: str) -> None:
        """Say one line, to one who may have ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def wait_for(self, phase: str, patience: float) -> dict[str, Any]:
        """Wait some seconds for it to say that it has come to a phase. Raises LoadError."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(patience, self._process.kill)
        watchdog.start()
        try:
            said: dict[str, Any] = json.loads(self._process.stdout.readline() or "{}")
        finally:
            watchdog.cancel()
        if said.get("phase") != phase:
            last = self._end()
            raise LoadError(f"the load generator did not come to its {phase}{': ' if last else ''}{last}")
        return said

    def finish(self) -> Result:
        """Let go of everything; return the result. Raises LoadError."""
        self.say("enough")
        return Result.from_json(self.wait_for("result", 6 * GREETING)["result"])

    def _end(self) -> str:
        """End the process; return the last line that it said besides."""
        self._process.kill()
        with contextlib.suppress(BrokenPipeError, ValueError):  # ended before it read, or ended twice
            return "".join(self._process.communicate()[1].strip().splitlines()[-1:])
        return ""


# Who loads.


class Word(EventHandler):
    """Knows whether a line has come."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(pipe, Interest.READ)
        self.said = False

    def on_readable(self) -> None:
        """Take the first line, or the end; there is no second."""
        self.said = True
        self.interest = Interest.NONE


def obey() -> None:
    """Do what the first line of standard input says."""
    orders = json.loads(sys.stdin.readline())
    job, ask = Job(**orders["job"]), Ask(**orders["ask"])
    raise_limit()
    gc.disable()  # requests leave no circles, and a collection would count as the server's delay
    load = make_load(tuple(orders["address"]), ask, job)
    word = Word(sys.stdin)
    load.reactor.register(word)

    def tell(phase: str, result: Result) -> None:
        said = {"phase": phase, "idle_established": result.idle_established}
        print(json.dumps(said), flush=True)
        if phase == "end":  # and everything is held, until it was looked at
            load.run(lambda: word.said, PATIENCE)

    result = Round(load, job, tell, lambda: word.said).run()
    print(json.dumps({"phase": "result", "result": result.to_json()}), flush=True)
