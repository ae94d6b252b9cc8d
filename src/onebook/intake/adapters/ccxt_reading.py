"""What ccxt's unified structures say, as facts of the book. Nothing here talks to anybody."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from onebook.domain import facts
from onebook.domain.identity import content_id
from onebook.domain.numbers import ZERO, exact
from onebook.errors import InputError
from onebook.intake.adapters.ccxt_numbers import Numbers
from onebook.intake.adapters.recorder_seen import Item, OrderSeen, PositionSeen

NS = 1_000_000
"""Nanoseconds of a millisecond, ccxt's unit of time."""

STATUSES = {
    "open": "new",
    "closed": "filled",
    "canceled": "canceled",
    "cancelled": "canceled",
    "canceling": "pending_cancel",
    "expired": "expired",
    "expired_in_match": "expired",
    "rejected": "rejected",
    "failed": "rejected",
}
_KINDS = {"spot": "spot", "margin": "spot", "swap": "perpetual", "future": "future", "option": "option"}
_TICK_SIZE, _DECIMAL_PLACES = 4, 2
_CLOSED_BY = {
    "full_liquidation": "liquidation",
    "partial_liquidation": "liquidation",
    "liquidation": "liquidation",
    "BustTrade": "liquidation",
    "CALCULATED": "liquidation",
    "LIQUIDATION": "liquidation",
    "adl": "adl",
    "AdlTrade": "adl",
    "ADL": "adl",
    "delivery": "expiry",
    "Delivery": "expiry",
    "Settle": "expiry",
}
"""Words with which venues say that they, not the bot, closed a position."""
_CLOSED_FIELDS = ("category", "execType", "type", "x", "o")
_CLOSED_IDS = {"autoclose-": "liquidation", "adl_autoclose": "adl", "settlement_autoclose-": "expiry"}
"""How binance names the orders of its own."""
_LEGS = {"long": "long", "short": "short", "LONG": "long", "SHORT": "short", "1": "long", "2": "short"}
_CLIENT_IDS = ("clientOrderId", "newClientOrderId", "clOrdId", "clOrdID", "orderLinkId", "clientOid", "cl_ord_id",
               "client_order_id", "client_oid", "cloid", "externalOid", "text", "label")  # fmt: skip
COSTS = ("cost", "quoteOrderQty", "quoteOrderQuantity")
"""Parameters that say what an order spends."""
_TRIGGERS = ("triggerPrice", "stopPrice", "stopLossPrice", "takeProfitPrice")


def ns_of(milliseconds: object) -> int | None:
    """Return ccxt's time in nanoseconds since 1970 UTC."""
    return int(milliseconds) * NS if isinstance(milliseconds, int | float) and milliseconds else None


def instrument_of(market: Mapping[str, Any], precision_mode: int) -> facts.Instrument:
    """Return a market as an instrument.

    Args:
        market: ccxt's market structure.
        precision_mode: of its exchange: whether a precision is a step or a number of places.
    """
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    cost = (limits.get("cost") or {}).get("min")
    size = market.get("contractSize")
    return facts.Instrument(
        symbol=market["symbol"],
        kind=_KINDS.get(str(market.get("type")), ""),
        base=market.get("base") or "",
        quote=market.get("quote") or "",
        settle=market.get("settle") or "",
        contract_size=exact(size) if size and market.get("contract") else Decimal(1),
        tick_size=_step(precision.get("price"), precision_mode),
        lot_size=_step(precision.get("amount"), precision_mode),
        min_notional=None if cost is None else exact(cost),
        expires_at=market.get("expiryDatetime"),
        strike=None if market.get("strike") is None else exact(market["strike"]),
        option_kind=market.get("optionType") or "",
    )


def _step(precision: Any, mode: int) -> Decimal | None:
    if not precision and precision != 0:
        return None
    if mode == _TICK_SIZE:
        return exact(precision) or None
    if mode == _DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(precision))
    return None


