"""The course in ``reactor/lessons/README.md``: its references are right, and no lesson lacks a part."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "reactor" / "lessons" / "README.md").read_text()
LESSONS = dict(re.findall(r"^## (\d+)\. .*?\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL))
REFERENCE = re.compile(r"`([\w/]+\.py)` `(.+)`$", re.MULTILINE)


def test_there_are_ten_lessons() -> None:
    assert list(LESSONS) == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("number", LESSONS)
def test_a_lesson_has_all_its_parts(number: str) -> None:
    lesson = LESSONS[number]
    assert lesson.count("**Predict:**") == 1
    assert lesson.count("```sh\n") >= 1
    assert lesson.count("```text\n") >= 1
    assert len(REFERENCE.findall(lesson)) >= 2
    places = [lesson.index(part) for part in ("**Predict:**", "```sh\n", "```text\n", "\nRead:\n")]
    assert places == sorted(places)


@pytest.mark.parametrize(("path", "text"), REFERENCE.findall(TEXT))
def test_a_quoted_line_exists_once(path: str, text: str) -> None:
    assert sum(text in line for line in (ROOT / path).read_text().splitlines()) == 1


def test_every_reference_has_a_known_form() -> None:
    assert len(re.findall(r"^- `[\w/]+\.py", TEXT, re.MULTILINE)) == len(REFERENCE.findall(TEXT)) > 20
    assert all((ROOT / path).is_file() for path in re.findall(r"`([\w/]+/[\w/]+\.py)[`:]", TEXT))
