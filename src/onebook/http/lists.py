"""Addresses that list facts and what became of them, in the order of time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from onebook.domain import times
from onebook.errors import InputError
from onebook.http import wire
from onebook.http.asof import AS_OF, view_of
from onebook.http.calls import Call, Endpoint, Parameter, Reply
from onebook.http.paging import PAGED, Timed, keyed_page, latest, limit_of, timed_page

if TYPE_CHECKING:
    from onebook.book.reading import Reading

ACCOUNT = Parameter(name="account", about="Only this account.", example="main")
STRATEGY = Parameter(name="strategy", about="Only this strategy; empty is the unnamed one.")
INSTRUMENT = Parameter(name="instrument", about="Only this instrument, under any of its names.")
SINCE = Parameter(name="since", kind="moment", about="From this moment on, RFC 3339.")
UNTIL = Parameter(name="until", kind="moment", about="Before this moment, RFC 3339.")
IS_OPEN = Parameter(name="is_open", kind="flag", about="true: only the open ones; false: only the ended ones.")
WHOSE = (ACCOUNT, STRATEGY, INSTRUMENT)
SPAN = (SINCE, UNTIL)
FILTERS = (*WHOSE, *SPAN)


def listing(
    path: str, about: str, run: Callable[[Call], Reply], schema: str, *more: Parameter, group: str = "Reading"
) -> Endpoint:
    """Return an address that lists."""
    name = "list_" + path.replace("-", "_").replace("/", "_")
    parameters = (*more, *PAGED, *AS_OF)
    return Endpoint(
        method="GET", path=f"/v1/{path}", name=name, about=about, run=run, parameters=parameters,
        answers={200: f"{schema}Page"}, group=group,
    )  # fmt: skip


# ---- in the order of time ----


def _timed(call: Call, name: str, at: Callable[[Any], int] | None, *names: str) -> Reply:
    """Return a page of one of the book's lists."""
    given = call.chosen("account", "strategy", "instrument", *names)

    def read(view: "Reading", since: int | None, count: int) -> Sequence[Any]:
        span = {"since": latest(call.given.get("since"), since), "until": call.given.get("until")}
        rows: Sequence[Any] = getattr(view, name)(**given, **span, limit=count)
        return rows

    return timed_page(call, Timed(read=read, at=at))


def _occurred(row: Any) -> int:
    ns: int = row.occurred_ns
    return ns


def _facts(call: Call, kind: str) -> Reply:
    given = call.chosen("account", "strategy", "instrument")

    def read(view: "Reading", since: int | None, count: int) -> Sequence[Any]:
        moment = latest(call.given.get("since"), since)
        return view.facts(kind, **given, since=moment, until=call.given.get("until"), limit=count)

    return timed_page(call, Timed(read=read, at=_occurred))


def _defined(call: Call, kind: str, key: Callable[[Any], tuple[str, ...]]) -> Reply:
    return keyed_page(call, view_of(call).facts(kind), key)


def _orders(call: Call) -> Reply:
    if "client_order_id" not in call.given:
        return _timed(call, "orders", _occurred, "is_open")
    others = call.chosen("strategy", "instrument", "since", "until", "is_open")
    if others:
        msg = f"client_order_id names one order; leave {', '.join(others)} out"
        raise InputError(msg, field=next(iter(others)))
    found = view_of(call).order(call.given["client_order_id"], **call.chosen("account"))
    return wire.page([] if found is None else [found], None)


# ---- round trips ----


def _ended(call: Call, view: "Reading", since: int | None, count: int) -> Sequence[Any]:
    given = call.chosen("account", "strategy", "instrument", "until")
    return view.round_trips(**given, since=latest(call.given.get("since"), since), limit=count, is_open=False)


def _still_open(call: Call, view: "Reading", since: int | None, count: int) -> Sequence[Any]:
    given = call.chosen("account", "strategy", "instrument", "until")
    return view.round_trips(**given, since=latest(call.given.get("since"), since), limit=count, is_open=True)


def _trips(call: Call) -> Reply:
    wanted = call.given.get("is_open")
    ended = Timed(read=partial(_ended, call), at=lambda trip: times.from_datetime("closed_at", trip.closed_at))
    still_open = Timed(read=partial(_still_open, call))
    lists = [ended] if wanted is not True else []
    return timed_page(call, *lists, *([still_open] if wanted is not False else []))


def _journal(call: Call) -> Reply:
    """Return closed round trips, each with its signal."""
    if "day" in call.given:
        call = replace(call, given=_of_day(call))
    ended = Timed(read=partial(_ended, call), at=lambda trip: times.from_datetime("closed_at", trip.closed_at))
    return timed_page(call, ended, shown=_with_signals)


def _of_day(call: Call) -> dict[str, Any]:
    """Return the parameters with the span of a day in the book's zone."""
    from onebook.domain.days import Days

    given = dict(call.given)
    if "since" in given or "until" in given:
        msg = "day is a span of its own; leave out since and until"
        raise InputError(msg, field="day")
    settings = view_of(call).facts("settings")
    zone = (settings[-1].zone, settings[-1].rolls_at) if settings else ("UTC", "00:00")
    begin, end = Days(*zone).bounds(times.to_date("day", given.pop("day")))
    return given | {"since": times.to_datetime(begin), "until": times.to_datetime(end)}


