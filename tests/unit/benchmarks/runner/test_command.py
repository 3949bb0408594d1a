"""The command line: usage errors, saved runs and exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

from benchmarks import __main__ as whole
from benchmarks.questions import QUESTIONS, question_module, question_text
from benchmarks.results import environment
from benchmarks.results.assertions import figures_help, parse_assertion
from benchmarks.results.samples import Run
from benchmarks.results.statistics import figures
from benchmarks.runner import command
from benchmarks.runner.config import Config, ShowProgress

Measure = Callable[[Config, Run, ShowProgress], None]


@pytest.fixture
def measure(run: Run) -> Measure:
    """Return a question that adds samples without measuring."""

    def measure(config: Config, into: Run, show_progress: ShowProgress) -> None:
        show_progress("measuring")
        into.peers.update(run.peers)
        into.samples += run.select(question="throughput")

    return measure


def alone(measure: Measure, *arguments: str) -> int:
    options = command.make_parser("benchmarks", "How fast?").parse_args(arguments)
    return command.run({"throughput": measure}, options, ["-m", "benchmarks", "throughput", *arguments])


def refused(measure: Measure, *arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        alone(measure, *arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_question_alone_shows_its_tables(measure: Measure, capsys: pytest.CaptureFixture[str]) -> None:
    assert alone(measure) == 0
    captured = capsys.readouterr()
    assert "throughput: hot" in captured.out
    assert "at least 0.70" in captured.out
    assert "Little's law" in captured.out
    assert "[1/1 throughput] starting" in captured.err


@pytest.mark.parametrize(
    ("expression", "code", "words"),
    [
        ("hot.floor>=0.1", 0, "assert hot.floor>=0.1: 0.71: PASS"),
        ("hot.floor >= 7", 1, "assert hot.floor>=7: 0.71: FAILED"),
        ("hot.floor<7e1", 0, "PASS"),
        ("hot.p99<=0.000001", 1, "FAILED"),
        ("file-4-KiB.nginx>=0", 1, "not measured: FAILED"),
    ],
)
def test_assertions(
    measure: Measure, expression: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert alone(measure, "--assert", expression) == code
    assert words in capsys.readouterr().out


def test_one_failed_assertion_fails_the_run(measure: Measure) -> None:
    assert alone(measure, "--assert", "hot.floor>=0.1", "--assert", "hot.floor>=9") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--assert", "hot.floor=0.7"],
        ["--assert", "hot.floor>=fast"],
        ["--assert", "hot.floor>=1.2.3"],
        ["--assert", "cold.floor>=0.7"],
        ["--assert", "hot.nobody>=0.7"],
        ["--assert", "concurrency-N.floor>=0.7"],
        ["--assert", ""],
        ["--rounds", "0"],
        ["--rounds", "1.5"],
        ["--seconds", "-1"],
        ["--seconds", "nan"],
        ["--peers", "apache"],
        ["--peers", ","],
        ["--workloads", "cold"],
        ["--json", "/"],
        ["--html", "/no/such/directory/report.html"],
    ],
    ids=" ".join,
)
def test_what_is_wrong_is_refused_before_anything_is_measured(arguments: list[str]) -> None:
    def never(config: Config, run: Run, show_progress: ShowProgress) -> None:
        raise AssertionError

    assert refused(never, *arguments) == 2


def test_the_options_make_the_plan() -> None:
    configs: list[Config] = []

    def remember(config: Config, run: Run, show_progress: ShowProgress) -> None:
        configs.append(config)

    words = [
        "--rounds",
        "3",
        "--seconds",
        "0.5",
        "--connections",
        "8",
        "--peers",
        "bare-loop,nginx",
        "--quick",
    ]
    # A run without samples is a failure.
    assert alone(remember, *words, "--workloads", "hot,file-4-kib,during both") == 1
    assert configs == [Config(3, 0.5, 8, ("bare loop", "nginx"), ("hot", "file 4 KiB", "during both"), True)]


def test_figures_can_be_listed(measure: Measure, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(measure, "--list-figures") == 0
    assert capsys.readouterr().out.strip() == figures_help()


def test_a_run_is_saved_and_shown_again(
    measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, report = tmp_path / "run.json", tmp_path / "report.html"
    assert alone(measure, "--json", str(results)) == 0
    first = capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert command.show_saved([str(results), "--html", str(report), "--assert", "hot.floor>=0.1"]) == 0
    again = capsys.readouterr().out
    assert again.startswith(first.strip())
    assert report.read_text().startswith("<!DOCTYPE html>")
    assert command.show_saved([str(results), "--assert", "hot.floor>=9"]) == 1
    assert command.show_saved([str(results), "--figures"]) == 0
    assert "hot.p99.nginx" in capsys.readouterr().out


def test_a_file_that_holds_no_run_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("{}")
    for name, words in (("x", "invalid results file: "), ("none", "cannot read results file: ")):
        with pytest.raises(SystemExit, match="2"):
            command.show_saved([str(tmp_path / name)])
        assert words in capsys.readouterr().err


def test_a_run_that_is_broken_off_keeps_what_it_has(
    measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "run.json"

    def broken_off(config: Config, run: Run, show_progress: ShowProgress) -> None:
        measure(config, run, show_progress)
        raise KeyboardInterrupt

    def never(config: Config, run: Run, show_progress: ShowProgress) -> None:
        raise AssertionError

    options = command.make_parser("benchmarks", "").parse_args(["--json", str(results)])
    assert command.run({"throughput": broken_off, "files": never}, options, []) == 130
    assert "hot.floor" in figures(Run.load(results))
    assert "interrupted" in capsys.readouterr().out


def test_a_question_that_fails_does_not_take_the_others_with_it(
    measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "run.json"

    def fails(config: Config, run: Run, show_progress: ShowProgress) -> None:
        assert results.exists() is False
        raise OSError("no more descriptors")

    options = command.make_parser("benchmarks", "").parse_args(["--json", str(results)])
    assert command.run({"files": fails, "throughput": measure}, options, []) == 1
    captured = capsys.readouterr()
    assert "throughput: hot" in captured.out
    assert "OSError: no more descriptors" in captured.out
    assert "Traceback" in captured.err
    assert Run.load(results).skipped == {"files, the rest": "OSError: no more descriptors"}


def test_the_run_is_saved_after_each_question(measure: Measure, tmp_path: Path) -> None:
    results = tmp_path / "run.json"

    def looks(config: Config, run: Run, show_progress: ShowProgress) -> None:
        assert json.loads(results.read_text())["samples"]

    options = command.make_parser("benchmarks", "").parse_args(["--json", str(results)])
    assert command.run({"throughput": measure, "files": looks}, options, []) == 0


# The command for all questions.


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_can_be_asked_and_is_a_question(question: str) -> None:
    assert callable(question_module(question).measure)
    assert question_text(question).endswith("?")


def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> list[str]:
    """Run the command without measuring; return the selected questions."""
    asked: list[str] = []

    def remember(questions: dict[str, Measure], options: object, words: object) -> int:
        asked.extend(questions)
        return 0

    monkeypatch.setattr(command, "run", remember)
    monkeypatch.setattr(command, "default_results_path", lambda: tmp_path / "default.json")
    assert whole.main(arguments) == 0
    return asked


def test_all_questions_are_asked_when_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ask(monkeypatch, tmp_path) == list(QUESTIONS)


def test_only_those_that_are_named_are_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ask(monkeypatch, tmp_path, "files", "gzip", "files") == ["files", "compression"]


def test_a_question_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit) as ended:
        whole.main(["speed"])
    assert ended.value.code == 2


def test_a_saved_run_is_shown_by_the_same_command(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "a")
    assert whole.main(["show", str(tmp_path / "a")]) == 0
    assert whole.main(["compare", str(tmp_path / "a"), str(tmp_path / "a")]) == 0
    assert whole.main(["readme", str(tmp_path / "a")]) == 0


# The environment.


def test_the_environment_names_no_directory(tmp_path: Path) -> None:
    known = environment.environment(["-m", "benchmarks", "--json", str(tmp_path / "run.json")])
    assert known["command"] == "python -m benchmarks --json run.json"
    assert str(tmp_path) not in json.dumps(known)
    assert str(environment.ROOT) not in json.dumps(known)
    assert known["cores"] >= 1
    assert known["started"].endswith("Z")


def test_a_program_that_is_not_there_says_nothing() -> None:
    assert environment.first_output_line("no-such-program") == ""


def test_the_processor_is_named_by_the_kernel(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Example 3000\nmodel name\t: other\n")
    assert environment.cpu_model(info) == "Example 3000"
    assert environment.cpu_model(tmp_path / "none")


@pytest.mark.parametrize("text", ["hot.floor>=0.70", " hot.floor <= 1e3 ", "hot.p99.nginx<2"])
def test_an_assertion_is_written_as_it_is_read(text: str) -> None:
    assert parse_assertion(str(parse_assertion(text))) == parse_assertion(text)
