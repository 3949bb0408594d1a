"""The files that an attacked server shares."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

from benchmarks.attack.attackers import large_file
from benchmarks.attack.scenarios import Scale, Scenario
from benchmarks.results.units import byte_size
from benchmarks.servers.workloads import MIB, file_content

SPARSE = 64 * MIB  # bytes of the file "large"
IN_MEMORY = ("tmpfs", "ramfs")
NAMES = ("large", "bomb", "form", "text", "many")  # with which names of files begin, also of stored uploads
ROOM = 1.5  # free bytes for each byte that is written


def disk_directory() -> Path:
    """Return a directory for temporary files on a disk, if there is one."""
    places = [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()]
    return next((each for each in places if each.is_dir() and _file_system(each) not in IN_MEMORY), places[0])


def _file_system(directory: Path) -> str:
    mounts = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    return next(
        mounts[each] for each in (directory.resolve(), *directory.resolve().parents) if each in mounts
    )


def missing_space(scenario: Scenario, scale: Scale) -> str | None:
    """Return why the files of a scenario cannot be stored, or None."""
    needed, free = scenario.stored(scale) * ROOM, shutil.disk_usage(disk_directory()).free
    return (
        f"not enough disk space: {byte_size(free)} free, {byte_size(needed)} needed"
        if free < needed
        else None
    )


def write_files(scenario: Scenario, scale: Scale, directory: Path) -> None:
    """Write the files of a scenario; large ones, except "large", consist of real blocks on the disk."""
    with (directory / "large").open("wb") as file:
        file.truncate(SPARSE)
    for number in range(scenario.count(scale) if scenario.large_files else 0):
        with (directory / large_file(number + 1)).open("wb") as file:
            for _ in range(0, scale.large, MIB):
                file.write(file_content(MIB))
            os.fsync(file.fileno())
    (directory / "text.txt").write_bytes(file_content(round(scenario.text * scale.share)))
    (directory / "many").mkdir()
    for number in range(round(scenario.entries * scale.share)):
        (directory / "many" / f"entry-{number:06}").touch()
