"""The corpus from the subjects' lists, and as files: ``python -m tests.conformance.corpus.build DIR``.

Each entry becomes DIR/valid/NAME.http or DIR/invalid/NAME.http with the bytes, and NAME.json with the rest.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.corpus.entry import Entry
from tests.conformance.corpus.subjects import SUBJECTS


def all_entries() -> Iterator[Entry]:
    """Yield the entries of every subject."""
    for subject in SUBJECTS:
        yield from subject.entries()


def read_corpus(only: str = "") -> list[Entry]:
    """Return every entry whose path contains ``only``, valid entries first, each kind sorted by name."""
    entries = sorted(all_entries(), key=lambda entry: (entry.directory != "valid", entry.name))
    return [entry for entry in entries if only in f"{entry.directory}/{entry.name}"]


def built_files() -> dict[str, bytes]:
    """Return the contents of the files by path; raise ValueError for a name used twice."""
    files: dict[str, bytes] = {}
    for entry in all_entries():
        made = entry.files()
        if made.keys() & files.keys():
            raise ValueError(f"duplicate entry name: {entry.directory}/{entry.name}")
        files |= made
    return files


def write_files(root: Path) -> int:
    """Write every file into a directory; return the number of files."""
    files = built_files()
    for path, contents in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(contents)
    return len(files)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.conformance.corpus.build DIR")
    print(f"{write_files(Path(sys.argv[1]))} files written to {sys.argv[1]}")
