"""The sources of the repository, by path."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read_sources(*folders: str) -> dict[str, str]:
    """Read every Python file in these folders; those of the handlers as ``handlers/``, and only once."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if ROOT / "reactor" / "handlers" not in path.parents
    }
