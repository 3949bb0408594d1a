"""The page of the microscope is a single document, and its policy allows nothing but its own parts."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from reactor.inspector import page
from reactor.inspector.page import HTML_HEADERS, PAGE
from reactor.server.state import State

TEXT = PAGE.decode()
HERE = Path(page.__file__).parent / "assets"
SCRIPTS = sorted(path.name for path in HERE.glob("*.js"))


def within(tag: str) -> str:
    (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", TEXT, re.DOTALL)
    return str(content)


def policy() -> dict[str, str]:
    directives = (each.partition(" ") for each in dict(HTML_HEADERS)["Content-Security-Policy"].split("; "))
    return {name: sources for name, _, sources in directives}


@pytest.mark.parametrize(("tag", "directive"), [("script", "script-src"), ("style", "style-src")])
def test_the_policy_contains_the_hashes_of_the_page(tag: str, directive: str) -> None:
    digest = b64encode(sha256(within(tag).encode()).digest()).decode()
    assert policy()[directive] == f"'sha256-{digest}'"


def test_the_policy_allows_nothing_else() -> None:
    allowed = {name: sources for name, sources in policy().items() if name[:-4] not in ("script", "style")}
    assert allowed == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "img-src": "data:",
    }


def test_no_resource_is_loaded_from_elsewhere() -> None:
    assert set(re.findall(r'\bhttps?://[^\s"\')]+', TEXT)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"\bsrc=|@import|\bimport\(", TEXT)
    assert {link[:6] for link in re.findall(r'href="([^"]*)"', TEXT)} <= {"data:i", "/conne", "/metri"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_inserts_data_as_markup(name: str) -> None:
    source = (HERE / name).read_text("utf-8")
    assert source in within("script")
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|\beval\b|new Function", source
    )
    assert len(source.splitlines()) < 500


def test_no_attribute_contains_script_or_style() -> None:
    body = TEXT.partition("<body>")[2].partition("<script>")[0]
    assert "<main>" in body
    assert not re.findall(r"<[^>]*\s(?:on\w+|style)=", body)


@pytest.mark.parametrize("state", [state.name for state in State])
def test_each_state_has_its_colour(state: str) -> None:
    assert TEXT.count(f'[data-state="{state}"] {{ --state: oklch(') == 1


def test_every_button_has_a_name() -> None:
    assert len(re.findall(r"<button[^>]*>[^<]+</button>", TEXT)) == TEXT.count("<button") == 6
