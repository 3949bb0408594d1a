"""One run of a seed, from its first client to its last descriptor."""

import logging
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.simulation.clients import BEHAVIOURS, Client
from tests.simulation.disk import DISK_FAILURE, Disk
from tests.simulation.invariants import Invariants
from tests.simulation.scripts import ScriptWriter
from tests.simulation.selector import NOT_REGISTERED
from tests.simulation.site import PlannedError, Site
from tests.simulation.world import Violation, World

# How many clients a seed has at most, and half of them at least: mostly tens, sometimes hundreds.
CLIENT_COUNTS = (*(5, 10, 15, 20, 20, 30, 30, 40, 60) * 3, 300, 400)
SHARED_MEMORY = Path("/dev/shm")


class Outcome(NamedTuple):
    """The result of a seed; ``failure`` is "" when it passed."""

    seed: int
    failure: str
    turns: int
    clients: int
    allowed: int
    answers: int


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
    return Outcome(
        seed,
        failure,
        world.turn,
        len(clients),
        sum(client.name in world.allowed_failures for client in clients),
        sum(len(client.checker.answers) for client in clients),
    )


def run(world: World, disk: Disk, clients: list[Client]) -> None:
    """Fill the world, and let the server take turns until nothing is left to do."""
    random = world.random
    large = random.random() < 0.1
    disk.populate(200_000 if large else 10)
    site = Site(world, disk)
    invariants = Invariants(site)
    count = random.choice(CLIENT_COUNTS)
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
        with disk.patches():
            while not world.finished:
                site.reactor.turn()
                if site.finished and not site.exited:
                    site.exit()
                invariants.check_turn()
        for client in clients:
            if not client.checked:
                world.fail(f"{client.checker!r}: never gets its answers")
        invariants.check_end()
        disk.check()
    finally:
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
    first = random.random() * random.choice((0.01, 1.0, 10.0, 30.0))
    second = first + random.random() * random.choice((0.01, 10.0))
    return random.choice((*([[]] * 6), *([[first]] * 3), [first, second]))


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
