"""Resumable uploads, and the model of their responses.

Any client may continue an upload whose Location its creator has got. All clients send the right bytes for
the offset that they state. So a stored file always has the whole content, and the offset of an upload lies
between what the server has confirmed and what clients have sent. An upload may be gone if a client has sent
its end or cancelled it, if the disk has failed or its directory was removed, or if there were too many.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.simulation.disk import FADING
from tests.simulation.downloads import composed, location_of, target_of
from tests.simulation.exchange import (
    PRESENT,
    Exchange,
    Fields,
    Writer,
    explain_wrong_fields,
    has_fields,
    is_line,
)
from tests.simulation.features import MAX_RESUMABLE
from tests.simulation.tree import Offer
from tests.simulation.uploads import MAX_DISCARDED, choose_path
from tests.support.in_process import Answer

PARTIAL = "Content-Type: application/partial-upload"
INTEROP = "Upload-Draft-Interop-Version: 8"
LIMIT = f"max-size={MAX_RESUMABLE}"


@dataclass
class OwnUpload:
    """A resumable upload as its clients know it."""

    writer: Writer
    offer: Offer
    method: str
    length: int | None = None  # that the creator has announced
    token: str = ""  # "" until its creator knows it
    confirmed: int = 0  # bytes that the server certainly has
    sent: int = 0  # bytes that it may have
    may_be_gone: bool = False
    others: set[str] = field(default_factory=set)  # the clients that continue it

    @property
    def is_shared(self) -> bool:
        """Whether several clients use it, so that one may take over from another."""
        return len(self.others) > 1


@dataclass
class Step:
    """One request for an upload, and the check of its answers."""

    writer: Writer
    upload: OwnUpload
    end: int = 0  # of its data
    completes: bool = False

    def __post_init__(self) -> None:
        self.disk = self.writer.disk
        self.since = self.disk.tree.changes
        self.began = self.writer.world.now
        self.confirmed = self.upload.confirmed

    @property
    def is_certain(self) -> bool:
        """Whether the upload exists: no client has ended it, there are few, and its file was not lost."""
        may_have_failed = any(self.disk.has_failed(name, 0.0) for name in self.upload.others)
        too_many = len(self.disk.tokens) > self.disk.features.uploads
        return not (self.upload.may_be_gone or too_many or may_have_failed or self._has_lost_file)

    @property
    def _has_lost_file(self) -> bool:
        """Whether the directory of the upload was removed after it began; a PATCH may have noticed."""
        if not self.upload.offer.path.startswith(f"{FADING}/"):
            return False
        return None in self.disk.tree.states(FADING, self.disk.changes_before[self.upload.token])

    def verify_gone(self, answer: Answer, content: bytes) -> str:
        """Return "" if the upload may be gone."""
        return "the upload exists" if self.is_certain or not is_line(content) else ""

    def verify_progress(self, answer: Answer, **others: str | None) -> str:
        """Return what is wrong with the offset in an answer."""
        offset = int(answer.headers.get("upload-offset", "-1"))
        if not self.confirmed <= offset <= self.upload.sent:
            return f"the offset is {offset}, not between {self.confirmed} and {self.upload.sent}"
        self.upload.confirmed = max(self.upload.confirmed, offset)
        right: Fields = {"upload-complete": "?0", **{key.replace("_", "-"): others[key] for key in others}}
        return explain_wrong_fields(answer.headers, right)

    def verify_end(self, answer: Answer) -> str:
        """Return what is wrong with the answer to the last part."""
        offer, tree = self.upload.offer, self.disk.tree
        if offer.change < 0:
            return "the upload is not stored"
        before = tree.states_before(offer.path, 0, offer.change)
        if answer.status == 204 and (self.upload.method == "POST" or before == [None]):
            return "204, though no file was replaced"
        right: Fields = {"upload-complete": "?1", "upload-offset": str(len(offer.content))}
        if answer.status == 201:
            right["location"] = location_of(offer.path)
        return explain_wrong_fields(answer.headers, right)


def creation(writer: Writer) -> Exchange:
    """Write the first part of a new upload, whose Location the later ones need."""
    random = writer.world.random
    path, content = choose_path(writer), writer.content()[:MAX_DISCARDED]
    offer = writer.disk.tree.offer(writer.name, path, content)
    upload = OwnUpload(writer, offer, random.choice(("PUT", "POST")))
    upload.others.add(writer.name)
    completes = random.random() < 0.2
    upload.length = len(content) if completes or random.random() < 0.5 else None
    upload.sent = len(content) if completes else random.randrange(len(content))
    upload.may_be_gone = completes
    writer.resumables.append(upload)
    writer.disk.resumables.append(upload)
    step = Step(writer, upload, upload.sent, completes)
    fields = [f"Upload-Complete: ?{int(completes)}", *([INTEROP] if random.random() < 0.4 else [])]
    if upload.length is not None:
        fields.append(f"Upload-Length: {upload.length}")

    def verify(answer: Answer, content: bytes) -> str:
        if answer.status == 503:
            is_full = len(writer.disk.tokens) >= writer.disk.features.uploads
            return (
                ""
                if is_full or writer.disk.has_failed(writer.name, 0.0)
                else "503, though there are few uploads"
            )
        if answer.status == 409:
            is_replaced = FADING in path or bool(writer.disk.replaced)
            return "" if is_replaced or upload.is_shared else "409 without a reason"
        if completes:
            return step.verify_end(answer)
        return learn(answer) or step.verify_progress(answer, upload_limit=LIMIT, upload_offset=str(step.end))

    def learn(answer: Answer) -> str:
        location = answer.headers.get("location", "")
        upload.token = location.removeprefix("/uploads/")
        if writer.disk.tokens.get(upload.token) != writer.name or answer.status == 204:
            return f"{answer.status}: the Location of the upload is {location}"
        return ""

    def learn_interim(answer: Answer) -> str:
        if INTEROP not in fields:
            return "it did not ask for 104"
        if "location" not in answer.headers:
            return explain_wrong_fields(answer.headers, {"upload-offset": PRESENT})
        return learn(answer)

    length = f"Content-Length: {upload.sent}"
    data = (
        writer.head(f"{upload.method} {target_of(path)} HTTP/1.1", length, *fields) + content[: upload.sent]
    )
    return Exchange(
        data,
        (201, 204, 409, 503),
        method="PUT",
        on_disk=True,
        is_upload=True,
        verify=verify,
        on_interim=learn_interim,
    )


def continuation(writer: Writer) -> Exchange:
    """Continue an upload, mostly one of its own: ask for its offset, send a part of it, or cancel it."""
    kinds = {_status: 3, _patch: 6, _wrong_patch: 2, _short: 2, _too_long: 2, _cancel: 1}
    kind = writer.world.random.choices(list(kinds), list(kinds.values()))[0]
    others = writer.world.random.random() < 0.2
    if not others and not writer.resumables and writer.disk.features.uploads:
        return creation(writer)

    def compose() -> Exchange:
        known = [each for each in writer.resumables if each.token]
        if others:
            known = [each for each in writer.disk.resumables if each.token]
        if not known:
            return Exchange(writer.head("HEAD /uploads/unknown HTTP/1.1"), (404,), method="HEAD")
        upload = known[-1] if known[-1] in writer.resumables else writer.world.random.choice(known)
        upload.others.add(writer.name)
        return kind(writer, upload)

    return replace(composed(compose), waits=True)


def _request(
    step: Step,
    method: str,
    verify: Callable[[Answer, bytes], str],
    statuses: tuple[int, ...],
    *fields: str,
    body: bytes = b"",
    may_close: tuple[int, ...] = (),
) -> Exchange:
    """Write a request for an upload, whose answer may be that it does not exist."""

    def verify_or_gone(answer: Answer, content: bytes) -> str:
        if answer.status == 404:
            return step.verify_gone(answer, content or b"none\n")
        return verify(answer, content)

    writer = step.writer
    data = writer.head(f"{method} /uploads/{step.upload.token} HTTP/1.1", *fields) + body
    return Exchange(
        data,
        (*statuses, 404),
        method=method,
        may_close=may_close,
        on_disk=True,
        is_upload=True,
        verify=verify_or_gone,
        began=step.began,
    )


def _status(writer: Writer, upload: OwnUpload) -> Exchange:
    step = Step(writer, upload)

    def verify(answer: Answer, content: bytes) -> str:
        return step.verify_progress(answer, upload_limit=LIMIT, cache_control="no-store")

    return _request(step, writer.world.random.choice(("HEAD", "GET")), verify, (204,))


def _patch(writer: Writer, upload: OwnUpload) -> Exchange:
    """Send a part from the offset that the server has confirmed, perhaps the last one."""
    content, start = upload.offer.content, upload.confirmed
    completes = writer.world.random.random() < 0.6
    end = len(content) if completes else writer.world.random.randint(start, len(content))
    upload.sent = max(upload.sent, end)
    upload.may_be_gone = upload.may_be_gone or completes
    step = Step(writer, upload, end, completes)

    def verify(answer: Answer, content: bytes) -> str:
        if answer.status == 409:
            return _explain_conflict(step, start, answer, content)
        if completes:
            return step.verify_end(answer)
        return (
            step.verify_progress(answer, upload_offset=str(end)) if answer.status == 204 else "201 for a part"
        )

    data = content[start:end]
    fields = [PARTIAL, f"Upload-Offset: {start}", f"Upload-Complete: ?{int(completes)}"]
    return _request(
        step, "PATCH", verify, (201, 204, 409), f"Content-Length: {len(data)}", *fields, body=data
    )


def _explain_conflict(step: Step, offset: int, answer: Answer, content: bytes) -> str:
    """Return what is wrong with a 409: the offset is another one, or another request took over."""
    upload = step.upload
    if answer.headers["content-type"] != "application/problem+json":
        path = upload.offer.path
        is_replaced = bool(step.disk.replaced) or FADING in path
        return "" if upload.is_shared or is_replaced else "409, though no other request used the upload"
    expected = json.loads(content)["expected-offset"]
    if str(expected) != answer.headers["upload-offset"] or expected == offset:
        return f"the expected offset is {expected}"
    may_differ = upload.is_shared or not step.is_certain or offset != step.confirmed
    return step.verify_progress(answer) if may_differ else "409, though the offset was right"


def _wrong_patch(writer: Writer, upload: OwnUpload) -> Exchange:
    """Send a part from an offset that is wrong."""
    step, wrong = Step(writer, upload), max(0, upload.confirmed - 1)
    if not upload.confirmed or writer.world.random.random() < 0.5:
        wrong = len(upload.offer.content) + 1
    data = upload.offer.content[wrong:]
    fields = [PARTIAL, f"Upload-Offset: {wrong}", "Upload-Complete: ?0", f"Content-Length: {len(data)}"]

    def verify(answer: Answer, content: bytes) -> str:
        return _explain_conflict(step, wrong, answer, content)

    return _request(step, "PATCH", verify, (409,), *fields, body=data)


def _short(writer: Writer, upload: OwnUpload) -> Exchange:
    """Send a part as the last one, though it does not reach the length of the upload."""
    content, start = upload.offer.content, upload.confirmed
    if upload.length is None or upload.is_shared or start >= len(content) - 1:
        return _status(writer, upload)
    data, step = content[start : len(content) - 1], Step(writer, upload)
    fields = [PARTIAL, f"Upload-Offset: {start}", "Upload-Complete: ?1"]
    is_chunked = step.is_certain and writer.world.random.random() < 0.5
    if is_chunked:
        upload.sent = max(upload.sent, len(content) - 1)
        fields.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
    else:
        fields.append(f"Content-Length: {len(data)}")
        body = data

    def verify(answer: Answer, content: bytes) -> str:
        if answer.status == 409:
            return _explain_conflict(step, start, answer, content)
        return step.verify_progress(answer, content_type="application/problem+json")

    # The upload may end before the request arrives. A refusal does not wait for the end of the chunks.
    may_close = (404, 409) if is_chunked else ()
    return _request(step, "PATCH", verify, (400, 409), *fields, body=body, may_close=may_close)


def _too_long(writer: Writer, upload: OwnUpload) -> Exchange:
    """Send more than the length of the upload, which ends it; or bytes of another type."""
    step, start = Step(writer, upload), upload.confirmed
    if upload.length is None or upload.is_shared:
        fields = [
            "Content-Type: text/plain",
            f"Upload-Offset: {start}",
            "Upload-Complete: ?0",
            "Content-Length: 1",
        ]
        return _request(step, "PATCH", has_fields(accept_patch=PARTIAL[14:]), (415,), *fields, body=b"x")
    upload.may_be_gone = True
    data = upload.offer.content[start:] + b"surplus"
    fields = [PARTIAL, f"Upload-Offset: {start}", "Upload-Complete: ?0", f"Content-Length: {len(data)}"]

    def verify(answer: Answer, content: bytes) -> str:
        upload.offer.refused = answer.status == 413
        return "" if answer.status == 413 else _explain_conflict(step, start, answer, content)

    return _request(step, "PATCH", verify, (413, 409), *fields, body=data)


def _cancel(writer: Writer, upload: OwnUpload) -> Exchange:
    step = Step(writer, upload)
    upload.may_be_gone = True

    def verify(answer: Answer, content: bytes) -> str:
        upload.offer.refused = True
        return "" if upload.offer.change < 0 else "204, though the upload was completed"

    return _request(step, "DELETE", verify, (204,))
