"""The supervisor: starts the worker processes, replaces those that end, and stops them all.

    supervisor = Supervisor(2, run_worker, listeners, stop_timeout=8.0)
    supervisor.run()

It is a process of its own with its own event loop. It opens no file, starts no thread and serves no request:
the workers accept from the listening sockets that they inherit from it.

    Event                                   Action
    a worker has ended (SIGCHLD)            log it, and start another one, at once or later (``policy.py``)
    a worker has failed to start, or ended  the first time, before all are ready: end all, raise StartError
    all workers are ready the first time    call ``on_started`` with the start lines
    SIGTERM, SIGINT                         stop all workers gracefully; the second time, immediately
    SIGHUP                                  with a controlling terminal, like SIGTERM; otherwise reload all
    SIGUSR1                                 all log their connections
    a worker got SIGTERM or SIGINT          stop it alone, unless the supervisor got the same signal
    a worker does not stop                  kill it when its time is over
    a worker requests the metrics of all    collect them (``collection.py``)

If the supervisor is killed, the workers stop by themselves.
"""

import logging
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from math import inf

from reactor.http11.body import JSONValue
from reactor.logs.stderr import nonblocking_stderr
from reactor.loop import Reactor
from reactor.server.listen import Listener, StartError
from reactor.server.server import handled_signals, has_controlling_terminal
from reactor.timer import Timer
from reactor.wakeup import SignalHandle
from reactor.workers.balance import ConnectionCounts
from reactor.workers.channel import Channel, Kind
from reactor.workers.collection import Collection
from reactor.workers.policy import WorkerRecord, WorkerState, describe_end
from reactor.workers.process import Processes
from reactor.workers.worker import Worker

log = logging.getLogger("reactor")

# Seconds for which a worker's signal waits for that of the supervisor: both were sent to the process group.
GROUP_SIGNAL_DELAY = 0.2
# Seconds after its timeout, or after STOP_NOW, before a worker is killed.
KILL_MARGIN = 1.5

# Runs a worker, in its own process; returns its exit code.
RunWorker = Callable[[Worker], int]


