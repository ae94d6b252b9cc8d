"""The service's figures for those who watch it: one table of names, and where each number comes from.

A figure here is a float, rounded as floats are; the book's own answers are exact. Labels are bounded: of each family
at most :data:`MAX_SERIES` are told, the first by name, and ``onebook_left_out`` counts the rest.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from onebook.book.commit_counts import SECONDS, SIZES
from onebook.book.worths import worths_of
from onebook.domain import times
from onebook.domain.days import Days
from onebook.domain.decide.trading import STATES
from onebook.domain.facts import BookSettings
from onebook.domain.numbers import ZERO, absolute, add
from onebook.errors import StoreError
from onebook.market.standing import open_breakers

if TYPE_CHECKING:
    from onebook.domain.reports import Position
    from onebook.http.service import Service

MAX_SERIES = 100
"""Most label values of one family."""

Found = Iterator[tuple[str, tuple[str, ...], float]]
"""(name of the family, values of its labels, the number)."""

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "onebook_facts": ("Facts in the book.", ()),
    "onebook_log_entries": ("Entries of the log: its head.", ()),
    "onebook_conflicts": ("Facts that came again with other content.", ()),
    "onebook_commits": ("Transactions of this process that became durable.", ()),
    "onebook_commits_failed": ("Transactions of this process that the store did not take.", ()),
    "onebook_subscriber_events": ("Events that a subscriber handled.", ("subscriber",)),
    "onebook_subscriber_errors": ("Failures of a subscriber.", ("subscriber",)),
    "onebook_stream_bytes": ("Bytes handed to clients of streams.", ()),
    "onebook_stream_cut": ("Clients of streams that were cut off, since they took nothing.", ()),
    "onebook_cache_hits": ("Answers that were kept.", ("cache",)),
    "onebook_cache_misses": ("Answers that had to be made.", ("cache",)),
    "onebook_push_points": ("Points that were pushed to InfluxDB.", ()),
    "onebook_push_failures": ("Pushes that failed.", ()),
    "onebook_push_dropped": ("Points that were given up.", ()),
}
"""Name without ``_total`` -> (what it counts, labels)."""

GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "onebook_up_seconds": ("How long the service runs.", ()),
    "onebook_breaks_open": ("Differences that wait for somebody.", ()),
    "onebook_subscriber_lag": ("Entries of the log that a subscriber has before it.", ("subscriber",)),
    "onebook_subscriber_running": (
        "1 while a subscriber runs, 0 while it waits, is halted or stopped.",
        ("subscriber",),
    ),
    "onebook_subscriber_dead_letters": ("Events that a subscriber put aside.", ("subscriber",)),
    "onebook_stream_clients": ("Clients of streams, by kind: events (SSE) and socket.", ("kind",)),
    "onebook_stream_lag": ("Entries that the slowest client was not sent yet.", ()),
    "onebook_requests_open": ("Requests that are being answered, streams among them.", ()),
    "onebook_breaker_state": ("Breakers that are not closed: 1 half open, 2 open.", ("process", "breaker")),
    "onebook_cache_bytes": ("Size of the answers that are kept.", ("cache",)),
    "onebook_mark_age_seconds": ("Age of the mark of something held.", ("instrument",)),
    "onebook_marks_missing": ("Held instruments without a mark.", ()),
    "onebook_marks_stale": ("Held instruments with a stale mark.", ()),
    "onebook_positions_open": ("Open positions.", ()),
    "onebook_equity": ("Equity in the base currency.", ("currency",)),
    "onebook_pnl_realized": ("Realized P&L of all time in the base currency, after fees.", ("currency",)),
    "onebook_pnl_unrealized": ("Unrealized P&L in the base currency.", ("currency",)),
    "onebook_pnl_today": ("Realized P&L of the book's day, after fees.", ("strategy", "currency")),
    "onebook_exposure": ("Open positions at their marks, unsigned, in the base currency.", ("strategy",)),
    "onebook_trading_state": ("1 for the state that trading of the book is in, else 0.", ("state",)),
    "onebook_bot_silent_seconds": ("Time since a bot's last sign of life.", ("strategy",)),
    "onebook_left_out": ("Series that are not told, since there are too many.", ("family",)),
}
"""Name -> (what it tells, labels)."""

HISTOGRAMS: dict[str, str] = {
    "onebook_batch_facts": "Commands in one transaction.",
    "onebook_sync_seconds": "Seconds that making a transaction durable took.",
}
"""Name -> what it counts; no labels."""


def numbers_of(service: "Service") -> Found:
    """Yield every number but those of histograms, as they stand now."""
    left: dict[str, int] = {}
    for source in _SOURCES:
        seen: dict[str, int] = {}
        for name, labels, value in sorted(source(service), key=lambda item: (item[0], item[1])):
            seen[name] = seen.get(name, 0) + 1
            if seen[name] <= MAX_SERIES:
                yield name, labels, value
            else:
                left[name] = left.get(name, 0) + 1
    for name, count in sorted(left.items()):
        yield "onebook_left_out", (name,), count


def classes_of(service: "Service") -> Iterator[tuple[str, tuple[float, ...], list[int], float]]:
    """Yield (name, upper bounds, how many in each class and above, sum) of each histogram."""
    if service.book.store.read_only:
        return
    counts = service.book.committer.counts
    yield "onebook_batch_facts", SIZES, list(counts.by_size), counts.commands
    yield "onebook_sync_seconds", SECONDS, list(counts.by_seconds), counts.seconds


# ---- where the numbers come from ----


def _book(service: "Service") -> Found:
    status = service.book.status()
    yield "onebook_facts", (), status.facts
    yield "onebook_log_entries", (), status.entries
    yield "onebook_conflicts", (), status.conflicts
    yield "onebook_breaks_open", (), status.breaks
    yield "onebook_up_seconds", (), max(service.book.now() - service.started_ns, 0) / times.SECOND
    for state in STATES:
        yield "onebook_trading_state", (state,), state == status.trading_state
    for item in status.subscribers:
        yield "onebook_subscriber_lag", (item.name,), item.lag
        yield "onebook_subscriber_events", (item.name,), item.handled
        yield "onebook_subscriber_errors", (item.name,), item.errors
        yield "onebook_subscriber_dead_letters", (item.name,), item.dead_letters
        yield "onebook_subscriber_running", (item.name,), item.state in {"running", "skipping"}
    if not service.book.store.read_only:
        counts = service.book.committer.counts
        yield "onebook_commits", (), service.book.committer.commits
        yield "onebook_commits_failed", (), counts.failed


def _service(service: "Service") -> Found:
    stream = service.part("stream", _missing).statistics()
    for kind, count in stream.lines.items():
        yield "onebook_stream_clients", (kind,), count
    yield "onebook_stream_lag", (), stream.lag
    yield "onebook_stream_bytes", (), stream.sent
    yield "onebook_stream_cut", (), stream.cut
    yield "onebook_requests_open", (), service.opened.count
    answers = service.part("answers", _missing)
    yield "onebook_cache_hits", ("answers",), answers.hits
    yield "onebook_cache_misses", ("answers",), answers.misses
    yield "onebook_cache_bytes", ("answers",), answers.bytes
    pushed = service.part("pushed", _no_push)
    for name, count in asdict(pushed).items():
        yield f"onebook_push_{name}", (), count


def _missing(_service: "Service") -> Any:
    msg = "the service is not built yet; ask again in a moment"
    raise StoreError(msg)


def _no_push(_service: "Service") -> Any:
    from onebook.http.pushing import Pushed

    return Pushed()


def _around(service: "Service") -> Found:
    now = service.book.now()
    with service.book.store.reading() as reader:
        beats, breakers = reader.heartbeats(), open_breakers(reader)
    for beat in beats:
        yield "onebook_bot_silent_seconds", (beat.strategy,), max(now - beat.at_ns, 0) / times.SECOND
    for item in breakers:
        yield "onebook_breaker_state", (item.who, item.name), 2 if item.state == "open" else 1


def _money(service: "Service") -> Found:
    book = service.book
    positions, equity = book.positions(), book.equity()
    yield "onebook_positions_open", (), len(positions)
    yield "onebook_equity", (equity.currency,), float(equity.amount)
    yield "onebook_pnl_realized", (equity.currency,), float(equity.realized)
    yield "onebook_pnl_unrealized", (equity.currency,), float(equity.unrealized)
    yield from _marks(service, positions)
    worths = worths_of(book, positions)
    exposed: dict[str, Decimal] = {}
    for item in positions:
        name = item.strategy or ""
        exposed[name] = add(exposed.get(name, ZERO), absolute(worths.get(id(item), ZERO)))
    for name, amount in exposed.items():
        yield "onebook_exposure", (name,), float(amount)
    settings = (book.facts("settings") or [BookSettings()])[-1]
    day = Days(settings.zone, settings.rolls_at).of(book.now()).isoformat()
    for name in sorted(exposed)[:MAX_SERIES]:
        for row in book.daily_pnl(since=day, strategy=name):
            if row.day == day:
                yield "onebook_pnl_today", (name, row.currency), float(row.net)


def _marks(service: "Service", positions: "list[Position]") -> Found:
    now = service.book.now()
    held = {item.instrument: item for item in positions}
    yield "onebook_marks_missing", (), sum(1 for item in held.values() if item.marked_at is None)
    yield "onebook_marks_stale", (), sum(1 for item in held.values() if item.stale)
    for name, item in held.items():
        if item.marked_at is not None:
            at = times.from_datetime("marked_at", item.marked_at)
            yield "onebook_mark_age_seconds", (name,), max(now - at, 0) / times.SECOND


_SOURCES: tuple[Callable[["Service"], Found], ...] = (_book, _service, _around, _money)
