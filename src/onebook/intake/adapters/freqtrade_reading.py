"""What freqtrade's callbacks hand over, as items for a recorder: its trades, orders and confirmations. Reads only.

freqtrade keeps floats: they are taken by their shortest decimal, and amounts of contracts in contracts. An order's fee
is the one of freqtrade's own figures: its rate times the value, in the currency that settles the pair, or the part of
the bought amount that the exchange kept.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from onebook.domain import facts, times
from onebook.domain.numbers import CONTEXT, ONE, ZERO, canonical, multiply, quotient
from onebook.intake.adapters.recorder import Item, OrderSeen

CLOSE_REASONS = {
    "roi": "take_profit",
    "stop_loss": "stop_loss",
    "stoploss_on_exchange": "stop_loss",
    "trailing_stop_loss": "trailing_stop",
    "liquidation": "liquidation",
    "exit_signal": "signal",
    "custom_exit": "signal",
    "partial_exit": "signal",
    "force_exit": "manual",
    "sold_on_exchange": "manual",
    "emergency_exit": "kill_switch",
}
"""The book's close reason for freqtrade's exit reason; any other is a strategy's own tag, a ``signal``."""

_STATUSES = {
    "open": "new",
    "closed": "filled",
    "canceled": "canceled",
    "cancelled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
}
_FORCES = frozenset({"GTC", "IOC", "FOK"})
_CONTRACT = Decimal("1e-9")
"""Step to which a number of contracts is rounded: what division leaves of floats."""


def settles_in(pair: str) -> str:
    """Return the currency that a pair's profit is in: ``USDT`` of ``BTC/USDT`` and of ``BTC/USDT:USDT``."""
    return pair.partition("/")[2].rpartition(":")[2] or pair


def definition_of(trade: Any) -> facts.Instrument | None:
    """Return the contract of a trade; None of spot, which defines itself."""
    pair = str(trade.pair)
    return facts.Instrument(symbol=pair, contract_size=_size(trade)) if ":" in pair else None


def of_order(
    trade: Any, order: Any, now: datetime, *, account: str, strategy: str, signal_id: str = ""
) -> Iterator[Item]:
    """Yield an order as freqtrade sees it, and the funding that it assigns to it.

    Args:
        trade: the order's trade.
        order: with ``filled`` and ``average`` of all that is filled so far.
        now: of the callback; used where the order has no time of its own.
        account: in the book.
        strategy: whose.
        signal_id: of the signal that the trade came from.
    """
    pair, size = str(trade.pair), _size(trade)
    name = str(order.order_id).replace(":", "_")
    filled = _exact(order.filled or 0)
    at = _moment(getattr(order, "order_filled_date", None)) or _moment(order.order_update_date) or _moment(now)
    funding = _exact(getattr(order, "funding_fee", None) or 0)
    if funding and filled and at is not None:
        yield facts.FundingPayment(
            instrument=pair,
            amount=funding,
            currency=settles_in(pair),
            funding_id=f"funding:{name}",
            account=account,
            strategy=strategy,
            occurred_ns=at - 1,  # in the position that the order changes
        )
    price = order.average or order.price or getattr(order, "stop_price", None) or order.ft_price
    fee, currency = _fee(trade, order, filled, _exact(price or 0))
    entry = order.ft_order_side == trade.entry_side
    yield OrderSeen(
        instrument=pair,
        side=trade.entry_side if entry else trade.exit_side,
        status=_STATUSES.get(str(order.status or "open"), "new"),
        venue_order_id=name,
        quantity=_contracts(_exact(order.amount or order.ft_amount), size) or None,
        filled=_contracts(filled, size),
        average=_exact(price) if filled and price else None,
        fee=fee if filled else None,
        fee_currency=currency,
        reason=str(getattr(order, "ft_cancel_reason", None) or ""),
        signal_id=signal_id if entry else "",
        close_reason="" if entry else _close_reason(trade, order),
        reduce_only=not entry and ":" in pair,
        created_ns=_moment(order.order_date),
        occurred_ns=at,
        raw=_raw(trade, order),
        **_terms(order),
    )


