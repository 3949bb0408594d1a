"""GET and HEAD of a file: validators, preconditions, ranges, and files that change while being sent."""

import errno
import gzip
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from pathlib import Path

import pytest

from reactor.handlers.files.metadata import MTIME
from reactor.handlers.files.store import Store
from tests.support.in_process import Answer, Client, Harness
from tests.unit.handlers.files.shared import Shared, open_descriptors, request

NOW = 1_700_000_000.0  # the time of the harness
WRITTEN = NOW - 3600
CONTENT = bytes(range(256)) * 40  # 10,240 bytes
LARGE = bytes(range(251)) * 4000  # 1,004,000 bytes: too large for the cache


@pytest.fixture(params=["small.txt", "large.txt"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


CONTENTS = {"small.txt": CONTENT, "large.txt": LARGE}


@pytest.fixture
def client(shared: Shared) -> Iterator[Client]:
    for name, content in CONTENTS.items():
        (shared.path / name).write_bytes(content)
        os.utime(shared.path / name, (WRITTEN, WRITTEN))
    with closing(Store(shared.path, wall_clock=lambda: NOW)) as store, Harness(store=store) as server:
        yield server.connect()


def etag(client: Client, name: str, *lines: str) -> str:
    return client.get(f"/files/{name}", *lines).headers["etag"]


# Validators.


def test_a_file_has_validators(client: Client, name: str) -> None:
    answer = client.get(f"/files/{name}")
    assert re.fullmatch(r'"[0-9a-f]{24}"', answer.headers["etag"])
    assert answer.headers["last-modified"] == formatdate(WRITTEN, usegmt=True)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert request(client, "HEAD", f"/files/{name}").headers == answer.headers


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])  # with a new modification time


def append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")
    os.utime(path, (WRITTEN, WRITTEN))


