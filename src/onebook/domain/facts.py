"""The facts a book takes in, and the settings that change its figures: frozen records.

Numbers are ``Decimal`` (text and ints are converted, floats refused), times aware UTC. ``occurred_ns`` is the
time to the nanosecond, ``occurred_at`` the same as a datetime; None means the moment of recording. A record
is checked when it is made, so what reaches the book is well-formed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from onebook.domain import fields as take
from onebook.domain import times
from onebook.domain.numbers import Number, number
from onebook.errors import InputError

SIDES = ("buy", "sell")
CLOSE_REASONS = (
    "",
    "signal",
    "stop_loss",
    "take_profit",
    "trailing_stop",
    "end_of_day",
    "manual",
    "kill_switch",
    "liquidation",
    "adl",
    "expiry",
)
ORDER_KINDS = ("market", "limit", "stop", "stop_limit", "trailing_stop")
ORDER_STATUSES = (
    "denied",
    "pending_new",
    "new",
    "triggered",
    "partially_filled",
    "pending_cancel",
    "pending_replace",
    "filled",
    "canceled",
    "expired",
    "rejected",
    "unknown",
)
SIGNAL_STATUSES = ("GENERATED", "EXECUTED", "EXPIRED", "CLOSED")
EXTERNAL = "EXTERNAL"
"""The strategy that holds what the venue has and no bot recorded."""


def _raw() -> Any:
    return field(default_factory=dict, compare=False, repr=False)


class Fact:
    """What all records share: conversion on the way in, and a copy with changes.

    ``CONVERT`` names, per field, the function of :mod:`onebook.domain.fields` that takes it.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    KIND: ClassVar[str]
    CONVERT: ClassVar[Mapping[str, take.Convert]]

    def __post_init__(self) -> None:
        kind: Any = type(self)
        steps, timed = _steps(kind)
        for name, convert, default in steps:
            value = getattr(self, name)
            if value is not default:
                kept = convert(name, value)
                if kept is not value:
                    object.__setattr__(self, name, kept)
        if timed:
            _take_occurred(self)

    def replaced(self, **changes: Any) -> Self:
        """Return the same record with these fields changed.

        Raises:
            InputError: there is no such field, or the value is malformed.
        """
        kept = {item.name: getattr(self, item.name) for item in fields(self)}
        unknown = sorted(set(changes) - set(kept))
        if unknown:
            msg = f"{self.KIND} has no field {unknown[0]!r}; it has {', '.join(kept)}"
            raise InputError(msg, field=unknown[0])
        if "occurred_at" in changes and "occurred_ns" not in changes:
            kept["occurred_ns"] = None
        elif "occurred_ns" in changes and "occurred_at" not in changes:
            kept["occurred_at"] = None
        return type(self)(**(kept | changes))


@cache
def _steps(kind: type[Any]) -> tuple[tuple[tuple[str, take.Convert, Any], ...], bool]:
    """Return (name, what takes it, its default) of every field that is taken, and whether the record has a time.

    A default is as it should be and is not taken again; a field without one has a default nobody can hand in.
    """
    known = kind.__dataclass_fields__
    return tuple((name, convert, known[name].default) for name, convert in kind.CONVERT.items()), "occurred_ns" in known


def _take_occurred(fact: Any) -> None:
    given, ns = fact.occurred_at, fact.occurred_ns
    if ns is not None and (not isinstance(ns, int) or isinstance(ns, bool)):
        msg = f"occurred_ns: {ns!r:.60} is not a whole number of nanoseconds"
        raise InputError(msg, field="occurred_ns", value=ns)
    if given is None:
        if ns is None:
            return
    else:
        exact = times.to_ns("occurred_at", given)
        if ns is None:
            ns = exact
        elif ns // 1000 != exact // 1000:
            msg = f"occurred_at and occurred_ns differ: {given} and {ns}; give one of them"
            raise InputError(msg, field="occurred_ns", value=ns)
    if not 0 <= ns < take.LATEST:
        msg = "occurred_at: before 1970 or after 2261"
        raise InputError(msg, field="occurred_at", value=given or ns)
    object.__setattr__(fact, "occurred_ns", ns)
    object.__setattr__(fact, "occurred_at", times.to_datetime(ns))


