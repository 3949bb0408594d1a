"""PUT, POST and DELETE of files: statuses, preconditions and digests."""

import base64
import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from reactor import handlers
from reactor.handlers.files.digests import read_digests
from reactor.handlers.files.store import Store
from reactor.http11.errors import HTTPError
from tests.support.files import open_uploads
from tests.support.in_process import Answer, Client, Harness
from tests.unit.handlers.files.shared import (
    Shared,
    no_descriptor_leaks,
    open_descriptors,
    request,
)


@pytest.fixture
def client(unnamed: bool, shared: Shared) -> Iterator[Client]:
    with (
        closing(Store(shared.path)) as store,
        Harness(handlers.build(store, allow_delete=True)) as server,
    ):
        yield server.connect()


def send(client: Client, method: str, path: str, content: bytes, *lines: str) -> Answer:
    return request(client, method, path, f"Content-Length: {len(content)}", *lines, content=content)


def etag(client: Client, path: str = "/files/file") -> str:
    return client.get(path).headers["etag"]


# Created or replaced.


def test_put_reports_whether_it_created_or_replaced(shared: Shared, client: Client) -> None:
    answer = send(client, "PUT", "/files/new%20one", b"1")
    assert (answer.status, answer.headers["location"]) == (201, "/files/new%20one")
    answer = send(client, "PUT", "/files/new%20one", b"2")
    assert (answer.status, "location" in answer.headers) == (204, False)
    assert (shared.path / "new one").read_bytes() == b"2"


def test_post_returns_the_location(client: Client) -> None:
    for content in (b"1", b"2"):
        answer = send(client, "POST", "/files/below/new", content)
        assert (answer.status, answer.headers["location"]) == (201, "/files/below/new")
        assert client.get(answer.headers["location"]).content == content


def test_put_may_be_chunked(client: Client) -> None:
    lines = ["Transfer-Encoding: chunked"]
    answer = request(client, "PUT", "/files/new", *lines, content=b"3\r\nabc\r\n0\r\n\r\n")
    assert answer.status == 201
    assert client.get("/files/new").content == b"abc"


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    ("path", "status"), [("/files/below", 409), ("/files/absent/new", 409), ("/files/.hidden", 404)]
)
def test_an_upload_that_cannot_be_stored_is_refused(
    client: Client, method: str, path: str, status: int
) -> None:
    assert send(client, method, path, b"x").status == status


def test_missing_directories_are_not_created(shared: Shared, client: Client) -> None:
    assert (
        send(client, "PUT", "/files/absent/new", b"x").content
        == b"the parent directory does not exist (uploads do not create directories)\n"
    )
    shared.assert_untouched()


def test_delete_removes_only_the_file(shared: Shared, client: Client) -> None:
    assert request(client, "DELETE", "/files/file").status == 204
    assert not (shared.path / "file").exists()
    assert request(client, "GET", "/files/file").status == 404
    assert request(client, "DELETE", "/files/file").status == 404
    assert request(client, "DELETE", "/files/below").status == 409
    (shared.path / "link").symlink_to(shared.outside / "file")
    os.mkfifo(shared.path / "fifo")
    for name in ("link", "fifo", "..", "links/x", ".hidden"):
        assert request(client, "DELETE", f"/files/{name}").status == 404
    assert (shared.outside / "file").exists()
    assert (shared.path / "below" / "file").exists()


