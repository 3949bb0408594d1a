"""The manual of the library, ``reactor/README.md``: its examples run, and no public name lacks one.

The Python blocks of a section run in order, in one namespace: those with ``>>>`` as doctests, the others as a
module that is imported.
"""

import doctest
import inspect
import re
from pathlib import Path
from typing import NamedTuple

import pytest

import reactor
import reactor.testing
import reactor.wsgi
from reactor import basic_auth
from tests.design.sources import ROOT

MANUAL = ROOT / "reactor" / "README.md"
# Frameworks of the extra "dev": sections that import others run everywhere.
FRAMEWORKS = ("flask",)


class Block(NamedTuple):
    """A Python block of the manual, and the number of its first line, counted from 0."""

    section: str
    line: int
    text: str


def read_blocks() -> list[Block]:
    """Return the Python blocks about the library, each with the heading or the bold words before it."""
    text = MANUAL.read_text()
    end = text.index("\n## Observing a server\n")
    section, blocks = "", []
    pattern = r"^#+ (?P<heading>[^\n]*)$|^\*\*(?P<recipe>[^*\n]*)\*\*|^```python\n(?P<block>.*?)^```$"
    for match in re.finditer(pattern, text[:end], re.MULTILINE | re.DOTALL):
        if match["block"] is None:
            section = match["heading"] or match["recipe"]
        else:
            blocks.append(Block(section, text.count("\n", 0, match.start()) + 1, match["block"]))
    return blocks


BLOCKS = read_blocks()
SECTIONS = list(dict.fromkeys(each.section for each in BLOCKS))


def run_section(section: str, folder: Path) -> int:
    """Run the blocks of a section; return the number of examples, and fail at the first wrong one."""
    namespace: dict[str, object] = {"__name__": "manual", "Client": reactor.testing.Client, "folder": folder}
    runner = doctest.DebugRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    count = 0
    for block in [each for each in BLOCKS if each.section == section]:
        if ">>> " in block.text:
            parser = doctest.DocTestParser()
            test = parser.get_doctest(block.text, namespace, section, str(MANUAL), block.line)
            test.globs = namespace  # not a copy: functions defined before see what examples assign
            runner.run(test, clear_globs=False)
            count += len(test.examples)
        else:
            code = "\n" * block.line + block.text
            exec(compile(code, str(MANUAL), "exec"), namespace)
    return count


@pytest.mark.parametrize("section", SECTIONS)
def test_the_examples_of_a_section_run(section: str, tmp_path: Path) -> None:
    for name in FRAMEWORKS:
        if any(f"from {name} import" in each.text for each in BLOCKS if each.section == section):
            pytest.importorskip(name)
    assert run_section(section, tmp_path)


def test_the_manual_has_all_sections_and_recipes() -> None:
    assert len(SECTIONS) >= 15
    assert len(BLOCKS) >= 2 * len(SECTIONS) - 4


def public_names() -> set[str]:
    """Return all names that the manual must show."""
    names = set(reactor.__all__) | set(reactor.testing.__all__) | set(reactor.wsgi.__all__)
    methods = (
        (reactor.Request, "json form text"),
        (reactor.Response, "text html json redirect file stream events"),
        (reactor.Router, "get post put patch delete error static"),
        (reactor.Server, "after every run_in_thread stop run url call_soon"),
        (reactor.Deferred, "resolve fail closed"),
        (reactor.LiveStream, "send close closed"),
    )
    for owner, listed in methods:
        for name in listed.split():
            assert hasattr(owner, name) or name in inspect.getsource(owner), name
            names.add(f".{name}")
    return names


@pytest.mark.parametrize("name", sorted(public_names()))
def test_every_public_name_has_an_example(name: str) -> None:
    code = "\n".join(each.text for each in BLOCKS)
    assert re.search(rf"{re.escape(name)}\b", code)


def test_a_wrong_example_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = [Block("wrong", 0, ">>> 1 + 1\n3\n")]
    monkeypatch.setattr("tests.unit.test_manual.BLOCKS", wrong)
    with pytest.raises(doctest.DocTestFailure):
        run_section("wrong", tmp_path)


def test_every_public_name_has_a_docstring() -> None:
    for name in sorted(reactor.__all__):
        assert (getattr(reactor, name).__doc__ or "").strip(), name
    assert basic_auth.AuthRouter.__doc__