_COMMON: dict[str, take.Convert] = {
    "account": take.required,
    "note": take.note,
    "tags": take.tags,
    "raw": take.raw,
}
_OWNED: dict[str, take.Convert] = _COMMON | {"strategy": take.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(Fact):
    """One execution.

    Identity: (venue, account, instrument, venue_order_id, venue_fill_id, side), and (account,
    client_fill_id). Neither given: every call is a new fill.

    ``quantity`` is above 0 (the side says the direction), in units of the instrument: base units on spot,
    shares, contracts. ``price`` is per unit in the quote currency. ``fee`` is charged when positive, a rebate
    when negative, None when not stated; ``fee_currency`` None is the settlement currency. ``leg`` is
    ``long`` or ``short`` in a hedging account.
    """

    KIND: ClassVar[str] = "fill"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _OWNED | {
        "instrument": take.required,
        "side": take.choice(*SIDES),
        "quantity": take.positive,
        "price": take.not_negative,
        "venue": take.text,
        "venue_fill_id": take.text,
        "venue_order_id": take.text,
        "client_fill_id": take.text,
        "client_order_id": take.text,
        "signal_id": take.text,
        "leg": take.choice("", "long", "short"),
        "fee": take.optional(number),
        "fee_currency": take.optional(take.required),
        "liquidity": take.choice("", "maker", "taker"),
        "close_reason": take.choice(*CLOSE_REASONS),
    }

    instrument: str
    side: str
    quantity: Decimal
    price: Decimal
    account: str = "main"
    strategy: str = ""
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    venue: str = ""
    venue_fill_id: str = ""
    venue_order_id: str = ""
    client_fill_id: str = ""
    client_order_id: str = ""
    signal_id: str = ""
    leg: str = ""
    fee: Decimal | None = None
    fee_currency: str | None = None
    liquidity: str = ""
    close_reason: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            instrument: str,
            side: str,
            quantity: Number,
            price: Number,
            account: str = ...,
            strategy: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            venue: str = ...,
            venue_fill_id: str = ...,
            venue_order_id: str = ...,
            client_fill_id: str = ...,
            client_order_id: str = ...,
            signal_id: str = ...,
            leg: str = ...,
            fee: Number | None = ...,
            fee_currency: str | None = ...,
            liquidity: str = ...,
            close_reason: str = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Fact):
    """A wish to trade, as it was sent. Identity: (account, client_order_id), made when missing.

    ``quantity`` above 0, in units of the instrument; prices per unit in the quote currency;
    ``trail_amount`` in the quote currency, ``trail_ratio`` between 0 and 1. Orders with one ``group_id`` cancel one
    another (OCO); one with a ``parent_id`` waits until the order of that id has filled (OTO); both make a bracket.
    """

    KIND: ClassVar[str] = "order"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _OWNED | {
        "instrument": take.required,
        "side": take.choice(*SIDES),
        "quantity": take.positive,
        "kind": take.choice(*ORDER_KINDS),
        "client_order_id": take.text,
        "venue": take.text,
        "limit_price": take.optional(take.not_negative),
        "stop_price": take.optional(take.not_negative),
        "trail_amount": take.optional(take.positive),
        "trail_ratio": take.optional(take.positive),
        "time_in_force": take.choice("DAY", "GTC", "IOC", "FOK", "GTD"),
        "expires_at": take.optional(take.moment),
        "reduce_only": take.flag,
        "group_id": take.text,
        "parent_id": take.text,
        "signal_id": take.text,
        "leg": take.choice("", "long", "short"),
        "close_reason": take.choice(*CLOSE_REASONS),
    }

    instrument: str
    side: str
    quantity: Decimal
    kind: str = "market"
    client_order_id: str = ""
    account: str = "main"
    strategy: str = ""
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    venue: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_amount: Decimal | None = None
    trail_ratio: Decimal | None = None
    time_in_force: str = "GTC"
    expires_at: datetime | None = None
    reduce_only: bool = False
    group_id: str = ""
    parent_id: str = ""
    signal_id: str = ""
    leg: str = ""
    close_reason: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            instrument: str,
            side: str,
            quantity: Number,
            kind: str = ...,
            client_order_id: str = ...,
            account: str = ...,
            strategy: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            venue: str = ...,
            limit_price: Number | None = ...,
            stop_price: Number | None = ...,
            trail_amount: Number | None = ...,
            trail_ratio: Number | None = ...,
            time_in_force: str = ...,
            expires_at: datetime | str | None = ...,
            reduce_only: bool = ...,
            group_id: str = ...,
            parent_id: str = ...,
            signal_id: str = ...,
            leg: str = ...,
            close_reason: str = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate(Fact):
    """What the venue, or we, say of an order.

    ``filled`` is the venue's cumulative quantity; it never makes a fill. ``quantity``, ``limit_price`` and
    ``stop_price`` are the order's from now on, where the venue changed them: a replacement, or a trailing stop's new
    level; with ``pending_replace`` they are only what is asked for. Identity: (account, client_order_id, status,
    filled, these three, occurred_at when given).
    """

    KIND: ClassVar[str] = "order_update"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _COMMON | {
        "client_order_id": take.required,
        "status": take.choice(*ORDER_STATUSES),
        "venue_order_id": take.text,
        "reason": take.note,
        "filled": take.optional(take.not_negative),
        "quantity": take.optional(take.positive),
        "limit_price": take.optional(take.not_negative),
        "stop_price": take.optional(take.not_negative),
    }

    client_order_id: str
    status: str
    account: str = "main"
    venue_order_id: str = ""
    reason: str = ""
    filled: Decimal | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            client_order_id: str,
            status: str,
            account: str = ...,
            venue_order_id: str = ...,
            reason: str = ...,
            filled: Number | None = ...,
            quantity: Number | None = ...,
            limit_price: Number | None = ...,
            stop_price: Number | None = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Fact):
    """What a strategy saw and would like to do. Identity: (account, signal_id), made when missing.

    ``price``, ``stop_loss`` and ``take_profit`` are per unit; ``confidence`` is between 0 and 1.
    """

    KIND: ClassVar[str] = "signal"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _OWNED | {
        "signal_id": take.text,
        "instrument": take.required,
        "action": take.choice(*SIDES),
        "price": take.optional(take.not_negative),
        "stop_loss": take.optional(take.not_negative),
        "take_profit": take.optional(take.not_negative),
        "confidence": take.optional(take.not_negative),
        "timeframe": take.text,
        "confluences": take.tags,
        "expires_at": take.optional(take.moment),
    }

    instrument: str
    action: str
    signal_id: str = ""
    account: str = "main"
    strategy: str = ""
    price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    confidence: Decimal | None = None
    timeframe: str = ""
    confluences: tuple[str, ...] = ()
    expires_at: datetime | None = None
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            instrument: str,
            action: str,
            signal_id: str = ...,
            account: str = ...,
            strategy: str = ...,
            price: Number | None = ...,
            stop_loss: Number | None = ...,
            take_profit: Number | None = ...,
            confidence: Number | None = ...,
            timeframe: str = ...,
            confluences: Iterable[str] | str = ...,
            expires_at: datetime | str | None = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalUpdate(Fact):
    """A signal's new status. Identity: (account, signal_id, status, occurred_at when given)."""

    KIND: ClassVar[str] = "signal_update"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _COMMON | {
        "signal_id": take.required,
        "status": take.choice(*SIGNAL_STATUSES),
        "reason": take.note,
    }

    signal_id: str
    status: str
    account: str = "main"
    reason: str = ""
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            signal_id: str,
            status: str,
            account: str = ...,
            reason: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Fact):
    """Something moved between accounts, or in from or out to the world. Identity: transfer_id.

    ``amount`` above 0, in units of ``asset``. An empty account is outside. With ``instrument`` the position
    in it, its cost and its lots go along; without it only the balance moves. ``received_at`` empty on a
    transfer between own accounts: in transit. ``price`` is the cost per unit of what comes from outside.
    """

    KIND: ClassVar[str] = "transfer"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "transfer_id": take.text,
        "asset": take.required,
        "amount": take.positive,
        "from_account": take.text,
        "to_account": take.text,
        "instrument": take.optional(take.required),
        "strategy": take.text,
        "price": take.optional(take.not_negative),
        "fee": take.optional(number),
        "fee_currency": take.optional(take.required),
        "received_at": take.optional(take.dated),
        "note": take.note,
        "tags": take.tags,
        "raw": take.raw,
    }

    asset: str
    amount: Decimal
    from_account: str = ""
    to_account: str = ""
    transfer_id: str = ""
    instrument: str | None = None
    strategy: str = ""
    price: Decimal | None = None
    fee: Decimal | None = None
    fee_currency: str | None = None
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    received_at: datetime | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            asset: str,
            amount: Number,
            from_account: str = ...,
            to_account: str = ...,
            transfer_id: str = ...,
            instrument: str | None = ...,
            strategy: str = ...,
            price: Number | None = ...,
            fee: Number | None = ...,
            fee_currency: str | None = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            received_at: datetime | str | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        if not self.from_account and not self.to_account:
            msg = "from_account, to_account: both are empty; one side must be an account of the book"
            raise InputError(msg, field="to_account")
        if self.from_account == self.to_account:
            msg = "from_account and to_account are the same; leave one empty for the world outside"
            raise InputError(msg, field="to_account", value=self.to_account)

    @property
    def account(self) -> str:
        """The account it is filed under: the one it leaves, else the one it reaches."""
        return self.from_account or self.to_account


