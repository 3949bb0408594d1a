"""A short run of the fuzzer with a fixed seed; and planted faults, to show that it finds them."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from reactor.http11 import framing, headers, target
from reactor.http11.cache import BoundedCache
from reactor.http11.errors import ProtocolError
from reactor.http11.head import HeadReader
from reactor.http11.message import Request
from reactor.http11.parser import Parser, Phase
from reactor.settings import Settings
from tests.fuzz import valid_messages
from tests.fuzz.campaign import Campaign, Finding
from tests.fuzz.minimise import minimise
from tests.fuzz.mutate import mutate
from tests.fuzz.property import ParserProperty
from tests.fuzz.surfaces import surfaces

SEED = 1


@pytest.mark.parametrize("name", surfaces())
def test_a_short_run_finds_nothing(name: str) -> None:
    campaign = Campaign([surfaces()[name]], SEED)
    campaign.run(300)
    assert campaign.cases[name] == 300
    assert not campaign.findings, "\n".join(map(str, campaign.findings.values()))


def test_cases_depend_only_on_the_seed() -> None:
    def cases(seed: int) -> list[bytes]:
        campaign = Campaign(surfaces().values(), seed)
        return [campaign.case_data(surface, case) for surface in campaign.surfaces for case in range(20)]

    assert cases(1) == cases(1)
    assert cases(1) != cases(2)


def test_valid_messages_are_accepted() -> None:
    check = ParserProperty(Settings())
    for case in range(300):
        outcome = check.deliver([valid_messages.stream(Random(f"valid/{case}"))], check.heads)
        assert outcome.requests
        assert outcome.end in ("IDLE", "ENDED")


def test_mutations_break_much_but_not_everything() -> None:
    check = ParserProperty(Settings())
    ends = set()
    for case in range(300):
        random = Random(f"mutated/{case}")
        outcome = check.deliver([mutate(random, valid_messages.stream(random))], check.heads)
        ends.add(outcome.end)
    assert {"IDLE", "ENDED", "HEAD", "CONTENT", "refused with 400"} <= ends


# Planted faults: each must be found in a few hundred cases.


def _another_exception(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(target, "_decoded_segments", lambda path: [path[path.index("%2") :]])


def _a_split_line_end_is_missed(patch: pytest.MonkeyPatch) -> None:
    wait = Parser._check_incomplete_head

    def too_far(self: Parser) -> None:
        wait(self)
        self._scanned = max(self._scanned, len(self._buffer))

    patch.setattr(Parser, "_check_incomplete_head", too_far)


def _a_reason_of_two_lines(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(headers, "_fault", lambda line: f"malformed:\n{line!r}")


def _a_status_that_is_not_an_error(patch: pytest.MonkeyPatch) -> None:
    def wrong_status(status: int, reason: str) -> ProtocolError:
        return ProtocolError(status - 200, reason)

    patch.setattr(framing, "ProtocolError", wrong_status)


def _a_cache_that_ignores_the_end(patch: pytest.MonkeyPatch) -> None:
    put = BoundedCache.put
    patch.setattr(BoundedCache, "put", lambda self, data, value: put(self, data[:20], value))
    patch.setattr(BoundedCache, "get", lambda self, data: dict.get(self, data[:20]))


def _a_parser_that_continues(patch: pytest.MonkeyPatch) -> None:
    next_request = Parser.next_request

    def continue_parsing(self: Parser) -> Request | None:
        try:
            return next_request(self)
        except ProtocolError:
            self.phase = Phase.HEAD
            raise

    patch.setattr(Parser, "next_request", continue_parsing)


def assert_finding(surface: str, words: str) -> None:
    """Fuzz a surface until there is a finding with these words."""
    campaign = Campaign([surfaces()[surface]], SEED)
    for _ in range(20):
        campaign.run(50)
        if any(re.search(words, finding.words) for finding in campaign.findings.values()):
            return
    raise AssertionError(f"not found in {campaign.cases.total()} cases: {list(campaign.findings.values())}")


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (_another_exception, "raises ValueError"),
        (_a_split_line_end_is_missed, "instead of whole"),
        (_a_reason_of_two_lines, "unprintable reason"),
        (_a_status_that_is_not_an_error, "which is not an error|invalid error status"),
        (_a_cache_that_ignores_the_end, "cached heads change the outcome"),
        (_a_parser_that_continues, "continues after a refusal|buffered"),
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert_finding("parser", words)


# Findings are minimised and saved.


def test_minimise_keeps_the_relevant_bytes() -> None:
    data = bytes(range(256)) * 4
    assert minimise(data, lambda data: b"\x07" in data and b"\xf0" in data) == b"\x07\xf0"
    assert minimise(b"xyz", lambda data: len(data) == 3) == b"aaa"
    assert minimise(b"xyz", lambda data: data == b"xyz") == b"xyz"


def test_minimise_stops_after_its_number_of_steps() -> None:
    tried: list[bytes] = []

    def never(data: bytes) -> bool:
        tried.append(data)
        return False

    assert minimise(b"x" * 1000, never, steps=50) == b"x" * 1000
    assert len(tried) == 50


def test_a_finding_is_printed_as_a_literal_and_saved(tmp_path: Path) -> None:
    finding = Finding("parser", 1, 7, "raises ValueError", b"G\0\xff\r\n")
    assert "b'G\\x00\\xff\\r\\n'" in str(finding)
    assert "seed 1, case 7" in str(finding)
    path = finding.save(tmp_path / "new")
    assert path.read_bytes() == finding.data
    assert path.suffix == ".http"


def test_cases_of_one_surface_share_a_head_cache() -> None:
    check = ParserProperty(Settings())
    for _ in range(4):  # frequent values are cached
        assert check.check(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") is None
    assert isinstance(check.heads, HeadReader)
    assert check.heads.heads
