"""How many Python functions are called for a request, and that none of them is a closure."""

import sys
from base64 import b64encode
from collections.abc import Callable
from types import CodeType

import pytest

from reactor import handlers
from reactor.basic_auth import AuthRouter, digest
from reactor.handlers.files.routes import PATTERN, Files
from reactor.handlers.files.store import Store
from reactor.http11.message import Request
from reactor.routing import Router, Sink
from tests.support.calls import EXCHANGES, Calls, count_calls, count_last, get, is_closure, post

# Python functions at most, from the first byte received to the last byte sent.
BUDGETS = {
    "GET /echo/abc, third": 17,
    "GET /echo/abc, after others": 24,  # the head was never seen before
    "POST /files/up, first": 84,  # on a new server: nothing is cached, neither the head nor the Date line
    "POST /files/up, after others": 65,  # only the file name is new
    "GET /files/f, third": 26,
}

CREATE_ONLY = "If-None-Match: *"
CREDENTIALS = "anna:secret"
DIGEST = "Repr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"  # of "hello"

PATHS = {
    "GET of a file": [get("/files/f")],
    "POST": [post("up")],
    "POST with a condition": [post("up", CREATE_ONLY)],
    "PUT with a digest": [post("up", DIGEST, method="PUT")],
    "POST that could be resumed": [post("up", "Upload-Complete: ?1")],
}


def with_resumable_uploads(store: Store) -> Router:
    return handlers.build(store, resumable=1000)


def with_closure(store: Store) -> Router:
    """Make routes whose sink is opened by a closure."""
    files, routes = Files(store), Router()
    routes.post(PATTERN, sink=lambda request: files.open_upload(request))(files.commit)
    return routes


class Detour:
    """The file handlers, with some calls before an upload is opened."""

    def __init__(self, files: Files, calls: int) -> None:
        self._files = files
        self._calls = calls

    def open(self, request: Request) -> Sink:
        for _ in range(self._calls):
            self._go()
        return self._files.open_upload(request)

    def _go(self) -> None:
        pass


def with_detour(store: Store) -> Router:
    """Make routes whose sink is opened forty calls later."""
    files, routes = Files(store), Router()
    routes.post(PATTERN, sink=Detour(files, 39).open)(files.commit)
    return routes


@pytest.mark.parametrize("name", BUDGETS)
def test_a_request_stays_within_its_budget_of_calls(name: str) -> None:
    calls = count_last(EXCHANGES[name])
    assert calls.calls <= BUDGETS[name], "\n".join(code.co_qualname for code in calls.codes)


def test_further_calls_exceed_the_budget() -> None:
    name = "POST /files/up, after others"
    straight, detour = (count_last(EXCHANGES[name], routes) for routes in (handlers.build, with_detour))
    assert detour.calls == straight.calls + 40
    assert detour.calls > BUDGETS[name]


@pytest.mark.parametrize("name", PATHS)
def test_no_closure_is_called_between_connection_and_store(name: str) -> None:
    calls = count_last(PATHS[name], with_resumable_uploads)
    assert calls.closures == []
    assert ("Store.find" if name.startswith("GET") else "Store.create") in names(calls)


def with_password(store: Store) -> Router:
    return handlers.build(store, routes=AuthRouter(auth=digest(CREDENTIALS)))


def test_no_closure_checks_the_password() -> None:
    line = f"Authorization: Basic {b64encode(CREDENTIALS.encode()).decode()}"
    calls = count_last([post("up", line)], with_password)
    assert calls.closures == []
    assert names(calls).index("AuthRouter._check_read") < names(calls).index("Store.create")


def test_a_closure_on_the_path_is_found() -> None:
    assert count_last(PATHS["POST"], with_closure).closures == ["with_closure.<locals>.<lambda>"]


def names(calls: Calls) -> list[str]:
    return [code.co_qualname for code in calls.codes]


# The counter.


def module(file: str, source: str, **names: object) -> dict[str, Callable[[], object]]:
    """Execute the source of a module; return its functions."""
    namespace: dict[str, Callable[[], object]] = dict(names)  # type: ignore[arg-type]
    exec(compile(source, file, "exec"), namespace)
    return namespace


def test_calls_files_transitions_and_depth_are_counted() -> None:
    b = module("b.py", "def g(): h()\ndef h(): len(''); len('')")
    a = module("a.py", "def f(): g(); g(); e()\ndef e(): pass", g=b["g"])
    calls = count_calls(a["f"])
    assert names(calls) == ["f", "g", "h", "g", "h", "e"]
    assert (calls.calls, calls.c_calls, calls.files, calls.moves, calls.depth) == (6, 4, 2, 4, 3)


def test_a_call_to_another_file_and_back_is_two_transitions() -> None:
    c = module("c.py", "def h(): pass")
    b = module("b.py", "def g(): h()", h=c["h"])
    a = module("a.py", "def f(): g()", g=b["g"])
    calls = count_calls(a["f"])
    assert (calls.calls, calls.files, calls.moves, calls.depth) == (3, 3, 4, 3)


def test_a_resumed_generator_counts_as_called_again() -> None:
    a = module("a.py", "def f():\n  for _ in g(): pass\ndef g():\n  yield 1\n  yield 2")
    assert names(count_calls(a["f"])) == ["f", "g", "g", "g"]


def test_a_function_that_raises_counts_as_returned() -> None:
    a = module(
        "a.py", "def f():\n  try: g()\n  except ValueError: h()\ndef g(): raise ValueError\ndef h(): pass"
    )
    calls = count_calls(a["f"])
    assert (names(calls), calls.depth) == (["f", "g", "h"], 2)


def test_the_profile_function_is_restored_after_an_exception() -> None:
    a = module("a.py", "def f(): raise ValueError('planted')")
    before = sys.getprofile()
    with pytest.raises(ValueError, match="planted"):
        count_calls(a["f"])
    assert sys.getprofile() is before


def code_objects(source: str) -> dict[str, CodeType]:
    """Compile a source; return all its code objects by their qualified names."""
    found: dict[str, CodeType] = {}
    pending = [compile(source, "a.py", "exec")]
    while pending:
        code = pending.pop()
        found[code.co_qualname] = code
        pending += [each for each in code.co_consts if isinstance(each, CodeType)]
    return found


def test_lambdas_and_inner_functions_are_closures() -> None:
    source = """
def f():
    def inner(): pass
    sum(x for x in ())
    [lambda: x for x in ()]
class C:
    def m(self): return {x for x in ()}
g = lambda: 0
h = list(x for x in ())
"""
    found = code_objects(source)
    assert {"f.<locals>.<genexpr>", "C.m", "<genexpr>"} <= set(found)
    closures = {name for name, code in found.items() if is_closure(code)}
    assert {"f.<locals>.inner", "<lambda>"} < closures
    assert closures == {name for name in found if "inner" in name or "lambda" in name}
