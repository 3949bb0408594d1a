"""Targets as browsers send them: accepted as received, percent-encoded in every Location."""

from contextlib import closing

import pytest

from reactor import handlers
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, post, request

RAW, ENCODED = "a[1]|^", "a%5B1%5D%7C%5E"


def test_a_raw_path_names_the_same_file_as_an_encoded_one(shared: Shared, client: Client) -> None:
    (shared.path / RAW).write_bytes(b"raw")
    for target in (f"/files/{RAW}", f"/files/{ENCODED}", f"http://test/files/{RAW}"):
        assert client.get(target).content == b"raw"


@pytest.mark.parametrize("target", [f"/files/{RAW}", f"http://test/files/{RAW}?[]|^{{}}\\`"])
def test_the_location_of_an_upload_is_percent_encoded(shared: Shared, client: Client, target: str) -> None:
    answer = post(client, target, b"new")
    assert (answer.status, answer.headers["location"]) == (201, f"/files/{ENCODED}")
    assert (shared.path / RAW).read_bytes() == b"new"
    assert client.get(answer.headers["location"]).content == b"new"


def test_the_location_of_a_directory_is_percent_encoded(shared: Shared, client: Client) -> None:
    (shared.path / RAW).mkdir()
    answer = request(client, "GET", f"/files/{RAW}?a[]|^{{}}\\`%5b")
    location = f"./{ENCODED}/?a%5B%5D%7C%5E%7B%7D%5C%60%5b"
    assert (answer.status, answer.headers["location"]) == (301, location)
    answer = request(client, "GET", "/files?{}")
    assert (answer.status, answer.headers["location"]) == (301, "./files/?%7B%7D")


def test_the_location_of_a_complete_resumable_upload_is_percent_encoded(shared: Shared) -> None:
    with closing(Store(shared.path)) as store, Harness(handlers.build(store, resumable=100)) as server:
        client = server.connect()
        head = f"PUT /files/{RAW} HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nUpload-Complete: ?1\r\n\r\n"
        client.send(head.encode() + b"new")
        answer = client.responses("PUT")[-1]  # an interim response may come first
    assert (answer.status, answer.headers["location"]) == (201, f"/files/{ENCODED}")
    assert (shared.path / RAW).read_bytes() == b"new"
