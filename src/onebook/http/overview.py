"""``GET /v1/overview``: everything that a dashboard needs at first, in one answer. Afterwards it follows the events."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from onebook.book.daily import DayQuery, daily_by_strategy, daily_pnl
from onebook.book.keeping import book_id
from onebook.book.lens import Lens
from onebook.book.money import covered
from onebook.book.worths import worths_at
from onebook.domain import times
from onebook.domain.days import Days
from onebook.domain.decide.trading import TRADING
from onebook.domain.facts import BookSettings, Limits
from onebook.domain.identity import identity_parts
from onebook.domain.numbers import ZERO, absolute, add, subtract
from onebook.domain.reports import as_plain
from onebook.http import wire
from onebook.http.asof import AS_OF, view_of
from onebook.http.calls import Call, Endpoint, Reply
from onebook.http.reads import moment_of
from onebook.store.codec import decode_raw

if TYPE_CHECKING:
    from onebook.app import Book
    from onebook.book.reading import Reading
    from onebook.domain.reports import Position

TRIES = 3
LAST_EVENTS = 50
MAX_ROWS = 1000
"""Most orders, protections, breaks and scopes that it lists."""


def _overview(call: Call) -> Reply:
    """Return one state of affairs: read again while entries come in between, a few times at most.

    Figures are at least as new as ``sequence``: who follows the events after it misses nothing.
    """
    is_now = not call.chosen("as_of", "known")
    tries = TRIES
    while True:
        head = call.book.wakeups.look()
        found = _read(call, view_of(call), head, is_now=is_now)
        tries -= 1
        if not tries or not is_now or call.book.wakeups.look() == head:
            return wire.reply(found)


def _read(call: Call, view: "Reading", head: int, *, is_now: bool) -> dict[str, Any]:
    book, moment = call.book, moment_of(call)
    sequence = _sequence(call, head)
    recorded = sequence if is_now else _recorded_by(call, sequence, moment)
    settings = (view.facts("settings") or [BookSettings()])[-1]
    positions = view.positions()
    day = Days(settings.zone, settings.rolls_at).of(moment).isoformat()
    with book.store.reading() as reader:
        lens = Lens(reader, None if is_now else sequence, moment if _is_moment(call) else None)
        worths = worths_at(lens, view.rate, positions)
        counts = covered(lens, None)
        today = _today(lens, day)
    counted = [item for item in positions if counts(item.account)]
    return {
        "book": book_id(book.store),
        "sequence": sequence,
        "at": times.to_datetime(moment),
        "day": day,
        "settings": settings,
        "accounts": view.facts("account"),
        "instruments": view.facts("instrument"),
        "positions": [as_plain(item) | {"exposure": worths.get(id(item))} for item in positions],
        "marks": book.marks() if is_now else _marks_of(positions),
        "equity": view.equity(),
        "exposure": _exposure(settings.base_currency, counted, worths),
        "pnl_today": today,
        "orders": view.orders(is_open=True, limit=MAX_ROWS),
        "protections": book.trading.protections()[:MAX_ROWS] if is_now else [],
        "limits": _limits(book, positions, worths) if is_now else [_limit(item, {}) for item in view.facts("limits")],
        "trading_state": _trading(book, recorded),
        "last_events": _last_events(book, recorded),
        "bots": _bots(book, moment) if is_now else [],
        "status": book.status() if is_now else None,
        "breaks": view.breaks(state="open", limit=MAX_ROWS),
    }


def _sequence(call: Call, head: int) -> int:
    as_of = call.given.get("as_of", "")
    limit = int(as_of) if as_of.isdecimal() else call.given.get("known", head)
    return min(int(limit), head)


def _is_moment(call: Call) -> bool:
    as_of = call.given.get("as_of", "")
    return bool(as_of) and not as_of.isdecimal()


def _recorded_by(call: Call, sequence: int, moment: int) -> int:
    """Return the newest entry up to a sequence that was recorded by the moment that was asked for."""
    if not _is_moment(call):
        return sequence
    with call.book.store.reading() as reader:

        def recorded_at(number: int) -> int:
            row = reader.entry(number)
            return moment if row is None else decode_raw(number, row[1]).at

        return bisect_right(range(1, sequence + 1), moment, key=recorded_at)


def _marks_of(positions: Sequence["Position"]) -> list[dict[str, Any]]:
    """Return the marks that positions of the past were valued at."""
    found = {item.instrument: item for item in positions if item.mark is not None}
    return [
        {"instrument": name, "price": item.mark, "at": item.marked_at, "source": item.mark_source, "stale": item.stale}
        for name, item in sorted(found.items())
    ]


def _today(lens: Lens, day: str) -> dict[str, Any]:
    """Return what today realized, in all and by strategy; a row per currency."""
    query = DayQuery(since=day)
    total = [{"currency": row.currency, "net": row.net} for row in daily_pnl(lens, query) if row.day == day]
    rows = sorted(daily_by_strategy(lens, query), key=lambda item: (item[0], item[1].currency))
    by_strategy = [{"strategy": name, "currency": row.currency, "net": row.net} for name, row in rows if row.day == day]
    return {"total": total, "by_strategy": by_strategy}


# ---- exposure and limits ----


def _exposure(currency: str, positions: Sequence["Position"], worths: dict[int, Decimal]) -> dict[str, Any]:
    """Return what positions are worth at their marks in the base currency, long and short, the largest first.

    Of the live accounts, or of the paper ones where there are no others. ``short`` is 0 or below; net = long + short,
    gross = long − short; ``unvalued`` names what no mark or rate values.
    """
    sums: dict[str, Decimal] = {}
    long = short = ZERO
    for item in positions:
        worth = worths.get(id(item))
        if worth is None:
            continue
        sums[item.instrument] = add(sums.get(item.instrument, ZERO), worth)
        long, short = add(long, max(worth, ZERO)), add(short, min(worth, ZERO))
    rows = sorted(sums.items(), key=lambda row: (-absolute(row[1]), row[0]))
    return {
        "currency": currency,
        "long": long,
        "short": short,
        "net": add(long, short),
        "gross": subtract(long, short),
        "by_instrument": [{"instrument": name, "amount": amount} for name, amount in rows],
        "unvalued": sorted({item.instrument for item in positions if id(item) not in worths}),
    }


def _limits(book: "Book", positions: Sequence["Position"], worths: dict[int, Decimal]) -> list[dict[str, Any]]:
    return [_limit(item, _used(book, item, positions, worths)) for item in book.trading.limits]


def _limit(limits: Limits, used: dict[str, Any]) -> dict[str, Any]:
    return {"limits": limits, "used": used}


def _used(book: "Book", limits: Limits, positions: Sequence["Position"], worths: dict[int, Decimal]) -> dict[str, Any]:
    """Return how far each figure of limits is used: by what is held, without orders that wait."""
    covered = [item for item in positions if _covers(limits, item)]
    used: dict[str, Any] = {}
    if limits.max_position is not None:
        used["max_position"] = _largest(covered, lambda item: item.quantity)
    if limits.max_notional is not None:
        used["max_notional"] = _largest(covered, lambda item: worths.get(id(item), ZERO))
    if limits.max_exposure is not None:
        used["max_exposure"] = _sum([absolute(worths.get(id(item), ZERO)) for item in covered])
    if limits.max_daily_loss is not None or limits.max_drawdown is not None:
        result = book.trading.standing(limits.account, limits.strategy).result
        losses = {"max_daily_loss": result.loss, "max_drawdown": result.drawdown}
        used |= {name: max(value, ZERO) for name, value in losses.items() if getattr(limits, name) is not None}
    return used


def _covers(limits: Limits, item: "Position") -> bool:
    return (
        limits.account in {"", item.account}
        and limits.strategy in {"", item.strategy or ""}
        and limits.instrument in {"", item.instrument}
    )


def _largest(items: Sequence["Position"], figure: Callable[["Position"], Decimal]) -> Decimal:
    """Return the largest sum of an instrument, unsigned."""
    sums: dict[str, Decimal] = {}
    for item in items:
        sums[item.instrument] = add(sums.get(item.instrument, ZERO), figure(item))
    return max(map(absolute, sums.values()), default=ZERO)


def _sum(values: Sequence[Decimal]) -> Decimal:
    total = ZERO
    for value in values:
        total = add(total, value)
    return total


# ---- trading, bots, the log ----


def _trading(book: "Book", sequence: int) -> dict[str, Any]:
    """Return trading's state, of the book and of each scope of which a person or a limit has spoken."""
    with book.store.reading() as reader:
        rows = reader.records(TRADING, sequence, (-1, "", ""), MAX_ROWS)
    scopes = []
    whole = "ACTIVE"
    for row in rows:
        account, strategy = (*identity_parts(row[1]), "", "")[:2]
        if not account and not strategy:
            whole = row[6]
        else:
            scopes.append({"account": account, "strategy": strategy, "state": row[6]})
    return {"state": whole, "scopes": scopes}


def _bots(book: "Book", now_ns: int) -> list[dict[str, Any]]:
    with book.store.reading() as reader:
        beats = reader.heartbeats()
    return [
        {
            "strategy": beat.strategy,
            "every_seconds": beat.every_ns / times.SECOND,
            "last_at": times.to_datetime(beat.at_ns),
            "is_silent": now_ns - beat.at_ns > beat.every_ns,
        }
        for beat in beats
    ]


def _last_events(book: "Book", sequence: int) -> list[Any]:
    """Return the newest events, oldest first; looked for in the newest entries."""
    view = book if sequence == book.wakeups.head else book.as_of(sequence)
    return list(view.events(after=max(sequence - LAST_EVENTS, 0)))[-LAST_EVENTS:]


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/overview", name="get_overview", group="Reading", run=_overview, parameters=AS_OF,
        about="Everything that a dashboard needs at first, in one answer; follow the events after its sequence.",
        answers={200: "Overview"},
    ),
)  # fmt: skip
