"""Media types by file extension, and which files are compressed."""

from contextlib import closing

import pytest

from reactor.handlers.files.media_types import OCTET_STREAM, TYPES, binary, file_type, guess
from reactor.handlers.files.store import Store
from tests.support.in_process import Client, Harness
from tests.unit.handlers.files.shared import Shared, request


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("data.json", "application/json; charset=utf-8"),
        ("logo.svg", "image/svg+xml; charset=utf-8"),
        ("photo.jpeg", "image/jpeg"),
        ("archive.tar.gz", OCTET_STREAM),
        ("page.html.gz", OCTET_STREAM),
        ("README", OCTET_STREAM),
        ("strange.\u00e4\u00f6\u00fc", OCTET_STREAM),
        ("http://x/y.html", "text/html; charset=utf-8"),
        ("data:text/html,x", OCTET_STREAM),
        ("", OCTET_STREAM),
    ],
)
def test_types_are_guessed_by_name_only(name: str, media_type: str) -> None:
    assert guess(name) == media_type
    assert binary(name) == OCTET_STREAM


def test_types_are_guessed_only_with_the_option(shared: Shared, client: Client) -> None:
    (shared.path / "page.html").write_bytes(b"<script>alert(1)</script>")
    assert client.get("/files/page.html").headers["content-type"] == OCTET_STREAM
    with closing(Store(shared.path, media_type=guess)) as store, Harness(store=store) as server:
        answer = server.connect().get("/files/page.html")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"


TEXT = {
    "documents": "txt md markdown rst adoc org tex log diff patch srt vtt asc etx rtf rtx",
    "pages": "html htm xhtml css scss less js mjs jsx tsx vue svelte map svg xml xsl xslt xsd rss atom",
    "data": "json jsonl ndjson geojson json5 ipynb csv tsv yaml yml toml ini cfg conf properties ics vcf sql",
    "code": "py pyi c h cc cpp cxx hpp cs go rs java kt scala swift rb php pl lua r jl m hs ex exs dart zig",
    "others": "sh bash ksh zsh fish bat ps1 cmake graphql proto webmanifest s asm n3 rdf sgm sgml wsdl xpdl",
}
OTHER = {
    "images": "png jpg jpeg gif webp avif heic heif jxl bmp tif tiff ico psd raw cr2 nef dng xcf svgz",
    "video": "mp4 m4v mkv webm mov avi wmv flv mpg mpeg ogv 3gp ts m2ts vob",
    "audio": "mp3 m4a aac flac ogg oga opus wav aiff wma mid",
    "archives": "zip gz tgz bz2 tbz xz txz zst zstd lz lz4 lzma br 7z rar tar cab cpio ar",
    "disks": "iso img dmg vmdk vdi vhd qcow2 squashfs",
    "programs": "exe dll msi so dylib o a bin elf apk ipa deb rpm snap jar war class pyc wasm whl egg crx",
    "documents": "pdf ps djvu epub mobi doc docx xls xlsx ppt pptx odt ods odp",
    "fonts": "woff woff2 ttf otf eot",
    "data": "sqlite db mdb parquet npy npz h5 pkl pt onnx safetensors gguf",
    "unknown": "xpi torrent pcap dat bak part unknown",
}


def extensions(table: dict[str, str]) -> list[str]:
    """Return all extensions of a table."""
    return " ".join(table.values()).split()


@pytest.mark.parametrize("extension", extensions(TEXT))
def test_text_is_compressed(extension: str) -> None:
    for name in (f"a.{extension}", f"A.{extension.upper()}", f"below/a.b.{extension}"):
        assert all(file_type(name, media_type).compressible for media_type in TYPES.values())


@pytest.mark.parametrize("extension", extensions(OTHER))
def test_other_files_are_not_compressed(extension: str) -> None:
    for name in (f"a.{extension}", f"A.{extension.upper()}", f"a.txt.{extension}", f"a.html/b.{extension}"):
        assert not any(file_type(name, media_type).compressible for media_type in TYPES.values())


@pytest.mark.parametrize(
    "name", ["README", "txt", "json", "below/txt", "a.txt/b", "a.b/txt", ".txt", "a.", ""]
)
def test_a_file_without_an_extension_is_not_compressed(name: str) -> None:
    assert not file_type(name, binary).compressible


def test_a_site_is_served_with_its_index_pages(shared: Shared) -> None:
    (shared.path / "index.html").write_bytes(b"<h1>Home</h1>")
    (shared.path / "below" / "style.css").write_bytes(b"p {}")
    with closing(Store(shared.path, media_type=guess)) as store, Harness(store=store) as server:
        client = server.connect()
        page = client.get("/files/")
        assert (page.content, page.headers["content-type"]) == (b"<h1>Home</h1>", "text/html; charset=utf-8")
        lines = [f"If-None-Match: {page.headers['etag']}"]
        assert request(client, "GET", "/files/", *lines).status == 304
        assert client.get("/files/below/", "Accept: text/plain").content.split() == [b"file", b"style.css"]
    with closing(Store(shared.path)) as store, Harness(store=store) as server:
        assert b"index.html" in server.connect().get("/files/").content
