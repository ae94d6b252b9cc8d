"""How values of the domain look as plain data: what the log keeps and JSON shows.

Numbers are text in plain notation, times RFC 3339 text in facts and nanoseconds in states, and what is at
its default is left out. Every shape reads back to an equal value.
"""

from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from onebook.domain import facts, times
from onebook.domain.holdings import Holding, Receivable, Transit, Trip
from onebook.domain.movements import Movement, Valuation
from onebook.domain.numbers import ONE, plain

Data = dict[str, Any]

_UNSAVED = frozenset({"occurred_at", "occurred_ns"})
_FILL_TEXTS = (
    "side",
    "venue",
    "venue_fill_id",
    "venue_order_id",
    "client_fill_id",
    "client_order_id",
    "signal_id",
    "leg",
    "fee_currency",
    "liquidity",
    "close_reason",
    "note",
)


def plain_value(value: Any) -> Any:
    """Return a field's value as plain data."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return times.to_text(times.from_datetime("", value))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [plain_value(item) for item in value]
    return value


# ---- facts ----

_FILL_RARE_TEXTS = _FILL_TEXTS[4:]
_fill_rare_texts = attrgetter(*_FILL_RARE_TEXTS)


def fact_data(fact: Any) -> Data:
    """Return a fact without its time (and a fill without what its envelope says)."""
    if type(fact) is facts.Fill:
        return _fill_data(fact)
    data = {}
    for item in fields(fact):
        if item.name in _UNSAVED:
            continue
        value = getattr(fact, item.name)
        if item.name == "raw":
            if value:
                data["raw"] = value
        elif value != item.default:
            data[item.name] = plain_value(value)
    return data


def _fill_data(fill: facts.Fill) -> Data:
    data: Data = {"side": fill.side, "quantity": plain(fill.quantity), "price": plain(fill.price)}
    if fill.fee is not None:
        data["fee"] = plain(fill.fee)
    texts = _fill_rare_texts(fill)
    if any(texts):
        for name, value in zip(_FILL_RARE_TEXTS, texts, strict=True):
            if value:
                data[name] = value
    if fill.venue:
        data["venue"] = fill.venue
    if fill.venue_fill_id:
        data["venue_fill_id"] = fill.venue_fill_id
    if fill.venue_order_id:
        data["venue_order_id"] = fill.venue_order_id
    if fill.tags:
        data["tags"] = list(fill.tags)
    if fill.raw:
        data["raw"] = fill.raw
    return data


def fact_from(kind: str, data: Data, *, account: str, instrument: str, strategy: str, occurred_ns: int) -> Any:
    """Return the fact that this data was made from; keys that are no field of it are left aside."""
    if kind == "fill":
        return _fill_from(data, account, instrument, strategy, occurred_ns)
    known = facts.FACTS[kind]
    names = known.__dataclass_fields__
    given = {name: value for name, value in data.items() if name in names}
    if "occurred_ns" in names:
        given["occurred_ns"] = occurred_ns
    return known(**given)


def _fill_from(data: Data, account: str, instrument: str, strategy: str, occurred_ns: int) -> facts.Fill:
    """Build a fill from the log without checking it again: it was checked when it was made."""
    fill = object.__new__(facts.Fill)
    put = object.__setattr__
    get = data.get
    put(fill, "instrument", instrument)
    put(fill, "account", account)
    put(fill, "strategy", strategy)
    put(fill, "occurred_ns", occurred_ns)
    put(fill, "occurred_at", times.to_datetime(occurred_ns))
    put(fill, "quantity", Decimal(data["quantity"]))
    put(fill, "price", Decimal(data["price"]))
    fee = get("fee")
    put(fill, "fee", None if fee is None else Decimal(fee))
    for name in _FILL_TEXTS:
        put(fill, name, get(name, ""))
    put(fill, "fee_currency", get("fee_currency"))
    put(fill, "tags", tuple(get("tags", ())))
    put(fill, "raw", get("raw", {}))
    return fill


# ---- states ----

_HOLDING_NUMBERS = {
    "quantity": "quantity",
    "cost": "cost_basis",
    "unbased": "unbased",
    "gross": "realized_pnl_gross",
    "fees": "fees",
    "fees_in_base": "fees_in_base",
    "funding": "funding",
    "income": "income",
    "adjusted": "adjusted",
    "cash": "cash",
    "foreign": "foreign",
    "opening": "opening",
    "transfers": "transfers",
    "realized_base": "realized_base",
    "realized_missing": "realized_missing",
    "opening_base": "opening_base",
    "opening_missing": "opening_missing",
    "transfers_base": "transfers_base",
    "transfers_missing": "transfers_missing",
}

_RARE_FIGURES = ("unbased", "fees_in_base", "funding", "income")
_FOLD_ONLY = tuple(
    name
    for name, shown in _HOLDING_NUMBERS.items()
    if name not in {"quantity", "cost", "gross", "fees", "cash", *_RARE_FIGURES}
)
_rare_figures = attrgetter(*_RARE_FIGURES)
_fold_only = attrgetter(*_FOLD_ONLY)


def _figures(holding: Holding) -> Data:
    """Return what everybody asks of a position; what is 0 or empty is left out."""
    data: Data = {}
    if holding.quantity:
        data["quantity"] = plain(holding.quantity)
    if holding.cost:
        data["cost_basis"] = plain(holding.cost)
    if holding.gross:
        data["realized_pnl_gross"] = plain(holding.gross)
    if holding.fees:
        data["fees"] = plain(holding.fees)
    rare = _rare_figures(holding)
    if any(rare):
        data |= {name: plain(value) for name, value in zip(_RARE_FIGURES, rare, strict=True) if value}
    if holding.leg:
        data["leg"] = holding.leg
    if holding.highest is not None:
        data["highest"] = plain(holding.highest)
    if holding.lowest is not None:
        data["lowest"] = plain(holding.lowest)
    if holding.opened_ns is not None:
        data["opened_ns"] = holding.opened_ns
    if holding.flags:
        data["flags"] = holding.flags
    if holding.unvalued:
        data["unvalued"] = {currency: plain(amount) for currency, amount in holding.unvalued.items()}
    return data


def position_data(holding: Holding, occurred_ns: int) -> Data:
    """Return what an event tells of a position, without what only the next fold needs.

    ``updated_ns`` stands there where it is not the entry's own time, ``contract`` (size, inverse) for an open
    position in one whose size is not 1 or that is inverse.
    """
    data = _figures(holding)
    if holding.updated_ns != occurred_ns:
        data["updated_ns"] = holding.updated_ns
    trip = holding.trip
    if trip is not None and (trip.inverse or (trip.contract_size is not ONE and trip.contract_size != ONE)):
        data["contract"] = [plain(trip.contract_size), trip.inverse]
    return data


def holding_data(holding: Holding) -> Data:
    """Return a position's whole state; ``strategy`` and the order stand in its row."""
    data = _figures(holding)
    if holding.cash:
        data["cash"] = plain(holding.cash)
    rare = _fold_only(holding)
    if any(rare):
        data |= {name: plain(value) for name, value in zip(_FOLD_ONLY, rare, strict=True) if value}
    data["updated_ns"] = holding.updated_ns
    data["sequence"] = holding.sequence
    if holding.trip is not None:
        data["trip"] = trip_data(holding.trip)
    if holding.other_cash:
        data["other_cash"] = {currency: plain(amount) for currency, amount in holding.other_cash.items()}
    if holding.transit:
        data["transit"] = [[sent.reference, plain(sent.quantity), plain(sent.cost)] for sent in holding.transit]
    if holding.receivables:
        data["receivables"] = [
            [due.reference, plain(due.amount), due.currency, due.paid_ns] for due in holding.receivables
        ]
    if holding.splits:
        data["splits"] = [list(split) for split in holding.splits]
    return data


