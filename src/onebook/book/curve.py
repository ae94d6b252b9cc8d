"""Equity at many moments, each ledger folded once from the first to the last."""

from decimal import Decimal
from functools import partial

from onebook.book.kept_points import Marks
from onebook.book.lens import FAR, LedgerInfo, Lens
from onebook.book.marks import LiveMark
from onebook.book.money import EquityReader
from onebook.domain import times
from onebook.domain.movements import FIRST, Order
from onebook.domain.reports import EquityPoint
from onebook.domain.sums import Sums, can_sum
from onebook.store.codec import decode
from onebook.store.port import Row

PAGE = 64
"""Rows of a ledger that are read ahead."""

MOST = 256
"""Movements from one moment to the next; behind more there is a nearer fold point."""

_QUANTITY, _PRICE, _FEE, _FEE_CURRENCY, _EXTRA = 10, 11, 12, 13, 14
_STRATEGY, _KIND = 7, 9


class Curve:
    """Equity at moments that are asked for in their order.

    Args:
        lens: the point of view, without a moment.
        currency: None for the book's base currency.
        account: None for all live accounts (all paper ones where there is no live one).
        last: the last moment that will be asked for, in nanoseconds.
        until_ns: what happened later does not count; None: all.
    """

    def __init__(
        self, lens: Lens, currency: str | None, account: str | None, last: int, until_ns: int | None = None
    ) -> None:
        self._lens = lens
        self._currency = currency
        self._account = account
        self._until_ns = FAR if until_ns is None else until_ns
        self._last = last
        self._has_marks: dict[str, bool] = {}
        self._walk = _Walk(lens, min(last, self._until_ns))

    def mark_at(self, instrument: str, moment: int) -> Row | None:
        """Return (price, at_ns) of the newest mark up to a moment; what has none up to the last is asked for once."""
        reader = self._lens.reader
        if instrument not in self._has_marks:
            self._has_marks[instrument] = reader.mark_at(instrument, self._last) is not None
        return reader.mark_at(instrument, moment) if self._has_marks[instrument] else None

    def at(self, moment: int) -> tuple[EquityPoint, Marks]:
        """Return the equity at a moment, and the marks that were looked up for it."""
        then = self._lens.at(min(moment, self._until_ns))
        marks: dict[str, Row | None] = {}

        def mark_of(instrument: str) -> LiveMark | None:
            row = marks[instrument] = self.mark_at(instrument, moment)
            return None if row is None else LiveMark(Decimal(row[0]), row[1], "")

        equity = EquityReader(then, self._currency, mark_of, moment)
        if self._currency in {None, then.settings.base_currency}:
            amount = equity.amount(self._account, partial(self._walk.at, then))
        else:
            amount = equity.read(self._account).amount
        oldest = min((mark.at for mark in equity.marks_used), default=None)
        age = None if oldest is None else (moment - oldest) / times.SECOND
        return EquityPoint(at=times.to_datetime(moment), amount=amount, marks_age_seconds=age), marks


class _Walk:
    """What the positions of ledgers come to, moment by moment."""

    def __init__(self, lens: Lens, last: int) -> None:
        self._lens = lens
        self._last = last
        self._ledgers: dict[int, _Ledger] = {}

    def at(self, then: Lens, info: LedgerInfo) -> Sums | None:
        """Return the sums of a ledger's positions at a moment; None where single positions are to be looked at.

        Args:
            then: the point of view at the moment, not before the one asked for last.
            info: which ledger.
        """
        if not can_sum(then.terms(info)):
            return None
        ledger = self._ledgers.get(info.id)
        if ledger is None:
            ledger = self._ledgers[info.id] = _Ledger()
        if ledger.sums is None or not self._on(ledger, then, info):
            self._begin(ledger, then, info)
        return ledger.sums

    def _begin(self, ledger: "_Ledger", then: Lens, info: LedgerInfo) -> None:
        terms = then.terms(info)
        sums = Sums(terms, needs_rate=terms.settle != then.settings.base_currency)
        is_plain = sums.put(then.holdings(info).values())
        ledger.sums = sums if is_plain else None
        ledger.rows, ledger.after, ledger.is_whole = [], sums.last, False

    def _on(self, ledger: "_Ledger", then: Lens, info: LedgerInfo) -> bool:
        """Take what came up to a moment; False where that is more than plain, or much."""
        moment = self._last if then.until_ns is None else then.until_ns
        taken = 0
        while True:
            while ledger.rows and ledger.rows[-1][0] <= moment:
                if not ledger.take(ledger.rows.pop()):
                    return False
                taken += 1
            if ledger.rows or ledger.is_whole:
                return True
            if taken > MOST:
                return False
            page = self._lens.reader.movements(info.id, ledger.after, self._lens.known, PAGE, self._last)
            ledger.is_whole = len(page) < PAGE
            if page:
                ledger.after = page[-1][:5]
                ledger.rows = page[::-1]


class _Ledger:
    """One ledger on its way: its sums, and the rows read ahead of them, the next one last."""

    __slots__ = ("after", "is_whole", "rows", "sums")

    def __init__(self) -> None:
        self.sums: Sums | None = None
        self.rows: list[Row] = []
        self.after: Order = FIRST
        self.is_whole = False

    def take(self, row: Row) -> bool:
        """Fold one movement; False where it is more than plain."""
        sums, kind, extra = self.sums, row[_KIND], row[_EXTRA]
        assert sums is not None  # noqa: S101  asked before
        if extra is not None:
            extra = decode(extra)
        if kind == "fill":
            fee = row[_FEE]
            return sums.fill(
                row[_STRATEGY],
                Decimal(row[_QUANTITY]),
                Decimal(row[_PRICE]),
                None if fee is None else Decimal(fee),
                row[_FEE_CURRENCY],
                extra,
            )
        if kind in {"funding", "cash"}:
            return sums.pay(Decimal(extra["amount"]), extra.get("currency", ""), extra)
        return False
