"""``TradeManager`` and its single instance: the older names of the book's door, queries and followers.

A manager keeps no trade, position or price. What it lists is asked of the book each time, so two managers over
one book cannot differ. What it keeps is who wants to be told.
"""

import logging
import os
from decimal import Decimal
from typing import Any

from onebook.app import Book
from onebook.compat import current
from onebook.compat.audit import audited
from onebook.compat.current import current_book
from onebook.compat.following import Followed, Followers, drain
from onebook.compat.positions import Position
from onebook.compat.state_file import DEFAULT_STATE, StateFile, StateOffer, check_filled
from onebook.compat.totals import Volume, totals_of, trades_of, unrealized_of
from onebook.compat.trade_bus import TradeEventBus
from onebook.compat.trades import Trade
from onebook.compat.values import as_float, decimal_of
from onebook.domain.numbers import add
from onebook.feed.subscriber import Subscriber

_log = logging.getLogger("onebook.compat")


class TradeManager(Followed):
    """The book under its older name.

    Args:
        storage_path: where the JSON state is written; None: ``crypto_bot/logs/trade_manager_state.json``.
        book: None for the book of the older names.
        account: whose trades and positions it shows and records.
    """

    def __init__(
        self,
        storage_path: str | os.PathLike[str] | None = None,
        *,
        book: Book | None = None,
        account: str = "main",
    ) -> None:
        self._given = book
        self._account = account
        self._state = StateFile(storage_path or DEFAULT_STATE)
        self._volume = Volume(account)
        self._followers = Followers(lambda: self.book, account)
        self.event_bus = TradeEventBus(lambda: self.book, account=account, others=lambda: self._followers.lag)
        self._state.notice(self._known)

    @property
    def book(self) -> Book:
        """The book behind it."""
        return self._given or current_book()

    @property
    def account(self) -> str:
        """Whose trades and positions it shows and records."""
        return self._account

    @property
    def storage_path(self) -> str:
        """Where the JSON state is written."""
        return str(self._state.path)

    # ---- in ----

    def record_trade(self, trade: Trade) -> str:
        """Record a trade, durably, and return its id. The same trade again is once.

        Raises:
            InputError: the trade has not happened (its status is not ``filled``).
            StoreError: it is not recorded; trying again is safe.
        """
        check_filled(trade)
        fill = trade.fill
        if not fill.client_fill_id and not fill.venue_fill_id:
            return trade.id  # the book handed it out and knows it by its place in the log
        if fill.account != self._account and not fill.venue_fill_id:
            fill = fill.replaced(account=self._account)
        receipt = self.book.record(fill)
        if receipt.status == "conflict":
            _log.warning("trade %s differs from the one recorded before; the first stands", trade.id)
        return trade.id

    def update_price(self, symbol: str, price: Any) -> None:
        """Say what a symbol costs now: it values positions and moves their highest and lowest price."""
        self.book.mark(symbol, decimal_of("price", price), source="compat")

    # ---- what there is ----

    @property
    def trades(self) -> list[Trade]:
        """All trades, oldest first."""
        return list(trades_of(self.book, self._account))

    @property
    def positions(self) -> dict[str, Position]:
        """The open positions by symbol."""
        book = self.book
        names = dict.fromkeys(item.instrument for item in book.positions(account=self._account))
        held = {name: Position.held(book, self._account, name) for name in names}
        return {name: position for name, position in held.items() if position is not None}

    @property
    def closed_positions(self) -> list[Position]:
        """The ended round trips, oldest first."""
        trips = self.book.round_trips(account=self._account, is_open=False)
        return [Position.ended(self.book, trip) for trip in trips]

    @property
    def price_cache(self) -> dict[str, Decimal]:
        """The newest price per symbol."""
        return {mark.instrument: mark.price for mark in self.book.marks()}

    def get_position(self, symbol: str) -> Position | None:
        """Return the open position in a symbol, None when there is none."""
        return Position.held(self.book, self._account, symbol)

    def get_all_positions(self) -> list[Position]:
        """Return the open positions."""
        return list(self.positions.values())

    def get_closed_positions(self) -> list[Position]:
        """Return the ended round trips, oldest first."""
        return self.closed_positions

    def get_trade_history(self, symbol: str | None = None, limit: int | None = None) -> list[Trade]:
        """Return trades, oldest first.

        Args:
            symbol: only this one.
            limit: only the newest so many.
        """
        found = list(trades_of(self.book, self._account, symbol or None))
        return found[-limit:] if limit else found

    # ---- totals ----

    @property
    def total_trades(self) -> int:
        """How many trades there are."""
        return totals_of(self.book, self._account).fills

    @property
    def total_volume(self) -> Decimal:
        """Σ amount × price of all trades, currencies not converted."""
        return self._volume.of(self.book)

    @property
    def total_fees(self) -> Decimal:
        """Fees of all trades, positive when paid."""
        return totals_of(self.book, self._account).fees

    @property
    def total_realized_pnl(self) -> Decimal:
        """What was realized, after fees."""
        return totals_of(self.book, self._account).realized

    def get_total_unrealized_pnl(self) -> tuple[Decimal, Decimal]:
        """Return what open positions gain at their newest prices, and that in percent of their cost."""
        return unrealized_of(self.book, self._account)

    def get_portfolio_summary(self) -> dict[str, Any]:
        """Return the account in numbers, for reading: floats and ISO text; ``currency`` says in what."""
        totals = totals_of(self.book, self._account)
        gain, percent = self.get_total_unrealized_pnl()
        held = self.get_all_positions()
        shown: dict[str, Any] = as_float(
            {
                "total_trades": totals.fills,
                "total_volume": self.total_volume,
                "total_fees": totals.fees,
                "total_realized_pnl": totals.realized,
                "total_unrealized_pnl": gain,
                "total_unrealized_pnl_pct": percent,
                "total_pnl": add(totals.realized, gain),
                "currency": totals.currency,
                "open_positions_count": len(held),
                "closed_positions_count": totals.round_trips,
                "positions": [position.shape() for position in held],
                "last_update": current.now(self.book),
            }
        )
        return shown

    def get_system_status(self) -> dict[str, Any]:
        """Return the counts of the older status, for reading: floats and ISO text.

        ``total_pnl`` is what was realized, after fees; ``event_queue_size`` is how many entries of the log the slowest
        subscriber was not told yet.
        """
        totals = totals_of(self.book, self._account)
        shown: dict[str, Any] = as_float(
            {
                "trades_count": totals.fills,
                "positions_count": len(self.positions),
                "closed_positions_count": totals.round_trips,
                "total_volume": self.total_volume,
                "total_pnl": totals.realized,
                "frontend_subscribers": len(self._frontend_subscribers),
                "portfolio_subscribers": len(self._portfolio_service_subscribers),
                "notification_subscribers": len(self._notification_subscribers),
                "event_queue_size": self.event_bus._event_queue.qsize(),  # noqa: SLF001  the older name
                "csv_audit_enabled": self._has_audit,
                "last_update": current.now(self.book),
            }
        )
        return shown

    # ---- checks ----

    def validate_position_consistency(self) -> dict[str, Any]:
        """Check the whole book: every hash, and every position folded again from its trades.

        Returns:
            ``valid``, ``issues`` (what verify found), ``warnings`` (flags of open positions), and counts.
        """
        found = self.book.verify()
        held = self.positions
        return {
            "valid": found.ok,
            "issues": [f"{item.kind}: {item.message}" for item in found.problems],
            "warnings": [
                f"{name}: {flag}" for name, position in held.items() for flag in position.metadata.get("flags", ())
            ],
            "open_positions": len(held),
            "closed_positions": totals_of(self.book, self._account).round_trips,
            "total_trades": self.total_trades,
        }

    def fix_data_inconsistencies(self) -> dict[str, Any]:
        """Find nothing to fix, and say so: positions are computed from the trades, there is no second copy."""
        return {
            "success": True,
            "fixes_applied": [],
            "errors": [],
            "positions_rebuilt": 0,
            "positions_closed": 0,
            "message": "nothing to fix: positions are computed from the recorded trades and have no copy",
        }

    # ---- the state file ----

    def save_state(self) -> None:
        """Write the JSON state for others to read, durably. Everything is in the book with or without it.

        Raises:
            StoreError: it cannot be written.
        """
        if self._state.changed_outside():
            kept = self._state.backup(current.now(self.book))
            _log.warning("%s was changed by another program; what it held is kept in %s", self.storage_path, kept)
        self._state.write(self._shape())

    def _shape(self) -> dict[str, Any]:
        book, totals = self.book, totals_of(self.book, self._account)
        return {
            "trades": [trade.shape() for trade in trades_of(book, self._account)],
            "positions": {name: position.shape() for name, position in self.positions.items()},
            "closed_positions": [position.shape() for position in self.closed_positions],
            "price_cache": self.price_cache,
            "statistics": {
                "total_trades": totals.fills,
                "total_volume": self.total_volume,
                "total_fees": totals.fees,
                "total_realized_pnl": totals.realized,
            },
            "last_save_time": current.now(book),
        }

    def offered_state(self) -> StateOffer | None:
        """Return what a state file changed by another program offers for import; None when it was not changed.

        Raises:
            InputError: it was changed into something that is no state.
        """
        return self._state.offer(self._known()) if self._state.changed_outside() else None

    def import_state(self) -> Any:
        """Record the trades of the state file that the book does not have, and return what became of each.

        Times in the file count as UTC. Its positions and prices are not read: the book computes them.

        Raises:
            InputError: it is no state file.
        """
        return self._state.take_in(self.book, self._known())

    def _known(self) -> set[str]:
        return {trade.id for trade in trades_of(self.book, self._account)}

    # ---- the end ----

    _has_audit = False

    def leave(self) -> None:
        """Stop telling everybody, once they were told what is recorded already, or after a few seconds.

        What a portfolio service or a notification was not told comes when it is added at the next start.
        """
        self._followers.close()
        self.event_bus.stop()

    def shutdown(self) -> None:
        """Stop telling everybody, write the state, and close the book if it was opened for the older names."""
        self.leave()
        try:
            self.save_state()
        finally:
            if self._given is None:
                current.release(only_own=True)


