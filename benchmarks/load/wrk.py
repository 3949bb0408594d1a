"""wrk, as a function: one round of one workload against one server, as a sample.

Two things about wrk have to be known (it is 4.1.0, and its source says so):

    Its histogram is not what it measured. Before anybody sees it, wrk adds times that it believes
    a busy server kept it from measuring: for one of at least twice the mean, one shorter by the mean, and so
    on. That can be taken back exactly, and is; what is in the samples was measured.
    A closed loop it remains: while a server stalls, wrk does not send, so that a stall of a second
    is one long time out of many. For latency under load see ``benchmarks.questions.latency``.

It does not look at contents, takes every status below 400 for a success, and does not tell a
connection that the server closed from one that it keeps: ``benchmarks.servers.verify`` looks at the answers,
before and after. Times run from the first octet sent to the last received, without connecting; of
requests that are sent at once, there is one time for all. Between an answer and the next request of
the same connection wrk goes once around its loop, which is in none of the times: with a server that is
about as fast as wrk, rate x mean time (Little's law) makes fewer connections than there are.
"""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from benchmarks.load.histogram import Histogram
from benchmarks.results.samples import Sample
from benchmarks.servers.process import CLIENT_CORE, RunningServer, pin_to_core
from benchmarks.servers.workloads import DIGITS, LARGE, NUMBER, Workload, fresh_numbers

TIMEOUT = 30  # seconds, after which an answer counts as an error
EXTRA_SECONDS = 30.0  # seconds, for wrk to begin and to end

# Requests come out of files, cut where a number goes; one request that never changes is given to wrk
# as it is, which costs it less than calling a function for each. Processor time is taken before the
# histogram is written, which is work of its own.
SCRIPT = """
local function pieces_of(path)
   local file = assert(io.open(path, "rb"))
   local octets = file:read("*a")
   file:close()
   local pieces, from = {{}}, 1
   while true do
      local first, last = octets:find("{number}", from, true)
      pieces[#pieces + 1] = octets:sub(from, first and first - 1 or -1)
      if not first then return pieces end
      from = last + 1
   end
end

local templates, count, number = {{}}, {count}, {start}
for index = 1, count do templates[index] = pieces_of("{scratch}/" .. index) end

if count == 1 and #templates[1] == 1 then
   wrk.format = function() return templates[1][1] end
else
   request = function()
      number = number + 1
      local pieces = templates[number % count + 1]
      if #pieces == 1 then return pieces[1] end
      return table.concat(pieces, string.format("%0{digits}d", number))
   end
end

done = function(summary, latency)
   local file = assert(io.open("{scratch}/result", "w"))
   file:write("cpu ", os.clock(), "\\n")
   for _, name in ipairs({{"duration", "requests", "bytes"}}) do
      file:write(name, " ", string.format("%d", summary[name]), "\\n")
   end
   for _, name in ipairs({{"connect", "read", "write", "status", "timeout"}}) do
      file:write(name, " ", string.format("%d", summary.errors[name]), "\\n")
   end
   for index = 1, #latency do
      file:write("latency ", string.format("%d %d", latency(index)), "\\n")
   end
   file:close()
end
"""


class WrkError(Exception):
    """wrk could not be run, or said what is no result; the text is one line."""


@dataclass
class Result:
    """What wrk counted; times are in microseconds, but the processor's in seconds."""

    counts: dict[str, int] = field(default_factory=dict)
    cpu: float = 0.0
    latency: list[tuple[int, int]] = field(default_factory=list)  # a time, and how often


def missing() -> str | None:
    """Return why it cannot be used here; None when it can."""
    return None if shutil.which("wrk") else "wrk is not installed (Debian: apt-get install wrk)"


def measure(
    server: RunningServer, workload: Workload, connections: int, seconds: float, round: int, question: str
) -> Sample:
    """Measure one round; raise WrkError when wrk has no result."""
    connections = workload.connections(connections)
    used = server.cpu()
    result = run(server, workload, connections, seconds)
    used = server.cpu() - used
    counts, took = result.counts, result.counts["duration"] / 1e6
    errors = sum(counts[name] for name in ("connect", "read", "write", "status", "timeout"))
    requests = answered(workload, counts)
    return Sample(
        question=question,
        workload=workload.name,
        peer=server.name,
        round=round,
        requests=requests,
        errors=errors if requests or errors else connections,  # when nobody was answered in time
        seconds=took,
        octets=requests * workload.size if workload.method == "POST" else counts["bytes"],
        latency=histogram(result, connections),
        server_cpu=used / took,
        client_cpu=result.cpu / took,
        resident=server.resident(),
        asked=connections,
        established=max(0, connections - counts["connect"]),  # wrk does not say: those that did not fail
        client="wrk",
    )


