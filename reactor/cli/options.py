"""All options: of the command line, the environment and the configuration file.

Each option ``--like-this`` has the environment variable ``REACTOR_LIKE_THIS``; the option takes precedence.
The options for limits and timeouts are generated from the fields of ``Settings``. Those in the group
"advanced" tune internals: the environment and the configuration file have them, the command line does not.
"""

import argparse
import os
import platform
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from textwrap import fill
from typing import Any, NoReturn

from reactor._version import __version__
from reactor.allowed_hosts import ANY
from reactor.cli import (
    access_options,
    listen_options,
    observe_options,
    proxy_options,
    worker_options,
    wsgi_options,
)
from reactor.cli.config_file import read_config
from reactor.cli.option_types import (
    FileOnly,
    Flag,
    Given,
    Group,
    Once,
    Repeatable,
    host,
    number,
    port,
    rate,
    size,
    types,
    variable,
    whole_number,
)
from reactor.handlers.files.media_types import TYPES
from reactor.logs.access_log import FORMATS
from reactor.logs.stderr import escape_unprintable
from reactor.server.server import HOST, PORT
from reactor.settings import Settings, format_size

USAGE = 2  # exit code

# Names of the groups of options, in the order of the help, with their titles.
_GROUPS = {
    "everyday": "everyday options",
    "files": "shared files",
    "wsgi": "WSGI application",
    "access": "access and response headers",
    "deployment": "sockets, processes and proxies",
    "logging": "logging",
    "observing": "observing the event loop",
    "limits": "limits",
    "timeouts": "timeouts",
}

DESCRIPTION = """\
Share a directory or a single file over HTTP/1.1. In a browser, / lists the files; each has the URL
/files/{name}. /echo/{text} and /user-agent are small endpoints to try requests with. Or pass all
requests to a WSGI application (--wsgi)."""

EPILOG = """\
Sizes and rates take the suffixes K, M, G and T (powers of 1024): 8190, 64K, 1GiB.
Each option has an environment variable (--max-body: REACTOR_MAX_BODY) and a name in the file of
--config (max-body = "64K"). The command line takes precedence, then the environment.
Some options exist in the environment and in the file only:
{file_only}.
Signals: SIGINT and SIGTERM shut down gracefully; a second one stops the server immediately.
Exit codes: 0 stopped, 2 invalid option (or a file that it names), 3 could not start (such as a port
in use, a missing directory, or no such application)."""

_METAVARS = {"bytes": "SIZE", "bytes/s": "RATE", "seconds": "SECONDS"}

# Options that concern uploads only.
_UPLOAD_OPTIONS = ("allow_delete", "resumable", "fsync", "min_free_space", "auth_upload")

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class Formatter(argparse.RawDescriptionHelpFormatter):
    """A help formatter with room for all but the longest options in front of their help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30)


class Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Print the message, and exit."""
        message = escape_unprintable(message)
        self.exit(USAGE, f"reactor: {message}; see --help\n")


def make_parser() -> Parser:
    """Make the parser of all options."""
    parser = Parser(
        prog="reactor",
        usage="%(prog)s [options] [DIR]",
        description=DESCRIPTION,
        formatter_class=Formatter,
        add_help=False,
    )
    # The groups share the registry.
    parser.register("action", None, Once)
    parser.register("action", "store_true", Flag)
    groups = {name: parser.add_argument_group(title) for name, title in _GROUPS.items()}
    _add_everyday_options(groups["everyday"])
    _add_file_options(groups["files"])
    wsgi_options.add_options(groups["wsgi"])
    access_options.add_options(groups["access"])
    groups["access"].add_argument(
        "--no-date-header", action="store_true", help="omit the Date header from responses"
    )
    listen_options.add_options(groups["deployment"])
    worker_options.add_options(groups["deployment"])
    proxy_options.add_options(groups["deployment"])
    _add_log_options(groups["logging"])
    observe_options.add_options(groups["observing"])
    add_settings(parser, groups)
    names = fill(", ".join(file_only_names(parser)), 98, break_on_hyphens=False)
    parser.epilog = EPILOG.format(file_only=names)
    return parser


def file_only_names(parser: Parser) -> list[str]:
    """Return the names, in the configuration file, of the options that the command line does not have."""
    return [each.option_strings[0][2:] for each in parser._actions if isinstance(each, FileOnly)]


def _add_everyday_options(group: Group) -> None:
    group.add_argument(
        "directory",
        nargs="?",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="directory to share, or a single file (default: none)",
    )
    group.add_argument("--directory", "-d", metavar="DIR", help="the same as DIR (default: none)")
    group.add_argument(
        "--host",
        "-b",
        "--bind",
        type=host,
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
    group.add_argument("--open", action="store_true", help="open the printed URL in a browser")
    group.add_argument("--config", metavar="FILE", help="read options from a TOML file (default: none)")
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
        'uploads); "guess" uses the file extension, so browsers display HTML and run its scripts '
        "(default: %(default)s)",
    )
    group.add_argument("--hidden", action="store_true", help="also share files whose names begin with a dot")
    group.add_argument(
        "--precompressed",
        action="store_true",
        help="send NAME.br, NAME.zst or NAME.gz in place of NAME to clients that accept it",
    )
    group.add_argument("--allow-delete", action="store_true", help="allow clients to delete files (DELETE)")
    group.add_argument("--resumable", action="store_true", help="allow clients to resume interrupted uploads")
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
        help='minimum severity of messages on standard error; "debug" also logs every turn (iteration) of '
        "the event loop (default: %(default)s)",
    )


# Parsing.


