"""A file anywhere: what is opened, what is refused, and that nothing blocks."""

import errno
import os
import socket
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from reactor.handlers.files import any_file
from reactor.handlers.files.any_file import AnyFile
from reactor.handlers.files.media_types import guess
from reactor.http11.errors import HTTPError
from tests.unit.handlers.files.shared import as_unprivileged_user, no_descriptor_leaks, refused_status

SOURCE = AnyFile(guess, lambda: 1_700_000_000.0)


def test_a_file_is_opened_each_time(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for content in (b"first", b"second"):
        path.write_bytes(content)
        with closing(SOURCE.find(str(path))) as found:
            assert b"".join(found.chunks(range(found.metadata.size))) == content
            assert dict(found.metadata.headers)["Content-Type"] == "text/plain; charset=utf-8"


def test_what_is_no_file_is_404(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        names = ["", "none", "none/x", "file/", "file/x", "loop", "socket", "a\0b", "\ud800", "a" * 300]
        for name in names:
            assert refused_status(partial(SOURCE.find, f"{tmp_path}/{name}")) == 404, name
    for path in ("", "/dev/null", "/dev/zero", "/dev/tty"):
        assert refused_status(partial(SOURCE.find, path)) == 404, path


def test_an_unreadable_file_is_404(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "file").chmod(0)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    assert as_unprivileged_user(lambda: refused_status(lambda: SOURCE.find(str(tmp_path / "file")))) == 404


def test_a_special_file_is_404_and_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    (tmp_path / "link").symlink_to(path)
    opened: list[str] = []
    # Opening has side effects: on the writer of a FIFO, or on a device.
    monkeypatch.setattr(os, "open", lambda name, *rest, **options: opened.append(name))
    for each in (path, tmp_path / "link", "/dev/null", "/dev/zero"):
        with pytest.raises(HTTPError) as caught:
            SOURCE.find(str(each))
        assert caught.value.status == 404
    assert opened == []


def test_a_file_that_becomes_a_fifo_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    really_open = os.open

    def replace_and_open(name: str, flags: int, *, dir_fd: int | None = None) -> int:
        path.unlink()
        os.mkfifo(path)
        return really_open(name, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", replace_and_open)
    assert refused_status(lambda: SOURCE.find(str(path))) == 404


@pytest.mark.parametrize(("number", "status"), [(errno.EMFILE, 503), (errno.EPERM, 404), (errno.EIO, 500)])
def test_other_errors_keep_their_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def fail(*arguments: object, **options: object) -> object:
        raise OSError(number, os.strerror(number), str(tmp_path))

    monkeypatch.setattr(any_file, "open_regular", fail)
    with no_descriptor_leaks(), pytest.raises(HTTPError) as caught:
        SOURCE.find(str(tmp_path))
    assert caught.value.status == status
    assert str(tmp_path) not in caught.value.reason