@dataclass(frozen=True, slots=True, kw_only=True)
class CashMovement(Fact):
    """Money in (+) or out (-) that is no fill, transfer or funding. Identity: (account, movement_id).

    With ``instrument`` it belongs to that position's P&L. A ``dividend`` with the instrument is the total the
    broker paid, and replaces what was computed.
    """

    KIND: ClassVar[str] = "cash_movement"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _OWNED | {
        "movement_id": take.text,
        "currency": take.required,
        "amount": take.not_zero,
        "kind": take.choice("interest", "borrow_fee", "dividend", "tax", "fee", "rebate", "reward", "adjustment"),
        "instrument": take.optional(take.required),
        "leg": take.choice("", "long", "short"),
    }

    currency: str
    amount: Decimal
    kind: str = "adjustment"
    movement_id: str = ""
    account: str = "main"
    strategy: str = ""
    instrument: str | None = None
    leg: str = ""
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            currency: str,
            amount: Number,
            kind: str = ...,
            movement_id: str = ...,
            account: str = ...,
            strategy: str = ...,
            instrument: str | None = ...,
            leg: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPayment(Fact):
    """Funding received (+) or paid (-) on a contract. Identity: (account, funding_id).

    ``strategy`` None: split over the strategies by signed quantity, the last digit to the largest; with a
    net of zero it goes to the unnamed strategy. ``currency`` None is the settlement currency.
    """

    KIND: ClassVar[str] = "funding"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _COMMON | {
        "funding_id": take.text,
        "instrument": take.required,
        "amount": take.not_zero,
        "currency": take.optional(take.required),
        "strategy": take.optional(take.text),
        "leg": take.choice("", "long", "short"),
    }

    instrument: str
    amount: Decimal
    funding_id: str = ""
    currency: str | None = None
    account: str = "main"
    strategy: str | None = None
    leg: str = ""
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            instrument: str,
            amount: Number,
            funding_id: str = ...,
            currency: str | None = ...,
            account: str = ...,
            strategy: str | None = ...,
            leg: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporateAction(Fact):
    """A split, dividend or symbol change of a share held in an account.

    Identity: (account, instrument, kind, effective day, action_id). It folds before every other fact of
    ``effective_on``. A split gives ``numerator`` new units for ``denominator`` old ones; ``cash_in_lieu`` is
    the total the broker paid for the fraction. A dividend pays ``amount`` per unit held.
    """

    KIND: ClassVar[str] = "corporate_action"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _COMMON | {
        "instrument": take.required,
        "kind": take.choice("split", "dividend", "symbol_change"),
        "action_id": take.text,
        "effective_on": take.optional(take.day),
        "numerator": take.optional(take.count),
        "denominator": take.optional(take.count),
        "amount": take.optional(take.positive),
        "currency": take.optional(take.required),
        "paid_at": take.optional(take.moment),
        "new_symbol": take.text,
        "cash_in_lieu": take.optional(take.not_negative),
    }

    instrument: str
    kind: str
    action_id: str = ""
    account: str = "main"
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    effective_on: date | None = None
    numerator: int | None = None
    denominator: int | None = None
    amount: Decimal | None = None
    currency: str | None = None
    paid_at: datetime | None = None
    new_symbol: str = ""
    cash_in_lieu: Decimal | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            instrument: str,
            kind: str,
            action_id: str = ...,
            account: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            effective_on: date | str | None = ...,
            numerator: int | None = ...,
            denominator: int | None = ...,
            amount: Number | None = ...,
            currency: str | None = ...,
            paid_at: datetime | str | None = ...,
            new_symbol: str = ...,
            cash_in_lieu: Number | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        needs = {
            "split": ("numerator", "denominator"),
            "dividend": ("amount",),
            "symbol_change": ("new_symbol",),
        }
        for name in needs[self.kind]:
            if not getattr(self, name):
                msg = f"{name}: is missing; a {self.kind} needs it"
                raise InputError(msg, field=name)
        if self.new_symbol and self.new_symbol == self.instrument:
            msg = f"new_symbol: {self.new_symbol!r} is the symbol it has already"
            raise InputError(msg, field="new_symbol")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningBalance(Fact):
    """What was there before the book began. Identity: (account, balance_id).

    Either ``currency`` and ``amount``, or ``instrument`` with a signed ``quantity`` and its ``price`` per
    unit. Price None: the cost is not known, and gains on it stay unvalued.
    """

    KIND: ClassVar[str] = "opening_balance"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _OWNED | {
        "balance_id": take.text,
        "currency": take.optional(take.required),
        "amount": take.optional(number),
        "instrument": take.optional(take.required),
        "quantity": take.optional(take.not_zero),
        "price": take.optional(take.not_negative),
        "leg": take.choice("", "long", "short"),
    }

    balance_id: str = ""
    currency: str | None = None
    amount: Decimal | None = None
    instrument: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    leg: str = ""
    account: str = "main"
    strategy: str = ""
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            balance_id: str = ...,
            currency: str | None = ...,
            amount: Number | None = ...,
            instrument: str | None = ...,
            quantity: Number | None = ...,
            price: Number | None = ...,
            leg: str = ...,
            account: str = ...,
            strategy: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        cash = self.currency is not None and self.amount is not None
        units = self.instrument is not None and self.quantity is not None
        mixed = self.currency is not None and self.instrument is not None
        if cash == units or mixed:
            msg = "an opening balance is currency and amount, or instrument and quantity (and price, when known)"
            raise InputError(msg, field="currency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement(Fact):
    """A contract ended at ``price``: every position in it, in this account, closes there.

    Identity: (account, settlement_id). ``price`` is per unit in the quote currency; 0 for an option that
    expires worthless.
    """

    KIND: ClassVar[str] = "settlement"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _COMMON | {
        "settlement_id": take.text,
        "instrument": take.required,
        "price": take.not_negative,
        "kind": take.choice("expiry", "exercise", "assignment", "delivery"),
    }

    instrument: str
    price: Decimal
    kind: str = "expiry"
    settlement_id: str = ""
    account: str = "main"
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            instrument: str,
            price: Number,
            kind: str = ...,
            settlement_id: str = ...,
            account: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign(Fact):
    """Quantity moved from one strategy to another in the same account. Identity: (account, reassign_id).

    ``quantity`` above 0, in the direction held. ``price`` None: at average cost, nothing is realized; with a
    price the giving strategy realizes against it and the taking one begins there.
    """

    KIND: ClassVar[str] = "reassign"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = _COMMON | {
        "reassign_id": take.text,
        "instrument": take.required,
        "quantity": take.positive,
        "from_strategy": take.text,
        "to_strategy": take.text,
        "price": take.optional(take.not_negative),
        "leg": take.choice("", "long", "short"),
        "reason": take.note,
    }

    instrument: str
    quantity: Decimal
    from_strategy: str
    to_strategy: str
    price: Decimal | None = None
    reason: str = ""
    reassign_id: str = ""
    leg: str = ""
    account: str = "main"
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    raw: dict[str, Any] = _raw()

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            instrument: str,
            quantity: Number,
            from_strategy: str,
            to_strategy: str,
            price: Number | None = ...,
            reason: str = ...,
            reassign_id: str = ...,
            leg: str = ...,
            account: str = ...,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            note: str = ...,
            tags: Iterable[str] | str = ...,
            raw: Mapping[str, Any] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        if self.from_strategy == self.to_strategy:
            msg = "from_strategy and to_strategy are the same"
            raise InputError(msg, field="to_strategy", value=self.to_strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate(Fact):
    """A published exchange rate: units of ``quote`` for one ``base``. Identity: all but the price."""

    KIND: ClassVar[str] = "rate"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "base": take.required,
        "quote": take.required,
        "price": take.positive,
        "source": take.text,
    }

    base: str
    quote: str
    price: Decimal
    occurred_at: datetime | None = None
    occurred_ns: int | None = None
    source: str = ""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            base: str,
            quote: str,
            price: Number,
            occurred_at: datetime | str | None = ...,
            occurred_ns: int | None = ...,
            source: str = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        if self.base == self.quote:
            msg = f"base and quote are both {self.base}"
            raise InputError(msg, field="quote", value=self.quote)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument(Fact):
    """What is traded. Identity: symbol. Other content is a new definition, and restates.

    ``kind base quote settle`` left empty are as the symbol's shape says: ``BTC/USDT:USDT`` is a perpetual settled
    in USDT, ``BTC/USDT`` spot, ``AAPL`` an equity in its account's currency. ``contract_size`` is base units
    (linear) or quote units (inverse) per contract; ``tick_size`` the price step, ``lot_size`` the quantity step;
    ``min_notional`` and ``strike`` in the quote currency.
    """

    KIND: ClassVar[str] = "instrument"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "symbol": take.required,
        "kind": take.choice("", "spot", "equity", "fx", "future", "perpetual", "option"),
        "base": take.text,
        "quote": take.text,
        "settle": take.text,
        "contract_size": take.positive,
        "tick_size": take.optional(take.positive),
        "lot_size": take.optional(take.positive),
        "min_notional": take.optional(take.not_negative),
        "expires_at": take.optional(take.moment),
        "strike": take.optional(take.not_negative),
        "option_kind": take.choice("", "call", "put"),
    }

    symbol: str
    kind: str = ""
    base: str = ""
    quote: str = ""
    settle: str = ""
    contract_size: Decimal = Decimal(1)
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    min_notional: Decimal | None = None
    expires_at: datetime | None = None
    strike: Decimal | None = None
    option_kind: str = ""

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            symbol: str,
            kind: str = ...,
            base: str = ...,
            quote: str = ...,
            settle: str = ...,
            contract_size: Number = ...,
            tick_size: Number | None = ...,
            lot_size: Number | None = ...,
            min_notional: Number | None = ...,
            expires_at: datetime | str | None = ...,
            strike: Number | None = ...,
            option_kind: str = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Fact):
    """One account at one venue. Identity: name. Other content is a new definition, and restates.

    ``currency`` is the one its equities settle in. ``mode`` hedging keeps long and short legs apart.
    """

    KIND: ClassVar[str] = "account"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "name": take.required,
        "venue": take.text,
        "currency": take.required,
        "mode": take.choice("netting", "hedging"),
        "kind": take.choice("live", "paper"),
    }

    name: str
    venue: str = ""
    currency: str = "USD"
    mode: str = "netting"
    kind: str = "live"

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            venue: str = ...,
            currency: str = ...,
            mode: str = ...,
            kind: str = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSettings(Fact):
    """The book's own currency and day. Other content is a new definition, and restates.

    ``zone`` is an IANA name, ``rolls_at`` the local time at which a day ends, as HH:MM.
    """

    KIND: ClassVar[str] = "settings"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "base_currency": take.required,
        "zone": take.required,
        "rolls_at": take.required,
    }

    base_currency: str = "USD"
    zone: str = "UTC"
    rolls_at: str = "00:00"

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            base_currency: str = ...,
            zone: str = ...,
            rolls_at: str = ...,
        ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Fact):
    """What the order gate lets through. Identity: (account, strategy, instrument). Other content takes its place.

    Empty texts stand for all: limits without an account cover all accounts of the kind of the order's (live and paper
    never add up). Each figure is of everything covered, together. None is no limit. Money in the book's base currency,
    0 or more.

    Attributes:
        account: whose orders; empty for any.
        strategy: whose orders; empty for any.
        instrument: of what; empty for any.
        instruments: the only ones that may be opened, as names or patterns such as ``BTC/*``; none for all.
        max_position: largest quantity held of one instrument, long or short, in its units.
        max_notional: largest worth of one position.
        max_exposure: largest worth of all positions, long and short added up.
        max_orders: most orders within ``per_seconds``.
        per_seconds: the time in which ``max_orders`` counts.
        max_daily_loss: loss since the day's roll at which trading goes to REDUCING.
        max_drawdown: loss from the highest result at which trading goes to REDUCING.
        max_mark_age_seconds: an order that opens needs a mark no older; None: 60, 0: however old.
        flatten: close everything covered when ``max_daily_loss`` or ``max_drawdown`` is reached.
    """

    KIND: ClassVar[str] = "limits"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "account": take.text,
        "strategy": take.text,
        "instrument": take.text,
        "instruments": take.tags,
        "max_position": take.optional(take.not_negative),
        "max_notional": take.optional(take.not_negative),
        "max_exposure": take.optional(take.not_negative),
        "max_orders": take.optional(take.count),
        "per_seconds": take.optional(take.positive),
        "max_daily_loss": take.optional(take.not_negative),
        "max_drawdown": take.optional(take.not_negative),
        "max_mark_age_seconds": take.optional(take.not_negative),
        "flatten": take.flag,
    }

    account: str = ""
    strategy: str = ""
    instrument: str = ""
    instruments: tuple[str, ...] = ()
    max_position: Decimal | None = None
    max_notional: Decimal | None = None
    max_exposure: Decimal | None = None
    max_orders: int | None = None
    per_seconds: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_drawdown: Decimal | None = None
    max_mark_age_seconds: Decimal | None = None
    flatten: bool = False

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            account: str = ...,
            strategy: str = ...,
            instrument: str = ...,
            instruments: Iterable[str] | str = ...,
            max_position: Number | None = ...,
            max_notional: Number | None = ...,
            max_exposure: Number | None = ...,
            max_orders: int | None = ...,
            per_seconds: Number | None = ...,
            max_daily_loss: Number | None = ...,
            max_drawdown: Number | None = ...,
            max_mark_age_seconds: Number | None = ...,
            flatten: bool = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        if (self.max_orders is None) != (self.per_seconds is None):
            msg = "max_orders and per_seconds go together: so many orders in so many seconds"
            raise InputError(msg, field="max_orders", value=self.max_orders)
        if self.instrument and (self.max_daily_loss is not None or self.max_drawdown is not None):
            msg = "max_daily_loss and max_drawdown are of an account or a strategy; leave the instrument out"
            raise InputError(msg, field="instrument", value=self.instrument)


