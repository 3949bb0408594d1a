"""Replays the corpus against a running server: ``python -m tests.conformance.corpus [--url http://127.0.0.1:PORT]``.

Without ``--url`` the built-in server is started in a process of its own, with an empty directory. The
summary counts twice: a server *agrees* with an entry when it sees the request end where it ends (what
is invalid is refused and nothing after it answered; what is valid is answered, and what is after
it, too), and is *exact* when the status and the way the connection ends are those of the built-in
server, too.

To compare others, let them answer every method at every path, and look at where they disagree. Not each
disagreement is a fault of theirs: some entries hold this server to more than the RFC demands of
every server (its limits; a bare LF, which a recipient may take for a line end; two equal lengths, of
which it may take one). The entry's section says which.

The exit code is 0 when all is exact, 1 when something is not, 2 for a wrong option, 3 when there is
no server.
"""

import argparse
import contextlib
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from tests.conformance.corpus.build import read_corpus
from tests.conformance.corpus.remote import Verdict, replay
from tests.support.process import ServerProcess

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def read_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    question = (__doc__ or "").partition(":")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.corpus", description=question)
    parser.add_argument(
        "--url", type=read_url, help="URL of a server on this machine (default: start the built-in server)"
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="replay only entries with this text in their path"
    )
    parser.add_argument(
        "--timeout", type=float, default=2.0, help="timeout of one answer in seconds (default: 2)"
    )
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="timeout of the whole run in seconds (default: 300)"
    )
    parser.add_argument("--quiet", action="store_true", help="print the summary only")
    return parser.parse_args(arguments)


def read_url(text: str) -> tuple[str, int]:
    """Return the address of a URL; raise ArgumentTypeError for one that is not of this machine."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(text)
        if parts.scheme == "http" and parts.hostname in LOOPBACK:
            return parts.hostname, parts.port or 80
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a URL of this machine (example: http://127.0.0.1:8000)"
    )


@contextlib.contextmanager
def own_server() -> Iterator[tuple[str, int]]:
    """Start the built-in server; its address holds until the end of the block."""
    with (
        tempfile.TemporaryDirectory() as directory,
        ServerProcess("--directory", directory, "--no-access-log", "--allowed-host", "*") as server,
    ):
        yield "127.0.0.1", server.port


def show(verdict: Verdict) -> None:
    """Print what is wrong with an entry, if anything."""
    if not verdict.exact:
        grade = "inexact " if verdict.agrees else "DISAGREE"
        print(f"{grade} {verdict.entry.directory}/{verdict.entry.name}: {verdict}")


def summarize(verdicts: list[Verdict]) -> None:
    """Print how many there are, by directory."""
    print("          entries   agree  exact  failed")
    for name in ("valid", "invalid", "all"):
        these = [v for v in verdicts if name in (v.entry.directory, "all")]
        agree, exact = sum(v.agrees for v in these), sum(v.exact for v in these)
        print(f"{name:8} {len(these):8} {agree:7} {exact:6} {len(these) - exact:7}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay what the options ask for; return the exit code."""
    options = read_options(arguments)
    entries = read_corpus(options.only)
    server = own_server() if options.url is None else contextlib.nullcontext(options.url)
    verdicts = []
    with server as address:
        try:
            socket.create_connection(address, timeout=options.timeout).close()
            for verdict in replay(address, entries, options.timeout, options.seconds):
                verdicts.append(verdict)
                if not options.quiet:
                    show(verdict)
        except OSError as error:
            print(f"no server at {address[0]}:{address[1]}: {error}", file=sys.stderr)
            return 3
    summarize(verdicts)
    return 0 if entries and all(verdict.exact for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
