"""Access options: authentication, allowed hosts, CORS, response headers; warnings about unsafe combinations.

    --auth, --auth-upload          require a user and a password, given as USER:PASSWORD or @FILE
    --allowed-host NAME            also serve requests for this host
    --cors [ORIGIN]                allow cross-origin requests
    --header 'Name: value'         add a header to every response

Values are checked when the options are parsed; an invalid one leads to exit code 2 and an error message
of one line, which never contains a password.
"""

import argparse
import logging
import os
import threading
import webbrowser
from collections.abc import Callable, Sequence
from typing import NamedTuple

from reactor.allowed_hosts import AllowedHosts, is_name, read_name
from reactor.basic_auth import MAX_CREDENTIALS, AuthRouter, digest
from reactor.cli.option_types import Group, Repeatable, with_own_message
from reactor.http11.cors import ANY, cors_headers, read_origin
from reactor.http11.default_headers import parse_header
from reactor.http11.message import HeaderPairs
from reactor.routing import Router

log = logging.getLogger("reactor")

PASSWORDS = ("auth", "auth_upload")

# The ``opener`` argument of open(): returns a descriptor for a path and flags.
Opener = Callable[[str, int], int]


class Secret(NamedTuple):
    """The digest of a user and a password, and the path of the file that they come from, None without one."""

    digest: bytes
    path: str | None


# The options.


def add_options(group: Group) -> None:
    """Add the options to a group."""
    group.add_argument(
        "--auth",
        type=secret,
        metavar="USER:PASSWORD",
        help="require this user and password for every request; @FILE reads them from the first line of FILE "
        "(default: none)",
    )
    group.add_argument(
        "--auth-upload",
        type=secret,
        metavar="USER:PASSWORD",
        help="require this user and password for uploads and deletes; @FILE reads them from the first line "
        "of FILE (default: none)",
    )
    group.add_argument(
        "--allowed-host",
        action=Repeatable,
        default=(),
        type=with_own_message(read_name),
        metavar="NAME",
        help="allow requests for the host NAME; others get 403, except localhost and IP addresses; * allows "
        "all hosts; repeatable, in the environment variable one per line (default: none if only this machine "
        "can connect, otherwise *)",
    )
    group.add_argument(
        "--cors",
        nargs="?",
        const=ANY,
        type=with_own_message(read_origin),
        metavar="ORIGIN",
        help="allow cross-origin requests (CORS) from ORIGIN; without ORIGIN, from any origin "
        "(default: none)",
    )
    group.add_argument(
        "--header",
        action=Repeatable,
        default=(),
        type=with_own_message(parse_header),
        metavar="'NAME: VALUE'",
        help="add this header to every response; repeatable, in the environment variable one per line "
        "(default: none)",
    )


def secret(text: str) -> Secret:
    """Parse USER:PASSWORD, or @FILE, whose first line contains it."""
    path = text[1:] if text.startswith("@") else None
    return Secret(with_own_message(digest)(text if path is None else _first_line(path)), path)


def _first_line(path: str, opener: Opener | None = None) -> str:
    try:
        with open(path, "rb", opener=opener) as file:
            # Read one byte more than allowed, and CRLF, so that an overlong line is detected.
            line = file.readline(MAX_CREDENTIALS + 3)
        return line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f"the first line of {path!r} is not UTF-8") from None
    except (OSError, ValueError) as error:  # open() raises ValueError for a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"cannot read {path!r}: {reason}") from None


# What is built from the options.


def make_router(options: argparse.Namespace) -> Router:
    """Return a router without routes, which requires authentication if passwords are given."""
    cors = options.cors is not None
    if options.auth is None and options.auth_upload is None:
        return Router(cors)
    auth, auth_upload = (value and value.digest for value in (options.auth, options.auth_upload))
    return AuthRouter(auth, auth_upload, cors)


def allowed_hosts(options: argparse.Namespace) -> AllowedHosts:
    """Return the check of the Host header, which applies on every address if hosts are given.

    Otherwise it applies on loopback addresses only.
    """
    hosts = [host for host, _ in options.listen] or [options.host]
    own = [host.lower().removesuffix(".") for host in hosts]
    return AllowedHosts(
        (*options.allowed_host, *filter(is_name, own)),
        "to allow it, start the server with --allowed-host {name}",
        only_on_loopback=not options.allowed_host,
    )


