"""Document B's questions, always answered by the database: today's P&L, open trades, today's signals and journal.

Rows are dictionaries with the documented columns of ``paper_trades`` and ``signals``; numbers are exact, times
aware. "Today" is the book's own day, by its zone and roll time. Nothing is kept between two calls.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from onebook.app import Book
from onebook.compat.current import calendar_of, current_book, now_ns
from onebook.compat.migrating import migrate_paper_trades, migrate_signals
from onebook.compat.totals import totals_of
from onebook.domain.reports import Position, RoundTrip, SignalState

Row = dict[str, Any]

_STATUS = {"": "CLOSED", "end_of_day": "EOD_CLOSE"}


def today(book: Book | None = None) -> date:
    """Return the book's day of now; as text it is what ``today()`` means in the documented SQL."""
    asked = book or current_book()
    return calendar_of(asked).of(now_ns(asked))


def _bounds(book: Book) -> tuple[int, int]:
    return calendar_of(book).bounds(today(book))


def get_daily_pnl(book: Book | None = None, *, currency: str | None = None) -> Decimal:
    """Return what the book realized today, after fees, partial exits included.

    Args:
        book: None for the book of the older names.
        currency: in this one, at recorded rates. None: the one in which today's trades settled; when there are
            several, the book's base currency.
    """
    asked = book or current_book()
    day = today(asked)
    return totals_of(asked, None, since=day, until=day + timedelta(days=1), currency=currency).realized


def get_active_trades(book: Book | None = None) -> list[Row]:
    """Return the open trades, by when they began, with the columns of ``paper_trades``."""
    return trade_rows(book or current_book(), is_open=True)


def get_trading_journal(book: Book | None = None) -> list[Row]:
    """Return the trades that ended today, by when they ended, with the columns of ``paper_trades``."""
    asked = book or current_book()
    start, end = _bounds(asked)
    return trade_rows(asked, is_open=False, since=start, until=end)


def get_signals_summary(book: Book | None = None) -> list[Row]:
    """Return today's signals, newest first, with the columns of ``signals``."""
    asked = book or current_book()
    start, end = _bounds(asked)
    return [_signal(item) for item in reversed(asked.signals(since=start, until=end))]


def trade_rows(book: Book, **filters: Any) -> list[Row]:
    """Return trades with the columns of ``paper_trades``.

    Args:
        book: which.
        filters: as for ``book.round_trips``.
    """
    prices = {mark.instrument: mark.price for mark in book.marks()}
    held = {(item.account, item.instrument, item.strategy, item.leg): item for item in book.positions()}
    return [
        _trade(trip, prices.get(trip.instrument), held.get((trip.account, trip.instrument, trip.strategy, trip.leg)))
        for trip in book.round_trips(**filters)
    ]


def _trade(trip: RoundTrip, price: Decimal | None, held: Position | None) -> Row:
    status = "OPEN" if trip.is_open else _STATUS.get(trip.close_reason, trip.close_reason.upper())
    return {
        "id": trip.id,
        "signal_id": trip.signal_id or None,
        "symbol": trip.instrument,
        "direction": trip.direction.upper(),
        "entry_price": trip.entry_price,
        "position_size": trip.quantity,
        "stop_loss": trip.stop_loss,
        "take_profit": trip.take_profit,
        "entry_time": trip.opened_at,
        "exit_time": trip.closed_at,
        "exit_price": trip.exit_price,
        "status": status,
        "realized_pnl": None if trip.is_open else trip.net,
        "unrealized_pnl": held.unrealized_pnl if trip.is_open and held is not None else None,
        "current_price": price,
        "risk_amount": trip.risk_amount,
        "created_date": trip.opened_at.date().isoformat(),
    }


def _signal(item: SignalState) -> Row:
    signal = item.signal
    return {
        "id": item.sequence,
        "signal_id": signal.signal_id,
        "crypto": signal.instrument,
        "action": signal.action.upper(),
        "entry_price": signal.price,
        "confidence": signal.confidence,
        "timestamp": signal.occurred_at,
        "paper_trade_id": None if item.round_trip is None else str(item.round_trip),
        "status": item.status,
        "timeframe": signal.timeframe or None,
        "confluences": list(signal.confluences),
    }


__all__ = [
    "get_active_trades",
    "get_daily_pnl",
    "get_signals_summary",
    "get_trading_journal",
    "migrate_paper_trades",
    "migrate_signals",
    "today",
]
