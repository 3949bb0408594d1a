"""Writes the files of the corpus from the subjects' lists: ``python -m tests.corpus.build``.

Files that no list has any more are removed. The test of the corpus compares the files with the lists, so
that neither changes without the other.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.corpus.entry import HERE, Entry
from tests.corpus.subjects import SUBJECTS


def all_entries() -> Iterator[Entry]:
    """Yield the entries of every subject."""
    for subject in SUBJECTS:
        yield from subject.entries()


def built_files() -> dict[str, bytes]:
    """Return what the files must hold, by path below the corpus; raise ValueError for a name used twice."""
    files: dict[str, bytes] = {}
    for entry in all_entries():
        made = entry.files()
        if made.keys() & files.keys():
            raise ValueError(f"two entries are named {entry.directory}/{entry.name}")
        files |= made
    return files


def present_files(root: Path = HERE) -> dict[str, bytes]:
    """Return what the files hold."""
    paths = [path for folder in ("valid", "invalid") for path in sorted((root / folder).glob("*"))]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def write_files(root: Path = HERE) -> int:
    """Write every file and remove the others; return how many there are."""
    files = built_files()
    for path in present_files(root).keys() - files.keys():
        (root / path).unlink()
    for path, octets in files.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(octets)
    return len(files)


if __name__ == "__main__":
    print(f"{write_files()} files written")
