"""The server as it is distributed: checkout, editable installation, wheel, sdist and zip application.

Each is started in a directory with packages of its own called ``handlers``, which must not be imported.
"""

import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.process import ROOT, Lines, environment

# Builds run offline, with the installed tools; older versions need the package "wheel", too.
pytest.importorskip("setuptools", "70.1", reason="setuptools 70.1 or later is not installed")

TIMEOUT = 600.0  # seconds; for the builds and the default tests, too
NOT_COPIED = (
    ".git",
    ".coverage*",
    ".venv",
    "*_cache",
    "__pycache__",
    "build",
    "dist",
    "*.egg-info",
    "*.pyz",
    "shared",
)
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
START_LINE = re.compile(r" on http://127\.0\.0\.1:([0-9]+)/ .*inspector on http://127\.0\.0\.1:([0-9]+)/")
WHERE = "import reactor.handlers; print(reactor.handlers.__file__); print(reactor.__file__)"


def run(*command: str | Path, cwd: Path, **extra: str) -> str:
    """Run a command; return its standard output; fail with both outputs when it fails."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        env={**environment(), "PYTHONPATH": "", **extra},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository, so that nothing is built in it."""
    copy = tmp_path_factory.mktemp("checkout") / "reactor"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-c", BUILD, "build_wheel", folder, cwd=checkout)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps")
    run(*pip, "--target", folder, wheel, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist; return the directory to which it is extracted."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-c", BUILD, "build_sdist", folder, cwd=checkout)
    (found,) = folder.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        archive.extractall(folder, filter="data")
    return folder / found.name.removesuffix(".tar.gz")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a working directory with packages called ``handlers`` that fail when they are imported."""
    folder = tmp_path / "elsewhere"
    (folder / "handlers").mkdir(parents=True)
    (folder / "handlers" / "__init__.py").write_text("raise SystemExit('the wrong handlers')\n")
    (folder / "handlers.py").write_text("raise SystemExit('the wrong handlers')\n")
    return folder


def assert_serves(command: Sequence[str | Path], cwd: Path, path: Path | str = "") -> None:
    """Start the server; get a file, the page of its directory and the page of the microscope."""
    (cwd / "shared").mkdir(exist_ok=True)
    (cwd / "shared" / "hello.txt").write_text("hello\n")
    options = ("--port", "0", "--directory", "shared", "--inspect", "127.0.0.1:0", "--no-access-log")
    process = subprocess.Popen(
        [str(each) for each in (*command, *options)],
        cwd=cwd,
        env={**environment(), "PYTHONPATH": str(path)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = Lines(process.stderr)
    seen = []
    try:
        match = None
        while match is None and (line := lines.next()) is not None:
            seen.append(line)
            match = START_LINE.search(line)
        assert match is not None, seen
        assert get(int(match[1]), "/files/hello.txt") == b"hello\n"
        page = get(int(match[1]), "/files/")
        assert b"hello.txt" in page
        assert b"<script>" in page
        assert b"<script>" in get(int(match[2]), "/")
    finally:
        process.terminate()
        process.wait(TIMEOUT)
        lines.join()
    assert process.returncode == 0


def get(port: int, path: str) -> bytes:
    """Return the body of a response, as HTML if possible."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Accept": "text/html, */*;q=0.1"})
        return connection.getresponse().read()
    finally:
        connection.close()


def places(*command: str | Path, cwd: Path, path: Path | str = "") -> list[Path]:
    """Return where a Python imports the handlers and the server from."""
    return [
        Path(line).resolve() for line in run(*command, "-c", WHERE, cwd=cwd, PYTHONPATH=str(path)).split()
    ]


def test_a_checkout_serves_from_its_own_directory(checkout: Path) -> None:
    assert_serves((sys.executable, "-m", "reactor"), checkout)


def test_a_checkout_serves_from_another_directory(checkout: Path, elsewhere: Path) -> None:
    assert all(checkout in place.parents for place in places(sys.executable, cwd=elsewhere, path=checkout))
    assert_serves((sys.executable, "-m", "reactor"), elsewhere, checkout)


