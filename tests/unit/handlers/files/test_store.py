"""The store: names that can be read and written; no path leaves the directory."""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.unit.handlers.files.shared import (
    SECRET,
    Shared,
    as_unprivileged_user,
    no_descriptor_leaks,
    read,
    refused_status,
    upload,
)

NEVER = [
    pytest.param("", id="nothing"),
    pytest.param("/", id="a slash"),
    pytest.param(".", id="the directory itself"),
    pytest.param("..", id="its parent"),
    pytest.param("../outside/file", id="up"),
    pytest.param("below/../file", id="down and up"),
    pytest.param("below/../../outside/file", id="down and up and up"),
    pytest.param("./file", id="here"),
    pytest.param("/etc/passwd", id="absolute"),
    pytest.param("//file", id="empty parts in front"),
    pytest.param("below//file", id="an empty part inside"),
    pytest.param("below/", id="an empty part at the end"),
    pytest.param("file/", id="a file with an empty part at the end"),
    pytest.param("file\0/file", id="NUL above"),
    pytest.param("below\\file", id="a backslash"),
    pytest.param("..\\outside\\file", id="up, with backslashes"),
    pytest.param("\\", id="only a backslash"),
    pytest.param(f"{TEMPORARY_PREFIX}1-1", id="a temporary name"),
    pytest.param(f"below/{TEMPORARY_PREFIX}1-1", id="a temporary name below"),
    pytest.param(f"{TEMPORARY_PREFIX}1-1/file", id="a temporary name above"),
]


@pytest.mark.parametrize("name", NEVER)
def test_an_invalid_name_is_404_to_readers(
    shared: Shared, hidden_store: Store, store: Store, name: str
) -> None:
    assert refused_status(lambda: store.find(name)) == 404
    assert refused_status(lambda: hidden_store.find(name)) == 404


@pytest.mark.parametrize("name", NEVER)
def test_an_invalid_name_is_404_to_writers(
    shared: Shared, hidden_store: Store, store: Store, name: str
) -> None:
    assert refused_status(lambda: store.create(name)) == 404
    assert refused_status(lambda: hidden_store.create(name)) == 404
    shared.assert_untouched()


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "file.txt",
        "below/new",
        "with space",
        "ümläut",
        "日本",
        "-rf",
        "~",
        "%2e%2e",
        "a..b",
        "a.",
        "*",
    ],
)
def test_unusual_names_can_be_written_and_read(shared: Shared, store: Store, name: str) -> None:
    upload(store, name, b"con", b"tent")
    assert read(store, name) == b"content"
    assert (shared.path / name).read_bytes() == b"content"


@pytest.mark.parametrize("name", [".hidden", ".directory/file", "below/.hidden", "...", "..a"])
def test_a_hidden_name_is_shared_only_with_the_option(
    shared: Shared, store: Store, hidden_store: Store, name: str
) -> None:
    (shared.path / ".directory").mkdir()
    assert refused_status(lambda: store.create(name)) == 404
    upload(hidden_store, name, b"hidden")
    assert read(hidden_store, name) == b"hidden"
    assert refused_status(lambda: store.find(name)) == 404


def test_a_missing_file_is_404(store: Store) -> None:
    assert refused_status(lambda: store.find("absent")) == 404
    assert refused_status(lambda: store.find("absent/file")) == 404
    assert refused_status(lambda: store.find("file/file")) == 404


@pytest.mark.parametrize("length", [255, 256, 5000])
def test_a_too_long_name_is_not_a_server_error(shared: Shared, store: Store, length: int) -> None:
    name = "n" * length
    assert refused_status(lambda: store.find(name)) == 404
    assert refused_status(lambda: store.find(f"{name}/file")) == 404
    if length > 255:
        assert refused_status(lambda: store.create(name)) == 404
    else:
        upload(store, name, b"long")
        assert read(store, name) == b"long"