ROLES = ("viewer", "accountant", "operator", "bot")
"""What a token may do: read; keep the books too; everything; record for one strategy."""

HOOK_KINDS = ("tradingview", "freqtrade", "custom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Fact):
    """Who may use the service, and for what. Identity: name. Other content takes its place.

    The secret itself stands nowhere; what follows from it, the digest, is no secret worth having, and no event
    shows it all the same.

    Attributes:
        name: whose it is; what is recorded with it names it as the actor.
        role: ``viewer``, ``accountant``, ``operator`` or ``bot``.
        strategy: of a bot: the only one it records for.
        digest: SHA-256 of the secret, as 64 hexadecimal digits.
        expires_at: from then on it opens nothing; None: never.
        is_revoked: it opens nothing any more.
    """

    KIND: ClassVar[str] = "token"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "name": take.required,
        "role": take.choice(*ROLES),
        "strategy": take.text,
        "digest": take.digest,
        "expires_at": take.optional(take.moment),
        "is_revoked": take.flag,
    }

    name: str
    role: str
    strategy: str = ""
    digest: str = field(repr=False)
    expires_at: datetime | None = None
    is_revoked: bool = False

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            role: str,
            strategy: str = ...,
            digest: str,
            expires_at: datetime | str | None = ...,
            is_revoked: bool = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        if (self.role == "bot") != bool(self.strategy):
            msg = (
                "strategy: a bot records for one strategy; say which"
                if self.role == "bot"
                else f"strategy: only the role bot has one; leave it out for the role {self.role}"
            )
            raise InputError(msg, field="strategy", value=self.strategy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook(Fact):
    """An address at which alerts come in. Identity: name. Other content takes its place.

    Attributes:
        name: of the address.
        kind: who calls it: ``tradingview``, ``freqtrade`` or ``custom``.
        strategy: the only one it records for.
        account: under which it records.
        digest: SHA-256 of the secret in the address, as 64 hexadecimal digits.
        mapping: how a message becomes a fact, where its kind leaves that open.
        is_revoked: it takes nothing any more.
    """

    KIND: ClassVar[str] = "hook"
    CONVERT: ClassVar[Mapping[str, take.Convert]] = {
        "name": take.required,
        "kind": take.choice(*HOOK_KINDS),
        "strategy": take.required,
        "account": take.required,
        "digest": take.digest,
        "mapping": take.raw,
        "is_revoked": take.flag,
    }

    name: str
    kind: str
    strategy: str
    account: str = "main"
    digest: str = field(repr=False)
    mapping: Mapping[str, Any] = field(default_factory=dict, hash=False)
    is_revoked: bool = False

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            name: str,
            kind: str,
            strategy: str,
            account: str = ...,
            digest: str,
            mapping: Mapping[str, Any] = ...,
            is_revoked: bool = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        Fact.__post_init__(self)
        if not self.name.isascii() or not all(letter.isalnum() or letter in "._-" for letter in self.name):
            msg = f"name: {self.name!r:.60} stands in an address; write letters, digits, dots, - and _"
            raise InputError(msg, field="name", value=self.name)


AnyFact = (
    Fill
    | Order
    | OrderUpdate
    | Signal
    | SignalUpdate
    | Transfer
    | CashMovement
    | FundingPayment
    | CorporateAction
    | OpeningBalance
    | Settlement
    | Reassign
    | Rate
    | Instrument
    | Account
    | BookSettings
    | Limits
    | Token
    | Hook
)

FACTS: dict[str, type[Any]] = {
    kind.KIND: kind
    for kind in (
        Fill,
        Order,
        OrderUpdate,
        Signal,
        SignalUpdate,
        Transfer,
        CashMovement,
        FundingPayment,
        CorporateAction,
        OpeningBalance,
        Settlement,
        Reassign,
        Rate,
        Instrument,
        Account,
        BookSettings,
        Limits,
        Token,
        Hook,
    )
}
"""Every kind of fact by its name, which is also its name on the command line."""
