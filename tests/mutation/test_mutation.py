"""The faults, the draw, and a whole run on a small project."""

from pathlib import Path

import pytest

from tests.design.sources import ROOT
from tests.mutation.__main__ import change, main, report
from tests.mutation.campaign import Verdict, draw, nearest_tests, read_sources
from tests.mutation.copy import Copy
from tests.mutation.operators import Fault, faults_in, is_valid

SOURCES = {"reactor/loop.py": b"def f(a):\n    return a + 1 if a < 2 else 3\n"}


def changed(source: str) -> list[str]:
    """Return all faulty sources, in the order of their faults."""
    return [fault.apply(source.encode()).decode() for fault in faults_in("f.py", source.encode())]


@pytest.mark.parametrize(
    ("source", "faulty"),
    [
        ("a < b", ["a <= b"]),
        ("a is b", ["a is not b"]),
        ("a is  not b", ["a is b"]),
        ("a not in b < c", ["a in b < c", "a not in b <= c"]),
        ("(a) == (b)", ["(a) != (b)"]),
        ("(a  # <\n < b)", ["(a  # <\n <= b)"]),
        ("a and b and c", ["a or b and c", "a and b or c"]),
        ("not a", ["a"]),
        ("a + b", ["a - b"]),
        ("'a' + b + f'c'", []),
        ("a // b", ["a * b"]),
        ("f(a & b)", ["f(a | b)", "pass"]),
        ("READ = A | B", ["READ = A & B"]),
        ("Part = First | None", []),
        ("a[1]", ["a[2]"]),
        ("a = 1.5", ["a = 2.5"]),
        ("a = True", []),
        ("a: Literal[1] = b", []),
        ("if a: b", ["if False: b", "if True: b"]),
        ("while True: b", ["while False: b"]),
        ("a if f(\n) else b", ["a if (False\n) else b", "a if (True\n) else b"]),
        ("[a for a in b if c]", ["[a for a in b if False]", "[a for a in b if True]"]),
        ("def f(): return a", ["def f(): return None"]),
        ("def f(): return None", []),
        ("f(\n)\na.b = c", ["pass\n\na.b = c", "f(\n)\npass"]),
        ("a = b", []),
        ("a += b", ["a -= b", "pass"]),
        ("raise A", ["pass"]),
        ("for a in b: break", ["for a in b: continue"]),
        ("a = f(b, c=d, e=(g))", ["a = f(b, e=(g))", "a = f(b, c=d, )"]),
        ("a = f(help='b')", []),
        ("try: a\nexcept B: c", ["try: a\nexcept (): c"]),
        ("assert a < b", []),
        ("f'{a < b}'", []),
        ("@f(1)\ndef g(a: h(1)): b", []),
        ("if TYPE_CHECKING: f(1)", []),
        ("'é'; a < b", ["'é'; a <= b"]),
    ],
)
def test_an_operator_changes_the_text_of_its_node(source: str, faulty: list[str]) -> None:
    assert changed(source) == faulty


@pytest.mark.parametrize(
    "path", ["reactor/http11/parser.py", "handlers/files/upload.py", "reactor/cli/options.py"]
)
def test_faults_compile_and_keep_the_number_of_lines(path: str) -> None:
    source = read_sources(ROOT)[path]
    for fault in faults_in(path, source)[::7]:
        assert is_valid(fault, source), fault
        assert fault.apply(source).count(b"\n") == source.count(b"\n")


def test_a_change_without_a_difference_is_not_valid() -> None:
    assert not is_valid(Fault("f.py", 1, "number", 4, 5, "1 "), b"a = 1")
    assert not is_valid(Fault("f.py", 1, "number", 4, 5, ")"), b"a = 1")


def test_the_draw_is_a_function_of_the_seed() -> None:
    everything = draw(SOURCES, 1, 99)
    assert {fault.operator for fault in everything} == {
        "arithmetic",
        "number",
        "compare",
        "true",
        "false",
        "result",
    }
    assert sorted(everything) == faults_in("reactor/loop.py", SOURCES["reactor/loop.py"])
    assert draw(SOURCES, 1, 3) == everything[:3]
    assert len({tuple(draw(SOURCES, seed, 3)) for seed in range(20)}) > 10
    assert draw(SOURCES, 1, 99, "loop.py:2:compare") == [
        fault for fault in everything if fault.operator == "compare"
    ]


def test_all_modules_of_the_server_and_its_files_can_be_faulty() -> None:
    sources = read_sources(ROOT)
    assert {"reactor/loop.py", "reactor/cli/main.py", "handlers/files/store.py"} <= set(sources)
    assert not any(path.startswith(("tests/", "benchmarks/", "reactor/handlers/")) for path in sources)


