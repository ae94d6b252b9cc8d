"""A bot's token speaks for its own strategy: what it records, and the orders and signals that this names."""

from typing import Any

from onebook.book.rows import record_of
from onebook.domain import fields
from onebook.domain.facts import EXTERNAL, FACTS
from onebook.domain.state import Record
from onebook.errors import NotAllowed
from onebook.http.auth import Caller
from onebook.http.calls import Call
from onebook.http.roles import own_strategy
from onebook.store.port import Reader

_NAMING = {
    "fill": "order",
    "order": "order",
    "order_update": "order",
    "signal": "signal",
    "signal_update": "signal",
}
"""Kind of fact -> what it names that may be another strategy's."""


def with_own_strategy(call: Call, kind: str, stated: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a fact with a bot's own strategy where it is left out.

    Raises:
        NotAllowed: it is another's.
    """
    caller = call.caller
    if caller is None or caller.role != "bot" or "strategy" not in FACTS[kind].__dataclass_fields__:
        return stated
    given = stated.get("strategy")
    return stated | {"strategy": own_strategy(caller, None if given is None else fields.text("strategy", given))}


def check_named(call: Call, kind: str, fact: Any) -> None:
    """Refuse a bot's fact about an order or signal of another strategy, or an update of one that is not recorded.

    An order that only a fill has named so far is of that fill's strategy. What the unnamed strategy or ``EXTERNAL``
    holds, a bot may report as its own, as on a book of its own machine; move it by an update it may not.

    Raises:
        NotAllowed: it is not the bot's.
    """
    caller, what = call.caller, _NAMING.get(kind)
    if caller is None or caller.role != "bot" or what is None:
        return
    name = fact.signal_id if what == "signal" else fact.client_order_id
    with call.book.store.reading() as reader:
        held = _held(reader, what, fact.account, name)
        others = [held, _of_venue(reader, fact)] if what == "order" else [held]
    for other in others:
        if other is not None and other.strategy not in {"", EXTERNAL, caller.strategy}:
            raise _not_its_own(caller, what, other)
    if not kind.endswith("_update"):
        return
    if held is None or not (held.strategy or held.body.get("known", True)):
        msg = f"the book knows no {what} {name:.60} in {fact.account:.60}; record it first, then what became of it"
        raise NotAllowed(msg, strategy=caller.strategy)
    if held.strategy != caller.strategy:
        raise _not_its_own(caller, what, held)


def _not_its_own(caller: Caller, what: str, held: Record) -> NotAllowed:
    owner = held.strategy or "the unnamed strategy"
    msg = f"the token of {caller.name} speaks for {caller.strategy} only; {what} {held.id:.60} is of {owner:.60}"
    return NotAllowed(msg, strategy=held.strategy)


def _of_venue(reader: Reader, fact: Any) -> Record | None:
    """Return the order that the venue's id in a fact is linked to."""
    named = getattr(fact, "venue_order_id", "")
    link = _held(reader, "venue_order", fact.account, named) if named else None
    return None if link is None else _held(reader, "order", fact.account, str(link.body["client_order_id"]))


def _held(reader: Reader, kind: str, account: str, key: str) -> Record | None:
    row = reader.record(kind, account, key, None)
    return None if row is None else record_of(kind, account, key, row)
