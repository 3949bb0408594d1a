"""One run of a seed, from its first client to its last descriptor."""

import hashlib
import logging
import re
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch

from reactor.handlers.files.paths import TEMPORARY_PREFIX
from tests.simulation.application import PlannedError
from tests.simulation.clients import BEHAVIOURS, Client
from tests.simulation.disk import DISK_FAILURE, Disk
from tests.simulation.invariants import Invariants
from tests.simulation.scripts import ScriptWriter
from tests.simulation.selector import NOT_REGISTERED
from tests.simulation.site import Site
from tests.simulation.sizes import MIN_STALE
from tests.simulation.world import Violation, World

# How many clients a seed has at most, and half of them at least: mostly tens, sometimes hundreds.
CLIENT_COUNTS = (*(5, 10, 15, 20, 20, 30, 30, 40, 60) * 3, 300, 400)
SHARED_MEMORY = Path("/dev/shm")
_DATE = re.compile(rb"\r\nDate: [^\r]*")


class Outcome(NamedTuple):
    """The result of a seed; ``failure`` is "" when it passed.

    ``refused`` clients connect when the server has stopped. ``excused`` ones may get fewer answers than they
    have sent requests, for the reasons counted in ``excuses``: some clients have several. ``shortened`` ones
    are not excused: the server closed early, and they must have got every answer that it had made.
    ``observed`` is a digest of what the server has done for others: see ``digest``.
    """

    seed: int
    failure: str
    turns: int
    clients: int
    refused: int
    excused: int
    shortened: int
    answers: int
    observed: str
    excuses: Counter[str]


def run_seed(seed: int, trace: list[str] | None = None) -> Outcome:
    """Run one seed; write what happened to ``trace`` unless it is None."""
    world = World(seed, trace)
    parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    clients: list[Client] = []
    with (
        tempfile.TemporaryDirectory(dir=parent) as path,
        watched_log(world),
    ):
        disk = Disk(world, Path(path))
        try:
            failure = ""
            run(world, disk, clients)
        except Violation as violation:
            failure = str(violation)
        except Exception:
            failure = f"turn {world.turn}: {traceback.format_exc()}"
        observed = digest(clients, Path(path, "shared"))
    return Outcome(
        seed,
        failure,
        world.turn,
        len(clients),
        sum(client.refused for client in clients),
        sum(bool(each.checker.excuses) and not each.checker.is_shortened for each in clients),
        sum(client.checker.is_shortened for client in clients),
        sum(len(client.checker.answers) for client in clients),
        observed,
        Counter(each for client in clients for each in client.checker.excuses[:1]),
    )


def digest(clients: list[Client], directory: Path) -> str:
    """Return a digest of the bytes that each client has received, and of the files at the end.

    It does not depend on when the bytes were received: the value of Date is left out. Nor does it depend on
    temporary files, whose names are random.
    """
    result = hashlib.sha256()
    for client in clients:
        received = _DATE.sub(b"", bytes(client.checker.all_received))
        result.update(f"{client.name} {len(received)} {client.checker.ended}\n".encode() + received)
    for path in sorted(directory.rglob("*")):
        if not path.name.startswith(TEMPORARY_PREFIX):
            content = path.read_bytes() if path.is_file() else b""
            name = str(path.relative_to(directory))
            result.update(f"{name} {len(content)}\n".encode() + content)
    return result.hexdigest()


def run(world: World, disk: Disk, clients: list[Client]) -> None:
    """Fill the world, and let the server take turns until nothing is left to do."""
    random = world.random
    large = random.random() < 0.1
    disk.populate(200_000 if large else 10)
    site = Site(world, disk)
    invariants = Invariants(site)
    count = random.choice(CLIENT_COUNTS)
    if count > 100:  # so many clients with slow calls would take longer than their timeouts
        world.rates["slow"] = min(world.rates["slow"], 0.05)
    site.network.limit = max(site.network.limit, count // 3)  # so that most clients are accepted
    for number in range(1, random.randint(count // 2, count) + 1):
        behaviour = random.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]
        clients.append(Client(site, ScriptWriter(world, disk, f"client{number}", large), behaviour))

    def suspend() -> None:
        for client in clients:
            client.suspend()

    def stop() -> None:
        for client in clients:
            client.stop()
        site.stop()

    world.on_jump = suspend
    for when in stops(random):
        world.after(when, stop)
    plan_replacement(world, disk, clients)
    try:
        with disk.patches(), patch("reactor.deadlines._MIN_STALE", MIN_STALE):
            while not world.finished:
                site.reactor.turn()
                if site.finished and not site.exited:
                    site.exit()
                invariants.check_turn()
        for client in clients:
            if not client.checked:
                world.fail(f"{client.checker!r}: never gets its answers")
        invariants.check_end()
        for client in clients:
            client.checker.check_log(invariants.logged.get(client.name, []))
        site.sizes.check_end()
        disk.check()
    finally:
        with disk.patches():
            site.close()
    disk.check_leftovers()
    disk.check_descriptors()


def plan_replacement(world: World, disk: Disk, clients: list[Client]) -> None:
    """Plan that the shared directory is replaced, in some seeds, and that it is missing for a while."""
    random = Random(world.seed)

    def remove() -> None:
        for client in clients:
            world.allow_failure(client.name, DISK_FAILURE)
        disk.remove()

    if random.random() < 0.15:
        when = random.random() * random.choice((0.01, 1.0, 10.0))
        world.after(when, remove)
        world.after(when + random.choice((0.0, 0.01, 3.0)), disk.restore)


def stops(random: Random) -> list[float]:
    """Choose the times of stop signals: mostly one, if any."""
    first = random.random() * random.choice((0.01, 1.0, 1.0, 10.0, 10.0, 30.0, 60.0))
    second = first + random.random() * random.choice((0.01, 10.0))
    return random.choice((*([[]] * 12), *([[first]] * 7), [first, second]))


@contextmanager
def watched_log(world: World) -> Iterator[None]:
    """Watch the server's log: an error that it reports is a failure, unless it was planted."""
    log = logging.getLogger("reactor")
    watch = ErrorLogHandler(world)
    before = log.propagate, log.level
    log.propagate = False
    log.setLevel(logging.WARNING)
    log.addHandler(watch)
    try:
        yield
    finally:
        log.removeHandler(watch)
        log.propagate, level = before
        log.setLevel(level)


class ErrorLogHandler(logging.Handler):
    """Fails the simulation when the server logs an error that was not planted."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        values = (*(record.exc_info or ()), *(record.args or ()))
        error = next((each for each in values if isinstance(each, BaseException)), None)
        if isinstance(error, PlannedError):
            return
        allowed = self._world.allowed_failures.get(self._world.current, ())
        # After YIELDING a handle is registered again, which can fail as it can the first time.
        planted = DISK_FAILURE in allowed or NOT_REGISTERED in allowed
        if isinstance(error, OSError) and error.strerror == "planted" and planted:
            return
        text = "".join(traceback.format_exception(error)) if error else ""
        self._world.fail(f"the server logged an error: {record.getMessage()}\n{text}")
