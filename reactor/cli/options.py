"""All command-line options, with their environment variables and defaults.

Each option ``--like-this`` has the environment variable ``REACTOR_LIKE_THIS``; the option takes precedence.
The options for limits and timeouts are generated from the fields of ``Settings``.
"""

import argparse
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import Field, fields
from typing import Any, NoReturn

from reactor._version import __version__
from reactor.cli import access_options, observe_options
from reactor.cli.option_types import Flag, Group, Once, Repeatable, number, port, size, types, whole_number
from reactor.handlers.files.media_types import TYPES
from reactor.logs.access_log import FORMATS
from reactor.server.server import HOST, PORT
from reactor.settings import Settings

USAGE = 2  # exit code

# Names of the groups of options, in the order of the help, with their titles.
_GROUPS = {
    "everyday": "everyday options",
    "files": "files (with --directory)",
    "access": "access and response headers",
    "logging": "logging",
    "observing": "observing the event loop",
    "limits": "limits",
    "timeouts": "timeouts",
    "advanced": "advanced limits (flow control and fairness)",
}

DESCRIPTION = """\
Serve HTTP/1.1: /, /echo/{text} and /user-agent; with --directory also /files/ (a list of the
directory) and /files/{name} (downloads and uploads)."""

EPILOG = """\
Sizes take the suffixes K, M, G and T (powers of 1024): 8190, 64K, 1GiB.
Each option has an environment variable: --max-body is REACTOR_MAX_BODY. Options take precedence.
Signals: SIGINT and SIGTERM shut down gracefully; a second one stops the server immediately.
Exit codes: 0 stopped, 2 invalid option, 3 could not start."""

_METAVARS = {"bytes": "BYTES", "bytes/s": "BYTES/S", "seconds": "SECONDS"}

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class Formatter(argparse.RawDescriptionHelpFormatter):
    """A help formatter with room for all but the longest options in front of their help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)


class Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message, and exit."""
        self.exit(USAGE, f"reactor: {message}; see --help\n")


def make_parser() -> Parser:
    """Make the parser of all options."""
    parser = Parser(
        prog="reactor",
        usage="%(prog)s [options] [DIR]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=Formatter,
        add_help=False,
    )
    # The groups share the registry.
    parser.register("action", None, Once)
    parser.register("action", "store_true", Flag)
    groups = {name: parser.add_argument_group(title) for name, title in _GROUPS.items()}
    _add_everyday_options(groups["everyday"])
    _add_file_options(groups["files"])
    access_options.add_options(groups["access"])
    groups["access"].add_argument(
        "--no-date-header", action="store_true", help="omit the Date header from responses"
    )
    _add_log_options(groups["logging"])
    observe_options.add_options(groups["observing"])
    add_settings(groups)
    return parser


def _add_everyday_options(group: Group) -> None:
    group.add_argument(
        "directory", nargs="?", metavar="DIR", default=argparse.SUPPRESS, help="the same as --directory DIR"
    )
    group.add_argument(
        "--directory", "-d", metavar="DIR", help="share this directory under /files/ (default: none)"
    )
    group.add_argument(
        "--host",
        "-b",
        "--bind",
        default=HOST,
        help="address to listen on; 0.0.0.0 or :: is reachable from the network (default: %(default)s)",
    )
    group.add_argument(
        "--port",
        "-p",
        type=port,
        default=PORT,
        help="port to listen on; 0 picks a free one (default: %(default)s)",
    )
    group.add_argument("--read-only", action="store_true", help="disable uploads and deletes")
    group.add_argument("--open", action="store_true", help="open the served page in a browser")
    group.add_argument(
        "--config", metavar="FILE", help="read options from a TOML file, by their names (default: none)"
    )
    group.add_argument("-h", "--help", action="help", help="show this help and exit")
    group.add_argument(
        "--version",
        action="version",
        version=f"reactor {__version__} (Python {platform.python_version()})",
        help="show the version and exit",
    )


