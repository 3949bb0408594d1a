"""Downloads: conditions, ranges and codings of files, and the model of their responses (RFC 9110, 12 to 15).

The model takes the parts of a request (tags, dates, ranges), not its text. Of entity tags it knows only
that each identifies one content in one coding; it learns them from responses.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from itertools import product
from typing import NamedTuple
from urllib.parse import quote

from tests.simulation.disk import VARIANTS, last_modified, modified
from tests.simulation.exchange import PRESENT, Exchange, Fields, Writer, explain_wrong_fields, is_line
from tests.simulation.tree import DIRECTORY, State
from tests.support.in_process import Answer

STATUSES = (200, 206, 301, 304, 404, 412, 416)
INITIAL = ("f0", "f1", "zero", "shared", "notes.txt", "docs/a b&c.txt", "docs/deep/d.csv", "docs/\u00fc%.md")
OTHERS = ("docs", "none", "docs/none", "f0/none", "fading/x.txt", "docs/<i>.bin")
SHARED = ("shared", "docs/shared.txt", "docs/deep/shared.csv")
RAW = "/[]|^"  # what browsers do not encode in a path
TEXTS = (".txt", ".csv", ".md")
TYPE = "application/octet-stream"
UNKNOWN_TAG = '"unknown"'
# First and last position of each range; the first is None in a suffix, the last in an open range.
Spec = tuple[int | None, int | None]
MALFORMED = ("bytes=5-2", "lines=1-2", "bytes=", "bytes=1-2;3", "bytes=-", "bytes 0-1")


class Expected(NamedTuple):
    """A right answer."""

    status: int
    fields: Fields
    content: bytes | None = None  # None for a line of text
    parts: tuple[range, ...] = ()  # of the content, in multipart/byteranges


@dataclass
class Conditions:
    """The conditions of a request: entity tags (["*"] for any), and dates in seconds since the epoch."""

    match: list[str] | None = None
    none_match: list[str] | None = None
    modified_since: int | None = None
    unmodified_since: int | None = None
    range_tag: str | None = None  # If-Range
    range_date: int | None = None

    def lines(self) -> list[str]:
        """Write the fields."""
        tags = {"If-Match": self.match, "If-None-Match": self.none_match}
        dates = {"If-Modified-Since": self.modified_since, "If-Unmodified-Since": self.unmodified_since}
        dates["If-Range"] = self.range_date
        lines = [f"{name}: {', '.join(values)}" for name, values in tags.items() if values is not None]
        lines += [
            f"{name}: {formatdate(date, usegmt=True)}" for name, date in dates.items() if date is not None
        ]
        return lines + ([] if self.range_tag is None else [f"If-Range: {self.range_tag}"])

    def status(self, tag: str | None, seconds: int | None, reads: bool) -> int | None:
        """Return 304 or 412 for a file with this tag and time, None to do what is asked (13.2.2)."""
        if self.match is not None:
            if "*" not in self.match and tag not in self.match:
                return 412
        elif None not in (self.unmodified_since, seconds) and seconds > self.unmodified_since:  # type: ignore[operator]
            return 412
        if self.none_match is not None:
            known = "*" in self.none_match or tag in [each.removeprefix("W/") for each in self.none_match]
            return (304 if reads else 412) if known else None
        if not reads or self.modified_since is None or seconds is None:
            return None
        return None if seconds > self.modified_since else 304

    def permits_range(self, tag: str | None, seconds: int | None) -> bool:
        """Return whether If-Range is true (13.1.5)."""
        if self.range_tag is not None:
            return self.range_tag == tag
        return self.range_date is None or self.range_date == seconds


@dataclass
class Download:
    """A GET or HEAD of a file, and the check of its answers."""

    writer: Writer
    method: str
    path: str
    gzip: bool
    specs: list[Spec] | None = None  # None for no valid Range
    has_range: bool = False
    conditions: Conditions = field(default_factory=Conditions)

    def __post_init__(self) -> None:
        self._disk = self.writer.disk
        self._since = self._disk.tree.changes
        self._began = self.writer.world.now

    def verify(self, answer: Answer, content: bytes) -> str:
        """Return what is wrong with an answer, "" if it is right for a state since the request was sent."""
        problems = []
        states = self._disk.tree.states(self.path, self._since)
        is_certain = answer.status == 200 and (self.method == "GET" or len(states) == 1)
        for state, coding in product(states, self._codings()):
            expected = self._expect(state, coding)
            problem = self._compare(expected, answer, content)
            if not problem and isinstance(state, bytes) and answer.status in (200, 206, 304):
                problem = self._learn_tag(answer, coding, state, is_certain)
            if not problem:
                return ""
            problems.append(f"{expected.status}: {problem}")
        return f"{answer.status} with {answer.headers}; right would be {problems[-3:]}"

    def _expect(self, state: State, coding: str) -> Expected:
        """Return the right answer for a state of the file, sent in a coding."""
        if state is DIRECTORY:
            return Expected(301, {"location": f"./{quote(self.path.rpartition('/')[2])}/"}, b"")
        if not isinstance(state, bytes):
            return Expected(404, {"vary": "Accept", "etag": None})
        date = last_modified(self._variant(state, coding))
        seconds = None if date is None else modified(self._variant(state, coding)) // 1_000_000_000
        tag = self._disk.tags.get((state, coding))
        varies = self._disk.features.precompressed or self.path.endswith(TEXTS)
        fields: Fields = {"etag": tag or PRESENT, "vary": "Accept-Encoding" if varies else None}
        status = self.conditions.status(tag, seconds, reads=True)
        if status == 412:
            return Expected(412, {"vary": "Accept", "last-modified": None})
        if status == 304:
            return Expected(304, fields, b"")
        fields |= {"last-modified": date, "accept-ranges": "bytes", "x-content-type-options": "nosniff"}
        if self.method == "GET" and self.specs and self.conditions.permits_range(tag, seconds):
            partial = self._expect_partial(state, fields)
            if partial is not None:
                return partial
        fields |= {"content-type": TYPE, "content-range": None}
        fields["content-encoding"] = {"variant": "gzip", "": None}.get(coding, coding)
        fields |= {} if coding else {"content-length": str(len(state))}
        return Expected(200, fields, state)

    def _codings(self) -> list[str]:
        """Return the codings that the answer may have: "" for none, "variant" for a precompressed variant."""
        if not self.gzip or not self.path.endswith(TEXTS) or (self.has_range and self.method == "GET"):
            return [""]
        if not self._disk.features.precompressed or self.path != VARIANTS[0]:
            return ["gzip"]
        # A variant that cannot be opened is ignored.
        return ["variant", *(["gzip"] if self._disk.has_failed(self.writer.name, self._began) else [])]

    def _variant(self, state: bytes, coding: str) -> bytes:
        """Return the content whose time counts."""
        variant = self._disk.tree.state(f"{self.path}.gz") if coding == "variant" else state
        assert isinstance(variant, bytes)
        return variant

    def _expect_partial(self, content: bytes, fields: Fields) -> Expected | None:
        """Return the right answer to a range, None for the whole content."""
        assert self.specs is not None
        size = len(content)
        wanted = [_range_of(spec, size) for spec in self.specs]
        if not size and any(first is None and last for first, last in self.specs):
            return None
        covered = bytearray(size)
        for each in wanted:
            covered[each.start : each.stop] = b"x" * len(each)
        runs = [range(*match.span()) for match in re.finditer(b"x+", covered)]
        runs.sort(key=lambda run: next(place for place, each in enumerate(wanted) if each and each[0] in run))
        if not runs:
            return Expected(416, {"content-range": f"bytes */{size}", "vary": "Accept"})
        if len(runs) > 1:
            fields = {**fields, "content-type": None, "content-range": None}
            return Expected(206, fields, content, tuple(runs))
        value = f"bytes {runs[0].start}-{runs[0].stop - 1}/{size}"
        fields = {**fields, "content-range": value, "content-length": str(len(runs[0])), "content-type": TYPE}
        return Expected(206, {**fields, "content-encoding": None}, content[runs[0].start : runs[0].stop])

    def _compare(self, expected: Expected, answer: Answer, content: bytes) -> str:
        """Return what is wrong with an answer."""
        headers = dict(answer.headers)
        if answer.status != expected.status:
            return "another status"
        if expected.parts:
            assert expected.content is not None
            kind, _, boundary = headers.pop("content-type", "").partition("; boundary=")
            right = _split(content, boundary) == [
                (
                    f"bytes {part.start}-{part.stop - 1}/{len(expected.content)}",
                    expected.content[part.start : part.stop],
                )
                for part in expected.parts
            ]
            if kind != "multipart/byteranges" or not right:
                return f"other parts than {expected.parts}"
        elif self.method == "GET" and expected.content is None and not is_line(content):
            return "no line of text"
        elif self.method == "GET" and expected.content is not None and content != expected.content:
            return "another content"
        return explain_wrong_fields(headers, expected.fields)

    def _learn_tag(self, answer: Answer, coding: str, content: bytes, is_certain: bool) -> str:
        """Return "" if the entity tag of an answer identifies this content in this coding."""
        tag, variant = answer.headers["etag"], (content, coding)
        if is_certain:  # otherwise another content may have the same answer
            self._disk.tagged.setdefault(tag, variant)
            self._disk.tags.setdefault(variant, tag)
        if self._disk.tagged.get(tag, variant) != variant or not re.fullmatch('"[^"]+"', tag):
            return f"the entity tag {tag} identifies another content"
        return ""


def _range_of(spec: Spec, size: int) -> range:
    """Return the positions of a range (14.1.2)."""
    first, last = spec
    if first is None:
        assert last is not None
        return range(max(0, size - last), size)
    return range(first, size if last is None else min(size, last + 1))


def _split(content: bytes, boundary: str) -> list[tuple[str, bytes]]:
    """Return the parts of multipart/byteranges, each with its Content-Range."""
    pieces = content.split(b"\r\n--" + boundary.encode())
    parts = []
    for piece in pieces[1:-1]:
        fields, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        lines = dict(line.split(": ") for line in fields.decode().split("\r\n"))
        if lines.pop("Content-Type", "") == TYPE:
            parts.append((lines.get("Content-Range", ""), data))
    return parts if boundary and pieces[0] == b"" and pieces[-1] == b"--\r\n" else []


def target_of(path: str) -> str:
    """Return the request target of a file, as browsers write it."""
    return f"/files/{quote(path, safe=RAW)}"


def location_of(path: str) -> str:
    """Return the Location of a file, in which all is encoded that a URI may not have."""
    return f"/files/{quote(path)}"


def download(writer: Writer) -> Exchange:
    """Write a download of any file."""
    random = writer.world.random
    variants = VARIANTS if writer.disk.features.precompressed else INITIAL
    paths = random.choice((INITIAL, INITIAL, SHARED, writer.own_files or SHARED, OTHERS, variants))
    path = (
        random.choice(("large", "large.txt"))
        if writer.large and random.random() < 0.3
        else random.choice(paths)
    )
    return composed(lambda: _compose(writer, path))


def composed(compose: Callable[[], Exchange]) -> Exchange:
    """Write an exchange that is composed again when it is sent."""
    return replace(compose(), compose=compose)


def _compose(writer: Writer, path: str) -> Exchange:
    random = writer.world.random
    gzip, lines = writer.coding()
    method = random.choice(("GET", "GET", "GET", "HEAD"))
    request = Download(writer, method, path, gzip)
    if random.random() < 0.5:
        lines = lines + _write_range(request)
    if random.random() < 0.5:
        request.conditions = choose_conditions(writer, path, request.has_range)
    data = writer.head(f"{method} {target_of(path)} HTTP/1.1", *lines, *request.conditions.lines())
    size = 200_000 if path.startswith("large") else 4_000
    return Exchange(
        data,
        STATUSES,
        method=method,
        on_disk=True,
        compressed=gzip,
        verify=request.verify,
        began=writer.world.now,
        size=size,
    )


def _write_range(request: Download) -> list[str]:
    """Choose ranges; return the line."""
    writer = request.writer
    random = writer.world.random
    state = writer.disk.tree.state(request.path)
    size = len(state) if isinstance(state, bytes) else 100
    request.has_range = True
    if random.random() < 0.1:
        return [f"Range: {random.choice(MALFORMED)}"]
    if random.random() < 0.05:
        return [f"Range: bytes={','.join(f'{2 * each}-{2 * each}' for each in range(65))}"]
    request.specs = [_choose_spec(writer, size) for _ in range(random.choice((1, 1, 1, 2, 3, 5)))]
    texts = [f"{'' if a is None else a}-{'' if b is None else b}" for a, b in request.specs]
    return [f"Range: bytes={random.choice((',', ', ')).join(texts)}"]


def _choose_spec(writer: Writer, size: int) -> Spec:
    random = writer.world.random
    first = random.choice((0, random.randrange(size + 1), size, size - 1 if size else 0))
    last = first + random.choice((0, 1, 10, size))
    return random.choice(
        ((first, last), (first, last), (first, None), (None, random.choice((0, 1, 5, size, size + 1))))
    )


def choose_conditions(writer: Writer, path: str, has_range: bool = False) -> Conditions:
    """Choose conditions from what is known about a file: its present content, or a former one."""
    random, disk = writer.world.random, writer.disk
    contents = disk.tree.contents(path)[-3:]
    content = random.choice(contents) if contents else b""
    known = [tag for coding in ("", "gzip", "variant") if (tag := disk.tags.get((content, coding)))]
    tag = random.choice(known) if known else UNKNOWN_TAG
    tags = random.choice(([tag], [tag], [UNKNOWN_TAG, tag], ["*"], [UNKNOWN_TAG], [f"W/{tag}"]))
    date = modified(content) // 1_000_000_000 + random.choice((-1, 0, 0, 1))
    result = Conditions()
    kinds = ["match", "none_match", "none_match", "modified_since", "unmodified_since"]
    for kind in random.sample(kinds, random.choice((0, 1, 1, 2) if has_range else (1, 1, 2))):
        setattr(result, kind, tags if kind.endswith("match") else date)
    if has_range and random.random() < 0.4:
        if random.random() < 0.7:
            result.range_tag = random.choice((tag, tag, f"W/{tag}"))
        else:
            result.range_date = date
    return result
