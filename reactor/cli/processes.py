"""How the processes of the command differ: a single one, one of several workers, and their supervisor.

The single process and the workers run the same code, ``main._serve``, with an object that determines how
this process listens, is observed, and announces that it serves.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Protocol, TypedDict

from reactor.cli import listen_options, observe_options
from reactor.logs.stderr import StderrHandler
from reactor.server.listen import Listener, listen
from reactor.server.notify import Notifier, report_regularly
from reactor.server.server import Instrumentation, Server
from reactor.server.sharing import Sharing
from reactor.settings import Settings
from reactor.timer import Timer
from reactor.workers.supervisor import Supervisor, SupervisorHooks
from reactor.workers.worker import Worker

# Variables by which a service manager finds its main process; only the supervisor notifies it.
_OF_MAIN_PROCESS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class ServerOptions(TypedDict, total=False):
    """The parameters of ``serve`` that depend on the process."""

    listeners: Sequence[Listener]
    sharing: Sharing
    on_stopping: Callable[[], None]


class Process(Protocol):
    """This process, which serves."""

    is_one_of_several: bool
    removes_leftovers: bool  # after the start
    note: str  # for the start line

    def server_options(self, options: argparse.Namespace) -> ServerOptions:
        """Return the parameters of ``serve`` that depend on the process; raise StartError."""

    def instrument(
        self, options: argparse.Namespace, settings: Settings
    ) -> AbstractContextManager[Instrumentation | None]:
        """Return the instrumentation; raise StartError."""

    def announce(self, server: Server, lines: Sequence[str], after_start: Callable[[], None]) -> None:
        """Announce that the server serves: print the start lines, and call ``after_start``."""

    def reload(self, function: Callable[[], None]) -> None:
        """Call a function that reloads the configuration."""

    def close(self) -> None:
        """Release what this object has opened, when the server is closed."""


class SingleProcess:
    """The only process; ``on_ready`` is called when it handles signals."""

    is_one_of_several = False
    removes_leftovers = True
    note = ""

    def __init__(self, messages: StderrHandler, on_ready: Callable[[], None]) -> None:
        self._messages = messages
        self._on_ready = on_ready
        self._notifier = Notifier(os.environ)
        self._listeners: Sequence[Listener] = ()

    def server_options(self, options: argparse.Namespace) -> ServerOptions:
        """Open the listening sockets."""
        self._listeners = listen_options.open_listeners(options)
        return {"listeners": self._listeners, "on_stopping": self._notifier.stopping}

    def instrument(
        self, options: argparse.Namespace, settings: Settings
    ) -> AbstractContextManager[Instrumentation | None]:
        """Return the instrumentation."""
        return observe_options.instrument(options, settings)

    def announce(self, server: Server, lines: Sequence[str], after_start: Callable[[], None]) -> None:
        """Print the start lines."""
        for line in lines:
            self._messages.write(line)
        self._on_ready()
        self._notifier.ready()
        report_regularly(self._notifier, server.run_loop, server.status)
        after_start()

    def reload(self, function: Callable[[], None]) -> None:
        """Call a function that reloads the configuration, and notify the service manager."""
        self._notifier.reload(function)

    def close(self) -> None:
        """Close the socket of notifications, and the listeners, which the server may not have had yet."""
        self._notifier.close()
        for each in self._listeners:
            each.close()


class WorkerProcess:
    """One of several workers; the supervisor prints the start lines of the first one when all are ready."""

    is_one_of_several = True

    def __init__(self, worker: Worker, inspector: Listener | None, on_ready: Callable[[], None]) -> None:
        self._worker = worker
        self._inspector = inspector
        self._on_ready = on_ready
        # The others have not served before, or another one removes them; a killed process may have left some.
        self.removes_leftovers = worker.is_first or worker.restarts > 0
        self.note = f"{worker.count} workers"
        for name in _OF_MAIN_PROCESS:
            os.environ.pop(name, None)

    def server_options(self, options: argparse.Namespace) -> ServerOptions:
        """Return the inherited sockets, and what the worker decides."""
        return {"listeners": self._worker.listeners, "sharing": self._worker}

    def instrument(
        self, options: argparse.Namespace, settings: Settings
    ) -> AbstractContextManager[Instrumentation | None]:
        """Return the instrumentation of a worker."""
        return observe_options.instrument(options, settings, self._worker, self._inspector)

    def announce(self, server: Server, lines: Sequence[str], after_start: Callable[[], None]) -> None:
        """Report to the supervisor."""
        self._worker.report_ready(server, lines, after_start)
        self._on_ready()

    def reload(self, function: Callable[[], None]) -> None:
        """Call a function that reloads the configuration."""
        function()

    def close(self) -> None:
        """Do nothing: the sockets belong to the server."""


class ServiceManager(SupervisorHooks):
    """Notifies the service manager about all workers."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self.alive_every = notifier.watchdog_timeout / 4

    def on_ready(self, supervisor: Supervisor) -> None:
        """Report that the service has started, and from now on its status; with a watchdog, replace workers.

        A worker whose loop is blocked for the watchdog's timeout is killed: the others continue to serve.
        """
        timeout = self._notifier.watchdog_timeout
        self._notifier.ready()
        report_regularly(self._notifier, supervisor.reactor, supervisor.status)
        if timeout:
            kill = partial(supervisor.kill_blocked_workers, timeout)
            Timer(supervisor.reactor, timeout / 2, kill, timeout / 2)

    def on_reload(self) -> None:
        """Report that the workers reload."""
        self._notifier.reload(lambda: None)

    def on_stopping(self) -> None:
        """Report that the service is about to stop."""
        self._notifier.stopping()


def supervise(
    options: argparse.Namespace,
    settings: Settings,
    messages: StderrHandler,
    on_ready: Callable[[], None],
    run_worker: Callable[[Worker, Listener | None], int],
) -> None:
    """Open the listening sockets, and run the workers until they are stopped; raise StartError."""

    def print_lines(lines: list[str]) -> None:
        for line in lines:
            messages.write(line)

    def run(worker: Worker) -> int:
        notifier.close()
        return run_worker(worker, inspector)

    with ExitStack() as opened:
        listeners = listen_options.open_listeners(options) or (listen(options.host, options.port),)
        for each in listeners:
            opened.callback(each.close)
        inspector = observe_options.open_inspector(options)
        notifier = Notifier(os.environ)
        opened.callback(notifier.close)
        Supervisor(
            options.workers,
            run,
            listeners,
            settings.shutdown_delay + settings.shutdown_timeout,
            print_lines,
            ServiceManager(notifier),
            inherited=() if inspector is None else (inspector,),
        ).run(on_ready)