def _add_file_options(group: Group) -> None:
    group.add_argument(
        "--types",
        type=types,
        choices=TYPES,
        default="binary",
        help='how to choose Content-Type: "binary" always sends application/octet-stream (safe for untrusted '
        'uploads); "guess" uses the file extension, so that HTML runs in browsers '
        "(default: %(default)s)",
    )
    group.add_argument("--hidden", action="store_true", help="also share files whose names begin with a dot")
    group.add_argument("--allow-delete", action="store_true", help="allow clients to delete files (DELETE)")
    group.add_argument(
        "--resumable", action="store_true", help="allow interrupted uploads to be resumed (Upload-Offset)"
    )
    group.add_argument(
        "--fsync", action="store_true", help="flush each upload to disk before responding with 201"
    )


def _add_log_options(group: Group) -> None:
    group.add_argument(
        "--no-access-log", action="store_true", help="disable the access log on standard output"
    )
    group.add_argument(
        "--log-format", choices=FORMATS, default=FORMATS[0], help="access log format (default: %(default)s)"
    )
    group.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help='minimum severity of messages on standard error; "debug" also logs every event loop turn '
        "(default: %(default)s)",
    )


# Options that have an effect only with, or only without, another one: by dest, whether it must be there.
_WITHOUT_EFFECT: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("types", "hidden", "read_only", "allow_delete", "resumable", "fsync", "min_free_space"),
        "directory",
        "without a directory",
    ),
    (("trace_limit",), "trace", "without --trace"),
)
_CONTRADICTIONS = (
    (("allow_delete", "resumable", "fsync", "min_free_space"), "read_only", "--read-only"),
    (("log_format",), "no_access_log", "--no-access-log"),
)


def check_combinations(parser: Parser, options: argparse.Namespace) -> None:
    """Report an option of the command line that has no effect with the others; exit."""
    given: dict[str, str] = getattr(options, "given", {})
    for names, needed, without in _WITHOUT_EFFECT:
        for dest in names:
            if dest in given and not getattr(options, needed):
                parser.error(f"{given[dest]} has no effect {without}")
    for names, other, name in _CONTRADICTIONS:
        for dest in names:
            if dest in given and getattr(options, other):
                parser.error(f"{given[dest]} has no effect with {name}")


def apply_environment(parser: Parser, environment: "os._Environ[str] | dict[str, str]") -> None:
    """Replace the defaults of options by the values of their environment variables."""
    for action in parser._actions:
        if not action.option_strings or action.dest in ("help", "version"):
            continue
        variable = "REACTOR_" + action.dest.upper()
        text = environment.get(variable)
        if text is None:
            continue
        try:
            action.default = read_variable(action, text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{variable}: {error}")


def read_variable(action: argparse.Action, text: str) -> object:
    """Return the value of an option that a text stands for; raise ArgumentTypeError."""
    if action.nargs == 0:
        if text.lower() not in _TRUE + _FALSE:
            raise argparse.ArgumentTypeError(
                f"invalid value: {text!r} (must be 1, true, yes or on, or 0, false, no or off)"
            )
        return text.lower() in _TRUE
    if isinstance(action, Repeatable) and callable(action.type):
        return tuple(action.type(line) for line in text.split("\n") if line)
    value = action.type(text) if callable(action.type) else text
    if action.choices is not None and value not in action.choices:
        raise argparse.ArgumentTypeError(
            f"invalid choice: {text!r} (choose from {', '.join(action.choices)})"
        )
    return value


def add_settings(groups: Mapping[str, Group]) -> None:
    """Add an option for each limit and timeout to its group."""
    for each in fields(Settings):
        if each.metadata:
            groups[each.metadata["group"]].add_argument(
                option_name(each),
                type=_type_of(each),
                default=each.default,
                metavar=_METAVARS.get(each.metadata["unit"], "N"),
                help=f"{each.metadata['help']} (default: {describe_default(each)})",
            )


def option_name(setting: "Field[Any]") -> str:
    """Return the option for a setting."""
    return "--" + setting.name.replace("_", "-")


def describe_default(setting: "Field[Any]") -> str:
    """Format the default of a setting, in the largest unit in which it is a whole number."""
    value: Any = setting.default
    unit = setting.metadata["unit"]
    if unit == "bytes":
        for factor, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if value and value % factor == 0:
                return f"{value // factor} {name}"
    return f"{value:g} {unit}"


def _type_of(setting: "Field[Any]") -> Callable[[str], float]:
    if setting.type is float:
        return number
    return size if setting.metadata["unit"] == "bytes" else whole_number