def test_a_forbidden_method_is_405_with_allow(shared: Shared) -> None:
    with closing(Store(shared.path)) as store:
        for read_only, allow_delete, allowed in (
            (True, True, "GET, HEAD, OPTIONS"),
            (False, False, "GET, HEAD, POST, PUT, OPTIONS"),
            (False, True, "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ):
            with Harness(handlers.build(store, read_only, allow_delete)) as server:
                for method in ("POST", "PUT", "DELETE"):
                    client = server.connect()
                    if method in allowed:
                        assert client.get("/files/file").status == 200
                        continue
                    answer = send(client, method, "/files/file", b"x")
                    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    shared.assert_untouched()


# Conditions.


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_if_match_prevents_a_lost_update(shared: Shared, client: Client, method: str) -> None:
    stale = etag(client)
    (shared.path / "file").write_bytes(b"changed meanwhile")
    current = etag(client)
    before = open_descriptors()
    for tag in (stale, '"other"', f"W/{current}"):
        answer = send(client, method, "/files/file", b"lost", f"If-Match: {tag}")
        assert answer.status == 412
        assert answer.content == f"precondition failed: the file exists, with ETag {current}\n".encode()
        client = client.server.connect()
    assert (shared.path / "file").read_bytes() == b"changed meanwhile"
    assert open_descriptors() == before + 6  # both ends of three more connections
    answer = send(client, method, "/files/file", b"right", f"If-Match: {etag(client)}")
    assert answer.status in (201, 204)
    assert (shared.path / "file").exists() == (method != "DELETE")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_the_etag_of_a_compressed_download_is_compared(shared: Shared, client: Client, method: str) -> None:
    (shared.path / "page.txt").write_bytes(b"words " * 1000)
    stale = client.get("/files/page.txt", "Accept-Encoding: gzip").headers["etag"]
    (shared.path / "page.txt").write_bytes(b"other words " * 1000)
    answer = client.get("/files/page.txt", "Accept-Encoding: gzip")
    assert answer.headers["content-encoding"] == "gzip"
    tag = answer.headers["etag"]
    assert tag != etag(client, "/files/page.txt")
    for line in (f"If-Match: {stale}", f"If-Match: W/{tag}", f"If-None-Match: {tag}"):
        assert send(client.server.connect(), method, "/files/page.txt", b"new", line).status == 412
    assert (shared.path / "page.txt").read_bytes() == b"other words " * 1000
    lines = ("If-Match: " + stale, "If-Match: " + tag)
    assert send(client, method, "/files/page.txt", b"new", *lines).status in (201, 204)
    assert (shared.path / "page.txt").exists() == (method != "DELETE")


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_if_none_match_never_replaces_a_file(shared: Shared, client: Client, method: str) -> None:
    assert send(client, method, "/files/new", b"1", "If-None-Match: *").status == 201
    assert send(client, method, "/files/new", b"2", "If-None-Match: *").status == 412
    assert (shared.path / "new").read_bytes() == b"1"


def test_if_match_of_a_missing_file_is_412(shared: Shared, client: Client) -> None:
    assert send(client, "PUT", "/files/new", b"1", "If-Match: *").status == 412
    shared.assert_untouched()


def test_a_failed_condition_is_answered_before_the_body(shared: Shared, client: Client) -> None:
    client.send(
        b"PUT /files/file HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        b"Expect: 100-continue\r\nIf-None-Match: *\r\n\r\n"
    )
    client.assert_responds(412)
    shared.assert_untouched()


def test_an_upload_that_cannot_begin_closes_its_directory(client: Client) -> None:
    with no_descriptor_leaks():
        other = client.server.connect()
        assert send(other, "PUT", "/files/below/file", b"", "If-None-Match: *").status == 412
        other.close()


def test_a_condition_is_checked_again_before_replacing(shared: Shared, client: Client) -> None:
    """Two clients create the same name concurrently: the first to complete wins."""
    head = b"PUT /files/new HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nIf-None-Match: *\r\n\r\n"
    one, two = client.server.connect(), client.server.connect()
    one.send(head + b"1")
    two.send(head + b"2")
    two.send(b"2")
    two.assert_responds(201)
    one.send(b"1")
    one.assert_responds(412)
    assert shared.files() == {**shared.original_files, "new": b"22"}


def test_a_change_during_an_upload_is_not_lost(shared: Shared, client: Client) -> None:
    tag = etag(client)
    client.send(
        f"PUT /files/file HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nIf-Match: {tag}\r\n\r\n1".encode()
    )
    (shared.path / "file").write_bytes(b"theirs")
    client.send(b"1")
    client.assert_responds(412)
    assert shared.files() == {**shared.original_files, "file": b"theirs"}


@pytest.mark.parametrize(
    ("line", "status", "kept"),
    [
        ("If-None-Match: *", 412, b"theirs"),
        ("If-Unmodified-Since: Fri, 31 Dec 2100 23:59:59 GMT", 201, b"ours"),  # theirs is older
    ],
)
@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_another_process_creates_at_the_last_moment_is_checked(
    shared: Shared,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    has_links: bool,
    line: str,
    status: int,
    kept: bytes,
) -> None:
    link, rename = os.link, os.rename

    def link_after_them(*arguments: Any, **more: Any) -> None:
        (shared.path / "new").write_bytes(b"theirs")
        if not has_links:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        link(*arguments, **more)

    def rename_after_them(*arguments: Any, **more: Any) -> None:
        (shared.path / "new").write_bytes(b"theirs")
        rename(*arguments, **more)

    monkeypatch.setattr(os, "link", link_after_them)
    monkeypatch.setattr(os, "rename", rename_after_them)
    with no_descriptor_leaks():
        other = client.server.connect()
        assert send(other, "PUT", "/files/new", b"ours", line).status == status
        other.close()
    assert shared.files() == {**shared.original_files, "new": kept}


# Unsupported representations.


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_upload_with_content_range_is_refused(shared: Shared, client: Client, method: str) -> None:
    assert send(client, method, "/files/file", b"x", "Content-Range: bytes 0-0/6").status == 400
    shared.assert_untouched()


def test_an_upload_with_content_encoding_is_refused(shared: Shared, client: Client) -> None:
    answer = send(client, "PUT", "/files/file", b"x", "Content-Encoding: gzip")
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "identity")
    shared.assert_untouched()
    client = client.server.connect()
    assert send(client, "PUT", "/files/file", b"x", "Content-Encoding: identity").status == 204


# Digests.


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return base64.b64encode(hashlib.new(algorithm, content).digest()).decode()


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    "field",
    [
        f"sha-256=:{digest(b'content')}:",
        f"sha-512=:{digest(b'content', 'sha512')}:",
        f"md5=:AAAA:, sha-256=:{digest(b'content')}:,sha-512=:{digest(b'content', 'sha512')}:;x=1",
        f"sha-256=:{digest(b'content').rstrip('=')}:",
        f'unixsum="1, sha-256=:AAAA:" , sha-256=:{digest(b"content")}:; a="?, x"',
        f"crc32c=(1 2);a, sha-256=:{digest(b'content')}:",
        f"sha-256=:{digest(b'other')}:, sha-256=:{digest(b'content')}:",
        "unixsum=1",
        "sha-256x=:AAAA:",
        "!",
    ],
)
def test_a_matching_digest_is_accepted(client: Client, method: str, field: str) -> None:
    assert send(client, method, "/files/new", b"content", f"Repr-Digest: {field}").status == 201
    assert client.get("/files/new").content == b"content"


