"""The simulation itself: some seeds, the same trace for the same seed, and faults that are found."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partialmethod
from math import inf
from typing import Any

import pytest

from reactor.basic_auth import AuthRouter
from reactor.event_handler import DEADLINE, SOON
from reactor.handlers.files import download, listing, media_types, resumable, routes, store
from reactor.handlers.files.directory import Entry
from reactor.handlers.files.metadata import FileMetadata
from reactor.handlers.files.paths import SharedRoot
from reactor.handlers.files.upload import Upload
from reactor.http11 import conditional
from reactor.http11.serializer import ChunkSource
from reactor.loop import Reactor
from reactor.server.acceptor import Acceptor
from reactor.server.connection import Connection
from reactor.server.context import ServerContext, ServerState
from reactor.server.state import CloseReason, State
from reactor.server.write_buffer import WriteBuffer
from tests.design.sources import ROOT
from tests.simulation.connection_plants import CONNECTION_PLANTS
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
    assert outcome.turns > outcome.clients > 0


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
        *(
            f"gets {status} to"
            for status in (206, 301, 303, 304, 401, 403, 404, 405, 409, 411, 412, 415, 416)
        ),
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
        if self._temporary is not None:
            commit(self)
        write(self, data)

    def late(self: Upload) -> None:
        if self._temporary is not None:
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


def begin_deadlines_before_a_pause(patch: pytest.MonkeyPatch) -> None:
    """Let the time in which a hook was suspended count against the clients."""
    patch.setattr(Reactor, "_note_long_callback", lambda self, *values: None)


def ignore_acknowledged_bytes(patch: pytest.MonkeyPatch) -> None:
    """Reset clients that read too slowly to make the socket writable in time."""
    patch.setattr(Network, "unacknowledged", lambda self, sock: 0)


# Faults of the handlers of files, one for each kind of check.


class EqualToAll(int):
    """A number that is equal to anything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


def confuse_the_validators(patch: pytest.MonkeyPatch) -> None:
    """Compare the validators of the compressed file with those of any request."""
    patch.setattr(FileMetadata, "validators_as", lambda self, coding: self.gzip_validators)


def count_ranges_to_their_end(patch: pytest.MonkeyPatch) -> None:
    """Write Content-Range with the position after the last one."""
    patch.setattr(download, "content_range", lambda part, size: f"bytes {part.start}-{part.stop}/{size}")


def answer_304_to_any_tag(patch: pytest.MonkeyPatch) -> None:
    """Compare no entity tags."""
    patch.setattr(conditional, "_weakly_equal", lambda tag, etag: True)


def vary_always(patch: pytest.MonkeyPatch) -> None:
    """Send Vary with files that are never compressed."""
    file_type = media_types.file_type
    patch.setattr(store, "file_type", lambda *values: file_type(*values)._replace(varies=True))


def serve_a_stale_file(patch: pytest.MonkeyPatch) -> None:
    """Do not compare a cached file with the one on the disk."""
    patch.setattr(store, "fingerprint_of", lambda status: EqualToAll())


def list_no_slashes(patch: pytest.MonkeyPatch) -> None:
    """List directories like files."""

    def rows(self: listing.TextFormat, entries: list[Entry]) -> str:
        return "".join(f"{each.name}\n" for each in entries)

    patch.setattr(listing.TextFormat, "rows", rows)


def open_the_last_parent_only(patch: pytest.MonkeyPatch) -> None:
    """Skip the directories above the last one of a path."""
    open_parent = SharedRoot.open_parent
    patch.setattr(SharedRoot, "open_parent", lambda self, parts: open_parent(self, parts[-2:]))


def ignore_conditions_of_changes(patch: pytest.MonkeyPatch) -> None:
    """Store and remove files whatever the conditions are."""
    patch.setattr(routes, "precondition", lambda request, wall_clock: None)


def keep_files_of_a_failed_form(patch: pytest.MonkeyPatch) -> None:
    """Do not remove the files of a form that were stored before one failed."""
    patch.setattr(Upload, "unlink", lambda self: None)


def resume_at_any_offset(patch: pytest.MonkeyPatch) -> None:
    """Append a part to a resumable upload wherever it begins."""
    read = resumable._read_integer

    def any_offset(headers: Any, name: str) -> int | None:
        found = read(headers, name)
        return EqualToAll(found) if name == "upload-offset" and found is not None else found

    patch.setattr(resumable, "_read_integer", any_offset)


def leak_the_upload_beyond_the_limit(patch: pytest.MonkeyPatch) -> None:
    """Forget a resumable upload at the limit without closing it."""
    patch.setattr(resumable.UploadRegistry, "drop", lambda self, token: self.remove(token))


def let_readers_upload(patch: pytest.MonkeyPatch) -> None:
    """Take the password for reading for an upload, too."""
    patch.setattr(AuthRouter, "_check_change", AuthRouter._check_read)


def let_every_page_upload(patch: pytest.MonkeyPatch) -> None:
    """Do not check the origin of a POST."""
    patch.setattr(routes, "require_same_origin", lambda request, allowed: None)


# Each with a seed that finds it, which is tried first.
PLANTS: dict[Plant, int] = {
    confuse_the_validators: 1,
    count_ranges_to_their_end: 1,
    answer_304_to_any_tag: 1,
    vary_always: 1,
    serve_a_stale_file: 1,
    list_no_slashes: 1,
    open_the_last_parent_only: 1,
    ignore_conditions_of_changes: 1,
    keep_files_of_a_failed_form: 1,
    resume_at_any_offset: 1,
    leak_the_upload_beyond_the_limit: 1,
    let_readers_upload: 1,
    let_every_page_upload: 1,
    ignore_acknowledged_bytes: 16,
    reset_the_accept_queue: 17,
    drop_pipelined_requests: 17,
    close_idle_connections_unread: 10,
    answer_one_request_after_a_stop: 123,
    never_finish: 174,
    judge_deadlines_without_a_second_look: 43,
    begin_deadlines_before_a_pause: 4049,
    keep_waiting_for_write: 1,
    extend_the_head_deadline: 2,
    repeat_after_a_short_send: 1,
    rename_early: 2,
    upload_into_a_replaced_directory: 1,
    do_not_forget: 1,
    dispatch_stale_events: 126,
    do_not_pause: 3,
    close_without_draining: 10,
}


PLANTS |= CONNECTION_PLANTS


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert any(run_seed(seed).failure for seed in (PLANTS[plant], *range(1, 201)))
