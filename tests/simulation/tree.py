"""The model of the shared directory: every state of each path, and the changes that clients ask for.

A path has one of three states: None (nothing has this name), ``DIRECTORY``, or the content of a file.
Each change is numbered. A client notes the number when it sends a request; the response must be right for
one of the states since then.

A client offers each change before it asks for it: a content with its path, or the removal of a path. The
disk reports each change when it happens; one that no client has offered, or whose condition is false at
that moment, is a violation. No content occurs twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.simulation.world import World

DIRECTORY = "directory"
State = bytes | str | None
# Whether a change is allowed that replaces this state.
Condition = Callable[[State], bool]


def always(state: State) -> bool:
    """Allow a change of any state."""
    return True


def no_file(state: State) -> bool:
    """Allow a change that replaces nothing."""
    return state is None


def numbered(path: str, number: int) -> str:
    """Return the path that a form uses if those with a smaller number exist.

    >>> numbered("a.d/b.c", 1), numbered("a.d/b.c", 2), numbered("a.d/b", 3)
    ('a.d/b.c', 'a.d/b (2).c', 'a.d/b (3)')
    """
    directory, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    stem, end = (stem, dot + extension) if stem else (name, "")
    return path if number == 1 else f"{directory}{slash}{stem} ({number}){end}"


@dataclass
class Offer:
    """A content that a client uploads; ``form`` has all contents of its form, in order."""

    client: str
    path: str
    content: bytes
    condition: Condition = always
    form: "list[Offer] | None" = None
    stored_as: str = ""  # the path, once it is stored
    change: int = -1  # the number of that change
    refused: bool = False  # a response says that it is not stored
    rolled_back: bool = False
    is_unclear: bool = False  # it was rolled back, or removed by the same client


@dataclass
class Tree:
    """The states of all paths; "" is the shared directory."""

    world: World
    changes: int = 0
    offers: dict[bytes, Offer] = field(default_factory=dict)  # by content
    _history: dict[str, list[tuple[int, State]]] = field(default_factory=dict)
    _removals: dict[tuple[str, str], list[Condition]] = field(default_factory=dict)  # by client and path
    _removed: dict[str, int] = field(default_factory=dict)  # how often the server has removed a path

    # What was and what is.

    def put(self, path: str, state: State) -> None:
        """Change a state."""
        self.changes += 1
        self._history.setdefault(path, []).append((self.changes, state))

    def state(self, path: str) -> State:
        """Return the present state of a path."""
        history = self._history.get(path)
        return history[-1][1] if history else None

    def states(self, path: str, since: int) -> list[State]:
        """Return the states that a path has had since a change."""
        history = self._history.get(path, [])
        before = [state for change, state in history if change <= since]
        return [before[-1] if before else None, *(state for change, state in history if change > since)]

    def states_before(self, path: str, since: int, until: int) -> list[State]:
        """Return the states that a path has had between two changes, without that of the last."""
        history = self._history.get(path, [])
        states = self.states(path, since)
        return states[: len(states) - sum(change >= until for change, _ in history)]

    def files(self) -> dict[str, bytes]:
        """Return the present files."""
        states = ((path, history[-1][1]) for path, history in self._history.items())
        return {path: state for path, state in states if isinstance(state, bytes)}

    def contents(self, path: str) -> list[bytes]:
        """Return every content that a path has had."""
        return [state for _, state in self._history.get(path, []) if isinstance(state, bytes)]

    def children(self, directory: str) -> Iterator[str]:
        """Return the paths that were ever in a directory ("", or with a slash at the end)."""
        for path in self._history:
            if path.startswith(directory) and path != directory and "/" not in path[len(directory) :]:
                yield path

    # What clients ask for.

    def offer(
        self, client: str, path: str, content: bytes, condition: Condition = always, in_form: bool = False
    ) -> Offer:
        """Note what a client is going to upload."""
        offer = Offer(client, path, content, condition, [] if in_form else None)
        assert content not in self.offers, "the same content twice"
        self.offers[content] = offer
        return offer

    def offer_removal(self, client: str, path: str, condition: Condition) -> None:
        """Note what a client is going to remove."""
        self._removals.setdefault((client, path), []).append(condition)

    def may_answer_removed(self, path: str) -> bool:
        """Take one of the removals of a path for a response; return False if all are taken."""
        self._removed[path] = self._removed.get(path, 0) - 1
        return self._removed[path] >= 0

    # What the server does.

    def note_stored(self, path: str, content: bytes) -> None:
        """Check a file that the server has stored."""
        offer, before = self.offers.get(content), self.state(path)
        if offer is None:
            self.world.fail(f"{len(content)} bytes are stored as {path}, which no client has sent")
        if offer.stored_as:
            self.world.fail(f"the content of {offer.path} was stored twice, now as {path}")
        if offer.refused:
            self.world.fail(f"{path} is stored, after a response that it is not")
        if offer.form is None and path != offer.path:
            self.world.fail(f"the content of {offer.path} is stored as {path}")
        if not offer.condition(before):
            self.world.fail(f"{path} is stored, though the condition of its client is false")
        if offer.form is not None:
            self._check_number(offer, path)
        self.put(path, content)
        offer.stored_as, offer.change = path, self.changes

    def _check_number(self, offer: Offer, path: str) -> None:
        """Check that a file of a form has the first name that does not exist."""
        number = 1
        while self.state(numbered(offer.path, number)) is not None:
            number += 1
        if path != numbered(offer.path, number):
            self.world.fail(f"{offer.path} is stored as {path}, not as {numbered(offer.path, number)}")

    def note_removed(self, path: str) -> None:
        """Check a file that the server has removed."""
        is_wanted = self._is_removal_wanted(path)
        if is_wanted:
            self._removed[path] = self._removed.get(path, 0) + 1
        if not self._note_undoing(path, is_wanted) and not is_wanted:
            self.world.fail(f"{path} is removed, and {self.world.current} has not asked for that")
        self.put(path, None)

    def note_undeletable(self, path: str) -> None:
        """Note a file that the server could not remove: a form is undone, or a client has asked for that."""
        self._note_undoing(path, self._is_removal_wanted(path))

    def _is_removal_wanted(self, path: str) -> bool:
        """Return whether the client whose request is served has asked for the removal of a file."""
        state = self.state(path)
        return any(condition(state) for condition in self._removals.get((self.world.current, path), ()))

    def _note_undoing(self, path: str, is_wanted: bool) -> bool:
        """Note that a file of a form is undone, if the form is of the client whose request is served.

        Return whether it is. If the client wants the removal, too, it is not known which of them it is.
        """
        state = self.state(path)
        offer = self.offers.get(state) if isinstance(state, bytes) else None
        if offer is None or offer.form is None or offer.client != self.world.current:
            return False
        offer.rolled_back, offer.is_unclear = not is_wanted, is_wanted
        for each in offer.form:  # what another client has removed or replaced meanwhile needs no undoing
            if each.stored_as and not each.rolled_back and self.state(each.stored_as) != each.content:
                each.is_unclear = True
        return True

    def note_undone(self, path: str, is_copied: bool) -> bool:
        """Note that a file of a failed form is removed in a former directory; return False for others."""
        state = self.state(path)
        offer = self.offers.get(state) if isinstance(state, bytes) else None
        if offer is None or offer.form is None or offer.client != self.world.current:
            return False
        offer.is_unclear = True
        if not is_copied:
            self.put(path, None)
        return True

    def check_forms(self) -> None:
        """Check that all files of each form are stored, or none."""
        for offer in self.offers.values():
            clear = [each for each in offer.form or () if not each.is_unclear]
            stored = [bool(each.stored_as) and not each.rolled_back for each in clear]
            if any(stored) and not all(stored):
                self.world.fail(f"{sum(stored)} of the {len(stored)} files of a form are stored")