def trade_items(trade: Mapping[str, Any], *, account: str, venue: str, client_order_id: str = "") -> Iterator[Item]:
    """Yield what one of my trades says: a fill, its further fees, or a funding payment.

    Raises:
        InputError: it is not complete, or a number cannot be kept.
    """
    info = trade.get("info") or {}
    numbers = Numbers(info)
    if isinstance(info, Mapping) and info.get("execType") == "Funding":
        yield from _funding_trade(trade, numbers, account)
        return
    fees = _fees(trade, info)
    first = fees[0] if fees else {}
    fee, price, quantity = numbers.number(first.get("cost")), trade.get("price"), trade.get("amount")
    if quantity is None or price is None:
        raise InputError("the trade says no amount or no price")
    names: dict[str, Any] = {
        "instrument": trade.get("symbol") or "",
        "side": trade.get("side") or "",
        "quantity": numbers.number(quantity),
        "price": numbers.number(price),
        "account": account,
        "occurred_ns": ns_of(trade.get("timestamp")),
        "venue": venue,
        "venue_fill_id": str(trade.get("id") or ""),
        "venue_order_id": str(trade.get("order") or ""),
        "client_order_id": client_order_id,
        "leg": _leg(info),
        "fee": fee,
        "fee_currency": first.get("currency") if fee is not None else None,
        "liquidity": trade.get("takerOrMaker") or "",
        "close_reason": _close_reason(info),
        "tags": numbers.tags,
        "raw": _plain(info),
    }
    fill = facts.Fill(**names)
    if not fill.venue_fill_id and fill.occurred_ns is not None:
        fill = fill.replaced(client_fill_id=content_id(fill))
    yield fill
    for more in fees[1:]:
        yield from _further_fee(fill, more["currency"], numbers.number(more["cost"]))


def _further_fee(fill: facts.Fill, currency: str, cost: Decimal | None) -> Iterator[Item]:
    """Yield a fee that a fill has beside its first one, in a currency of its own."""
    if cost:
        name = fill.venue_fill_id or fill.client_fill_id
        yield facts.CashMovement(
            currency=currency,
            amount=-cost,
            kind="fee",
            movement_id=f"{fill.venue}:{fill.instrument}:{name}:fee:{currency}",
            account=fill.account,
            instrument=fill.instrument,
            occurred_ns=fill.occurred_ns,
        )


def _fees(trade: Mapping[str, Any], info: object) -> list[Mapping[str, Any]]:
    """Return what a trade says of its fees, charged when positive.

    A trade that ccxt makes of a message of OKX's order stream keeps OKX's sign, below 0 for charged, where the same
    trade asked for by REST has it turned round; so there the message itself is read.
    """
    if isinstance(info, Mapping) and info.get("fillFee") and info.get("fillFeeCcy"):
        return [{"cost": (-Decimal(info["fillFee"])), "currency": info["fillFeeCcy"]}]
    found = trade.get("fees") or [trade.get("fee")]
    return [fee for fee in found if fee and fee.get("cost") is not None]


def _funding_trade(trade: Mapping[str, Any], numbers: Numbers, account: str) -> Iterator[Item]:
    """Yield the funding that bybit lists among the trades; its fee is what was paid."""
    paid = numbers.number((trade.get("fee") or {}).get("cost"))
    if paid:
        yield facts.FundingPayment(
            instrument=trade["symbol"],
            amount=-paid,
            currency=(trade.get("fee") or {}).get("currency"),
            funding_id=f"{trade['symbol']}:{trade['timestamp']}",
            account=account,
            occurred_ns=ns_of(trade.get("timestamp")),
            raw=_plain(trade.get("info")),
        )


def funding_items(payment: Mapping[str, Any], *, account: str) -> Iterator[Item]:
    """Yield what an entry of the funding history says: + received, - paid. A payment of nothing is none."""
    numbers = Numbers(payment.get("info"))
    amount = numbers.number(payment.get("amount"))
    if amount is None:
        raise InputError("the payment says no amount")
    if amount != ZERO:
        yield facts.FundingPayment(
            instrument=payment["symbol"],
            amount=amount,
            currency=payment.get("code"),
            funding_id=f"{payment['symbol']}:{payment['timestamp']}",
            account=account,
            occurred_ns=ns_of(payment.get("timestamp")),
            tags=numbers.tags,
            raw=_plain(payment.get("info")),
        )


