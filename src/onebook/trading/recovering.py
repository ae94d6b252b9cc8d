"""Orders whose fate is not known: asked for at the venue when a program starts, or settled by a person."""

from collections.abc import Callable
from dataclasses import dataclass

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.facts import OrderUpdate
from onebook.domain.orders import TERMINAL
from onebook.domain.reports import OrderState
from onebook.errors import InputError, RuleError, SourceError
from onebook.trading.brokers.port import Broker
from onebook.trading.sending import note, send

UNKNOWN_AFTER_SECONDS = 60.0
_NAMED = ("found", "sent", "canceled", "rejected", "unknown")
AT_VENUE_NO_MORE = "unknown at venue"
SETTLED = ("rejected", "canceled", "expired", "new")
"""What a person may say of an order whose fate is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What became of the open orders that a venue was asked for.

    Attributes:
        found: ids of those it knows; what it says of them is in the book.
        sent: ids of those that never arrived, sent now: only to a venue that is certain of that.
        canceled: ids of those that never arrived and are not sent any more: taken back, or trading is not ACTIVE.
        rejected: ids of those it does not know and never will.
        unknown: ids of those whose fate is open still.
        problem: why the venue could not be asked, empty where it could.
    """

    found: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    canceled: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    problem: str = ""


def recover(
    book: Core,
    broker: Broker,
    *,
    unknown_after_seconds: float = UNKNOWN_AFTER_SECONDS,
    up_to: int | None = None,
    cancel: Callable[[str, str], None] | None = None,
) -> Recovered:
    """Ask a venue for every open order of its accounts, and record what it says.

    An order in doubt that the venue and its history do not have is closed as rejected once it is older than
    ``unknown_after_seconds``; until then, and while the venue cannot be reached, it is ``unknown``, and nothing may be
    opened in its instrument. One that was taken back is canceled where the venue has it, and sent nowhere.

    Args:
        book: whose orders.
        broker: the venue.
        unknown_after_seconds: age from which an order that the venue does not know never reached it.
        up_to: only orders that were placed up to this sequence; None for all.
        cancel: (account, client_order_id) -> asks the venue for an order's end; None: the broker does.
    """
    fates: dict[str, list[str]] = {name: [] for name in (*_NAMED, "open")}
    problem = ""
    for account in sorted(broker.accounts):
        placed = sorted(book.orders(account=account, is_open=True), key=lambda item: item.sequence)
        for order in placed:  # a parent before its children
            if up_to is not None and order.sequence > up_to:
                continue
            fate = ask(book, broker, order, unknown_after_seconds, cancel or broker.cancel)
            if isinstance(fate, SourceError):
                problem = str(fate)
                fate = "unknown" if order.is_in_doubt else "open"
            fates[fate].append(order.client_order_id)
    return Recovered(problem=problem, **{name: tuple(fates[name]) for name in _NAMED})


def ask(
    book: Core, broker: Broker, order: OrderState, unknown_after_seconds: float, cancel: Callable[[str, str], None]
) -> str | SourceError:
    """Ask a venue for one order, and record what it says.

    Args:
        book: whose order.
        broker: the venue.
        order: which, as it stands.
        unknown_after_seconds: age from which an order that the venue does not know never reached it.
        cancel: (account, client_order_id) -> asks for the end of an order that was taken back and is found.

    Returns:
        ``found``, ``sent``, ``canceled``, ``rejected``, ``unknown``, or ``open``: its end is the venue's to say. The
        error where the venue cannot be reached.
    """
    try:
        known = broker.find(order.account, order.client_order_id)
        if known is not None:
            for update in known.updates:
                book.record(update)
            for fill in known.fills:
                book.record(fill)
            if order.status == "pending_cancel" and _is_open(book, order):
                cancel(order.account, order.client_order_id)
            return "found"
    except SourceError as problem:
        _doubt(book, order, str(problem))
        return problem
    if not order.is_in_doubt:
        return "open"  # it stood at the venue once: its end is the venue's to say
    if broker.is_certain:
        return send(book, broker, order)
    age = book.now() - times.from_datetime("occurred_at", order.occurred_at)
    if age < int(unknown_after_seconds * times.SECOND):
        _doubt(book, order, "the venue does not know it yet")
        return "unknown"
    note(book, order, "rejected", AT_VENUE_NO_MORE)
    return "rejected"


def _is_open(book: Core, order: OrderState) -> bool:
    now = book.order(order.client_order_id, account=order.account)
    return now is not None and now.is_open


def _doubt(book: Core, order: OrderState, reason: str) -> None:
    if order.status == "pending_new":
        note(book, order, "unknown", reason)


def _update(order: OrderState, status: str, reason: str) -> OrderUpdate:
    return OrderUpdate(client_order_id=order.client_order_id, account=order.account, status=status, reason=reason)


def settle(book: Core, client_order_id: str, status: str, reason: str, *, account: str | None = None) -> OrderState:
    """Say what became of an order whose fate nobody knows.

    Args:
        book: whose order.
        client_order_id: which.
        status: ``rejected canceled expired``, or ``new``: it stands at the venue.
        reason: how it is known.
        account: whose; needed only where two accounts have the id.

    Raises:
        InputError: no such order or status, or no reason.
        RuleError: the order is at its end already, or the venue has said what it is.
    """
    if status not in SETTLED:
        msg = f"status: {status!r} is none of {', '.join(SETTLED)}; what has filled is recorded as a fill"
        raise InputError(msg, field="status", value=status)
    if not reason.strip():
        msg = "reason: say how it is known, for the log"
        raise InputError(msg, field="reason", value=reason)
    order = find_order(book, client_order_id, account)
    if order.status in TERMINAL:
        msg = f"order {client_order_id} is {order.status} already"
        raise RuleError(msg, order=client_order_id, status=order.status)
    if not order.is_in_doubt:
        msg = f"order {client_order_id} is {order.status}: the venue knows it; cancel it there"
        raise RuleError(msg, order=client_order_id, status=order.status)
    if order.status == "pending_new":
        book.record(_update(order, "unknown", "looked at by a person"))
    book.record(_update(order, status, reason))
    return find_order(book, client_order_id, order.account)


def order_at(book: Core, account: str, client_order_id: str) -> OrderState | None:
    """Return one order of an account; None when there is none."""
    return book.order(client_order_id, account=account)


def find_order(book: Core, client_order_id: str, account: str | None) -> OrderState:
    """Return one order.

    Raises:
        InputError: there is none, or one in more than one account.
    """
    found = book.order(client_order_id, account=account)
    if found is None:
        msg = f"client_order_id: {client_order_id!r} is no order of this book; see onebook orders"
        raise InputError(msg, field="client_order_id", value=client_order_id, order=client_order_id)
    return found
