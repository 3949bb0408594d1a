"""The number of entries that listings hold in memory is limited; the others are listed, but not sorted."""

import json
import resource
from collections.abc import Iterator

import pytest

from reactor.handlers.files import listing
from reactor.handlers.files.directory import Entry
from reactor.handlers.files.listing import EntryBudget, list_directory
from reactor.http11.headers import Headers
from reactor.http11.message import Head, Request
from reactor.http11.target import Target
from tests.support.in_process import Harness
from tests.unit.handlers.files.shared import request


class Batches:
    """A directory of ``count`` unsorted entries, in batches of ten."""

    def __init__(self, count: int) -> None:
        self.names = [f"n{number * 7919 % count:05d}" for number in range(count)]
        self.read = 0

    def __iter__(self) -> Iterator[list[Entry]]:
        for start in range(0, len(self.names), 10):
            batch = self.names[start : start + 10]
            self.read += len(batch)
            yield [Entry(name, False, 1, 0) for name in batch]

    def close(self) -> None:
        """Do nothing."""


def listed(batches: Batches, budget: EntryBudget, accept: str = "text/plain") -> Iterator[bytes]:
    headers = Headers([("accept", accept, "Accept")])
    request = Request("GET", Target("/files/", ("files", "")), Head(1), headers)
    content = list_directory(request, "/files/", batches, False, budget).content
    assert isinstance(content, Iterator)
    return content


def test_the_memory_of_a_listing_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_SORTED", 50)
    batches, budget = Batches(200), EntryBudget()
    data = b""
    for piece in listed(batches, budget):
        assert budget.used <= 50
        data += piece
    assert budget.used == 0
    names = data.decode().partition("\n\n")[0].split()
    assert sorted(names) == sorted(batches.names)
    assert names[:50] == sorted(batches.names[:50])


NOTE = "Only 50 of 1,200 entries are sorted; the others follow in groups."


@pytest.mark.parametrize("accept", ["text/plain", "text/html", "application/json"])
@pytest.mark.parametrize(("count", "is_cut"), [(0, False), (50, False), (1200, True)])
def test_an_incompletely_sorted_listing_is_marked(
    monkeypatch: pytest.MonkeyPatch, accept: str, count: int, is_cut: bool
) -> None:
    monkeypatch.setattr(listing, "MAX_SORTED", 50)
    text = b"".join(listed(Batches(count), EntryBudget(), accept)).decode()
    if accept == "application/json":
        read = json.loads(text)
        assert (len(read["entries"]), read["sorted_entries"]) == (count, min(count, 50))
    elif accept == "text/html":
        assert (f'<p id="order">{NOTE}<' in text) is ('<p id="order">' in text) is is_cut
    else:
        assert text.endswith(f"\n\n{NOTE}\n") is is_cut
        assert (" " in text) is is_cut


def test_the_memory_of_all_listings_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_HELD", 100)
    budget = EntryBudget()
    several = [listed(Batches(70), budget) for _ in range(5)]
    for each in several:
        for _ in range(6):
            next(each)
            assert budget.used < 100 + 10
    assert budget.used >= 100
    for each in several:
        for _ in each:
            pass
    assert budget.used == 0


def test_an_aborted_listing_frees_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = EntryBudget()
    one, other = listed(Batches(70), budget), listed(Batches(70), budget)
    for _ in range(4):
        next(one)
    assert budget.used == 30
    for each in (one, other):
        each.close()  # type: ignore[attr-defined]
    assert budget.used == 0


def test_too_many_directories_that_are_read_are_503(server: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (7, 7))
    assert request(server.connect(), "GET", "/files/").status == 503
    assert request(server.connect(), "GET", "/files/file").status == 200
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 8))
    for _ in range(3):
        assert request(server.connect(), "GET", "/files/").status == 200
