"""A server of several workers: its processes, and clients that count what fails."""

import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.process import TIMEOUT, ClientConnection, ServerProcess


class WorkersProcess(ServerProcess):
    """A supervisor with its workers."""

    def __init__(self, *arguments: str, workers: int = 2, **options: object) -> None:
        # A warning of a slow turn, on a busy machine, would be an unexpected line.
        super().__init__("--workers", str(workers), "--slow-turn", "60", *arguments, **options)  # type: ignore[arg-type]

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers, in the order of their starts."""
        return [int(each) for each in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def wait_for_line(self, text: str) -> str:
        """Wait for a line on standard error that contains the text; return it.

        One of the lines of a worker that was ready first may precede the start line.
        """
        earlier = [each for each in self.earlier_lines if text in each]
        if earlier:
            self.earlier_lines.remove(earlier[0])
            return earlier[0]
        while text not in (line := self.stderr.next() or ""):
            assert line, f"the server has ended without the line {text!r}"
        return line


class Load:
    """Clients in threads that make one request after the other, each on a new connection, until ``stop``."""

    def __init__(self, port: int | str, count: int = 4) -> None:
        self._port = port
        self._ended = False
        self.outcomes: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for each in self._threads:
            each.start()

    def wait_for(self, requests: int) -> None:
        """Wait until so many more requests are answered."""
        wanted = self.outcomes["200"] + requests
        event = threading.Event()
        for _ in range(int(TIMEOUT / 0.01)):
            if self.outcomes["200"] >= wanted:
                return
            event.wait(0.01)
        raise AssertionError(f"no more answers: {self.outcomes}")

    def stop(self) -> Counter[str]:
        """End the clients; return how often each outcome was seen: a status, or the name of an exception."""
        self._ended = True
        for each in self._threads:
            each.join(TIMEOUT)
        return self.outcomes

    def _run(self) -> None:
        while not self._ended:
            try:
                with ClientConnection(self._port) as client:
                    outcome = str(client.get("/echo/x").status)
            except (OSError, AssertionError) as error:  # closed before the response was complete
                outcome = type(error).__name__
            self.outcomes[outcome] += 1


def run_all(functions: list[Callable[[], object]]) -> None:
    """Call functions, each in a thread, and wait for them."""
    threads = [threading.Thread(target=each) for each in functions]
    for each in threads:
        each.start()
    for each in threads:
        each.join(TIMEOUT)
        assert not each.is_alive()


def open_files(pid: int) -> list[str]:
    """Return what the file descriptors of a process refer to."""
    links = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(each))
        except FileNotFoundError:  # it has just been closed
            pass
    return links


def is_running(pid: int) -> bool:
    """Return whether a process exists, zombies included."""
    return os.path.exists(f"/proc/{pid}")
