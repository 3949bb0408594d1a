"""The command line: usage errors, servers of the user, saved runs and exit codes."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("psutil", reason="needs psutil (extra: test)")

import psutil

from benchmarks import __main__ as whole
from benchmarks.load import wrk
from benchmarks.questions import QUESTIONS, latency, question_module
from benchmarks.results import environment
from benchmarks.results.assertions import parse_assertion
from benchmarks.results.samples import Run
from benchmarks.results.statistics import figures
from benchmarks.runner import command
from benchmarks.runner.rounds import Config, ShowProgress

Measure = Callable[[Config, Run, ShowProgress], None]
Ask = Callable[..., int]


@pytest.fixture
def measure(run: Run) -> Measure:
    """Return a question that adds samples without measuring."""

    def measure(config: Config, into: Run, show_progress: ShowProgress) -> None:
        show_progress("measuring")
        into.peers.update(run.peers)
        into.samples += run.select(question="throughput")

    return measure


def never(config: Config, run: Run, show_progress: ShowProgress) -> None:
    """Fail: nothing must be measured."""
    raise AssertionError


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """Return a function that runs the command; ``measures`` replace all questions, or those named."""

    def run(measures: Measure | dict[str, Measure], *arguments: str) -> int:
        def question_module(name: str) -> SimpleNamespace:
            measure = measures[name] if isinstance(measures, dict) else measures
            return SimpleNamespace(measure=measure)

        monkeypatch.setattr(command, "question_module", question_module)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        return whole.main([*(measures if isinstance(measures, dict) else ()), *arguments])

    return run


def test_a_question_prints_its_tables(ask: Ask, measure: Measure, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask({"throughput": measure}) == 0
    captured = capsys.readouterr()
    assert "throughput: hot" in captured.out
    assert "at least 0.70" in captured.out
    assert "Little's law" in captured.out
    assert "[1/1 throughput] starting" in captured.err


@pytest.mark.parametrize(
    ("expressions", "code", "words"),
    [
        (["hot.floor>=0.1"], 0, "assert hot.floor>=0.1: 0.71: PASS"),
        (["hot.floor >= 7"], 1, "assert hot.floor>=7: 0.71: FAILED"),
        (["hot.floor<7e1"], 0, "PASS"),
        (["hot.p99<=0.000001"], 1, "FAILED"),
        (["file-4-KiB.nginx>=0"], 1, "not measured: FAILED"),
        (["hot.floor>=0.1", "hot.floor>=9"], 1, "FAILED"),
    ],
)
def test_a_failed_assertion_fails_the_run(
    ask: Ask,
    measure: Measure,
    expressions: list[str],
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask({"throughput": measure}, *(f"--assert={each}" for each in expressions)) == code
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--assert", "hot.floor=0.7"], "invalid assertion: 'hot.floor=0.7'"),
        (["--assert", "hot.floor>=fast"], "invalid assertion: 'hot.floor>=fast'"),
        (["--assert", "hot.floor>=1.2.3"], "invalid assertion: 'hot.floor>=1.2.3'"),
        (["--assert", "cold.floor>=0.7"], "unknown figure: 'cold.floor'"),
        (["--assert", "hot.apache>=0.7"], "unknown figure: 'hot.apache'"),
        (["--assert", "concurrency-N.floor>=0.7"], "unknown figure: 'concurrency-N.floor'"),
        (["--assert", ""], "invalid assertion: ''"),
        (["--rounds", "0"], "invalid value: '0' (must be greater than 0)"),
        (["--rounds", "1.5"], "'1.5'"),
        (["--seconds", "-1"], "invalid value: '-1' (must be greater than 0)"),
        (["--seconds", "nan"], "invalid value: 'nan'"),
        (["--peers", "apache"], "unknown name: 'apache' (choose from bare-loop, reactor,"),
        (["--peers", ","], "unknown name: '' (choose from"),
        (["--workloads", "cold"], "unknown name: 'cold' (choose from hot,"),
        (["--json", "/"], "cannot write file: '/': is a directory"),
        (
            ["--html", "/no/such/report.html"],
            "cannot write file: '/no/such/report.html': directory not found",
        ),
        (["speed"], "unknown name: 'speed' (choose from throughput,"),
        (["--url", "http://192.0.2.1/"], "invalid URL: 'http://192.0.2.1/': not a loopback address"),
        (["--checkout", "/tmp"], "not a checkout of Reactor: '/tmp' (example: ../before, made by"),
        (
            ["--command", "serve 8000"],
            "missing {port}: 'serve 8000' (example: uvicorn app:app --port {port})",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_arguments_are_errors_before_anything_is_measured(
    ask: Ask, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        ask(never, *arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        ("", Config()),
        ("--quick", Config(1, 0.3, quick=True)),
        ("--quick --rounds 2 --seconds 1", Config(2, 1, quick=True)),
        ("--seed 7 --rounds 3", Config(3, seed=7)),
        ("--connections 8 --peers bare-loop,nginx", Config(connections=8, peers=("bare loop", "nginx"))),
        ("--workloads hot,file-4-kib,during-both", Config(workloads=("hot", "file 4 KiB", "during both"))),
    ],
)
def test_the_options_make_the_configuration(ask: Ask, arguments: str, config: Config) -> None:
    configs: list[Config] = []

    def remember(config: Config, run: Run, show_progress: ShowProgress) -> None:
        configs.append(config)

    seed = [] if config.seed else ["--seed=0"]
    assert ask({"throughput": remember}, *arguments.split(), *seed) == 1, "a run without samples is a failure"
    assert configs == [replace(config, own=[])]


def test_a_seed_is_drawn_printed_and_stored(
    ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str], measure: Measure
) -> None:
    seeds = []
    for number in range(3):
        path = tmp_path / f"{number}.json"
        assert ask({"throughput": measure}, "--json", str(path)) == 0
        seeds.append(Run.load(path).environment["seed"])
        assert f"seed: {seeds[-1]}\n" in capsys.readouterr().err
    assert len(set(seeds)) > 1


def test_a_run_without_samples_says_why_and_fails(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    def nothing(config: Config, run: Run, show_progress: ShowProgress) -> None:
        """Measure nothing."""

    assert ask({"files": nothing, "idle": nothing}, "--workloads", "hot") == 1
    assert "no workload of files, idle selected by --workloads hot" in capsys.readouterr().err


def test_a_run_is_saved_and_shown_again(
    ask: Ask, measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, report = str(tmp_path / "run.json"), tmp_path / "report.html"
    assert ask({"throughput": measure}, "--json", results) == 0
    first = capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert whole.main(["show", results, "--html", str(report), "--assert", "hot.floor>=0.1"]) == 0
    assert capsys.readouterr().out.startswith(first.strip())
    assert report.read_text().startswith("<!DOCTYPE html>")
    assert whole.main(["show", results, "--assert", "hot.floor>=9"]) == 1
    assert whole.main(["show", results, "--figures"]) == 0
    assert "hot.p99.nginx" in capsys.readouterr().out
    assert whole.main(["compare", results, results]) == whole.main(["readme", results]) == 0


def test_a_file_without_a_run_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("{}")
    for name, words in (("x", "invalid results file: "), ("none", "cannot read results file: ")):
        with pytest.raises(SystemExit, match="2"):
            whole.main(["show", str(tmp_path / name)])
        assert words in capsys.readouterr().err


def test_an_interrupted_run_is_saved(
    ask: Ask, measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(config: Config, run: Run, show_progress: ShowProgress) -> None:
        measure(config, run, show_progress)
        raise KeyboardInterrupt

    assert ask({"throughput": interrupted, "files": never}, "--json", str(tmp_path / "run.json")) == 130
    assert "hot.floor" in figures(Run.load(tmp_path / "run.json"))
    assert "interrupted" in capsys.readouterr().out


needs_wrk = pytest.mark.skipif(wrk.missing() is not None, reason=str(wrk.missing()))


@pytest.mark.skipif(sys.platform != "linux", reason="prctl exists on Linux only")
@pytest.mark.parametrize("question", ["latency", pytest.param("throughput", marks=needs_wrk)])
def test_a_terminated_run_ends_its_servers_and_its_load_generator(question: str) -> None:
    options = [question, "--peers=bare-loop", "--seconds=1"]
    running = psutil.Popen([sys.executable, "-m", "benchmarks", *options], stderr=subprocess.PIPE, text=True)
    with running.stderr:
        while len(children := running.children()) < 3:  # the floor, reactor and the load generator
            assert running.poll() is None
        running.terminate()
        assert running.wait(20) == -signal.SIGTERM
    assert psutil.wait_procs(children, 20)[1] == []


def test_a_question_that_fails_leaves_the_others(
    ask: Ask, measure: Measure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(config: Config, run: Run, show_progress: ShowProgress) -> None:
        raise OSError("no more descriptors")

    assert ask({"files": fails, "throughput": measure}, "--json", str(tmp_path / "run.json")) == 1
    captured = capsys.readouterr()
    assert "throughput: hot" in captured.out
    assert "OSError: no more descriptors" in captured.out
    assert "Traceback" in captured.err
    assert Run.load(tmp_path / "run.json").skipped == {"files, the rest": "OSError: no more descriptors"}


def test_the_run_is_saved_after_each_question(ask: Ask, measure: Measure, tmp_path: Path) -> None:
    results = tmp_path / "run.json"

    def looks(config: Config, run: Run, show_progress: ShowProgress) -> None:
        assert json.loads(results.read_text())["samples"]

    assert ask({"throughput": measure, "files": looks}, "--json", str(results)) == 0


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_can_be_measured(question: str) -> None:
    assert callable(question_module(question).measure)
    assert QUESTIONS[question].endswith("?")


@pytest.mark.parametrize(
    ("arguments", "questions"),
    [
        ([], [*QUESTIONS]),
        (["files", "compression", "files"], ["files", "compression"]),
        (["--command", "own {port}"], ["throughput"]),
        (["idle", "--command", "own {port}"], ["idle"]),
    ],
)
def test_without_names_all_questions_are_measured_and_for_a_server_of_the_user_throughput(
    ask: Ask, arguments: list[str], questions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def remember(questions: list[str], options: object, words: object) -> int:
        asked.extend(questions)
        return 0

    monkeypatch.setattr(command, "run", remember)
    assert ask(never, *arguments) == 0
    assert asked == questions


def test_without_psutil_nothing_is_measured(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        ask(never)
    assert ended.value.code == 2
    assert "psutil is not installed (pip install psutil)" in capsys.readouterr().err


# Servers of the user.


def test_a_server_of_the_user_is_measured_with_reactor_and_the_floor(ask: Ask, measure: Measure) -> None:
    configs: list[Config] = []

    def remember(config: Config, run: Run, show_progress: ShowProgress) -> None:
        configs.append(config)
        measure(config, run, show_progress)

    server = f"{sys.executable} -m benchmarks.bare_loop {{port}}"
    assert ask({"throughput": remember}, "--command", server, "--command", server) == 0
    (config,) = configs
    assert [each.content for each in config.own] == [b"abc", b"abc"]
    names = ["bare loop", "reactor", *(each.name for each in config.own)]
    assert [each.name for each in latency.QUESTION.peers(config)] == names
    assert names[3] == f"{names[2]} 2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--command", "echo first; echo last >&2; exit 7 # {port}"], "exit code 7\n  first\n  last\n"),
        (["--url", "http://127.0.0.1:1/"], "127.0.0.1:1: GET /: ConnectionRefusedError: "),
    ],
)
def test_a_server_of_the_user_that_does_not_respond_is_an_error(
    ask: Ask, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(never, *arguments) == 2
    assert message in capsys.readouterr().err


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
