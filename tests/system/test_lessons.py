"""Every command of the course is run, and its output is as shown there; figures are masked."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.design.test_lessons import LESSONS, TEXT
from tests.support.process import ROOT, TIMEOUT, ServerProcess, environment
from tests.unit.inspector.microscope import NOTE

START = re.findall(r"```sh\n(python3 -m reactor .*)\n", TEXT)[0]


def mask(line: str) -> str:
    """Leave out what differs from run to run."""
    return re.sub(r"\b(?:us|ms|s)\b", "T", re.sub(r"[0-9][0-9,.]*", "N", line))


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """Start the server of the course on free ports, one for each lesson, so that lessons are independent."""
    words = shlex.split(START)
    assert words[:3] == ["python3", "-m", "reactor"]
    options = [word for word in words[3:] if word != "--inspect"]
    with ServerProcess("--inspect", "127.0.0.1:0", *options) as process:
        yield process


def run(lesson: str, server: ServerProcess) -> str:
    """Run the commands of a lesson; return what they wrote."""
    inspector = NOTE.search(server.start_line)
    assert inspector is not None
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", lesson, re.DOTALL))
    for name, real in (
        (":4221", f":{server.port}"),
        (":4222", f":{inspector[1]}"),
        ("python3 ", f"{shlex.quote(sys.executable)} "),
    ):
        commands = commands.replace(name, real)
    done = subprocess.run(
        ["bash", "-ec", commands],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT * 2,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("number", LESSONS)
def test_one_sees_what_the_lesson_says(number: str, server: ServerProcess) -> None:
    lesson = LESSONS[number]
    expected = [
        mask(line)
        for block in re.findall(r"```text\n(.*?)```", lesson, re.DOTALL)
        for line in block.splitlines()
    ]
    seen = [mask(line) for line in run(lesson, server).splitlines()]
    missing = [line for line in expected if not any(line in each for each in seen)]
    while missing:
        line = server.stderr.next()
        assert line is not None, missing
        missing = [each for each in missing if each not in mask(line)]
