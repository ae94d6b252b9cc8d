"""What Alpaca sends, as items for a recorder: orders, trade updates, FILL activities. Reads only; asks nobody.

Everything is read from plain data: the JSON as it came, or alpaca-py's models dumped. Numbers that alpaca-py has made
floats of are taken by their shortest decimal, and ``floats`` in ``raw`` names them. ``position_qty`` is not used.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from onebook.domain import facts, times
from onebook.domain.numbers import ZERO, exact, multiply, number, quotient
from onebook.errors import InputError
from onebook.intake.adapters.recorder import Item, OrderSeen

VENUE = "alpaca"
Data = Mapping[str, Any]

FILLS = frozenset({"fill", "partial_fill"})
TAKEN_BACK = frozenset({"trade_bust", "trade_correct"})
STATUSES = {
    "pending_new": "pending_new",
    "pending_cancel": "pending_cancel",
    "pending_replace": "pending_replace",
    "canceled": "canceled",
    "replaced": "canceled",
    "expired": "expired",
    "rejected": "rejected",
    "filled": "filled",
    "partially_filled": "partially_filled",
}
"""The book's word for Alpaca's status; any other (accepted, held, done_for_day, stopped …) is ``new``: it rests."""

_KINDS = frozenset(facts.ORDER_KINDS)
_FORCES = {"day": "DAY", "gtc": "GTC", "opg": "DAY", "cls": "DAY", "ioc": "IOC", "fok": "FOK"}
_QUOTES = ("USDT", "USDC", "USD", "BTC")
_OCC = re.compile(r"([A-Z]{1,6})(\d{2})(\d{2})(\d{2})([CP])(\d{8})")
_STEP = Decimal("1e-9")
_PERCENT = Decimal(100)
OPTION_SIZE = 100
"""Shares per option contract; an adjusted one needs an ``Instrument`` of its own."""


def plain_data(given: Any) -> Data:
    """Return a model of alpaca-py, or the JSON of its raw mode, as plain data; a frame without its envelope."""
    data = given if isinstance(given, Mapping) else given.model_dump(mode="json")
    inner = data.get("data")
    return inner if data.get("stream") == "trade_updates" and isinstance(inner, Mapping) else data


def of_update(data: Data) -> Iterator[Item]:
    """Yield what a trade update tells: the order as it is, and the execution."""
    event = _text(data, "event")
    order: Data = data["order"]
    at = _moment(data, "timestamp")
    if event in TAKEN_BACK:
        msg = (
            f"{event}: Alpaca takes an execution back; bust or correct the fill {_text(data, 'previous_execution_id')}"
        )
        raise InputError(msg, field="event")
    if event in FILLS:
        price, quantity = _number(data, "price"), _number(data, "qty")
        if price is None or quantity is None:
            msg = f"{event}: without price or qty"
            raise InputError(msg, field="price")
        yield from of_order(order, status="new", ordered=_ordered(order, price), at=at)
        yield _fill(order, quantity, price, side=_side(order), fill_id=_text(data, "execution_id"), at=at, raw=data)
        return
    status = {"pending_cancel": event, "pending_replace": event}.get(event) or STATUSES.get(_text(order, "status"))
    reason = _text(data, "reason") or (event if event not in {"new", "fill", status} else "")
    yield from of_order(order, status=STATUSES.get(event) or status or "new", reason=reason, at=at)


def of_order(
    order: Data,
    *,
    status: str = "",
    reason: str = "",
    ordered: Decimal | None = None,
    at: int | None = None,
    filled: bool = False,
) -> Iterator[Item]:
    """Yield an order, and its legs.

    Args:
        order: as Alpaca describes it.
        status: the book's status, when it is not to be read from the order.
        reason: of the status.
        ordered: the quantity of a notional order, above 0, once it can be told.
        at: when this was so, nanoseconds since 1970 UTC.
        filled: whether to take what is filled from it: where no executions are seen.
    """
    legs: Sequence[Data] = order.get("legs") or ()
    if not order.get("symbol") and legs:  # several options in one: each leg is an order of its own
        for leg in legs:
            yield from of_order(leg, filled=filled, at=at)
        return
    known = status or STATUSES.get(_text(order, "status"), "new")
    if _text(order, "status") == "replaced" and not reason:
        reason = f"replaced by {_text(order, 'replaced_by')}"
    symbol = instrument(order)
    yield from _option(order, symbol)
    yield from _bracket(order, legs)
    total = _number(order, "filled_qty") or ZERO
    yield OrderSeen(
        instrument=symbol,
        status=known,
        venue_order_id=_text(order, "id"),
        quantity=_number(order, "qty") or ordered or (total or None),
        filled=total if filled else None,
        average=_number(order, "filled_avg_price") if filled else None,
        reason=reason,
        created_ns=_moment(order, "created_at"),
        occurred_ns=_when(order, known) or at or _moment(order, "updated_at"),
        raw=_raw(order),
        **_terms(order),
    )
    for leg in legs:
        yield from of_order(leg, filled=filled, at=at)


def of_activity(row: Data, *, symbol: str = "", client_order_id: str = "") -> facts.Fill:
    """Return the execution that a FILL activity tells of.

    Args:
        row: as Alpaca lists it.
        symbol: of the order, where the list writes it otherwise.
        client_order_id: of the order, when it is known.
    """
    quantity, price = _number(row, "qty"), _number(row, "price")
    if quantity is None or price is None:
        msg = "a FILL activity without price or qty"
        raise InputError(msg, field="price")
    order = {"symbol": symbol or row["symbol"], "id": row.get("order_id"), "client_order_id": client_order_id}
    at = _moment(row, "transaction_time")
    return _fill(order, quantity, price, side=_side(row), fill_id=execution_of(row), at=at, raw=row)


def execution_of(row: Data) -> str:
    """Return an activity's execution: what follows the time in its id."""
    return _text(row, "id").rpartition("::")[2]


