"""Notifications: what a person should hear of goes to one chat, mailbox or phone, through apprise.

One sink has one target, so that a target that is down neither holds up the others nor makes them hear twice. The
log is the queue: while the target cannot be reached nothing is lost, and afterwards one digest tells all of it.
A few messages go out one by one; more than ``digest_above`` within ``digest_seconds`` become one digest. In quiet
hours only what is critical goes out; the rest is told when they end.

At least once: after a crash what was not yet told completely comes again, and what was critical in quiet hours too.
"""

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from onebook.breaker import Breaker, BreakerStatus
from onebook.config import Key
from onebook.config.values import choice, count, seconds, switch, text
from onebook.domain import times
from onebook.domain.reports import Event
from onebook.errors import BadConfig, BadPayload, SourceError
from onebook.feed.importance import DAILY_SUMMARY, Importance, importance
from onebook.feed.sink import Around, Sink
from onebook.feed.sinks.options import needed, optional, secret
from onebook.feed.sinks.outlet import Outlet
from onebook.feed.sinks.pile import LINES, Message, Pile
from onebook.feed.sinks.quiet import QuietHours, quiet_hours, zone
from onebook.feed.sinks.wording import by_template, checked_template, line

_log = logging.getLogger("onebook.feed")

_SECOND = times.SECOND


