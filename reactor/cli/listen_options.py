"""Listen options: --listen and --unix, and the sockets that a service manager passes (socket activation).

    Sockets come from                 The server listens on
    LISTEN_PID and LISTEN_FDS         the sockets that the service manager has passed, and no other
    --listen HOST:PORT, --unix PATH   all of them, in place of --host and --port
    neither                           --host and --port

The variables are those of sd_listen_fds(3): descriptors from 3 on, with names in LISTEN_FDNAMES. They are
removed from the environment, so that child processes do not inherit them. The service manager keeps its
sockets open, so that connections wait in the accept queue while the server is restarted.
"""

import argparse
import os
import re
from collections.abc import MutableMapping, Sequence
from contextlib import ExitStack

from reactor.cli.observe_options import address
from reactor.cli.option_types import FileOnly, Group, Repeatable
from reactor.http11.proxy_header import UNIX
from reactor.server.listen import (
    Listener,
    StartError,
    UsageError,
    adopt,
    listen,
    listen_unix,
    tcp_addresses,
)

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START
MAX_PASSED = 1024  # sockets
UNIX_MODE = 0o660

_LISTEN_OPTIONS = ("host", "port", "listen", "unix")


def add_options(group: Group) -> None:
    """Add the options to a group."""
    group.add_argument(
        "--listen",
        action=Repeatable,
        default=(),
        type=address,
        metavar="HOST:PORT",
        help="listen on this address in place of --host and --port; repeatable, in the environment variable "
        "one per line (default: none)",
    )
    group.add_argument(
        "--unix",
        metavar="PATH",
        help="listen on a Unix socket, in place of --host and --port or next to --listen (default: none)",
    )
    group.add_argument(
        "--unix-mode",
        action=FileOnly,
        default=UNIX_MODE,
        read=file_mode,
        shown="660",
        effect="permissions of the socket of `--unix` (octal): clients need write permission to connect",
    )


def file_mode(text: str) -> int:
    """Parse the permissions of a file.

    >>> oct(file_mode("660"))
    '0o660'
    """
    # The owner must be able to connect. This also excludes 0o660 in TOML, which is read as "432".
    if not re.fullmatch("0?[67][0-7][0-7]", text):
        raise argparse.ArgumentTypeError(
            f"invalid mode: {text!r} (octal digits for owner, group and others, such as 660)"
        )
    return int(text, 8)


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Report an address that two sockets would have; exit."""
    addresses = [*options.listen]
    if "port" in options.origins and not addresses and options.unix is None:
        addresses.append((options.host, options.port))
    if options.inspect is not None:
        addresses.append(options.inspect)
    for host, port in addresses:
        if port and addresses.count((host, port)) > 1:
            shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            parser.error(f"two sockets cannot both listen on {shown}: choose another port for one of them")


def open_listeners(options: argparse.Namespace) -> Sequence[Listener]:
    """Return the listening sockets that are used in place of --host and --port; raise StartError.

    Remove the variables of passed sockets from the environment.
    """
    with ExitStack() as opened:  # closed if one of them cannot be opened
        listeners: list[Listener] = [
            opened.enter_context(_adopt_passed(descriptor, name))
            for descriptor, name in passed_descriptors(os.environ, os.getpid())
        ]
        if listeners:
            _check_given(options)
        else:
            ports = [port for _, port in options.listen]
            for host, port in options.listen:
                # With 0.0.0.0:80 and [::]:80, the second one must not accept IPv4.
                is_shared = port != 0 and ports.count(port) > 1
                listeners.append(opened.enter_context(listen(host, port, is_shared)))
            if options.unix is not None:
                listeners.append(opened.enter_context(listen_unix(options.unix, options.unix_mode)))
        if options.open and listeners and not tcp_addresses(listeners):
            name = options.origins["open"]
            raise UsageError(
                f"{name} has no effect: the server listens on Unix sockets only, which have no URL"
            )
        _check_proxies(options, listeners)
        opened.pop_all()
    return listeners


def _check_proxies(options: argparse.Namespace, listeners: Sequence[Listener]) -> None:
    """Raise UsageError if no trusted proxy can connect: all use TCP and no listener does, or reverse.

    The environment and the file may name proxies for sockets that are not used.
    """
    over_unix = {each.tcp_address is None for each in listeners} or {False}
    if not options.trusted_proxy or over_unix & {each == UNIX for each in options.trusted_proxy}:
        return
    for number, given in enumerate(options.origins.maps):
        if "trusted_proxy" in given and (not number or "unix" in given or "listen" in given):
            name = f"{given['trusted_proxy']} {options.trusted_proxy[0]}"
            reason = "the server listens on a Unix socket only (trust unix)"
            if False in over_unix:
                reason = "the server listens on no Unix socket (trust an address, such as 127.0.0.1)"
            raise UsageError(f"{name} has no effect: {reason}")
        if {"trusted_proxy", "unix", "listen"} & given.keys():
            return


def _adopt_passed(descriptor: int, name: str) -> Listener:
    try:
        is_passed = os.get_inheritable(descriptor)  # all that this process has opened itself is not
    except OSError:
        is_passed = False
    if not is_passed:
        which = f"descriptor {descriptor}" + (f" ({name!r})" if name else "")
        raise StartError(f"cannot listen on {which}: the service manager has not passed it (see LISTEN_FDS)")
    return adopt(descriptor, name)


def _check_given(options: argparse.Namespace) -> None:
    given, *_ = options.origins.maps
    for dest in _LISTEN_OPTIONS:
        if dest in given:
            raise UsageError(
                f"{given[dest]} has no effect with the sockets of the service manager (LISTEN_FDS)"
            )


def passed_descriptors(environment: MutableMapping[str, str], pid: int) -> list[tuple[int, str]]:
    """Return the descriptors that are passed to a process, with their names; remove the variables.

    Raise StartError if a variable is malformed.
    """
    process, count, names = (environment.pop(f"LISTEN_{each}", "") for each in ("PID", "FDS", "FDNAMES"))
    if not process or not count or _number("LISTEN_PID", process) != pid:
        return []
    number = _number("LISTEN_FDS", count)
    if number > MAX_PASSED:
        raise StartError(f"invalid LISTEN_FDS: {count!r} (at most {MAX_PASSED})")
    descriptors = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + number)
    if not names:
        return [(each, "") for each in descriptors]
    listed = names.split(":")
    if len(listed) != len(descriptors):
        raise StartError(
            f"invalid LISTEN_FDNAMES: {names!r} has {len(listed)} names (LISTEN_FDS has {len(descriptors)})"
        )
    return list(zip(descriptors, listed, strict=True))


def _number(name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text, re.ASCII):
        raise StartError(f"invalid {name}: {text!r} (expected a whole number)")
    return int(text)
