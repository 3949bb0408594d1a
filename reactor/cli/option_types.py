"""Option types: sizes, ports, numbers, repeatable options."""

import argparse
import re
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

# No more digits than int() is willing to read, and than any limit has.
_SIZE = re.compile(r"([0-9]{1,18})(?:|([kmgt])(?:i?b)?)", re.ASCII | re.IGNORECASE)
_SHIFTS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


class Repeatable(argparse.Action):
    """An option that may be repeated; the first one on the command line replaces the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Add one value."""
        before = getattr(namespace, self.dest)
        kept = () if before is self.default else before
        vars(namespace)[self.dest] = (*kept, values)


def size(text: str) -> int:
    """Read a number of octets: 8190, 64K, 64KiB, 1G.

    >>> size("64KiB")
    65536
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size, such as 8190, 64K or 1GiB")
    return int(match[1]) << _SHIFTS[(match[2] or "").lower()]


def port(text: str) -> int:
    """Read a port, 0 for any that is free."""
    if not _is_number(text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, which is 0 to 65535")
    return int(text)


def number(text: str) -> float:
    """Read a number that may have a fraction."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def whole_number(text: str) -> int:
    """Read a number that may not."""
    if not _is_number(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def types(text: str) -> str:
    """Read how media types are chosen; "octets" is the old word for "binary"."""
    return "binary" if text == "octets" else text


def _is_number(text: str) -> bool:
    """Say whether a text is digits, and few enough for int() to read."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def with_own_message(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """Show the message of a reader's ValueError as it is; that of argparse would repeat the value."""

    def read_option(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read_option


# The options of Settings.
