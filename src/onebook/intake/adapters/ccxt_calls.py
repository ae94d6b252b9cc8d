"""Which calls of a ccxt exchange say something for the book, and what: before they are sent, and of their answers."""

import copy
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from onebook.domain import facts
from onebook.feed.calling import tried
from onebook.intake.adapters import ccxt_reading as reading
from onebook.intake.adapters.ccxt_shapes import Shape
from onebook.intake.adapters.recorder import Item, OrderSeen, Recorder
from onebook.intake.adapters.recorder_seen import SENT

CREATE = ("create_order", "create_order_ws")
CREATE_MANY = ("create_orders", "create_orders_ws")
EDIT = ("edit_order", "edit_order_ws", "edit_contract_order", "edit_contract_order_ws")
EDIT_MANY = ("edit_orders", "edit_orders_ws")
CANCEL = ("cancel_order", "cancel_order_ws")
CANCEL_MANY = (
    "cancel_orders",
    "cancel_orders_ws",
    "cancel_orders_for_symbols",
    "cancel_all_orders",
    "cancel_all_orders_ws",
    "cancel_all_orders_after",
)
ORDERS = (
    "fetch_order",
    "fetch_orders",
    "fetch_open_order",
    "fetch_open_orders",
    "fetch_closed_order",
    "fetch_closed_orders",
    "fetch_canceled_orders",
    "fetch_canceled_and_closed_orders",
    "fetch_order_ws",
    "fetch_orders_ws",
    "fetch_open_orders_ws",
    "fetch_closed_orders_ws",
    "close_position",
    "watch_orders",
    "watch_orders_for_symbols",
)
TRADES = (
    "fetch_my_trades",
    "fetch_my_trades_ws",
    "fetch_order_trades",
    "watch_my_trades",
    "watch_my_trades_for_symbols",
)
FUNDING = ("fetch_funding_history",)
POSITIONS = ("fetch_positions", "fetch_positions_ws")
ALL = (*CREATE, *CREATE_MANY, *EDIT, *EDIT_MANY, *CANCEL, *CANCEL_MANY, *ORDERS, *TRADES, *FUNDING, *POSITIONS)

TAKES_IDS = frozenset(
    {
        *("binance", "binanceus", "binanceusdm", "binancecoinm"),
        *("okx", "okxus", "myokx", "bybit", "bybiteu", "kucoin", "bitget", "coinbase"),
    }
)
"""Exchanges that take 32 letters and digits as the ``clientOrderId`` of an order."""

BY_TARGET = frozenset({"okx", "okxus", "myokx"})
"""Exchanges whose market buys name the base, unless ``tgtCcy`` says otherwise."""

REFUSED = frozenset(
    {
        *("AuthenticationError", "BadRequest", "InsufficientFunds", "InvalidAddress", "InvalidOrder", "NotSupported"),
        *("OperationRejected", "ArgumentsRequired", "ContractUnavailable", "RateLimitExceeded", "InvalidNonce"),
    }
)
"""Errors of ccxt with which the venue surely did not take an order, with those below them; after others, such as a
bare ExchangeError with a code that ccxt does not know, nobody knows."""
DUPLICATE = re.compile(
    r"duplicat|must be unique|already (exist|used|been used)|is exist"
    r"""|[cC]ode["']?\s*[:=]\s*["']?(51016|110072|170141|12141|-4116|126044)\b""",
    re.IGNORECASE,
)
"""How venues say that they have an order of this client order id; ccxt names it in different ways."""
MAX_SEEN = 10_000


@dataclass(slots=True)
class Call:
    """One call of a bot: its arguments, and the orders that it sends."""

    name: str
    exchange: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outer: "Call | None" = None
    """The call that this one is a part of, where one way to send orders uses another."""
    given: dict[str, Any] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    """Our ids of the orders that it sends, in their order."""
    unsent: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Those of them that the venue is not told, with what tells orders apart: a call inside this one may send them."""
    adopted: set[str] = field(default_factory=set)
    """Those of them that are the outer call's, and recorded by it."""
    made_ns: int = 0
    """When its orders were made, in nanoseconds since 1970 UTC: it tells one try from the next."""
    is_sent: bool = False
    hides: bool = False
    """Whether the venue is not told our ids, so that only the answer says which order is which."""


