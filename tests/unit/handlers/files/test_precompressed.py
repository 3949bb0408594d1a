"""Files in a content coding: compressed on the fly, or precompressed variants."""

import gzip
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reactor.handlers.files.media_types import OCTET_STREAM, TYPES, MediaType, guess
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, open_descriptors, request

NOW = 4_000_000_000.0  # later than the change times of the files
WRITTEN = NOW - 3600
TEXT = b"the same words again and again, " * 100
LONG = TEXT * 500  # 1.6 MB: too large for the cache


def write(shared: Shared, name: str, content: bytes, when: float = WRITTEN) -> None:
    (shared.path / name).write_bytes(content)
    os.utime(shared.path / name, (when, when))


@pytest.fixture
def store(shared: Shared) -> Iterator[Store]:
    write(shared, "text.txt", TEXT)
    write(shared, "photo.jpg", TEXT)
    write(shared, "long.txt", LONG)
    os.utime(shared.path, (WRITTEN, WRITTEN))
    with closing(Store(shared.path, precompressed=True, wall_clock=lambda: NOW)) as one:
        yield one


@pytest.fixture
def client(store: Store) -> Iterator[Client]:
    with Harness(store=store) as server:
        yield server.connect()


@pytest.mark.parametrize("name", ["text.txt", "long.txt"])
@pytest.mark.parametrize("asked", ["gzip", "x-gzip", "*"])
def test_a_file_is_compressed_if_the_client_prefers_it(client: Client, name: str, asked: str) -> None:
    before = open_descriptors()
    plain = client.get(f"/files/{name}")
    answer = client.get(f"/files/{name}", f"Accept-Encoding: {asked}")
    assert answer.headers["content-encoding"] == ("x-gzip" if asked == "x-gzip" else "gzip")
    assert len(answer.content) < len(plain.content) // 10
    assert gzip.decompress(answer.content) == plain.content == (TEXT if name == "text.txt" else LONG)
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert open_descriptors() == before


@pytest.mark.parametrize("name", ["text.txt", "long.txt"])
def test_a_compressed_response_has_its_own_strong_etag(client: Client, name: str) -> None:
    plain = client.get(f"/files/{name}").headers["etag"]
    coded = client.get(f"/files/{name}", "Accept-Encoding: gzip").headers["etag"]
    assert plain != coded
    assert not coded.startswith("W/")
    lines = ["Accept-Encoding: gzip", f"If-None-Match: {coded}"]
    answer = request(client, "GET", f"/files/{name}", *lines)
    assert (answer.status, answer.headers["etag"], answer.headers["vary"]) == (304, coded, "Accept-Encoding")
    assert client.get(f"/files/{name}", "Accept-Encoding: gzip", f"If-None-Match: {plain}").status == 200
    assert client.get(f"/files/{name}", f"If-None-Match: {coded}").status == 200


VARIANTS = {
    "br": (".br", b"any bytes"),
    "zstd": (".zst", b"\x28\xb5\x2f\xfd" + b"a frame"),
    "gzip": (".gz", gzip.compress(b"a variant")),
}


@pytest.mark.parametrize("name", ["text.txt", "long.txt"])
@pytest.mark.parametrize("coding", [*VARIANTS, "gzip on the fly"])
@pytest.mark.parametrize(
    ("ranges", "status"),
    [("0-9", 206), ("-10", 206), ("0-9,20-29", 206), ("9999999-", 416), ("invalid", 200)],
)
@pytest.mark.parametrize("if_range", ["", "its own", "of the variant"])
def test_a_range_request_selects_the_file_itself_whatever_is_accepted(
    name: str, coding: str, ranges: str, status: int, if_range: str, shared: Shared, client: Client
) -> None:
    accepted = f"Accept-Encoding: {coding.partition(' ')[0]}"
    if coding in VARIANTS:
        suffix, content = VARIANTS[coding]
        write(shared, name + suffix, content)
    plain, variant = client.get(f"/files/{name}"), client.get(f"/files/{name}", accepted)
    assert variant.headers["content-encoding"] == coding.partition(" ")[0]
    lines = [accepted, f"Range: bytes={ranges}"]
    if if_range:
        etag = (plain if if_range == "its own" else variant).headers["etag"]
        lines.append(f"If-Range: {etag}")
        status = 200 if if_range == "of the variant" else status
    answer = request(client, "GET", f"/files/{name}", *lines)
    assert answer.status == status
    assert "content-encoding" not in answer.headers
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(plain.content)}"
        return
    assert answer.headers["etag"] == plain.headers["etag"]
    if status == 200:
        assert answer.content == plain.content
    elif "," in ranges:
        assert answer.content.count(b"\r\n\r\n" + plain.content[:10] + b"\r\n") == 1
    else:
        assert answer.content == (plain.content[:10] if ranges == "0-9" else plain.content[-10:])
    head = request(client, "HEAD", f"/files/{name}", *lines[:2])  # Range is defined for GET only
    assert (head.status, head.headers["etag"]) == (200, variant.headers["etag"])


