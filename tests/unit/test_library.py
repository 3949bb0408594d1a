"""The ten lines of a library example, exactly as the README shows them."""

import re
from pathlib import Path

import pytest

import reactor
from tests.support.process import ROOT, ServerProcess

# The example has a port, which may be taken here: whatever Python runs in this environment binds
# another one instead, and prints which one. Not a letter of the example itself is changed.
ANY_PORT = """\
import socket
import sys

def bind(self, address, bind=socket.socket.bind):
    bind(self, (address[0], 0, *address[2:]))

def listen(self, backlog, listen=socket.socket.listen):
    listen(self, backlog)
    host, port = self.getsockname()
    print(f"reactor: serving on http://{host}:{port} (the example)", file=sys.stderr)

socket.socket.bind, socket.socket.listen = bind, listen
"""


def documented_lines() -> str:
    """Return the first Python block of the README that serves; without a README, the package's docstring."""
    readme = ROOT / "README.md"
    if not readme.exists():
        text = reactor.__doc__ or ""
        return text[text.index("from reactor") :]
    blocks = re.findall(r"^```python\n(.*?)^```$", readme.read_text(), re.MULTILINE | re.DOTALL)
    serving = [block for block in blocks if "serve(" in block]
    assert serving, "the README has no Python block that serves"
    return str(serving[0])


@pytest.mark.system
def test_ten_lines_make_a_server(tmp_path: Path) -> None:
    lines = documented_lines()
    assert len([line for line in lines.strip().splitlines() if line]) <= 10
    (tmp_path / "sitecustomize.py").write_text(ANY_PORT)
    (tmp_path / "example.py").write_text(lines)
    search = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with ServerProcess(command=(str(tmp_path / "example.py"),), extra=search) as server:
        answer = server.get("/hello/World")
        assert (answer.status, answer.content) == (200, b"Hello, World!\n")
        assert server.get("/hello").status == 404
        assert server.get("/").status == 404


def test_the_readme_and_the_package_show_the_same_lines() -> None:
    assert documented_lines().strip() in (reactor.__doc__ or "")


def test_all_that_the_package_names_is_there() -> None:
    assert {"Router", "Response", "serve"} <= set(reactor.__all__)
    for name in reactor.__all__:
        assert hasattr(reactor, name), name
