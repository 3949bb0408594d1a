"""The cookies of a request: well-formed pairs, the first of each name; others are skipped."""

import pytest

from reactor.http11.cookies import read_cookies


@pytest.mark.parametrize(
    ("lines", "cookies"),
    [
        ([], {}),
        ([""], {}),
        (["a=1"], {"a": "1"}),
        (["a=1; b=2"], {"a": "1", "b": "2"}),
        (["a=1;b=2 ;\tc = 3 ;"], {"a": "1", "b": "2", "c": "3"}),
        (["a=1", "b=2"], {"a": "1", "b": "2"}),
        (["a=1; a=2", "a=3"], {"a": "1"}),
        (["a="], {"a": ""}),
        (["a=b=c=="], {"a": "b=c=="}),
        (['a="1"; b=""; c="; d="1; e="'], {"a": "1", "b": "", "c": '"', "d": '"1', "e": '"'}),
        (['a={"b": 1, "c": 2}'], {"a": '{"b": 1, "c": 2}'}),
        (["A=1; a=2"], {"A": "1", "a": "2"}),
        (["a=%20+"], {"a": "%20+"}),
        (["x; =1; a b=1; a,b=1; (=1; \xe9=1; ;;= ; ok=1"], {"ok": "1"}),
        (["a=\xc3\xa9"], {"a": "\xe9"}),
        (["a=\xe9; b=1"], {"b": "1"}),
    ],
)
def test_cookies_are_read(lines: list[str], cookies: dict[str, str]) -> None:
    assert dict(read_cookies(lines)) == cookies


def test_all_cookies_with_a_name_are_kept() -> None:
    assert read_cookies(["a=1; b=2", "a=3"]).get_all("a") == ["1", "3"]
