"""What the book knows of a fill it holds: the contents it has had, its newest version, whether it was taken back."""

from decimal import Decimal

from onebook.domain import facts
from onebook.domain.identity import Content, agrees, completes, content
from onebook.domain.movements import RANK, Movement, tie_text
from onebook.domain.numbers import plain
from onebook.domain.shapes import Data
from onebook.domain.state import Decision, Ledger, Record, State, StoredFact

_HISTORY = "fill"
"""Kind of the record that a fill gets once it is busted, corrected, completed or in conflict."""


def newest_version(state: State, held: StoredFact) -> StoredFact:
    """Return the fill as it stands after its corrections."""
    history = state.record(_HISTORY, held.fact.account, f"{held.sequence}.{held.ordinal}")
    if history is None or "version" not in history.body:
        return held
    return state.fact(*history.body["version"])


def is_busted(state: State, held: StoredFact) -> bool:
    """Say whether a fill was taken back."""
    history = state.record(_HISTORY, held.fact.account, f"{held.sequence}.{held.ordinal}")
    return history is not None and history.status == "busted"


def standing(state: State, ledger: Ledger, held: StoredFact, version: StoredFact) -> Movement | None:
    """Return the movement that a fill has now."""
    fact = version.fact
    order = (
        fact.occurred_ns,
        RANK["fill"],
        tie_text(fact.venue_fill_id, fact.venue_order_id, fact.side),
        held.sequence,
        held.ordinal,
    )
    return state.movement(ledger.id, order)


def contents(state: State, held: StoredFact, settle: str) -> list[Content]:
    """Return every content that a fill has had, the first one first; one that a later one completes is that one."""
    known = [content(held.fact, timed=held.timed)]
    history = state.record(_HISTORY, held.fact.account, f"{held.sequence}.{held.ordinal}")
    if history is not None:
        known += [_content_from(item) for item in history.body.get("contents", ())]
    return [
        item
        for index, item in enumerate(known)
        if not any(agrees(item, later, settle) and completes(item, later) for later in known[index + 1 :])
    ]


def _content_data(known: Content) -> list[str | int | None]:
    """Return a content as plain data."""
    quantity, price, fee, currency, at = known
    return [plain(quantity), plain(price), None if fee is None else plain(fee), currency, at]


def _content_from(data: list[str | int | None]) -> Content:
    """Return the content that this data was made from."""
    quantity, price, fee, currency, at = data
    return (
        Decimal(str(quantity)),
        Decimal(str(price)),
        None if fee is None else Decimal(str(fee)),
        None if currency is None else str(currency),
        None if at is None else int(at),
    )


def add_version(
    state: State,
    decision: Decision,
    held: StoredFact,
    new: facts.Fill,
    *,
    timed: bool,
    version: tuple[int, int],
) -> None:
    """Add to a decision the record of a fill that has another content from now on."""
    key = f"{held.sequence}.{held.ordinal}"
    history = state.record(_HISTORY, held.fact.account, key)
    body: Data = dict(history.body) if history is not None else {}
    seen = list(body.get("contents", ()))
    seen.append(_content_data(content(new, timed=timed)))
    body |= {"contents": seen, "version": list(version)}
    decision.records.append(
        Record(_HISTORY, held.fact.account, key, new.occurred_ns or 0, body, new.instrument, new.strategy, "corrected")
    )


def busted_record(state: State, held: StoredFact, fill: facts.Fill) -> Record:
    """Return the record of a fill that is taken back."""
    key = f"{held.sequence}.{held.ordinal}"
    history = state.record(_HISTORY, held.fact.account, key)
    body: Data = dict(history.body) if history is not None else {}
    at = fill.occurred_ns or 0
    return Record(_HISTORY, held.fact.account, key, at, body, fill.instrument, fill.strategy, "busted")
