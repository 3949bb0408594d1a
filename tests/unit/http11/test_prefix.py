"""Path prefixes: the valid ones, and those that could lead a client elsewhere."""

import pytest

from reactor.http11.prefix import MAX_PREFIX, prefix_segments, read_prefix

VALID = {
    "": "",
    "/": "",
    "/share": "/share",
    "/share/": "/share",
    "/a/b-c_d.e~f/1": "/a/b-c_d.e~f/1",
    "/caf%C3%A9": "/caf%C3%A9",
    "/...": "/...",
    "/" + "a" * (MAX_PREFIX - 1): "/" + "a" * (MAX_PREFIX - 1),
}
INVALID = (
    *("share", "//", "//evil.example", "/share//", "/a//b", "/\\evil.example", "/%5Cevil.example"),
    *("/.", "/..", "/a/../b", "/a/%2e%2E/b", "/a/./b", "/a/.", "/a%2Fb", "/a%00b", "/a%0d%0ab", "/%ff"),
    *(
        "/a b",
        "/a\r\nX: 1",
        "/a\0",
        "/a?b",
        "/a#b",
        "/a;b",
        '/a"b',
        "/a'b",
        "/<a>",
        "/a&b",
        "/caf\xe9",
        "/%zz",
    ),
    *("https://evil.example/", "/a:b", "/{a}", "/%E2%80%A8%C2%85", "/" + "a" * MAX_PREFIX),
)


@pytest.mark.parametrize(("text", "prefix"), VALID.items(), ids=lambda text: text[:20])
def test_a_prefix_has_no_slash_at_its_end(text: str, prefix: str) -> None:
    assert read_prefix(text) == prefix


@pytest.mark.parametrize("text", INVALID, ids=lambda text: ascii(text)[:20])
def test_an_unsafe_prefix_is_a_value_error_of_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^invalid prefix: .* \(examples: /share") as error:
        read_prefix(text)
    assert str(error.value).isprintable()


def test_segments_are_decoded() -> None:
    assert prefix_segments("/a%20b/caf%C3%A9") == ("a b", "café")
    assert prefix_segments("") == ()
