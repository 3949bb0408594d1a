"""Python older than 3.11: one line and exit code 3 for the command, an ImportError for the library."""

import ast
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.process import ROOT, run_command
from tests.unit.cli.test_start_errors import NOT_STARTED, assert_one_line

# Every Python that has it in its search path runs it at startup.
PRETEND = "import sys\nsys.version_info = (3, 10, 12, 'final', 0)\nsys.dont_write_bytecode = True\n"
REASON = "reactor: Python 3.11 or newer is required; this is 3.10.12"
SCRIPT = "import sys\nfrom reactor.cli.main import main\nsys.exit(main())\n"


def old_pythons() -> list[str]:
    """Find installed Pythons that are too old, if any."""
    names = ["pypy3", "python2", *(f"python3.{minor}" for minor in range(11))]
    found = [path for path in map(shutil.which, names) if path is not None]
    is_old = "import sys; print(sys.version_info < (3, 11))"
    return [path for path in found if run_command(path, "-c", is_old).stdout == "True\n"]


@pytest.fixture
def search(tmp_path: Path) -> str:
    """Return a search path for modules on which Python says that it is 3.10."""
    (tmp_path / "sitecustomize.py").write_text(PRETEND)
    return f"{tmp_path}:{ROOT}"


@pytest.mark.parametrize(
    "words", [("-m", "reactor"), ("-mreactor",), ("-m", "reactor.cli.main"), ("-m", "reactor.__main__")]
)
def test_the_module_says_in_one_line_that_python_is_too_old(search: str, words: tuple[str, ...]) -> None:
    done = run_command(sys.executable, *words, "--help", PYTHONPATH=search)
    assert_one_line(NOT_STARTED, done.returncode, done.stderr, done.stdout, f"{REASON}\n")


@pytest.mark.parametrize("name", ["reactor", "reactor.pyz"])
def test_the_script_says_so_too(search: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / name
    script.write_text(SCRIPT)
    done = run_command(sys.executable, str(script), "--help", PYTHONPATH=search)
    assert_one_line(NOT_STARTED, done.returncode, done.stderr, done.stdout, f"{REASON}\n")


@pytest.mark.parametrize(
    "statement", ["import reactor", "from reactor import serve", "import reactor.http11"]
)
def test_the_library_raises_an_import_error_before_it_imports_anything(search: str, statement: str) -> None:
    program = f"""
import sys
try:
    {statement}
except ImportError as error:
    print(error, [name for name in sys.modules if name.startswith("reactor.")])
"""
    done = run_command(sys.executable, "-c", program, PYTHONPATH=search)
    assert (done.stdout, done.stderr, done.returncode) == (f"{REASON} []\n", "", 0)


def test_another_module_that_imports_the_library_can_do_without_it(search: str, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("try:\n    import reactor\nexcept ImportError:\n    pass\n")
    (tmp_path / "app" / "__main__.py").write_text("print('it runs')\n")
    done = run_command(sys.executable, "-m", "app", PYTHONPATH=search)
    assert (done.stdout, done.stderr, done.returncode) == ("it runs\n", "", 0)


def test_the_files_before_the_check_compile_on_an_old_python() -> None:
    source = (ROOT / "reactor" / "__init__.py").read_text(encoding="ascii")
    ast.parse(source, feature_version=(3, 4))
    nodes = list(ast.walk(ast.parse(source)))
    assert not [node for node in nodes if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr))]
    first = [
        node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom, ast.If))
    ]
    assert [type(node) for node in first[:2]] == [ast.Import, ast.If]


def test_the_check_agrees_with_the_package() -> None:
    assert re.search(r"^python_requires = >=3\.11$", (ROOT / "setup.cfg").read_text(), re.MULTILINE)


def test_a_real_old_python_says_so() -> None:
    pythons = old_pythons()
    if not pythons:
        pytest.skip("Python older than 3.11 is not installed")
    for python in pythons:
        done = run_command(python, "-m", "reactor", "--help", PYTHONDONTWRITEBYTECODE="1")
        assert_one_line(
            NOT_STARTED,
            done.returncode,
            done.stderr,
            done.stdout,
            "reactor: Python 3.11 or newer is required; ",
        )
        done = run_command(python, "-c", "import reactor", PYTHONDONTWRITEBYTECODE="1")
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ImportError: reactor: Python 3.11 or newer is required; this is ")
