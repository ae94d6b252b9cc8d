"""What can be asked of a book: imperative, checked when made."""

from dataclasses import dataclass, field
from typing import Any

from onebook.domain.facts import AnyFact


@dataclass(frozen=True, slots=True)
class Record:
    """Take in a fact."""

    fact: AnyFact


@dataclass(frozen=True, slots=True)
class Bust:
    """Take a fill back: the venue says it never happened. ``which`` is its (sequence, ordinal)."""

    which: tuple[int, int]
    reason: str


@dataclass(frozen=True, slots=True)
class Correct:
    """Replace fields of a fill by what is right. ``which`` is its (sequence, ordinal)."""

    which: tuple[int, int]
    reason: str
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Annotate:
    """Hang notes and tags on a round trip; None leaves them as they are."""

    round_trip_id: int
    notes: str | None = None
    tags: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Write an event that changes no figure: a restore, a snapshot, a user's own type."""

    type: str
    data: dict[str, Any]
    account: str = ""
    instrument: str = ""
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class StateChange:
    """One path of the state and its new value, as it is kept; or that it is taken away."""

    path: tuple[str, ...]
    value: Any = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ChangeState:
    """Change the state at several paths, all or nothing.

    ``expected`` are (path, version) pairs that must hold; the empty path stands for all that users keep.
    """

    changes: tuple[StateChange, ...]
    source: str = ""
    expected: tuple[tuple[tuple[str, ...], int], ...] = ()


@dataclass(frozen=True, slots=True)
class Publish:
    """Write a user's own event. ``as_published``: as ``published`` with the type inside, whatever it is called."""

    type: str
    data: dict[str, Any]
    account: str = ""
    instrument: str = ""
    strategy: str = ""
    as_published: bool = False


Command = Record | Bust | Correct | Annotate | Note | ChangeState | Publish
