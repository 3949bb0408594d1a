"""Downloads and uploads by clients that are independent of this project: curl, wget, aria2."""

import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import TIMEOUT, ServerProcess

CONTENT = os.urandom(5_000_000)
TEXT = b"the same words again and again, " * 50_000


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def run(*command: str, cwd: Path, status: int = 0) -> bytes:
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, timeout=2 * TIMEOUT, check=False)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout


def curl(*arguments: str, cwd: Path, status: int = 0) -> bytes:
    return run("curl", "-q", "--silent", "--show-error", "--fail", *arguments, cwd=cwd, status=status)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shared")
    (path / "large").write_bytes(CONTENT)
    (path / "text.txt").write_bytes(TEXT)
    return path


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[ServerProcess]:
    with ServerProcess("--directory", str(directory), "--no-access-log", "--allow-delete") as process:
        yield process


@needs("curl")
def test_curl_goes_on_with_a_download(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(CONTENT[:1_234_567])
    curl("-C", "-", "-O", f"{server.url}/files/large", cwd=tmp_path)
    assert (tmp_path / "large").read_bytes() == CONTENT


@needs("curl")
def test_curl_takes_parts(server: ServerProcess, tmp_path: Path) -> None:
    assert curl("-r", "100-199", f"{server.url}/files/large", cwd=tmp_path) == CONTENT[100:200]
    assert curl("-r", "-7", f"{server.url}/files/large", cwd=tmp_path) == CONTENT[-7:]
    several = curl("-r", "0-9,1000000-1099999", f"{server.url}/files/large", cwd=tmp_path)
    assert CONTENT[:10] in several
    assert CONTENT[1_000_000:1_100_000] in several


@needs("curl")
def test_curl_does_not_take_what_it_has(server: ServerProcess, tmp_path: Path) -> None:
    etag = ["--etag-save", "etag", "--etag-compare", "etag"]
    code = ["-o", "out", "-w", "%{http_code}", f"{server.url}/files/large"]
    assert curl(*etag[:2], *code, cwd=tmp_path) == b"200"
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert curl(*etag[2:], *code, cwd=tmp_path) == b"304"
    assert curl("-z", str(tmp_path / "out"), *code, cwd=tmp_path) == b"304"


@needs("curl")
def test_curl_uploads_replaces_and_removes(server: ServerProcess, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "new file").write_bytes(CONTENT)
    url = f"{server.url}/files/"
    assert curl("-T", "new file", "-w", "%{http_code}", url, cwd=tmp_path) == b"201"
    assert (directory / "new file").read_bytes() == CONTENT
    (tmp_path / "new file").write_bytes(b"shorter")
    assert curl("-T", "new file", "-w", "%{http_code}", url, cwd=tmp_path) == b"204"
    assert (directory / "new file").read_bytes() == b"shorter"
    new = ["-T", "new file", "-H", "If-None-Match: *"]
    curl(*new, url, cwd=tmp_path, status=22)
    assert curl("-X", "DELETE", "-w", "%{http_code}", f"{url}new%20file", cwd=tmp_path) == b"204"
    assert curl(*new, "-w", "%{http_code}", url, cwd=tmp_path) == b"201"


@needs("curl")
def test_curl_uploads_a_stream_of_unknown_length(
    server: ServerProcess, directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").write_bytes(CONTENT)
    command = f"curl -q -s -f --noproxy '*' -T - {server.url}/files/stream < in"
    run("sh", "-c", command, cwd=tmp_path)
    assert (directory / "stream").read_bytes() == CONTENT


@needs("curl")
def test_curl_uploads_a_form(server: ServerProcess, directory: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(CONTENT + name.encode())
    curl("-F", "file=@one", "-F", "file=@two", f"{server.url}/files/", cwd=tmp_path)
    for name in ("one", "two"):
        assert (directory / name).read_bytes() == CONTENT + name.encode()


@needs("curl")
def test_curl_takes_what_is_compressed(server: ServerProcess, tmp_path: Path) -> None:
    curl("--compressed", "-D", "head", "-o", "out", f"{server.url}/files/text.txt", cwd=tmp_path)
    assert b"content-encoding: gzip" in (tmp_path / "head").read_bytes().lower()
    assert (tmp_path / "out").read_bytes() == TEXT
    raw = curl("-H", "Accept-Encoding: gzip", f"{server.url}/files/text.txt", cwd=tmp_path)
    assert len(raw) < len(TEXT) // 50
    assert gzip.decompress(raw) == TEXT


@needs("curl")
def test_curl_lists_as_text_and_as_json(server: ServerProcess, tmp_path: Path) -> None:
    assert b"large" in curl(f"{server.url}/files/", cwd=tmp_path).splitlines()
    assert b'"entries"' in curl("-H", "Accept: application/json", f"{server.url}/files/", cwd=tmp_path)
    assert curl("-L", f"{server.url}/files", cwd=tmp_path) == curl(f"{server.url}/files/", cwd=tmp_path)


@needs("wget")
def test_wget_goes_on_with_a_download(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(CONTENT[:3_210_000])
    run("wget", "-q", "-c", f"{server.url}/files/large", cwd=tmp_path)
    assert (tmp_path / "large").read_bytes() == CONTENT
    run("wget", "-q", "-c", f"{server.url}/files/large", cwd=tmp_path)  # 416: the file is already complete
    assert (tmp_path / "large").read_bytes() == CONTENT


@needs("wget")
def test_wget_downloads_a_directory(server: ServerProcess, directory: Path, tmp_path: Path) -> None:
    names = [f"wanted/{name}" for name in ("one", "below/two [2]", "below/three|^")]
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(name.encode())
    run("wget", "-q", "-r", "-np", "-nH", "-R", "index.html*", f"{server.url}/files/wanted/", cwd=tmp_path)
    assert all((tmp_path / "files" / name).read_bytes() == name.encode() for name in names)


@needs("aria2c")
def test_aria2_downloads_over_four_connections(server: ServerProcess, tmp_path: Path) -> None:
    arguments = ["-x", "4", "-s", "4", "-k", "1M", "--no-conf", "--quiet", "--file-allocation=none"]
    run("aria2c", *arguments, f"{server.url}/files/large", cwd=tmp_path)
    assert (tmp_path / "large").read_bytes() == CONTENT


@needs("curl")
def test_curl_resumes_an_upload(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(CONTENT[:1_000_000])
    (tmp_path / "rest").write_bytes(CONTENT[1_000_000:])
    version = ("-i", "-H", "Upload-Draft-Interop-Version: 8")
    with ServerProcess("--directory", str(directory), "--no-access-log", "--resumable") as server:
        part = ("-T", "first", "-H", "Upload-Complete: ?0", f"{server.url}/files/resumed")
        heads = curl(*version, *part, cwd=tmp_path)
        (where,) = set(re.findall(rb"(?m)^Location: (/uploads/.+)\r$", heads))
        url = server.url + where.decode()
        assert b"\r\nUpload-Offset: 1000000\r\n" in curl("-I", url, cwd=tmp_path)
        media_type = ("-H", "Content-Type: application/partial-upload")
        last = ("-H", "Upload-Offset: 1000000", "-H", "Upload-Complete: ?1", "--data-binary", "@rest", url)
        heads = curl(*version, "-X", "PATCH", *media_type, *last, cwd=tmp_path)
    statuses = [int(status) for status in re.findall(rb"(?m)^HTTP/1.1 (\d+) ", heads)]
    assert statuses.count(104) > 10
    assert statuses[-1] == 201
    assert (directory / "resumed").read_bytes() == CONTENT
