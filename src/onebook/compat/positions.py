"""``Position``: the older name of a holding. It keeps no figure: every attribute asks the book.

An open position is the account's total in a symbol, all strategies together, since it was last flat; an ended
one is a round trip. Its money is that of this one stretch, so open and ended positions add up to the whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from onebook.app import Book
from onebook.book.exposures import exposure_of
from onebook.book.reading import Reading
from onebook.compat.trades import Trade
from onebook.compat.values import as_float, decimal_of
from onebook.domain import reports
from onebook.domain.facts import Account, Instrument
from onebook.domain.instruments import Terms, terms_of
from onebook.domain.numbers import ZERO, absolute, add, multiply, quotient
from onebook.trading.protections import Protection

_HUNDRED = Decimal(100)
_FIELDS = (
    *("symbol", "side", "total_amount", "average_price", "realized_pnl", "fees_paid", "entry_time", "last_update"),
    *("highest_price", "lowest_price", "stop_loss_price", "take_profit_price", "trailing_stop_pct", "metadata"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What the book answers about one stretch, from flat until flat again; ``quantity`` is signed, 0 when ended."""

    account: str
    symbol: str
    strategy: str | None
    side: str
    quantity: Decimal
    average_price: Decimal | None
    cost: Decimal
    realized: Decimal
    fees: Decimal
    began: datetime
    updated: datetime
    highest: Decimal | None
    lowest: Decimal | None
    metadata: dict[str, Any]
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


