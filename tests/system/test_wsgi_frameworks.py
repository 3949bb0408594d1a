"""Applications of Flask, Bottle and Django, run by ``python -m reactor --wsgi`` and driven over HTTP.

Each has what a tutorial has: forms, an upload, a session in a cookie, a stream, and a file.
"""

import hashlib
import http.client
import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest

from tests.support.process import TIMEOUT, ServerProcess

pytestmark = pytest.mark.system

FILE = bytes(range(256)) * 2000  # 500 KiB
BOUNDARY = "----a-boundary"

FLASK = """
import hashlib
from flask import Flask, Response, redirect, render_template_string, request, send_file, session, url_for

app = Flask(__name__)
app.secret_key = "for this test only"


@app.get("/")
def index():
    return render_template_string("<p>Hello, {{ name }}!</p>", name=session.get("name", "<nobody>"))


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        session["name"] = request.form["name"]
        return redirect(url_for("index"))
    return '<form method="post"><input name="name"></form>'


@app.post("/upload")
def upload():
    file = request.files["file"]
    digest = hashlib.sha256(file.read()).hexdigest()
    return {"name": file.filename, "sha256": digest, "note": request.form["note"]}


@app.post("/json")
def json():
    return {"got": request.get_json()}


@app.get("/stream")
def stream():
    return Response((f"{number}\\n" for number in range(1000)), mimetype="text/plain")


@app.get("/file")
def file():
    return send_file("data.bin", mimetype="application/octet-stream")


@app.get("/failure")
def failure():
    raise ValueError("planned")
"""

BOTTLE = """
import hashlib
from bottle import Bottle, abort, redirect, request, response, static_file, template

app = Bottle()


@app.get("/")
def index():
    name = request.get_cookie("name", secret="for this test only")
    return template("<p>Hello, {{name}}!</p>", name=name or "<nobody>")


@app.post("/login")
def login():
    response.set_cookie("name", request.forms.name, secret="for this test only")
    redirect("/")


@app.post("/upload")
def upload():
    file = request.files.file
    digest = hashlib.sha256(file.file.read()).hexdigest()
    return {"name": file.filename, "sha256": digest, "note": request.forms.note}


@app.post("/json")
def json():
    return {"got": request.json}


@app.get("/items/<number:int>")
def item(number):
    return {"item": number}


@app.get("/stream")
def stream():
    response.content_type = "text/plain"
    for number in range(1000):
        yield f"{number}\\n"


@app.get("/file")
def file():
    return static_file("data.bin", root=".", mimetype="application/octet-stream")


@app.get("/failure")
def failure():
    raise ValueError("planned")
"""

DJANGO = """
import hashlib
import json as json_module
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.urls import path
from django.utils.html import escape
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    SECRET_KEY="for this test only",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    USE_TZ=True,
)
django.setup()


def index(request):
    return HttpResponse(f"<p>Hello, {escape(request.session.get('name', '<nobody>'))}!</p>")


def login(request):
    if request.method == "POST":
        request.session["name"] = request.POST["name"]
        return HttpResponseRedirect("/")
    return HttpResponse(get_token(request))


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256(file.read()).hexdigest()
    return JsonResponse({"name": file.name, "sha256": digest, "note": request.POST["note"]})


@csrf_exempt
def json(request):
    return JsonResponse({"got": json_module.loads(request.body)})


def stream(request):
    return StreamingHttpResponse((f"{number}\\n" for number in range(1000)), content_type="text/plain")


def file(request):
    return FileResponse(open("data.bin", "rb"))


def failure(request):
    raise ValueError("planned")


urlpatterns = [
    path("", index),
    *(path(view.__name__, view) for view in (login, upload, json, stream, file, failure)),
]
app = get_wsgi_application()
"""

SITES = {"flask": FLASK, "bottle": BOTTLE, "django": DJANGO}