def test_a_long_path_of_short_names_is_found(shared: Shared, store: Store) -> None:
    parts = ["d" * 100] * 60  # longer than PATH_MAX
    descriptor = os.open(shared.path, os.O_RDONLY)
    for part in parts:
        os.mkdir(part, dir_fd=descriptor)
        below = os.open(part, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    name = "/".join([*parts, "file"])
    upload(store, name, b"deep")
    assert read(store, name) == b"deep"


# Other kinds of files.


def link_to_file(shared: Shared) -> str:
    (shared.path / "link").symlink_to(shared.outside / "file")
    return "link"


def link_to_file_inside(shared: Shared) -> str:
    (shared.path / "link").symlink_to("file")
    return "link"


def link_to_directory(shared: Shared) -> str:
    (shared.path / "link").symlink_to(shared.outside)
    return "link/file"


def link_to_directory_below(shared: Shared) -> str:
    (shared.path / "below" / "link").symlink_to("../../outside/below")
    return "below/link/file"


def link_to_parent(shared: Shared) -> str:
    (shared.path / "link").symlink_to("..")
    return "link/outside/file"


def dangling_link(shared: Shared) -> str:
    (shared.path / "link").symlink_to(shared.outside / "new")
    return "link"


def link_to_itself(shared: Shared) -> str:
    (shared.path / "link").symlink_to("link")
    return "link"


def fifo(shared: Shared) -> str:
    os.mkfifo(shared.path / "fifo")
    return "fifo"


def unix_socket(shared: Shared) -> str:
    here = os.getcwd()
    os.chdir(shared.path)  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind("socket")
    finally:
        os.chdir(here)
    return "socket"


def below_a_fifo(shared: Shared) -> str:
    return f"{fifo(shared)}/file"


NOT_REGULAR = [
    link_to_file,
    link_to_file_inside,
    link_to_directory,
    link_to_directory_below,
    link_to_parent,
    dangling_link,
    link_to_itself,
    fifo,
    unix_socket,
    below_a_fifo,
]


@pytest.mark.parametrize("make", NOT_REGULAR)
def test_an_irregular_file_is_404(shared: Shared, store: Store, make: Callable[[Shared], str]) -> None:
    name = make(shared)
    assert refused_status(lambda: store.find(name)) == 404
    assert refused_status(lambda: store.create(name)) == 404
    assert (shared.outside / "file").read_bytes() == SECRET
    assert not (shared.outside / "new").exists()


@pytest.mark.parametrize("name", ["below", "."])
def test_a_directory_is_404_to_readers(store: Store, name: str) -> None:
    assert refused_status(lambda: store.find(name)) == 404


def test_the_shared_directory_itself_may_be_a_link(shared: Shared, tmp_path: Path) -> None:
    (tmp_path / "chosen").symlink_to(shared.path)
    store = Store(tmp_path / "chosen")
    assert read(store, "file") == b"inside"
    store.close()


def test_a_renamed_directory_is_read_until_its_path_is_looked_up_again(
    shared: Shared, tmp_path: Path
) -> None:
    with closing(Store(shared.path, clock=lambda: 0.0)) as store:
        shared.path.rename(tmp_path / "renamed")
        shared.outside.rename(shared.path)
        assert read(store, "file") == b"inside"
        assert refused_status(lambda: upload(store, "new", b"x")) == 409
    assert not (tmp_path / "renamed" / "new").exists()


# File system errors.


def test_a_file_that_may_not_be_read_is_403(shared: Shared, store: Store) -> None:
    (shared.path / "file").chmod(0)
    assert refused_status(lambda: as_unprivileged_user(lambda: store.find("file"))) == 403


def test_a_directory_that_may_not_be_entered_is_403(shared: Shared, store: Store) -> None:
    (shared.path / "below").chmod(0)
    try:
        assert refused_status(lambda: as_unprivileged_user(lambda: store.find("below/file"))) == 403
        assert refused_status(lambda: as_unprivileged_user(lambda: store.create("below/new"))) == 403
    finally:
        (shared.path / "below").chmod(0o755)


def test_a_directory_that_may_not_be_written_is_403(shared: Shared, store: Store) -> None:
    (shared.path / "below").chmod(0o555)
    try:
        assert refused_status(lambda: as_unprivileged_user(lambda: store.create("below/new"))) == 403
        assert as_unprivileged_user(lambda: read(store, "below/file")) == b"inside below"
    finally:
        (shared.path / "below").chmod(0o755)


STATUSES = {
    "EMFILE": 503,
    "ENFILE": 503,
    "EACCES": 403,
    "ENOENT": 404,
    "ESRCH": 404,  # the files of a process in /proc
    "ENODEV": 404,
    "ESTALE": 404,
    "EIO": 500,
    "EINVAL": 500,
}


@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize(
    ("number", "status"),
    [(getattr(errno, name), status) for name, status in STATUSES.items()],
    ids=STATUSES.keys(),
)
def test_a_failing_open_is_reported_and_leaks_nothing(
    shared: Shared, store: Store, monkeypatch: pytest.MonkeyPatch, call: int, number: int, status: int
) -> None:
    (shared.path / "below" / "deeper").mkdir()
    (shared.path / "below" / "deeper" / "file").write_bytes(b"")
    opened = iter(range(100))
    real_open = os.open

    def open_or_fail(*arguments: object, **more: object) -> int:
        if next(opened) == call:
            raise OSError(number, os.strerror(number))
        return real_open(*arguments, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_or_fail)
        assert refused_status(lambda: store.find("below/deeper/file")) == status
    assert read(store, "below/deeper/file") == b""


def test_an_unexpected_error_is_logged(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(name: bytes, **more: object) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO), name)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", broken)
        assert refused_status(lambda: store.find("file")) == 500
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("ERROR", None)
    assert record.getMessage() == f"file system error: [Errno {errno.EIO}] {os.strerror(errno.EIO)}: b'file'"


def test_many_reads_and_refusals_leak_nothing(shared: Shared, store: Store) -> None:
    with no_descriptor_leaks():
        for _ in range(100):
            assert read(store, "below/file") == b"inside below"
            for name in ("absent", "absent/file", "below", "../x", "file/x", "n" * 300):
                assert refused_status(partial(store.find, name)) == 404
