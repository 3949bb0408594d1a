"""Faults of the handlers of files, of conditions and of passwords, one for each check of the simulation.

Each is planted by replacing something of the server, and has a seed that finds it.
"""

from collections.abc import Callable
from typing import Any

import pytest

from reactor.basic_auth import AuthRouter
from reactor.handlers.files import download, listing, media_types, resumable, routes, store
from reactor.handlers.files.directory import Entry
from reactor.handlers.files.metadata import FileMetadata
from reactor.handlers.files.paths import SharedRoot
from reactor.handlers.files.upload import Upload
from reactor.http11 import conditional

Plant = Callable[[pytest.MonkeyPatch], None]


class EqualToAll(int):
    """A number that is equal to anything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


def confuse_the_validators(patch: pytest.MonkeyPatch) -> None:
    """Compare the validators of the compressed file with those of any request."""
    patch.setattr(FileMetadata, "validators_as", lambda self, coding: self.gzip_validators)


def count_ranges_to_their_end(patch: pytest.MonkeyPatch) -> None:
    """Write Content-Range with the position after the last one."""
    patch.setattr(download, "content_range", lambda part, size: f"bytes {part.start}-{part.stop}/{size}")


def answer_304_to_any_tag(patch: pytest.MonkeyPatch) -> None:
    """Compare no entity tags."""
    patch.setattr(conditional, "_weakly_equal", lambda tag, etag: True)


def vary_always(patch: pytest.MonkeyPatch) -> None:
    """Send Vary with files that are never compressed."""
    file_type = media_types.file_type
    patch.setattr(store, "file_type", lambda *values: file_type(*values)._replace(varies=True))


def serve_a_stale_file(patch: pytest.MonkeyPatch) -> None:
    """Do not compare a cached file with the one on the disk."""
    patch.setattr(store, "fingerprint_of", lambda status: EqualToAll())


def list_no_slashes(patch: pytest.MonkeyPatch) -> None:
    """List directories like files."""

    def rows(self: listing.TextFormat, entries: list[Entry]) -> str:
        return "".join(f"{each.name}\n" for each in entries)

    patch.setattr(listing.TextFormat, "rows", rows)


def open_the_last_parent_only(patch: pytest.MonkeyPatch) -> None:
    """Skip the directories above the last one of a path."""
    open_parent = SharedRoot.open_parent
    patch.setattr(SharedRoot, "open_parent", lambda self, parts: open_parent(self, parts[-2:]))


def ignore_conditions_of_changes(patch: pytest.MonkeyPatch) -> None:
    """Store and remove files whatever the conditions are."""
    patch.setattr(routes, "precondition", lambda request, wall_clock: None)


def keep_files_of_a_failed_form(patch: pytest.MonkeyPatch) -> None:
    """Do not remove the files of a form that were stored before one failed."""
    patch.setattr(Upload, "unlink", lambda self, parent: None)


def resume_at_any_offset(patch: pytest.MonkeyPatch) -> None:
    """Append a part to a resumable upload wherever it begins."""
    read = resumable._read_integer

    def any_offset(headers: Any, name: str) -> int | None:
        found = read(headers, name)
        return EqualToAll(found) if name == "upload-offset" and found is not None else found

    patch.setattr(resumable, "_read_integer", any_offset)


def leak_the_upload_beyond_the_limit(patch: pytest.MonkeyPatch) -> None:
    """Forget a resumable upload at the limit without closing it."""
    patch.setattr(resumable.UploadRegistry, "drop", lambda self, token: self.remove(token))


def let_readers_upload(patch: pytest.MonkeyPatch) -> None:
    """Take the password for reading for an upload, too."""
    patch.setattr(AuthRouter, "_check_change", AuthRouter._check_read)


def let_every_page_upload(patch: pytest.MonkeyPatch) -> None:
    """Do not check the origin of a POST."""
    patch.setattr(routes, "require_same_origin", lambda request, allowed: None)


FILE_PLANTS: dict[Plant, int] = {
    confuse_the_validators: 3,
    count_ranges_to_their_end: 1,
    answer_304_to_any_tag: 1,
    vary_always: 1,
    serve_a_stale_file: 3,
    list_no_slashes: 18,
    open_the_last_parent_only: 1,
    ignore_conditions_of_changes: 1,
    keep_files_of_a_failed_form: 1,
    resume_at_any_offset: 43,
    leak_the_upload_beyond_the_limit: 2,
    let_readers_upload: 6,
    let_every_page_upload: 6,
}
