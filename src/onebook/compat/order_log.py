"""``log_trade``: the older way to note an order. What the order says was filled is recorded, once.

An order tells its cumulative fill, so what is recorded is the difference to what the book has for that order
already: logging it twice, or after ``record_trade``, adds nothing.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from onebook.app import Book
from onebook.book.receipts import Receipt
from onebook.compat.managers import get_single_source_trade_manager
from onebook.compat.totals import totals_of
from onebook.compat.trades import FILLED
from onebook.compat.values import as_float, decimal_of, moment_of, optional_decimal
from onebook.domain.facts import Fill
from onebook.domain.identity import content_id
from onebook.domain.numbers import ZERO, add, multiply, plain, quotient, subtract
from onebook.errors import InputError

_log = logging.getLogger("onebook.compat")
_ORDER_LIVES = timedelta(days=7)
"""How long before its newest time an order may have been filled first."""


def log_trade(order: Mapping[str, Any], is_stop: bool = False) -> Receipt | None:
    """Record what an order says was filled; an order without fill records no fill.

    Args:
        order: as ccxt shows orders: ``symbol side``, ``filled`` (or ``amount`` with the status ``closed`` or
            ``filled``), ``average`` or ``price``, and where known ``id clientOrderId timestamp fee strategy``.
            Without ``id`` and ``timestamp`` every call is a new fill.
        is_stop: a stop was placed: nothing is filled by that.

    Returns:
        The receipt, None when there was nothing to record.

    Raises:
        InputError: a filled order lacks something, or is malformed.
    """
    filled = _filled(order)
    if is_stop or not filled:
        if filled is None and not is_stop:
            _log.info("order %s says neither filled nor closed; no fill recorded", order.get("id"))
        return None
    book = get_single_source_trade_manager().book
    fill = _fill(order, filled)
    order_id = fill.venue_order_id
    if not order_id:
        timed = fill.occurred_at is not None
        return book.record(fill.replaced(client_fill_id=content_id(fill)) if timed else fill)
    done, paid = _booked(book, fill)
    rest = subtract(filled, done)
    if rest <= ZERO:
        return None
    price = fill.price if not done else quotient(subtract(multiply(filled, fill.price), paid), rest)
    if price < ZERO:
        msg = f"order {order_id}: its average {fill.price} contradicts the fills that are recorded"
        raise InputError(msg, order=dict(order))
    changes: dict[str, Any] = {"quantity": rest, "price": price, "venue_fill_id": f"order:{order_id}:{plain(filled)}"}
    if done:
        changes |= {"fee": None, "fee_currency": None}
    return book.record(fill.replaced(**changes))


def _filled(order: Mapping[str, Any]) -> Decimal | None:
    """Return how much was filled so far, None when the order does not say."""
    stated = optional_decimal("filled", order.get("filled"))
    if stated is None and str(order.get("status", "")).lower() in FILLED:
        return optional_decimal("amount", order.get("amount"))
    return stated


def _fill(order: Mapping[str, Any], filled: Decimal) -> Fill:
    price = optional_decimal("average", order.get("average"))
    fee, currency = _fee(order)
    return Fill(
        instrument=order.get("symbol") or "",
        side=order.get("side") or "",
        quantity=filled,
        price=decimal_of("price", order.get("price")) if price is None else price,
        occurred_at=_moment(order),
        strategy=order.get("strategy") or "",
        venue_order_id=_text(order, "id", "order_id"),
        client_order_id=_text(order, "clientOrderId", "client_order_id"),
        fee=fee,
        fee_currency=currency,
    )


def _text(order: Mapping[str, Any], *names: str) -> str:
    return next((str(order[name]) for name in names if order.get(name)), "")


def _moment(order: Mapping[str, Any]) -> datetime | None:
    for name in ("lastTradeTimestamp", "timestamp", "datetime"):
        if order.get(name):
            return moment_of(name, order[name])
    return None


def _fee(order: Mapping[str, Any]) -> tuple[Decimal | None, str | None]:
    """Return an order's fee and its currency; fees in several currencies are left to the executions."""
    stated = order.get("fee") or order.get("fees")
    if stated is None or isinstance(stated, int | float | str | Decimal):
        return optional_decimal("fee", stated) or None, None
    listed = [stated] if isinstance(stated, Mapping) else list(stated)
    costs = [item for item in listed if isinstance(item, Mapping) and item.get("cost") is not None]
    currencies = {item.get("currency") for item in costs}
    if len(currencies) != 1:
        return None, None
    total = ZERO
    for item in costs:
        total = add(total, decimal_of("fee", item["cost"]))
    return total, currencies.pop() or None


def _booked(book: Book, fill: Fill) -> tuple[Decimal, Decimal]:
    """Return quantity and value of what the book has for the same order."""
    since = None if fill.occurred_at is None else fill.occurred_at - _ORDER_LIVES
    quantity = value = ZERO
    for item in book.fills(account=fill.account, instrument=fill.instrument, since=since):
        if item.side == fill.side and item.venue_order_id == fill.venue_order_id:
            quantity = add(quantity, item.quantity)
            value = add(value, multiply(item.quantity, item.price))
    return quantity, value


def get_trade_summary() -> dict[str, Any]:
    """Return the trades in numbers, for reading: counts, symbols, first and last time, volume, realized P&L."""
    manager = get_single_source_trade_manager()
    trades = manager.trades
    totals = totals_of(manager.book, "main")
    shown: dict[str, Any] = as_float(
        {
            "total_trades": len(trades),
            "date_range": {
                "start": trades[0].timestamp if trades else None,
                "end": trades[-1].timestamp if trades else None,
            },
            "symbols": list(dict.fromkeys(trade.symbol for trade in trades)),
            "total_volume": manager.total_volume,
            "buy_trades": sum(1 for trade in trades if trade.side == "buy"),
            "sell_trades": sum(1 for trade in trades if trade.side == "sell"),
            "total_fees": totals.fees,
            "total_realized_pnl": totals.realized,
        }
    )
    return shown
