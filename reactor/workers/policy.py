"""The life of a worker as data: its states, and when a worker that has ended is replaced.

    State     Meaning                                     Then
    ABSENT    no process: before the first start, or the  STARTING
              previous process has ended
    STARTING  forked, not ready yet                       RUNNING STOPPING ABSENT
    RUNNING   it serves                                   STOPPING ABSENT
    STOPPING  about to end; killed after a timeout        ABSENT

    Lifetime of the process                      Delay of the next start
    at least LONG_LIFE, or ended by STOPPING     0, and the count begins again
    shorter, the first time in a row             0
    shorter, the second, third, ... time         1 s, 2 s, 4 s, ... up to MAX_DELAY

Nothing here reads a clock or starts a process: times are arguments, in seconds.
"""

import os
import signal
from enum import Enum
from math import inf

LONG_LIFE = 10.0
FIRST_DELAY, MAX_DELAY = 1.0, 30.0


class WorkerState(Enum):
    """The state of one worker; see the table at the top of this file."""

    ABSENT = "STARTING"
    STARTING = "RUNNING STOPPING ABSENT"
    RUNNING = "STOPPING ABSENT"
    STOPPING = "ABSENT"

    @property
    def successors(self) -> tuple["WorkerState", ...]:
        """The states that may follow."""
        return tuple(WorkerState[name] for name in self.value.split())


class WorkerRecord:
    """One of the workers, counted from 1: the state of its current process, and how earlier ones ended."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = WorkerState.ABSENT
        self.pid = 0  # of the current process
        self.starts = 0  # how many processes have been started
        self.alive_at = inf  # when the process last reported that its loop runs
        self._started = 0.0
        self._short_lives = 0  # in a row
        self._row_began = 0.0

    def __repr__(self) -> str:
        return f"worker {self.number} (pid {self.pid})"

    @property
    def restarts(self) -> int:
        """How many processes have been started in place of another one."""
        return max(0, self.starts - 1)

    def enter(self, state: WorkerState) -> None:
        """Change the state."""
        assert state in self.state.successors, f"{self.state} -> {state}"
        self.state = state

    def start(self, pid: int, now: float) -> None:
        """Note that a process was started."""
        self.enter(WorkerState.STARTING)
        self.pid = pid
        self.starts += 1
        self._started = now

    def end(self, now: float) -> float:
        """Note that the process has ended; return after how many seconds the next one is to be started."""
        was_stopping = self.state is WorkerState.STOPPING
        self.enter(WorkerState.ABSENT)
        if was_stopping or now - self._started >= LONG_LIFE:
            self._short_lives = 0
            return 0.0
        return self.note_short_life(self._started)

    def note_short_life(self, began: float) -> float:
        """Count a process that ended soon, or could not be started, as of a time; return the delay."""
        if not self._short_lives:
            self._row_began = began
        self._short_lives += 1
        return min(FIRST_DELAY * 2.0 ** (self._short_lives - 2), MAX_DELAY) if self._short_lives > 1 else 0.0

    def describe_row(self, now: float, delay: float) -> str:
        """Describe the processes that have ended soon, and when the next one is started."""
        seconds = now - self._row_began
        return (
            f"worker {self.number} keeps ending: {self._short_lives} times in {seconds:.3g} s; "
            f"next start in {delay:g} s"
        )


def describe_end(status: int) -> str:
    """Describe how a process ended, given the status of waitpid().

    >>> describe_end(9), describe_end(256)
    ('was killed by SIGKILL', 'ended with exit code 1')
    """
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ended with exit code {code}" if code else "has stopped"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-code}"
