"""Every request of the corpus over a real connection: what is refused, what is served, what it is read as."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reactor.handlers.files.store import Store
from reactor.http11.message import Params, Request, Response
from reactor.routing import Route, Router, buffered
from tests.conformance.corpus.build import read_corpus, write_files
from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.replay import Delivery, Outcome, check_outcome, cut, deliveries, read_replies
from tests.support.in_process import Harness
from tests.support.requests import connect_tcp

CORPUS = read_corpus()
VALID = [entry for entry in CORPUS if entry.request is not None]
INVALID = [entry for entry in CORPUS if entry.request is None]


def ids(entries: list[Entry]) -> list[object]:
    """Make a parametrize table, each row with its name."""
    return [pytest.param(entry, id=f"{entry.directory}/{entry.name}") for entry in entries]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty directory; each test that lets something be stored there takes it out again."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[Store]:
    """Share the directory."""
    store = Store(folder)
    yield store
    store.close()


class Recorder(Router):
    """Routes that take any request with its content, and keep it."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def resolve(self, method: str, segments: Sequence[str]) -> tuple[Route, Params]:
        """Return a route that keeps the request."""
        return Route("", self._keep, buffered(1 << 20)), {}

    def _keep(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(200, request.target.segments[-1].encode() if request.target.segments else b"")


def exchange(server: Harness, entry: Entry, delivery: Delivery) -> Outcome:
    """Deliver an entry over a connection of its own, which must be closed afterwards; return what came."""
    client = connect_tcp(server) if delivery.canary else server.connect()
    for piece in delivery.pieces:
        client.send(piece)
    client.read()
    ended, data = client.closed, client.received
    if not client.was_reset:
        client.half_close()
    replies, rest = read_replies(data, entry.method, ended)
    # Nothing more may come: there is nothing left to answer.
    outcome = Outcome(replies, rest + client.read(), ended, client.was_reset)
    client.sock.close()
    assert not server.context.connections
    return outcome


def test_the_corpus_has_two_files_per_entry(tmp_path: Path) -> None:
    assert write_files(tmp_path) == 2 * len(CORPUS)
    for entry in CORPUS:
        path = tmp_path / entry.directory / entry.name
        assert path.with_suffix(".http").read_bytes() == entry.data
        described = json.loads(path.with_suffix(".json").read_bytes())
        assert described["status"] == (entry.status or "closing")
        assert ("request" in described) == (entry.request is not None)


def test_the_corpus_is_large_and_has_no_duplicates() -> None:
    assert len(VALID) >= 150
    assert len(INVALID) >= 250
    assert len({entry.data for entry in CORPUS}) == len(CORPUS)
    for entry in CORPUS:
        assert entry.rfc.startswith("RFC "), entry.name
        assert entry.why.endswith(".") == (entry.request is None), entry.name


@pytest.mark.parametrize("entry", ids(CORPUS))
def test_a_request_is_answered_as_expected(entry: Entry, shared: Store, folder: Path) -> None:
    # One server for all ways: what the first leaves in its caches is there for the others.
    with Harness(store=shared) as server:
        for delivery in deliveries(entry):
            outcome = exchange(server, entry, delivery)
            judgement = check_outcome(entry, delivery.canary, outcome)
            assert judgement == ([], []), (delivery.way, entry.why, outcome)
            assert pop_files(folder) == expected_files(entry), delivery.way


@pytest.mark.parametrize("seed", range(2))
def test_requests_do_not_affect_each_other(seed: int, shared: Store, folder: Path) -> None:
    source = random.Random(seed)
    entries = source.sample(CORPUS, len(CORPUS))
    with Harness(store=shared) as server:
        for entry in entries:
            delivery = source.choice([delivery for delivery in deliveries(entry) if delivery.way != "single"])
            judgement = check_outcome(entry, delivery.canary, exchange(server, entry, delivery))
            assert judgement == ([], []), (entry.name, delivery.way)
            assert pop_files(folder) == expected_files(entry), entry.name


def pop_files(folder: Path) -> dict[str, bytes]:
    """Return what is stored, and remove it."""
    paths = list(folder.iterdir())
    stored = {path.name: path.read_bytes() for path in paths}
    for path in paths:
        path.unlink()
    return stored


def expected_files(entry: Entry) -> dict[str, bytes]:
    """Return what an entry leaves in the shared directory: an upload whole, or nothing."""
    if entry.request is None or entry.status != 201:
        return {}
    return {entry.request.segments[-1]: entry.request.content.encode("latin-1")}


@pytest.mark.parametrize("entry", ids(VALID))
def test_a_request_is_parsed_as_expected(entry: Entry) -> None:
    assert entry.request is not None
    for size in (len(entry.data), 1):
        routes = Recorder()
        with Harness(routes) as server:
            delivery = Delivery(f"pieces of {size}", cut(entry.data, size))
            outcome = exchange(server, entry, delivery)
        assert [reply.status for reply in outcome.replies] == [200]
        assert outcome.ended == (not entry.request.keep_alive)
        assert [mismatches(request, entry) for request in routes.requests] == [[]]


def mismatches(request: Request, entry: Entry) -> list[str]:
    """Describe how a request differs from its entry."""
    parsed = entry.request
    assert parsed is not None
    pairs = {
        "method": (request.method, parsed.method),
        "segments": (request.target.segments, parsed.segments),
        "query": (request.query, parsed.query),
        "content": (request.content, parsed.content.encode("latin-1")),
        "keep_alive": (request.head.keep_alive, parsed.keep_alive),
    }
    for name, value in parsed.headers.items():
        pairs[name] = (request.headers.get(name), value)
    return [
        f"{name}: {read!r} is not {expected!r}"
        for name, (read, expected) in pairs.items()
        if read != expected
    ]