def holding_from(data: Data, strategy: str, last: Any) -> Holding:
    """Return the state that this data was made from."""
    holding = Holding(strategy, data.get("leg", ""))
    for name, shown in _HOLDING_NUMBERS.items():
        value = data.get(shown)
        if value is not None:
            setattr(holding, name, Decimal(value))
    for name in ("highest", "lowest"):
        value = data.get(name)
        if value is not None:
            setattr(holding, name, Decimal(value))
    holding.opened_ns = data.get("opened_ns")
    holding.updated_ns = data["updated_ns"]
    holding.sequence = data["sequence"]
    holding.flags = data.get("flags", 0)
    if "trip" in data:
        holding.trip = trip_from(data["trip"])
    for name in ("unvalued", "other_cash"):
        if name in data:
            setattr(holding, name, {currency: Decimal(amount) for currency, amount in data[name].items()})
    if "receivables" in data:
        holding.receivables = tuple(
            Receivable(reference, Decimal(amount), currency, paid)
            for reference, amount, currency, paid in data["receivables"]
        )
    if "transit" in data:
        holding.transit = tuple(
            Transit(reference, Decimal(quantity), Decimal(cost)) for reference, quantity, cost in data["transit"]
        )
    if "splits" in data:
        holding.splits = tuple((at, top, low) for at, top, low in data["splits"])
    holding.last = tuple(last)
    return holding