def test_a_checkout_that_was_unpacked_from_a_zip_archive_serves(checkout: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "reactor"), "zip", checkout)
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / "reactor")
    assert_serves((sys.executable, "-m", "reactor"), tmp_path / "reactor")


def test_an_editable_installation_imports_the_checkout(checkout: Path, elsewhere: Path) -> None:
    venv.create(elsewhere / "venv", system_site_packages=True, symlinks=True)
    python = elsewhere / "venv" / "bin" / "python"
    outer = next(each for each in sys.path if each.endswith("site-packages"))  # of a venv around this one
    pip = ("-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps")
    run(python, *pip, "--no-build-isolation", "-e", checkout, cwd=elsewhere, PYTHONPATH=outer)
    assert all(checkout in place.parents for place in places(python, cwd=elsewhere))
    assert_serves((elsewhere / "venv" / "bin" / "reactor",), elsewhere)
    assert_serves((python, "-m", "reactor"), elsewhere)


def test_the_wheel_has_all_files_of_the_package_and_no_other_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    packaged = {name for name in names if ".dist-info/" not in name}
    expected = {
        "reactor/" * (folder == "handlers") + path.relative_to(ROOT).as_posix()
        for folder in ("reactor", "handlers")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".html", ".css", ".js", ".typed")
    }
    deploy = (ROOT / "reactor" / "server" / "deploy").iterdir()
    expected |= {path.relative_to(ROOT).as_posix() for path in deploy}
    assert packaged == expected | {"reactor/lessons/README.md"}
    assert {
        "reactor/handlers/root.py",
        "reactor/handlers/files/assets/page.js",
        "reactor/py.typed",
    } <= packaged


def test_the_wheel_serves(installed: Path, elsewhere: Path) -> None:
    assert not (installed / "handlers").exists()
    assert places(sys.executable, cwd=elsewhere, path=installed) == [
        installed / "reactor" / "handlers" / "__init__.py",
        installed / "reactor" / "__init__.py",
    ]
    assert_serves((sys.executable, "-m", "reactor"), elsewhere, installed)


def test_the_sdist_has_every_file_of_the_repository(sdist: Path, checkout: Path) -> None:
    def files(folder: Path) -> set[Path]:
        return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}

    made = ("__pycache__", "build", "reactor_http.egg-info", "shared")  # by the tests above
    wanted = {path for path in files(checkout) if not any(part in made for part in path.parts)}
    assert wanted - files(sdist) == set()
    assert_serves((sys.executable, "-m", "reactor"), sdist)


def test_the_default_tests_pass_from_the_sdist(sdist: Path) -> None:
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", cwd=sdist)


def test_the_zip_application_serves(elsewhere: Path, checkout: Path) -> None:
    run(sys.executable, "-m", "reactor.cli.zipapp", cwd=elsewhere, PYTHONPATH=str(checkout))
    assert_serves((sys.executable, "reactor.pyz"), elsewhere)
    assert_serves((elsewhere / "reactor.pyz",), elsewhere)


def test_python_m_zipapp_makes_an_application_of_an_installation(installed: Path, elsewhere: Path) -> None:
    main = ("-m", "reactor.cli.main:command", "-o", "made.pyz")
    run(sys.executable, "-m", "zipapp", installed, *main, cwd=elsewhere)
    assert_serves((sys.executable, "made.pyz"), elsewhere)


def test_the_zip_application_reports_an_error_by_its_exit_code(elsewhere: Path, checkout: Path) -> None:
    run(sys.executable, "-m", "reactor.cli.zipapp", "r.pyz", cwd=elsewhere, PYTHONPATH=str(checkout))
    command = (sys.executable, "r.pyz", "--port", "0", "--directory", "missing")
    done = subprocess.run(
        command, cwd=elsewhere, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (
        3,
        "reactor: cannot share 'missing': No such file or directory\n",
    )