def replace(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(path.read_bytes())
    os.utime(new, (WRITTEN, WRITTEN))
    new.rename(path)


@pytest.mark.parametrize(
    "change", [rewrite, append, replace, lambda path: os.utime(path, (NOW - 9, NOW - 9))]
)
def test_a_changed_file_has_a_new_etag(
    shared: Shared, client: Client, name: str, change: Callable[[Path], None]
) -> None:
    first = etag(client, name)
    assert etag(client, name) == first
    change(shared.path / name)
    assert etag(client, name) != first
    assert request(client, "GET", f"/files/{name}", f"If-Match: {first}").status == 412
    assert request(client, "GET", f"/files/{name}", f"If-None-Match: {first}").status == 200
    answer = request(client, "GET", f"/files/{name}", "Range: bytes=1-2", f"If-Range: {first}")
    assert answer.status == 200


def change_mode(path: Path) -> None:
    path.chmod(0o600)


def change_owner(path: Path) -> None:
    os.chown(path, os.geteuid(), os.getegid())  # to the same one, which sets the change time too


def add_link(path: Path) -> None:
    os.link(path, path.with_name("link"))


def change_access_time(path: Path) -> None:
    os.utime(path, ns=(1, path.stat().st_mtime_ns))


# They set the change time (ctime), but not the modification time.
OF_THE_INODE = pytest.mark.parametrize("change", [change_mode, change_owner, add_link, change_access_time])


@OF_THE_INODE
def test_a_change_of_the_inode_keeps_the_validators(
    shared: Shared, client: Client, name: str, change: Callable[[Path], None]
) -> None:
    before = client.get(f"/files/{name}").headers
    tag = before["etag"]
    change(shared.path / name)
    assert client.get(f"/files/{name}").headers == before
    assert request(client, "GET", f"/files/{name}", f"If-None-Match: {tag}").status == 304
    assert request(client, "GET", f"/files/{name}", f"If-Match: {tag}").content == CONTENTS[name]
    assert request(client, "GET", f"/files/{name}", "Range: bytes=1-2", f"If-Range: {tag}").status == 206
    assert request(client, "PUT", f"/files/{name}", f"If-Match: {tag}", "Content-Length: 0").status == 204


def test_equal_files_have_different_etags(shared: Shared, client: Client) -> None:
    (shared.path / "twin").write_bytes(CONTENT)
    os.utime(shared.path / "twin", (WRITTEN, WRITTEN))
    assert etag(client, "twin") != etag(client, "small.txt")


def test_a_future_modification_time_is_not_sent(shared: Shared, client: Client) -> None:
    os.utime(shared.path / "small.txt", (NOW + 100, NOW + 100))
    answer = client.get("/files/small.txt")
    assert "last-modified" not in answer.headers
    assert answer.headers["etag"]


def test_a_future_modification_time_is_sent_when_it_is_past(shared: Shared) -> None:
    (shared.path / "large.txt").write_bytes(LARGE)
    os.utime(shared.path / "large.txt", (NOW + 1, NOW + 1))
    times = iter([NOW, NOW + 1])
    with closing(Store(shared.path, wall_clock=lambda: next(times))) as store:
        for expected in (None, NOW + 1):
            with closing(store.find("large.txt")) as found:
                assert found.metadata.validators.modified == expected


@pytest.mark.parametrize("modified", [0, 1])
def test_a_fixed_modification_time_is_not_a_validator(
    shared: Shared, client: Client, name: str, modified: int
) -> None:
    path = shared.path / name
    os.utime(path, (modified, modified))
    first = client.get(f"/files/{name}")
    assert "last-modified" not in first.headers
    new = shared.path / "new"  # a new version of the file, with the same time
    new.write_bytes(CONTENTS[name][::-1])
    os.utime(new, (modified, modified))
    new.rename(path)
    date = formatdate(modified, usegmt=True)
    for line in (f"If-Modified-Since: {date}", f"If-None-Match: {first.headers['etag']}"):
        answer = client.get(f"/files/{name}", line)
        assert (answer.status, answer.content) == (200, CONTENTS[name][::-1])
    answer = client.get(f"/files/{name}", "Range: bytes=1-2", f"If-Range: {date}")
    assert answer.status == 200
    assert request(client, "GET", f"/files/{name}", f"If-None-Match: {answer.headers['etag']}").status == 304


# Preconditions.


def test_an_unchanged_file_is_304(client: Client, name: str) -> None:
    before = open_descriptors()
    tag = etag(client, name)
    for lines in (
        [f"If-None-Match: {tag}"],
        [f'If-None-Match: "other", W/{tag}'],
        ["If-None-Match: *"],
        [f"If-Modified-Since: {formatdate(WRITTEN, usegmt=True)}"],
        [f"If-None-Match: {tag}", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"],
    ):
        for method in ("GET", "HEAD"):
            answer = request(client, method, f"/files/{name}", *lines)
            assert (answer.status, answer.content) == (304, b"")
            assert answer.headers["etag"] == tag
            assert answer.headers["vary"] == "Accept-Encoding"
            assert "date" in answer.headers
            assert "content-type" not in answer.headers
    assert open_descriptors() == before


def test_a_changed_file_is_sent(client: Client, name: str) -> None:
    for line in (
        'If-None-Match: "other"',
        f"If-Modified-Since: {formatdate(WRITTEN - 1, usegmt=True)}",
        "If-Modified-Since: yesterday",
    ):
        assert client.get(f"/files/{name}", line).content == CONTENTS[name]


def test_a_failed_precondition_is_412(client: Client, name: str) -> None:
    before = open_descriptors()
    for line in (
        'If-Match: "other"',
        f"If-Match: W/{etag(client, name)}",
        f"If-Unmodified-Since: {formatdate(WRITTEN - 1, usegmt=True)}",
    ):
        answer = request(client, "GET", f"/files/{name}", line)
        assert answer.status == 412
        current = etag(client, name)
        assert answer.content == f"precondition failed: the file exists, with ETag {current}\n".encode()
    assert client.get(f"/files/{name}", f"If-Match: {etag(client, name)}").content == CONTENTS[name]
    assert open_descriptors() == before


def test_conditions_on_a_missing_file_are_ignored(client: Client) -> None:
    for line in ("If-Match: *", "If-None-Match: *", "Range: bytes=0-1"):
        assert request(client, "GET", "/files/absent", line).status == 404


# Ranges.


def part_of(answer: Answer, size: int) -> range:
    match = re.fullmatch(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)", answer.headers["content-range"])
    assert match is not None
    assert int(match[3]) == size
    return range(int(match[1]), int(match[2]) + 1)


@pytest.mark.parametrize(
    ("asked", "first", "after"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, None),
        ("bytes=100-199", 100, 200),
        ("bytes=5000-", 5000, None),
        ("bytes=-500", -500, None),
        ("bytes=-99999999", 0, None),
        ("bytes=9000-99999999999999999999999999", 9000, None),
        ("BYTES=1-2", 1, 3),
    ],
)
def test_a_range_is_sent(client: Client, name: str, asked: str, first: int, after: int | None) -> None:
    content = CONTENTS[name]
    whole = client.get(f"/files/{name}")
    answer = request(client, "GET", f"/files/{name}", f"Range: {asked}")
    assert answer.status == 206
    assert answer.content == content[first:after]
    span = part_of(answer, len(content))
    assert content[span.start : span.stop] == answer.content
    for field in ("etag", "last-modified", "content-type", "vary", "x-content-type-options"):
        assert answer.headers[field] == whole.headers[field]


@pytest.mark.parametrize("asked", ["bytes=2000000-", "bytes=-0", "bytes=2000000-3000000,-0"])
def test_an_unsatisfiable_range_is_416_with_the_length(client: Client, name: str, asked: str) -> None:
    before = open_descriptors()
    answer = request(client, "GET", f"/files/{name}", f"Range: {asked}")
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENTS[name])}"
    assert client.get(f"/files/{name}").content == CONTENTS[name]
    assert open_descriptors() == before


