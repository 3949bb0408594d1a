"""The shared directory is replaced, deleted or switched while it is shared."""

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reactor import handlers
from reactor.handlers.files.paths import CHECK_INTERVAL
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Clock, Harness
from tests.unit.handlers.files.resumable_client import head
from tests.unit.handlers.files.shared import no_descriptor_leaks, request

HTML = "Accept: text/html"
FORM = "Content-Type: multipart/form-data; boundary=b"


def form(*names: str) -> bytes:
    head = 'Content-Disposition: form-data; name="f"; filename='
    return b"".join(f'--b\r\n{head}"{name}"\r\n\r\nnew\r\n'.encode() for name in names) + b"--b--\r\n"


class Site:
    """A directory and a server for it, whose lookups of the path are counted."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base = base
        self.path = base / "build"
        self.make(b"old")
        self.clock = Clock()
        self.lookups = 0
        self._stat = os.stat
        monkeypatch.setattr(os, "stat", self._count)
        self.store = Store(self.path, clock=self.clock)
        self.routes = handlers.build(self.store, allow_delete=True, resumable=1000)
        self.server = Harness(self.routes)

    def _count(self, path: Any, **arguments: Any) -> os.stat_result:
        self.lookups += str(path) == str(self.path)
        return self._stat(path, **arguments)

    def make(self, content: bytes) -> None:
        (self.path / "below").mkdir(parents=True)
        (self.path / "file").write_bytes(content)
        (self.path / "below" / "file").write_bytes(content)

    def replace(self, content: bytes = b"new") -> None:
        shutil.rmtree(self.path)
        self.make(content)

    def wait(self) -> None:
        self.clock.advance(CHECK_INTERVAL)

    def client(self) -> Client:
        return self.server.connect()

    def status(self, method: str, path: str, *lines: str, content: bytes | None = None) -> int:
        length = () if content is None else (f"Content-Length: {len(content)}",)
        return request(self.client(), method, path, *lines, *length, content=content or b"").status

    def files(self) -> list[str]:
        """Return the names of all files below the base directory."""
        return sorted(str(path.relative_to(self.base)) for path in self.base.rglob("*") if path.is_file())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with no_descriptor_leaks():
        one = Site(tmp_path, monkeypatch)
        with closing(one.store), one.server:
            yield one


def listed(client: Client, path: str = "/files/") -> list[str]:
    answer = client.get(path, "Accept: application/json")
    return sorted(each["name"] for each in json.loads(answer.content)["entries"])


# Replaced.


def test_the_files_of_the_new_directory_are_served(site: Site) -> None:
    assert site.client().get("/files/file").content == b"old"
    site.replace()
    (site.path / "more").touch()
    site.wait()
    client = site.client()
    assert client.get("/files/file").content == b"new"
    assert client.get("/files/below/file").content == b"new"
    assert listed(client) == ["below", "file", "more"]
    assert site.status("POST", "/files/up", content=b"x") == 201
    assert (site.path / "up").read_bytes() == b"x"
    assert site.status("DELETE", "/files/up") == 204


@pytest.mark.parametrize(
    "ask",
    [
        lambda site: site.client().get("/files/file").content == b"new",
        lambda site: site.client().get("/files/below/file", "Accept-Encoding: gzip").content == b"new",
        lambda site: "more" in listed(site.client()),
        lambda site: listed(site.client(), "/files/more/") == ["file"],
        lambda site: b"more" in site.client().get("/", HTML).content,
        lambda site: site.status("POST", "/files/more/up", content=b"x") == 201,
        lambda site: site.status("POST", "/files/more/", FORM, content=form("a")) == 303,
        lambda site: site.status("DELETE", "/files/more/file") == 204,
        lambda site: site.status("PUT", "/files/more/up", "Upload-Complete: ?0", content=b"x") == 201,
    ],
)
def test_any_first_request_notices_it(site: Site, ask: Callable[[Site], bool]) -> None:
    site.replace()
    (site.path / "more").mkdir()
    (site.path / "more" / "file").touch()
    site.wait()
    assert ask(site)


def test_a_delete_notices_it_at_once(site: Site) -> None:
    site.path.rename(site.base / "former")
    site.make(b"new")
    assert site.status("DELETE", "/files/file") == 204
    assert "build/file" not in site.files()
    assert "former/file" in site.files()


def test_a_switched_symbolic_link_is_noticed(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_bytes(version.encode())
    link = tmp_path / "current"
    link.symlink_to("v1")
    clock = Clock()
    with closing(Store(link, clock=clock)) as store, Harness(store=store) as server:
        client = server.connect()
        assert client.get("/files/file").content == b"v1"
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").rename(link)
        clock.advance(CHECK_INTERVAL)
        assert client.get("/files/file").content == b"v2"


def test_a_relative_path_keeps_its_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/b", "other/b", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(name.encode())
    (tmp_path / "a" / "link").symlink_to(tmp_path / "other" / "b")
    clock = Clock()
    monkeypatch.chdir(tmp_path / "a")
    for path, content in (("b", b"a/b"), ("./b/", b"a/b"), ("link/../b", b"other/b"), (".", None)):
        monkeypatch.chdir(tmp_path / "a")
        with closing(Store(path, clock=clock)) as store, Harness(store=store) as server:
            monkeypatch.chdir(tmp_path / "elsewhere")
            clock.advance(CHECK_INTERVAL)
            client = server.connect()
            if content is None:
                assert listed(client) == ["b"]
            else:
                assert client.get("/files/file").content == content


def test_the_path_is_looked_up_at_most_once_a_second(site: Site) -> None:
    client = site.client()
    site.lookups = 0
    for _ in range(10):
        client.get("/files/file")
        listed(client)
    assert site.lookups == 0
    for _ in range(4):
        site.clock.advance(CHECK_INTERVAL * 0.99)
        client.get("/files/file")
    assert site.lookups == 2
    site.clock.advance(1000)
    assert site.lookups == 2  # only a request leads to a lookup
    shutil.rmtree(site.path)
    for _ in range(10):
        assert site.status("GET", "/files/file") == 503
    assert site.lookups == 3


def test_a_download_and_a_listing_in_progress_continue(site: Site) -> None:
    content = os.urandom(2_000_000)
    (site.path / "large").write_bytes(content)
    client = site.client()
    client.sock.setsockopt(1, 8, 4096)  # SO_RCVBUF
    client.send(b"GET /files/large HTTP/1.1\r\nHost: x\r\n\r\n")
    site.replace()
    site.wait()
    assert site.client().get("/files/file").content == b"new"
    (answer,) = client.responses()
    assert answer.content == content


def test_an_entry_of_the_cache_is_not_served_for_another_file(site: Site) -> None:
    """The new file has the size and times of the old one."""
    with (
        closing(Store(site.path, clock=site.clock, wall_clock=lambda: 1e11)) as store,
        Harness(store=store) as server,
    ):
        os.utime(site.path / "file", (1e9, 1e9))
        client = server.connect()
        assert [client.get("/files/file").content for _ in range(3)] == [b"old"] * 3
        shutil.move(site.path, site.base / "kept")
        site.make(b"new")
        os.utime(site.path / "file", (1e9, 1e9))
        site.wait()
        assert [client.get("/files/file").content for _ in range(3)] == [b"new"] * 3


# Missing.


def delete(path: Path) -> None:
    shutil.rmtree(path)


def rename(path: Path) -> None:
    path.rename(path.parent / "renamed")


def replace_by_a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(b"")


def replace_by_a_broken_link(path: Path) -> None:
    shutil.rmtree(path)
    path.symlink_to("nothing")


def replace_by_a_loop(path: Path) -> None:
    shutil.rmtree(path)
    path.symlink_to(path.name)


CHANGES = [delete, rename, replace_by_a_file, replace_by_a_broken_link, replace_by_a_loop]


@pytest.mark.parametrize("change", CHANGES)
def test_without_the_directory_every_request_for_files_is_503(
    site: Site, change: Callable[[Path], None]
) -> None:
    site.client().get("/files/file")
    change(site.path)
    site.wait()
    for method, path in (
        ("GET", "/files"),
        ("GET", "/files/"),
        ("GET", "/files/file"),
        ("HEAD", "/files/file"),
        ("GET", "/files/below"),
        ("GET", "/files/below/"),
        ("GET", "/files/missing"),
        ("DELETE", "/files/file"),
    ):
        assert site.status(method, path) == 503, (method, path)
    for method, path, line in (
        ("POST", "/files/new", "X: y"),
        ("PUT", "/files/new", "If-None-Match: *"),
        ("PUT", "/files/new", "Upload-Complete: ?0"),
        ("POST", "/files/", FORM),
    ):
        assert site.status(method, path, line, content=form("new")) == 503, (method, path)
    assert site.status("GET", "/", HTML) == 503
    assert site.client().get("/").content == b""
    assert site.client().get("/echo/a").content == b"a"


def test_the_error_says_why_and_when_to_retry(site: Site) -> None:
    shutil.rmtree(site.path)
    site.wait()
    answer = request(site.client(), "GET", "/files/file")
    assert answer.headers["retry-after"] == "1"
    assert b"the shared directory is unavailable: No such file or directory" in answer.content
    assert str(site.path).encode() not in answer.content


def test_it_is_served_again_when_it_is_back(site: Site) -> None:
    shutil.rmtree(site.path)
    site.wait()
    assert site.status("GET", "/files/file") == 503
    site.make(b"back")
    assert site.status("GET", "/files/file") == 503  # not looked up yet
    site.wait()
    assert site.client().get("/files/file").content == b"back"


def test_a_directory_that_cannot_be_opened_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    site.replace()
    site.wait()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert site.status("GET", "/files/file") == 503
    site.wait()
    assert site.client().get("/files/file").content == b"new"


def test_the_log_says_once_that_it_is_missing_and_back(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reactor")
    shutil.rmtree(site.path)
    for _ in range(5):
        site.wait()
        site.status("GET", "/files/file")
    site.path.write_bytes(b"")  # another reason
    site.wait()
    site.status("GET", "/files/file")
    site.path.unlink()
    site.make(b"new")
    for _ in range(3):
        site.wait()
        site.status("GET", "/files/file")
    own = [record for record in caplog.records if record.module == "paths"]
    assert [record.getMessage() for record in own] == [
        f"the shared directory {str(site.path)!r} is unavailable: No such file or directory",
        f"the shared directory {str(site.path)!r} is available again",
    ]
    assert [record.levelname for record in own] == ["WARNING", "INFO"]
    caplog.clear()
    site.replace()
    for _ in range(3):
        site.wait()
        site.status("GET", "/files/file")
    (record,) = caplog.records
    assert record.getMessage() == f"the shared directory {str(site.path)!r} was replaced: sharing the new one"


@pytest.mark.parametrize("path", ["/files/", "/files/below/", "/"])
def test_a_deleted_directory_is_not_listed_as_empty(site: Site, path: str) -> None:
    """Not even before the path is looked up again."""
    shutil.rmtree(site.path)
    assert site.status("GET", path, HTML) == (404 if "below" in path else 503)
    site.path.mkdir()
    site.wait()
    assert site.status("GET", path, HTML) == (404 if "below" in path else 200)


def test_a_subdirectory_deleted_when_it_was_opened_is_404(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_parts = site.store.root.open_parts

    def delete_after(parts: list[bytes]) -> int:
        descriptor = open_parts(parts)
        shutil.rmtree(site.path / "below")
        return descriptor

    monkeypatch.setattr(site.store.root, "open_parts", delete_after)
    assert site.status("GET", "/files/below/") == 404


# Uploads in progress.

UPLOADS = {
    "POST": ("POST /files/{}", ()),
    "PUT": ("PUT /files/{}", ()),
    "PUT with a condition": ("PUT /files/{}", ("If-None-Match: *",)),
    "resumable": ("PUT /files/{}", ("Upload-Complete: ?1",)),
}


def delete_and_make(site: Site) -> None:
    site.replace()


def rename_and_make(site: Site) -> None:
    rename(site.path)
    site.make(b"new")


def delete_only(site: Site) -> None:
    delete(site.path)


def rename_only(site: Site) -> None:
    rename(site.path)


@pytest.mark.usefixtures("unnamed")
@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("change", [delete_and_make, rename_and_make, delete_only, rename_only])
@pytest.mark.parametrize("name", ["up", "below/up"])
@pytest.mark.parametrize("kind", UPLOADS)
def test_an_upload_into_the_old_directory_is_409_and_leaves_nothing(
    site: Site, kind: str, name: str, change: Callable[[Site], None], waits: bool
) -> None:
    line, fields = UPLOADS[kind]
    client = site.client()
    head = "\r\n".join([f"{line.format(name)} HTTP/1.1", "Host: x", "Content-Length: 6", *fields, "", "abc"])
    client.send(head.encode())
    change(site)
    if waits:
        site.wait()
        site.status("GET", "/files/file")  # the server notices it
    client.send(b"def")
    answers = [answer for answer in client.responses("PUT", "PUT") if answer.status >= 200]
    assert [answer.status for answer in answers] == [409]
    assert b"the shared directory was replaced or removed" in answers[0].content
    assert not [name for name in site.files() if name.rpartition("/")[2] != "file"]


@pytest.mark.parametrize("change", [delete_and_make, rename_and_make, delete_only, rename_only])
@pytest.mark.parametrize("path", ["/files/", "/files/below/"])
def test_a_form_into_the_old_directory_is_409_and_leaves_nothing(
    site: Site, path: str, change: Callable[[Site], None]
) -> None:
    content = form("one", "two")
    client = site.client()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    client.send(head + content[:-9])
    change(site)
    client.send(content[-9:])
    client.assert_responds(409)
    assert not [name for name in site.files() if name.rpartition("/")[2] != "file"]


@pytest.mark.parametrize("old", [["one"], ["one", "two"]])
def test_the_files_of_a_form_are_not_stored_in_two_directories(site: Site, old: list[str]) -> None:
    content = form("one", "two", "three")
    cut = form(*old).index(b"--b--")
    client = site.client()
    head = f"POST /files/below/ HTTP/1.1\r\nHost: x\r\n{FORM}\r\nContent-Length: {len(content)}\r\n\r\n"
    client.send(head.encode() + content[:cut])
    (site.path / "below").rename(site.base / "moved")
    (site.path / "below").mkdir()
    client.send(content[cut:])
    answer = client.assert_responds(409)
    assert (
        answer.content
        == b"the directory, or the temporary file in it, was replaced or removed during the upload\n"
    )
    assert site.files() == ["build/file", "moved/file"]


def test_an_upload_that_begins_before_the_deletion_is_noticed_is_409(site: Site) -> None:
    shutil.rmtree(site.path)
    assert site.status("PUT", "/files/new", content=b"") == 409


def test_an_upload_resumed_after_the_replacement_is_409(site: Site) -> None:
    first = request(
        site.client(), "PUT", "/files/up", "Upload-Complete: ?0", "Content-Length: 3", content=b"abc"
    )
    rename_and_make(site)
    lines = ("Content-Type: application/partial-upload", "Upload-Offset: 3", "Upload-Complete: ?1")
    location = first.headers["location"]
    assert site.status("PATCH", location, *lines, content=b"def") == 409
    assert site.status("HEAD", location) == 404
    assert not [name for name in site.files() if name.rpartition("/")[2] != "file"]


@pytest.mark.parametrize("interrupt", ["by the client", "by HEAD"])
def test_an_upload_interrupted_after_the_replacement_is_removed(site: Site, interrupt: str) -> None:
    (site.path / "docs").mkdir()
    client = site.client()
    first = request(
        client, "PUT", "/files/docs/up", "Upload-Complete: ?0", "Content-Length: 3", content=b"abc"
    )
    location = first.headers["location"]
    lines = ("Content-Type: application/partial-upload", "Upload-Offset: 3", "Upload-Complete: ?1")
    client.send(head("PATCH", location, *lines, "Content-Length: 9") + b"def")
    rename_and_make(site)
    site.clock.advance(CHECK_INTERVAL)
    assert site.status("GET", "/files/docs/up") == 404, "the replacement is noticed"
    if interrupt == "by the client":
        client.close()
    assert site.status("HEAD", location) == 404
    assert not [name for name in site.files() if name.rpartition("/")[2] != "file"]
    assert site.status("DELETE", location) == 404
    if interrupt == "by HEAD":
        client.send(b"ghijkl")
        client.assert_responds(409)


def test_an_upload_survives_while_the_directory_is_renamed_and_back(site: Site) -> None:
    client = site.client()
    client.send(b"POST /files/up HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
    rename(site.path)
    site.wait()
    assert site.status("GET", "/files/file") == 503
    (site.base / "renamed").rename(site.path)
    client.send(b"def")
    client.assert_responds(201)
    assert (site.path / "up").read_bytes() == b"abcdef"


# A single file.


def test_the_directory_of_a_single_file_may_be_replaced(site: Site) -> None:
    with closing(Store(site.path / "file", clock=site.clock)) as store, Harness(store=store) as server:
        assert server.connect().get("/files/file").content == b"old"
        shutil.rmtree(site.path)
        site.wait()
        for path in ("/files/file", "/files/"):
            assert request(server.connect(), "GET", path).status == 404
        site.make(b"new")
        site.wait()
        assert server.connect().get("/files/file").content == b"new"
        assert listed(server.connect()) == ["file"]


@pytest.mark.parametrize("directories", [("a", "a"), ("a", "b")])
def test_a_link_to_a_single_file_may_be_switched(tmp_path: Path, directories: tuple[str, str]) -> None:
    for directory, name in zip(directories, ("v1", "v2"), strict=True):
        (tmp_path / directory).mkdir(exist_ok=True)
        (tmp_path / directory / name).write_bytes(name.encode())
    link = tmp_path / "latest"
    link.symlink_to(tmp_path / directories[0] / "v1")
    clock = Clock()
    with closing(Store(link, clock=clock)) as store, Harness(store=store) as server:
        client = server.connect()
        assert client.get("/files/latest").content == b"v1"
        link.unlink()
        link.symlink_to(tmp_path / directories[1] / "v2")
        clock.advance(CHECK_INTERVAL)
        assert client.get("/files/latest").content == b"v2"
        assert listed(client) == ["latest"]


def test_a_link_to_a_single_file_may_be_switched_by_way_of_a_missing_one(tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "latest"
    link.symlink_to("v1")
    clock = Clock()
    with closing(Store(link, clock=clock)) as store, Harness(store=store) as server:
        for target, status in (("v1", 200), ("missing/v2", 404), ("v2", 200)):
            link.unlink()
            link.symlink_to(target)
            clock.advance(CHECK_INTERVAL)
            answer = request(server.connect(), "GET", "/files/latest")
            assert answer.status == status
        assert answer.content == b"v2"


def test_a_single_file_replaced_by_a_link_stays_missing(site: Site) -> None:
    """A client that can write to its directory cannot choose another file."""
    with closing(Store(site.path / "file", clock=site.clock)) as store, Harness(store=store) as server:
        (site.path / "file").unlink()
        (site.path / "file").symlink_to("below/file")
        site.wait()
        assert request(server.connect(), "GET", "/files/file").status == 404
