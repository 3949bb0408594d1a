"""The documents: links, options, commands and limits that they name exist in the code."""

import configparser
import re
from pathlib import Path

import pytest

from benchmarks.questions import QUESTIONS
from reactor.cli.option_types import FileOnly
from reactor.cli.options import make_parser
from tests.design.options_table import FILE, options_table, split
from tests.design.sources import ROOT, read_sources

README = (ROOT / "README.md").read_text()
FOLDERS = (".", ".github", "benchmarks", "handlers", "reactor", "reactor/lessons", "reactor/server", "tests")
DOCUMENTS = [path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def anchors(document: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)}


def test_table_of_options_matches_the_parser() -> None:
    _, table, _ = split(FILE.read_text())
    assert table == options_table(), "run: python -m tests.design.options_table"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_resolve(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", document.read_text())
    for path, fragment in links:
        target = document.parent / path if path else document
        assert target.exists(), path
        assert not fragment or fragment in anchors(target), (path, fragment)


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "handlers/README.md", "reactor/README.md"),
        *("reactor/lessons/README.md", "reactor/server/README.md"),
    ],
)
def test_mentioned_options_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    commands = re.findall(r"python3? -m reactor( --[^#`\n]*)", text)
    mentioned = re.findall(r"`(--[a-z-]+)", text) + re.findall(r" (--[a-z-]+)", "".join(commands))
    actions = [action for action in make_parser()._actions if not isinstance(action, FileOnly)]
    known = {name for action in actions for name in action.option_strings}
    assert mentioned
    assert set(mentioned) <= known


def test_readme_links_to_every_other_readme() -> None:
    readmes = {path.relative_to(ROOT).as_posix() for path in DOCUMENTS if path.name == "README.md"}
    assert readmes - {"README.md"} <= set(re.findall(r"\]\(([^)#]*)", README))


def test_map_links_into_every_folder_of_the_package() -> None:
    linked = {
        (ROOT / "reactor" / link).resolve().parent.relative_to(ROOT).as_posix()
        for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "reactor" / "README.md").read_text())
    }
    assert {path.rpartition("/")[0] for path in read_sources("reactor", "handlers")} <= linked


def test_every_benchmark_is_documented() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text()
    assert set(QUESTIONS) <= set(re.findall(r"python -m benchmarks[ .](\w+)", text))


def test_every_test_marker_is_documented() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    markers = [line.partition(":")[0] for line in config["tool:pytest"]["markers"].strip().splitlines()]
    for path in ("tests/README.md", ".github/CONTRIBUTING.md"):
        assert set(re.findall(r"`\S+ -m pytest -m (\w+)`", (ROOT / path).read_text())) == set(markers)


def test_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -m 1 '(.*)' README.md", script)
    assert pattern is not None
    assert len(re.findall(pattern[1], README, re.MULTILINE)) == 1


def test_the_server_has_no_runtime_dependencies() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert "install_requires" not in setup["options"]
    assert set(setup["options.extras_require"]) == {"test", "dev", "bench", "fast", "browser"}
