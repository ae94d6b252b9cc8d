"""The one way of an order to its venue: only while trading lets it, and never after it was taken back."""

import logging

from onebook.book.core import Core
from onebook.domain.commands import Command, Record
from onebook.domain.decide.signals import SIGNAL
from onebook.domain.facts import OrderUpdate, SignalUpdate
from onebook.domain.fields import MAX_TEXT
from onebook.domain.orders import IN_DOUBT
from onebook.domain.reports import OrderState
from onebook.errors import BookError, RuleError, SourceError, StoreError
from onebook.trading.brokers.port import Broker

TAKEN_BACK = "taken back before it was sent"
_log = logging.getLogger("onebook.trading")


def send(book: Core, broker: Broker, order: OrderState) -> str:
    """Send an order that certainly did not arrive, or close it where it may not be sent any more.

    Trading's state is read as it is committed: what a halt came before is not sent, save what only reduces.

    Args:
        book: whose order.
        broker: its venue.
        order: as it was read a moment ago; it is read again.

    Returns:
        ``sent``, ``canceled`` (it was closed), ``rejected`` (the venue cannot take it), ``unknown`` (nobody knows
        whether it arrived), or ``open`` where there was nothing to send.
    """
    now = book.order(order.client_order_id, account=order.account)
    if now is None or not now.is_open or not now.is_in_doubt:
        return "open"
    reason = _held_back(book, now)
    if reason:
        close_unsent(book, now, reason)
        return "canceled"
    try:
        broker.submit(now.order)
    except SourceError as problem:
        note(book, now, "unknown", str(problem))
        return "unknown"
    except StoreError:
        raise
    except BookError as problem:
        note(book, now, "rejected", str(problem))
        return "rejected"
    return "sent"


def _held_back(book: Core, order: OrderState) -> str:
    """Return why an order is not sent; empty where it is."""
    if order.status not in IN_DOUBT:
        return f"{TAKEN_BACK}: {order.reason}" if order.reason else TAKEN_BACK
    if order.parent_id and _was_never_sent(book.order(order.parent_id, account=order.account)):
        return "its parent was never sent"
    if order.reduce_only:
        return ""
    state = book.trading_state(order.account, order.strategy)
    return "" if state == "ACTIVE" else f"trading was {state} before it was sent"


def _was_never_sent(parent: OrderState | None) -> bool:
    return parent is not None and parent.status == "canceled" and not (parent.venue_order_id or parent.filled_quantity)


def close_unsent(book: Core, order: OrderState, reason: str) -> None:
    """Close an order that its venue never got, and the signal that nothing will execute now."""
    _log.warning("order %s is closed: %s", order.client_order_id, reason)
    wanted: list[Command] = [Record(_update(order, "canceled", reason))]
    wanted += [Record(update) for update in _signal_of(book, order, reason)]
    try:
        book.submit(*wanted, along=lambda _store: None)
    except RuleError:  # the signal has moved on meanwhile
        book.submit(wanted[0])


def _signal_of(book: Core, order: OrderState, reason: str) -> list[SignalUpdate]:
    """Return the end of an order's signal, where it waits for no other order."""
    if not order.signal_id or order.reduce_only:
        return []
    with book.store.reading() as reader:
        row = reader.record(SIGNAL, order.account, order.signal_id, None)
    own = order.client_order_id
    others = (
        item
        for item in book.orders(account=order.account, is_open=True)
        if item.signal_id == order.signal_id and own not in {item.client_order_id, item.parent_id}
    )
    if row is None or row[4] != "GENERATED" or any(not item.reduce_only for item in others):
        return []
    text = f"its order was never sent: {reason}"[:MAX_TEXT].strip()
    return [SignalUpdate(signal_id=order.signal_id, account=order.account, status="EXPIRED", reason=text)]


def note(book: Core, order: OrderState, status: str, reason: str) -> None:
    """Write what we know of an order that may not have arrived, unless its venue has answered meanwhile."""
    name = order.client_order_id
    now = book.order(name, account=order.account)
    if now is None or not now.is_open or not now.is_in_doubt or now.status == status:
        return
    _log.warning("order %s is %s: %s", name, status, reason)
    try:
        book.record(_update(order, status, reason))
    except RuleError:
        _log.info("order %s: it was taken back, or its venue has answered meanwhile", name)


def _update(order: OrderState, status: str, reason: str) -> OrderUpdate:
    text = reason[:MAX_TEXT].strip()
    return OrderUpdate(client_order_id=order.client_order_id, account=order.account, status=status, reason=text)