class Calls:
    """Makes items of calls and their answers. Nothing of it raises into the bot: the recorder reads with care.

    Args:
        exchange: whose calls.
        recorder: where to.
        send_ids: whether an order without a client order id is sent with one of ours.
        since_ns: what happened before is left out; nanoseconds since 1970 UTC.
    """

    def __init__(self, exchange: Any, recorder: Recorder, *, send_ids: bool, since_ns: int) -> None:
        self._exchange, self._recorder = exchange, recorder
        self._sends_ids = send_ids and str(exchange.id) in TAKES_IDS
        self._since = since_ns
        self._told: set[str] = set()
        self._seen: dict[tuple[Any, ...], None] = {}
        self._lock = threading.Lock()
        self._sent: dict[str, None] = {}

    def of(self, exchange: Any) -> Self:
        """Return the same for the exchange that is called, which may be a copy that the bot made."""
        if exchange is self._exchange:
            return self
        mine = copy.copy(self)
        mine._exchange = exchange  # noqa: SLF001  it is one of us
        return mine

    # ---- before ----

    def begin(self, call: Call, shape: Shape) -> None:
        """Name a call's arguments, and put our id into what it sends."""
        call.made_ns = self._recorder.book.now()
        call.given = shape.given(call.args, call.kwargs)
        name = "params" if call.name in CREATE else "orders"
        sends = self._sends_ids and shape.takes(name)
        if call.name in CREATE:
            value: Any = self._with_id(call, call.given, sends=sends)
        elif call.name in CREATE_MANY:
            orders = call.given["orders"]
            value = [{**order, "params": self._with_id(call, order, sends=sends)} for order in orders]
        else:
            return
        if sends:
            call.args, call.kwargs = shape.replaced(call.args, call.kwargs, name, value)

    def _with_id(self, call: Call, order: Mapping[str, Any], *, sends: bool) -> Mapping[str, Any]:
        params = order.get("params") or {}
        given = reading.client_id_in(params)
        if given:
            call.orders.append(given)
            self._remember(given)
            return params
        terms = tuple(str(order.get(name)) for name in ("symbol", "type", "side", "amount"))
        outer = call.outer.unsent if call.outer is not None else {}
        ours = next((name for name, asked in outer.items() if asked == terms), "")
        if ours:
            del outer[ours]
            call.adopted.add(ours)
        call.orders.append(ours or self._recorder.make_id())
        if sends:
            self._remember(call.orders[-1])
            return {**params, "clientOrderId": call.orders[-1]}
        call.hides = True
        call.unsent[call.orders[-1]] = terms
        return params

    def _remember(self, order_id: str) -> None:
        """Keep an id that the venue is told: its executions may name it before the order is answered."""
        with self._lock:
            self._sent[order_id] = None
            if len(self._sent) > MAX_SEEN:
                del self._sent[next(iter(self._sent))]

    def wishes(self, call: Call) -> Iterator[Item]:
        """Yield the orders that a call is about to send."""
        if call.name in CREATE:
            terms = [call.given]
        elif call.name in CREATE_MANY:
            terms = list(call.given["orders"])
        else:
            return
        for order_id, given in zip(call.orders, terms, strict=True):
            if order_id in call.adopted:
                continue
            yield from self._instruments([given["symbol"]])
            if self._is_by_cost(given):
                yield self._by_cost(order_id, given, call.made_ns)
            else:
                yield self._order(order_id, given, call.made_ns)

    def _by_cost(self, order_id: str, given: Mapping[str, Any], at: int) -> OrderSeen:
        """Return an order that names what it spends; how much it buys is known when the venue says it."""
        return OrderSeen(
            instrument=given["symbol"],
            side=str(given["side"]).lower(),
            status="pending_new",
            client_order_id=order_id,
            kind=reading.kind_of(str(given.get("type") or ""), given.get("params") or {}),
            cost=reading.cost_of(given),
            created_ns=at,
            occurred_ns=at,
        )

    def _order(self, order_id: str, given: Mapping[str, Any], at: int) -> facts.Order:
        names = ("symbol", "type", "side", "amount", "price", "params")
        terms = reading.order_of(**{name: given[name] for name in names if name in given})
        market = (self._exchange.markets or {}).get(given["symbol"])
        if market is not None:  # what ccxt is going to send: cut to the venue's steps
            cut, problem = tried(lambda: self._exchange.amount_to_precision(given["symbol"], given["amount"]))
            terms["quantity"] = terms["quantity"] if cut is None else cut
            self._recorder.contain(problem, "an amount is not what the venue takes", logging.DEBUG)
            if terms["limit_price"] is not None:
                cut, problem = tried(lambda: self._exchange.price_to_precision(given["symbol"], given["price"]))
                terms["limit_price"] = terms["limit_price"] if cut is None else cut
                self._recorder.contain(problem, "a price is not what the venue takes", logging.DEBUG)
        own = self._recorder
        return facts.Order(
            client_order_id=order_id,
            account=own.account,
            strategy=own.strategy,
            venue=own.venue,
            occurred_ns=at,
            **terms,
        )

    def _is_by_cost(self, given: Mapping[str, Any]) -> bool:
        """Say whether an order names what it spends and not what it buys."""
        params = given.get("params") or {}
        options = self._exchange.options
        if any(params.get(name) for name in reading.COSTS):
            return True
        if str(self._exchange.id) in BY_TARGET:
            return str(params.get("tgtCcy") or options.get("tgtCcy")) == "quote_ccy"
        market_buy = given.get("type") == "market" and given.get("side") == "buy"
        requires = options.get("createMarketBuyOrderRequiresPrice")
        return market_buy and (requires is False or params.get("createMarketBuyOrderRequiresPrice") is False)

    # ---- after ----

    def answer(self, call: Call, result: Any) -> Iterator[Item]:
        """Yield what an answer says."""
        name = call.name
        if name in {*CREATE, *CREATE_MANY}:
            answers = result if isinstance(result, list) else [result]
            ids = call.orders if len(call.orders) == len(answers) else [""] * len(answers)
            given = [call.given] if name in CREATE else call.given["orders"]
            for order_id, answered, sent in zip(ids, answers, given, strict=False):
                read = partial(self._created, order_id, answered, sent)
                yield from self._recorder.read(read, what="order", raw=answered, instrument=str(sent.get("symbol")))
        elif name in EDIT:
            yield from self._edited(call.given, result)
        elif name in EDIT_MANY:
            for given, answered in zip(call.given["orders"], result, strict=False):
                yield from self._edited(given, answered)
        elif name in {*CANCEL, *CANCEL_MANY}:
            yield from self._canceled(call, result)
        elif name in ORDERS:
            own = name == "close_position"
            yield from self._each("order", result, partial(self._read_order, own=own))
        elif name in TRADES:
            yield from self._each("fill", result, self._read_trade)
        elif name in FUNDING:
            yield from self._each("funding", result, partial(reading.funding_items, account=self._recorder.account))
        elif name in POSITIONS:
            yield from self._each("position", result, reading.position_items)

    def failure(self, call: Call, problem: BaseException | None) -> Iterator[Item]:
        """Yield what becomes of the orders of a call that raised: refused, or nobody knows."""
        kinds = {kind.__name__ for kind in type(problem).__mro__}
        if call.name not in {*CREATE, *CREATE_MANY}:
            return
        text = str(problem)
        is_there = "DuplicateOrderId" in kinds or (call.is_sent and DUPLICATE.search(text) is not None)
        is_refused = not call.is_sent or (kinds & REFUSED and call.name in CREATE)
        status = "rejected" if is_refused and not is_there else "unknown"
        reason = f"{type(problem).__name__}: {text}"[:500]
        for order_id in call.orders:
            yield facts.OrderUpdate(
                client_order_id=order_id,
                status=status,
                account=self._recorder.account,
                reason=reason,
                raw={SENT: call.made_ns},
            )

    def _created(self, order_id: str, answered: Mapping[str, Any], sent: Mapping[str, Any]) -> Iterator[Item]:
        known = {"symbol": sent["symbol"], "side": sent["side"], "type": sent["type"]}
        answered = {**known, **{name: value for name, value in answered.items() if value is not None}}
        items = self._read_order(answered, order_id=order_id, status="new", own=True)
        if not self._is_by_cost(sent):
            yield from items
            return
        cost = reading.cost_of(sent)
        yield from (item.replaced(cost=cost) if isinstance(item, OrderSeen) else item for item in items)

    def _edited(self, given: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[Item]:
        """Yield the new terms of an order; where the venue made another order of it, the old one is off."""
        old, new = str(given["id"]), str(result.get("id") or given["id"])
        if old != new:
            yield OrderSeen(venue_order_id=old, status="canceled", reason=f"replaced by {new}", heard=True)
            known = {"symbol": given["symbol"], "side": given.get("side"), "type": given.get("type") or "limit"}
            known |= {name: given[name] for name in ("amount", "price") if given.get(name) is not None}
            said = {name: value for name, value in result.items() if value is not None}
            yield from self._read_order({**known, **said}, status="new", own=True)
            return
        asked = {name: given.get(name) for name in ("amount", "price")}
        said = {name: value for name, value in result.items() if value is not None}
        kind = given.get("type") or "limit"
        yield from self._read_order({"type": kind, "symbol": given["symbol"], **asked, **said, "id": new})

    def _canceled(self, call: Call, result: Any) -> Iterator[Item]:
        """Yield that orders are off, or that the venue took the wish, where it says no more."""
        answers = [item for item in (result if isinstance(result, list) else [result]) if isinstance(item, Mapping)]
        if call.name in CANCEL:
            one = answers[0] if answers else {}
            name = reading.client_id_in(call.given.get("params") or {})
            known = {"id": call.given["id"] or None, "clientOrderId": name or None}
            answers = [known | {key: value for key, value in one.items() if value}]
        for answered in answers:
            if not answered.get("id") and not answered.get("clientOrderId"):
                continue
            said = reading.STATUSES.get(str(answered.get("status") or "").lower(), "")
            ends = said in {"canceled", "filled", "expired", "rejected"}
            yield from self._read_order({**answered, "status": answered["status"] if ends else "canceling"})

    def _read_order(
        self, order: Mapping[str, Any], *, order_id: str = "", status: str = "", own: bool = False
    ) -> Iterator[Item]:
        """Yield what an order structure says; ``own``: it is the answer to what the bot itself ordered."""
        recorder = self._recorder
        yield from self._instruments([order.get("symbol")])
        items = reading.order_items(
            order, account=recorder.account, venue=recorder.venue, client_order_id=order_id, status=status
        )
        yield from (self._whose(item, own=own) for item in items)

    def _read_trade(self, trade: Mapping[str, Any]) -> Iterator[Item]:
        yield from self._instruments([trade.get("symbol")])
        info = trade.get("info")
        named = reading.client_id_in(info) or str(info.get("c") or "") if isinstance(info, Mapping) else ""
        ours = named if named in self._sent else ""
        own = self._recorder
        items = reading.trade_items(trade, account=own.account, venue=own.venue, client_order_id=ours)
        yield from (self._whose(item, own=False) for item in items)

    def _whose(self, item: Item, *, own: bool) -> Item:
        """Return what was told with what is known of whose it is, before the book is asked."""
        own = own or self._recorder.owns_all
        if isinstance(item, OrderSeen):
            return item if own else item.replaced(heard=True)
        return item.replaced(strategy=self._recorder.strategy) if own and isinstance(item, facts.Fill) else item

    def _each(self, what: str, result: Any, read: Callable[[Mapping[str, Any]], Iterable[Item]]) -> Iterator[Item]:
        """Yield what each of an answer's parts says; one that cannot be read keeps no other back."""
        always = what == "position"
        found = result if isinstance(result, list) else [result]
        for part in found:
            if not isinstance(part, Mapping):
                self._recorder.contain(
                    None if part is None else TypeError(f"{part!r:.200}"), f"no {what}", logging.DEBUG
                )
            elif always or not (self._is_repeat(what, part) or self._is_old(part)):
                raw, instrument = part.get("info"), part.get("symbol") or ""
                yield from self._recorder.read(partial(read, part), what=what, raw=raw, instrument=instrument)

    def _is_old(self, part: Mapping[str, Any]) -> bool:
        at = part.get("lastTradeTimestamp") or part.get("lastUpdateTimestamp") or part.get("timestamp")
        return bool(self._since) and isinstance(at, int | float) and at * reading.NS < self._since

    def _is_repeat(self, what: str, part: Mapping[str, Any]) -> bool:
        """Say whether the very same was read lately: caches of ccxt and polls hand it over again and again."""
        names = ("id", "symbol", "order", "status", "filled", "average", "amount", "price", "timestamp",
                 "lastUpdateTimestamp", "lastTradeTimestamp")  # fmt: skip
        fees = part.get("fee") or part.get("fees")
        key = (what, *(part.get(name) for name in names), len(part.get("trades") or ()), str(fees))
        with self._lock:
            if key in self._seen:
                return True
            self._seen[key] = None
            if len(self._seen) > MAX_SEEN:
                del self._seen[next(iter(self._seen))]
        return False

    def _instruments(self, symbols: Iterable[str | None]) -> Iterator[Item]:
        """Yield the definitions of instruments that the bot trades, once each; the book may have others."""
        markets = self._exchange.markets or {}
        mode = int(self._exchange.precisionMode)
        for symbol in symbols:
            if symbol and symbol not in self._told and symbol in markets:
                market = markets[symbol]
                items = self._recorder.read(
                    lambda market=market: [reading.instrument_of(market, mode)],  # type: ignore[misc]
                    what="instrument",
                    raw=market.get("info"),
                )
                self._told.add(symbol)
                yield from items