def default_headers(options: argparse.Namespace) -> HeaderPairs:
    """Return the headers of every response; raise ValueError for a header that --cors sends as well."""
    if options.cors is None:
        return tuple(options.header)
    headers = cors_headers(options.cors, any(getattr(options, name) for name in PASSWORDS))
    ours = {name.lower() for name, _ in headers}
    for name, _ in options.header:
        if name.lower() in ours:
            raise ValueError(f"invalid --header: {name!r} (--cors sends it already)")
    return headers + tuple(options.header)


def allowed_origin(options: argparse.Namespace) -> str | None:
    """Return the foreign origin whose pages may upload: "*" for any, None for none.

    A browser sends the password that it knows with a form of any page. So with passwords, an origin must be
    named to be allowed.
    """
    has_password = any(getattr(options, name) for name in PASSWORDS)
    return None if has_password and options.cors in (ANY, "null") else options.cors


def describe_access(options: argparse.Namespace) -> str:
    """Return the note for the start line on what clients may do."""
    if options.directory is None:
        return f"no directory shared{'; password required' if options.auth else ''}"
    reading = "password required to read" if options.auth else "anyone may read"
    changing = "upload and delete" if options.allow_delete else "upload"
    if options.read_only:
        return f"{reading}; uploads disabled"
    if options.auth_upload:
        return f"{reading}; password required to {changing}"
    if options.auth:
        return "password required"
    return f"{reading}, {changing}" if options.allow_delete else f"{reading} and {changing}"


# After the server has started.


def after_start(options: argparse.Namespace, urls: Sequence[str], local: bool) -> None:
    """Warn about unsafe options, and open a browser if requested; does not block."""
    if not local:
        _warn_about_network(options)
    if options.open and urls:
        open_browser(urls[0])


def _warn_about_network(options: argparse.Namespace) -> None:
    if any(getattr(options, name) for name in PASSWORDS):
        log.warning("passwords are sent unencrypted over the network (use a reverse proxy with TLS)")
    elif options.directory is not None and not options.read_only:
        log.warning(
            "anyone on the network may upload "
            "(--auth-upload requires a password, --read-only disables uploads)"
        )
        if options.types == "guess":
            log.warning(
                "with --types guess, browsers run the scripts in HTML files that others have uploaded "
                "(use --types binary or --read-only)"
            )


def warn_about_typed_passwords(options: argparse.Namespace) -> None:
    """Warn about passwords on the command line."""
    given, *_ = options.origins.maps
    for name in PASSWORDS:
        if name in given and getattr(options, name).path is None:
            option = name.replace("_", "-")
            log.warning(
                "other users of this machine can read the password of --%s in the process list "
                "(use @FILE or REACTOR_%s instead)",
                option,
                name.upper(),
            )


def reloader(options: argparse.Namespace, router: Router) -> Callable[[], None]:
    """Return a function that reads the password files again and replaces the passwords of a router.

    It logs what it did and raises no exception. If a file cannot be read, all passwords stay valid. Passwords
    given on the command line or in a variable stay as well.
    """

    def reload() -> None:
        given = {name: getattr(options, name) for name in PASSWORDS}
        paths = {name: value.path for name, value in given.items() if value and value.path is not None}
        if not paths or not isinstance(router, AuthRouter):
            log.info("SIGHUP: nothing to reload (only files of --auth @FILE and --auth-upload @FILE are)")
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
    """Open a file; do not block on a named pipe without a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def open_browser(url: str) -> None:
    """Open the default browser in a thread: for some browsers, the call blocks until they exit."""
    log.info("opening %s in a browser", url)
    threading.Thread(target=_open, args=(url,), daemon=True).start()


def _open(url: str) -> None:
    try:
        opened = webbrowser.open(url)
    except Exception:  # whatever the command in BROWSER does
        opened = False
    if not opened:
        log.warning("cannot open a browser: open %s yourself", url)
