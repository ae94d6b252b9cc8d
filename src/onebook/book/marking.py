"""Marks as the book's callers see them: what something costs now, and who is told of it."""

import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from onebook.book.lens import Lens
from onebook.book.marks import Exposure, Marks, exposure_of
from onebook.book.money import covered
from onebook.book.positions import based
from onebook.book.reading import Moment, moment_ns
from onebook.clock import Clock
from onebook.domain import times
from onebook.domain.fields import required
from onebook.domain.numbers import ZERO, number
from onebook.domain.reports import Mark
from onebook.errors import InputError, StoreClosed, StoreError
from onebook.store.port import Store

MarkHook = Callable[[str, Decimal, int, str], None]
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
        if self._closed:
            raise StoreClosed(CLOSED)
        value = number("price", price)
        if value < ZERO:
            msg = f"price: {value} is below 0"
            raise InputError(msg, field="price", value=price)
        seen = self._clock() if at is None else self._moment(at)
        name = instrument if type(instrument) is str and instrument else required("instrument", instrument)
        self._marks.put(name, value, seen, source)
        for hook in self._mark_hooks:
            hook(name, value, seen, source)

    def _moment(self, at: Moment) -> int:
        """Return the moment of a mark, which is not in the future."""
        moment = moment_ns("at", at)
        assert moment is not None  # noqa: S101  a moment was given
        if moment > self._clock() + times.FAR_AHEAD:
            msg = f"at: {times.to_text(moment)} is in the future; a mark says what was seen"
            raise InputError(msg, field="at", value=at)
        return moment

    def hook_marks(self, hook: MarkHook, *, on: bool) -> None:
        """Call a function with every mark of this process, or call it no more; for the floors above.

        Args:
            hook: takes instrument, price, nanoseconds since 1970 UTC, and source; on the thread that gave the mark.
            on: whether it is called from now on.
        """
        with self._opening:
            others = tuple(item for item in self._mark_hooks if item != hook)
            self._mark_hooks = (*others, hook) if on else others

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
        return self._marks.totals()

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
