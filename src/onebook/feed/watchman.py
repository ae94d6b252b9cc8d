"""What only time tells: silent bots, stale marks, missing fills, a full disk, the day's end. It goes into the log.

Signals that nothing executed in time expire here too, whoever reported them.

One process watches a book at a time: whoever serves the subscriber ``watchman``. What it finds becomes an event, once
for each occurrence, so that alerts survive a restart and an outage like every other event. While all is well it pings
a health check of the user's, so that somebody outside notices when it does not any more.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from onebook.book.core import Core
from onebook.book.lens import Lens
from onebook.book.log import make_filter
from onebook.domain import times
from onebook.domain.days import Days
from onebook.domain.numbers import plain
from onebook.domain.reports import Event
from onebook.errors import BookError, StoreClosed
from onebook.feed.bus import newest
from onebook.feed.conditions import Condition, Limits, conditions
from onebook.feed.expiring import Expiring
from onebook.feed.feed import Feed
from onebook.feed.missing_fills import MissingFills
from onebook.feed.policy import Policy
from onebook.feed.subscriber import Subscriber
from onebook.store.subscribers import Heartbeat, SubscriberRows

_log = logging.getLogger("onebook.feed")
NAME = "watchman"
LOOK_SECONDS = 1.0
BEARABLE = frozenset({"mark_stale"})
"""What is no reason to withhold the health check: markets close."""

KINDS = frozenset({"bot_silent", "mark_stale", "dead_letter", "subscriber_halted", "disk_nearly_full"})
"""Kinds of alerts that the watchman raises and clears."""

OWN = frozenset({"bot_silent", "alert_raised", "alert_cleared", "day_ended"})
"""What watchmen write themselves: no sign of a bot's life."""

REMEMBERED = 1000
"""Alerts that are read back to know which ones are open."""


@dataclass(slots=True)
class Watch:
    """What a watchman has in mind: which alerts are open, and what day it was."""

    open: dict[tuple[str, str], str] = field(default_factory=dict)
    day: str = ""


