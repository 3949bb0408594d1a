"""Responses made of files, and routes of directories: the same as ``/files``, by public names."""

import gc
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reactor import JSONValue, Request, Response, Router, basic_auth, handlers
from reactor.application import AuthRouter
from reactor.handlers.files.any_file import AnyFile
from reactor.handlers.files.media_types import guess
from reactor.handlers.files.store import MAX_COMPRESSIONS, Store
from tests.support.in_process import Answer, Client, Harness
from tests.unit.handlers.files.shared import open_descriptors, request

TEXT = b"text\n" * 1000
LARGE = bytes(range(251)) * 4000  # too large for the cache of a store
WRITTEN = 1_600_000_000
CONTENTS = {"a.txt": TEXT, "large.html": LARGE, "image.png": LARGE, "README": b"", "gr\xfcn.json": b"{}"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with files, and others that must not be served."""
    path = tmp_path / "assets"
    (path / "below").mkdir(parents=True)
    for name, content in CONTENTS.items():
        (path / name).write_bytes(content)
        os.utime(path / name, (WRITTEN, WRITTEN))
    (path / "below" / "a.txt").write_bytes(b"below")
    (path / ".hidden").write_bytes(b"hidden")
    (tmp_path / "outside").write_bytes(b"outside")
    (path / "link").symlink_to(tmp_path / "outside")
    return path


def routes_of(directory: Path) -> Router:
    """Return an application that serves a directory, and the same files one by one."""
    routes = Router()
    routes.static("/assets", directory)

    @routes.get("/file/{name...}")
    def file(request: Request) -> Response:
        return Response.file(directory / request.params["name"], request)

    return routes


@pytest.fixture
def clients(directory: Path) -> Iterator[tuple[Client, Client]]:
    """Return a client of the application, and one of the server of ``/files`` with the same types."""
    with (
        closing(Store(directory, media_type=guess)) as store,
        Harness(store=store) as files,
        Harness(routes_of(directory)) as application,
    ):
        yield application.connect(), files.connect()


def etag_of(client: Client, name: str) -> str:
    return request(client, "HEAD", f"/files/{name}").headers["etag"]


@pytest.mark.parametrize(
    "name", ["a.txt", "large.html", "image.png", "README", "gr%C3%BCn.json", "below/a.txt"]
)
@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Range: bytes=1-3",),
        ("Range: bytes=-2",),
        ("Range: bytes=2000000-",),
        ("Range: bytes=0-0", "If-Range: {etag}"),
        ('If-None-Match: "x"',),
        ("If-None-Match: {etag}",),
        ("If-None-Match: {etag}", "Accept-Encoding: gzip"),
        ('If-Match: "x"',),
        ("If-Modified-Since: Sun, 13 Sep 2020 12:26:40 GMT",),
        ("If-Unmodified-Since: Sun, 13 Sep 2020 12:26:39 GMT",),
        ("Accept-Encoding: gzip",),
        ("Accept-Encoding: gzip", "Range: bytes=0-9"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_files_are_sent_as_files_has_them(
    clients: tuple[Client, Client], name: str, lines: tuple[str, ...], method: str
) -> None:
    application, files = clients
    filled = [line.format(etag=etag_of(files, name)) for line in lines]
    expected = request(files, method, f"/files/{name}", *filled)
    assert expected.status in (200, 206, 304, 412, 416)
    for prefix in ("/assets", "/file"):
        assert request(application, method, f"{prefix}/{name}", *filled) == expected, prefix


def test_several_ranges_are_sent(clients: tuple[Client, Client]) -> None:
    for prefix in ("/assets", "/file"):
        answer = request(clients[0], "GET", f"{prefix}/a.txt", "Range: bytes=0-1,-2")
        assert (answer.status, answer.content.count(b"Content-Type: text/plain")) == (206, 2)
        assert answer.headers["content-type"].startswith("multipart/byteranges")


@pytest.mark.parametrize("name", ["", "none", "none/", "below", "below/", "a.txt/x", "a" * 300, ".", ".."])
def test_what_is_no_file_is_404(clients: tuple[Client, Client], name: str) -> None:
    for prefix in ("/assets/", "/file/"):
        assert request(clients[0], "GET", prefix + name).status == 404
    assert request(clients[0], "GET", "/assets").status == 404


@pytest.mark.parametrize(
    "name", [".hidden", "link", "../outside", "%2E%2E/outside", "..%2Foutside", "below%5Ca.txt"]
)
def test_a_directory_has_only_its_visible_files(clients: tuple[Client, Client], name: str) -> None:
    assert request(clients[0], "GET", f"/assets/{name}").status == 404


def test_a_directory_cannot_be_changed(clients: tuple[Client, Client]) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = request(clients[0], method, "/assets/a.txt", "Content-Length: 0")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("/assets", "/assets/a.txt"),
        ("/assets/", "/assets/a.txt"),
        ("/a/b", "/a/b/below/a.txt"),
        ("/", "/a.txt"),
        ("/", "/below/a.txt"),
    ],
)
def test_a_prefix_with_and_without_a_slash_is_the_same(directory: Path, prefix: str, path: str) -> None:
    routes = Router()
    routes.static(prefix, str(directory))
    with Harness(routes) as server:
        client = server.connect()
        assert client.get(path).content in (TEXT, b"below")
        assert request(client, "GET", "/").status == request(client, "GET", "/b/a.txt").status == 404


@pytest.mark.parametrize("prefix", ["", "assets", "/{a", "/{a}/{a}", "/{a...}"])
def test_an_invalid_prefix_is_refused(directory: Path, prefix: str) -> None:
    gc.collect()
    before = open_descriptors()
    with pytest.raises(ValueError, match="invalid p"):
        Router().static(prefix, directory)
    gc.collect()
    assert open_descriptors() == before


def test_what_is_no_directory_is_refused_by_name(directory: Path) -> None:
    os.mkfifo(directory / "fifo")
    gc.collect()
    before = open_descriptors()
    for name, expected in (("none", FileNotFoundError), ("a.txt", NotADirectoryError), ("fifo", OSError)):
        with pytest.raises(expected) as caught:
            Router().static("/assets", directory / name)
        assert str(directory / name) in str(caught.value)
    assert open_descriptors() == before


def test_a_directory_is_closed_with_its_router(directory: Path) -> None:
    gc.collect()
    before = open_descriptors()
    routes = routes_of(directory)
    routes.static("/other", directory)
    assert open_descriptors() == before + 2
    del routes
    gc.collect()
    assert open_descriptors() == before


def test_a_router_with_passwords_serves_a_directory(directory: Path) -> None:
    routes = AuthRouter(basic_auth.digest("anna:secret"))
    routes.static("/assets", directory)
    with Harness(routes) as server:
        client = server.connect()
        assert request(client, "GET", "/assets/a.txt").status == 401
        assert client.get("/assets/a.txt", "Authorization: Basic YW5uYTpzZWNyZXQ=").content == TEXT


# One file.


def ask(path: str | Path, *lines: str, headers: dict[str, str] | tuple[tuple[str, str], ...] = ()) -> Answer:
    routes = Router()
    routes.get("/")(lambda request: Response.file(path, request, headers))
    gc.collect()  # routers of other tests
    before = open_descriptors()
    with Harness(routes) as server:
        answer = request(server.connect(), "GET", "/", *lines)
    assert open_descriptors() == before
    return answer


def test_a_link_to_a_file_is_followed(directory: Path) -> None:
    assert ask(directory / "link").content == b"outside"
    assert ask(f"{directory}/../outside").content == b"outside"


def test_a_relative_path_is_relative_to_the_current_directory(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(directory)
    assert ask("below/a.txt").content == b"below"


def test_headers_are_added_and_replace_the_type(directory: Path) -> None:
    path, extra = directory / "a.txt", {"content-type": "text/x-log", "Cache-Control": "max-age=60"}
    answer = ask(path, headers=extra)
    assert answer.headers["content-type"] == "text/x-log"
    assert answer.headers["cache-control"] == "max-age=60"
    unchanged = ask(path, f"If-None-Match: {answer.headers['etag']}", headers=extra)
    assert (unchanged.status, unchanged.headers["cache-control"]) == (304, "max-age=60")
    parts = ask(path, "Range: bytes=0-1,9-9", headers=tuple(extra.items()))
    assert parts.headers["content-type"].startswith("multipart/byteranges")
    own = ask(path, headers={"ETag": '"own"', "vary": "Cookie"})
    assert own.headers["etag"] == '"own"'
    assert {"Accept-Encoding", "Cookie"} >= set(own.headers["vary"].split(", ")) >= {"Cookie"}
    assert parts.content.count(b"Content-Type: text/x-log") == 2


def test_a_response_of_a_subclass_has_its_class(directory: Path) -> None:
    class Own(Response):
        pass

    routes = Router()
    made: list[Response] = []

    @routes.get("/")
    def answer(request: Request) -> Own:
        response = Own.file(directory / "a.txt", request)
        made.append(response)
        return response

    with Harness(routes) as server:
        assert server.connect().get("/").content == TEXT
    assert type(made[0]) is Own


def test_compressions_are_limited(directory: Path) -> None:
    for _ in range(MAX_COMPRESSIONS):
        assert AnyFile.compressions.acquire(blocking=False)
    try:
        assert "content-encoding" not in ask(directory / "a.txt", "Accept-Encoding: gzip").headers
        AnyFile.compressions.release()
        for _ in range(2):
            answer = ask(directory / "a.txt", "Accept-Encoding: gzip")
            assert answer.headers["content-encoding"] == "gzip"
        assert AnyFile.compressions.acquire(blocking=False)
    finally:
        for _ in range(MAX_COMPRESSIONS):
            AnyFile.compressions.release()


def test_the_vocabulary_is_that_of_the_handlers() -> None:
    routes = Router()
    assert handlers.build(routes=routes) is routes

    @routes.post("/orders")
    def order(request: Request) -> Response:
        value: JSONValue = request.json()
        if not isinstance(value, dict) or not isinstance(value.get("count"), int):
            return Response.error(400, "count must be an integer")
        return Response.json(value, 201)

    with Harness(routes) as server:
        client = server.connect()
        for content, status in ((b'{"count":2}', 201), (b"[]", 400), (b"{", 400)):
            lines = ("Content-Type: application/json", f"Content-Length: {len(content)}")
            assert request(client, "POST", "/orders", *lines, content=content).status == status
