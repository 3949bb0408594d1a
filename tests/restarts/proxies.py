"""HAProxy and nginx, with the ready-made configurations in ``reactor/server/deploy``.

Only ports, paths and users are replaced; and for servers without a port for checks the target of the checks.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.restarts.servers import ROOT, stop, wait_until_ready

DEPLOY = ROOT / "reactor" / "server" / "deploy"


class Ports(Protocol):
    """The ports of a server: for requests, and for health checks."""

    port: int
    check_port: int


def configuration(
    proxy: str, servers: Sequence[Ports], check: str, port: int, scratch: Path, pace: float = 1.0
) -> str:
    """Return the configuration of a proxy that listens on a port and keeps its files in ``scratch``.

    ``check`` is the target of health checks, and ``pace`` multiplies the time between two of them.
    """
    return haproxy(servers, check, port, pace) if proxy == "haproxy" else nginx(servers, port, scratch)


def haproxy(servers: Sequence[Ports], check: str, port: int, pace: float) -> str:
    """Return the configuration of HAProxy."""
    text = (DEPLOY / "haproxy.cfg").read_text()
    text = replaced(text, r"^ +(?:user|group) haproxy\n", "", 2)
    text = replaced(text, r"bind :80$", f"bind 127.0.0.1:{port}", 1)
    for number, each in enumerate(servers, 1):
        address = f"127.0.0.1:{each.port} port {each.check_port}"
        text = replaced(text, rf"(server reactor{number}) .*", rf"\1 {address}", 1)
    text = replaced(text, r"inter 500ms", f"inter {500 * pace:.0f}ms", 1)
    return replaced(text, r"(uri) /readyz", rf"\1 {check}", 1)


def nginx(servers: Sequence[Ports], port: int, scratch: Path) -> str:
    """Return the configuration of nginx."""
    text = (DEPLOY / "nginx.conf").read_text()
    text = replaced(text, r"listen 80;", f"listen 127.0.0.1:{port};", 1)
    for number, each in enumerate(servers, 1):
        text = replaced(text, rf"(server 127.0.0.1):800{number}", rf"\1:{each.port}", 2)
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{name}_temp_path {scratch}/{name};" for name in names)
    text = replaced(text, r"http \{", f"http {{ access_log off; {paths}", 1)
    return f"daemon off; pid {scratch}/nginx.pid; error_log {scratch}/error.log;\n{text}"


def replaced(text: str, pattern: str, by: str, times: int) -> str:
    """Replace a pattern, which must be found exactly so many times."""
    text, found = re.subn(pattern, by, text, flags=re.MULTILINE)
    assert found == times, f"{pattern}: {found} times in the ready-made configuration"
    return text


@contextmanager
def running(proxy: str, text: str, port: int, scratch: Path) -> Iterator[None]:
    """Run a proxy with a configuration."""
    file = scratch / f"{proxy}.conf"
    file.write_text(text)
    command = [proxy, "-db", "-f", str(file)]
    if proxy == "nginx":
        command = [proxy, "-p", str(scratch), "-c", str(file), "-e", str(scratch / "error.log")]
    log = scratch / f"{proxy}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        wait_until_ready(process, port, "/echo/ready", log)
        yield
    finally:
        stop(process)
