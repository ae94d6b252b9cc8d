"""What a venue or its library tells besides facts: the state of an order, and what nobody can read.

These are handed to a :class:`~onebook.intake.adapters.recorder.Recorder`; it compares them with the book when it
books them, so that they may wait in a spool as facts do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from onebook.domain import facts
from onebook.domain import fields as take
from onebook.domain.numbers import number
from onebook.domain.shapes import plain_value
from onebook.errors import InputError

SENT = "sent_ns"
"""Name, in an update's ``raw``, of when the order was sent of which a failed call tells."""


def _raw() -> Any:
    return field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSeen(facts.Fact):
    """An order as the venue describes it: terms, status and how much of it is filled.

    ``quantity`` (above 0) and ``filled`` (cumulative, 0 or more) are in units of the instrument; ``average`` is the
    average price of all that is filled, ``cost`` the money that an order spends which names no quantity, ``fee`` all
    that was charged for it so far (a rebate is negative), None when not stated. ``status`` is one of the book's order
    statuses. ``created_ns`` is when the order was made,
    ``occurred_ns`` when this was so, in nanoseconds since 1970 UTC. What is left out says nothing: an answer that
    only names an order is enough where the book has the order.

    ``heard`` says that nothing tells whose order it is, as in a list of the account's orders: one that the book does
    not know is not recorded then, and EXTERNAL holds what it has filled. Otherwise it is the bot's own.

    The order is recorded when the book does not know it, its status when it changed, and what is filled and not
    booked as a fill under ``order:{id}:{cumulative}``, which gives way to the real executions.
    """

    KIND: ClassVar[str] = "order_seen"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "instrument": take.text,
        "side": take.choice("", *facts.SIDES),
        "status": take.choice("", *facts.ORDER_STATUSES),
        "venue_order_id": take.text,
        "client_order_id": take.text,
        "kind": take.choice(*facts.ORDER_KINDS),
        "quantity": take.optional(take.positive),
        "filled": take.optional(take.not_negative),
        "average": take.optional(take.not_negative),
        "cost": take.optional(take.not_negative),
        "fee": take.optional(number),
        "fee_currency": take.optional(take.required),
        "limit_price": take.optional(take.not_negative),
        "stop_price": take.optional(take.not_negative),
        "trail_amount": take.optional(take.positive),
        "trail_ratio": take.optional(take.positive),
        "time_in_force": take.choice("DAY", "GTC", "IOC", "FOK", "GTD"),
        "reduce_only": take.flag,
        "leg": take.choice("", "long", "short"),
        "liquidity": take.choice("", "maker", "taker"),
        "close_reason": take.choice(*facts.CLOSE_REASONS),
        "signal_id": take.text,
        "heard": take.flag,
        "reason": take.note,
        "note": take.note,
        "tags": take.tags,
        "raw": take.raw,
    }

    instrument: str = ""
    side: str = ""
    status: str = ""
    venue_order_id: str = ""
    client_order_id: str = ""
    kind: str = "market"
    quantity: Decimal | None = None
    filled: Decimal | None = None
    average: Decimal | None = None
    cost: Decimal | None = None
    fee: Decimal | None = None
    fee_currency: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_ratio: Decimal | None = None
    time_in_force: str = "GTC"
    reduce_only: bool = False
    leg: str = ""
    liquidity: str = ""
    close_reason: str = ""
    signal_id: str = ""
    heard: bool = False
    reason: str = ""
    created_ns: int | None = None
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbooked(facts.Fact):
    """Something a venue sent that is no fact of the book: kept with its payload as a break ``unbooked_fact``.

    ``what`` names it (``fill``, ``order`` …), ``reason`` says why it could not be booked.
    """

    KIND: ClassVar[str] = "unbooked"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "what": take.text,
        "reason": take.note,
        "instrument": take.text,
        "raw": take.raw,
    }

    what: str
    reason: str
    instrument: str = ""
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    raw: dict[str, Any] = _raw()


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSeen(facts.Fact):
    """What the venue holds of an instrument: ``quantity`` above 0 is long, below short, in units of the instrument.

    It changes no figure. Where the book says otherwise for longer than the fills may be under way, it is a break.
    """

    KIND: ClassVar[str] = "position_seen"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "instrument": take.required,
        "quantity": number,
        "leg": take.choice("", "long", "short"),
    }

    instrument: str
    quantity: Decimal
    leg: str = ""
    occurred_at: datetime | None = None
    occurred_ns: int | None = None


Item = facts.AnyFact | OrderSeen | PositionSeen | Unbooked
"""What a recorder takes."""

_KINDS: dict[str, type[Any]] = {
    **facts.FACTS,
    OrderSeen.KIND: OrderSeen,
    PositionSeen.KIND: PositionSeen,
    Unbooked.KIND: Unbooked,
}


def as_data(item: Item) -> dict[str, Any]:
    """Return an item as plain data, from which :func:`from_data` makes an equal one."""
    data: dict[str, Any] = {"kind": item.KIND}
    given: dict[str, Any] = {}
    for part in fields(item):
        value = getattr(item, part.name)
        if part.name == "occurred_at" or value is None or value in (part.default, {}):
            continue
        given[part.name] = plain_value(value)
    return data | {"data": given}


def as_row(item: Item, account: str, venue: str, strategy: str) -> dict[str, Any]:
    """Return an item for a spool, with whose it is: a spool may be of several bots."""
    return as_data(item) | {"account": account, "venue": venue, "strategy": strategy}


def from_data(data: Mapping[str, Any]) -> Item:
    """Return the item that this data was made from.

    Raises:
        InputError: it is none.
    """
    kind = _KINDS.get(str(data.get("kind")))
    if kind is None:
        msg = f"kind: {data.get('kind')!r} is no kind of fact"
        raise InputError(msg, field="kind")
    item: Item = kind(**data["data"])
    return item
