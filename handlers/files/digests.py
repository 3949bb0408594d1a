"""Digests of uploads, sent by the client and checked while the body is received (RFC 9530).

    Repr-Digest: sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:

Unknown algorithms are ignored. A malformed header that names a known algorithm is an error, since the client
relies on the check.
"""

import hashlib
from hmac import compare_digest

from reactor.http11.errors import HTTPError
from reactor.http11.structured_fields import parse_dictionary
from reactor.routing import ViewSink

from .upload import Upload

ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


class CheckedUpload(ViewSink):
    """A sink for an upload that must match the digests sent by the client."""

    __slots__ = ("_digests", "_hashes", "_upload")

    def __init__(self, upload: Upload, digests: dict[str, bytes]) -> None:
        self._upload = upload
        self._digests = digests
        self._hashes = {name: ALGORITHMS[name]() for name in digests}

    def write(self, data: bytes | memoryview) -> None:
        """Append data."""
        self._upload.write(data)
        for each in self._hashes.values():  # only after a successful write
            each.update(data)

    @property
    def is_outdated(self) -> bool:
        """Whether it cannot be stored, since another directory is shared."""
        return self._upload.is_outdated

    def suspend(self) -> None:
        """Close the file until ``reopen``, if possible; idempotent."""
        self._upload.suspend()

    def reopen(self) -> None:
        """Open the file again; raise HTTPError."""
        self._upload.reopen()

    def sync(self) -> None:
        """Write the content to the disk; raise OSError."""
        self._upload.sync()

    def sync_directory(self) -> None:
        """Write the names in the directory to the disk; raise OSError."""
        self._upload.sync_directory()

    def finish(self) -> Upload:
        """Return the upload; raise HTTPError(400) if a digest does not match."""
        for name, digest in self._digests.items():
            if not compare_digest(self._hashes[name].digest(), digest):
                raise HTTPError(400, f"Repr-Digest mismatch: the body has a different {name} digest")
        return self._upload.finish()

    def close(self) -> None:
        """Close the upload."""
        self._upload.close()


def read_digests(value: str) -> dict[str, bytes]:
    """Parse a Repr-Digest header into digests by algorithm; raise HTTPError(400).

    >>> read_digests("unixsum=3, md5=:aaaa:")
    {}
    """
    members = parse_dictionary(value)
    if members is None:  # only the names are used
        members = {member.partition("=")[0].strip(" \t").lower(): None for member in value.split(",")}
    digests = {}
    for name in members.keys() & ALGORITHMS.keys():
        digest = members[name]
        if not isinstance(digest, bytes) or len(digest) != ALGORITHMS[name]().digest_size:
            raise HTTPError(400, "malformed Repr-Digest (expected sha-256=:BASE64: or sha-512=:BASE64:)")
        digests[name] = digest
    return digests
