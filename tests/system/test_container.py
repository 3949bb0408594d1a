"""The container image, built by buildah on a base image of Debian, and its server as process 1."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.test_deploy import DEPLOY, LAUNCHER, ROOT, instructions, process_1

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("buildah") and shutil.which("mmdebstrap")) or os.geteuid() != 0,
        reason="needs root, buildah and mmdebstrap",
    ),
]
BASE = "docker.io/library/python:3.13-slim"  # in the storage of the test; its Python is that of Debian
BUILD_TIMEOUT = 600.0  # seconds


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    """Build the image; return its root directory."""

    def buildah(*arguments: str) -> str:
        options = ("--storage-driver=vfs", f"--root={tmp_path}/root", f"--runroot={tmp_path}/run")
        return run("buildah", *options, *arguments)

    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    run("mmdebstrap", "--quiet", "--variant=apt", "--include=python3", release, f"{tmp_path}/base.tar")
    base = buildah("from", "scratch")
    buildah("add", "--quiet", base, f"{tmp_path}/base.tar", "/")
    buildah("run", "--isolation=chroot", base, "ln", "-s", "python3", "/usr/bin/python")
    buildah("commit", "--quiet", base, BASE)
    file = ("--file", str(DEPLOY / "Dockerfile"))
    buildah(
        "build", "--isolation=chroot", "--pull-never", "--format=docker", "--tag=reactor", *file, str(ROOT)
    )
    container = buildah("from", "--pull-never", "localhost/reactor")
    yield Path(buildah("mount", container))
    buildah("umount", container)
    buildah("rm", "--all")


def run(*command: str) -> str:
    """Run a command; return its last line; fail with its output."""
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=BUILD_TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().rpartition("\n")[2]


def test_the_image_serves_without_root_and_stops_on_sigterm(image: Path) -> None:
    values = dict(instructions())
    serve = "cd /opt/reactor && exec python -m reactor /share --port 0 --inspect 127.0.0.1:0"
    command = [
        *(*LAUNCHER[:-1], f"--mount-proc={image}/proc", "chroot", f"--userspec={values['USER']}"),
        *(str(image), "/bin/sh", "-c", serve),
    ]
    with process_1(command) as (start, status):
        port = re.search(r" on http://127\.0\.0\.1:(\d+)/", start)
        assert port is not None, start
        run("curl", "-fsS", "-T", str(ROOT / "LICENSE"), f"http://127.0.0.1:{port[1]}/files/LICENSE")
        assert (image / "share" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
        assert re.search(r"^Uid:\s+10001\b", status, re.MULTILINE)
