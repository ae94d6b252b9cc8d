"""Totals of an account in one currency: volume, realized and unrealized P&L. Computed from the book.

Everything settled in one currency is in that currency; what settled in several is in the book's base currency,
at recorded rates, without what no rate can value.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from onebook.app import Book
from onebook.book.reading import Reading
from onebook.compat.current import settings_of
from onebook.compat.trades import Trade
from onebook.domain.numbers import ZERO, add, multiply, quotient, subtract

_PAGE = 5_000
_HUNDRED = Decimal(100)
_TRADED = ("trade_executed", "trade_busted", "trade_corrected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What an account did so far; money in ``currency``, ``realized`` after fees."""

    currency: str
    realized: Decimal
    fees: Decimal
    fills: int
    round_trips: int


def trades_of(book: Reading, account: str, symbol: str | None = None) -> Iterator[Trade]:
    """Yield the trades of an account, oldest first, read in pages."""
    after: str | None = None
    while True:
        page = book.fills(account=account, instrument=symbol, after=after, limit=_PAGE)
        yield from (Trade.of(item) for item in page)
        if len(page) < _PAGE:
            return
        after = page[-1].id


def totals_of(book: Book, account: str | None, **days: Any) -> Totals:
    """Return realized P&L, fees and counts.

    Args:
        book: the book.
        account: whose; None for all live ones.
        days: ``since`` and ``until`` as for ``book.pnl``, and ``currency`` to have it in that one.
    """
    rows = book.pnl(account=account, **{name: value for name, value in days.items() if value is not None})
    fills, trips = sum(row.fills for row in rows), sum(row.round_trips for row in rows)
    if len(rows) > 1:
        wanted = settings_of(book).base_currency
        rows = book.pnl(account=account, **{**days, "currency": wanted})
    currency = rows[0].currency if rows else days.get("currency") or settings_of(book).base_currency
    net, fees = (rows[0].net, rows[0].fees) if rows else (ZERO, ZERO)
    return Totals(currency=currency, realized=net, fees=fees, fills=fills, round_trips=trips)


class Volume:
    """Σ amount × price of an account's trades, as the older program counted it: currencies are not converted.

    Remembers the sum up to a place of the log, and adds only what came after; a correction begins anew.

    Args:
        account: whose.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._url = ""
        self._sequence = 0
        self._total = ZERO

    def of(self, book: Book) -> Decimal:
        """Return the sum over all trades of a book."""
        status = book.status()
        with self._lock:
            if status.url != self._url or status.entries < self._sequence or not self._follow(book, status.entries):
                self._begin(book, status.url, status.entries)
            return self._total

    def _begin(self, book: Book, url: str, head: int) -> None:
        self._url, self._sequence, self._total = url, head, ZERO
        for trade in trades_of(book.as_of(head), self._account):
            self._total = add(self._total, trade.total_value)

    def _follow(self, book: Book, head: int) -> bool:
        """Add what came since, up to a head at least; False when a trade was corrected."""
        last = head
        for event in book.events(after=self._sequence, types=_TRADED):
            if event.type == "trade_corrected":
                return False
            if event.account == self._account:
                value = multiply(Decimal(event.data["quantity"]), Decimal(event.data["price"]))
                change = add if event.type == "trade_executed" else subtract
                self._total = change(self._total, value)
            last = max(last, event.sequence)
        self._sequence = last
        return True


def unrealized_of(book: Book, account: str) -> tuple[Decimal, Decimal]:
    """Return what open positions gain at their marks, and that in percent of their cost."""
    held = [item for item in book.positions(account=account) if item.unrealized_pnl is not None]
    if len({item.currency for item in held}) > 1:
        return book.equity(account=account).unrealized, ZERO
    gain = cost = ZERO
    for item in held:
        gain = add(gain, item.unrealized_pnl or ZERO)
        cost = add(cost, item.cost_basis)
    return gain, quotient(multiply(gain, _HUNDRED), cost) if cost else ZERO