@pytest.mark.parametrize("asked", ["octets=0-1", "bytes=a-b", "bytes=5-1", "bytes=", "bytes 0-1"])
def test_an_invalid_range_is_ignored(client: Client, name: str, asked: str) -> None:
    assert client.get(f"/files/{name}", f"Range: {asked}").content == CONTENTS[name]


def test_an_empty_file_has_no_ranges(shared: Shared, client: Client) -> None:
    (shared.path / "empty").write_bytes(b"")
    answer = request(client, "GET", "/files/empty", "Range: bytes=0-")
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */0")


def test_head_ignores_range(client: Client, name: str) -> None:
    answer = request(client, "HEAD", f"/files/{name}", "Range: bytes=0-1")
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(CONTENTS[name])))


def read_multipart(answer: Answer) -> Iterator[tuple[range, bytes]]:
    """Parse multipart/byteranges strictly."""
    match = re.fullmatch(r"multipart/byteranges; boundary=([0-9a-f]{32})", answer.headers["content-type"])
    assert match is not None
    rest = answer.content.removeprefix(b"\r\n")
    delimiter = b"--" + match[1].encode()
    while not rest.startswith(delimiter + b"--"):
        assert rest.startswith(delimiter + b"\r\n")
        head, _, rest = rest[len(delimiter) + 2 :].partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        assert fields["Content-Type"] == "application/octet-stream"
        part = re.fullmatch(r"bytes ([0-9]+)-([0-9]+)/[0-9]+", fields["Content-Range"])
        assert part is not None
        span = range(int(part[1]), int(part[2]) + 1)
        yield span, rest[: len(span)]
        assert rest[len(span) :].startswith(b"\r\n")
        rest = rest[len(span) + 2 :]
    assert rest in (delimiter + b"--", delimiter + b"--\r\n")


