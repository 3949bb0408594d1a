"""The files that an attacked server shares."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

from benchmarks.attack.attackers import LARGE_FILE
from benchmarks.attack.scenarios import Scale, Scenario
from benchmarks.results.units import byte_size
from benchmarks.servers.process import ROOT
from benchmarks.servers.workloads import MIB, file_content

SPARSE = 64 * MIB  # bytes of the file "large"
IN_MEMORY = ("tmpfs", "ramfs")
NAMES = ("large", "bomb", "form", "text", "many")  # beginnings of names, also of stored uploads
ROOM = 1.5  # free bytes for each byte that is written


def disk_directory() -> Path:
    """Return a directory for temporary files on a disk, if there is one."""
    places = [Path(tempfile.gettempdir()), Path("/var/tmp"), ROOT]
    return next((each for each in places if each.is_dir() and not _in_memory(each.resolve())), places[0])


def _in_memory(path: Path) -> bool:
    mounts = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    return next((mounts[each] for each in (path, *path.parents) if each in mounts), "") in IN_MEMORY


def missing_space(scenario: Scenario, scale: Scale) -> str | None:
    """Return why the files of a scenario cannot be stored, or None."""
    needed, free = scenario.stored(scale) * ROOM, shutil.disk_usage(disk_directory()).free
    words = f"not enough disk space: {byte_size(free)} free, {byte_size(needed)} needed"
    return words if free < needed else None


def write_files(scenario: Scenario, scale: Scale, directory: Path) -> None:
    """Write the files of a scenario; large ones, except "large", consist of real blocks on the disk."""
    with (directory / "large").open("wb") as file:
        file.truncate(SPARSE)
    for number in range(scenario.count(scale) if scenario.large_files else 0):
        with (directory / (LARGE_FILE % (number + 1))).open("wb") as file:
            for _ in range(0, scale.large, MIB):
                file.write(file_content(MIB))
            os.fsync(file.fileno())
    (directory / "text.txt").write_bytes(file_content(round(scenario.text * scale.share)))
    (directory / "many").mkdir()
    for number in range(round(scenario.entries * scale.share)):
        (directory / "many" / f"entry-{number:06}").touch()