def _templates(key: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        msg = f"{key}: {value!r:.80} is not a mapping of types of events to texts"
        raise BadConfig(msg, key=key)
    return {str(kind): checked_template(key, kind, template) for kind, template in value.items()}


OPTIONS: dict[str, Key] = {
    "target": Key(take=secret, default=None, needed=True, help="where to: an address that apprise takes; a secret"),
    "minimum": Key(
        take=choice(*(item.name.lower() for item in Importance)),
        default="warning",
        help="least importance that is sent: info, notice, warning or critical",
    ),
    "daily_summary": Key(take=switch, default=True, help="send the summary of the day whatever the minimum"),
    "title": Key(take=text, default="onebook", help="begins the title of every message"),
    "quiet_hours": Key(
        take=optional(quiet_hours), default=None, help='such as "22:00-07:00": only what is critical is sent'
    ),
    "zone": Key(take=zone, default=ZoneInfo("UTC"), help="time zone of the quiet hours and of times in digests"),
    "digest_above": Key(take=count(1, 100), default=5, help="most messages one by one in that time; more are a digest"),
    "digest_seconds": Key(take=seconds(1, 3600), default=30.0, help="the time of a burst, and between digests"),
    "templates": Key(take=_templates, default={}, help="type of event -> text with {field} names"),
    "timeout_seconds": Key(take=seconds(1, 300), default=30.0, help="longest that one sending may take"),
    "breaker_failures": Key(take=count(1, 1000), default=5, help="failures in a row after which it is left alone"),
    "breaker_seconds": Key(take=seconds(1, 3600), default=15.0, help="how long it is left alone"),
}


def make(around: Around, options: dict[str, Any]) -> Sink:
    """Return a sink to one target.

    Args:
        around: what it may look at.
        options: all of :data:`OPTIONS`, taken.

    Raises:
        BadConfig: no target, apprise is not installed, or it does not take the address.
    """
    outlet = Outlet(needed(options, "target", around.name), timeout_seconds=options["timeout_seconds"])
    rules = Rules(
        minimum=Importance[options["minimum"].upper()],
        daily_summary=options["daily_summary"],
        title=options["title"],
        quiet_hours=options["quiet_hours"],
        zone=options["zone"],
        digest_above=options["digest_above"],
        digest_ns=int(options["digest_seconds"] * _SECOND),
        templates=options["templates"],
    )
    breaker = Breaker(
        f"{around.name}: {outlet.name}",
        clock=around.clock,
        failures=options["breaker_failures"],
        recovery_seconds=options["breaker_seconds"],
    )
    return Notify(around, outlet, rules, breaker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is sent, when, and in which words: the options, in nanoseconds where they are a time."""

    minimum: Importance
    daily_summary: bool
    title: str
    quiet_hours: QuietHours | None
    zone: ZoneInfo
    digest_above: int
    digest_ns: int
    templates: Mapping[str, str]

    def wants(self, event: Event) -> bool:
        """Say whether an event is sent."""
        return importance(event) >= self.minimum or (self.daily_summary and event.type == DAILY_SUMMARY)

    def quiet_until(self, now: int) -> int | None:
        """Return when the quiet hours end in which a moment lies, None where it lies in none; nanoseconds."""
        return None if self.quiet_hours is None else self.quiet_hours.until(now, self.zone)

    def message(self, event: Event) -> Message:
        """Return what is said about an event."""
        template = self.templates.get(event.type)
        return Message(
            id=event.id,
            place=event.sequence * 10**6 + int(event.id.rpartition(".")[2]),
            type=event.type,
            importance=importance(event),
            at=event.occurred_at,
            text=line(event) if template is None else by_template(template, event),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """What waits: ``held`` until the quiet hours end, ``pile`` for the end of a burst at ``due`` (None: for now)."""

    held: Pile
    pile: Pile
    since: int | None = None
    due: int | None = None


class Notify:
    """Sends messages to one target.

    What waits changes only when a call ends well: after an error the same events come again, and nothing of them
    is counted twice. ``_out`` are those of them that went out one by one before the error.
    """

    max_batch = 500

    def __init__(self, around: Around, outlet: Outlet, rules: Rules, breaker: Breaker) -> None:
        self._clock = around.clock
        self._outlet = outlet
        self._rules = rules
        self._breaker = breaker
        self._none = Pile(limit=max(LINES, rules.digest_above))
        self._waiting = _Waiting(held=self._none, pile=self._none)
        self._out: set[str] = set()
        self._recent: deque[tuple[int, int]] = deque(maxlen=100)
        self._not_before: int | None = None

    def breaker_status(self) -> BreakerStatus:
        """Return how its circuit breaker stands."""
        return self._breaker.status()

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:
        """Take events; send what is due.

        Raises:
            SourceError: the target cannot be reached; BreakerOpen while it is left alone.
        """
        now = self._clock()
        if not events and self._not_before is not None and 0 < self._not_before - now <= times.DAY:
            return False
        fresh = (event for event in events if event.id not in self._out)
        waiting = self._with([self._rules.message(event) for event in fresh if self._rules.wants(event)], now)
        if more and waiting.since is not None and now - waiting.since < self._rules.digest_ns:
            return self._accept(waiting)
        try:
            return self._accept(self._sent(waiting, now))
        except SourceError as problem:
            if events:
                raise
            _log.warning("%s", problem)
            self._not_before = now + max(int(self._breaker.status().retry_seconds * _SECOND), self._rules.digest_ns)
            return False

    def close(self) -> None:
        """Forget what waits: it comes again."""
        self._waiting = _Waiting(held=self._none, pile=self._none)
        self._not_before = None

    def _with(self, messages: Iterable[Message], now: int) -> _Waiting:
        """Return what waits once messages have come."""
        waiting = self._waiting
        if self._rules.quiet_until(now) is None:
            return self._piled(waiting, messages, now)
        every = list(messages)
        held = waiting.held.plus(message for message in every if message.importance < Importance.CRITICAL)
        pile = waiting.pile
        if pile.total and pile.worst < Importance.CRITICAL:
            held, pile = held.merged(pile), self._none
        urgent = [message for message in every if message.importance >= Importance.CRITICAL]
        since, due = (waiting.since, waiting.due) if pile.total else (None, None)
        return self._piled(_Waiting(held=held, pile=pile, since=since, due=due), urgent, now)

    def _piled(self, waiting: _Waiting, messages: Iterable[Message], now: int) -> _Waiting:
        pile = waiting.pile.plus(messages)
        since = waiting.since if waiting.since is not None else now if pile.total else None
        return _Waiting(held=waiting.held, pile=pile, since=since, due=waiting.due)

    def _accept(self, waiting: _Waiting) -> bool:
        """Keep what waits; say whether nothing does."""
        self._waiting = waiting
        self._out.clear()
        self._not_before = self._next_moment(waiting)
        return not waiting.held.total and not waiting.pile.total

    def _next_moment(self, waiting: _Waiting) -> int | None:
        """Return when something of what waits is due; None for now."""
        if waiting.pile.total and waiting.due is None:
            return None
        quiet = self._rules.quiet_until(self._clock()) if waiting.held.total else None
        return min((moment for moment in (waiting.due, quiet) if moment is not None), default=None)

    def _sent(self, waiting: _Waiting, now: int) -> _Waiting:
        """Send what is due of what waits; return what still does."""
        pile, held, due = waiting.pile, waiting.held, waiting.due
        if held.total and self._rules.quiet_until(now) is None:
            pile, held, due = pile.merged(held), self._none, now
        if not pile.total:
            return _Waiting(held=held, pile=self._none)
        used = self._used(now)
        if due is None and pile.is_complete and pile.total <= self._rules.digest_above - used:
            self._send_each(pile)
        elif (used == 0 and due is None) or (due is not None and not now < due <= now + self._rules.digest_ns):
            self._send_digest(pile)
        else:
            due = due or self._recent[-1][0] + self._rules.digest_ns
            return _Waiting(held=held, pile=pile, since=waiting.since, due=due)
        return _Waiting(held=held, pile=self._none)

    def _used(self, now: int) -> int:
        """Return how many messages went out lately; a digest is worth as many as may go out."""
        while self._recent and abs(now - self._recent[0][0]) >= self._rules.digest_ns:
            self._recent.popleft()
        return sum(number for _, number in self._recent)

    def _send_each(self, pile: Pile) -> None:
        for message in pile.in_order():
            try:
                self._send(_title(self._rules.title, message.importance), message.text, message.importance)
            except SourceError:
                self._waiting = _without(self._waiting, frozenset(self._out))
                raise
            self._out.add(message.id)
            self._recent.append((self._clock(), 1))

    def _send_digest(self, pile: Pile) -> None:
        if pile.total == 1:
            self._send_each(pile)
            return
        title = f"{_title(self._rules.title, pile.worst)}: {pile.total} messages"
        self._send(title, pile.digest(self._rules.zone, self._outlet.room), pile.worst)
        self._recent.append((self._clock(), self._rules.digest_above))

    def _send(self, title: str, body: str, importance: Importance) -> None:
        """Send one message; where the target refuses its text, one that says so instead.

        Raises:
            SourceError: it did not go out.
        """
        with self._breaker.attempt():
            try:
                self._outlet.send(title, body[: self._outlet.room], importance)
            except BadPayload as problem:
                short = f"{title}. The target refused the text; onebook tail shows it"
                try:
                    self._outlet.send(self._rules.title, short[: self._outlet.room], importance)
                except BadPayload:
                    raise SourceError(str(problem), target=self._outlet.name) from None


def _without(waiting: _Waiting, ids: frozenset[str]) -> _Waiting:
    """Return what waits without what went out; only a complete pile is sent message by message."""
    if not waiting.pile.is_complete:
        return waiting
    pile = waiting.pile.without(ids)
    return _Waiting(held=waiting.held, pile=pile, since=waiting.since if pile.total else None, due=waiting.due)


def _title(title: str, importance: Importance) -> str:
    return title if importance < Importance.WARNING else f"{title} {importance.name.lower()}"