@pytest.mark.parametrize(
    "asked", ["bytes=0-9,20-29", "bytes=5000-9999,0-0,-1", "bytes=0-1, 4-5, 9999999-, 8-9"]
)
def test_several_ranges_are_sent_as_multipart(client: Client, name: str, asked: str) -> None:
    before = open_descriptors()
    answer = request(client, "GET", f"/files/{name}", f"Range: {asked}")
    assert answer.status == 206
    assert "content-range" not in answer.headers
    parts = list(read_multipart(answer))
    assert len(parts) >= 2
    for span, data in parts:
        assert data == CONTENTS[name][span.start : span.stop]
    assert open_descriptors() == before


def test_overlapping_ranges_never_send_more_than_the_file(client: Client, name: str) -> None:
    asked = ",".join(["0-"] * 50)
    answer = request(client, "GET", f"/files/{name}", f"Range: bytes={asked}")
    assert answer.status in (200, 206)
    assert answer.content == CONTENTS[name]


def test_if_range_selects_range_or_whole_file(shared: Shared, client: Client, name: str) -> None:
    tag = etag(client, name)
    date = formatdate(WRITTEN, usegmt=True)
    for validator in (tag, date):
        answer = request(client, "GET", f"/files/{name}", "Range: bytes=1-2", f"If-Range: {validator}")
        assert (answer.status, answer.content) == (206, CONTENTS[name][1:3])
    for validator in ('"other"', f"W/{tag}", formatdate(WRITTEN - 1, usegmt=True), "nonsense"):
        answer = request(client, "GET", f"/files/{name}", "Range: bytes=1-2", f"If-Range: {validator}")
        assert (answer.status, answer.content) == (200, CONTENTS[name])


@pytest.mark.parametrize("now", [NOW, NOW + 10**10], ids=["open file", "cached"])
@pytest.mark.parametrize(
    "lines",
    [
        ["Range: bytes=1-2", 'If-Range: "other"'],
        ["Range: bytes=5-1"],
        ["Range: octets=0-1"],
        ["Range: bytes=" + ",".join(["0-0"] * 65)],
    ],
)
def test_a_range_that_is_not_applied_gets_the_uncompressed_file(
    shared: Shared, now: float, lines: list[str]
) -> None:
    """Compressed content with the ETag of the file would corrupt a copy that is resumed later."""
    (shared.path / "small.txt").write_bytes(CONTENT)
    with closing(Store(shared.path, wall_clock=lambda: now)) as store, Harness(store=store) as server:
        client = server.connect()
        whole = client.get("/files/small.txt")
        with closing(store.find("small.txt")) as found:
            assert (found.data is None) == (now == NOW)
        answer = request(client, "GET", "/files/small.txt", "Accept-Encoding: gzip", *lines)
    assert (answer.status, answer.content) == (200, CONTENT)
    assert answer.headers == whole.headers


def test_preconditions_precede_ranges(client: Client, name: str) -> None:
    tag = etag(client, name)
    lines = ["Range: bytes=9999999-", f"If-None-Match: {tag}"]
    assert request(client, "GET", f"/files/{name}", *lines).status == 304
    lines = ["Range: bytes=9999999-", 'If-Match: "other"']
    assert request(client, "GET", f"/files/{name}", *lines).status == 412


# Files that change while they are being sent.


SIZE = 8_000_000
KINDS = pytest.mark.parametrize("line", ["X-Whole: 1", "Range: bytes=1000-,0-0", "Accept-Encoding: gzip"])


def shrink(path: Path) -> None:
    os.truncate(path, SIZE - 1)