def test_a_range_is_of_the_uncompressed_file(client: Client) -> None:
    plain = client.get("/files/text.txt").headers["etag"]
    answer = request(client, "GET", "/files/text.txt", "Accept-Encoding: gzip", "Range: bytes=4-7")
    assert (answer.status, answer.content, answer.headers["etag"]) == (206, b"same", plain)
    assert "content-encoding" not in answer.headers
    coded = client.get("/files/text.txt", "Accept-Encoding: gzip").headers["etag"]
    lines = ["Accept-Encoding: gzip", "Range: bytes=4-7", f"If-Range: {coded}"]
    assert request(client, "GET", "/files/text.txt", *lines).content == TEXT


def test_head_has_the_same_fields_as_get(client: Client) -> None:
    for name in ("text.txt", "long.txt"):
        got = client.get(f"/files/{name}", "Accept-Encoding: gzip").headers
        assert request(client, "HEAD", f"/files/{name}", "Accept-Encoding: gzip").headers == got


@pytest.mark.parametrize("media_type", TYPES.values())
@pytest.mark.parametrize(
    "name", ["photo.JPG", "photo.bmp", "archive.tar", "film.mp4", "app.wasm", "x.unknown", "text"]
)
@pytest.mark.parametrize("content", [TEXT, LONG])
def test_other_files_than_text_are_sent_as_they_are(
    shared: Shared, name: str, content: bytes, media_type: MediaType
) -> None:
    write(shared, name, content)
    with closing(Store(shared.path, media_type=media_type)) as store, Harness(store=store) as server:
        client = server.connect()
        answer = client.get(f"/files/{name}", "Accept-Encoding: gzip, br")
        assert answer.content == content
        assert answer.headers["content-length"] == str(len(content))
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["etag"] == client.get(f"/files/{name}").headers["etag"]
        assert not {"content-encoding", "transfer-encoding", "vary"} & set(answer.headers)
        lines = ["Accept-Encoding: gzip, br", f"If-None-Match: {answer.headers['etag']}"]
        unchanged = request(client, "GET", f"/files/{name}", *lines)
        assert (unchanged.status, "vary" in unchanged.headers) == (304, False)
        lines = ["Accept-Encoding: gzip, br", "Range: bytes=4-7", f"If-Range: {answer.headers['etag']}"]
        assert request(client, "GET", f"/files/{name}", *lines).content == b"same"


@pytest.mark.parametrize("media_type", TYPES.values())
def test_text_is_compressed_whatever_type_is_sent(shared: Shared, media_type: MediaType) -> None:
    write(shared, "page.html", TEXT)
    with closing(Store(shared.path, media_type=media_type)) as store, Harness(store=store) as server:
        answer = server.connect().get("/files/page.html", "Accept-Encoding: gzip")
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(answer.content) == TEXT


# Precompressed variants.

READY = {"gzip": gzip.compress(b"ready", mtime=0), "zstd": b"\x28\xb5\x2f\xfd ready", "br": b"ready"}
SUFFIXES = {"gzip": "gz", "zstd": "zst", "br": "br"}


def write_variants(shared: Shared, name: str) -> None:
    for coding, suffix in SUFFIXES.items():
        write(shared, f"{name}.{suffix}", READY[coding], WRITTEN + 1)


@pytest.mark.parametrize("name", ["text.txt", "photo.jpg", "inner/text.txt"])
@pytest.mark.parametrize(
    ("asked", "coding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("br;q=0.5, zstd;q=0.9, gzip;q=0.1", "zstd"),
        ("br;q=0, gzip", "gzip"),
    ],
)
def test_a_precompressed_variant_is_sent_unchanged(
    shared: Shared, client: Client, name: str, asked: str, coding: str
) -> None:
    (shared.path / name).parent.mkdir(exist_ok=True)
    write(shared, name, TEXT)
    write_variants(shared, name)
    before = open_descriptors()
    answer = client.get(f"/files/{name}", f"Accept-Encoding: {asked}")
    assert (answer.headers["content-encoding"], answer.content) == (coding, READY[coding])
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == OCTET_STREAM
    tag = answer.headers["etag"]
    plain = client.get(f"/files/{name}")
    assert (plain.content, plain.headers["vary"]) == (TEXT, "Accept-Encoding")
    assert plain.headers["etag"] != tag
    for lines in (
        [f"If-None-Match: {tag}", f"Accept-Encoding: {asked}"],
        [f"If-None-Match: {plain.headers['etag']}"],
    ):
        unchanged = request(client, "GET", f"/files/{name}", *lines)
        assert (unchanged.status, unchanged.headers["vary"]) == (304, "Accept-Encoding")
    part = request(client, "GET", f"/files/{name}", f"Accept-Encoding: {asked}", "Range: bytes=4-7")
    assert (part.content, part.headers["vary"]) == (b"same", "Accept-Encoding")
    assert open_descriptors() == before


