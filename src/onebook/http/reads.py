"""Addresses that answer with figures: positions, lots, money, where a figure comes from, and how the book is."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from onebook.book.reading import moment_ns
from onebook.domain import times
from onebook.domain.reports import Mark
from onebook.errors import InputError, StoreBusy
from onebook.http import wire
from onebook.http.asof import AS_OF, refuse_past, view_of
from onebook.http.calls import Call, Endpoint, Parameter, Reply
from onebook.http.lists import ACCOUNT, INSTRUMENT, STRATEGY, WHOSE, listing
from onebook.http.paging import PAGED, Timed, key_after, keyed_page, limit_of, timed_page
from onebook.http.problems import plain_problem

OF_PATH = Parameter(
    name="instrument", where="path", is_required=True, about="The rest of the path, plain or encoded.",
    example="BTC/USDT",
)  # fmt: skip
OF_QUERY = Parameter(name="instrument", is_required=True, about="For example BTC/USDT or AAPL.", example="BTC/USDT")
OF_ACCOUNT = Parameter(name="account", about="Whose; main when left out.", example="main")
OF_STRATEGY = Parameter(name="strategy", about="Only this strategy's part; the account as one when left out.")
LEG = Parameter(name="leg", choices=("long", "short"), about="In a hedging account.")
BASIS = Parameter(
    name="basis", choices=("sum", "netted"), about="Strategies added up, or the account as the venue nets."
)
METHOD = Parameter(name="method", choices=("average", "fifo", "lifo", "hifo"), about="How lots are closed.")
FIGURE = Parameter(name="figure", about="Which figure of the position; realized_pnl when left out.")
CURRENCY = Parameter(name="currency", about="All in this one.", example="USD")
DAYS = (
    Parameter(name="since", kind="day", about="First day: 2026-01-31."),
    Parameter(name="until", kind="day", about="The day after the last."),
    Parameter(name="zone", about="Days of this zone, not the book's: America/New_York."),
    Parameter(name="rolls_at", about="When a day ends: HH:MM."),
    ACCOUNT,
    STRATEGY,
    INSTRUMENT,
    CURRENCY,
)
CURVE = (
    Parameter(name="since", kind="moment", is_required=True, about="The first point.", example="2024-06-03T00:00:00Z"),
    Parameter(name="until", kind="moment", is_required=True, about="The last point.", example="2024-06-03T12:00:00Z"),
    Parameter(name="every", kind="count", is_required=True, about="Seconds between points.", example="3600"),
    Parameter(name="account", about="Only this account."),
    CURRENCY,
)
MAX_POINTS = 100_000

# ---- positions ----


def _positions(call: Call) -> Reply:
    given = call.chosen("account", "strategy", "instrument")
    wanted = call.given.get("is_open", "true")
    is_open = {"true": True, "false": False, "all": None}[wanted]
    rows = view_of(call).positions(**given, is_open=is_open, after=key_after(call), limit=limit_of(call) + 1)
    return keyed_page(call, rows, lambda row: (row.account, row.instrument, row.strategy or "", row.leg))


def _position(call: Call) -> Reply:
    name = call.given["instrument"]
    found = view_of(call).position(name, **call.chosen("account", "strategy", "leg", "basis"))
    if found is None:
        account = call.given.get("account", "main")
        detail = f"{name} was never held in account {account}; see /v1/positions?is_open=all for what was"
        return plain_problem(404, detail, details={"instrument": name, "account": account})
    return wire.reply(found)


def _lots(call: Call) -> Reply:
    found = view_of(call).lots(call.given["instrument"], **call.chosen("account", "strategy", "leg", "method"))
    return wire.reply(found)


def _explain(call: Call) -> Reply:
    name, given = call.given["instrument"], call.chosen("account", "strategy", "leg", "figure")
    return timed_page(call, Timed(read=lambda view, _, count: view.explain(name, **given)[:count]))


# ---- money ----


def _balances(call: Call) -> Reply:
    rows = view_of(call).balances(**call.chosen("account"))
    return keyed_page(call, rows, lambda row: (row.account, row.asset))


def _pnl(call: Call) -> Reply:
    given = call.chosen(*(item.name for item in DAYS))
    return keyed_page(call, view_of(call).pnl(**given), lambda row: (row.currency,))


def _daily(call: Call) -> Reply:
    given = call.chosen(*(item.name for item in DAYS))
    return keyed_page(call, view_of(call).daily_pnl(**given), lambda row: (row.day, row.currency))


def _statistics(call: Call) -> Reply:
    given = call.chosen("account", "strategy", "instrument", "since", "until", "currency")
    return keyed_page(call, view_of(call).statistics(**given), lambda row: (row.currency,))


def _equity(call: Call) -> Reply:
    return wire.reply(view_of(call).equity(**call.chosen("currency", "account")))


def _curve(call: Call) -> Reply:
    """Return a page of points; only those of the page are computed."""
    since, until = (moment_ns(name, call.given[name]) or 0 for name in ("since", "until"))
    step, limit = call.given["every"] * times.SECOND, limit_of(call)
    count = (until - since) // step + 1
    if not 1 <= count <= MAX_POINTS:
        msg = f"since, until, every: must span 1 to {MAX_POINTS:,} points"
        raise InputError(msg, field="every", value=call.given["every"])
    after, first = call.given.get("after"), 0
    if after is not None:
        first = (times.from_text("after", after) - since) // step + 1
    last = min(first + limit, count) - 1
    rows: list[Any] = []
    if 0 <= first <= last:
        begin, end = (times.to_datetime(since + place * step) for place in (first, last))
        rows = view_of(call).equity_curve(begin, end, call.given["every"], **call.chosen("currency", "account"))
    more = rows and last + 1 < count
    return wire.page(rows, times.to_text(since + last * step) if more else None)


def _marks(call: Call) -> Reply:
    view = view_of(call)
    rows = call.book.marks() if view is call.book else _marks_then(call)
    name = call.given.get("instrument")
    return keyed_page(call, [row for row in rows if name in {None, row.instrument}], lambda row: (row.instrument,))


def _marks_then(call: Call) -> list[Mark]:
    """Return the newest marks at a moment, of those that are kept minute by minute."""
    moment, found = moment_of(call), []
    with call.book.store.reading() as reader:
        for name in sorted({row[0] for row in reader.marks()}):
            row = reader.mark_at(name, moment)
            if row is not None:
                at, old = times.to_datetime(row[1]), moment - row[1] > times.MINUTE
                found.append(Mark(instrument=name, price=Decimal(row[0]), at=at, source="", stale=old))
    return found


def moment_of(call: Call) -> int:
    """Return the moment of the point that was asked for, in nanoseconds since 1970 UTC."""
    as_of = call.given.get("as_of")
    if as_of is None:
        return call.book.now()
    if not as_of.isdecimal():
        return moment_ns("as_of", as_of) or 0
    sequence = int(as_of)
    events = call.book.events(after=sequence - 1) if sequence else iter(())
    event = next(events, None)
    return 0 if event is None else times.from_datetime("as_of", event.recorded_at)


# ---- how the book is ----


def _status(call: Call) -> Reply:
    refuse_past(call, "status")
    return wire.reply(call.book.status())


def verifier() -> Callable[[Call], Reply]:
    """Return what verifies the book, one request at a time."""
    lock = threading.Lock()

    def verify(call: Call) -> Reply:
        refuse_past(call, "verify")
        if not lock.acquire(blocking=False):
            msg = "the book is being verified already; ask again when that is done"
            raise StoreBusy(msg)
        try:
            return wire.reply(call.book.verify())
        finally:
            lock.release()

    return verify


def _one(path: str, about: str, run: Callable[[Call], Reply], schema: str, *more: Parameter, **how: Any) -> Endpoint:
    name = "get_" + path.replace("/{instrument}", "_of").replace("/", "_")
    problems = how.get("problems", ())
    return Endpoint(
        method="GET", path=f"/v1/{path}", name=name, about=about, run=run, parameters=(*more, *AS_OF),
        answers={200: schema}, problems=problems,
    )  # fmt: skip


OPENED = Parameter(
    name="is_open", choices=("true", "false", "all"), about="true (when left out), false for flat ones, all."
)
_LOTS = (OF_ACCOUNT, OF_STRATEGY, LEG, METHOD)
_EXPLAIN = (OF_ACCOUNT, OF_STRATEGY, LEG, FIGURE, *PAGED)

ENDPOINTS = (
    listing(
        "positions", "Positions, one per account, instrument, strategy and leg.", _positions, "Position", *WHOSE, OPENED
    ),
    _one(
        "positions/{instrument}", "A strategy's position, or the account's total.", _position, "Position", OF_PATH,
        OF_ACCOUNT, OF_STRATEGY, LEG, BASIS, problems=(404,),
    ),
    _one("lots/{instrument}", "The lots of an instrument, open and closed.", _lots, "Lots", OF_PATH, *_LOTS),
    _one("lots", "The same, with the instrument in the query.", _lots, "Lots", OF_QUERY, *_LOTS),
    _one(
        "explain/{instrument}", "The facts that make a figure; amounts sum to it.", _explain, "ExplanationPage",
        OF_PATH, *_EXPLAIN,
    ),
    _one(
        "explain", "The same, with the instrument in the query.", _explain, "ExplanationPage", OF_QUERY, *_EXPLAIN
    ),
    listing("balances", "How much of each asset each account holds.", _balances, "Balance", ACCOUNT),
    listing("pnl", "Realized P&L of all days, a row per currency.", _pnl, "Pnl", *DAYS),
    listing("pnl/daily", "Realized P&L by day and currency.", _daily, "DailyPnl", *DAYS),
    listing(
        "statistics", "How trading went: figures over ended round trips and days, a row per currency.", _statistics,
        "Statistics", *WHOSE, *DAYS[:2], CURRENCY,
    ),
    _one("equity", "What the book is worth, and where it came from.", _equity, "Equity", ACCOUNT, CURRENCY),
    listing("equity/curve", "Equity at moments.", _curve, "EquityPoint", *CURVE),
    listing("marks", "The newest prices.", _marks, "Mark", INSTRUMENT),
    _one("status", "The book in numbers, now.", _status, "Status"),
    _one("verify", "Every hash checked, every figure folded again, now.", verifier(), "Verification"),
)  # fmt: skip
