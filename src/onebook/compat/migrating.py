"""Taking in what a program of document B has: its signals in memory, and its ``paper_trades`` database.

Every row becomes facts whose ids are functions of the row, so a second run adds only what is new. A row that is
malformed is refused alone, by its place. Nothing here writes to the older program's file.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from onebook.app import Book
from onebook.compat.current import current_book
from onebook.compat.old_database import read_tables
from onebook.compat.rows import Rows
from onebook.compat.values import absent, decimal_of, moment_of, optional_decimal, zone_of
from onebook.domain.facts import CLOSE_REASONS, Account, AnyFact, Fill, Signal, SignalUpdate
from onebook.domain.numbers import quotient
from onebook.domain.reports import BatchReport
from onebook.errors import InputError

PAPER = "paper"
_BUYING = {"BUY": "buy", "LONG": "buy", "SELL": "sell", "SHORT": "sell"}
_REASONS = {"EOD_CLOSE": "end_of_day", "CLOSED": "", "OPEN": ""}
_ORDER = {"GENERATED": 0, "EXECUTED": 1, "EXPIRED": 1, "CLOSED": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How rows are read: whose they become, and what they leave unsaid."""

    account: str
    strategy: str
    zone: tzinfo
    full_confidence: Decimal
    rename: Mapping[str, str]
    source: str = ""

    def symbol(self, row: Mapping[str, Any]) -> str:
        """Return the instrument of a row."""
        given = str(row.get("crypto") or row.get("symbol") or "")
        return self.rename.get(given, given)

    def moment(self, row: Mapping[str, Any], name: str) -> datetime | None:
        """Return a time of a row, None when it has none."""
        return None if absent(row.get(name)) else moment_of(name, row[name], self.zone)

    def confidence(self, row: Mapping[str, Any]) -> Decimal | None:
        """Return the confidence of a row, between 0 and 1."""
        given = optional_decimal("confidence", row.get("confidence"))
        taken = None if given is None else quotient(given, self.full_confidence)
        if taken is not None and not 0 <= taken <= 1:
            msg = (
                f"confidence: {given} is not between 0 and {self.full_confidence}; say full_confidence=100 for percent"
            )
            raise InputError(msg, field="confidence", value=given)
        return taken


def migrate_signals(
    signals: Iterable[Mapping[str, Any]],
    book: Book | None = None,
    *,
    account: str = "main",
    strategy: str = "",
    zone: str = "UTC",
    full_confidence: int = 1,
    rename: Mapping[str, str] | None = None,
) -> BatchReport:
    """Record signals that a program kept in memory (``live_signals``); running it again adds nothing.

    Args:
        signals: dictionaries with the columns of document B's ``signals``; ``crypto`` or ``symbol``, ``action``
            or ``direction``, and ``stop_loss`` and ``take_profit`` where there are any. Without ``signal_id``
            one is derived from the content.
        book: None for the book of the older names.
        account: whose they become.
        strategy: whose they become.
        zone: the zone of times that name none.
        full_confidence: what full confidence is in that program: 1, or 100 for percent.
        rename: symbols of that program, and what they are called here.

    Returns:
        Counts of signals; a refusal names the place in ``signals``.
    """
    asked = book or current_book()
    how = _reading(account, strategy, zone, full_confidence, rename)
    rows: Rows[tuple[Signal, str]] = Rows()
    for index, row in enumerate(signals):
        rows.add(index, lambda item: (_signal(item, how), _status(item)), row)
    report = rows.recorded(asked, ((index, signal) for index, (signal, _) in rows.made))
    _bring_forward(asked, account, {signal.signal_id: status for _, (signal, status) in rows.made})
    return report


def _reading(
    account: str, strategy: str, zone: str, full_confidence: int, rename: Mapping[str, str] | None, source: str = ""
) -> Reading:
    return Reading(
        account=account,
        strategy=strategy,
        zone=UTC if zone == "UTC" else zone_of(zone),
        full_confidence=Decimal(full_confidence),
        rename=rename or {},
        source=source,
    )


