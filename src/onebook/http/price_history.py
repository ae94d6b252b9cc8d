"""``GET /v1/marks/history``: what prices were, from the bars kept beside the book or from the marks it keeps.

Of an instrument held the book keeps the last mark of each minute. ``every`` thins these to one row per stretch of
time; where bars of that length are kept, they are answered instead.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from onebook.book.reading import moment_ns
from onebook.domain import times
from onebook.errors import InputError
from onebook.http import wire
from onebook.http.asof import AS_OF
from onebook.http.calls import Call, Endpoint, Parameter, Reply
from onebook.http.paging import PAGED, limit_of
from onebook.http.reads import OF_QUERY, moment_of

MAX_SAMPLES = 50_000
"""Most marks that one answer looks at; what they do not fill is on the next page."""

IN_MEMORY = ":memory:"
_CHUNK = 5_000
Sample = tuple[Decimal, int]
"""A price, and when it was so in nanoseconds since 1970 UTC."""


def _history(call: Call) -> Reply:
    name, limit = call.given["instrument"], limit_of(call)
    since, until = (moment_ns(key, call.given[key]) or 0 for key in ("since", "until"))
    if until <= since:
        msg = "since, until: the span is empty; until is the first moment after it"
        raise InputError(msg, field="until")
    if "after" in call.given:
        since = max(since, times.from_text("after", call.given["after"]))
    if call.chosen("as_of"):
        until = min(until, moment_of(call) + 1)
    every = _length(call.given.get("every"))
    rows: list[dict[str, Any]] | None = None
    following: int | None = None
    if every is not None:
        rows, following = _bars(call, name, every, since, until, limit)
    source = "marks" if rows is None else "bars"
    if rows is None:
        rows, following = _marks(call, name, every, since, until, limit)
    return wire.page(rows, None if following is None else times.to_text(following), source=source)


def _length(every: str | None) -> str | None:
    from onebook.market.timeframes import parse

    return None if every is None else parse(every)


Found = tuple[list[dict[str, Any]], int | None]
"""Rows, and the moment at which the next page begins; None where there is none."""


# ---- bars ----


def _bars(
    call: Call, name: str, every: str, since: int, until: int, limit: int
) -> tuple[list[dict[str, Any]] | None, int | None]:
    """Return a page of bars that are kept beside the book; None where there are none of this length at all."""
    from onebook.market.bars import BarStore

    place = _bars_file(call)
    if place is None:
        return None, None
    bars = BarStore(place, read_connections=1, clock=call.book.now)
    try:
        if bars.last(name, every) is None:
            return None, None
        found = bars.read(name, every, since, until, limit + 1)
    finally:
        bars.close()
    if call.chosen("as_of"):
        moment = moment_of(call)
        found = [bar for bar in found if bar.at_ns <= moment]
    rows = [_row(bar.opened_ns, bar.open, bar.high, bar.low, bar.close) for bar in found[:limit]]
    return rows, found[limit].opened_ns if len(found) > limit else None


def _bars_file(call: Call) -> str | None:
    """Return where bars are kept beside the book; None where there are none."""
    from onebook.market.configured import bars_place

    url, config = call.book.store.url, call.service.config
    if url == IN_MEMORY and not config.get("market.bars_file"):
        return None
    place = bars_place(config, url)
    return place if Path(place).is_file() else None


# ---- marks ----


def _marks(call: Call, name: str, every: str | None, since: int, until: int, limit: int) -> Found:
    """Return a page of the marks that are kept, one by one or one row per stretch of time."""
    if every is None:
        with call.book.store.reading() as reader:
            found = reader.marks_between(name, since, until, limit + 1)
        rows = [{"at": times.to_datetime(at), "price": Decimal(price)} for price, at in found[:limit]]
        return rows, found[limit][1] if len(found) > limit else None
    return _thinned(_samples(call, name, since, until), every, limit)


def _samples(call: Call, name: str, since: int, until: int) -> Iterator[Sample]:
    while True:
        with call.book.store.reading() as reader:
            page = reader.marks_between(name, since, until, _CHUNK)
        for price, at in page:
            yield Decimal(price), at
        if len(page) < _CHUNK:
            return
        since = page[-1][1] + 1


def _thinned(samples: Iterable[Sample], every: str, limit: int) -> Found:
    """Return one row per stretch of time that has prices.

    Args:
        samples: oldest first.
        every: how long a stretch is; it holds fewer than MAX_SAMPLES minutes.
        limit: at most so many rows.
    """
    from onebook.market.timeframes import grid, length_ns

    length = length_ns(every)
    rows: list[dict[str, Any]] = []
    begins, prices = 0, list[Decimal]()
    for count, (price, at) in enumerate(samples):
        place = grid(length, at)
        if prices and place != begins:
            rows.append(_of_prices(begins, prices))
            prices = []
            if len(rows) == limit or count > MAX_SAMPLES:
                return rows, place
        begins = place
        prices.append(price)
    if prices:
        rows.append(_of_prices(begins, prices))
    return rows, None


def _of_prices(begins: int, prices: list[Decimal]) -> dict[str, Any]:
    return _row(begins, prices[0], max(prices), min(prices), prices[-1])


def _row(at: int, first: Decimal, high: Decimal, low: Decimal, last: Decimal) -> dict[str, Any]:
    return {"at": times.to_datetime(at), "open": first, "high": high, "low": low, "close": last}


ENDPOINTS = (
    Endpoint(
        method="GET", path="/v1/marks/history", name="get_marks_history", run=_history,
        about="What prices were: bars kept beside the book where there are any of this length, else kept marks.",
        parameters=(
            OF_QUERY,
            Parameter(
                name="since", kind="moment", is_required=True, about="From this moment on.",
                example="2024-06-03T00:00:00Z",
            ),
            Parameter(
                name="until", kind="moment", is_required=True, about="Before this moment.",
                example="2024-06-04T00:00:00Z",
            ),
            Parameter(
                name="every", about="One row per stretch of time: 1m 5m 1h 1d; each kept mark when left out.",
                example="1h",
            ),
            *PAGED, *AS_OF,
        ),
        answers={200: "PriceHistory"},
    ),
)  # fmt: skip