class SingleSourceTradeManager(TradeManager):
    """The one manager of the process, as :func:`get_single_source_trade_manager` gives it, with the CSV audit.

    Args:
        storage_path: where the JSON state is written; None: ``crypto_bot/logs/trade_manager_state.json``.
        enable_csv_audit: False for no audit.
        book: None for the book of the older names.
        account: whose trades and positions it shows and records.
    """

    def __init__(
        self,
        storage_path: str | os.PathLike[str] | None = None,
        enable_csv_audit: bool = True,
        *,
        book: Book | None = None,
        account: str = "main",
    ) -> None:
        super().__init__(storage_path, book=book, account=account)
        path = current.csv_audit() if enable_csv_audit else None
        self._audit: Subscriber | None = None if path is None else audited(self.book, path)

    @property
    def _has_audit(self) -> bool:  # type: ignore[override]
        return self._audit is not None

    def leave(self) -> None:
        """Stop telling everybody, and bring the audit up to date, in a few seconds at most."""
        super().leave()
        if self._audit is not None:
            drain(lambda: 0 if self._audit is None else self._audit.lag)
            self._audit.close()
            self._audit = None


_manager: SingleSourceTradeManager | None = None


def get_single_source_trade_manager() -> SingleSourceTradeManager:
    """Return the one manager, over the book of the older names."""
    global _manager
    with current.LOCK:
        if _manager is None:
            _manager = SingleSourceTradeManager()
        return _manager


def get_trade_manager() -> SingleSourceTradeManager:
    """Return the one manager: there is no second source."""
    return get_single_source_trade_manager()


def reset_single_source_trade_manager() -> None:
    """Shut the one manager down and forget it; the next call begins anew, with everything that was recorded."""
    manager = _taken()
    if manager is not None:
        manager.shutdown()


def reset_trade_manager() -> None:
    """Shut the one manager down and forget it: the same as ``reset_single_source_trade_manager``."""
    reset_single_source_trade_manager()


def forget_manager() -> None:
    """Drop the one manager without writing anything: the book it spoke to is being replaced."""
    manager = _taken()
    if manager is not None:
        manager.leave()


def _taken() -> SingleSourceTradeManager | None:
    """Return the one manager, which is not the one any more."""
    global _manager
    with current.LOCK:
        manager, _manager = _manager, None
    return manager