class Position:
    """A holding under its older names; ``positions`` and ``get_position`` hand it out.

    Args:
        book: where the answers are.
        read: asks for the stretch as it stands now.
        live: where stops and targets are asked for; None: in the same book, where it is not one of the past.
    """

    __slots__ = ("_book", "_live", "_read")

    def __init__(self, book: Reading, read: Callable[[], Stretch], live: Reading | None = None) -> None:
        self._book = book
        self._read = read
        asked = live or book
        self._live = asked if isinstance(asked, Book) else None

    @classmethod
    def held(cls, book: Reading, account: str, symbol: str, live: Reading | None = None) -> "Position | None":
        """Return the open position in a symbol, None when there is none."""
        found = _open_stretch(book, account, symbol)
        if found is None:
            return None
        return cls(book, lambda: _open_stretch(book, account, symbol) or _ended_since(book, found), live)

    @classmethod
    def ended(cls, book: Reading, trip: reports.RoundTrip) -> "Position":
        """Return an ended round trip as a closed position."""
        found = _ended_stretch(trip)
        return cls(book, lambda: found)

    @property
    def symbol(self) -> str:
        """The instrument."""
        return self._read().symbol

    @property
    def side(self) -> str:
        """``long`` or ``short``; of a closed one, what it was."""
        return self._read().side

    @property
    def total_amount(self) -> Decimal:
        """How much is held, unsigned; 0 once closed."""
        return absolute(self._read().quantity)

    @property
    def average_price(self) -> Decimal | None:
        """Per unit, of what is held; of a closed one, the weighted entry. None when the cost is not known."""
        return self._read().average_price

    @property
    def realized_pnl(self) -> Decimal:
        """Gross − fees + funding + income since it was last flat, in the settlement currency."""
        return self._read().realized

    @property
    def fees_paid(self) -> Decimal:
        """Fees since it was last flat, positive when paid; ``realized_pnl`` is after them."""
        return self._read().fees

    @property
    def entry_time(self) -> datetime:
        """When it began, aware UTC."""
        return self._read().began

    @property
    def last_update(self) -> datetime:
        """When something last happened to it, aware UTC."""
        return self._read().updated

    @property
    def highest_price(self) -> Decimal | None:
        """The highest mark since it began; None without one."""
        return self._read().highest

    @property
    def lowest_price(self) -> Decimal | None:
        """The lowest mark since it began; None without one."""
        return self._read().lowest

    @property
    def stop_loss_price(self) -> Decimal | None:
        """The fixed stop in force now, of several strategies' the first to be reached; of a closed one, what it had."""
        stretch = self._read()
        return self._figure(stretch, "stop_loss", nearest=max) if stretch.quantity else stretch.stop_loss

    @property
    def take_profit_price(self) -> Decimal | None:
        """The target in force now, of several strategies' the first to be reached; of a closed one, what it had."""
        stretch = self._read()
        return self._figure(stretch, "take_profit", nearest=min) if stretch.quantity else stretch.take_profit

    @property
    def trailing_stop_pct(self) -> Decimal | None:
        """How far the trailing stop in force now follows, as a ratio between 0 and 1; None without one."""
        found = [item.trail_ratio for item in self._protections(self._read()) if item.trail_ratio is not None]
        return min(found, default=None)

    def _figure(self, stretch: Stretch, name: str, *, nearest: Callable[[list[Decimal]], Decimal]) -> Decimal | None:
        found: list[Decimal] = [
            figure for item in self._protections(stretch) if (figure := getattr(item, name)) is not None
        ]
        if not found:
            return None
        if stretch.side == "long":
            return nearest(found)
        return min(found) if nearest is max else max(found)

    def _protections(self, stretch: Stretch) -> list[Protection]:
        """Return the stops and targets in force now; of a closed position there are none."""
        if self._live is None or not stretch.quantity:
            return []
        place = (stretch.account, stretch.symbol)
        return [item for item in self._live.trading.protections() if item.place[:2] == place]

    @property
    def metadata(self) -> dict[str, Any]:
        """Account, strategies, currency and flags; of a closed one its round trip, quantity and close reason."""
        return dict(self._read().metadata)

    @property
    def trades(self) -> list[Trade]:
        """The trades since it was last flat, oldest first."""
        return self._trades(self._read())

    def _trades(self, stretch: Stretch) -> list[Trade]:
        found = self._book.fills(
            account=stretch.account,
            strategy=stretch.strategy,
            instrument=stretch.symbol,
            since=stretch.began,
            until=None if stretch.quantity else stretch.updated + timedelta(microseconds=1),
        )
        return [Trade.of(item) for item in found]

    @property
    def is_open(self) -> bool:
        """Whether anything is held."""
        return bool(self._read().quantity)

    @property
    def position_value(self) -> Decimal:
        """What is held at its cost, in the settlement currency."""
        return self._read().cost

    def calculate_unrealized_pnl(self, current_price: Any) -> tuple[Decimal, Decimal]:
        """Return what is gained at a price, in the settlement currency, and that in percent of the cost.

        Args:
            current_price: per unit, in the quote currency. At 0 or below, and once closed, both are 0.
        """
        price, stretch = decimal_of("current_price", current_price), self._read()
        if price <= ZERO or not stretch.quantity or stretch.average_price is None:
            return ZERO, ZERO
        terms = _terms(self._book, stretch.account, stretch.symbol)
        gain = exposure_of(terms, stretch.quantity, stretch.cost).unrealized(price)
        return gain, quotient(multiply(gain, _HUNDRED), stretch.cost) if stretch.cost else ZERO

    def shape(self) -> dict[str, Any]:
        """Return the older fields by name, with exact numbers, all of one moment."""
        stretch = self._read()
        still = Position(self._book, lambda: stretch, self._live)
        shown: dict[str, Any] = {name: getattr(still, name) for name in _FIELDS}
        return shown | {"trades": [trade.shape() for trade in self._trades(stretch)]}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data as the older program did: numbers are floats, times ISO text. For reading."""
        shown: dict[str, Any] = as_float(self.shape())
        return shown

    def __repr__(self) -> str:
        stretch = self._read()
        return f"Position({stretch.symbol!r}, {stretch.side!r}, {absolute(stretch.quantity)} @ {stretch.average_price})"


def _open_stretch(book: Reading, account: str, symbol: str) -> Stretch | None:
    held = book.position(symbol, account=account)
    if held is not None and held.quantity and held.average_price is None:
        held = book.position(symbol, account=account, basis="netted")
    if held is None or not held.quantity or held.updated_at is None:
        return None
    trips = book.round_trips(account=account, instrument=symbol, is_open=True)
    strategies = sorted({trip.strategy for trip in trips})
    return Stretch(
        account=account,
        symbol=held.instrument,
        strategy=None,
        side=held.side,
        quantity=held.quantity,
        average_price=held.average_price,
        cost=held.cost_basis,
        realized=_sum(trips, "net"),
        fees=_sum(trips, "fees"),
        began=min((trip.opened_at for trip in trips), default=held.opened_at or held.updated_at),
        updated=held.updated_at,
        highest=held.highest,
        lowest=held.lowest,
        metadata={
            "account": account,
            "strategies": strategies,
            "currency": held.currency,
            "flags": list(held.flags),
        },
    )


def _ended_since(book: Reading, was: Stretch) -> Stretch:
    """Return what became of a stretch that was open when it was handed out."""
    trips = [
        trip
        for trip in book.round_trips(account=was.account, instrument=was.symbol, since=was.began, is_open=False)
        if trip.opened_at >= was.began
    ]
    last = _ended_stretch(trips[-1]) if trips else was
    return Stretch(
        account=was.account,
        symbol=last.symbol,
        strategy=None,
        side=last.side,
        quantity=ZERO,
        average_price=last.average_price,
        cost=ZERO,
        realized=_sum(trips, "net"),
        fees=_sum(trips, "fees"),
        began=was.began,
        updated=last.updated,
        highest=last.highest,
        lowest=last.lowest,
        metadata=last.metadata,
        stop_loss=last.stop_loss,
        take_profit=last.take_profit,
    )


def _ended_stretch(trip: reports.RoundTrip) -> Stretch:
    return Stretch(
        account=trip.account,
        symbol=trip.instrument,
        strategy=trip.strategy,
        side=trip.direction,
        quantity=ZERO,
        average_price=trip.entry_price,
        cost=ZERO,
        realized=trip.net,
        fees=trip.fees,
        began=trip.opened_at,
        updated=trip.closed_at or trip.opened_at,
        highest=trip.highest,
        lowest=trip.lowest,
        stop_loss=trip.stop_loss,
        take_profit=trip.take_profit,
        metadata={
            "account": trip.account,
            "strategies": [trip.strategy],
            "currency": trip.currency,
            "round_trip": trip.id,
            "quantity": trip.quantity,
            "exit_price": trip.exit_price,
            "close_reason": trip.close_reason,
        },
    )


def _sum(trips: list[reports.RoundTrip], figure: str) -> Decimal:
    total = ZERO
    for trip in trips:
        total = add(total, getattr(trip, figure))
    return total


def _terms(book: Reading, account: str, symbol: str) -> Terms:
    defined: list[Instrument] = [item for item in book.facts("instrument") if item.symbol == symbol]
    owners: list[Account] = [item for item in book.facts("account") if item.name == account]
    owner = owners[-1] if owners else Account(name=account)
    return terms_of(defined[-1] if defined else None, symbol, owner)
