"""Uploads, forms and removals of files, and the model of their responses.

Every response must be true: after a success the content was stored since the request was sent, after a
refusal it was not stored and never will be.
"""

from base64 import b64encode
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import quote

from tests.simulation.disk import FADING, last_modified, modified
from tests.simulation.downloads import SHARED, Conditions, choose_conditions, composed, location_of, target_of
from tests.simulation.exchange import Exchange, Verify, Writer, explain_wrong_fields, has_fields, is_line
from tests.simulation.features import ORIGIN
from tests.simulation.tree import DIRECTORY, Condition, Offer, State, always, no_file
from tests.support.in_process import Answer

MAX_DISCARDED = 60_000  # of a shorter body that is refused, the rest is received
PLACES = ("", "", "docs/", "docs/deep/", f"{FADING}/")
BOUNDARY = "sim-b0undary"


@dataclass
class Upload:
    """A PUT or POST of one file, and the check of its answers."""

    writer: Writer
    method: str
    path: str
    offer: Offer
    conditions: Conditions | None = None

    def __post_init__(self) -> None:
        self._tree = self.writer.disk.tree
        self._since = self._tree.changes

    def verify(self, answer: Answer, content: bytes) -> str:
        """Return what is wrong with an answer, "" if it is right."""
        if answer.status in (201, 204):
            return self.verify_stored(answer)
        self.offer.refused = True
        if self.offer.stored_as:
            return f"{answer.status}, and the upload is stored"
        states = self._tree.states(self.path, self._since)
        parent = self._tree.states(self.path.rpartition("/")[0], self._since)
        if answer.status == 412:
            may_fail = self.conditions is not None and not all(map(self.offer.condition, states))
        else:
            may_fail = DIRECTORY in states or None in parent or bool(self.writer.disk.replaced)
        return "" if may_fail and is_line(content) else f"{answer.status}, though nothing forbids the upload"

    def verify_stored(self, answer: Answer) -> str:
        """Return what is wrong with an answer that says that the content is stored."""
        if self.offer.change <= self._since:
            return "the upload is not stored"
        replaced = self._tree.states_before(self.path, self._since, self.offer.change)
        is_possible = any((state is None) is (answer.status == 201) for state in replaced)
        if answer.status == 201 and (self.method == "POST" or is_possible):
            return explain_wrong_fields(answer.headers, {"location": location_of(self.path)})
        return "" if self.method == "PUT" and is_possible else f"{answer.status} for {len(replaced)} states"


def choose_path(writer: Writer) -> str:
    """Choose where to upload: a new name, or one that others use, too."""
    random = writer.world.random
    if random.random() < 0.4:
        return random.choice(SHARED)
    return random.choice(PLACES) + writer.mark() + random.choice(("", "", ".txt", " \u00fc&.bin", "[1]|^"))


def upload(writer: Writer) -> Exchange:
    """Write an upload without a condition."""
    path, content = choose_path(writer), writer.content()
    if path.startswith(FADING):
        content = content[:MAX_DISCARDED]
    method = writer.world.random.choice(("PUT", "POST"))
    request = Upload(writer, method, path, writer.disk.tree.offer(writer.name, path, content))
    if path not in SHARED:
        writer.own_files.append(path)
    if path.startswith(FADING):  # which the server may refuse before it has the content
        return _simple(request, (), (201, 204, 409))
    fields = [_digest(content)] if writer.world.random.random() < 0.2 else []
    exchange = writer.posting(f"{method} {target_of(path)}", content, (201, 204), b"", *fields)
    return replace(exchange, on_disk=True, is_upload=True, verify=request.verify)


def _simple(request: Upload, fields: tuple[str, ...], statuses: tuple[int, ...]) -> Exchange:
    """Write an upload that can be refused without an end of the connection."""
    writer, content = request.writer, request.offer.content
    length = f"Content-Length: {len(content)}"
    line = f"{request.method} {target_of(request.path)} HTTP/1.1"
    return Exchange(
        writer.head(line, length, *fields) + content,
        statuses,
        method=request.method,
        on_disk=True,
        is_upload=True,
        verify=request.verify,
        began=writer.world.now,
    )


def _digest(content: bytes) -> str:
    return f"Repr-Digest: sha-256=:{b64encode(sha256(content).digest()).decode()}:"


def conditional_upload(writer: Writer) -> Exchange:
    """Write an upload with conditions, which are chosen when it is sent."""
    path, content = choose_path(writer), writer.content()[:MAX_DISCARDED]
    method = writer.world.random.choice(("PUT", "POST"))
    offer = writer.disk.tree.offer(writer.name, path, content)

    def compose() -> Exchange:
        conditions, offer.condition = condition_of(writer, path)
        request = Upload(writer, method, path, offer, conditions)
        return _simple(request, tuple(conditions.lines()), (201, 204, 409, 412))

    return composed(compose)


def condition_of(writer: Writer, path: str) -> tuple[Conditions, Condition]:
    """Choose conditions for a change of a file; return them, and whether they allow to replace a state."""
    if writer.world.random.random() < 0.4:
        return Conditions(none_match=["*"]), no_file
    conditions = choose_conditions(writer, path)

    def allows(state: State) -> bool:
        return _permits(writer, conditions, state)

    return conditions, allows


