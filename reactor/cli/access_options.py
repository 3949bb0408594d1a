"""Access options: passwords, allowed hosts, CORS, common headers; the warnings about unsafe combinations.

    --allowed-host NAME            also serve requests for this host
    --cors [ORIGIN]                pages of that origin may read answers
    --header 'Name: value'         every response carries it
    --auth, --auth-upload          a user and a password, as USER:PASSWORD or @FILE
    --open                         a browser is opened on what is served

What an option means is checked when it is read, so that a wrong one is exit code 2 and one line. That line
never holds a password. This module does not know how a password is asked for, nor a field sent.
"""

import argparse
import logging
import os
import threading
import webbrowser
from collections.abc import Callable
from typing import NamedTuple

from reactor.allowed_hosts import AllowedHosts, is_name, read_name
from reactor.basic_auth import MAX_CREDENTIALS, AuthRouter, digest
from reactor.cli.option_types import Repeatable, with_own_message
from reactor.http11.cors import ANY, cors_fields, read_origin
from reactor.http11.default_headers import parse_header
from reactor.http11.message import Fields
from reactor.routing import Router

log = logging.getLogger("reactor")

PASSWORDS = ("auth", "auth_upload")

# What open() calls with a path and flags to get a descriptor.
Opener = Callable[[str, int], int]


class Secret(NamedTuple):
    """A digest of user and password, and the path of the file that has them; None when given as text."""

    digest: bytes
    path: str | None


# The options.


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser, in a group of their own."""
    group = parser.add_argument_group("who may do what")
    group.add_argument(
        "--auth", type=secret, metavar="USER:PASSWORD", help="everything asks for it (default: none)"
    )
    group.add_argument(
        "--auth-upload",
        type=secret,
        metavar="USER:PASSWORD",
        help="whatever changes something asks for it; either may be @FILE, whose first line has it "
        "(default: none)",
    )
    group.add_argument(
        "--allowed-host",
        action=Repeatable,
        default=(),
        type=with_own_message(read_name),
        metavar="NAME",
        help="serve requests for host NAME besides localhost and IP addresses; others get 403 (repeatable; "
        "in the variable, one per line; *: every host) "
        "(default: none on a loopback address, otherwise *)",
    )
    group.add_argument(
        "--cors",
        nargs="?",
        const=ANY,
        type=with_own_message(read_origin),
        metavar="ORIGIN",
        help="let pages of this origin read answers, of any without ORIGIN (default: none)",
    )
    group.add_argument(
        "--header",
        action=Repeatable,
        default=(),
        type=with_own_message(parse_header),
        metavar="'NAME: VALUE'",
        help="send this field in every response; may be repeated; one a line in its variable (default: none)",
    )
    group.add_argument("--open", action="store_true", help="open a browser on what is served")


def secret(text: str) -> Secret:
    """Read USER:PASSWORD, or @FILE that has it in its first line."""
    path = text[1:] if text.startswith("@") else None
    return Secret(with_own_message(digest)(text if path is None else _first_line(path)), path)


def _first_line(path: str, opener: Opener | None = None) -> str:
    try:
        with open(path, "rb", opener=opener) as file:
            line = file.readline(MAX_CREDENTIALS + 3)  # one octet too many, and CRLF, are still seen
        return line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f"the first line of {path!r} is not UTF-8") from None
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"cannot read {path!r}: {reason}") from None


# What they come to.


def make_router(options: argparse.Namespace) -> Router:
    """Make a router without routes, with authentication if there are passwords."""
    cors = options.cors is not None
    if options.auth is None and options.auth_upload is None:
        return Router(cors)
    auth, auth_upload = (value and value.digest for value in (options.auth, options.auth_upload))
    return AuthRouter(auth, auth_upload, cors)


def allowed_hosts(options: argparse.Namespace) -> AllowedHosts:
    """Return the check of Host: always where hosts are given, otherwise only on a loopback address."""
    own = options.host.lower().removesuffix(".")
    return AllowedHosts(
        (*options.allowed_host, own) if is_name(own) else options.allowed_host,
        "to allow it, start the server with --allowed-host {name}",
        only_on_loopback=not options.allowed_host,
    )


def default_headers(options: argparse.Namespace) -> Fields:
    """Return what every response carries; raise ValueError for a field that would stand twice."""
    if options.cors is None:
        return tuple(options.header)
    fields = cors_fields(options.cors, any(getattr(options, name) for name in PASSWORDS))
    ours = {name.lower() for name, _ in fields}
    for name, _ in options.header:
        if name.lower() in ours:
            raise ValueError(f"--header: --cors sends {name} already")
    return fields + tuple(options.header)


def allowed_origin(options: argparse.Namespace) -> str | None:
    """Return the origin whose pages may upload, "*" for all; None for only our own.

    A browser sends a form with the password that it knows, whoever's page has it. So where there are
    passwords, only an origin may that is named, and that may use them.
    """
    has_password = any(getattr(options, name) for name in PASSWORDS)
    return None if has_password and options.cors in (ANY, "null") else options.cors


def describe_access(options: argparse.Namespace) -> str:
    """Say in words who may read and who may change something; nothing where there is nothing to say."""
    if options.directory is None:
        return "password for everything" if options.auth else ""
    reading = "password to read" if options.auth else "anyone may read"
    changing = "upload and delete" if options.allow_delete else "upload"
    if options.read_only:
        return f"{reading}; nobody may upload"
    if options.auth_upload:
        return f"{reading}; password to {changing}"
    if options.auth:
        return "password for everything"
    return f"{reading}, {changing}" if options.allow_delete else f"{reading} and {changing}"


# What is done and said once the server listens.


def after_start(options: argparse.Namespace, url: str, local: bool) -> None:
    """Warn of what is not safe, and open a browser where it is wished for; wait for neither."""
    if not local:
        _warn_about_network(options)
    if options.open:
        open_browser(local_url(url) + ("/" if options.directory is None else "/files/"))


def _warn_about_network(options: argparse.Namespace) -> None:
    if any(getattr(options, name) for name in PASSWORDS):
        log.warning("passwords are sent in clear over the network, unless something in front speaks TLS")
    elif options.directory is not None and not options.read_only:
        log.warning(
            "anyone on the network may upload: --auth-upload asks for a password, --read-only takes nothing"
        )
        if options.types == "guess":
            log.warning("what they upload runs in the browsers of others: --types guess serves it as pages")


def warn_about_typed_passwords(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Warn of passwords in the command line; those of the environment are the parser's defaults."""
    for name in PASSWORDS:
        value = getattr(options, name)
        if value is not None and value.path is None and value is not parser.get_default(name):
            option = name.replace("_", "-")
            log.warning(
                "others on this machine can read the password of --%s in the list of processes: "
                "@FILE and REACTOR_%s keep it from them",
                option,
                name.upper(),
            )


