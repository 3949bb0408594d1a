"""What the README says of commands, options, files and limits is so."""

import configparser
import re
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest

from benchmarks.questions import QUESTIONS
from reactor.cli.options import describe_default, make_parser, option_name
from reactor.settings import Settings
from tests.design.sources import read_sources

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def options_in_the_readme() -> dict[str, tuple[str, str]]:
    section = README.split("## Options")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(--[a-z-]+)` \| (.*?) \| (.*?) \|$", section, re.MULTILINE)
    return {option: (default, text) for option, default, text in rows}


def test_every_option_is_in_the_readme_and_no_other() -> None:
    known = {text for action in make_parser()._actions for text in action.option_strings}
    assert set(options_in_the_readme()) == known - {"-h", "--help"}


@pytest.mark.parametrize("setting", [each for each in fields(Settings) if each.metadata], ids=option_name)
def test_a_limit_has_its_default_and_its_reason_in_the_readme(setting: Field[Any]) -> None:
    documented = options_in_the_readme()[option_name(setting)]
    assert documented == (describe_default(setting), setting.metadata["help"])


@pytest.mark.parametrize(
    "name", ["README.md", "reactor/README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md"]
)
def test_links_lead_to_files_of_the_repository(name: str) -> None:
    folder = (ROOT / name).parent
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / name).read_text())
    assert [link for link in links if not (folder / link).exists()] == []


def test_the_map_of_the_package_has_every_folder() -> None:
    linked = {
        (ROOT / "reactor" / link).resolve().parent.relative_to(ROOT).as_posix()
        for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "reactor" / "README.md").read_text())
    }
    assert {path.rpartition("/")[0] for path in read_sources("reactor", "handlers")} <= linked


def test_every_benchmark_is_named_with_its_question() -> None:
    assert set(QUESTIONS) <= set(re.findall(r"python -m benchmarks[ .](\w+)", README))
    assert {"attack", "load"} == set(re.findall(r"python -m benchmarks\.(\w+)", README))


def test_the_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -m 1 '(.*)' README.md", script)
    assert pattern is not None
    assert len(re.findall(pattern[1], README, re.MULTILINE)) == 1


def test_nothing_is_left_to_be_filled_in() -> None:
    assert re.findall(r"^[A-Z]{4,}$", README, re.MULTILINE) == []


def test_the_server_needs_nothing_at_run_time() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert "install_requires" not in setup["options"]
    assert set(setup["options.extras_require"]) == {"test", "dev", "bench", "fast", "browser"}


def test_the_markers_of_the_tests_are_named() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    markers = [line.partition(":")[0] for line in config["tool:pytest"]["markers"].strip().splitlines()]
    assert markers == ["system", "bench", "browser", "slow"]
    assert set(re.findall(r"`(?:\S+ -m pytest )?-m (\w+)`", README)) == set(markers)
