"""Names for facts that have none, before they are sent: so that sending one twice records it once."""

import uuid
from collections.abc import Callable
from typing import Any

from onebook.domain import facts
from onebook.domain.identity import fill_identity, identity_text
from onebook.errors import InputError, NotAllowed

ADDRESSES = {
    "fill": "fills",
    "order": "orders",
    "order_update": "order-updates",
    "signal": "signals",
    "signal_update": "signal-updates",
    "transfer": "transfers",
    "cash_movement": "cash-movements",
    "funding": "funding",
    "corporate_action": "corporate-actions",
    "opening_balance": "opening-balances",
    "settlement": "settlements",
    "reassign": "reassign",
    "rate": "rates",
    "instrument": "instruments",
    "account": "accounts",
    "settings": "settings",
    "limits": "limits",
}
"""Kind of fact -> its address below ``/v1/``."""

_IDS = {
    "order": "client_order_id",
    "signal": "signal_id",
    "transfer": "transfer_id",
    "cash_movement": "movement_id",
    "funding": "funding_id",
    "opening_balance": "balance_id",
    "settlement": "settlement_id",
    "reassign": "reassign_id",
}
"""Kinds whose id the book makes where it is missing; the others have an identity without one."""

MakeId = Callable[[], str]


def new_id() -> str:
    """Return an id that nobody else makes."""
    return uuid.uuid4().hex


def sendable(fact: Any) -> Any:
    """Return a fact that the service takes.

    Raises:
        InputError: it is no fact.
        NotAllowed: it is made only where the book is.
    """
    kind = getattr(type(fact), "KIND", None)
    if kind not in facts.FACTS or not isinstance(fact, facts.Fact):
        msg = f"{type(fact).__name__} is not a fact; record a Fill, an Order, a Transfer and so on"
        raise InputError(msg)
    if kind not in ADDRESSES:
        msg = f"a {kind} is made where the book is, never over HTTP; see: onebook {kind} --help"
        raise NotAllowed(msg, kind=kind)
    return fact


def is_untimed(fact: Any) -> bool:
    """Say whether a fact lacks its time."""
    return "occurred_ns" in fact.__dataclass_fields__ and fact.occurred_ns is None


def named(fact: Any, make_id: MakeId, now: int, *, waits: bool) -> Any:
    """Return a fact with an identity.

    Args:
        fact: which.
        make_id: makes an id.
        now: its time where it has none, in nanoseconds since 1970 UTC.
        waits: whether it is to be sent later, so that it needs its time.
    """
    changes: dict[str, Any] = {}
    if isinstance(fact, facts.Fill):
        if not fact.venue_fill_id and not fact.client_fill_id:
            changes["client_fill_id"] = make_id()
    else:
        field = _IDS.get(fact.KIND)
        if field is not None and not getattr(fact, field):
            changes[field] = make_id()
    if is_untimed(fact) and (waits or isinstance(fact, facts.Rate)):
        changes["occurred_ns"] = now
    return fact.replaced(**changes) if changes else fact


def identity_of(fact: Any) -> str:
    """Return the identity that a fact will have in the book; empty where it has no id, or the book makes it."""
    if isinstance(fact, facts.Fill):
        return fill_identity(fact, "") if fact.venue_fill_id or fact.client_fill_id else ""
    name = getattr(fact, _IDS.get(fact.KIND, ""), "")
    account = fact.from_account if isinstance(fact, facts.Transfer) else getattr(fact, "account", "")
    return identity_text(fact.KIND, account, name) if name else ""
