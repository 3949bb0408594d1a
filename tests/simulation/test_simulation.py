"""The simulation itself: some seeds, the same trace for the same seed, and faults that are found."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partialmethod
from math import inf
from typing import Any

import pytest

from reactor.event_handler import DEADLINE, SOON
from reactor.handlers.files.paths import SharedRoot
from reactor.handlers.files.upload import Upload
from reactor.http11.serializer import ChunkSource
from reactor.loop import Reactor
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.server.context import ServerContext, ServerState
from reactor.server.state import CloseReason, State
from reactor.server.write_buffer import WriteBuffer
from tests.design.sources import ROOT
from tests.simulation.connection_plants import CONNECTION_PLANTS
from tests.simulation.file_plants import FILE_PLANTS
from tests.simulation.network import Network
from tests.simulation.simulation import Outcome, run_seed
from tests.simulation.world import LEVELS, Violation, World

Plant = Callable[[pytest.MonkeyPatch], None]


SEEDS = range(1, 26)


@cache
def outcome_and_trace(seed: int) -> tuple[Outcome, str]:
    """Run a seed once for all tests that only read its result."""
    trace: list[str] = []
    return run_seed(seed, trace), "\n".join(trace)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_passes(seed: int) -> None:
    outcome, _ = outcome_and_trace(seed)
    assert not outcome.failure
    assert outcome.turns
    assert outcome.clients


def test_the_same_seed_gives_the_same_trace() -> None:
    first: list[str] = []
    second: list[str] = []
    assert run_seed(8, first) == run_seed(8, second) == run_seed(8)
    assert first == second
    assert len(first) > 100


@pytest.mark.system
def test_the_trace_does_not_depend_on_hash_randomization() -> None:
    def trace_of(hash_seed: str) -> bytes:
        command = [sys.executable, "-m", "tests.simulation", "--seed", "11", "--trace"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout

    output = trace_of("1")
    assert output == trace_of("2")
    assert b" passes: " in output.splitlines()[-1]


def test_another_seed_gives_another_trace() -> None:
    first: list[str] = []
    second: list[str] = []
    run_seed(8, first)
    run_seed(9, second)
    assert first != second


def test_every_fault_and_client_occurs_in_some_seed() -> None:
    traces = "\n".join(outcome_and_trace(seed)[1] for seed in SEEDS)
    for words in (
        "false EAGAIN",
        "(false)",
        "the clock jumps",
        "out of descriptors",
        "disconnected before it was accepted",
        "broke the connection",
        "write fails",
        "rename fails",
        "the directory is replaced",
        "it was closed at the connection limit",
        "WAITING",
        "AWAITING_RESULT",
        "a worker thread has worked",
        "CONTINUING",
        "signal 15",
        "it was refused",
        "another process removes",
        *(f"gets {status} to" for status in (206, 301, 303, 304, 401, 403, 405, 409, 411, 412)),
        *(
            f"({behaviour}) connects"
            for behaviour in (
                "regular",
                "slow-reading",
                "half-closing",
                "idle",
                "slow-head",
                "not-reading",
                "truncating",
            )
        ),
    ):
        assert words in traces, words


def test_a_seed_has_one_level_of_each_fault() -> None:
    assert all(World(3).rates[kind] in levels for kind, levels in LEVELS.items())


def test_a_violation_cannot_be_caught_by_the_server() -> None:
    assert not issubclass(Violation, Exception)


# Planted faults of the server, each of which must be found soon.


def keep_waiting_for_write(patch: pytest.MonkeyPatch) -> None:
    """Do not drop the interest in WRITE when everything is sent."""
    enter = Connection._enter

    def keep(self: Connection, state: State) -> None:
        enter(self, state)
        if state is State.IDLE:
            self.interest = State.RESPONDING.interest

    patch.setattr(Connection, "_enter", keep)


def extend_the_head_deadline(patch: pytest.MonkeyPatch) -> None:
    """Give a head more time with every byte."""
    next_state = Connection._next_state

    def extended(self: Connection, *values: Any) -> None:
        next_state(self, *values)
        if self.state is State.RECEIVING_HEAD:
            self._renew_deadline()

    patch.setattr(Connection, "_next_state", extended)


def repeat_after_a_short_send(patch: pytest.MonkeyPatch) -> None:
    """Send a byte twice when the kernel takes less than it is offered."""
    send = WriteBuffer.flush_bytes

    def repeated(self: WriteBuffer, *values: Any) -> Any:
        waiting = b"".join(self._data)
        before = self.size
        flow = send(self, *values)
        if 0 < self.size < before:
            self._data = [waiting[len(waiting) - self.size - 1 :]]
            self.size += 1
        return flow

    patch.setattr(WriteBuffer, "flush_bytes", repeated)


def rename_early(patch: pytest.MonkeyPatch) -> None:
    """Rename an upload to its final name before its last write."""
    write, commit = Upload.write, Upload.commit

    def early(self: Upload, data: bytes) -> None:
        if not self._size:
            commit(self)
        write(self, data)

    def late(self: Upload) -> None:
        if not self._size:
            commit(self)

    patch.setattr(Upload, "write", early)
    patch.setattr(Upload, "commit", late)


def upload_into_a_replaced_directory(patch: pytest.MonkeyPatch) -> None:
    """Commit uploads without a lookup of the shared directory's path."""
    patch.setattr(SharedRoot, "refresh", lambda self: self.generation)


