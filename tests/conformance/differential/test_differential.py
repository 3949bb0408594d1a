"""A short differential run with a fixed seed; and planted faults, to show that it sees them."""

import re
from collections.abc import Callable

import pytest

from reactor.http11 import framing, head, headers
from reactor.http11.chunked import ChunkedReader
from tests.conformance.differential.campaign import Campaign
from tests.conformance.differential.compare import DifferenceKind, differences
from tests.conformance.differential.disagreements import DISAGREEMENTS
from tests.conformance.differential.oracles import NAMES, oracle
from tests.conformance.differential.reading import End, Message, Reading
from tests.conformance.differential.translations import TRANSLATIONS

SEED = 1
CASES = 1500


def campaign(name: str) -> Campaign:
    pytest.importorskip(name, reason=f"{name} is not installed: pip install -e '.[dev]'")
    return Campaign([oracle(name)], SEED)


@pytest.mark.parametrize("name", NAMES)
def test_every_disagreement_is_listed(name: str) -> None:
    run = campaign(name)
    run.run(CASES)
    assert not run.unlisted, "\n".join(map(str, run.unlisted.values()))
    # It compared something, and not only what one of the two refused.
    assert run.cases == CASES
    assert run.accepted > CASES / 5
    assert run.agreed > CASES / 2


@pytest.mark.parametrize("name", NAMES)
def test_an_unlisted_disagreement_is_reported_with_bytes_and_seed(name: str) -> None:
    run = campaign(name)
    data = b"GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n\r\n"
    run.case_data = lambda case: data  # type: ignore[method-assign]
    run.run(1)
    assert not run.unlisted
    wrong = run._ours.read(data.replace(b"X: y", b"X: z"))
    run._ours.read = lambda data: wrong  # type: ignore[method-assign]
    run.run(1)
    (finding,) = run.unlisted.values()
    assert repr(data) in str(finding)
    assert "seed 1, case 1" in str(finding)


# Planted faults.


def _a_value_is_cut(patch: pytest.MonkeyPatch) -> None:
    find = headers._find_lines

    def cut(text: str) -> list[tuple[str, str]]:
        return [(name, value[:-1] if value.endswith("e") else value) for name, value in find(text)]

    patch.setattr(headers, "_find_lines", cut)


def _close_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(head, "_keeps_alive", lambda version, options: True)


def _a_chunk_is_lost(patch: pytest.MonkeyPatch) -> None:
    read = ChunkedReader.read

    def lossy(self: ChunkedReader, buffer: bytes, position: int) -> tuple[bytes, int]:
        data, position = read(self, buffer, position)
        return data[1:] if len(data) > 10 else data, position

    patch.setattr(ChunkedReader, "read", lossy)


def _a_length_may_not_begin_with_zero(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(framing, "is_content_length", re.compile("[1-9][0-9]*").fullmatch)


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (_a_value_is_cut, DifferenceKind.FIELDS),
        (_close_is_ignored, DifferenceKind.PERSISTENCE),
        (_a_chunk_is_lost, DifferenceKind.CONTENT),
        (_a_length_may_not_begin_with_zero, DifferenceKind.ONLY_WE_REFUSE),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_planted_fault_is_found(
    name: str,
    plant: Callable[[pytest.MonkeyPatch], None],
    kind: DifferenceKind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = campaign(name)
    plant(monkeypatch)
    run.run(CASES)
    assert kind in {finding.difference.kind for finding in run.unlisted.values()}


# The comparison itself, without an oracle.


def message(content: bytes | None = b"") -> Message:
    return Message("GET", "/", (("Host", "x"),), True, content)


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        (Reading((message(),), End.COMPLETE), None),
        (Reading((message()._replace(method="get"),), End.COMPLETE), DifferenceKind.METHOD),
        (Reading((message()._replace(target="/a"),), End.COMPLETE), DifferenceKind.TARGET),
        (Reading((message()._replace(fields=()),), End.COMPLETE), DifferenceKind.FIELDS),
        (Reading((message()._replace(keep_alive=False),), End.COMPLETE), DifferenceKind.PERSISTENCE),
        (Reading((message(b"x"),), End.COMPLETE), DifferenceKind.CONTENT),
        (Reading((message(None),), End.REFUSED), DifferenceKind.ONLY_THEY_REFUSE),
        (Reading((message(None),), End.WAITING), DifferenceKind.LENGTH),
        (Reading((message(),), End.REFUSED), DifferenceKind.ONLY_THEY_REFUSE),
        (Reading((message(),), End.WAITING), DifferenceKind.LENGTH),
        (Reading((), End.REFUSED), DifferenceKind.ONLY_THEY_REFUSE),
        (Reading((), End.WAITING), DifferenceKind.LENGTH),
        (Reading((message(), message()), End.COMPLETE), DifferenceKind.LENGTH),
        (Reading((message(),), End.STOPPED), None),
    ],
)
def test_each_kind_of_difference_is_detected(theirs: Reading, kind: DifferenceKind | None) -> None:
    ours = Reading((message(),), End.COMPLETE, starts=(0, 5))
    found = differences(b"abcdefg", "h11", ours, theirs, lambda oracle, our, their: their)
    assert [difference.kind for difference in found] == ([] if kind is None else [kind])


@pytest.mark.parametrize("row", [*TRANSLATIONS, *DISAGREEMENTS], ids=lambda row: row.name)
def test_every_row_cites_its_specification(row: object) -> None:
    assert "RFC " in row.specification  # type: ignore[attr-defined]
    assert row.oracles  # type: ignore[attr-defined]