def _signal(row: Mapping[str, Any], how: Reading) -> Signal:
    return Signal(
        signal_id=str(row.get("signal_id") or _derived_id(row)),
        instrument=how.symbol(row),
        action=_side(row, "action", "direction"),
        account=how.account,
        strategy=how.strategy,
        price=optional_decimal("entry_price", row.get("entry_price")),
        stop_loss=optional_decimal("stop_loss", row.get("stop_loss")),
        take_profit=optional_decimal("take_profit", row.get("take_profit")),
        confidence=how.confidence(row),
        timeframe=str(row.get("timeframe") or ""),
        confluences=_names(row.get("confluences")),
        occurred_at=how.moment(row, "timestamp"),
    )


def _side(row: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if row.get(name):
            side = _BUYING.get(str(row[name]).strip().upper())
            if side is None:
                msg = f"{name}: {row[name]!r} is none of {', '.join(_BUYING)}"
                raise InputError(msg, field=name, value=row[name])
            return side
    msg = f"{names[0]}: is missing"
    raise InputError(msg, field=names[0])


def _status(row: Mapping[str, Any]) -> str:
    status = str(row.get("status") or "GENERATED").strip().upper()
    if status not in _ORDER:
        msg = f"status: {status!r} is none of {', '.join(_ORDER)}"
        raise InputError(msg, field="status", value=status)
    return status


def _names(value: Any) -> tuple[str, ...]:
    """Return confluences from a list, JSON text of one, or text with commas."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return tuple(part.strip() for part in value.split(",") if part.strip())
    listed = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return tuple(str(item) for item in listed)


def _derived_id(row: Mapping[str, Any]) -> str:
    parts = [str(row.get(name)) for name in ("crypto", "symbol", "action", "direction", "entry_price", "timestamp")]
    return "signal:" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _bring_forward(book: Book, account: str, wanted: Mapping[str, str]) -> None:
    """Move signals on to the status they had; one that is further along already stays there."""
    updates: list[AnyFact] = []
    for known in book.signals(account=account):
        status = wanted.get(known.signal_id, "GENERATED")
        if _ORDER[status] > _ORDER[known.status]:
            updates.append(
                SignalUpdate(signal_id=known.signal_id, status=status, account=account, reason="taken in with it")
            )
    book.record_many(updates)


def migrate_paper_trades(
    path: str | os.PathLike[str],
    book: Book | None = None,
    *,
    account: str = PAPER,
    strategy: str = "",
    zone: str = "UTC",
    full_confidence: int = 1,
    rename: Mapping[str, str] | None = None,
    source: str = "paper_trades",
) -> BatchReport:
    """Record the trades, and the signals if there are any, of a document B database; again adds only what is new.

    A row of ``paper_trades`` becomes the fill that opened it and, once it has ended, the fill that closed it, with
    ids made from ``source``, the row's id and ``entry`` or ``exit``. Where it names a stop or target, a signal
    carries them.

    Args:
        path: a SQLite file, which is only read.
        book: None for the book of the older names.
        account: whose they become; one that the book does not know is defined as a paper account that keeps
            long and short apart.
        strategy: whose they become.
        zone: the zone of times that name none.
        full_confidence: what full confidence is in that program: 1, or 100 for percent.
        rename: symbols of that program, and what they are called here.
        source: tells apart two databases that number their rows alike.

    Returns:
        Counts of facts; a refusal names the row, counted from 0: trades in the order of their ids, then signals.

    Raises:
        InputError: the file is a book, or has no such table.
        StoreError: it cannot be read.
    """
    asked = book or current_book()
    trades, signals = read_tables(os.fspath(path))
    if account not in {item.name for item in asked.facts("account")}:
        asked.record(Account(name=account, kind="paper", mode="hedging"))
    how = _reading(account, strategy, zone, full_confidence, rename, source)
    rows: Rows[tuple[list[AnyFact], dict[str, str]]] = Rows()
    stated = {str(row["signal_id"]): row for row in signals if row.get("signal_id")}
    for index, row in enumerate(trades):
        rows.add(index, _facts_maker(how, stated), row)
    for index, row in enumerate(stated.values(), len(trades)):
        rows.add(index, lambda item: ([_signal(item, how)], {str(item["signal_id"]): _status(item)}), row)
    known = {item.signal_id for item in asked.signals(account=account)}
    report = rows.recorded(asked, _once(rows.made, known))
    wanted: dict[str, str] = {}
    for _, (_, statuses) in rows.made:
        wanted |= statuses
    _bring_forward(asked, account, wanted)
    return report


def _once(
    made: list[tuple[int, tuple[list[AnyFact], dict[str, str]]]], known: set[str]
) -> Iterable[tuple[int, AnyFact]]:
    """Yield signals first, each once and only when the book does not have it, then fills in their order in time."""
    facts = [(index, fact) for index, (listed, _) in made for fact in listed]
    for index, fact in facts:
        if isinstance(fact, Signal) and fact.signal_id not in known:
            known.add(fact.signal_id)
            yield index, fact
    fills = [(index, fact) for index, fact in facts if isinstance(fact, Fill)]
    yield from sorted(fills, key=lambda item: item[1].occurred_ns or 0)


def _facts_maker(
    how: Reading, stated: Mapping[str, Mapping[str, Any]]
) -> Callable[[Mapping[str, Any]], tuple[list[AnyFact], dict[str, str]]]:
    def make(row: Mapping[str, Any]) -> tuple[list[AnyFact], dict[str, str]]:
        facts: list[AnyFact] = []
        signal_id = str(row.get("signal_id") or "")
        if row.get("stop_loss") is not None or row.get("take_profit") is not None:
            signal_id = signal_id or f"{how.source}:{row['id']}"
            levels = {"stop_loss": row.get("stop_loss"), "take_profit": row.get("take_profit")}
            own = {"signal_id": signal_id, "entry_price": row.get("entry_price"), "timestamp": row.get("entry_time")}
            plain_row = {"symbol": row.get("symbol"), "direction": row.get("direction")}
            facts.append(_signal({**plain_row, **own, **stated.get(signal_id, {}), **levels}, how))
        facts.append(_entry(row, how, signal_id))
        if not absent(row.get("exit_time")):
            facts.append(_exit(row, how))
        return facts, {}

    return make


def _entry(row: Mapping[str, Any], how: Reading, signal_id: str) -> Fill:
    side = _side(row, "direction")
    return Fill(
        instrument=how.symbol(row),
        side=side,
        quantity=decimal_of("position_size", row.get("position_size")),
        price=decimal_of("entry_price", row.get("entry_price")),
        account=how.account,
        strategy=how.strategy,
        leg="long" if side == "buy" else "short",
        occurred_at=_needed(how, row, "entry_time"),
        client_fill_id=f"{how.source}:{row['id']}:entry",
        signal_id=signal_id,
        raw=dict(row),
    )


def _exit(row: Mapping[str, Any], how: Reading) -> Fill:
    side = _side(row, "direction")
    status = str(row.get("status") or "").strip().upper()
    reason = _REASONS.get(status, status.lower())
    known = reason in CLOSE_REASONS
    return Fill(
        instrument=how.symbol(row),
        side="sell" if side == "buy" else "buy",
        quantity=decimal_of("position_size", row.get("position_size")),
        price=decimal_of("exit_price", row.get("exit_price")),
        account=how.account,
        strategy=how.strategy,
        leg="long" if side == "buy" else "short",
        occurred_at=_needed(how, row, "exit_time"),
        client_fill_id=f"{how.source}:{row['id']}:exit",
        close_reason=reason if known else "",
        note="" if known else f"status {status}",
        raw=dict(row),
    )


def _needed(how: Reading, row: Mapping[str, Any], name: str) -> datetime:
    moment = how.moment(row, name)
    if moment is None:
        msg = f"{name}: is missing"
        raise InputError(msg, field=name)
    return moment
