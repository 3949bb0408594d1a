"""Run wrk: one round of one workload against one server, as a sample.

Two properties of wrk (4.1.0, see its source):

    It corrects its histogram for coordinated omission: for each time of at least twice the mean it adds a
    shorter time (by the mean), and so on. ``uncorrected`` reverts this exactly, so that samples contain
    only measured times.
    It remains a closed loop: while a server stalls, wrk does not send, so a stall of a second is one long
    time among many. For latency under load see ``benchmarks.questions.latency``.

wrk does not compare bodies, counts every status below 400 as a success, and does not report connections
closed by the server; so ``benchmarks.servers.verify`` checks some responses before and after. Times run from
the first byte sent to the last byte received, without connecting; pipelined requests have one time per
batch. The time between a response and the next request on the same connection is not measured: with a
server about as fast as wrk, rate x mean time (Little's law) is less than the number of connections.
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

TIMEOUT = 30  # seconds, after which a request counts as an error
EXTRA_SECONDS = 30.0  # seconds, for wrk to start and to end

# Requests are read from files and split at the number. A constant request is given to wrk once, which is
# faster than calling a function for each. CPU time is read before the histogram is written.
SCRIPT = """
local function pieces_of(path)
   local file = assert(io.open(path, "rb"))
   local text = file:read("*a")
   file:close()
   local pieces, from = {{}}, 1
   while true do
      local first, last = text:find("{number}", from, true)
      pieces[#pieces + 1] = text:sub(from, first and first - 1 or -1)
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
    """wrk could not be run, or gave no valid result; the message is one line."""


@dataclass
class Result:
    """The counts of wrk; times are in microseconds, CPU time is in seconds."""

    counts: dict[str, int] = field(default_factory=dict)
    cpu: float = 0.0
    latency: list[tuple[int, int]] = field(default_factory=list)  # time, count


def missing() -> str | None:
    """Return why wrk cannot be used, or None."""
    return None if shutil.which("wrk") else "wrk is not installed (Debian: apt-get install wrk)"


def measure(
    server: RunningServer, workload: Workload, connections: int, seconds: float, round: int, question: str
) -> Sample:
    """Measure one round; raise WrkError."""
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
        errors=errors if requests or errors else connections,  # all timed out
        seconds=took,
        transferred=requests * workload.size if workload.method == "POST" else counts["bytes"],
        latency=histogram(result, connections),
        server_cpu=used / took,
        client_cpu=result.cpu / took,
        resident=server.resident(),
        asked=connections,
        established=max(0, connections - counts["connect"]),  # wrk only reports failed connections
        client="wrk",
    )


def answered(workload: Workload, counts: dict[str, int]) -> int:
    """Return the number of successful requests; for large files, bytes received / size.

    So few large files are complete at the end of a round that incomplete ones would matter.
    """
    if workload.size >= LARGE and workload.method == "GET":
        return counts["bytes"] // workload.size if not counts["status"] else 0
    return counts["requests"] - counts["status"] - counts["timeout"]


def run(server: RunningServer, workload: Workload, connections: int, seconds: float) -> Result:
    """Run wrk on the clients' core; it is interrupted after a fractional number of seconds."""
    with tempfile.TemporaryDirectory(prefix="benchmark-wrk-") as scratch:
        script = write_script(Path(scratch), workload, f"{server.host}:{server.port}")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{ceil(seconds)}s", f"--timeout={TIMEOUT}s"]
        output = _run([*command, "-s", str(script), server.url], seconds)
        try:
            return read_result((Path(scratch) / "result").read_text())
        except (OSError, ValueError, KeyError) as error:
            raise WrkError(f"invalid result of wrk ({error}): {' '.join(output.split())}") from None


def write_script(scratch: Path, workload: Workload, host: str) -> Path:
    """Write the script, and the requests into files in the same directory."""
    count = 0
    for count, request in enumerate(workload.requests(host), 1):
        (scratch / str(count)).write_bytes(request)
    script = scratch / "script.lua"
    script.write_text(
        SCRIPT.format(scratch=scratch, count=count, start=fresh_numbers(), number=NUMBER, digits=DIGITS)
    )
    return script


def _run(command: Sequence[str], seconds: float) -> str:
    """Run a command for at most some seconds; return its output."""
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
                process.send_signal(signal.SIGINT)  # wrk then prints its result
        raise WrkError("timeout: wrk did not exit")
    finally:
        process.kill()
        process.communicate()


# The result.


def read_result(text: str) -> Result:
    """Parse the output of the script; raise ValueError or KeyError if it is invalid."""
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
        raise ValueError("duration is 0")
    return result


def histogram(result: Result, connections: int) -> Histogram:
    """Return the measured times, without wrk's correction."""
    times = result.latency
    per_connection = result.counts["requests"] // connections
    if per_connection:  # otherwise wrk adds none
        times = uncorrected(times, result.counts["duration"] // per_connection)
    measured = Histogram()
    for microseconds, count in times:
        measured.add(microseconds / 1e6, count)
    return measured


def uncorrected(times: Iterable[tuple[int, int]], mean: int) -> list[tuple[int, int]]:
    """Revert wrk's stats_correct().

    For each time t of at least twice the mean it adds t - mean, t - 2 mean, and so on while longer than
    the mean. Added times are always shorter than t, so removing them from the longest time downwards leaves
    the measured ones. wrk does not report added times below the shortest measured one. Raises ValueError
    for times without this correction.

    >>> uncorrected([(100, 1), (150, 2), (250, 2), (350, 2)], 100)
    [(100, 1), (350, 2)]
    """
    left = dict(times)
    shortest = min(left, default=0)
    for time in sorted(left, reverse=True):
        count = left[time]
        if time < 2 * mean or not count:
            continue
        for added in range(time - mean, max(mean, shortest - 1), -mean):
            left[added] = left.get(added, 0) - count
            if left[added] < 0:
                raise ValueError(f"missing correction: {added} us")
    return [(time, left[time]) for time in sorted(left) if left[time]]