def do_not_forget(patch: pytest.MonkeyPatch) -> None:
    """Keep a connection in the list after its end."""
    forget = ServerContext.forget

    def keep(self: ServerContext, connection: Connection) -> None:
        forget(self, connection)
        self.connections[connection.number] = connection

    patch.setattr(ServerContext, "forget", keep)


def dispatch_stale_events(patch: pytest.MonkeyPatch) -> None:
    """Call every handler that was ready when the turn began, closed or not."""

    def dispatch(self: Reactor, handler: Any, events: int) -> None:
        if events & 1:
            handler.on_readable()
        if events & 2:
            handler.on_writable()
        if events == DEADLINE:
            handler.on_deadline()
        elif events == SOON:
            handler.on_soon()
        self.refresh(handler)

    patch.setattr(Reactor, "_dispatch", dispatch)


def do_not_pause(patch: pytest.MonkeyPatch) -> None:
    """Try to accept again at once when out of descriptors."""
    patch.setattr(Acceptor, "_pause", lambda self, reason: None)


def close_without_draining(patch: pytest.MonkeyPatch) -> None:
    """Close at once after a refusal."""
    patch.setattr(Connection, "_linger", partialmethod(Connection._close, CloseReason.COMPLETED))


def reset_the_accept_queue(patch: pytest.MonkeyPatch) -> None:
    """Close the listening socket as soon as the server begins to stop."""
    patch.setattr(Acceptor, "drain", Acceptor.close)


def accept_in_place_of_the_next_process(patch: pytest.MonkeyPatch) -> None:
    """Drain the accept queue of a socket that outlives the process."""
    drain = Acceptor.drain

    def drain_always(self: Acceptor) -> None:
        self.handle.outlives_process = False
        drain(self)

    patch.setattr(Acceptor, "drain", drain_always)


def drop_pipelined_requests(patch: pytest.MonkeyPatch) -> None:
    """Answer only the present request when the server begins to stop."""

    def stop(self: Connection) -> None:
        if self.is_between_requests:
            self._close(CloseReason.SERVER_CLOSED)
        elif self.state in (State.RESPONDING, State.WAITING):
            self._parser.end()
            if self.state is State.RESPONDING:
                self._enter(State.FINISHING)

    patch.setattr(Connection, "stop", stop)


def close_idle_connections_unread(patch: pytest.MonkeyPatch) -> None:
    """Do not read the request that waits on an idle connection when the server begins to stop."""
    patch.setattr(Connection, "_end_idle", partialmethod(Connection._close, CloseReason.COMPLETED))


def answer_one_request_after_a_stop(patch: pytest.MonkeyPatch) -> None:
    """Close after the first response that is made while the server stops."""
    queue = Connection._enqueue_response

    def one(self: Connection, *values: Any) -> int:
        if self._context.state is ServerState.STOPPING:
            self._parser.end()
        return queue(self, *values)

    patch.setattr(Connection, "_enqueue_response", one)


def never_finish(patch: pytest.MonkeyPatch) -> None:
    """Do not end live streams when the server begins to stop."""
    patch.setattr(ChunkSource, "end", lambda self: None)


def judge_deadlines_without_a_second_look(patch: pytest.MonkeyPatch) -> None:
    """Treat clients as late whose bytes arrived while the process was suspended."""

    def demultiplex(self: Reactor, may_sleep: bool) -> Any:
        earliest = self._deadlines.earliest()
        timeout = None if earliest == inf else max(0.0, earliest - self.clock())
        ready = self._selector.select(timeout if may_sleep else 0.0)
        self.now = self.began = self.returned = self.clock()
        return ready, self.now

    patch.setattr(Reactor, "_demultiplex", demultiplex)


def ignore_acknowledged_bytes(patch: pytest.MonkeyPatch) -> None:
    """Reset clients that read too slowly to make the socket writable in time."""
    patch.setattr(Network, "unacknowledged", lambda self, sock: 0)


# Each with a seed that finds it, which is tried first.
PLANTS: dict[Plant, int] = {
    ignore_acknowledged_bytes: 38,
    reset_the_accept_queue: 9,
    accept_in_place_of_the_next_process: 183,
    drop_pipelined_requests: 9,
    close_idle_connections_unread: 9,
    answer_one_request_after_a_stop: 107,
    never_finish: 32,
    judge_deadlines_without_a_second_look: 11,
    keep_waiting_for_write: 1,
    extend_the_head_deadline: 2,
    repeat_after_a_short_send: 1,
    rename_early: 2,
    upload_into_a_replaced_directory: 1,
    do_not_forget: 1,
    dispatch_stale_events: 126,
    do_not_pause: 1,
    close_without_draining: 2,
}


PLANTS |= CONNECTION_PLANTS | FILE_PLANTS


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(run_seed(seed).failure for seed in (PLANTS[plant], *range(1, 201)))
