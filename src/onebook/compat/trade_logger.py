"""``engine.trade_logger``: the documents' logger of trades, a face over the book and the CSV audit.

A logged trade is a fill that opens; its exit is the fill that closes it. The lists are the book's round trips. Once
the audit has the row of either, ``trade_logged`` or ``trade_exit_updated`` is told.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from onebook.app import Book
from onebook.compat.audit import LOGGED_BY
from onebook.compat.current import current_book
from onebook.compat.database import trade_rows
from onebook.compat.managers import get_single_source_trade_manager
from onebook.compat.state_file import check_filled
from onebook.compat.totals import trades_of
from onebook.compat.trades import Trade, create_trade
from onebook.compat.values import absent, decimal_of, moment_of, optional_decimal
from onebook.domain.facts import Fill
from onebook.domain.numbers import ZERO, add, multiply, quotient
from onebook.errors import InputError

_HUNDRED = Decimal(100)
_SIDES = {"buy": "buy", "long": "buy", "sell": "sell", "short": "sell"}
_OPPOSITE = {"buy": "sell", "sell": "buy"}
_REASONS = {"eod_close": "end_of_day", "closed": ""}
_NAMES = {
    "id": ("trade_id", "id"),
    "symbol": ("symbol", "instrument"),
    "side": ("side", "direction"),
    "amount": ("amount", "quantity", "position_size"),
    "price": ("price", "entry_price"),
    "timestamp": ("timestamp", "entry_time"),
    "strategy": ("strategy",),
    "exchange": ("exchange",),
    "fees": ("fees",),
    "order_id": ("order_id",),
    "metadata": ("metadata",),
}
"""Field of a trade -> what a logged dictionary may call it."""

_NEEDED = ("symbol", "side", "amount", "price")


class TradeLogger:
    """Logs trades and their exits.

    Args:
        book: None for the book of the older names.
        account: whose trades.
    """

    def __init__(self, *, book: Book | None = None, account: str = "main") -> None:
        self._given = book
        self._account = account

    @property
    def book(self) -> Book:
        """The book behind it."""
        if self._given is not None:
            return self._given
        get_single_source_trade_manager()  # with it the audit runs
        return current_book()

    def log_trade(self, trade: Trade | Mapping[str, Any]) -> str:
        """Record a trade, durably, and return its id. The same id twice is once.

        Args:
            trade: a ``Trade``, or a dictionary with ``symbol side amount price`` (or ``instrument direction quantity
                entry_price``), and where known ``trade_id timestamp strategy exchange fees order_id metadata``.

        Raises:
            InputError: something is missing or malformed.
        """
        taken = trade if isinstance(trade, Trade) else _trade(trade)
        check_filled(taken)
        fill = taken.fill if taken.fill.account == self._account else taken.fill.replaced(account=self._account)
        self.book.record(fill, correlation_id=_belongs(taken.id))
        return taken.id

    def update_trade_exit(
        self,
        trade_id: str,
        exit_price: Any,
        exit_time: datetime | str | None = None,
        exit_reason: str = "",
        *,
        amount: Any = None,
        fees: Any = 0,
    ) -> bool:
        """Record that a logged trade ended; False when no such trade was logged. The same exit twice is once.

        Args:
            trade_id: as :meth:`log_trade` returned it.
            exit_price: per unit, in the quote currency.
            exit_time: None is now.
            exit_reason: such as ``stop_loss`` or ``EOD_CLOSE``.
            amount: how much was closed, above 0; None: as much as was opened.
            fees: charged when positive, in the settlement currency; 0 states nothing.

        Raises:
            InputError: something is malformed.
        """
        book = self.book
        entry = next((trade for trade in trades_of(book, self._account) if trade.id == str(trade_id)), None)
        if entry is None:
            return False
        reason = exit_reason.strip().lower()
        closing = Fill(
            instrument=entry.symbol,
            side=_OPPOSITE[entry.side],
            quantity=optional_decimal("amount", amount) or entry.amount,
            price=decimal_of("exit_price", exit_price),
            occurred_at=None if exit_time is None else moment_of("exit_time", exit_time),
            account=self._account,
            strategy=entry.strategy,
            venue=entry.exchange,
            fee=decimal_of("fees", fees) or None,
            client_fill_id=f"{entry.id}:exit",
            close_reason=_REASONS.get(reason, reason),
        )
        book.record(closing, correlation_id=_belongs(entry.id))
        return True

    def get_all_trades(self) -> list[dict[str, Any]]:
        """Return all trades, ended ones first, with the columns of ``paper_trades`` and ``trade_id`` of the entry."""
        return self._rows()

    def get_open_trades(self) -> list[dict[str, Any]]:
        """Return the open trades, by when they began, in the same shape."""
        return self._rows(is_open=True)

    def _rows(self, **filters: Any) -> list[dict[str, Any]]:
        book = self.book
        rows = trade_rows(book, account=self._account, **filters)
        if not rows:
            return []
        first = min(row["entry_time"] for row in rows)
        named = {item.sequence: item.client_fill_id for item in book.fills(account=self._account, since=first)}
        return [row | {"trade_id": named.get(row["id"]) or str(row["id"])} for row in rows]

    def get_trade_stats(self) -> dict[str, Any]:
        """Return the trades in numbers: counts, wins, total and mean P&L after fees, currencies not converted.

        ``win_rate`` is in percent of the ended ones; a trade that gained nothing is no win.
        """
        rows = trade_rows(self.book, account=self._account)
        ended = [row["realized_pnl"] for row in rows if row["status"] != "OPEN"]
        total = ZERO
        for gain in ended:
            total = add(total, gain)
        wins = sum(1 for gain in ended if gain > ZERO)
        count = Decimal(len(ended))
        return {
            "total_trades": len(rows),
            "open_trades": len(rows) - len(ended),
            "closed_trades": len(ended),
            "winning_trades": wins,
            "losing_trades": sum(1 for gain in ended if gain < ZERO),
            "win_rate": quotient(multiply(Decimal(wins), _HUNDRED), count) if ended else ZERO,
            "total_pnl": total,
            "average_pnl": quotient(total, count) if ended else ZERO,
        }


def _belongs(trade_id: str) -> str:
    return f"{LOGGED_BY}{trade_id}"


def _trade(given: object) -> Trade:
    if not isinstance(given, Mapping):
        msg = f"trade: {given!r:.80} is neither a Trade nor a dictionary"
        raise InputError(msg, field="trade", value=given)
    found = {}
    for field, names in _NAMES.items():
        said = [given[name] for name in names if not absent(given.get(name))]
        if said:
            found[field] = said[0]
    missing = [field for field in _NEEDED if field not in found]
    if missing:
        msg = f"trade: {missing[0]} is missing; a trade has {', '.join(_NEEDED)}"
        raise InputError(msg, field=missing[0], value=dict(given))
    side = _SIDES.get(str(found["side"]).lower())
    if side is None:
        msg = f"side: {found['side']!r:.60} is none of {', '.join(_SIDES)}"
        raise InputError(msg, field="side", value=found["side"])
    found["side"] = side
    if "timestamp" in found or "id" in found:
        return Trade(**{"id": "", "timestamp": None} | found)
    return create_trade(**found)
