"""All options, their environment variables and their defaults.

Each option ``--like-this`` has the environment variable ``REACTOR_LIKE_THIS``; the option wins. The
limits and deadlines are not listed here: they are the fields of ``Settings``.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, NoReturn

from reactor.cli import access_options, observe_options
from reactor.cli.option_types import Repeatable, number, port, size, types, whole_number
from reactor.handlers.files.media_types import TYPES
from reactor.logs.access_log import FORMATS
from reactor.server.server import HOST, PORT
from reactor.settings import Settings

USAGE = 2  # exit code

_GROUPS = {
    "requests": "what a request may be",
    "deadlines": "how long a connection may take",
    "shares": "what one connection may hold, and take of one turn",
}

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Print why, and exit."""
        self.exit(USAGE, f"reactor: {message} (--help lists the options)\n")


def make_parser() -> Parser:
    """Make the parser of all options."""
    parser = Parser(
        prog="reactor",
        description="Serve HTTP/1.1: /, /echo/{text}, /user-agent and, with --directory, /files/{name}.",
        epilog="Each option has an environment variable: --max-body is REACTOR_MAX_BODY. "
        "Sizes take K, M and G. Exit codes: 0 stopped, 2 wrong option, 3 could not start.",
    )
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=port, default=PORT, help="port to listen on, 0 for any (default: %(default)s)"
    )
    files = parser.add_argument_group("files")
    files.add_argument("--directory", metavar="DIR", help="share this directory under /files (default: none)")
    files.add_argument("--read-only", action="store_true", help="take no uploads")
    files.add_argument("--allow-delete", action="store_true", help="let DELETE remove files")
    files.add_argument(
        "--resumable", action="store_true", help="let uploads that were interrupted go on (Upload-Offset)"
    )
    files.add_argument(
        "--types",
        type=types,
        choices=TYPES,
        default="binary",
        help="media types of files: binary is safe for whatever was uploaded, guess goes by the name, "
        "and serves pages (default: %(default)s)",
    )
    files.add_argument("--hidden", action="store_true", help="share names that begin with a dot, too")
    files.add_argument("--fsync", action="store_true", help="wait for the disk before answering 201")
    access_options.add_options(parser)
    logs = parser.add_argument_group("logs")
    logs.add_argument(
        "--no-access-log", action="store_true", help="write no line a request to standard output"
    )
    logs.add_argument(
        "--log-format", choices=FORMATS, default=FORMATS[0], help="of the access log (default: %(default)s)"
    )
    logs.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="of the messages on standard error; debug tells each turn (default: %(default)s)",
    )
    observe_options.add_options(parser)
    parser.add_argument("--no-date-header", action="store_true", help="send no Date")
    add_settings(parser)
    return parser


def apply_environment(parser: Parser, environment: "os._Environ[str] | dict[str, str]") -> None:
    """Let environment variables stand in for the defaults of the options."""
    for action in parser._actions:
        if not action.option_strings or action.dest == "help":
            continue
        variable = "REACTOR_" + action.dest.upper()
        text = environment.get(variable)
        if text is None:
            continue
        try:
            action.default = _read_variable(action, text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{variable}: {error}")


def _read_variable(action: argparse.Action, text: str) -> object:
    if action.nargs == 0:
        if text.lower() not in _TRUE + _FALSE:
            raise argparse.ArgumentTypeError(f"{text!r} is neither 1 nor 0")
        return text.lower() in _TRUE
    if isinstance(action, Repeatable) and callable(action.type):
        return tuple(action.type(line) for line in text.split("\n") if line)
    value = action.type(text) if callable(action.type) else text
    if action.choices is not None and value not in action.choices:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(action.choices)}")
    return value


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each limit and deadline."""
    groups = {name: parser.add_argument_group(title) for name, title in _GROUPS.items()}
    for each in fields(Settings):
        if each.metadata:
            groups[each.metadata["group"]].add_argument(
                option_name(each),
                type=_type_of(each),
                default=each.default,
                metavar=each.metadata["unit"].upper(),
                help=f"{each.metadata['help']} (default: {describe_default(each)})",
            )


def option_name(setting: "Field[Any]") -> str:
    """Return the option of a setting."""
    return "--" + setting.name.replace("_", "-")


def describe_default(setting: "Field[Any]") -> str:
    """Write a setting's default with its unit, in the largest unit that keeps it whole."""
    value: Any = setting.default
    unit = setting.metadata["unit"]
    if unit == "octets":
        for factor, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if value and value % factor == 0:
                return f"{value // factor} {name}"
    return f"{value:g} {unit}"


def _type_of(setting: "Field[Any]") -> Callable[[str], float]:
    if setting.type is float:
        return number
    return size if setting.metadata["unit"] == "octets" else whole_number
