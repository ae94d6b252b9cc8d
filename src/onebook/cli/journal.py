"""The trader's page: closed round trips one by one, with what was seen, done, and noted."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from onebook.cli.asking import AS_OF, Asked, count, moment, reading, takes
from onebook.cli.session import session
from onebook.cli.tables import cell, print_array
from onebook.domain import times
from onebook.domain.reports import as_plain
from onebook.errors import InputError

_PAGE = 100


@takes("account", "strategy", "instrument", "since", "until", "limit", *AS_OF)
def journal(
    ctx: typer.Context,
    asked: Asked,
    day: Annotated[str | None, typer.Option("--day", help="Round trips closed on this day: 2026-01-31.")] = None,
) -> None:
    """The journal: closed round trips with signal, entry, exit, result and notes."""
    if day is not None and (asked.since or asked.until):
        msg = "--day is a span of its own; leave out --since and --until"
        raise InputError(msg, field="day")
    with reading(ctx, asked) as book:
        given = asked.filters("account", "strategy", "instrument")
        begin, end = _span(asked, day, _zone(book))
        limit = None if asked.limit is None else count("limit", asked.limit)
        entries = _entries(book, given, begin, end, limit)
        if session(ctx).as_json:
            print_array(entries)
            return
        empty = True
        for entry in entries:
            _show(entry)
            empty = False
        if empty:
            session(ctx).say("no round trips closed" + (f" on {day}" if day else ""))


def _zone(book: Any) -> tuple[str, str]:
    """Return the book's zone and roll."""
    settings = book.facts("settings")
    return (settings[-1].zone, settings[-1].rolls_at) if settings else ("UTC", "00:00")


def _span(asked: Asked, day: str | None, zone: tuple[str, str]) -> tuple[datetime | None, datetime | None]:
    """Return the first moment and the one after the last; None is open."""
    if day is None:
        begin = None if asked.since is None else moment("since", asked.since)
        return begin, None if asked.until is None else moment("until", asked.until)
    from onebook.domain.days import Days

    first, after = Days(*zone).bounds(times.to_date("--day", day))
    return times.to_datetime(first), times.to_datetime(after)


def _entries(
    book: Any, given: dict[str, Any], begin: datetime | None, end: datetime | None, limit: int | None
) -> Iterator[dict[str, Any]]:
    """Return the round trips closed in a span, each with its signal."""
    shown = 0
    signals: dict[tuple[str, str], Any] | None = None
    for trip in book.round_trips(**given, since=begin, until=end, is_open=False):
        if trip.closed_at is None:
            continue
        if limit is not None and shown >= limit:
            return
        shown += 1
        if trip.signal_id and signals is None:
            signals = {(found.account, found.signal_id): found for found in book.signals()}
        yield {"round_trip": trip, "signal": (signals or {}).get((trip.account, trip.signal_id))}


def _show(entry: dict[str, Any]) -> None:
    trip, signal = entry["round_trip"], entry["signal"]
    strategy = f", {trip.strategy}" if trip.strategy else ""
    print(f"{trip.id}  {trip.instrument} {trip.direction} {cell(trip.quantity)}  ({trip.account}{strategy})")
    if signal is not None:
        _line("signal", _seen(signal))
        _line("confluences", cell(signal.confluences))
    elif trip.signal_id:
        _line("signal", trip.signal_id)
    _line("entry", f"{cell(trip.entry_price)} at {cell(trip.opened_at)} UTC")
    _line("exit", f"{cell(trip.exit_price)} at {cell(trip.closed_at)} UTC")
    _line("planned", _planned(trip))
    parts = [f"gross {cell(trip.gross)}", f"fees {cell(trip.fees)}"]
    parts += [f"{name} {cell(getattr(trip, name))}" for name in ("funding", "income") if getattr(trip, name)]
    _line("net", f"{cell(trip.net)} {trip.currency} ({', '.join(parts)})")
    _line("close reason", trip.close_reason)
    _line("tags", cell(trip.tags))
    for number, line in enumerate(trip.notes.splitlines()):
        _line("notes" if not number else "", cell(line))
    print()


def _seen(signal: Any) -> str:
    shown = as_plain(signal)
    parts = [signal.signal_id, shown["action"]]
    parts += [f"{name} {shown[name]}" for name in ("price", "confidence", "timeframe") if shown.get(name)]
    return ", ".join(parts)


def _planned(trip: Any) -> str:
    named = {"stop": trip.stop_loss, "target": trip.take_profit, "risk": trip.risk_amount}
    return ", ".join(f"{name} {cell(value)}" for name, value in named.items() if value is not None)


def _line(name: str, text: str) -> None:
    if text:
        print(f"    {name:<13} {text}")