def _with_signals(view: "Reading", trips: Sequence[Any]) -> Sequence[Any]:
    wanted = {(trip.account, trip.signal_id) for trip in trips if trip.signal_id}
    signals = {}
    if wanted:
        signals = {key: item for item in view.signals() if (key := (item.account, item.signal_id)) in wanted}
    return [{"round_trip": trip, "signal": signals.get((trip.account, trip.signal_id))} for trip in trips]


# ---- the log ----

EVENT_FILTERS = (
    Parameter(name="types", about="Only these types, with commas; patterns such as trade_*.", example="trade_*"),
    Parameter(name="instruments", about="Only these instruments, with commas."),
    Parameter(name="accounts", about="Only these accounts, with commas."),
    Parameter(name="strategies", about="Only these strategies, with commas."),
    Parameter(name="min_quantity", kind="number", about="Leave fills of a smaller quantity out."),
    Parameter(name="min_amount", kind="number", about="Leave fills of a smaller quantity × price out."),
)
_HISTORY = (
    *EVENT_FILTERS,
    PAGED[0],
    Parameter(name="after", about="Behind this sequence or event id; from the beginning when left out.", example="0"),
)


def _history(call: Call) -> Reply:
    from itertools import islice

    limit = limit_of(call)
    after = call.given.get("after", 0)
    names = ("types", "instruments", "accounts", "strategies", "min_quantity", "min_amount")
    found = list(islice(view_of(call).events(after=after, **call.chosen(*names)), limit + 1))
    return wire.page(found[:limit], found[limit - 1].id if len(found) > limit else None)


def _time_list(path: str, about: str, schema: str, name: str, *more: Parameter) -> Endpoint:
    names = [item.name for item in more if item.name in {"is_open", "status", "state"}]

    def run(call: Call) -> Reply:
        return _timed(call, name, None if name == "breaks" else _occurred, *names)

    return listing(path, about, run, schema, *more)


def _fact_list(path: str, kind: str, about: str, schema: str, *more: Parameter) -> Endpoint:
    return listing(path, about, lambda call: _facts(call, kind), schema, *more)


def _definitions(path: str, kind: str, about: str, schema: str, *names: str) -> Endpoint:
    def key(fact: Any) -> tuple[str, ...]:
        return tuple(getattr(fact, name) for name in names)

    return listing(path, about, lambda call: _defined(call, kind, key), schema)


ENDPOINTS = (
    _time_list("fills", "Fills that stand, oldest first.", "RecordedFill", "fills", *FILTERS),
    listing(
        "orders", "Orders and how far they are, oldest first.", _orders, "OrderState", *FILTERS, IS_OPEN,
        Parameter(name="client_order_id", about="Only the order of this id; with account where several have it."),
    ),
    _fact_list("order-updates", "order_update", "What was said of orders.", "OrderUpdate", ACCOUNT, *SPAN),
    _time_list(
        "signals", "Signals and what became of them, oldest first.", "SignalState", "signals", *FILTERS,
        Parameter(name="status", about="Only of this status.", choices=("GENERATED", "EXECUTED", "EXPIRED", "CLOSED")),
    ),
    _fact_list("signal-updates", "signal_update", "What was said of signals.", "SignalUpdate", ACCOUNT, *SPAN),
    _time_list("transfers", "Transfers, oldest first.", "Transfer", "transfers", ACCOUNT, *SPAN),
    _fact_list("cash-movements", "cash_movement", "Cash in and out, oldest first.", "CashMovement", *FILTERS),
    _time_list("funding", "Funding payments, oldest first.", "FundingPayment", "funding", *FILTERS),
    _fact_list(
        "corporate-actions", "corporate_action", "Splits, dividends and new names.", "CorporateAction", ACCOUNT,
        INSTRUMENT, *SPAN,
    ),
    _fact_list("opening-balances", "opening_balance", "What was there before.", "OpeningBalance", *FILTERS),
    _fact_list("settlements", "settlement", "Contracts that ended.", "Settlement", ACCOUNT, INSTRUMENT, *SPAN),
    _fact_list("reassign", "reassign", "Moves between strategies.", "Reassign", ACCOUNT, INSTRUMENT, *SPAN),
    _fact_list("rates", "rate", "Recorded exchange rates, oldest first.", "Rate", *SPAN),
    _definitions("instruments", "instrument", "Instruments that were defined.", "Instrument", "symbol"),
    _definitions("accounts", "account", "Accounts that were defined.", "Account", "name"),
    _definitions("settings", "settings", "The book's own currency and day.", "BookSettings", "base_currency"),
    _definitions("limits", "limits", "What the gate lets through.", "Limits", "account", "strategy", "instrument"),
    listing(
        "round-trips", "Round trips: ended ones by when they ended, then open ones.", _trips, "RoundTrip", *FILTERS,
        IS_OPEN,
    ),
    listing(
        "journal", "Closed round trips, each with its signal.", _journal, "JournalEntry", *FILTERS,
        Parameter(name="day", kind="day", about="Only those closed on this day of the book's zone: 2026-01-31."),
    ),
    _time_list(
        "breaks", "Differences that wait for somebody, or waited.", "Break", "breaks", *FILTERS,
        Parameter(name="state", about="Only of this state.", choices=("open", "resolved")),
    ),
    Endpoint(
        method="GET", path="/v1/events/history", name="list_events_history", about="Events of the log, oldest first.",
        run=_history, parameters=(*_HISTORY, *AS_OF), answers={200: "EventPage"},
    ),
)  # fmt: skip