@pytest.mark.parametrize(
    ("path", "first", "steps"),
    [
        ("reactor/http11/head.py", "tests/unit/http11/test_head.py", 3),
        ("handlers/files/store.py", "tests/unit/handlers/files/test_store.py", 3),
        ("reactor/loop.py", "tests/unit/test_loop.py", 2),
        ("reactor/server/server.py", "tests/unit/server/test_server.py", 3),
        ("reactor/__main__.py", "-n", 1),
    ],
)
def test_the_nearest_tests_run_first_and_all_tests_last(path: str, first: str, steps: int) -> None:
    found = list(nearest_tests(ROOT, path))
    assert len(found) == steps
    assert first in found[0]
    assert found[-1] == ("-n", "2")


def test_the_report_counts_visible_faults_only(capsys: pytest.CaptureFixture[str]) -> None:
    faults = faults_in("reactor/loop.py", SOURCES["reactor/loop.py"])[:4]
    verdicts = [Verdict(True, "x"), Verdict(True, "x"), Verdict(False, ""), Verdict(False, "", visible=False)]
    results = {fault: {"simulation": verdict} for fault, verdict in zip(faults, verdicts, strict=True)}
    assert report(results, SOURCES, {"simulation": 66}) == 0
    assert report(results, SOURCES, {"simulation": 67}) == 1
    output = capsys.readouterr().out
    assert f"not found by the simulation: {faults[2]}\n{change(faults[2], SOURCES)}\n" in output
    assert "simulation: 2 of 3 faults found (67 %); 1 others change nothing" in output


@pytest.mark.parametrize(
    "arguments", ["--count 0", "--seeds 0", "--where nowhere", "--only fuzz", "--seed x"]
)
def test_an_invalid_option_is_a_usage_error(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments.split())
    assert stopped.value.code == 2
    assert arguments.split()[0] in capsys.readouterr().err


def test_the_faults_are_listed_with_their_changes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--seed", "5", "--count", "1", "--where", "reactor/loop.py"]) == 0
    first, name, *_ = capsys.readouterr().out.splitlines()
    assert first == "seed 5: 1 faults"
    assert name.startswith("reactor/loop.py:")


# A project of its own, with the commands of this one.

TEST = "from reactor.math import limit\n\n\ndef test_limit():\n    assert limit(3) == 2\n"
SIMULATION = """
from collections import namedtuple
from reactor.math import limit


def run_seed(seed):
    return namedtuple("Outcome", "failure observed")("" if limit(seed) < 9 else "seed turn 1", limit(seed))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a module, a test and a simulation."""
    here = Path(__file__).parent
    files = {
        "reactor/__init__.py": "",
        "reactor/math.py": "def limit(a):\n    return 2 if a > 2 else a\n",
        "tests/__init__.py": "",
        "tests/unit/test_math.py": TEST,
        "tests/simulation/__init__.py": "",
        "tests/simulation/simulation.py": SIMULATION,
        "tests/mutation/__init__.py": "",
        "tests/mutation/simulate.py": (here / "simulate.py").read_text(),
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


@pytest.mark.system
def test_a_run_finds_what_the_tests_find_and_changes_only_the_copy(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_sources(project)
    assert main(["--root", str(project), "--seed", "1", "--seeds", "9", "--min-tests", "90"]) == 1
    output = capsys.readouterr().out
    assert "compare:" in output
    assert "default tests: 4 of 6 faults found (67 %)" in output
    assert "simulation: 2 of 5 faults found (40 %); 1 others" in output
    assert read_sources(project) == before


@pytest.mark.system
def test_tests_that_fail_without_a_fault_end_the_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "tests" / "unit" / "test_math.py").write_text("assert False")
    assert main(["--root", str(project), "--seed", "1", "--only", "tests"]) == 1
    assert "failed without a fault" in capsys.readouterr().err


@pytest.mark.system
@pytest.mark.parametrize(
    ("program", "failure"),
    [
        ("pass", ""),
        ("raise SystemExit(3)", "exit code 3"),
        ("import os, signal; print(1); os.fork() or signal.pause(); signal.pause()", "hang"),
        ("while True: print('x' * 10_000)", "hang"),
        ("bytearray(5 << 30)", "exit code 1"),
    ],
)
def test_a_command_that_does_not_end_or_takes_all_memory_fails(
    project: Path, program: str, failure: str
) -> None:
    copy = Copy(project, project.parent, quiet=1.0)
    run = copy.run("-c", program)
    assert run.failure == failure