class Answer(NamedTuple):
    """One response."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes


class Browser:
    """A client with a connection that persists, and a jar of cookies."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        self.cookies: dict[str, str] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def request(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str
    ) -> Answer:
        """Send a request; keep the cookies of its response."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            named["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self._connection.request(method, path, body, named)
        response = self._connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies.update({name: each.coded_value for name, each in SimpleCookie(line).items()})
        return answer

    def submit(self, path: str, **values: str) -> Answer:
        """Submit a form."""
        kind = "application/x-www-form-urlencoded"
        return self.request("POST", path, urlencode(values).encode(), Content_Type=kind)

    def upload(self, path: str, content: bytes, chunked: bool) -> Answer:
        """Submit a form with a file."""
        parts = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="note"\r\n\r\ngrüße\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = parts.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        pieces = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
        return self.request("POST", path, pieces if chunked else body, Content_Type=kind)


@contextmanager
def serving(framework: str, folder: Path, *options: str) -> Iterator[tuple[ServerProcess, Browser]]:
    """Run the application of a framework, in a directory of its own."""
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed (extra dev)")
    (folder / "site_of_test.py").write_text(SITES[framework])
    (folder / "data.bin").write_bytes(FILE)
    launcher = ("env", "-C", str(folder))  # the module is found in the current directory
    with (
        ServerProcess("--wsgi", "site_of_test:app", *options, launcher=launcher) as server,
        closing(Browser(server.port)) as browser,
    ):
        yield server, browser


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, ServerProcess, Browser]]:
    with serving(request.param, tmp_path) as (server, browser):
        yield request.param, server, browser


def test_a_session_is_kept_in_a_cookie(site: tuple[str, ServerProcess, Browser]) -> None:
    framework, _, browser = site
    assert browser.request("GET", "/").content == b"<p>Hello, &lt;nobody&gt;!</p>"
    token = {}
    if framework == "django":
        assert browser.submit("/login", name="x").status == 403  # no CSRF token
        token = {"csrfmiddlewaretoken": browser.request("GET", "/login").content.decode()}
    answer = browser.submit("/login", name="Zoë & <co>", **token)
    assert answer.status in (302, 303)
    assert browser.request("GET", "/").content == "<p>Hello, Zoë &amp; &lt;co&gt;!</p>".encode()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [0, 1000, 5_000_000])
def test_an_upload(site: tuple[str, ServerProcess, Browser], size: int, chunked: bool) -> None:
    _, _, browser = site
    content = (FILE * 10)[:size]
    answer = browser.upload("/upload", content, chunked)
    assert answer.status == 200, answer
    got = json.loads(answer.content)
    assert (got["name"], got["sha256"]) == ("a.bin", hashlib.sha256(content).hexdigest())
    assert got["note"] == "grüße"


def test_json(site: tuple[str, ServerProcess, Browser]) -> None:
    _, _, browser = site
    answer = browser.request("POST", "/json", b'{"a": [1, 2]}', Content_Type="application/json")
    assert (answer.status, answer.content.replace(b" ", b"").strip()) == (200, b'{"got":{"a":[1,2]}}')


def test_a_stream(site: tuple[str, ServerProcess, Browser]) -> None:
    _, _, browser = site
    answer = browser.request("GET", "/stream")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.content == b"".join(b"%d\n" % number for number in range(1000))


def test_a_file_and_a_range_of_it(site: tuple[str, ServerProcess, Browser]) -> None:
    framework, _, browser = site
    answer = browser.request("GET", "/file")
    assert (answer.status, answer.content) == (200, FILE)
    assert answer.headers["Content-Length"] == str(len(FILE))
    if framework != "django":  # its FileResponse has no ranges
        answer = browser.request("GET", "/file", Range="bytes=100-299999")
        assert (answer.status, answer.content) == (206, FILE[100:300_000])
        since = answer.headers["Last-Modified"]
        assert browser.request("GET", "/file", If_Modified_Since=since).status == 304
    head = browser.request("HEAD", "/file")
    assert (head.status, head.content, head.headers["Content-Length"]) == (200, b"", str(len(FILE)))


def test_an_exception_is_500_and_in_the_log(site: tuple[str, ServerProcess, Browser]) -> None:
    _, server, browser = site
    answer = browser.request("GET", "/failure")
    assert answer.status == 500
    assert b"planned" not in answer.content
    assert browser.request("GET", "/").status == 200
    server.terminate()
    assert server.exit_code() == 0
    assert any("ValueError: planned" in line for line in server.stderr.rest())


def test_many_clients_at_once(site: tuple[str, ServerProcess, Browser]) -> None:
    _, server, _ = site
    results: list[bytes] = []

    def use() -> None:
        with closing(Browser(server.port)) as browser:
            results.extend(browser.request("GET", "/stream").content[:4] for _ in range(20))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(TIMEOUT)
    assert results == [b"0\n1\n"] * 160


@pytest.mark.parametrize("framework", SITES)
def test_in_the_event_loop(framework: str, tmp_path: Path) -> None:
    with serving(framework, tmp_path, "--threads", "0") as (_, browser):
        assert browser.request("GET", "/").status == 200
        assert len(browser.request("GET", "/stream").content) == 3890
        assert browser.request("GET", "/file").content == FILE
        assert browser.upload("/upload", FILE, True).status == 200
