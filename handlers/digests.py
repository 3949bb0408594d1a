"""Repr-Digest: what a client says its content hashes to, checked as the content comes (RFC 9530).

    Repr-Digest: sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:

Algorithms that nobody here knows are passed over; a malformed digest of one that is known is refused,
since whoever sends it counts on its being checked.
"""

import base64
import binascii
import hashlib
import re
from hmac import compare_digest

from handlers.upload import Upload
from reactor.http11.grammar import ProtocolError

ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}

# sf-binary = ":" *( ALPHA / DIGIT / "+" / "/" / "=" ) ":"                         RFC 8941, 3.3.5
# and parameters behind it, which mean nothing here.
_match_binary = re.compile(r":([A-Za-z0-9+/=]*):[ ]*(?:;.*)?", re.ASCII).fullmatch


def read_digests(value: str) -> dict[str, bytes]:
    """Read a Repr-Digest field: digests by algorithm; raise ProtocolError(400).

    >>> read_digests("unixsum=3, md5=:aaaa:")
    {}
    """
    digests = {}
    for member in value.split(","):
        name, _, rest = member.strip(" \t").partition("=")
        if name in ALGORITHMS:
            digests[name] = _read_binary(rest, ALGORITHMS[name]().digest_size)
    return digests


def _read_binary(text: str, size: int) -> bytes:
    match = _match_binary(text)
    try:
        octets = base64.b64decode(match[1], validate=True) if match else b""
    except binascii.Error:
        octets = b""
    if len(octets) != size:
        raise ProtocolError(400, "malformed Repr-Digest")
    return octets


class CheckedUpload:
    """An upload whose content must hash to what was promised: a sink."""

    __slots__ = ("_digests", "_hashes", "_upload")

    def __init__(self, upload: Upload, digests: dict[str, bytes]) -> None:
        self._upload = upload
        self._digests = digests
        self._hashes = {name: ALGORITHMS[name]() for name in digests}

    def write(self, octets: bytes) -> None:
        """Append octets."""
        self._upload.write(octets)
        for each in self._hashes.values():  # only what was taken
            each.update(octets)

    def finish(self) -> Upload:
        """Return the upload; raise ProtocolError(400) where its content is another than was promised."""
        for name, digest in self._digests.items():
            if not compare_digest(self._hashes[name].digest(), digest):
                raise ProtocolError(400, f"the content does not have the {name} of Repr-Digest")
        return self._upload.finish()

    def close(self) -> None:
        """Be done with the upload."""
        self._upload.close()
