"""The command line in the test's own process: ``run_main`` to its end, ``CommandServer`` while it serves."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from types import SimpleNamespace
from typing import Any, NamedTuple, TextIO
from unittest import mock

from reactor.cli import main
from reactor.routing import Router
from reactor.server.server import Server, serve
from reactor.settings import Settings
from tests.support.process import LISTEN, TIMEOUT, Lines, RunningServer

# The command ignores SIGTTOU, which only the main thread of a process may do.
NOT_MAIN_THREAD = SimpleNamespace(
    signal=lambda number, handler: None, SIGTTOU=signal.SIGTTOU, SIG_IGN=signal.SIG_IGN
)


class Done(NamedTuple):
    """How a command ended: as subprocess.CompletedProcess has it."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def clean_process(extra: Mapping[str, str]) -> Iterator[None]:
    """Give the command its environment; put back what it changes in the process."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("REACTOR_")}
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    turns = logging.getLogger("reactor.turns")  # changed by --explain
    files = getrlimit(RLIMIT_NOFILE)
    root.handlers = []
    with mock.patch.dict(os.environ, {**environment, "COLUMNS": "200", **extra}, clear=True):
        try:
            yield
        finally:
            logging.captureWarnings(False)
            for handler in root.handlers:
                handler.close()
            root.handlers = handlers
            root.setLevel(level)
            for handler in turns.handlers:
                handler.close()
            turns.handlers, turns.propagate = [], True
            turns.setLevel(logging.NOTSET)
            setrlimit(RLIMIT_NOFILE, files)


class Standard:
    """Standard output and error of the command: pipes, whose lines are read all the time."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._streams: list[TextIO] = []
        self.stdout = self._replace("stdout")
        self.stderr = self._replace("stderr")

    def _replace(self, name: str) -> Lines:
        reading_end, writing_end = os.pipe()
        stream = os.fdopen(writing_end, "w", buffering=1)
        self._streams.append(stream)
        lines = Lines(os.fdopen(reading_end))
        self._stack.callback(lines.join)
        self._stack.callback(self.end)
        self._stack.enter_context(mock.patch.object(sys, name, stream))
        return lines

    def end(self) -> None:
        """Close the streams of the command."""
        for stream in self._streams:
            stream.close()

    def close(self) -> None:
        """Put the streams of the process back; the output can be read to its end."""
        self._stack.close()


def run_main(*arguments: str, **extra: str) -> Done:
    """Run a command that ends by itself; ``extra`` is added to the environment."""
    standard = Standard()
    try:
        with clean_process(extra):
            code = main.main(arguments)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    finally:
        standard.close()
    stdout, stderr = (
        "".join(f"{line}\n" for line in each.rest()) for each in (standard.stdout, standard.stderr)
    )
    return Done(code, stdout, stderr)


class CommandServer(RunningServer):
    """A server that the command has started, in a thread: ``with CommandServer("--read-only") as server``.

    ``stdout`` and ``stderr`` have its lines where the test itself has the ``with``; in a fixture pytest puts
    its own streams back before the test is called.
    """

    def __init__(self, *arguments: str, extra: Mapping[str, str] | None = None) -> None:
        super().__init__()
        listens = any(each in arguments for each in LISTEN) or "LISTEN_FDS" in (extra or {})
        self._arguments = arguments if listens else ("--port", "0", *arguments)
        self._extra = extra or {}
        self._stack = ExitStack()
        self._code = 0
        self._server: Server | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "CommandServer":
        self._standard = Standard()
        self._stack.callback(self._standard.close)
        self.stdout, self.stderr = self._standard.stdout, self._standard.stderr
        self._stack.enter_context(clean_process(self._extra))
        self._stack.enter_context(mock.patch.object(main, "signal", NOT_MAIN_THREAD))
        self._stack.enter_context(mock.patch.object(main, "serve", self._serve))
        try:
            self._thread.start()
            self.read_start_line()
            assert self._ready.wait(TIMEOUT)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close_connections()
        self.kill()

    def _run(self) -> None:
        try:
            self._code = main.main(self._arguments)
        except SystemExit as stopped:
            self._code = int(stopped.code or 0)
        finally:
            for handler in logging.getLogger().handlers + logging.getLogger("reactor.turns").handlers:
                handler.close()
            self._standard.end()

    def _serve(
        self,
        routes: Router,
        host: str,
        port: int,
        settings: Settings,
        on_ready: Callable[[Server], None],
        **named: Any,
    ) -> None:
        """Serve, and remember the server."""

        def begin(server: Server) -> None:
            self._server = server
            self._ready.set()
            on_ready(server)

        serve(routes, host, port, settings, on_ready=begin, **named)

    def terminate(self) -> None:
        """Stop as at SIGTERM."""
        assert self._server is not None
        self._server.stop()

    def exit_code(self) -> int:
        """Wait until the command has returned."""
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive(), "the command has not returned"
        return self._code

    def kill(self) -> None:
        """Stop at once."""
        if self._server is not None:
            self._server.stop()
            self._server.stop()
        self._thread.join(TIMEOUT)
        self._stack.close()
        assert not self._thread.is_alive(), "the command has not returned"
