"""HAProxy and nginx, with the ready-made configurations in ``reactor/server/deploy``.

Only ports, paths and users are replaced; and for servers without a port for checks the target of the checks.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.restarts.servers import ROOT, Instance, Kind, stop, wait_until_ready

DEPLOY = ROOT / "reactor" / "server" / "deploy"


def haproxy_configuration(kind: Kind, instances: Sequence[Instance], port: int) -> str:
    """Return the configuration of HAProxy that listens on a port."""
    text = (DEPLOY / "haproxy.cfg").read_text()
    text = replaced(text, r"^ +(?:user|group) haproxy\n", "", 2)
    text = replaced(text, r"bind :80", f"bind 127.0.0.1:{port}", 1)
    for number, each in enumerate(instances, 1):
        address = f"127.0.0.1:{each.port} port {each.check_port}"
        text = replaced(text, rf"(server reactor{number}) .*", rf"\1 {address}", 1)
    return replaced(text, "(uri) /readyz", rf"\1 {kind.check}", 1)


def nginx_configuration(kind: Kind, instances: Sequence[Instance], port: int, scratch: Path) -> str:
    """Return the configuration of nginx that listens on a port and keeps its files in ``scratch``."""
    text = (DEPLOY / "nginx.conf").read_text()
    text = replaced(text, r"listen 80;", f"listen 127.0.0.1:{port};", 1)
    for number, each in enumerate(instances, 1):
        text = replaced(text, rf"(server 127.0.0.1):800{number}", rf"\1:{each.port}", 2)
    paths = "".join(
        f"{name}_temp_path {scratch}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = replaced(text, r"http \{", f"http {{ access_log off; {paths}", 1)
    return f"daemon off; pid {scratch}/nginx.pid; error_log {scratch}/error.log;\n{text}"


def replaced(text: str, pattern: str, by: str, times: int) -> str:
    """Replace a pattern, which must be found exactly so many times."""
    text, found = re.subn(pattern, by, text, flags=re.MULTILINE)
    assert found == times, f"{pattern}: {found} times in the ready-made configuration"
    return text


@contextmanager
def running(
    proxy: str, kind: Kind, instances: Sequence[Instance], port: int, scratch: Path
) -> Iterator[None]:
    """Run a proxy."""
    file = scratch / f"{proxy}.conf"
    if proxy == "haproxy":
        file.write_text(haproxy_configuration(kind, instances, port))
        command = ["haproxy", "-db", "-f", str(file)]
    else:
        file.write_text(nginx_configuration(kind, instances, port, scratch))
        command = ["nginx", "-p", str(scratch), "-c", str(file), "-e", str(scratch / "error.log")]
    with (scratch / f"{proxy}.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until_ready(process, port, "/echo/ready")
        yield
    finally:
        stop(process)