def position_items(position: Mapping[str, Any]) -> Iterator[Item]:
    """Yield what the venue says that it holds, signed."""
    quantity = Numbers(position.get("info")).number(position.get("contracts"))
    if quantity is None:
        raise InputError("the position says no number of contracts")
    sign = -1 if position.get("side") == "short" and quantity > ZERO else 1
    leg = str(position.get("side") or "") if position.get("hedged") is True else ""
    yield PositionSeen(instrument=position["symbol"], quantity=quantity * sign, leg=leg)


def order_items(
    order: Mapping[str, Any], *, account: str, venue: str, client_order_id: str = "", status: str = ""
) -> Iterator[Item]:
    """Yield what an order structure says: the order, and the executions in it.

    Args:
        order: ccxt's order structure; it may hold no more than an id.
        account: whose.
        venue: where.
        client_order_id: what we called it; empty: what the venue says.
        status: what holds when the structure says nothing of it.

    Raises:
        InputError: a number cannot be kept.
    """
    info = order.get("info") or {}
    numbers = Numbers(info)
    ours = client_order_id or str(order.get("clientOrderId") or "")
    fees = [fee for fee in order.get("fees") or [order.get("fee")] if fee and fee.get("cost") is not None]
    fee = numbers.number(fees[0]["cost"]) if len(fees) == 1 else None
    amount, filled, average = (numbers.number(order.get(name)) for name in ("amount", "filled", "average"))
    status = _status(order, amount, filled) or status
    kind = kind_of(str(order.get("type") or ""), order)
    seen = OrderSeen(
        instrument=order.get("symbol") or "",
        side=order.get("side") or "",
        status=status,
        venue_order_id=str(order.get("id") or ""),
        client_order_id=ours,
        kind=kind,
        quantity=amount or None,
        filled=filled,
        average=average or _price(order, numbers, filled),
        fee=fee,
        fee_currency=fees[0].get("currency") if fee is not None else None,
        limit_price=(numbers.number(order.get("price")) or None) if kind in {"limit", "stop_limit"} else None,
        stop_price=numbers.number(_first(order, _TRIGGERS)) or None,
        time_in_force=time_in_force(order.get("timeInForce")),
        reduce_only=order.get("reduceOnly") is True,
        leg=_leg(info),
        close_reason=_close_reason(info),
        reason=_reason(info) if status == "rejected" else "",
        created_ns=ns_of(order.get("timestamp")),
        occurred_ns=_changed(order),
        tags=numbers.tags,
        raw=_plain(info),
    )
    inside = list(_inside(order, account=account, venue=venue, client_order_id=ours))
    if inside:
        yield seen.replaced(filled=None, average=None, status="" if status in {"filled", "canceled"} else status)
        yield from inside
    yield seen


def _status(order: Mapping[str, Any], amount: Decimal | None, filled: Decimal | None) -> str:
    """Return the book's word for an order's status; empty when nothing is said."""
    status = STATUSES.get(str(order.get("status") or "").lower(), "")
    if status == "filled" and amount is not None and filled is not None and filled < amount:
        return "canceled"
    return "partially_filled" if status == "new" and filled else status


def _inside(order: Mapping[str, Any], *, account: str, venue: str, client_order_id: str) -> Iterator[Item]:
    """Yield the executions that an order structure holds; what they leave out is as the order says."""
    known = {name: order.get(name) for name in ("symbol", "side", "timestamp")} | {"order": order.get("id")}
    for trade in order.get("trades") or ():
        if trade.get("id") and trade.get("amount"):
            said = {name: value for name, value in trade.items() if value is not None}
            yield from trade_items(known | said, account=account, venue=venue, client_order_id=client_order_id)


def _price(order: Mapping[str, Any], numbers: Numbers, filled: Decimal | None) -> Decimal | None:
    """Return the average from what an order cost, where the average itself is not given."""
    cost = numbers.number(order.get("cost"))
    if not cost or not filled or ":" in str(order.get("symbol")):
        return None  # of a contract the cost is no price times quantity
    average = float(order["cost"]) / float(order["filled"])
    return numbers.number(average)


