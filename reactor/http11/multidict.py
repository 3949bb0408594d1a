"""Mappings whose names may have several values: the fields of a query or a form, cookies, uploaded files.

>>> fields = MultiDict([("tag", "a"), ("tag", "b"), ("page", "")])
>>> fields["tag"], fields.get_all("tag"), fields["page"], fields.get("size")
('a', ['a', 'b'], '', None)
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, TypeVar

from reactor.http11.errors import MissingFieldError

Value = TypeVar("Value")


class MultiMapping(Mapping[str, Value]):
    """An immutable mapping from name to the first value; ``get_all`` returns all values.

    A missing name raises MissingFieldError, which is answered with 400; ``get`` returns None for it. It is
    equal to one with the same values, and to any other mapping with one value for each name.
    """

    __slots__ = ("_values",)

    kind: ClassVar[str] = "field"  # what a missing name is called

    def __init__(self, pairs: Iterable[tuple[str, Value]] = ()) -> None:
        self._values: dict[str, list[Value]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> Value:
        try:
            return self._values[name][0]
        except KeyError:
            raise MissingFieldError(self.kind, name) from None

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultiMapping):
            return self._values == other._values
        if isinstance(other, Mapping):
            return self._values == {name: [value] for name, value in other.items()}
        return NotImplemented

    def __repr__(self) -> str:
        pairs = [(name, value) for name, values in self._values.items() for value in values]
        return f"{type(self).__name__}({pairs!r})"

    def get_all(self, name: str) -> list[Value]:
        """Return all values of a name, in order; an empty list if it is missing."""
        return list(self._values.get(name, ()))


class MultiDict(MultiMapping[str]):
    """An immutable mapping from name to text, whose names may have several values."""

    __slots__ = ()


class Cookies(MultiDict):
    """The cookies of a request; the first one with a name wins."""

    __slots__ = ()

    kind = "cookie"