def answered(workload: Workload, counts: dict[str, int]) -> int:
    """Return how many requests were answered; of large files, how many the octets received make up.

    So few large files are complete at the end of a round that those that nearly are would be missed.
    """
    if workload.size >= LARGE and workload.method == "GET":
        return counts["bytes"] // workload.size if not counts["status"] else 0
    return counts["requests"] - counts["status"] - counts["timeout"]


def run(server: RunningServer, workload: Workload, connections: int, seconds: float) -> Result:
    """Run wrk on its core, for some seconds; it is ended before them when they are no whole number."""
    with tempfile.TemporaryDirectory(prefix="benchmark-wrk-") as scratch:
        script = write_script(Path(scratch), workload, f"{server.host}:{server.port}")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{ceil(seconds)}s", f"--timeout={TIMEOUT}s"]
        output = _run([*command, "-s", str(script), server.url], seconds)
        try:
            return read_result((Path(scratch) / "result").read_text())
        except (OSError, ValueError, KeyError) as error:
            raise WrkError(f"wrk gave no result ({error}): {' '.join(output.split())}") from None


def write_script(scratch: Path, workload: Workload, host: str) -> Path:
    """Write the script, and the requests beside it."""
    count = 0
    for count, request in enumerate(workload.requests(host), 1):
        (scratch / str(count)).write_bytes(request)
    script = scratch / "script.lua"
    script.write_text(
        SCRIPT.format(scratch=scratch, count=count, start=fresh_numbers(), number=NUMBER, digits=DIGITS)
    )
    return script


def _run(command: Sequence[str], seconds: float) -> str:
    """Run a command for some seconds and no more; return what it said."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: pin_to_core(CLIENT_CORE),
    )
    try:
        for timeout in (seconds if seconds % 1 else seconds + EXTRA_SECONDS, EXTRA_SECONDS):
            try:
                return process.communicate(timeout=timeout)[0]
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)  # at which it tells what it has
        raise WrkError("wrk did not end")
    finally:
        process.kill()
        process.communicate()


# What it says.


def read_result(text: str) -> Result:
    """Read what the script has written; raise ValueError or KeyError for what is not it."""
    result = Result()
    for line in text.splitlines():
        name, *values = line.split()
        if name == "cpu":
            result.cpu = float(values[0])
        elif name == "latency":
            result.latency.append((int(values[0]), int(values[1])))
        else:
            result.counts[name] = int(values[0])
    if not result.counts["duration"]:
        raise ValueError("no time has passed")
    return result


def histogram(result: Result, connections: int) -> Histogram:
    """Return the times that were measured, without those that wrk has made up."""
    times = result.latency
    per_connection = result.counts["requests"] // connections
    if per_connection:  # else wrk adds none
        times = uncorrected(times, result.counts["duration"] // per_connection)
    measured = Histogram()
    for microseconds, count in times:
        measured.add(microseconds / 1e6, count)
    return measured


def uncorrected(times: Iterable[tuple[int, int]], mean: int) -> list[tuple[int, int]]:
    """Take back what wrk's stats_correct() has added.

    For each time t of at least twice the mean it adds t - mean, t - 2 mean, and so on as long as that
    is longer than the mean, as often as t was measured: always shorter times. From the longest on,
    what is left of each is what was measured. What it adds below the shortest that was measured,
    wrk itself does not show. Raises ValueError for times to which this was never done.

    >>> uncorrected([(100, 1), (150, 2), (250, 2), (350, 2)], 100)
    [(100, 1), (350, 2)]
    """
    left = dict(times)
    shortest = min(left, default=0)
    for time in sorted(left, reverse=True):
        count = left[time]
        if time < 2 * mean or not count:
            continue
        for made_up in range(time - mean, max(mean, shortest - 1), -mean):
            left[made_up] = left.get(made_up, 0) - count
            if left[made_up] < 0:
                raise ValueError(f"the time of {made_up} us was never corrected")
    return [(time, left[time]) for time in sorted(left) if left[time]]