def reloader(options: argparse.Namespace, router: Router) -> Callable[[], None]:
    """Return a function that reads the password files again, and replaces the passwords of a router.

    It logs what it did and raises nothing. On an error all passwords stay as they are. Passwords that were
    typed, or given in a variable, stay as well.
    """

    def reload() -> None:
        given = {name: getattr(options, name) for name in PASSWORDS}
        paths = {name: value.path for name, value in given.items() if value and value.path is not None}
        if not paths or not isinstance(router, AuthRouter):
            log.info("no password file to reload (--auth @FILE)")
            return
        digests = {}
        for name, path in paths.items():
            try:
                digests[name] = digest(_first_line(path, _open_without_waiting))
            except (argparse.ArgumentTypeError, ValueError) as error:
                log.error("cannot reload the password file %r, the old passwords stay valid: %s", path, error)
                return
        router.replace_passwords(**digests)
        for path in dict.fromkeys(paths.values()):
            log.info("reloaded the password file %r", path)

    return reload


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a named pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def local_url(url: str) -> str:
    """Return where this machine itself reaches a server that listens on every address.

    >>> local_url("http://0.0.0.0:4221")
    'http://127.0.0.1:4221'
    """
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def open_browser(url: str) -> None:
    """Open the default browser in a thread of its own: some browsers are waited for until they end."""
    log.info("opening %s in a browser", url)
    threading.Thread(target=_open, args=(url,), daemon=True).start()


def _open(url: str) -> None:
    try:
        opened = webbrowser.open(url)
    except Exception:  # whatever BROWSER says, or a browser does, is no reason to show a traceback
        opened = False
    if not opened:
        log.warning("no browser could be opened")
