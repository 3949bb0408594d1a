"""The examples of the library, exactly as the READMEs show them."""

import re
from pathlib import Path

import pytest

import reactor
from tests.support.process import ROOT, ServerProcess

# The port in the example may be in use: every Python process in this environment binds a free port instead,
# and prints it. The example itself is unchanged.
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


def example_in(name: str, index: int = 0) -> str:
    """Return a Python block of a document; without the README, the docstring of the package."""
    document = ROOT / name
    if not document.exists():
        text = reactor.__doc__ or ""
        return text[text.index("from reactor") :]
    blocks = re.findall(r"^```python\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks, f"{name} has no Python block"
    return str(blocks[index])


def serve_example(name: str, folder: Path, index: int = 0) -> ServerProcess:
    (folder / "sitecustomize.py").write_text(ANY_PORT)
    (folder / "example.py").write_text(example_in(name, index))
    search = {"PYTHONPATH": f"{folder}:{ROOT}"}
    return ServerProcess(command=(str(folder / "example.py"),), extra=search)


@pytest.mark.system
def test_ten_lines_make_a_server(tmp_path: Path) -> None:
    assert len([line for line in example_in("README.md").strip().splitlines() if line]) <= 10
    with serve_example("README.md", tmp_path) as server:
        answer = server.get("/hello/World")
        assert (answer.status, answer.content) == (200, b"Hello, World!\n")
        assert server.get("/hello").status == 404
        assert server.get("/").status == 404


@pytest.mark.system
def test_the_first_example_of_the_manual_is_a_program(tmp_path: Path) -> None:
    with serve_example("reactor/README.md", tmp_path) as server:
        assert server.get("/hello/you").content == b"Hello, you!\n"


def test_the_readme_and_the_package_show_the_same_lines() -> None:
    assert example_in("README.md").strip() in (reactor.__doc__ or "")


def test_every_public_name_exists() -> None:
    assert {"Router", "Response", "serve"} <= set(reactor.__all__)
    for name in reactor.__all__:
        assert hasattr(reactor, name), name
