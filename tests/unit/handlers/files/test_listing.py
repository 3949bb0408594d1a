"""Listings: content negotiation, order, the three formats, and names that need escaping."""

import errno
import gzip
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from reactor import handlers
from reactor.handlers.files.directory import Entry
from reactor.handlers.files.listing import Order, list_directory, natural_key, parse_order
from reactor.handlers.files.listing_html import POLICY, human_size
from reactor.handlers.files.paths import SharedRoot
from reactor.handlers.files.store import Store
from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request, Response
from reactor.http11.target import read_target
from tests.support.in_process import Answer, Client, Harness
from tests.unit.handlers.files.shared import Shared, open_descriptors, request

HTML = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
JSON = "Accept: application/json"
CURL = "User-Agent: curl/8.5.0"
HOSTILE = [
    '"><img src=x onerror=alert(1)>.txt',
    "'><script>alert(1)</script>".replace("/", "\u2044"),
    "&amp;&lt;b&gt;",
    "javascript:alert(1)",
    "a?b=c#d",
    "100%25 %2e%2e",
    "a\nb\r\x1b[31m",
    "\u202egpj.exe",
    "\u2028\x85",
    "$title ${rows} $$",
    "<!--<table>",
    '{"x": 1}',
    " a b ",
    "gr\u00fcn \U0001f600",
]


class Given:
    """In-memory batches that record whether they were closed."""

    def __init__(self, *batches: list[Entry]) -> None:
        self._batches = iter(batches)
        self.closed = 0

    def __iter__(self) -> Iterator[list[Entry]]:
        return self._batches

    def close(self) -> None:
        self.closed += 1


def entry(name: str, size: int = 0, modified: int = 0) -> Entry:
    return Entry(name.rstrip("/"), name.endswith("/"), size, modified)


def listed(
    given: Given, accept: str = "text/plain", query: str = "", path: str = "/files/", uploads: bool = True
) -> Response:
    headers = Headers([("accept", accept, "Accept")])
    target = read_target("GET", f"/files/?{query}".encode())
    return list_directory(Request("GET", target, Head(1), headers), path, given, uploads)


def written(*batches: list[Entry], accept: str = "text/plain", query: str = "", path: str = "/files/") -> str:
    content = listed(Given(*batches), accept, query, path).content
    return b"".join(content).decode()  # type: ignore[arg-type]