def instrument(order: Data) -> str:
    """Return the symbol of an order; crypto as BASE/QUOTE, all others as given."""
    symbol = _text(order, "symbol")
    if _text(order, "asset_class") == "crypto" and "/" not in symbol:
        for quote in _QUOTES:
            if symbol.endswith(quote) and len(symbol) > len(quote):
                return f"{symbol.removesuffix(quote)}/{quote}"
    return symbol


# ---- parts ----


def _fill(  # noqa: PLR0913  the parts of one execution
    order: Data, quantity: Decimal, price: Decimal, *, side: str, fill_id: str, at: int | None, raw: Data
) -> facts.Fill:
    if not fill_id:
        msg = "an execution without id cannot be told from the next one"
        raise InputError(msg, field="execution_id")
    return facts.Fill(
        instrument=instrument(order),
        side=side,
        quantity=quantity,
        price=price,
        occurred_ns=at,
        venue=VENUE,
        venue_fill_id=fill_id,
        venue_order_id=_text(order, "id"),
        client_order_id=_text(order, "client_order_id"),
        raw=_raw(raw),
    )


def _terms(order: Data) -> dict[str, Any]:
    """Return what an order is, apart from how far it is."""
    kind = _text(order, "type") or _text(order, "order_type") or "market"
    percent = _number(order, "trail_percent")
    return {
        "side": _side(order),
        "client_order_id": _text(order, "client_order_id"),
        "kind": kind if kind in _KINDS else "market",
        "limit_price": _number(order, "limit_price"),
        "stop_price": _number(order, "stop_price"),
        "trail_amount": _number(order, "trail_price"),
        "trail_ratio": None if percent is None else quotient(percent, _PERCENT),
        "time_in_force": _FORCES.get(_text(order, "time_in_force"), "DAY"),
        "reduce_only": _text(order, "position_intent").endswith("_to_close"),
    }


def _ordered(order: Data, price: Decimal) -> Decimal | None:
    """Return the quantity of a notional order: what has filled of a filled one, else its money at this price."""
    if _number(order, "qty") is not None:
        return None
    filled = _number(order, "filled_qty")
    notional = _number(order, "notional")
    if _text(order, "status") == "filled" or notional is None or not price:
        return filled
    about = quotient(notional, price).quantize(_STEP)
    return max(about, filled or ZERO)


def _bracket(order: Data, legs: Sequence[Data]) -> Iterator[facts.Order]:
    """Yield the orders that belong together: legs wait for their parent (OTO), or cancel one another (OCO)."""
    name, together = _text(order, "client_order_id"), _text(order, "order_class")
    if not legs or not name:
        return
    group = name if together in {"oco", "bracket"} else ""
    if together == "oco":
        yield from _leg(order, group=group, parent="")
    for leg in legs:
        yield from _leg(leg, group=group, parent="" if together == "oco" else name)


def _leg(order: Data, *, group: str, parent: str) -> Iterator[facts.Order]:
    quantity = _number(order, "qty")
    if quantity is not None:
        yield facts.Order(
            instrument=instrument(order),
            quantity=quantity,
            venue=VENUE,
            group_id=group,
            parent_id=parent,
            occurred_ns=_moment(order, "created_at"),
            raw=_raw(order),
            **_terms(order),
        )


def _option(order: Data, symbol: str) -> Iterator[facts.Instrument]:
    """Yield what an option's symbol says of it."""
    match = _OCC.fullmatch(symbol) if _text(order, "asset_class") in {"us_option", ""} else None
    if match is not None:
        base, year, month, day, side, strike = match.groups()
        yield facts.Instrument(
            symbol=symbol,
            kind="option",
            base=base,
            contract_size=OPTION_SIZE,
            expires_at=datetime(2000 + int(year), int(month), int(day), 16, tzinfo=ZoneInfo("America/New_York")),
            strike=multiply(Decimal(strike), Decimal("0.001")),
            option_kind="call" if side == "C" else "put",
        )


def _when(order: Data, status: str) -> int | None:
    """Return when an order came to its last status, by its own word: the same in every report of it."""
    name = {"canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at", "filled": "filled_at"}
    return _moment(order, name.get(status, "")) or (_moment(order, "replaced_at") if status == "canceled" else None)


def _side(data: Data) -> str:
    """Return buy or sell, for sell_short too; what is neither as it is."""
    word = _text(data, "side")
    return "sell" if word.startswith("sell") else word


def _text(data: Data, name: str) -> str:
    value = data.get(name)
    return "" if value is None else str(getattr(value, "value", value))


def _number(data: Data, name: str) -> Decimal | None:
    value = data.get(name)
    if value is None or value == "":
        return None
    return exact(value) if isinstance(value, float) else number(name, value)


def _moment(data: Data, name: str) -> int | None:
    value = data.get(name)
    return None if not value else times.to_ns(name, value)


def _raw(data: Data) -> dict[str, Any]:
    """Return what came, with the names of the numbers that had become floats."""
    kept = dict(data)
    floats = sorted(name for name, value in data.items() if isinstance(value, float) and name != "position_qty")
    return kept | {"floats": floats} if floats else kept
