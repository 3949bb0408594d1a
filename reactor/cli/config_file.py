"""The configuration file: options by name, in TOML.

    directory = "/srv/files"
    port = 8000
    max-body = "64K"                # sizes as on the command line, or a number of bytes
    read-only = true
    header = ["X-A: 1", "X-B: 2"]   # a list for an option that may be repeated
    turn-read = "16K"               # an option that the command line does not have

Names are those of the options, without the dashes in front; "_" may stand for "-". The environment takes
precedence over the file, and the command line over both.
"""

import argparse
import tomllib
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from reactor.cli.option_types import Given, Repeatable

# Given an option and the text of a value, return the value; raise ArgumentTypeError.
ReadText = Callable[[argparse.Action, str], object]

_NOT_IN_FILE = ("help", "version", "config")


def read_config(parser: argparse.ArgumentParser, path: str, read_text: ReadText) -> Given:
    """Return the options that a file sets; report an error and exit."""
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        parser.error(f"invalid TOML in {path!r}: {error}")
    except (OSError, ValueError) as error:  # open() raises ValueError for a NUL in the path
        parser.error(f"cannot read the configuration {path!r}: {getattr(error, 'strerror', None) or error}")
    actions = {
        name[2:]: action
        for action in parser._actions
        if action.dest not in _NOT_IN_FILE
        for name in action.option_strings
        if name.startswith("--")
    }
    given: Given = {}
    for key, value in values.items():
        name = key.replace("_", "-")
        action = actions.get(name)
        if action is None:
            nearest = get_close_matches(name, actions, 1)
            hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
            parser.error(f"unknown option in {path!r}: {key!r}{hint}")
        if action.dest in given:
            parser.error(f"{given[action.dest][0]} and {key} are both given")
        try:
            given[action.dest] = f"{key} in {path!r}", _read(action, value, read_text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{key} in {path!r}: {error}")
    return given


def _read(action: argparse.Action, value: object, read_text: ReadText) -> object:
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise argparse.ArgumentTypeError(f"invalid value: {value!r} (must be true or false)")
        return value
    if action.const is not None and value is True:  # such as --inspect without HOST:PORT
        return action.const
    if isinstance(value, list) and isinstance(action, Repeatable):
        return tuple(each for item in value for each in _read_items(action, item, read_text))
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise argparse.ArgumentTypeError(f"invalid value: {value!r} (must be a string or a number)")
    return read_text(action, str(value))


def _read_items(action: argparse.Action, item: object, read_text: ReadText) -> Sequence[object]:
    if not isinstance(item, str):
        raise argparse.ArgumentTypeError(f"invalid value: {item!r} (must be a string)")
    items = read_text(action, item)
    assert isinstance(items, tuple)
    return items
