"""Two runs are compared figure by figure; a difference within the range of rounds is a tie."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.results import compare
from benchmarks.results.samples import Run
from benchmarks.results.statistics import Figure
from benchmarks.results.units import SECONDS

BASE = Figure(1.0, 0.9, 1.1, 7)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Figure(1.05, 1.0, 1.2, 7), "+5 %, a tie"),
        (Figure(1.2, 0.95, 1.3, 7), "+20 %, a tie"),
        (Figure(1.2, 1.15, 1.3, 7), "+20 %"),
        (Figure(1.2, 1.05, 1.3, 7), "+20 %"),
        (Figure(0.5, 0.4, 0.6, 7), "-50 %"),
    ],
)
def test_a_median_within_the_others_spread_is_a_tie(other: Figure, words: str) -> None:
    assert compare.change(BASE, other) == words


def test_only_figures_that_both_have_are_compared() -> None:
    before = {"both": BASE, "gone": BASE, "other unit": BASE}
    after = {"both": BASE, "new": BASE, "other unit": replace(BASE, unit=SECONDS)}
    assert [line[0] for line in compare.table(before, after).lines] == ["both"]


def test_nothing_can_be_compared_with_nothing() -> None:
    assert compare.change(Figure(0, 0, 0, 7), BASE) == "from 0"


def run_files(run: Run, directory: Path) -> list[str]:
    """Save a run, and a copy with reactor half as fast."""
    paths = [directory / "a.json", directory / "b.json"]
    run.save(paths[0])
    slower = [
        replace(each, seconds=each.seconds * 2) if each.peer == "reactor" else each for each in run.samples
    ]
    Run(run.environment, run.peers, run.skipped, slower).save(paths[1])
    return [str(path) for path in paths]


def test_the_command_shows_the_change(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(run_files(run, tmp_path)) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("hot.floor ")]
    assert line.endswith("-50 %")
    assert "warning" not in out


def test_the_command_warns_of_another_machine(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = run_files(run, tmp_path)
    run.environment["cpu"] = "another"
    run.save(Path(second))
    assert compare.main([first, second]) == 0
    assert "warning: different machine" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid results file"),
        ("no JSON", "invalid results file"),
        ("{}", "invalid results file"),
        ("[]", "invalid results file"),
        ('{"format": 1, "peers": 3}', "invalid results file"),
        ('{"format": 99}', "unsupported format: 99 (supported: 2); measure again"),
        (None, "cannot read results file"),
    ],
)
def test_an_invalid_file_is_named(
    text: str | None, words: str, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, _ = run_files(run, tmp_path)
    broken = tmp_path / "broken.json"
    if text is not None:
        broken.write_text(text)
    with pytest.raises(SystemExit) as caught:
        compare.main([good, str(broken)])
    captured = capsys.readouterr()
    assert (caught.value.code, captured.out) == (2, "")
    assert "argument B.json: " in captured.err
    assert words in captured.err
    assert str(broken) in captured.err