class Reader(HTMLParser):
    """A parser for a page: collects its tags, its links, and the text of each ``bdi``."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.names: list[str] = []
        self.title = ""
        self.sorted: dict[str, str] = {}
        self._in_name = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attributes)
        assert not any(name.startswith("on") or name == "style" for name in given)
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag == "th" and "aria-sort" in given:
            self.sorted[given["class"] or ""] = given["aria-sort"] or ""
        if tag == "bdi":
            self._in_name = True
            self.names.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_name = self._in_name and tag != "bdi"

    def handle_data(self, data: str) -> None:
        if self._in_name:
            self.names[-1] += data
        elif self.tags[-1:] == ["title"]:
            self.title += data


# Content negotiation.


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
    ],
)
def test_every_format_has_its_fields(accept: str, media: str) -> None:
    headers = dict(listed(Given(), accept).headers)
    assert headers["Content-Type"] == media
    assert headers["Vary"] == ("Accept, User-Agent" if accept == "*/*" else "Accept")
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


# Order.


def test_directories_come_first_and_names_sort_naturally() -> None:
    batches = ([entry("b10"), entry("Z/"), entry("B9")], [entry("a"), entry("y/")])
    assert written(*batches) == "y/\nZ/\na\nB9\nb10\n"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "dir/ a b c"),
        ("sort=name&order=asc", "dir/ a b c"),
        ("sort=name&order=desc", "dir/ c b a"),
        ("sort=size", "dir/ b c a"),
        ("sort=size&order=desc", "dir/ a c b"),
        ("sort=time&order=asc", "dir/ c a b"),
        ("order=desc&sort=time", "dir/ b a c"),
        ("sort=nothing&order=nothing", "dir/ a b c"),
        ("sort=size&sort=name", "dir/ a b c"),
        ("&".join(["sort=size"] * 1000), "dir/ a b c"),
        ("%ff=&==&;&sort", "dir/ a b c"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 9])
def test_the_query_selects_the_order(query: str, expected: str, size: int) -> None:
    entries = [entry("a", 3, 2), entry("dir/", 0, 9), entry("b", 1, 3), entry("c", 2, 1)]
    batches = [entries[start : start + size] for start in range(0, 4, size)]
    assert written(*batches, query=query).split() == expected.split()


def test_the_natural_order() -> None:
    names = ["a", "A1", "a2", "a02b", "a10", "a10b2", "a10b10", "\u00e4", "9" * 200 + "z"]
    expected = ["9" * 200 + "z", "a", "A1", "a2", "a02b", "a10", "a10b2", "a10b10", "\u00e4"]
    names.sort(key=natural_key)
    assert names == expected
    assert natural_key("File 10") > natural_key("file 9")
    assert parse_order("sort=size&order=desc") == Order("size", True)


# Formats.


def test_text_has_one_name_per_line() -> None:
    assert written([entry("below/"), entry("a b.txt")]) == "below/\na b.txt\n"
    assert written() == ""


def test_json_has_all_fields_of_an_entry() -> None:
    text = written([entry("a", 5, 1)], [entry("below/", 0, 2)], accept="application/json", path="/files/x/")
    assert json.loads(text) == {
        "path": "/files/x/",
        "entries": [
            {"name": "below", "type": "directory", "size": None, "modified": "1970-01-01T00:00:02Z"},
            {"name": "a", "type": "file", "size": 5, "modified": "1970-01-01T00:00:01Z"},
        ],
        "sorted_entries": 2,
    }
    assert json.loads(written(accept="application/json"))["entries"] == []


def test_html_has_names_sizes_and_times() -> None:
    page = written([entry("a", 1234, 0), entry("below/")], accept="text/html", path="/files/up/here/")
    reader = Reader(page)
    assert reader.names == ["files", "up", "here", "below", "a"]
    assert reader.links[:2] == ["../../", "../"]
    assert reader.links[-2:] == ["below/", "a"]
    assert '<data value="1234" title="1,234 bytes">1.2 kB</data>' in page
    assert '<time datetime="1970-01-01T00:00:00Z">1970-01-01 00:00</time>' in page
    assert "1 folder · 1 file · 1.2 kB" in page
    assert "This folder is empty" not in page


def test_an_empty_directory_is_reported() -> None:
    assert "This folder is empty" in written(accept="text/html")


@pytest.mark.parametrize(
    ("query", "state", "links"),
    [
        ("", {"name": "ascending"}, ["name desc", "size desc", "time desc"]),
        ("sort=name&order=desc", {"name": "descending"}, ["name asc", "size desc", "time desc"]),
        ("sort=size&order=desc", {"size": "descending"}, ["name asc", "size asc", "time desc"]),
        ("sort=time&order=asc", {"time": "ascending"}, ["name asc", "size desc", "time desc"]),
    ],
)
def test_column_heads_link_to_sort_orders(query: str, state: dict[str, str], links: list[str]) -> None:
    reader = Reader(written([entry("a")], accept="text/html", query=query))
    assert reader.sorted == state
    found = [re.fullmatch(r"\?sort=(\w+)&order=(\w+)", link) for link in reader.links[:3]]
    assert [f"{each[1]} {each[2]}" for each in found if each] == links


def test_only_a_writable_store_shows_the_upload_form() -> None:
    for uploads in (True, False):
        page = b"".join(listed(Given(), "text/html", uploads=uploads).content).decode()  # type: ignore[arg-type]
        assert ("form" in Reader(page).tags) is uploads
        assert ("Drop files" in page) is uploads


def test_the_policy_allows_only_the_page_itself() -> None:
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/]{43}='; connect-src 'self'; "
        r"style-src 'sha256-[\w+/]{43}='; "
        r"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; img-src data:",
        POLICY,
    )
    assert dict(listed(Given(), "text/html").headers)["Content-Security-Policy"] == POLICY
    page = written(accept="text/html")
    urls = re.findall(r"https?://[^'\"\s)]+", page)
    assert set(urls) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize(
    ("size", "text"), [(1, "1 B"), (9_949, "9.9 kB"), (9_950, "10 kB"), (10**30, "1000000000000 EB")]
)
def test_sizes_are_readable(size: int, text: str) -> None:
    assert human_size(size) == text


# Names that need escaping.


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("suffix", ["", "/"])
def test_names_are_escaped_in_every_format(name: str, suffix: str) -> None:
    path = f"/files/{name}/below/{name}/"
    batch = [entry(name + suffix)]
    plain = Reader(written([entry("plain" + suffix)], accept="text/html", path="/files/plain/below/plain/"))
    reader = Reader(written(batch, accept="text/html", path=path))
    assert reader.tags == plain.tags
    assert reader.title == path + "\n"
    assert reader.names == ["files", name, "below", name, name]
    link = reader.links[-1]
    assert re.fullmatch(r"(?:[0-9A-Za-z._~-]|%[0-9A-F]{2})+/?", link)
    assert unquote(link.removesuffix("/") if suffix else link) == name
    text = written(batch, accept="application/json", path=path)
    assert text.isascii()
    assert json.loads(text)["path"] == path
    assert [each["name"] for each in json.loads(text)["entries"]] == [name]
    lines = written(batch).splitlines()
    assert len(lines) == 1
    assert lines[0].isprintable()


# Steps.


def test_reading_sorting_and_writing_are_done_in_steps() -> None:
    batches = [[entry(f"{number}-{place}") for place in range(100)] for number in range(10)]
    steps: list[bytes] = list(listed(Given(*batches), "text/html").content)  # type: ignore[arg-type]
    assert steps[1:11] == [b""] * 10
    assert [each.count(b"<tr") for each in steps[11:]] == [128] * 7 + [104, 0]


@pytest.mark.parametrize("steps", [0, 1, 3, 100])
def test_closing_a_listing_closes_its_directory(steps: int) -> None:
    given = Given([entry("a")], [entry("b")])
    content = listed(given).content
    assert isinstance(content, Iterator)
    for _ in range(steps):
        next(content, None)
    content.close()  # type: ignore[union-attr]
    assert given.closed == 1


# Through the server.


def test_every_format_is_served(shared: Shared, client: Client) -> None:
    assert client.get("/files/", CURL).content == b"below/\nfile\n"
    assert client.get("/files/below/", CURL, "Accept: */*").content == b"file\n"
    assert client.get("/files/below/", "Accept: text/plain").content == b"file\n"
    assert [each["name"] for each in json.loads(client.get("/files/", JSON).content)["entries"]] == [
        "below",
        "file",
    ]
    answer = client.get("/files/?sort=size", HTML)
    assert Reader(answer.content.decode()).names == ["files", "below", "file"]
    assert answer.headers["content-security-policy"] == POLICY


@pytest.mark.parametrize("agent", ["Wget/1.21", "aria2/1.36", "python-requests/2.31.0", "x curl/8", ""])
@pytest.mark.parametrize("accept", ["Accept: */*", "Accept:", "X: 1"])
def test_a_client_without_a_preference_gets_html_unless_it_is_curl(
    client: Client, accept: str, agent: str
) -> None:
    answer = client.get("/files/", accept, f"User-Agent: {agent}")
    assert Reader(answer.content.decode()).names == ["files", "below", "file"]
    assert client.get("/files/", accept, CURL).content == b"below/\nfile\n"


@pytest.mark.parametrize("line", [HTML, JSON, "Accept: text/plain"])
def test_the_user_agent_does_not_matter_if_accept_decides(client: Client, line: str) -> None:
    answers = [client.get("/files/", line, agent) for agent in ("X: 1", CURL)]
    assert answers[0].content == answers[1].content


def test_a_listing_is_compressed_if_accepted(client: Client) -> None:
    plain = client.get("/files/", HTML)
    packed = client.get("/files/", HTML, "Accept-Encoding: gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content


def test_a_listing_of_many_batches_is_complete(shared: Shared, client: Client) -> None:
    for number in range(1000):
        (shared.path / "below" / str(number)).touch()
    names = [*map(str, range(1000)), "file"]
    for line in ("X: 1", "Accept-Encoding: gzip"):
        answer = client.get("/files/below/", CURL, line)
        content = gzip.decompress(answer.content) if "gzip" in line else answer.content
        assert content.decode().split() == names


def test_a_listing_does_not_block_other_clients(shared: Shared, server: Harness) -> None:
    for number in range(2000):
        (shared.path / "below" / str(number)).touch()
    lister, other = server.connect(), server.connect()
    lister.sock.send(b"GET /files/below/ HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n")
    other.sock.send(b"GET /files/file HTTP/1.1\r\nHost: test\r\n\r\n")
    server.reactor.turn()
    server.reactor.turn()
    assert other.sock.recv(1 << 16).endswith(b"inside")
    assert b"0\r\n\r\n" not in lister.sock.recv(1 << 16)
    lister.received = b""


@pytest.mark.parametrize("line", [HTML, JSON, "X: 1"])
def test_every_ending_closes_the_descriptors(shared: Shared, server: Harness, line: str) -> None:
    client = server.connect()
    before = open_descriptors()
    assert client.get("/files/", line).status == 200
    assert request(client, "HEAD", "/files/", line).status == 200
    assert request(client, "HEAD", "/files/", line, "Accept-Encoding: gzip").status == 200
    assert request(client, "HEAD", "/files/below").status == 301
    assert open_descriptors() == before
    other = server.connect()
    other.sock.send(f"GET /files/ HTTP/1.1\r\nHost: test\r\n{line}\r\n\r\n".encode())
    server.reactor.turn()
    assert open_descriptors() > before
    other.close()
    assert open_descriptors() == before


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/files", "./files/"),
        ("/files?sort=size", "./files/?sort=size"),
        ("/files/below", "./below/"),
        ("/files/below?sort=size&order=desc", "./below/?sort=size&order=desc"),
        ("/files/a%3Ab%20c%22", "./a%3Ab%20c%22/"),
        ("/files/a:b%20c%22", "./a:b%20c%22/"),
    ],
)
def test_a_directory_without_a_slash_is_301(shared: Shared, client: Client, path: str, location: str) -> None:
    (shared.path / 'a:b c"').mkdir()
    answer = request(client, "GET", path)
    assert (answer.status, answer.headers["location"]) == (301, location)


def test_a_directory_that_cannot_be_opened_now_is_not_404(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: SharedRoot, parts: list[bytes]) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(SharedRoot, "open_parts", fail)
    assert request(client, "GET", "/files/below").status == 503


def test_a_file_with_a_slash_and_a_hidden_directory_are_404(shared: Shared, client: Client) -> None:
    (shared.path / ".hidden").mkdir()
    for path in ("/files/file/", "/files/.hidden/", "/files/.hidden", "/files/missing/"):
        assert request(client, "GET", path).status == 404


def test_hidden_names_are_listed_if_shared(shared: Shared, hidden_store: Store, client: Client) -> None:
    (shared.path / ".hidden").touch()
    assert b".hidden" not in client.get("/files/", CURL).content
    with Harness(store=hidden_store) as server:
        assert b".hidden" in server.connect().get("/files/", CURL).content


def test_a_read_only_store_lists_without_an_upload_form(shared: Shared, store: Store) -> None:
    with Harness(handlers.build(store, read_only=True)) as server:
        answer: Answer = server.connect().get("/files/", HTML)
    assert "form" not in Reader(answer.content.decode()).tags
