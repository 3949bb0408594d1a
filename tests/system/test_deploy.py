"""The ready-made configurations, each checked by its own tool; and the container's command as process 1."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tests.restarts import proxies
from tests.restarts.servers import free_port
from tests.support.process import TIMEOUT, Lines, environment

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "reactor" / "server" / "deploy"
SCRIPTS = Path(sys.executable).parent  # of the packages in the same environment
# Of "systemd-analyze security", from 0.0 (safe) to 10.0.
MAX_EXPOSURE = 1.6


def run(program: str, *arguments: str, cwd: Path = ROOT) -> str:
    """Run a tool, and return its output; fail if it does."""
    found = shutil.which(program, path=f"{SCRIPTS}:{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [found, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with its arguments."""
    text = re.sub(r"^#.*\n|\\\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    pairs = (line.partition(" ") for line in text.splitlines() if line)
    return [(name, rest.strip()) for name, _, rest in pairs]


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a directory with the units, whose program exists."""
    text = (DEPLOY / "reactor.service").read_text()
    program = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
    assert program is not None
    (tmp_path / "reactor.service").write_text(text.replace(f"ExecStart={program[1]}", "ExecStart=/bin/true"))
    shutil.copy(DEPLOY / "reactor.socket", tmp_path)
    return tmp_path


def test_systemd_accepts_the_units(units: Path) -> None:
    output = run("systemd-analyze", "verify", "--man=no", "./reactor.service", "./reactor.socket", cwd=units)
    # Unknown directives are warnings.
    assert [line for line in output.splitlines() if "reactor." in line] == []


def test_the_service_is_started_again_without_end() -> None:
    """With the default limit, five failures in ten seconds end the service, and close its socket."""
    unit = DEPLOY.joinpath("reactor.service").read_text()
    section = unit.partition("[Unit]")[2].partition("[Service]")[0]
    assert re.search(r"^StartLimitIntervalSec=0$", section, re.MULTILINE)
    assert re.search(r"^Restart=always$", unit, re.MULTILINE)


def test_the_service_is_reloaded_without_programs_that_a_minimal_system_lacks() -> None:
    unit = DEPLOY.joinpath("reactor.service").read_text()
    command = re.search(r"^ExecReload=(/bin/sh .*)$", unit, re.MULTILINE)
    assert command is not None
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as service:
        words = shlex.split(command[1].replace("$MAINPID", str(service.pid)))
        subprocess.run(words, env={"PATH": ""}, check=True, timeout=TIMEOUT)
        assert service.wait(TIMEOUT) == -signal.SIGHUP


def test_the_service_is_sandboxed(units: Path) -> None:
    threshold = f"--threshold={10 * MAX_EXPOSURE:.0f}"
    run("systemd-analyze", "security", "--offline=yes", threshold, "./reactor.service", cwd=units)


def test_haproxy_accepts_its_configuration() -> None:
    assert "warning" not in run("haproxy", "-c", "-f", str(DEPLOY / "haproxy.cfg")).lower()


@pytest.mark.skipif(os.geteuid() != 0, reason="nginx opens the port 80 for its check")
def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    output = run(
        "nginx", "-t", "-c", str(DEPLOY / "nginx.conf"), "-g", f"pid {tmp_path}/pid;", "-e", "stderr"
    )
    assert "test is successful" in output
    assert "warn" not in output


def test_kubernetes_accepts_the_manifests() -> None:
    output = run("kubernetes-validate", "--strict", str(DEPLOY / "kubernetes.yaml"))
    kinds = re.findall(r"passed for resource (\w+)/reactor", output)
    assert kinds == ["deployment", "persistentvolumeclaim", "service", "poddisruptionbudget", "networkpolicy"]


def test_the_linter_accepts_the_dockerfile() -> None:
    run("hadolint", str(DEPLOY / "Dockerfile"))


class EchoFields(BaseHTTPRequestHandler):
    """Responds with the fields of the request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Respond."""
        content = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_the_proxy_overwrites_the_fields_that_a_client_makes_up(proxy: str, tmp_path: Path) -> None:
    if shutil.which(proxy) is None:
        pytest.skip(f"{proxy} is not installed")
    names = ("for", "proto", "host", "prefix")
    made_up = {**{f"X-Forwarded-{name}": "made.up" for name in names}, "Forwarded": "for=made.up"}
    port = free_port()
    with ThreadingHTTPServer(("127.0.0.1", 0), EchoFields) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        ports = SimpleNamespace(port=server.server_port, check_port=server.server_port)
        text = proxies.configuration(proxy, [ports, ports], "/", port, tmp_path)
        with (
            proxies.running(proxy, text, port, tmp_path),
            closing(HTTPConnection("127.0.0.1", port)) as client,
        ):
            client.request("GET", "/", headers={**made_up, "Host": "share.example"})
            fields = json.loads(client.getresponse().read())
        server.shutdown()
        thread.join(TIMEOUT)
    assert sorted(pair for pair in fields if "forwarded" in pair[0] or pair[0] == "host") == [
        ["host", "share.example"],
        ["x-forwarded-for", "127.0.0.1"],
        ["x-forwarded-host", "share.example"],
        ["x-forwarded-proto", "http"],
    ]


LAUNCHER = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def has_pid_namespaces() -> bool:
    """Return whether a process can be process 1 of a new namespace."""
    try:
        return not subprocess.run([*LAUNCHER, "true"], capture_output=True, check=False).returncode
    except OSError:
        return False


@contextmanager
def process_1(
    command: Sequence[str], cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """Run a server as process 1 of a namespace, then stop it; yield its start line and its /proc status."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = Lines(process.stderr)
    try:
        start = str(lines.next())
        assert " on http://" in start, [start, *lines.rest()]
        (server,) = psutil.Process(process.pid).children()
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert re.search(r"^NSpid:.*\b1$", status, re.MULTILINE)
        yield start, status
        server.terminate()
        assert process.wait(TIMEOUT) == 0
    finally:
        process.kill()
        process.wait(TIMEOUT)
        lines.join()


def test_the_container_answers_its_health_check_and_stops_on_sigterm_as_process_1(tmp_path: Path) -> None:
    if not has_pid_namespaces():
        pytest.skip("cannot create a PID namespace (unshare, as root)")
    values = dict(instructions())
    share, image = tmp_path / "share", tmp_path / "image"
    share.mkdir()
    for name, rest in instructions():
        if name == "COPY":
            source, target = rest.split()
            shutil.copytree(ROOT / source, image / target, ignore=shutil.ignore_patterns("__pycache__"))
    command = json.loads(values["ENTRYPOINT"]) + json.loads(values["CMD"])
    command = [
        {"python": sys.executable, "/share": str(share), "8000": "0"}.get(each, each) for each in command
    ]
    command = [each.replace(":9000", ":0") for each in command]
    with process_1([*LAUNCHER, *command], cwd=image, env={**environment(), "PYTHONPATH": ""}) as (start, _):
        port = re.search(r"inspector on http://127\.0\.0\.1:(\d+)/", start)
        assert port is not None, start
        check = json.loads(values["HEALTHCHECK"].partition("CMD ")[2])
        run(sys.executable, *(each.replace("9000", port[1]) for each in check[1:]))
