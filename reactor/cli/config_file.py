"""The configuration file: options by name, in TOML.

    directory = "/srv/files"
    port = 8000
    max-body = "64K"                # sizes as on the command line, or a number of bytes
    read-only = true
    header = ["X-A: 1", "X-B: 2"]   # a list for an option that may be repeated

Names are those of the options, without the dashes in front; "_" may stand for "-". The environment takes
precedence over the file, and the command line over both.
"""

import argparse
import tomllib
from collections.abc import Callable, Mapping, Sequence

from reactor.cli.option_types import Repeatable

# Given an option and the text of a value, return the value; raise ArgumentTypeError.
ReadText = Callable[[argparse.Action, str], object]


def config_path(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> str | None:
    """Return the path of the file that the command line or the environment names, None for no file."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--config", default=environment.get("REACTOR_CONFIG"))
    try:
        path: str | None = parser.parse_known_args(arguments)[0].config
    except argparse.ArgumentError:
        return None  # reported when all options are parsed
    return path


def apply_config(parser: argparse.ArgumentParser, path: str, read_text: ReadText) -> None:
    """Replace the defaults of options by the values in a file; report an error and exit."""
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        parser.error(f"cannot read the configuration {path!r}: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        parser.error(f"invalid TOML in {path!r}: {error}")
    actions = {
        action.dest: action
        for action in parser._actions
        if action.option_strings and action.dest not in ("help", "version", "config")
    }
    for name, value in values.items():
        action = actions.get(name.replace("-", "_"))
        if action is None:
            parser.error(f"unknown option in {path!r}: {name!r}")
        try:
            action.default = _read(action, value, read_text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{name} in {path!r}: {error}")


def _read(action: argparse.Action, value: object, read_text: ReadText) -> object:
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise argparse.ArgumentTypeError(f"invalid value: {value!r} (must be true or false)")
        return value
    if action.nargs == "?" and value is True:  # such as --inspect without HOST:PORT
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