def of_confirmation(  # noqa: PLR0913  what the callback is given
    *,
    pair: str,
    side: str,
    rate: Any,
    amount: Any,
    now: datetime,
    tag: Any,
    timeframe: Any,
    account: str,
    strategy: str,
) -> facts.Signal:
    """Return the signal of an entry that freqtrade is about to order."""
    return facts.Signal(
        signal_id=f"{pair}|{side}|{times.to_text(times.from_datetime('current_time', now))}",
        instrument=pair,
        action="sell" if side == "short" else "buy",
        price=_exact(rate) if rate else None,
        timeframe=str(timeframe or ""),
        confluences=(str(tag),) if tag else (),
        account=account,
        strategy=strategy,
        occurred_at=now,
        raw={"amount": str(amount), "side": side},
    )


# ---- parts ----


def _terms(order: Any) -> dict[str, Any]:
    """Return what kind of order it is: exchanges name stops in many ways."""
    said = str(order.order_type or "limit").lower()
    stop = "stop" in said or order.ft_order_side == "stoploss"
    limited = "limit" in said
    kind = ("stop_limit" if limited else "stop") if stop else "market" if "market" in said else "limit"
    price, level = getattr(order, "price", None), getattr(order, "stop_price", None)
    force = str(getattr(order, "time_in_force", None) or "GTC").upper()
    return {
        "kind": kind,
        "limit_price": _exact(price) if price and kind in {"limit", "stop_limit"} else None,
        "stop_price": _exact(level) if level and stop else None,
        "time_in_force": force if force in _FORCES else "GTC",
    }


def _fee(trade: Any, order: Any, filled: Decimal, price: Decimal) -> tuple[Decimal, str]:
    """Return the fee of all that is filled of an order, and its currency."""
    kept = getattr(order, "ft_fee_base", None)
    if kept:
        return _exact(kept), str(trade.pair).partition("/")[0]
    rate = trade.fee_open if order.ft_order_side == trade.entry_side else trade.fee_close
    return quotient(multiply(multiply(filled, price), _exact(rate or 0)), ONE), settles_in(str(trade.pair))


def _close_reason(trade: Any, order: Any) -> str:
    if order.ft_order_side == "stoploss":
        return "trailing_stop" if getattr(trade, "is_stop_loss_trailing", False) else "stop_loss"
    said = str(getattr(order, "ft_order_tag", None) or trade.exit_reason or "")
    return CLOSE_REASONS.get(said, "signal")


def _raw(trade: Any, order: Any) -> dict[str, Any]:
    """Return what else freqtrade says, for the day on which somebody asks."""
    names = ("id", "leverage", "is_short", "enter_tag", "exit_reason", "fee_open", "fee_close", "close_profit_abs")
    said = {f"trade_{name}": getattr(trade, name, None) for name in names}
    more = (
        "order_id",
        "status",
        "ft_order_side",
        "ft_order_tag",
        "amount",
        "filled",
        "average",
        "price",
        "ft_fee_base",
    )
    said |= {name: getattr(order, name, None) for name in more}
    return {name: _plain(value) for name, value in said.items() if value is not None}


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | bool) else repr(value) if isinstance(value, float) else str(value)


def _size(trade: Any) -> Decimal:
    """Return how much of the base one contract is; freqtrade's amounts are in the base."""
    return _exact(getattr(trade, "contract_size", None) or 1) if ":" in str(trade.pair) else ONE


def _contracts(amount: Decimal, size: Decimal) -> Decimal:
    return amount if size == ONE else canonical(quotient(amount, size).quantize(_CONTRACT))


def _exact(value: Any) -> Decimal:
    """Return the shortest decimal of a float, rounded at 18 places."""
    found = CONTEXT.create_decimal(repr(value) if isinstance(value, float) else str(value))
    return canonical(quotient(found, ONE)) if found else ZERO


def _moment(value: datetime | None) -> int | None:
    """Return a time in nanoseconds; freqtrade's database keeps UTC without saying so."""
    if value is None:
        return None
    return times.from_datetime("date", value if value.tzinfo is not None else value.replace(tzinfo=UTC))
