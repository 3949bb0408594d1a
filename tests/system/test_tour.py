"""The tour in the README, command by command, with a server started as in the README."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.process import ServerProcess

ROOT = Path(__file__).parents[2]
TOUR = (ROOT / "README.md").read_text().split("## A tour with curl")[1].split("```sh")[1].split("```")[0]
LINES = [line for line in TOUR.splitlines() if line.startswith("curl ")]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_tour_shows_what_its_comments_say(tmp_path: Path) -> None:
    assert len(LINES) == 10
    with ServerProcess("--directory", str(tmp_path)) as server:
        for line in LINES:
            command, _, comment = line.partition(" # ")
            arguments = shlex.split(command.replace("http://127.0.0.1:4221", server.url))
            done = subprocess.run(
                [arguments[0], "-s", *arguments[1:]], cwd=ROOT, capture_output=True, timeout=20, check=True
            )
            status = re.match(r"\s*([0-9]{3})\b", comment)
            expected = status[1] if status else "200"
            statuses = [each.decode() for each in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", done.stdout)]
            assert statuses, (line, done.stdout)
            assert set(statuses) - {"100"} == {expected}, (line, done.stdout)
    assert (tmp_path / "copy.txt").read_bytes() == (ROOT / "LICENSE").read_bytes()
