"""--wsgi and --threads: what is loaded, what is refused, and other options of the command."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import CommandServer, run_main

MODULE = """
import threading

def app(environ, start_response):
    thread = threading.current_thread().name
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Thread", thread)])
    return [environ["REQUEST_METHOD"].encode() + b" " + environ["PATH_INFO"].encode()]

together = threading.Barrier(5, timeout=10)

def meet(environ, start_response):
    together.wait()
    return app(environ, start_response)

class Site:
    wsgi = staticmethod(app)

def make():
    return app

def make_number():
    return 5

def make_error():
    raise KeyError("reason")

async def asgi(scope, receive, send):
    pass

class ASGI:
    async def __call__(self, scope, receive, send):
        pass

def make_exit():
    raise SystemExit("no settings")

def make_with(argument):
    return app

number = 5
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a directory with modules, which are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    package = tmp_path / "wsgi_package"
    package.mkdir()
    for path, text in {
        tmp_path / "wsgi_site.py": MODULE,
        tmp_path / "wsgi_empty.py": "",
        tmp_path / "wsgi_import.py": "import wsgi_missing\n",
        tmp_path / "wsgi_syntax.py": "x = (\n",
        tmp_path / "wsgi_error.py": "def fail():\n    raise KeyError('reason')\n\nfail()\n",
        package / "__init__.py": "",
        package / "web.py": MODULE,
    }.items():
        path.write_text(text)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("wsgi_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    "name", ["wsgi_site", "wsgi_site:app", "wsgi_site:Site.wsgi", "wsgi_site:make()", "wsgi_package.web:app"]
)
def test_an_application_is_served_at_every_path(name: str) -> None:
    with CommandServer("--wsgi", name) as server:
        assert f"serving {name} on {server.url}/ (this machine only; WSGI, 4 threads" in server.start_line
        for path in ("/", "/echo/x", "/files/a", "/user-agent"):
            answer = server.get(path)
            assert (answer.status, answer.content) == (200, f"GET {path}".encode())
            assert "worker" in answer.headers["x-thread"]


@pytest.mark.parametrize(
    ("count", "note"), [("0", "in the event loop"), ("1", "1 thread"), ("9", "9 threads")]
)
def test_the_number_of_threads(count: str, note: str) -> None:
    with CommandServer("--wsgi", "wsgi_site", "--threads", count) as server:
        assert f"WSGI, {note}" in server.start_line
        assert ("worker" in server.get("/").headers["x-thread"]) == (count != "0")


