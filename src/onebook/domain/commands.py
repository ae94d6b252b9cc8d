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


Command = Record | Bust | Correct | Annotate | Note