def _permits(writer: Writer, conditions: Conditions, state: State) -> bool:
    """Return whether conditions are true for a state of a file, whose tag in any coding counts."""
    tags = writer.disk.tags
    if not isinstance(state, bytes):
        return conditions.match is None
    known = [tags.get((state, coding)) for coding in ("", "gzip")]
    seconds = None if last_modified(state) is None else modified(state) // 1_000_000_000
    if conditions.match is not None and not {"*", *filter(None, known)} & set(conditions.match):
        return False
    without_match = replace(conditions, match=None, unmodified_since=None)
    if conditions.match is None:
        without_match = replace(conditions, match=None)
    return all(without_match.status(tag, seconds, reads=False) is None for tag in known)


def refused_upload(writer: Writer) -> Exchange:
    """Write an upload that must be refused, and stores nothing."""
    random, content = writer.world.random, writer.content()[:MAX_DISCARDED]
    path = writer.mark()
    digest = _digest(content + b"x")
    line, fields, status, right = random.choice(
        (
            (f"PUT /files/{path}", [digest], 400, {}),
            (f"PUT /files/{path}", ["Content-Range: bytes 0-4/10"], 400, {}),
            (
                f"PUT /files/{path}",
                ["Content-Encoding: gzip", "If-None-Match: *"],
                415,
                {"accept-encoding": "identity"},
            ),
            (f"PUT /files/none/{path}", [], 409, {}),
            ("PUT /files/docs", [], 409, {}),
            ("PUT /files/docs/", [], 404, {}),
            (f"PUT /files/docs/.{path}", [], 404, {}),
            (f"PUT /files/docs%5C{path}", [], 404, {}),
            (f"PUT /files/a%0A{path}", [], 400, {}),
            (f"PUT /files/%E2%80%AE{path}", [], 400, {}),
            (f"PUT /files/{'a' * 256}", [], 404, {}),
        )
    )
    data = writer.head(f"{line} HTTP/1.1", f"Content-Length: {len(content)}", *fields) + content
    verify = _fields_verifier(right)
    return Exchange(data, (status,), is_line, "PUT", on_disk=True, is_upload=True, verify=verify)


def upload_without_length(writer: Writer) -> Exchange:
    """Write an upload whose end is not known."""
    data = writer.head(f"PUT /files/{writer.mark()} HTTP/1.1")
    return Exchange(data, (411,), is_line, "PUT", closes=True, on_disk=True)


def _fields_verifier(right: dict[str, str]) -> Verify:
    return lambda answer, content: explain_wrong_fields(answer.headers, dict(right))


def cross_origin_upload(writer: Writer) -> Exchange:
    """Write a POST as the page of some site sends it."""
    random, origin = writer.world.random, writer.disk.features.allowed_origin
    fields, is_foreign = random.choice(
        (
            (["Origin: https://evil.example"], True),
            (["Origin: null"], True),
            (["Origin: null", "Sec-Fetch-Site: same-origin"], True),
            (["Origin: https://evil.example", "Sec-Fetch-Site: same-site"], True),
            (["Sec-Fetch-Site: cross-site"], True),
            ([f"Origin: {ORIGIN}"], origin != ORIGIN),
            (["Origin: http://sim"], False),
            (["Origin: https://sim:443"], False),
            (["Origin: http://sim:81"], True),
            (["Origin: https://evil.example", "Sec-Fetch-Site: same-origin"], False),
            (["Sec-Fetch-Site: none"], False),
        )
    )
    content, path = writer.content()[:MAX_DISCARDED], writer.mark()
    request = Upload(writer, "POST", path, writer.disk.tree.offer(writer.name, path, content))
    exchange = _simple(request, tuple(fields), (201,))
    if is_foreign and origin != "*":
        return replace(exchange, statuses=(403,), content=is_line, verify=_refusing([request.offer]))
    return exchange


def _refusing(offers: list[Offer]) -> Verify:
    """Return the check that contents are not stored, after an answer that says so."""

    def verify(answer: Answer, content: bytes) -> str:
        for offer in offers:
            offer.refused = True
        return "it is stored" if any(each.stored_as and not each.rolled_back for each in offers) else ""

    return verify


# Forms.