def test_so_many_requests_are_answered_at_once() -> None:
    with CommandServer("--wsgi", "wsgi_site:meet", "--threads", "5") as server:
        clients = [server.connect() for _ in range(5)]
        for client in clients:
            client.send_head("GET", "/")
        assert [client.answer().status for client in clients] == [200] * 5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wsgi_none", "no module 'wsgi_none' in '{folder}' or among the installed packages"),
        ("wsgi_none.web:app", "no module 'wsgi_none' in"),
        ("wsgi_package.none:app", "no module 'wsgi_package.none' in"),
        ("wsgi_site.web:app", "no module 'wsgi_site.web' in"),
        ("wsgi_empty", "'wsgi_empty' has no attribute 'app' (name one after a colon; examples: shop, "),
        ("wsgi_site:Site.none", "'wsgi_site.Site' has no attribute 'none'"),
        ("wsgi_site:number", "wsgi_site.number is not callable, but of type int"),
        ("wsgi_site:number()", "wsgi_site.number is not callable, but of type int"),
        ("wsgi_site:asgi", "wsgi_site.asgi is async, as an ASGI application (expected a WSGI application)"),
        ("wsgi_site:ASGI()", "the result of wsgi_site.ASGI() is async, as an ASGI application"),
        ("wsgi_site:make_number()", "the result of wsgi_site.make_number() is not callable, but of type int"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(name: str, message: str, folder: Path) -> None:
    done = run_main("--port", "0", "--wsgi", name)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert done.stderr.startswith(f"reactor: cannot load --wsgi {name!r}: {message.format(folder=folder)}")


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("wsgi_import", "ModuleNotFoundError: No module named 'wsgi_missing'"),
        ("wsgi_syntax", "SyntaxError: "),
        ("wsgi_error", "KeyError: 'reason'"),
        ("wsgi_site:make_error()", "KeyError: 'reason'"),
        ("wsgi_site:make_exit()", "SystemExit: no settings"),
        ("wsgi_site:make_with()", "TypeError: "),
    ],
)
def test_an_exception_of_the_application_has_its_traceback(name: str, trace: str) -> None:
    done = run_main("--port", "0", "--wsgi", name)
    *lines, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (3, "")
    assert any(line.startswith(trace) for line in lines)
    assert "importlib" not in done.stderr
    assert "wsgi_options.py" not in done.stderr
    assert last == f"reactor: cannot load --wsgi {name!r}: {trace.partition(':')[0]} (see above)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--wsgi wsgi-site", "invalid application: 'wsgi-site' (expected MODULE:APP; examples: shop, "),
        ("--wsgi wsgi_site.py", "invalid application: 'wsgi_site.py' (expected MODULE:APP; examples: shop, "),
        ("--wsgi wsgi_site.py:app", "invalid application: 'wsgi_site.py:app'"),
        ("--wsgi wsgi_site:", "invalid application: 'wsgi_site:'"),
        ("--wsgi wsgi_site:make(1)", "invalid application: 'wsgi_site:make(1)'"),
        ("--wsgi wsgi_site --threads many", "invalid number of threads: 'many' (expected 0 to 1024)"),
        ("--wsgi wsgi_site --threads 1025", "invalid number of threads: '1025'"),
        ("--threads 2", "--threads has no effect without --wsgi"),
        ("--wsgi wsgi_site .", "DIR has no effect with --wsgi"),
        ("--wsgi wsgi_site -d .", "-d has no effect with --wsgi"),
        ("--wsgi wsgi_site --cors", "--cors has no effect with --wsgi"),
        ("--wsgi wsgi_site --hidden", "--hidden has no effect without a directory"),
        ("--wsgi wsgi_site --types guess", "--types has no effect without a directory"),
        ("--wsgi wsgi_site --precompressed", "--precompressed has no effect without a directory"),
        ("--wsgi wsgi_site --read-only", "--read-only has no effect without a directory"),
        ("--wsgi wsgi_site --allow-delete", "--allow-delete has no effect without a directory"),
        ("--wsgi wsgi_site --resumable", "--resumable has no effect without a directory"),
        ("--wsgi wsgi_site --fsync", "--fsync has no effect without a directory"),
        ("--wsgi wsgi_site --min-free-space 1M", "--min-free-space has no effect without a directory"),
        ("--wsgi wsgi_site --auth-upload a:b", "--auth-upload has no effect without a directory"),
    ],
)
def test_invalid_combinations_are_usage_errors(arguments: str, message: str) -> None:
    done = run_main("--port", "0", *arguments.split())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_options_of_access_and_logging_apply() -> None:
    options = ("--auth", "a:b", "--header", "X-Extra: 1", "--log-format", "json", "--max-body", "4")
    credentials = f"Authorization: Basic {base64.b64encode(b'a:b').decode()}"
    with CommandServer("--wsgi", "wsgi_site", *options) as server:
        assert "; password required" in server.start_line
        assert server.get("/").status == 401
        answer = server.get("/x", credentials)
        assert (answer.status, answer.content, answer.headers["x-extra"]) == (200, b"GET /x", "1")
        with server.connect() as client:
            assert client.post("/", b"12345", credentials).status == 413
        with server.connect() as client:
            client.send(f"GET / HTTP/1.1\r\nHost: evil.test\r\n{credentials}\r\n\r\n".encode())
            assert client.answer().status == 403
        assert server.stdout.next()


def test_options_of_the_environment_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    with CommandServer(extra={"REACTOR_WSGI": "wsgi_site", "REACTOR_THREADS": "3"}) as server:
        assert "serving wsgi_site on" in server.start_line
        assert "WSGI, 3 threads" in server.start_line


def test_an_application_takes_precedence_over_a_directory_of_the_environment(folder: Path) -> None:
    extra = {"REACTOR_DIRECTORY": str(folder), "REACTOR_CORS": "null", "REACTOR_AUTH_UPLOAD": "a:b"}
    with CommandServer("--wsgi", "wsgi_site", extra=extra) as server, server.connect() as client:
        answer = client.post("/files/a", b"x")
        assert (answer.status, answer.content) == (200, b"POST /files/a")
        assert "access-control-allow-origin" not in answer.headers
    assert run_main("--port", "0", str(folder), REACTOR_WSGI="wsgi_site").returncode == 2


def test_an_allowed_host_reaches_the_application() -> None:
    with (
        CommandServer("--wsgi", "wsgi_site", "--allowed-host", "good.test") as server,
        server.connect() as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: good.test\r\n\r\n")
        assert client.answer().content == b"GET /"
