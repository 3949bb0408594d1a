"""The notes service: requests and the responses that a client of it relies on."""

import signal
from collections.abc import Iterator

import pytest

from reactor.testing import Client
from tests.applications.notes import notes, routes
from tests.support.process import ServerProcess

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client() -> Iterator[Client]:
    notes.clear()
    with Client(routes) as client:
        yield client


def test_a_note_is_created_shown_replaced_and_deleted(client: Client) -> None:
    created = client.post("/notes", json={"title": "Shopping", "tags": ["home"]})
    path = created.headers["location"]
    note = {"id": path.removeprefix("/notes/"), "title": "Shopping", "tags": ["home"]}
    assert (created.status, created.json()) == (201, note)
    assert client.get(path).json() == note
    assert client.put(path, json={"title": "Café"}).json() == {**note, "title": "Café", "tags": []}
    assert client.get(path).json()["title"] == "Café"
    assert (client.delete(path).status, client.delete(path).status, client.get(path).status) == (
        204,
        404,
        404,
    )


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["a", "b", "c"]),
        ("?tag=x", ["a", "b"]),
        ("?tag=x&tag=y", ["b"]),
        ("?tag=b%C3%BCro", ["c"]),
        ("?tag=none", []),
    ],
)
def test_the_list_is_filtered_by_all_tags(client: Client, query: str, titles: list[str]) -> None:
    for title, tags in {"a": ["x"], "b": ["x", "y"], "c": ["büro"]}.items():
        client.post("/notes", json={"title": title, "tags": tags})
    assert [note["title"] for note in client.get(f"/notes{query}").json()] == titles


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("content", "headers", "status", "error"),
    [
        (b"[1]", JSON, 422, "expected an object with a title"),
        (b"{}", JSON, 422, "expected an object with a title"),
        (b'{"title": 7}', JSON, 422, "title: expected a text that is not empty"),
        (b'{"title": " "}', JSON, 422, "title: expected a text that is not empty"),
        (b'{"title": "a", "tags": "x"}', JSON, 422, "tags: expected a list of texts"),
        (b'{"title": "a", "tags": ["x", 1]}', JSON, 422, "tags: expected a list of texts"),
        (b'{"title": "a"', JSON, 400, "invalid JSON: "),
        (b'{"title": "\xff"}', JSON, 400, "invalid JSON: not UTF-8"),
        (b"", JSON, 400, "empty request body"),
        (b"title=a", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported type: "),
        (b'{"title": "a"}', {}, 415, "missing Content-Type"),
        (b"[" + b" " * (1 << 20) + b"]", JSON, 413, "request body exceeds 1 MiB"),
    ],
)
def test_invalid_notes_are_refused(
    client: Client, method: str, content: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    path = client.post("/notes", json={"title": "kept"}).headers["location"] if method == "PUT" else "/notes"
    before = client.get("/notes").json()
    response = client.request(method, path, content=content, headers=headers)
    assert (response.status, response.headers["content-type"]) == (status, "application/json")
    assert response.json()["error"].startswith(error)
    assert client.get("/notes").json() == before


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/notes/x", 404, None),
        ("PUT", "/notes/0", 404, None),
        ("DELETE", "/notes", 405, "GET, HEAD, POST, OPTIONS"),
        ("POST", "/notes/0", 405, "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("BREW", "/notes", 501, None),
    ],
)
def test_errors_are_json_for_browsers_too(
    client: Client, method: str, path: str, status: int, allow: str | None
) -> None:
    response = client.request(method, path, headers={"Accept": "text/html, */*;q=0.8"})
    assert (response.status, response.headers["allow"]) == (status, allow)
    assert list(response.json()) == ["error"]


def test_head_has_the_headers_of_get(client: Client) -> None:
    client.post("/notes", json={"title": "a"})
    head, get = client.head("/notes"), client.get("/notes")
    assert (head.status, head.content, head.headers["content-length"]) == (200, b"", str(len(get.content)))


@pytest.mark.system
def test_the_program_serves_until_ctrl_c() -> None:
    with ServerProcess("0", command=("-m", "tests.applications.notes")) as server:
        assert server.get("/notes").content == b"[]"
        server.send_signal(signal.SIGINT)
        assert server.exit_code() == 0