@pytest.mark.parametrize(
    "field",
    [
        f"sha-256=:{digest(b'other')}:",
        f"sha-256=:{digest(b'content')}:, sha-512=:{digest(b'other', 'sha512')}:",
        f"sha-256=:{digest(b'content')}:, sha-256=:{digest(b'other')}:",
        f"sha-256=:{digest(b'other').rstrip('=')}:;a=1",
    ],
)
def test_a_body_with_a_wrong_digest_is_not_stored(shared: Shared, client: Client, field: str) -> None:
    answer = send(client, "PUT", "/files/file", b"content", f"Repr-Digest: {field}")
    assert answer.status == 400
    assert b"Repr-Digest" in answer.content
    shared.assert_untouched()


@pytest.mark.parametrize(
    "field",
    [
        *("sha-256", "sha-256=", "sha-256=:AAAA:", "sha-256=:!:", "sha-256=AAAA", "sha-256=:A", "sha-256=::"),
        f"sha-256=:{digest(b'content!!')}: ;a",
        f"sha-256=:{digest(b'content!!')}:,",
        f"sha-256=:{digest(b'content!!')}==:",
        f"sha-256=({digest(b'content!!')})",
        f'sha-256="{digest(b"content!!")}"',
        f"md5=:!:, sha-256=:{digest(b'content!!')}:",
        *(f"SHA-256=:{digest(b'content!!')}:", f"sha-256 =:{digest(b'content!!')}:"),
    ],
)
def test_a_malformed_digest_is_refused_before_the_body(shared: Shared, client: Client, field: str) -> None:
    client.send(
        f"PUT /files/file HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nRepr-Digest: {field}\r\n\r\n".encode()
    )
    client.assert_responds(400)
    shared.assert_untouched()


def test_digests_of_unknown_algorithms_are_ignored() -> None:
    assert read_digests("crc32c=:AAAA:, id-sha-256=:AAAA:,") == {}
    with pytest.raises(HTTPError):
        read_digests("sha-256=:AAAA:")


def test_a_digest_is_checked_however_the_body_is_split(shared: Shared, client: Client) -> None:
    content = os.urandom(300_000)
    head = f"PUT /files/new HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
    client.send(f"{head}Repr-Digest: sha-256=:{digest(content)}:\r\n\r\n".encode())
    for start in range(0, len(content), 70_001):
        client.send(content[start : start + 70_001])
    client.assert_responds(201)
    assert (shared.path / "new").read_bytes() == content


def test_an_upload_is_dated_at_its_end(shared: Shared, client: Client) -> None:
    client.send(b"PUT /files/file HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    [file] = open_uploads(shared.path)
    os.utime(file, (1000, 1000))  # as if its data had arrived long ago
    client.send(b"0\r\n\r\n")
    client.assert_responds(204)
    assert (shared.path / "file").stat().st_mtime > 1_700_000_000