def parse_options(
    parser: Parser, arguments: Sequence[str] | None, environment: Mapping[str, str]
) -> argparse.Namespace:
    """Parse the command line, the environment and the configuration file; report an error and exit.

    The namespace's ``origins`` has the name of each option that is set, in its source, by dest.
    """
    options = parser.parse_args(arguments)
    options.origins = ChainMap(vars(options).pop("given", {}))
    _set_missing(options, read_environment(parser, environment))
    if options.config is not None:
        _set_missing(options, read_config(parser, options.config, read_variable))
    return options


def _set_missing(options: argparse.Namespace, given: Given) -> None:
    """Set the options that no source of higher precedence has set."""
    for dest, (_, value) in given.items():
        if dest not in options.origins:
            vars(options)[dest] = value
    options.origins.maps.append({dest: name for dest, (name, _) in given.items()})


def read_environment(parser: Parser, environment: Mapping[str, str]) -> Given:
    """Return the options that are set by their environment variables; report an error and exit."""
    given: Given = {}
    for action in parser._actions:
        name = variable(action)
        if not action.option_strings or action.dest in ("help", "version") or name not in environment:
            continue
        try:
            given[action.dest] = name, read_variable(action, environment[name])
        except argparse.ArgumentTypeError as error:
            parser.error(f"{name}: {error}")
    return given


def read_variable(action: argparse.Action, text: str) -> object:
    """Return the value of an option that a text stands for; raise ArgumentTypeError."""
    if action.nargs == 0:
        if text.lower() not in _TRUE + _FALSE:
            raise argparse.ArgumentTypeError(
                f"invalid value: {text!r} (must be 1, true, yes or on, or 0, false, no or off)"
            )
        return text.lower() in _TRUE
    read = action.read if isinstance(action, FileOnly) else action.type
    if isinstance(action, Repeatable) and callable(read):
        return tuple(read(line) for line in text.split("\n") if line)
    value = read(text) if callable(read) else text
    if action.choices is not None and value not in action.choices:
        raise argparse.ArgumentTypeError(
            f"invalid choice: {text!r} (choose from {', '.join(action.choices)})"
        )
    return value


# Options that have an effect only with another one.
_NEEDED: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("types", "hidden", "precompressed", "read_only", *_UPLOAD_OPTIONS), "directory", "without a directory"),
    (("threads",), "wsgi", "without --wsgi"),
    (("content_timeout",), "min_rate", "with a minimum rate of 0"),
)
# Options that have no effect with another one.
_CONTRADICTIONS = (
    # The application answers every path, and OPTIONS.
    (("directory", "cors"), "wsgi"),
    (_UPLOAD_OPTIONS, "read_only"),
    (("log_format",), "no_access_log"),
    (("host", "port"), "listen"),
    (("host", "port"), "unix"),
)


def check_combinations(parser: Parser, options: argparse.Namespace) -> None:
    """Report an option that has no effect with the others; exit.

    Options of the environment and the configuration file may be prepared for others that are not given, or
    be overruled by an option that takes precedence.
    """
    given, *_ = options.origins.maps
    for names, needed, without in _NEEDED:
        for dest in names:
            if dest in given and not getattr(options, needed):
                parser.error(f"{given[dest]} has no effect {without}")
    for names, other in _CONTRADICTIONS:
        for dest in names:
            if getattr(options, other) and _is_ineffective(options, dest, other):
                parser.error(f"{options.origins[dest]} has no effect with {options.origins[other]}")
    if options.directory is not None and os.path.isfile(options.directory):
        for dest in ("hidden", "precompressed", "read_only", *_UPLOAD_OPTIONS):
            if _is_ineffective(options, dest, "directory"):
                parser.error(f"{options.origins[dest]} has no effect with a single file")
    if options.unix is not None and not options.listen and _is_ineffective(options, "open", "unix"):
        parser.error(f"{options.origins['open']} has no effect with only a Unix socket, which has no URL")
    if ANY in options.allowed_host and len(options.allowed_host) > 1:
        name = options.origins["allowed_host"]
        parser.error(f"{name}: * allows every host, so that other names have no effect")
    listen_options.check(parser, options)
    worker_options.check(parser, options)
    if options.proxy_protocol and not options.trusted_proxy:
        parser.error(f"{options.origins['proxy_protocol']} has no effect without --trusted-proxy")
    if options.wsgi is not None:  # takes precedence over these in the environment or the file
        options.directory = options.cors = options.auth_upload = None


def _is_ineffective(options: argparse.Namespace, dest: str, other: str) -> bool:
    """Return whether an option is on, and no source of higher precedence sets the other one."""
    for names in options.origins.maps:
        if dest in names:
            return getattr(options, dest) is not False
        if other in names:
            return False
    return False


def add_settings(parser: Parser, groups: Mapping[str, Group]) -> None:
    """Add an option for each limit and timeout: to its group, or for the file and the environment only."""
    for each in fields(Settings):
        if not each.metadata:
            continue
        if each.metadata["group"] not in groups:
            parser.add_argument(
                option_name(each),
                action=FileOnly,
                default=each.default,
                read=_type_of(each),
                shown=describe_default(each),
                effect=each.metadata["help"],
            )
            continue
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
    """Format the default of a setting with its unit, unless it is 0."""
    value: Any = setting.default
    unit = setting.metadata["unit"]
    if not value:
        return "0"
    return format_size(value) if unit == "bytes" else f"{value:g} {unit}"


def _type_of(setting: "Field[Any]") -> Callable[[str], float]:
    if setting.metadata["unit"] == "bytes/s":
        return rate
    if setting.type is float:
        return number
    return size if setting.metadata["unit"] == "bytes" else whole_number
