"""Marks as the book's callers see them: what something costs now, and who is told of it."""

import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from onebook.book.exposures import Exposure, exposure_of
from onebook.book.lens import Lens
from onebook.book.marks import Marks
from onebook.book.money import covered
from onebook.book.positions import based
from onebook.book.reading import Moment, moment_ns
from onebook.clock import Clock
from onebook.domain import times
from onebook.domain.fields import required
from onebook.domain.numbers import ZERO, fma, number, subtract
from onebook.domain.reports import Mark
from onebook.errors import InputError, StoreClosed, StoreError
from onebook.store.port import Store

Bounds = tuple[Decimal, Decimal]
"""The prices, themselves left out, between which a mark of an instrument means nothing to who watches it."""

MarkHook = Callable[[str, Decimal, int, str], Bounds | None]
NO_PRICE: Bounds = (Decimal("-Infinity"), Decimal("Infinity"))
"""Bounds of one to whom no mark means anything."""

CLOSED = "the book is closed; open it again"


class Marking:
    """The part of a book that takes marks and gives them out."""

    _store: Store
    _clock: Clock
    _marks: Marks
    _mark_hooks: tuple[MarkHook, ...]
    _opening: threading.Lock
    _closed: bool

    def mark(self, instrument: str, price: Any, *, at: Moment = None, source: str = "") -> None:
        """Say what an instrument costs now. Marks value positions and are never stored as truth.

        Args:
            instrument: a symbol, or a pair such as ``EUR/USD`` for converting live figures.
            price: 0 or more, in the quote currency.
            at: when it was so; None for now.
            source: who says so.

        Raises:
            InputError: it is malformed.
            StoreClosed: the book is closed.
        """
        is_new = at is None and type(price) is Decimal  # looked at only where it may not be taken quietly
        if is_new:
            value, seen = price, self._clock()
        else:
            value, seen = self._looked_at(price, at)
        board = self._marks  # what follows is the way of nearly every tick, so it calls nothing of ours
        if type(instrument) is str:
            with board.lock:
                mark = board.quiet.get(instrument)
                if (
                    mark is not None
                    and value.same_quantum(mark.price)
                    and mark.floor < value < mark.ceiling
                    and mark.at <= seen < mark.until
                ):
                    if mark.units is not None:
                        sums, currency = board.sums, mark.currency
                        sums[currency] = fma(mark.units, subtract(value, mark.price), sums[currency])
                    mark.price, mark.at, mark.source = value, seen, source
                    return
        if is_new:
            value, seen = self._looked_at(price, at)
        name = instrument if type(instrument) is str and instrument else required("instrument", instrument)
        self._put(name, value, seen, source)

    def _looked_at(self, price: Any, at: Moment) -> tuple[Decimal, int]:
        """Return a price that can be kept, and when it was so."""
        if self._closed:
            raise StoreClosed(CLOSED)
        value = number("price", price)
        if value < ZERO:
            msg = f"price: {value} is below 0"
            raise InputError(msg, field="price", value=price)
        return value, self._clock() if at is None else self._moment(at)

    def _put(self, name: str, value: Decimal, seen: int, source: str) -> None:
        """Take a mark in and tell of it; what nobody needs to be told of comes in quietly from then on."""
        turn = self._marks.put(name, value, seen, source)
        low, high, is_bound = NO_PRICE[0], NO_PRICE[1], True
        for hook in self._mark_hooks:
            bounds = hook(name, value, seen, source)
            if bounds is None:
                is_bound = False
            elif is_bound:
                low, high = max(low, bounds[0]), min(high, bounds[1])
        if is_bound:
            self._marks.hush(name, turn, low, high)

    def _moment(self, at: Moment) -> int:
        """Return the moment of a mark, which is not in the future."""
        moment = moment_ns("at", at)
        assert moment is not None  # noqa: S101  a moment was given
        if moment > self._clock() + times.FAR_AHEAD:
            msg = f"at: {times.to_text(moment)} is in the future; a mark says what was seen"
            raise InputError(msg, field="at", value=at)
        return moment

    def hook_marks(self, hook: MarkHook, *, on: bool) -> None:
        """Call a function with the marks of this process, or call it no more; for the floors above.

        Args:
            hook: takes instrument, price, nanoseconds since 1970 UTC, and source; on the thread that gave the mark.
                It returns None to be called with every mark, or the prices between which it need not be called with
                this instrument's marks: those count until the log grows, until :meth:`watch_again`, and for a quarter
                of a second at most; after that it is asked again.
            on: whether it is called from now on.
        """
        with self._opening:
            others = tuple(item for item in self._mark_hooks if item != hook)
            self._mark_hooks = (*others, hook) if on else others
        self._marks.unhush(None)

    def watch_again(self, instrument: str | None) -> None:
        """Call the hooks with the next mark of an instrument, whatever bounds they returned; of all for None."""
        self._marks.unhush(instrument)

    def share_marks(self) -> None:
        """Let other processes see the newest marks now, not within a second; for programs that end right after.

        Raises:
            StoreBusy: another process wrote for longer than a second; the marks are shared later, or at close.
        """
        self._marks.share(wait=True)

    def _share_marks(self) -> None:
        """Bring the newest marks into the table, for answers that read it; who writes just now goes first."""
        with suppress(StoreError):
            self._marks.share()

    def marks(self) -> list[Mark]:
        """Return the newest prices."""
        now = self._clock()
        return [
            Mark(
                instrument=name,
                price=mark.price,
                at=times.to_datetime(mark.at),
                source=mark.source,
                stale=now - mark.at > 60 * times.SECOND,
            )
            for name, mark in sorted(self._marks.all().items())
        ]

    def unrealized(self) -> dict[str, Any]:
        """Return the unrealized P&L of all open positions with a mark, by settlement currency.

        Of the live accounts; of the paper ones where the book has no others.
        """
        board = self._marks
        if board.fetched <= self._clock() < board.fetch_due and board.loaded_at == board.head:
            return board.sums.copy()
        return board.totals()

    def _exposures(self) -> tuple[int, dict[str, list[Exposure]], frozenset[str]]:
        """Return the head, what open positions are worth per price, and whose marks are kept minute by minute."""
        head = self._marks.head
        found: dict[str, list[Exposure]] = {}
        currencies: set[str] = set()
        held: set[str] = set()
        with self._store.reading() as reader:
            lens = Lens(reader)
            base = lens.settings.base_currency
            counts = covered(lens, None)
            for info, holdings in lens.all_holdings(is_open=True):
                terms = lens.terms(info)
                currencies.add(terms.settle)
                held.add(info.name)
                for holding in holdings.values() if counts(info.account) else ():
                    quantity = based(holding)
                    if quantity:
                        found.setdefault(info.name, []).append(
                            exposure_of(terms, quantity, holding.cost, holding.splits)
                        )
        currencies.discard(base)
        pairs = frozenset(name for each in currencies for name in (f"{each}/{base}", f"{base}/{each}"))
        return head, found, pairs | held
