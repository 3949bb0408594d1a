"""The command: full garbage collections visit only what was made while serving."""

import subprocess
import sys

from tests.support.process import ROOT

PROGRAM = "import gc, reactor.cli.main as m; m.main = lambda **k: print(gc.get_freeze_count()); m.command()"


def test_full_collections_do_not_visit_the_modules() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    assert int(run.stdout) > 10_000
