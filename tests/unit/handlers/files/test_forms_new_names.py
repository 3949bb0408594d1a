"""Forms never replace a file, and store all files or none: names that exist, failures, other processes."""

import errno
import itertools
import os
from collections.abc import Callable, Container
from contextlib import closing
from typing import Any

import pytest

from reactor.handlers.files import forms
from reactor.handlers.files.paths import TEMPORARY_PREFIX
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, no_descriptor_leaks, open_descriptors, request
from tests.unit.handlers.files.test_forms_upload import FORM, submit
from tests.unit.http11.test_multipart import form, head


def files_of(*names: str) -> bytes:
    """Return a form with a file for each name; their contents are numbers from 1."""
    return form(*[head(filename=name) + b"%d" % number for number, name in enumerate(names, 1)])


@pytest.fixture(params=["hard links", "no hard links"])
def links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without hard links: vfat and some FUSE file systems have none."""
    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", fails(os.link, number=errno.EPERM))


def fails(function: Any, failing: Container[int] = range(100_000), number: int = errno.EIO) -> Any:
    """Return a function of which some calls fail; they are counted from 0."""
    calls = itertools.count()

    def call(*arguments: Any, **more: Any) -> Any:
        if next(calls) not in failing:
            return function(*arguments, **more)
        raise OSError(number, os.strerror(number))

    return call


def noted(calls: list[str], function: Callable[..., Any]) -> Any:
    """Return a function that adds its name to a list when it is called."""

    def call(*arguments: Any, **more: Any) -> Any:
        calls.append(function.__name__)
        return function(*arguments, **more)

    return call


# Names.


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize(
    ("names", "added"),
    [
        (["file"], {"file (2)": b"1"}),
        (["new", "new"], {"new": b"1", "new (2)": b"2"}),
        (["file", "new", "file"], {"file (2)": b"1", "new": b"2", "file (3)": b"3"}),
        (["a.txt", "A.txt", "a.txt"], {"a.txt": b"1", "A.txt": b"2", "a (2).txt": b"3"}),
        (["x", "x (2)", "x", "x (2)"], {"x": b"1", "x (2)": b"2", "x (3)": b"3", "x (2) (2)": b"4"}),
        (["x/file", "y\\file"], {"file (2)": b"1", "file (3)": b"2"}),
        (["below"], {"below (2)": b"1"}),
        (["gap.txt", "gap.txt"], {"gap (2).txt": b"1", "gap (4).txt": b"2"}),
        (["n" * 251 + ".txt"] * 2, {"n" * 251 + ".txt": b"1", "n" * 247 + " (2).txt": b"2"}),
        (["\u65e5" * 85] * 2, {"\u65e5" * 85: b"1", "\u65e5" * 83 + " (2)": b"2"}),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_file_of_a_name_that_exists_gets_a_number(
    shared: Shared, server: Harness, names: list[str], added: dict[str, bytes]
) -> None:
    for name in ("gap.txt", "gap (3).txt"):
        (shared.path / name).write_bytes(b"gap")
    before, descriptors = shared.files(), open_descriptors()
    client = server.connect()
    content = files_of(*names)
    lines = (FORM, "Transfer-Encoding: chunked")
    answer = request(
        client, "POST", "/files/", *lines, content=b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    )
    assert answer.status == 303
    client.close()
    assert shared.files() == before | added
    assert open_descriptors() == descriptors


@pytest.mark.usefixtures("links")
@pytest.mark.parametrize("make", ["symlink", "dangling", "fifo"])
def test_a_name_of_no_regular_file_is_not_used_either(shared: Shared, client: Client, make: str) -> None:
    path = shared.path / "special"
    if make == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(shared.outside / ("file" if make == "symlink" else "missing"))
    kind = os.lstat(path).st_mode
    assert submit(client, "/files/", files_of("special")).status == 303
    assert (shared.path / "special (2)").read_bytes() == b"1"
    assert os.lstat(path).st_mode == kind
    assert {each.name for each in shared.outside.iterdir()} == {"file", "below"}


def test_hidden_names_get_a_number_at_their_end(shared: Shared, hidden_store: Store) -> None:
    with Harness(store=hidden_store) as server:
        assert submit(server.connect(), "/files/", files_of(".a", ".a")).status == 303
    assert shared.files() == {**shared.original_files, ".a": b"1", ".a (2)": b"2"}


@pytest.mark.usefixtures("links")
def test_only_so_many_names_are_tried(
    shared: Shared, server: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forms.MAX_NAMES == 1000
    monkeypatch.setattr(forms, "MAX_NAMES", 3)
    assert submit(server.connect(), "/files/", files_of("file", "file")).status == 303
    before = shared.files()
    answer = submit(server.connect(), "/files/", files_of("new", "file"))
    assert answer.status == 409
    reason = b"all names from 'file' to 'file (3)' exist; rename the file and upload it again\n"
    assert answer.content == reason
    assert shared.files() == before


def test_a_name_is_tried_once_in_a_form(
    shared: Shared, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(os, "link", noted(calls, os.link))
    assert submit(client, "/files/", files_of(*["file"] * 8)).status == 303
    assert len(calls) == 9
    assert len(shared.files()) == len(shared.original_files) + 8


# Concurrent requests.


def begin(client: Client, content: bytes) -> None:
    """Send a form without its last byte."""
    head = f"POST /files/ HTTP/1.1\r\nHost: test\r\n{FORM}\r\nContent-Length: {len(content)}\r\n\r\n"
    client.send(head.encode() + content[:-1])


def test_concurrent_forms_with_one_name_are_both_stored(shared: Shared, server: Harness) -> None:
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        begin(client, files_of("new", "new"))
    for client in reversed(clients):
        client.send(b"\n")
        client.assert_responds(303)
    contents = [b"%d" % (1 + number % 2) for number in range(6)]
    names = ["new", *(f"new ({number})" for number in range(2, 7))]
    assert shared.files() == shared.original_files | dict(zip(names, contents, strict=True))


@pytest.mark.usefixtures("links")
def test_a_file_that_appears_during_the_form_is_kept(shared: Shared, server: Harness) -> None:
    client = server.connect()
    begin(client, files_of("new"))
    assert request(server.connect(), "PUT", "/files/new", "Content-Length: 3", content=b"put").status == 201
    client.send(b"\n")
    client.assert_responds(303)
    assert shared.files() == {**shared.original_files, "new": b"put", "new (2)": b"1"}


@pytest.mark.usefixtures("links")
def test_a_file_that_another_process_creates_at_the_last_moment_is_kept(
    shared: Shared, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    utime = os.utime

    def create_and_utime(descriptor: int) -> None:
        (shared.path / "new").write_bytes(b"other")
        utime(descriptor)

    monkeypatch.setattr(os, "utime", create_and_utime)
    assert submit(client, "/files/", files_of("new")).status == 303
    assert shared.files() == {**shared.original_files, "new": b"other", "new (2)": b"1"}


# Failures.


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EIO, 500),
        (errno.ENOSPC, 507),
        (errno.ENOMEM, 503),
        (errno.ENAMETOOLONG, 400),  # some file systems allow fewer bytes
        (errno.EINVAL, 400),  # or fewer characters
    ],
)
@pytest.mark.parametrize("call", ["utime", "fsync", "link"])
def test_a_form_that_fails_at_any_step_stores_nothing(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, call: str, number: int, expected: int
) -> None:
    real = getattr(os, call)
    with closing(Store(shared.path, fsync=True)) as store, Harness(store=store) as server:
        for failing in range(4 if call == "fsync" else 3):  # the last one is of the directory
            monkeypatch.setattr(os, call, fails(real, {failing}, number))
            client = server.connect()
            before = open_descriptors()
            assert submit(client, "/files/", files_of("a", "file", "a")).status == expected
            shared.assert_untouched()
            client.close()
            assert open_descriptors() <= before
        monkeypatch.setattr(os, call, real)
        assert submit(server.connect(), "/files/", files_of("a", "file", "a")).status == 303


@pytest.mark.parametrize("call", ["open", "rename"])
def test_without_hard_links_a_form_that_fails_stores_nothing(
    shared: Shared, server: Harness, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(os, "link", fails(os.link, number=errno.EOPNOTSUPP))
    client = server.connect()
    begin(client, files_of("a", "file", "a"))
    real = getattr(os, call)
    monkeypatch.setattr(os, call, fails(real, {2}, errno.ENOSPC))
    client.send(b"\n")
    assert client.responses("POST")[0].status == 507
    shared.assert_untouched()


def test_a_temporary_file_that_was_deleted_is_409_and_stores_nothing(shared: Shared, server: Harness) -> None:
    client = server.connect()
    begin(client, files_of("a", "b", "c"))
    os.unlink(sorted(shared.path.glob(f"{TEMPORARY_PREFIX}*"))[1])
    client.send(b"\n")
    client.assert_responds(409)
    shared.assert_untouched()


def test_a_temporary_file_that_became_a_symbolic_link_is_not_followed(
    shared: Shared, server: Harness
) -> None:
    client = server.connect()
    begin(client, files_of("a"))
    (temporary,) = shared.path.glob(f"{TEMPORARY_PREFIX}*")
    temporary.unlink()
    temporary.symlink_to(shared.outside / "file")
    client.send(b"\n")
    client.assert_responds(409)
    assert request(server.connect(), "GET", "/files/a").status == 404


def test_a_failed_form_keeps_a_file_that_replaced_one_of_its_own(
    shared: Shared, server: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def replace_and_fail(source: str, name: bytes, **more: object) -> None:
        if name == b"b":
            (shared.outside / "other").write_bytes(b"other")
            os.rename(shared.outside / "other", shared.path / "a")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        link(source, name, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", replace_and_fail)
    assert submit(server.connect(), "/files/", files_of("a", "b")).status == 507
    assert shared.files() == {**shared.original_files, "a": b"other"}


def test_a_name_that_cannot_be_removed_again_is_logged(
    shared: Shared, server: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "link", fails(os.link, {1}, errno.ENOSPC))
    unlink = os.unlink

    def only_temporary(name: str | bytes, *, dir_fd: int) -> None:
        if name == b"a":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", only_temporary)
    assert submit(server.connect(), "/files/", files_of("a", "b")).status == 507
    assert "cannot remove 'a', a file of a failed form: Input/output error" in caplog.text
    assert shared.files() == {**shared.original_files, "a": b"1"}


# --fsync.


def test_with_fsync_all_contents_are_synced_before_the_first_name(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "link"):
        monkeypatch.setattr(os, name, noted(calls, getattr(os, name)))
    with (
        closing(Store(shared.path, fsync=True)) as store,
        Harness(store=store) as server,
        no_descriptor_leaks(),
    ):
        client = server.connect()
        assert submit(client, "/files/", files_of("a", "b")).status == 303
        client.close()
    assert calls == ["fsync", "fsync", "link", "link", "fsync"]