_TRIP_NUMBERS = (
    "largest",
    "entry_quantity",
    "entry_value",
    "exit_quantity",
    "exit_value",
    "gross",
    "fees",
    "funding",
    "income",
)
_PLAIN_TRIP = 13
"""Items of an open round trip of anything but a contract."""


def trip_data(trip: Trip) -> list[Any]:
    """Return an open round trip as a list: id, opened, direction, nine numbers, signal.

    A contract's size and whether it is inverse follow, where the size is not 1 or it is inverse.
    """
    data = [
        trip.id,
        trip.opened_ns,
        trip.direction,
        plain(trip.largest),
        plain(trip.entry_quantity),
        plain(trip.entry_value),
        plain(trip.exit_quantity),
        plain(trip.exit_value),
        plain(trip.gross),
        plain(trip.fees),
        plain(trip.funding),
        plain(trip.income),
        trip.signal_id,
    ]
    if trip.inverse or (trip.contract_size is not ONE and trip.contract_size != ONE):
        data += [plain(trip.contract_size), trip.inverse]
    return data


def trip_from(data: list[Any]) -> Trip:
    """Return the round trip that this list was made from."""
    trip = Trip(data[0], data[1], data[2], signal_id=data[12])
    for name, text in zip(_TRIP_NUMBERS, data[3:12], strict=True):
        setattr(trip, name, Decimal(text))
    if len(data) > _PLAIN_TRIP:
        trip.contract_size, trip.inverse = Decimal(data[13]), data[14]
    return trip


# ---- movements ----

_MOVEMENT_NUMBERS = ("amount", "cash_in_lieu", "unbased", "high", "low")
_MOVEMENT_TEXTS = ("currency", "to_strategy", "to_account", "category", "signal_id", "close_reason")
_fill_extras = attrgetter("worth", "base", "flags", "signal_id", "close_reason", "high", "low", "ahead")
_movement_numbers = attrgetter(*_MOVEMENT_NUMBERS)
_movement_texts = attrgetter(*_MOVEMENT_TEXTS)


def valuation_data(rate: Valuation) -> list[Any]:
    """Return a used rate as a list: times, over, at, source."""
    return [plain(rate.times), plain(rate.over), rate.at, rate.source]


def valuation_from(data: list[Any]) -> Valuation:
    """Return the rate that this list was made from."""
    return Valuation(Decimal(data[0]), ONE if data[1] == "1" else Decimal(data[1]), data[2], data[3])


def movement_data(movement: Movement) -> Data | None:
    """Return what of a movement does not stand in the columns of its row; None when there is nothing."""
    if movement.kind == "fill" and not any(_fill_extras(movement)):
        return None
    return _movement_data(movement) or None


def _movement_data(movement: Movement) -> Data:
    data: Data = {}
    for name, value in zip(_MOVEMENT_NUMBERS, _movement_numbers(movement), strict=True):
        if value is not None:
            data[name] = plain(value)
    for name, value in zip(_MOVEMENT_TEXTS, _movement_texts(movement), strict=True):
        if value:
            data[name] = value
    if movement.strategy is None:
        data["shared"] = True
    if movement.numerator != 1 or movement.denominator != 1:
        data["ratio"] = [movement.numerator, movement.denominator]
    if movement.paid_ns is not None:
        data["paid_ns"] = movement.paid_ns
    if movement.worth is not None:
        data["worth"] = valuation_data(movement.worth)
    if movement.base is not None:
        data["base"] = valuation_data(movement.base)
    if movement.ahead:
        data["ahead"] = True
    if movement.flags:
        data["flags"] = movement.flags
    return data


def movement_extra(movement: Movement, data: Data) -> Movement:
    """Put back what :func:`movement_data` took; the same movement is returned."""
    for name in _MOVEMENT_NUMBERS:
        if name in data:
            setattr(movement, name, Decimal(data[name]))
    for name in _MOVEMENT_TEXTS:
        if name in data:
            setattr(movement, name, data[name])
    if data.get("shared"):
        movement.strategy = None
    if "ratio" in data:
        movement.numerator, movement.denominator = data["ratio"]
    movement.paid_ns = data.get("paid_ns")
    if "worth" in data:
        movement.worth = valuation_from(data["worth"])
    if "base" in data:
        movement.base = valuation_from(data["base"])
    movement.ahead = data.get("ahead", False)
    movement.flags = data.get("flags", 0)
    return movement
