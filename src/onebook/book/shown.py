"""An event's data as readers see it: what the log keeps short is said in full, what only the fold needs is left out."""

from decimal import Decimal
from typing import Any

from onebook.domain import times
from onebook.domain.ended_trips import ended_trip_from
from onebook.domain.event_types import PUBLISHED, STATE_CHANGED, is_users
from onebook.domain.holdings import flag_names
from onebook.domain.identity import identity_text
from onebook.domain.numbers import ONE, ZERO, absolute, add, plain, subtract
from onebook.domain.steps import unit_price
from onebook.store.codec import EventBody

Data = dict[str, Any]

_INTERNAL = frozenset({"unbased", "opened_ns", "updated_ns", "contract", "ended"})
_HIDDEN = {"token_defined": "digest", "hook_defined": "digest"}
"""What no reader of events needs to know: how a secret is told."""

_ZEROES = ("quantity", "cost_basis", "realized_pnl_gross", "fees", "fees_in_base", "funding", "income")


def shown_data(event: EventBody, event_id: str, account: str, instrument: str, occurred_ns: int) -> Data:
    """Return the data of an event.

    Args:
        event: as the log holds it.
        event_id: its id.
        account: the entry's.
        instrument: the entry's.
        occurred_ns: the entry's.
    """
    if event.type == "trade_executed":
        data = event.data | {"trade_id": _trade_id(event.data, event_id, account, instrument)}
        data.pop("own_time", None)
        if "occurred_ns" in data:  # an order-level fill keeps its own time in the entry that replaced a part of it
            data["occurred_at"] = times.to_text(data.pop("occurred_ns"))
        return data
    if event.type == "position_updated":
        return _position(event.data, event_id, occurred_ns)
    if event.type == "position_closed":
        ended = event.data.get("ended")
        return _position(event.data, event_id, occurred_ns) | {
            "round_trip": None if ended is None else _round_trip(ended, occurred_ns)
        }
    if event.type in {STATE_CHANGED, PUBLISHED} or is_users(event.type):
        return dict(event.data)
    hidden = _HIDDEN.get(event.type, "own_time")
    return {name: value for name, value in event.data.items() if name != hidden and not _is_kind(name, value)}


def _is_kind(name: str, value: Any) -> bool:
    """Say whether this names the kind of fact that an event holds; a note's ``fact`` is a sequence."""
    return name == "fact" and isinstance(value, str)


def _trade_id(data: Data, event_id: str, account: str, instrument: str) -> str:
    """Return the identity of a fill as text, from its event."""
    if data.get("venue_fill_id"):
        parts = (data.get("venue", ""), account, instrument, data.get("venue_order_id", ""))
        return identity_text("fill", *parts, data["venue_fill_id"], data["side"])
    if data.get("client_fill_id"):
        return identity_text("client", account, data["client_fill_id"])
    return identity_text("event", event_id)


def _position(kept: Data, event_id: str, occurred_ns: int) -> Data:
    """Return a position as :class:`onebook.Position` has it, without its mark and what the envelope says."""
    data: Data = {"leg": kept.get("leg", "")}
    for name in _ZEROES:
        data[name] = kept.get(name, "0")
    data["average_price"] = _average_price(kept)
    data["realized_pnl"] = _realized(data)
    data["opened_at"], data["updated_at"] = _time(kept.get("opened_ns")), _time(kept.get("updated_ns", occurred_ns))
    data["highest"], data["lowest"] = kept.get("highest"), kept.get("lowest")
    data["unvalued"] = kept.get("unvalued", {})
    data["flags"] = list(flag_names(kept["flags"])) if "flags" in kept else []
    data["cause"] = kept.get("cause", "fill")
    data["sequence"] = int(event_id.partition(".")[0])
    for name, value in kept.items():
        if name not in _INTERNAL and name not in data:
            data[name] = value
    return data


def _time(ns: int | None) -> str | None:
    """Return a time as text; a position that nothing moved has none."""
    return times.to_text(ns) if ns else None


def _average_price(kept: Data) -> str | None:
    """Return what the units with a known cost cost each; None for a flat position."""
    if "quantity" not in kept:
        return None
    size, inverse = kept.get("contract", (ONE, False))
    quantity = subtract(absolute(Decimal(kept.get("quantity", 0))), Decimal(kept.get("unbased", 0)))
    price = unit_price(quantity, Decimal(kept.get("cost_basis", 0)), Decimal(size), inverse=inverse)
    return None if price is None else plain(price)


def _realized(data: Data) -> str:
    total = ZERO
    for name in ("realized_pnl_gross", "funding", "income"):
        if data[name] != "0":
            total = add(total, Decimal(data[name]))
    return plain(subtract(total, Decimal(data["fees"])))


def _round_trip(ended: list[Any], occurred_ns: int) -> Data:
    """Return the round trip that an event ended, as :class:`onebook.RoundTrip` has it."""
    trip = ended_trip_from(ended, occurred_ns)
    prices = {"entry_price": trip.entry_price, "exit_price": trip.exit_price}
    figures = {name: getattr(trip, name) for name in ("gross", "fees", "funding", "income", "net")}
    return {
        "id": trip.id,
        "direction": trip.direction,
        "quantity": plain(trip.quantity),
        **{name: None if price is None else plain(price) for name, price in prices.items()},
        "opened_at": times.to_text(trip.opened_ns),
        "closed_at": times.to_text(trip.closed_ns),
        **{name: plain(amount) for name, amount in figures.items()},
        "close_reason": trip.close_reason,
        "signal_id": trip.signal_id,
    }