def _changed(order: Mapping[str, Any]) -> int | None:
    times = [order.get(name) for name in ("lastUpdateTimestamp", "lastTradeTimestamp")]
    known = [ns for value in times if (ns := ns_of(value)) is not None]
    return max(known, default=ns_of(order.get("timestamp")))


def kind_of(named: str, terms: Mapping[str, Any]) -> str:
    """Return the book's kind of order for ccxt's type and parameters."""
    named = named.lower()
    if _first(terms, ("trailingAmount", "trailingPercent", "callbackRate")) or "trailing" in named:
        return "trailing_stop"
    limit = "limit" in named or named in {"post_only", "ioc", "fok"}
    if _first(terms, _TRIGGERS) or "stop" in named or "take_profit" in named or "trigger" in named:
        return "stop_limit" if limit else "stop"
    return "limit" if limit else "market"


def time_in_force(given: object) -> str:
    """Return the book's word for how long an order lives."""
    word = str(given or "").upper()
    return word if word in {"DAY", "IOC", "FOK", "GTD"} else "GTC"


def client_id_in(params: Mapping[str, Any]) -> str:
    """Return the client order id that a bot gave among its parameters, under any venue's name for it."""
    return str(_first(params, _CLIENT_IDS) or "")


def order_of(
    *,
    symbol: str,
    type: str,  # noqa: A002  ccxt's word
    side: str,
    amount: object,
    price: object = None,
    params: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the terms that a bot hands to ``create_order`` as fields of an order of the book."""
    params = params or {}
    kind = kind_of(type or "", params)
    trigger = _first(params, _TRIGGERS)
    ratio = _first(params, ("trailingPercent", "callbackRate"))
    trail = params.get("trailingAmount")
    return {
        "instrument": symbol,
        "side": str(side).lower(),
        "quantity": _exact(amount),
        "kind": kind,
        "limit_price": _exact(price) if price and kind in {"limit", "stop_limit"} else None,
        "stop_price": _exact(trigger) if trigger else None,
        "trail_amount": _exact(trail) if trail else None,
        "trail_ratio": _exact(ratio).scaleb(-2) if ratio else None,
        "time_in_force": time_in_force(params.get("timeInForce")),
        "reduce_only": str(params.get("reduceOnly")).lower() == "true",
        "leg": _leg(params),
    }


def cost_of(given: Mapping[str, Any]) -> Decimal | None:
    """Return what an order by cost spends, as the bot gave it to ``create_order``; None when it is no number."""
    named = _first(given.get("params") or {}, COSTS)
    value = given.get("amount") if named is None else named
    return _exact(value) if value else None


def _exact(value: Any) -> Decimal:
    return exact(value)


def _first(source: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the first value that is one, and no list or mapping."""
    found = (source.get(name) for name in names)
    return next((value for value in found if value and isinstance(value, str | int | float | Decimal)), None)


def _leg(info: object) -> str:
    """Return the leg that a venue in hedge mode names."""
    if not isinstance(info, Mapping):
        return ""
    for name in ("positionSide", "posSide", "ps", "positionIdx"):
        word = info.get(name)
        if isinstance(word, str | int) and (leg := _LEGS.get(str(word))):
            return leg
    return ""


def _close_reason(info: object) -> str:
    """Return why the venue itself closed a position; empty when the bot did."""
    if not isinstance(info, Mapping):
        return ""
    for name in _CLOSED_FIELDS:
        word = info.get(name)
        if isinstance(word, str) and (reason := _CLOSED_BY.get(word)):
            return reason
    ours = str(info.get("clientOrderId") or info.get("c") or "")
    return next((reason for begin, reason in _CLOSED_IDS.items() if ours.startswith(begin)), "")


def _reason(info: object) -> str:
    if not isinstance(info, Mapping):
        return ""
    return str(_first(info, ("rejectReason", "reason", "r", "sMsg", "cancelSource", "msg")) or "")


def _plain(info: object) -> dict[str, Any]:
    return dict(info) if isinstance(info, Mapping) else {"info": info}
