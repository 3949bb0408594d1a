"""Races: the directory changes while a path is opened; nothing outside is ever read or written."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reactor.handlers.files.store import Store
from reactor.http11.errors import HTTPError
from tests.support.in_process import Harness
from tests.unit.handlers.files.shared import SECRET, Shared, no_descriptor_leaks, post, read, request, upload

SWAPS = int(os.environ.get("SWAPS", "2000"))  # more swaps find rarer races


class Swapper:
    """Swaps a directory for a symbolic link to the outside, and back."""

    def __init__(self, shared: Shared) -> None:
        self.here = shared.path / "below"
        self.aside = shared.path / "aside"
        self.outside = shared.outside / "below"
        self.is_link = False

    def swap(self) -> None:
        if self.is_link:
            self.here.unlink()
            self.aside.rename(self.here)
        else:
            self.here.rename(self.aside)
            self.here.symlink_to(self.outside)
        self.is_link = not self.is_link

    def swap_many_times(self) -> None:
        for _ in range(SWAPS):
            self.swap()


@pytest.fixture
def swapper(shared: Shared) -> Iterator[Swapper]:
    one = Swapper(shared)
    yield one
    if one.is_link:
        one.swap()


def outcome(function: Callable[[], object]) -> object:
    """Return the result of a function, or the status or text of its error."""
    try:
        return function()
    except HTTPError as error:
        return error.status
    except OSError as error:
        return str(error)


def upload_to(store: Store, name: str) -> None:
    upload(store, name, b"new")


def test_swapping_a_directory_never_leaks_a_byte(store: Store, swapper: Swapper) -> None:
    thread = threading.Thread(target=swapper.swap_many_times)
    seen = set()
    with no_descriptor_leaks():
        thread.start()
        while thread.is_alive():
            seen.add(outcome(lambda: read(store, "below/file")))
        thread.join()
    assert seen <= {b"inside below", 404}
    assert seen, "no read during the swaps"


@pytest.mark.usefixtures("unnamed")
def test_swapping_a_directory_never_writes_a_byte_outside(
    shared: Shared, store: Store, swapper: Swapper
) -> None:
    thread = threading.Thread(target=swapper.swap_many_times)
    seen = set()
    with no_descriptor_leaks():
        thread.start()
        while thread.is_alive():
            seen.add(outcome(lambda: upload_to(store, "below/new")))
        thread.join()
    assert seen <= {None, 404, 409}
    outside = {path.name for path in shared.outside.rglob("*")}
    assert outside == {"below", "file"}


@pytest.mark.usefixtures("unnamed")
@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("name", ["open", "stat", "rename", "link", "fstat"])
def test_a_swap_before_any_system_call_is_harmless(
    shared: Shared, store: Store, swapper: Swapper, monkeypatch: pytest.MonkeyPatch, name: str, call: int
) -> None:
    real = getattr(os, name)
    calls = iter(range(100))

    def swap_then_call(*arguments: object, **more: object) -> object:
        if next(calls) == call:
            with monkeypatch.context() as patch:
                patch.setattr(os, name, real)
                swapper.swap()
        return real(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, swap_then_call)
        assert outcome(lambda: read(store, "below/file")) in (b"inside below", 404)
    if swapper.is_link:
        swapper.swap()
    calls = iter(range(100))
    with monkeypatch.context() as patch:
        patch.setattr(os, name, swap_then_call)
        assert outcome(lambda: upload_to(store, "below/new")) in (None, 404, 409)
    assert {path.name for path in shared.outside.rglob("*")} == {"below", "file"}
    assert (shared.outside / "below" / "file").read_bytes() == SECRET


def make_directory(path: Path) -> None:
    path.mkdir()


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))  # the path of a socket must be short


@pytest.mark.parametrize("make", [make_directory, os.mkfifo, make_socket, Path.touch])
def test_the_kind_of_a_file_is_checked_again_after_it_was_opened(
    make: Callable[[Path], None], shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FIFO, say, replaces the file between stat and open: reading it would block the loop."""
    real = os.stat

    def stat_and_replace(*arguments: object, **keywords: object) -> object:
        status = real(*arguments, **keywords)  # type: ignore[arg-type]
        monkeypatch.setattr(os, "stat", real)
        (shared.path / "file").unlink()
        make(shared.path / "file")
        return status

    monkeypatch.setattr(os, "stat", stat_and_replace)
    with no_descriptor_leaks():
        if make is Path.touch:
            assert read(store, "file") == b""
        else:
            with pytest.raises(HTTPError) as caught:
                store.find("file")
            assert caught.value.status == 404


def test_a_file_that_becomes_a_link_is_not_followed(shared: Shared, swapper: Swapper) -> None:
    swapper.here = shared.path / "file"
    swapper.outside = shared.outside / "file"
    with closing(Store(shared.path)) as store:
        thread = threading.Thread(target=swapper.swap_many_times)
        seen = set()
        thread.start()
        while thread.is_alive():
            seen.add(outcome(lambda: read(store, "file")))
        thread.join()
    # Renaming a file while it is read changes its fingerprint, as replacing it would.
    assert seen <= {b"inside", 404, "the file changed while it was being sent"}
    assert seen, "no read during the swaps"


def test_a_swapped_directory_is_harmless_over_http(shared: Shared) -> None:
    swapper = Swapper(shared)
    thread = threading.Thread(target=swapper.swap_many_times)
    seen: set[int] = set()
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        thread.start()
        client = server.connect()
        while thread.is_alive():
            answer = request(client, "GET", "/files/below/file")
            assert answer.content == b"inside below" or answer.status == 404
            seen.add(answer.status)
            assert SECRET not in request(client, "GET", "/files/below/").content
            seen.add(post(client, "/files/below/new", b"new").status)
            client.close()
            server.clients.clear()
            client = server.connect()
        thread.join()
    if swapper.is_link:
        swapper.swap()
    assert seen <= {200, 201, 404, 409}
    assert seen
    assert {path.name for path in shared.outside.rglob("*")} == {"below", "file"}