class WorkerFailedError(StartError):
    """A worker could not start."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class SupervisorHooks:
    """What is called when the whole service changes, for a service manager; does nothing here."""

    alive_every = 0.0  # seconds between two reports of each worker that its loop runs; 0: none

    def on_ready(self, supervisor: "Supervisor") -> None:
        """Handle that all workers are ready for the first time."""

    def on_reload(self) -> None:
        """Handle that all workers are about to reload."""

    def on_stopping(self) -> None:
        """Handle that all workers are about to stop."""


class Supervisor:
    """Runs ``count`` workers on these listening sockets, until a signal.

    ``on_started`` gets the start lines of the first worker. ``stop_timeout`` is the time in seconds that a
    graceful shutdown may take. ``inherited`` are other sockets, which only the first worker uses.
    """

    def __init__(
        self,
        count: int,
        run_worker: RunWorker,
        listeners: Sequence[Listener],
        stop_timeout: float,
        on_started: Callable[[list[str]], None] = lambda lines: None,
        hooks: SupervisorHooks | None = None,
        inherited: Sequence[socket.socket] = (),
        reactor: Reactor | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.reactor = Reactor() if reactor is None else reactor
        self._processes = Processes() if processes is None else processes
        self.workers = tuple(WorkerRecord(number) for number in range(1, count + 1))
        self._run_worker = run_worker
        self._listeners = listeners
        self._inherited = inherited
        self.stop_timeout = stop_timeout
        self._on_started = on_started
        self._hooks = SupervisorHooks() if hooks is None else hooks
        self._signals = SignalHandle(self.on_signal)
        self._channels: dict[int, Channel] = {}  # by the worker's number
        self._timers: dict[int, Timer] = {}  # of the next start, or of the kill, of a worker
        self._lines: list[str] = []
        self._started = self._stopping = False
        self.failure: StartError | None = None  # why the workers cannot start
        self._has_terminal = has_controlling_terminal()
        self.counts = ConnectionCounts(count)
        self._collection = Collection(self.reactor, self.workers, self._channels)
        self._checked_at = -inf  # when ``kill_blocked_workers`` was called
        self.reactor.register(self._signals)

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Start the workers, and wait until all have ended; raise StartError if they cannot start.

        ``on_ready`` is called once signals are handled.
        """
        try:
            self._signals.catch([*handled_signals(), signal.SIGCHLD])
            with nonblocking_stderr():
                on_ready()
                self.start()
                if not self._has_ended():
                    self.reactor.run()
        finally:
            self.close()
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Close everything; the channels of workers that are left end."""
        self._close_sockets()
        for each in self._listeners:
            each.remove_file()  # of a Unix socket, if no worker was ready to remove it
        for channel in self._channels.values():
            channel.close()
        self.reactor.remove(self._signals)
        self._signals.close()
        self.reactor.close()

    def _close_sockets(self) -> None:
        for each in (*self._listeners, *self._inherited):
            each.close()

    def start(self) -> None:
        """Start all workers."""
        for record in self.workers:
            self._start(record)

    # Starting.

    def _start(self, record: WorkerRecord) -> None:
        """Fork the process of a worker."""
        self._timers.pop(record.number, None)
        if self._stopping:
            return
        try:
            pid, ours = self._fork(record)
        except OSError as error:  # too many processes or open files, or out of memory
            self._retry(record, f"cannot start worker {record.number}: {error.strerror}")
            return
        record.start(pid, self.reactor.clock())  # forking takes milliseconds
        on_message = partial(self._on_message, record)
        self._channels[record.number] = Channel(ours, self.reactor, on_message, lambda: None)

    def _fork(self, record: WorkerRecord) -> tuple[int, socket.socket]:
        """Return the id of a new process, and the supervisor's end of its channel; raise OSError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                run = partial(self._become_worker, record, ours, theirs)
                return self._processes.fork(run, [*handled_signals(), signal.SIGCHLD]), ours
        except OSError:
            ours.close()
            raise

    def _become_worker(self, record: WorkerRecord, ours: socket.socket, theirs: socket.socket) -> int:
        """Close what belongs to the supervisor, and run the worker; called in the child."""
        self.reactor.close()  # first: the child shares the kernel's table of registered handles
        self._signals.close()
        ours.close()
        for channel in self._channels.values():
            channel.handle.close()
        if record.number != 1:
            for each in self._inherited:
                each.close()
        worker = Worker(
            record.number,
            len(self.workers),
            record.starts,
            theirs,
            self._listeners,
            self.counts,
            self._hooks.alive_every,
        )
        return self._run_worker(worker)

    def _retry(self, record: WorkerRecord, reason: str) -> None:
        if not self._started:
            self._fail(WorkerFailedError(reason))
            return
        delay = max(1.0, record.note_short_life(self.reactor.clock()))
        log.error("%s; trying again in %g s", reason, delay)
        self._start_later(record, delay)

    def _start_later(self, record: WorkerRecord, delay: float) -> None:
        self._timers[record.number] = Timer(self.reactor, delay, partial(self._start, record))

    # Messages from workers.

    def _on_message(self, record: WorkerRecord, kind: Kind, value: JSONValue) -> None:
        if kind is Kind.READY:
            self._on_worker_ready(record, value)
        elif kind is Kind.FAILED:
            self._on_worker_failed(record, value)
        elif kind is Kind.LEAVING:
            Timer(self.reactor, GROUP_SIGNAL_DELAY, partial(self._stop_alone, record, record.pid))
        elif kind is Kind.COLLECT:
            self._collection.begin()
        elif kind is Kind.MEASURED:
            self._collection.add(record.number, value)
        elif kind is Kind.ALIVE:
            record.alive_at = self.reactor.now

    def _on_worker_ready(self, record: WorkerRecord, lines: JSONValue) -> None:
        if record.state is not WorkerState.STARTING:
            return  # STOPPING: it was ready at the same time
        record.enter(WorkerState.RUNNING)
        record.alive_at = self.reactor.now
        if record.number == 1 and isinstance(lines, list):
            self._lines = [str(line) for line in lines]
        if not self._started and all(each.state is WorkerState.RUNNING for each in self.workers):
            self._started = True
            self._on_started(self._lines)
            self._channels[1].send(Kind.STARTED)
            self._hooks.on_ready(self)

    def _on_worker_failed(self, record: WorkerRecord, value: JSONValue) -> None:
        message, details = map(str, value) if isinstance(value, list) and len(value) == 2 else ("unknown", "")
        if not self._started:
            self._fail(WorkerFailedError(message, details))
        else:
            if details:
                log.error("%s", details)
            log.error("worker %d (pid %d) cannot start: %s", record.number, record.pid, message)

    def _stop_alone(self, record: WorkerRecord, pid: int) -> None:
        """Stop one worker, which got a signal, unless all are stopping."""
        if record.pid == pid and record.state is WorkerState.RUNNING:
            log.info("worker %d (pid %d) got a signal: stopping it", record.number, pid)
            self._stop_worker(record, Kind.LEAVE, self.stop_timeout + KILL_MARGIN)

    # The ends of workers.

    def _reap(self) -> None:
        """Handle the end of every child that has ended."""
        while (ended := self._processes.wait()) is not None:
            pid, status = ended
            for record in self.workers:
                if record.pid == pid and record.state is not WorkerState.ABSENT:
                    self._on_worker_end(record, describe_end(status))

    def _on_worker_end(self, record: WorkerRecord, reason: str) -> None:
        """Release what belongs to a process that has ended, and replace it unless all are stopping."""
        number = record.number
        delay = record.end(self.reactor.now)
        channel = self._channels.pop(number)
        channel.receive_rest()  # such as FAILED
        channel.close()
        self._cancel_timer(number)
        self.counts.remove(number)
        self._collection.end(number)
        if self._stopping:
            if reason != "has stopped" and self.failure is None:
                log.warning("worker %d (pid %d) %s", number, record.pid, reason)
            self._finish_if_ended()
        elif not self._started:
            self._fail(WorkerFailedError(f"worker {number} (pid {record.pid}) {reason} before it was ready"))
        else:
            self._replace(record, reason, delay)

    def _replace(self, record: WorkerRecord, reason: str, delay: float) -> None:
        next_one = "" if delay else "; starting another"
        level = logging.INFO if reason == "has stopped" else logging.ERROR
        log.log(level, "worker %d (pid %d) %s%s", record.number, record.pid, reason, next_one)
        if delay:
            log.error("%s", record.describe_row(self.reactor.now, delay))
            self._start_later(record, delay)
        else:
            self._start(record)

    # Signals.

    def on_signal(self, number: int) -> None:
        """Handle a signal, in the loop."""
        self.reactor.now = self.reactor.clock()
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGUSR1:
            self._log_workers()
            self._send(Kind.LOG_CONNECTIONS)
        elif number == signal.SIGHUP and not self._has_terminal:
            self._hooks.on_reload()
            self._send(Kind.RELOAD)
        elif not self._stopping:
            log.info("%s: stopping %d workers", signal.Signals(number).name, len(self.workers))
            self.stop()
        elif number != signal.SIGHUP:
            log.info("%s: stopping immediately", signal.Signals(number).name)
            self._stop_all(Kind.STOP_NOW, KILL_MARGIN)

    def stop(self) -> None:
        """Stop all workers gracefully."""
        self._hooks.on_stopping()
        self._stop_all(Kind.STOP, self.stop_timeout + KILL_MARGIN)

    def _fail(self, error: StartError) -> None:
        """End all workers, because one cannot start."""
        if self.failure is None:
            self.failure = error
            self._stop_all(Kind.STOP_NOW, KILL_MARGIN)

    def _stop_all(self, kind: Kind, seconds: float) -> None:
        """Stop all workers; kill those that have not ended after so many seconds."""
        self._stopping = True
        for each in self._listeners:
            each.outlives_process = kind is not Kind.STOP_NOW  # the workers remove the files of Unix sockets
        self._close_sockets()
        for record in self.workers:
            if record.state is WorkerState.ABSENT:
                self._cancel_timer(record.number)
            else:
                self._stop_worker(record, kind, seconds)
        self._finish_if_ended()

    def _stop_worker(self, record: WorkerRecord, kind: Kind, seconds: float) -> None:
        self._channels[record.number].send(kind)
        if record.state is WorkerState.STARTING:
            self._processes.kill(record.pid, signal.SIGTERM)  # it does not read its channel yet
        if record.state is not WorkerState.STOPPING:
            record.enter(WorkerState.STOPPING)
        self._cancel_timer(record.number)
        self._timers[record.number] = Timer(self.reactor, seconds, partial(self._kill, record, seconds))

    def _cancel_timer(self, number: int) -> None:
        """Cancel the next start, or the kill, of a worker."""
        if (timer := self._timers.pop(number, None)) is not None:
            timer.cancel()

    def _kill(self, record: WorkerRecord, seconds: float) -> None:
        log.error(
            "worker %d (pid %d) has not stopped in %g s: killing it", record.number, record.pid, seconds
        )
        self._processes.kill(record.pid, signal.SIGKILL)

    def _finish_if_ended(self) -> None:
        if self._has_ended():
            self.reactor.stop()

    def _has_ended(self) -> bool:
        return self._stopping and all(each.state is WorkerState.ABSENT for each in self.workers)

    def _send(self, kind: Kind) -> None:
        for channel in self._channels.values():
            channel.send(kind)

    def _log_workers(self) -> None:
        for each in self.workers:
            log.info(
                "worker %d: %s, pid %d, restarts: %d", each.number, each.state.name, each.pid, each.restarts
            )

    def status(self) -> str:
        """Return a line for the service manager."""
        running = sum(each.state is WorkerState.RUNNING for each in self.workers)
        return f"{'stopping' if self._stopping else 'serving'}; workers: {running} of {len(self.workers)}"

    def kill_blocked_workers(self, seconds: float) -> None:
        """Kill the workers that serve and have not reported for so long that their loop runs.

        Call this more often. After a longer interval, in which all processes may have been suspended, the
        workers get their time again.
        """
        now, before = self.reactor.clock(), self._checked_at
        self._checked_at = now
        for each in self.workers:
            if now - before > seconds:
                each.alive_at = now
            elif each.state is WorkerState.RUNNING and each.alive_at < now - seconds:
                log.error(
                    "worker %d (pid %d) is blocked for %g s: killing it", each.number, each.pid, seconds
                )
                self._processes.kill(each.pid, signal.SIGKILL)
