"""Types of options: sizes, ports, numbers, repeatable options."""

import argparse
import re
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

ReadValue = Callable[[str], object]

# What one source sets: by dest, the name of the option in that source, and its value.
Given = dict[str, tuple[str, object]]

Group = argparse._ArgumentGroup  # argparse exports no other name for it

# int() refuses to parse more than 4,300 digits; no limit has more than 18.
_SIZE = re.compile(r"([0-9]{1,18})(?:|([kmgt])(?:i?b)?)", re.ASCII | re.IGNORECASE)
# Empty, a URL, an address in brackets, or a host with a port.
_NO_HOST = re.compile(r"^$|[/\[]|^[^:]*:[^:]*$")
_SHIFTS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


class Once(argparse.Action):
    """An option that may be given once; the namespace's ``given`` has its name, as it was given, by dest."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Store the value, or True for an option without one."""
        name = option_string or str(self.metavar)
        other = _note(namespace, self.dest, name)
        if other is not None:
            parser.error(f"{name} is given twice" if other == name else f"{other} and {name} are both given")
        vars(namespace)[self.dest] = True if self.nargs == 0 else values


class Flag(Once):
    """An option without a value."""

    def __init__(self, option_strings: list[str], dest: str, default: bool = False, help: str = "") -> None:
        super().__init__(option_strings, dest, nargs=0, default=default, help=help)


class Repeatable(argparse.Action):
    """An option that may be repeated, whose values form a tuple."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Add one value."""
        _note(namespace, self.dest, str(option_string))
        vars(namespace)[self.dest] = (*getattr(namespace, self.dest), values)


def _note(namespace: argparse.Namespace, dest: str, name: str) -> str | None:
    """Note the name under which an option is given; return the previous one, if any."""
    given: dict[str, str] = vars(namespace).setdefault("given", {})
    other, given[dest] = given.get(dest), name
    return other


class FileOnly(argparse.Action):
    """An option of the configuration file and the environment, which is an error on the command line.

    ``read`` parses its value. It is not the action's ``type``, so that any value gets the same error.
    ``shown`` is the default, and ``effect`` a description, for the documentation.
    """

    def __init__(
        self, option_strings: list[str], dest: str, default: object, read: ReadValue, shown: str, effect: str
    ) -> None:
        super().__init__(option_strings, dest, nargs="?", default=default, help=argparse.SUPPRESS)
        self.read = read
        self.shown = shown
        self.effect = effect

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Report where the option belongs, and exit."""
        name = self.option_strings[0]
        parser.error(
            f"{name} is not a command-line option: set {name[2:]} in --config FILE, or {variable(self)}"
        )


def variable(action: argparse.Action) -> str:
    """Return the environment variable of an option."""
    return "REACTOR_" + action.dest.upper()


def size(text: str) -> int:
    """Parse a number of bytes: 8190, 64K, 64KiB, 1G.

    >>> size("64KiB")
    65536
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"invalid size: {text!r} (examples: 8190, 64K, 1GiB)")
    return int(match[1]) << _SHIFTS[(match[2] or "").lower()]


def rate(text: str) -> float:
    """Parse a number of bytes per second: a size, or a number with a fraction.

    >>> rate("64K"), rate("0.5")
    (65536.0, 0.5)
    """
    try:
        return float(size(text) if _SIZE.fullmatch(text.strip()) else text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid rate: {text!r} (examples: 500, 0.5, 64K)") from None


def host(text: str) -> str:
    """Return a host to listen on; a URL, a port and an empty text, as of an unset variable, are errors."""
    if _NO_HOST.search(text):
        raise argparse.ArgumentTypeError(
            f"invalid host: {text!r} (examples: 127.0.0.1, 0.0.0.0, ::; --port is separate)"
        )
    return text


def port(text: str) -> int:
    """Parse a port number; 0 means any free port."""
    if not _is_number(text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"invalid port: {text!r} (must be from 0 to 65535)")
    return int(text)


def number(text: str) -> float:
    """Parse a number that may have a fraction."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid number: {text!r} (examples: 20, 0.5)") from None


def whole_number(text: str) -> int:
    """Parse a whole number."""
    if not _is_number(text):
        raise argparse.ArgumentTypeError(f"invalid whole number: {text!r} (example: 100)")
    return int(text)


def types(text: str) -> str:
    """Parse a value of --types; "octets" is the former name of "binary"."""
    return "binary" if text == "octets" else text


def _is_number(text: str) -> bool:
    """Return whether the text is digits only, and short enough for int()."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def with_own_message(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """Wrap a parsing function so that argparse shows the message of its ValueError.

    Otherwise argparse would show a message of its own, with the value, which may be a password.
    """

    def parse_option(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_option