@pytest.mark.parametrize("name", ["text.txt", "photo.jpg"])
def test_variants_are_neither_sent_nor_searched_by_default(
    shared: Shared, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, name, TEXT)
    write_variants(shared, name)
    looked_up = []

    def recording(path: bytes, *, dir_fd: int, follow_symlinks: bool) -> os.stat_result:
        looked_up.append(path)
        return stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    stat = os.stat
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        client = server.connect()
        monkeypatch.setattr(os, "stat", recording)
        assert client.get(f"/files/{name}", "Accept-Encoding: br, zstd").content == TEXT
        answer = client.get(f"/files/{name}", "Accept-Encoding: gzip")
        assert answer.content != READY["gzip"]
        assert ("vary" in answer.headers) == (name == "text.txt")
    assert looked_up == [name.encode()] * 2


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", b""),
        ("gzip", b"\x1f\x8b"),
        ("gzip", b"\x1f\x9d\x90 of compress"),
        ("gzip", b"PK\x03\x04 of zip"),
        ("zstd", b""),
        ("zstd", b"\x28\xb5\x2f"),
        ("zstd", b"\x50\x2a\x4d\x18 of lz4"),
        ("zstd", READY["gzip"]),
        ("br", b""),
    ],
)
@pytest.mark.parametrize("name", ["text.txt", "photo.jpg"])
def test_a_file_of_another_format_is_not_a_variant(
    shared: Shared, client: Client, name: str, coding: str, content: bytes
) -> None:
    write(shared, f"{name}.{SUFFIXES[coding]}", content, WRITTEN + 1)
    before = open_descriptors()
    answer = client.get(f"/files/{name}", f"Accept-Encoding: {coding}")
    compressed = coding == "gzip" and name == "text.txt"
    assert (gzip.decompress(answer.content) if compressed else answer.content) == TEXT
    assert open_descriptors() == before


def test_the_next_variant_is_sent_in_place_of_an_invalid_one(shared: Shared, client: Client) -> None:
    write_variants(shared, "text.txt")
    write(shared, "text.txt.zst", b"another format", WRITTEN + 1)
    answer = client.get("/files/text.txt", "Accept-Encoding: zstd, gzip;q=0.5")
    assert answer.content == READY["gzip"]


def restore_time(directory: Path, changed: int) -> None:
    """Set the modification time, as copying a tree does, at another time of the file system's clock."""
    while directory.stat().st_ctime_ns == changed:
        os.utime(directory, (WRITTEN, WRITTEN))
    assert directory.stat().st_mtime == WRITTEN


def test_a_variant_added_later_is_found(shared: Shared, store: Store, client: Client) -> None:
    assert store.precompressed is not None
    for _ in range(2):
        assert client.get("/files/text.txt", "Accept-Encoding: br").content == TEXT
    assert "text.txt" in store.precompressed._without_variants
    changed = shared.path.stat().st_ctime_ns
    write(shared, "text.txt.br", b"ready in br")
    os.utime(shared.path, (WRITTEN, WRITTEN))
    restore_time(shared.path, changed)
    assert client.get("/files/text.txt", "Accept-Encoding: br").content == b"ready in br"
    os.unlink(shared.path / "text.txt.br")
    assert client.get("/files/text.txt", "Accept-Encoding: br").content == TEXT


def test_the_cache_of_missing_variants_is_bounded(
    shared: Shared, store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.precompressed is not None
    monkeypatch.setattr("reactor.handlers.files.precompressed.MAX_CACHED_NAMES", 3)
    for number in range(10):
        write(shared, f"f{number}.txt", TEXT)
    os.utime(shared.path, (WRITTEN, WRITTEN))
    for number in range(10):
        client.get(f"/files/f{number}.txt", "Accept-Encoding: gzip")
        assert 1 <= len(store.precompressed._without_variants) <= 3


def test_a_variant_older_than_the_file_is_not_sent(shared: Shared, client: Client) -> None:
    write(shared, "text.txt.gz", READY["gzip"], WRITTEN - 1)
    answer = client.get("/files/text.txt", "Accept-Encoding: gzip")
    assert gzip.decompress(answer.content) == TEXT


def test_a_link_or_fifo_is_not_a_variant(shared: Shared, client: Client) -> None:
    (shared.outside / "secret").write_bytes(READY["gzip"])
    (shared.path / "text.txt.gz").symlink_to(shared.outside / "secret")
    os.mkfifo(shared.path / "text.txt.br")
    answer = client.get("/files/text.txt", "Accept-Encoding: gzip, br")
    assert gzip.decompress(answer.content) == TEXT


def test_a_variant_is_also_served_as_a_file(shared: Shared, client: Client) -> None:
    write(shared, "text.txt.gz", gzip.compress(TEXT), WRITTEN)
    answer = client.get("/files/text.txt.gz", "Accept-Encoding: gzip")
    assert gzip.decompress(answer.content) == TEXT
    assert "content-encoding" not in answer.headers


def test_variants_of_a_page_are_sent_in_place_of_a_listing(shared: Shared) -> None:
    write(shared, "index.html", TEXT)
    write_variants(shared, "index.html")
    with (
        closing(Store(shared.path, media_type=guess, precompressed=True)) as store,
        Harness(store=store) as server,
    ):
        answer = server.connect().get("/files/", "Accept-Encoding: br")
        assert (answer.content, answer.headers["content-encoding"]) == (READY["br"], "br")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