def overwrite(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(SIZE - 1000)
        file.write(b"changed")


def begin_download(server: Harness, path: Path, line: str) -> tuple[Client, bytes]:
    """Write a large file and begin to download it; return its content."""
    content = os.urandom(SIZE)
    path.write_bytes(content)
    os.utime(path, (WRITTEN, WRITTEN))
    client = server.connect()
    client.send(f"GET /files/{path.name} HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode())
    return client, content


@pytest.fixture
def large(shared: Shared) -> Path:
    return shared.path / "large.txt"


@KINDS
@pytest.mark.parametrize("change", [shrink, overwrite, os.utime])
def test_a_file_changed_during_the_download_aborts_it(
    server: Harness, large: Path, line: str, change: Callable[[Path], None]
) -> None:
    client, _ = begin_download(server, large, line)
    during = open_descriptors()
    change(large)
    data = client.read()
    assert client.closed
    assert b"changed" not in data
    assert not data.endswith(b"0\r\n\r\n")
    assert len(data) < SIZE
    assert open_descriptors() == during - 2  # the file and the connection are closed


def write_more(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def rename(path: Path) -> None:
    path.rename(path.with_name("renamed"))


def rename_over(path: Path) -> None:
    path.with_name("file").rename(path)


@KINDS
@pytest.mark.parametrize(
    "change",
    [write_more, rename, rename_over, os.unlink, change_mode, change_owner, add_link, change_access_time],
)
def test_other_changes_do_not_abort_a_download(
    server: Harness, large: Path, line: str, change: Callable[[Path], None]
) -> None:
    client, content = begin_download(server, large, line)
    change(large)
    [answer] = client.responses()
    if "gzip" in line:
        assert gzip.decompress(answer.content) == content
    elif answer.status == 206:
        assert [data for _, data in read_multipart(answer)] == [content[1000:], content[:1]]
    else:
        assert answer.content == content


def test_a_modification_counts_when_two_checks_in_a_row_see_it(store: Store, shared: Shared) -> None:
    """A write sets the modification time before the size: a growing file may be seen in between."""
    path = shared.path / "file"
    with closing(store.find("file")) as found:
        for _ in range(3):
            found.check()
            os.utime(path)
            found.check()
            write_more(path)
            found.check()
            os.truncate(path, 6)
            os.utime(path, ns=(0, found.metadata.fingerprint[MTIME]))
            found.check()
        os.utime(path)
        found.check()
        with pytest.raises(OSError, match="the file was modified"):
            found.check()
        write_more(path)
        found.check()
        os.truncate(path, 5)
        with pytest.raises(OSError, match="the file shrank from 6 to 5 bytes"):
            found.check()


def test_a_disconnect_during_multipart_closes_the_file(shared: Shared) -> None:
    (shared.path / "large.txt").write_bytes(bytes(8_000_000))
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        for line in ("Range: bytes=1-", "Range: bytes=1000-,0-0", "Accept-Encoding: gzip"):
            before = open_descriptors()
            client = server.connect()
            client.send(f"GET /files/large.txt HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode())
            client.close()
            assert open_descriptors() == before


def test_names_are_found_by_their_exact_bytes(tmp_path: Path) -> None:
    """Any name is found by its exact UTF-8 bytes; NFC and NFD are different names."""
    names = ["f\u00fcr", "fu\u0308r", "\u65e5\u672c", "a b", "100%", "a+b", "#1?"]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(b"%d" % number)
    with closing(Store(tmp_path)) as store, Harness(store=store) as server:
        client = server.connect()
        for number, name in enumerate(names):
            path = "".join(f"%{byte:02X}" for byte in name.encode())
            assert client.get(f"/files/{path}").content == b"%d" % number


@pytest.mark.parametrize("when", [-(10**12), -1, 10**12])
def test_a_file_of_any_age_is_served(shared: Shared, client: Client, when: int) -> None:
    try:
        os.utime(shared.path / "file", (when, when))
    except (OSError, OverflowError) as error:
        pytest.skip(f"the file system does not support this time: {error}")
    assert client.get("/files/file").content == b"inside"


def test_a_fifo_is_404_and_is_not_opened(shared: Shared, client: Client) -> None:
    os.mkfifo(shared.path / "fifo")
    for _ in range(3):
        assert request(client, "GET", "/files/fifo").status == 404
    # ENXIO: the FIFO has no reader, so the server has not opened it.
    with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):
        os.open(shared.path / "fifo", os.O_WRONLY | os.O_NONBLOCK)
