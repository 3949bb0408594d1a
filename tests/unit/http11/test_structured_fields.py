"""Structured fields: items and dictionaries, valid and malformed (RFC 9651)."""

import pytest

from reactor.http11.structured_fields import BareItem, parse_dictionary, parse_item

ITEMS: list[tuple[str, BareItem]] = [
    ("0", 0),
    ("-0", 0),
    ("00042", 42),
    ("-7", -7),
    ("9" * 15, 10**15 - 1),
    ("-" + "9" * 15, 1 - 10**15),
    ("?0", False),
    ("?1", True),
    ("::", b""),
    (":aGVsbG8=:", b"hello"),
    (":aGVsbG8:", b"hello"),  # missing padding: 4.2.7
    (":aGVsbA=:", b"hell"),
    (":iZ==:", b"\x89"),  # pad bits that are not 0: 4.2.7
    (":/+Ah:", b"\xff\xe0\x21"),
]
OF_ANOTHER_TYPE = [
    "1.0",
    "-123456789012.123",
    '""',
    '"a \\" \\\\ b"',
    '"%ff"',
    "a",
    "*",
    "*a:/!#$%&'*+-.^_`|~9Z",
    "@0",
    "@-1659578233",
    '%""',
    '%"f%c3%bc\\"',
    '%"%f0%9f%92%a9 ~!#$&"',
]
MALFORMED = [
    "",
    " ",
    " 1",
    "1 ",
    "1, 1",
    "1 1",
    "+1",
    "--1",
    "- 1",
    "-",
    "1" * 16,
    "1.",
    ".1",
    "1.1234",
    "1234567890123.1",
    "0x1",
    "1_000",
    "\u0661",
    "?",
    "?2",
    "?01",
    "?true",
    '"',
    '"a',
    '"\\a"',
    '"\\"',
    '"a"b',
    '"\x7f"',
    '"\t"',
    '"\xe9"',
    "'a'",
    "a\xe9",
    "a(",
    "(1)",
    ":",
    ":aGVsbG8=",
    ":aGVsbG8=:=",
    ":aGVsbG8==:",
    ":=aGVsbG8=:",
    ":aGVsb=G8:",
    ":aGVsb G8=:",
    ":a:",
    ":a===:",
    ":_-Ah:",
    "@",
    "@a",
    "@1.5",
    "%",
    '%"',
    '%"a',
    '%"%C3%BC"',
    '%"%c3"',
    '%"%ff"',
    '%"%ed%a0%80"',
    '%"%c3%b"',
    '%"%zz"',
    '%"\xe9"',
]
PARAMETERS = [
    ";a",
    ";a;b",
    ";a=1;a=2",
    ";  a",
    ";*-._9*=*",
    ";a=?0",
    ";a=1.5",
    ';a=";b=1, "',
    ";a=:AA==:",
    ";a=@1",
    ';a=%"%c3%bc"',
]
MALFORMED_PARAMETERS = [
    ";",
    "; ",
    " ;a",
    ";\ta",
    ";A",
    ";1",
    ";-",
    ";a=",
    ";a= 1",
    ";a =1",
    ";a;",
    ";a=(1)",
    ";a=?2",
    ";a=:a:",
    ';a=%"%ff"',
    ";a=1.2345",
    "a",
]


@pytest.mark.parametrize(("value", "item"), ITEMS)
def test_an_item_is_parsed(value: str, item: BareItem) -> None:
    assert parse_item(value) == item
    assert type(parse_item(value)) is type(item)
    assert parse_dictionary(f"a={value}") == {"a": item}


@pytest.mark.parametrize("value", OF_ANOTHER_TYPE)
def test_an_item_of_another_type_is_none(value: str) -> None:
    assert parse_item(value) is None
    assert parse_dictionary(f"a={value}, b=1") == {"a": None, "b": 1}


@pytest.mark.parametrize("value", MALFORMED)
def test_a_malformed_item_is_none(value: str) -> None:
    assert parse_item(value) is None
    if value not in ("(1)", "1 "):
        assert parse_dictionary(f"a={value}, b=1") is None


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_parameters_are_dropped(parameters: str) -> None:
    assert parse_item(f"42{parameters}") == 42
    assert parse_item(f"?0{parameters}") is False
    text = f"a=1{parameters}, b{parameters}, c=(1{parameters} ?1){parameters},d=:AA:{parameters}"
    assert parse_dictionary(text) == {"a": 1, "b": True, "c": None, "d": b"\0"}


@pytest.mark.parametrize("parameters", MALFORMED_PARAMETERS)
def test_malformed_parameters_make_the_value_malformed(parameters: str) -> None:
    assert parse_item(f"42{parameters}") is None
    for member in ("a=42", "a=(1)", "a=(1"):
        assert parse_dictionary(f"{member}{parameters}{')' if member == 'a=(1' else ''}, b") is None


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("", {}),
        ("a", {"a": True}),
        ("a=1,b=2", {"a": 1, "b": 2}),
        ("a=1 \t,\t b=2", {"a": 1, "b": 2}),
        ("a=1, b=?0, a=3", {"b": False, "a": 3}),
        ("a=1, a", {"a": True}),
        ("*a_-.*9", {"*a_-.*9": True}),
        ("a=(), b", {"a": None, "b": True}),
        ("a=(  ), b", {"a": None, "b": True}),
        ('a=( 1  "x, )";p ?0 ), b', {"a": None, "b": True}),
    ],
)
def test_a_dictionary_is_parsed(value: str, members: dict[str, BareItem]) -> None:
    assert parse_dictionary(value) == members


@pytest.mark.parametrize(
    "value",
    [
        " ",
        ",",
        "a,",
        ",a",
        "a,,b",
        "a b",
        "a;b c",
        "A",
        "1",
        "-a",
        "a=",
        "a =1",
        "a= 1",
        "a==1",
        "a=1;b=2;",
        "a=(",
        "a=)",
        "a=(1",
        "a=(1,2)",
        "a=(1\t2)",
        "a=(1?0)",
        "a=((1))",
        "a=(1)(2)",
        "a=(1) ",
        "\xe9",
    ],
)
def test_a_malformed_dictionary_is_none(value: str) -> None:
    assert parse_dictionary(value) is None


@pytest.mark.parametrize("unit", ["(", " ", ";a", ",", "a,", "1 ", '\\"', "A", "=", ":A:", "%", "%c3"])
@pytest.mark.parametrize("start", ["a=(", 'a="', "a=:", "a", 'a=%"', "a=1"])
def test_a_long_malformed_value_is_none(start: str, unit: str) -> None:
    value = start + unit * 10_000 + "!"
    assert parse_dictionary(value) is None
    assert parse_item(value) is None