def form(writer: Writer) -> Exchange:
    """Write a form with some files, whose names may exist."""
    random, tree = writer.world.random, writer.disk.tree
    place = random.choice(PLACES)
    names = ["f0", "shared", "shared.txt", "a b&c.txt", "x.tar.gz", writer.mark(), writer.mark() + ".txt"]
    group: list[Offer] = []
    parts = [_part('name="note"', b"no file")] if random.random() < 0.3 else []
    for _ in range(random.choice((1, 2, 2, 3))):
        name = random.choice(names)
        content = writer.content()[: MAX_DISCARDED // 4] + random.choice(
            (b"", b"\r\n", b"\r\n--", b"\r\n--sim")
        )
        group.append(tree.offer(writer.name, place + name, content, no_file, in_form=True))
        group[-1].form = group
        parts.append(_part(_filename(random.choice((0, 1, 2, 3)), name), content))
    since = tree.changes

    def verify(answer: Answer, content: bytes) -> str:
        if answer.status != 303:
            exists = None not in tree.states(place.removesuffix("/"), since) and not writer.disk.replaced
            return "the directory exists" if exists else _refusing(group)(answer, content)
        stored = all(each.change > since and not each.rolled_back for each in group)
        wrong = explain_wrong_fields(answer.headers, {"location": "./"})
        return wrong if stored and not content else "the files of the form are not stored"

    exchange = _form(writer, place, b"".join(parts) + f"--{BOUNDARY}--\r\n".encode())
    return replace(exchange, statuses=(303, 404, 409), verify=verify)


def _part(parameters: str, content: bytes) -> bytes:
    return (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {parameters}\r\n\r\n".encode() + content + b"\r\n"
    )


def _filename(kind: int, name: str) -> str:
    """Write the parameters of a file in one of the ways of clients."""
    if kind == 1:
        return f'name=file; filename="C:\\photos\\{name}"'
    return f"name=file; filename*=UTF-8''{quote(name)}" if kind == 2 else f'name="file"; filename="{name}"'


def _form(writer: Writer, place: str, body: bytes, *fields: str) -> Exchange:
    kind = f'Content-Type: multipart/form-data; boundary="{BOUNDARY}"'
    data = writer.head(f"POST {target_of(place)} HTTP/1.1", kind, f"Content-Length: {len(body)}", *fields)
    return Exchange(data + body, method="POST", on_disk=True, is_upload=True, began=writer.world.now)


def refused_form(writer: Writer) -> Exchange:
    """Write a form that must be refused, after its first file."""
    random = writer.world.random
    name, content = writer.mark(), writer.content()[: MAX_DISCARDED // 4]
    offer = writer.disk.tree.offer(writer.name, name, content, no_file, in_form=True)
    offer.form = [offer]
    first, end = _part(f'name="file"; filename="{name}"', content), f"--{BOUNDARY}--\r\n".encode()
    second = _part('name="file"; filename="b"', b"x")
    body, fields, status = random.choice(
        (
            (first, [], 400),  # no end
            (first + second[:-2] + end[:-4], [], 400),
            (first + _part('name="file"; filename=".hidden"', b"x") + end, [], 400),
            (first + _part('name="file"; filename="a\u202e"', b"x") + end, [], 400),
            (first + second.replace(b"form-data", b"file") + end, [], 400),
            (
                first + second.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n") + end,
                [],
                415,
            ),
            (_part('name="note"', b"no file") + end, [], 400),
            (first + end, ["Origin: https://evil.example"], 403),
            (first + end, ["Content-Encoding: gzip"], 415),
        )
    )
    if status == 403 and writer.disk.features.allowed_origin == "*":
        fields, status, body = [], 400, first
    exchange = _form(writer, "", body, *fields)
    return replace(exchange, statuses=(status,), content=is_line, verify=_refusing([offer]))


# Removals.


def removal(writer: Writer) -> Exchange:
    """Write a DELETE, sometimes with conditions."""
    random = writer.world.random
    paths = random.choice(
        (SHARED, writer.own_files or SHARED, ("docs", "none", "docs/none", f"{FADING}/x.txt"))
    )
    path = random.choice(paths)
    is_conditional = random.random() < 0.4
    if not writer.disk.features.delete:
        data, verify = (
            writer.head(f"DELETE {target_of(path)} HTTP/1.1"),
            has_fields(allow=writer.disk.features.allow),
        )
        return Exchange(data, (405,), is_line, "DELETE", verify=verify)
    current: list[Condition] = [always]
    writer.disk.tree.offer_removal(writer.name, path, lambda state: current[0](state))

    def compose() -> Exchange:
        conditions, condition = condition_of(writer, path) if is_conditional else (Conditions(), always)
        since, current[0] = writer.disk.tree.changes, condition

        def verify(answer: Answer, content: bytes) -> str:
            return _explain_removal(writer, path, since, condition, answer)

        data = writer.head(f"DELETE {target_of(path)} HTTP/1.1", *conditions.lines())
        statuses = (204, 404, 409, 412)
        return Exchange(data, statuses, None, "DELETE", on_disk=True, verify=verify, began=writer.world.now)

    return composed(compose)


def _explain_removal(writer: Writer, path: str, since: int, condition: Condition, answer: Answer) -> str:
    """Return what is wrong with the answer to a DELETE."""
    tree = writer.disk.tree
    states = tree.states(path, since)
    right = {
        204: any(isinstance(state, bytes) and condition(state) for state in states),
        404: None in states,  # also with a condition: RFC 9110, 13.2.1
        409: DIRECTORY in states,
        412: not all(map(condition, states)),
    }[answer.status]
    if answer.status == 204 and not tree.may_answer_removed(path):
        return "nothing was removed"
    return "" if right else f"{answer.status} is wrong for the states {[type(state) for state in states]}"