class Watchman:
    """Watches one book.

    Args:
        book: which.
        feed: of the book.
        limits: from where on something is wrong.
        ping: called while all is well; None for nobody to tell.
        ping_seconds: how often.
    """

    max_batch = 500

    def __init__(
        self,
        book: Core,
        feed: Feed,
        limits: Limits,
        *,
        ping: Callable[[], None] | None = None,
        ping_seconds: float = 60.0,
    ) -> None:
        self._book = book
        self._limits = limits
        self._ping = ping
        self._ping_ns = int(ping_seconds * times.SECOND)
        self._pinged = 0
        self._watch = Watch()
        self._missing = MissingFills(book, limits.break_after_seconds)
        self._expiring = Expiring(book)
        self._is_new = True
        self._looking = threading.Lock()
        self._stop = threading.Event()
        policy = Policy(attempts=None)
        self._subscriber: Subscriber = feed.subscribe(NAME, self._begin, make_filter(), policy=policy)
        self._thread = threading.Thread(target=self._run, name="onebook-watchman", daemon=True)
        self._thread.start()

    # ---- as the sink of its subscriber: whatever a bot records is a sign of its life ----

    def _begin(self, _: Subscriber) -> "Watchman":
        """Begin to watch here: read back which alerts are open."""
        with self._looking:
            self._watch = remembered(self._book)
            self._is_new = True
        return self

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:  # noqa: ARG002  it keeps nothing back
        """Take what was recorded as signs of life, where a bot promised some."""
        newest_of: dict[str, int] = {}
        for event in events:
            if event.strategy and event.type not in OWN:
                newest_of[event.strategy] = times.from_datetime("recorded_at", event.recorded_at)
        if not newest_of:
            return True
        with self._book.store.reading() as reader:
            known = {beat.strategy: beat for beat in reader.heartbeats()}
        beats = [
            Heartbeat(name, known[name].every_ns, at)
            for name, at in newest_of.items()
            if name in known and at > known[name].at_ns
        ]
        if beats:
            self._book.store.aside(lambda rows: _put(rows, beats))
        return True

    def close(self) -> None:
        """Do nothing: the subscriber closes its sink whenever another process takes over."""

    # ---- looking ----

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            if self._subscriber.state != "running":
                continue
            try:
                self.look(self._book.now())
            except StoreClosed:
                return
            except BookError as problem:
                _log.warning("the watchman could not look: %s", problem)

    def look(self, now: int) -> None:
        """Look at everything once.

        Args:
            now: nanoseconds since 1970 UTC, by the book's clock.
        """
        with self._looking:
            self._look(now)

    def _look(self, now: int) -> None:
        found = conditions(self._book, self._limits, now)
        self._look_at_log(now)
        self._end_day(now)
        seen = set()
        for condition in found:
            seen.add((condition.kind, condition.subject))
            self._raise(condition)
        for place in [place for place in self._watch.open if place not in seen]:
            self._clear(place)
        if not {condition.kind for condition in found} - BEARABLE:
            self._tell_well(now)

    def _look_at_log(self, now: int) -> None:
        """Look at what facts promised and time did not bring: fills, and the execution of signals."""
        if self._is_new:  # another process may have watched meanwhile
            self._is_new = False
            self._missing.begin()
            self._expiring.forget()
        self._missing.look(now)
        self._expiring.follow()
        self._expiring.look(now)

    def _raise(self, condition: Condition) -> None:
        place = (condition.kind, condition.subject)
        if self._watch.open.get(place) == condition.key:
            return
        if condition.kind != "bot_silent" and place in self._watch.open:
            return  # it goes on: another dead letter is no other alert
        where = {"instrument": condition.subject} if condition.kind == "mark_stale" else {}
        data: dict[str, Any] = {"text": condition.text, **condition.figures, "key": condition.key}
        if condition.kind == "bot_silent":
            self._book.note("bot_silent", data, strategy=condition.subject)
        else:
            self._book.note("alert_raised", {"kind": condition.kind, "subject": condition.subject} | data, **where)
        self._watch.open[place] = condition.key

    def _clear(self, place: tuple[str, str]) -> None:
        kind, subject = place
        data = {"kind": kind, "subject": subject, "key": self._watch.open[place]}
        strategy = subject if kind == "bot_silent" else ""
        self._book.note("alert_cleared", data, strategy=strategy)
        del self._watch.open[place]

    def _tell_well(self, now: int) -> None:
        if self._ping is None or now - self._pinged < self._ping_ns:
            return
        self._pinged = now
        try:
            self._ping()
        except BookError as problem:
            _log.warning("the health check could not be reached: %s", problem)

    # ---- the day's end ----

    def _end_day(self, now: int) -> None:
        """Write the summary of the day that ended last, once; none for days before anything was recorded."""
        with self._book.store.reading() as reader:
            days = Lens(reader).calendar()
        today = days.of(now)
        if self._watch.day == today.isoformat():
            return
        ended = today - timedelta(days=1)
        if self._began(days) <= ended.isoformat():
            self._book.note(
                "day_ended", self._summary(ended.isoformat(), today.isoformat()) | {"key": ended.isoformat()}
            )
        self._watch.day = today.isoformat()

    def _began(self, days: Days) -> str:
        """Return the day of the first entry; far ahead for an empty book."""
        first = next(iter(self._book.events(after=0)), None)
        return "9" if first is None else days.text(times.from_datetime("recorded_at", first.recorded_at))

    def _summary(self, day: str, until: str) -> dict[str, Any]:
        rows = self._book.daily_pnl(since=day, until=until)
        figures = {
            row.currency: {
                "net": plain(row.net),
                "gross": plain(row.gross),
                "fees": plain(row.fees),
                "fills": row.fills,
                "round_trips": row.round_trips,
            }
            for row in rows
        }
        held = self._book.positions()
        said = ", ".join(f"{figure['net']} {currency}" for currency, figure in figures.items()) or "nothing realized"
        fills = sum(row.fills for row in rows)
        text = f"{said}; {fills} fills, {sum(row.round_trips for row in rows)} round trips; {len(held)} positions open"
        return {"day": day, "text": text, "figures": figures, "open_positions": len(held)}

    def end(self) -> None:
        """Stop watching; another process may go on."""
        self._stop.set()
        self._subscriber.close()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)


def _put(rows: SubscriberRows, beats: list[Heartbeat]) -> None:
    for beat in beats:
        rows.put_heartbeat(beat)


def remembered(book: Core) -> Watch:
    """Return which alerts are open, by what the log holds of them."""
    watch = Watch()
    for event in newest(book, make_filter(OWN), REMEMBERED):
        if event.type == "bot_silent":
            watch.open["bot_silent", event.strategy] = event.data.get("key", event.id)
        elif event.data.get("kind") not in KINDS:
            continue  # somebody else raised it, and says when it is over
        elif event.type == "alert_raised":
            watch.open[event.data["kind"], event.data.get("subject", "")] = event.data.get("key", event.id)
        elif event.type == "alert_cleared":
            watch.open.pop((event.data["kind"], event.data.get("subject", "")), None)
    return watch
