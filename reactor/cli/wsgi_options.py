"""WSGI options: ``--wsgi MODULE:APP`` names the application, ``--threads`` the worker threads that call it.

The name is a module, and after a colon an attribute (default: app), which may have dots, or a call without
arguments: ``shop.web:create_app()``. As with ``python -m``, the current directory can be imported from.
"""

import argparse
import importlib
import inspect
import os
import re
import sys
import traceback
from typing import NamedTuple
from wsgiref.types import WSGIApplication

from reactor.cli.option_types import Group
from reactor.server.listen import StartError
from reactor.server.worker_pool import THREADS as WITHOUT_WSGI

THREADS = 4
MAX_THREADS = 1024
EXAMPLES = "examples: shop, shop.web:app, shop:create_app()"

_NAME = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_match_application = re.compile(rf"({_NAME})(?::({_NAME})(\(\))?)?").fullmatch


class ApplicationName(NamedTuple):
    """Where an application is found: the name of a module, an attribute, and whether it is a factory."""

    text: str
    module: str
    attribute: str
    is_factory: bool


def add_options(group: Group) -> None:
    """Add the options to a group."""
    group.add_argument(
        "--wsgi",
        type=application_name,
        metavar="MODULE:APP",
        help="serve the WSGI application APP of a Python module (Flask, Django or others) in place of a "
        "directory; MODULE:create_app() calls a function that returns it; without :APP, it is named app "
        "(default: none)",
    )
    group.add_argument(
        "--threads",
        type=threads,
        metavar="N",
        help="worker threads that call the WSGI application; 0: call it in the event loop, where a slow call "
        f"blocks all connections (default: {THREADS} with --wsgi)",
    )


def application_name(text: str) -> ApplicationName:
    """Parse the name of an application.

    >>> application_name("shop.web:create_app()")[1:]
    ('shop.web', 'create_app', True)
    """
    match = _match_application(text)
    if match is None or match[1].endswith(".py"):  # the name of a file
        raise argparse.ArgumentTypeError(f"invalid application: {text!r} (expected MODULE:APP; {EXAMPLES})")
    return ApplicationName(text, match[1], match[2] or "app", match[3] is not None)


def threads(text: str) -> int:
    """Parse a number of threads."""
    if not re.fullmatch("[0-9]{1,6}", text) or int(text) > MAX_THREADS:
        raise argparse.ArgumentTypeError(f"invalid number of threads: {text!r} (expected 0 to {MAX_THREADS})")
    return int(text)


def number_of_threads(options: argparse.Namespace) -> int:
    """Return the number of threads that call the application, 0 for the loop."""
    if options.wsgi is None:
        return WITHOUT_WSGI
    return THREADS if options.threads is None else int(options.threads)


def describe(options: argparse.Namespace) -> str:
    """Return the note for the start line."""
    count = number_of_threads(options)
    how = f"{count} thread{'' if count == 1 else 's'}" if count else "in the event loop"
    return f"WSGI, {how}{'; password required' if options.auth else ''}"


class ApplicationError(StartError):
    """The application's own code failed; ``details`` is the traceback."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


def load(name: ApplicationName) -> WSGIApplication:
    """Import the module, and return the application; raise StartError."""
    if sys.path[:1] not in ([""], [os.getcwd()]):
        sys.path.insert(0, os.getcwd())
    cannot = f"cannot load --wsgi {name.text!r}"
    try:
        found, where = _find(name)
        if name.is_factory and callable(found):
            found, where = found(), f"the result of {where}()"
    except _MissingError as missing:
        raise StartError(f"{cannot}: {missing}") from None
    except (Exception, SystemExit) as error:  # SystemExit would end this process, perhaps without a message
        raise ApplicationError(f"{cannot}: {type(error).__name__} (see above)", _traceback(error)) from None
    if not callable(found):
        kind = type(found).__name__
        raise StartError(
            f"{cannot}: {where} is not callable, but of type {kind} (expected a WSGI application; {EXAMPLES})"
        )
    if inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__):
        raise StartError(f"{cannot}: {where} is async, as an ASGI application (expected a WSGI application)")
    return found


class _MissingError(Exception):
    """The module or the attribute does not exist."""


def _find(name: ApplicationName) -> tuple[object, str]:
    """Return the object with this name, and where it was found; raise _MissingError."""
    try:
        found: object = importlib.import_module(name.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name.module}.".startswith(f"{error.name}."):
            raise  # the module imports another one, which does not exist
        raise _MissingError(
            f"no module {error.name!r} in {os.getcwd()!r} or among the installed packages "
            "(start the server in the directory of the module)"
        ) from None
    where = name.module
    for part in name.attribute.split("."):
        if not hasattr(found, part):
            raise _MissingError(f"{where!r} has no attribute {part!r} (name one after a colon; {EXAMPLES})")
        found, where = getattr(found, part), f"{where}.{part}"
    return found, where


def _traceback(error: BaseException) -> str:
    """Format a traceback from the application's first frame on."""
    trace = error.__traceback__
    while trace is not None and (
        trace.tb_frame.f_code.co_filename in (__file__, importlib.__file__)
        or "importlib._bootstrap" in trace.tb_frame.f_code.co_filename
    ):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()
