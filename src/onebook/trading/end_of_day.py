"""Closing what must not stay overnight: by the market's sessions, early closes too, from the book alone.

Some minutes before a session closes, open orders are taken back, what is held is closed at the market with the reason
``end_of_day``, and signals that nothing executed expire. From then until the close it goes on: what opens meanwhile is
closed too, and an exit that the venue did not take is tried again. Exits have names of their own and count what is on
its way out already, so it is done once, whoever does it and however often it is asked.

Where nobody ran at the close, that is reported once, and the next session closes it or leaves it, as configured. What
has not traded in the session is reported and kept: an exit at a price of yesterday helps nobody.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.commands import Note, Record
from onebook.domain.facts import Signal, SignalUpdate
from onebook.domain.identity import identity_text
from onebook.domain.reports import Position
from onebook.errors import BadConfig, InputError, RuleError
from onebook.market.calendars import Calendar, Session
from onebook.store.port import Store
from onebook.store.subscribers import Observation
from onebook.trading.answers import Answer
from onebook.trading.end_of_day_exits import DONE, Close, Exits
from onebook.trading.gate import Gate

GRACE_NS = 30 * times.SECOND
"""How long after a close the last fills may come before it says what stayed open."""

MOST_AT_ONCE = 500
"""Signals that expire in the transaction of the note; what is more goes before it."""

_JITTER_NS = times.MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfDayTerms:
    """What is closed, and when.

    Attributes:
        name: of the rule, for the log; it is part of what makes a close happen once.
        calendar: the market's sessions.
        minutes_before_close: when it begins, 0 or more; at the session's open where that is later.
        accounts: only these; empty for all.
        strategies: only these; empty for all.
        instruments: only these, as names or patterns; empty for all.
        missed: ``close`` closes in the next session what stayed open over a close, ``report`` only tells.
        expire_signals: signals that nothing executed expire.

    Raises:
        BadConfig: no such value.
    """

    name: str
    calendar: Calendar
    minutes_before_close: float = 5.0
    accounts: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    missed: str = "close"
    expire_signals: bool = True

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if not self.name:
            msg = "end of day: a rule needs a name"
            raise BadConfig(msg, field="name", value=self.name)
        if not 0 <= self.minutes_before_close <= 1440:
            msg = f"end of day: minutes_before_close {self.minutes_before_close} is not between 0 and 1440"
            raise BadConfig(msg, field="minutes_before_close", value=self.minutes_before_close)
        if self.missed not in {"close", "report"}:
            msg = f"end of day: missed is {self.missed!r}; write close or report"
            raise BadConfig(msg, field="missed", value=self.missed)
        for field in ("accounts", "strategies", "instruments"):
            value: object = getattr(self, field)
            if isinstance(value, str):
                msg = f"end of day: {field} is {value!r}; write ({value!r},)"
                raise BadConfig(msg, field=field, value=value)

    def covers(self, account: str, strategy: str, instrument: str) -> bool:
        """Say whether the rule is about a position."""
        return (
            (not self.accounts or account in self.accounts)
            and (not self.strategies or strategy in self.strategies)
            and (not self.instruments or any(fnmatchcase(instrument, pattern) for pattern in self.instruments))
        )

    def due_ns(self, session: Session) -> int:
        """Return when the close of a session begins."""
        return max(session.opens_ns, session.closes_ns - int(self.minutes_before_close * times.MINUTE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What one look did.

    Attributes:
        rule: its name.
        day: of the session that is closed.
        answers: the gate's on each exit.
        kept: instruments that could not be closed yet.
        expired: ids of signals that expired.
        late: it was done after the close it belongs to.
    """

    rule: str
    day: str
    answers: tuple[Answer, ...]
    kept: tuple[str, ...]
    expired: tuple[str, ...]
    late: bool = False


class EndOfDay:
    """Does the end of day of a book's accounts. Thread-safe; asked as often as one likes.

    Args:
        book: whose.
        gate: its order gate.
        rules: what is closed, and when.

    Raises:
        BadConfig: two rules have one name.
    """

    def __init__(self, book: Core, gate: Gate, rules: Sequence[EndOfDayTerms]) -> None:
        self._book = book
        self._rules = tuple(rules)
        names = [rule.name for rule in self._rules]
        if len(set(names)) < len(names):
            msg = f"end of day: two rules have one name: {', '.join(names)}"
            raise BadConfig(msg, field="name", value=names)
        self._lock = threading.Lock()
        self._asleep: dict[str, tuple[int, int]] = {}
        self._settled: dict[str, date] = {}
        self._noted: dict[str, str] = {}
        self._exits = Exits(book, gate)

    def look(self, now_ns: int) -> list[Closed]:
        """Do what is due at a moment, nanoseconds since 1970 UTC; return what was done.

        Raises:
            InputError: the calendar does not know the moment.
            StoreError: the book could not be asked; looking again goes on where it stopped.
        """
        if not self.is_due(now_ns):
            return []
        with self._lock:
            return [done for rule in self._rules if not self._sleeps(rule, now_ns) for done in self._look(rule, now_ns)]

    def is_due(self, now_ns: int) -> bool:
        """Say whether there may be something to do at a moment; it reads nothing."""
        return not all(self._sleeps(rule, now_ns) for rule in self._rules)

    def _sleeps(self, rule: EndOfDayTerms, now_ns: int) -> bool:
        """Say whether nothing can be due; a clock that was put back wakes a rule."""
        since, until = self._asleep.get(rule.name, (0, 0))
        return since - _JITTER_NS <= now_ns < until

    def _look(self, rule: EndOfDayTerms, now_ns: int) -> Iterator[Closed]:
        session = rule.calendar.session_of(now_ns)
        before = _known(rule.calendar.previous_session, now_ns)
        wakes = []
        settled = before is not None and self._settled.get(rule.name) == before.day
        if before is not None and not settled:
            if now_ns < before.closes_ns + GRACE_NS:
                wakes.append(before.closes_ns + GRACE_NS)
            else:
                self._settle(rule, before)
                self._settled[rule.name], settled = before.day, True
        if session is None:
            coming = _known(rule.calendar.next_session, now_ns)
            wakes.append(now_ns + times.MINUTE if coming is None else coming.opens_ns)
        elif now_ns >= rule.due_ns(session):
            yield from self._close(rule, Close(rule.name, rule.covers, session, session), now_ns)
            wakes = [now_ns]  # until the close it looks every time
        else:
            wakes.append(rule.due_ns(session))
            if before is not None and settled and rule.missed == "close":
                late = Close(rule.name, rule.covers, before, session, late=True)
                if not self._exits.may_differ(late, now_ns):
                    wakes = [now_ns]
                elif self._exits.held(late):
                    yield from self._close(rule, late, now_ns)
                    wakes = [now_ns]
        self._asleep[rule.name] = (now_ns, min(wakes))

    # ---- after the close ----

    def _settle(self, rule: EndOfDayTerms, before: Session) -> None:
        """Say what stayed open over a close, and let its signals expire."""
        self._expire(rule, until_ns=before.closes_ns)
        close = Close(rule.name, rule.covers, before, before)
        left = self._exits.held(replace(close, late=True))
        if not left:
            return
        if self._is_noted(close):
            for item in left:
                why = self._exits.fate(close, item)
                self._exits.keep(close, item, f"stayed open over the close of {close.day}: {why}")
            return
        names = sorted({item.instrument for item in left})
        data = {
            "kind": "end_of_day_missed",
            "subject": rule.name,
            "text": f"{', '.join(names)} stayed open over the close of {close.day}: nobody ran the end of day",
            "day": close.day,
            "instruments": names,
            "missed": rule.missed,
            "key": identity_text("end_of_day_missed", rule.name, close.day),
        }
        self._book.note("alert_raised", data)

    # ---- the close ----

    def _close(self, rule: EndOfDayTerms, close: Close, now_ns: int) -> Iterator[Closed]:
        """Take orders back and place exits; the first time also let signals expire, and note that it was done."""
        is_first = not self._is_noted(close)
        if not is_first and not self._exits.may_differ(close, now_ns):
            return
        held = self._exits.held(close)
        self._exits.take_back(close, held)
        answers, kept = self._exits.place(close, now_ns)
        if close.late and not answers and len(kept) == len(held):
            return  # nothing of it trades yet
        expired: list[str] = []
        if is_first:
            is_first, expired = self._note_done(rule, close, kept)
        if is_first or answers:
            names = tuple(sorted({item.instrument for item in kept}))
            yield Closed(
                rule=close.rule,
                day=close.day,
                answers=tuple(answers),
                kept=names,
                expired=tuple(expired),
                late=close.late,
            )

    def _is_noted(self, close: Close) -> bool:
        if self._noted.get(close.rule) == close.key:
            return True
        with self._book.store.reading() as reader:
            scope = reader.scope("note")
            name = identity_text("end_of_day_done", close.key)
            return scope is not None and bool(reader.identities(scope, name, 2**62))

    def _note_done(self, rule: EndOfDayTerms, close: Close, kept: Sequence[Position]) -> tuple[bool, list[str]]:
        """Note that it was done, and let signals expire with it; return whether it was us, and their ids."""
        due = rule.due_ns(close.session)
        data = {
            "rule": rule.name,
            "day": close.day,
            "closes_at": times.to_text(close.session.closes_ns),
            "early_close": close.session.is_early_close,
            "exits": self._exits.count(close, close.current.opens_ns if close.late else due),
            "kept": sorted({item.instrument for item in kept}),
            "expired": 0,
            "late": close.late,
            "key": close.key,
        }
        if close.late:
            done = self._book.note("end_of_day_done", data), list[str]()
        else:
            done = self._expire(rule, until_ns=due, done=data)
        self._noted[rule.name] = close.key
        return done

    # ---- signals ----

    def _expire(
        self, rule: EndOfDayTerms, *, until_ns: int, done: dict[str, Any] | None = None
    ) -> tuple[bool, list[str]]:
        """Let signals expire that came before a moment and that nothing executed, once for each moment.

        Args:
            rule: whose.
            until_ns: the moment.
            done: what the note says that is written in the same transaction.

        Returns:
            Whether the note is ours, and the ids of the signals.
        """
        ids: list[str] = []
        for _ in range(5):
            name, found = self._waiting(rule, until_ns)
            if len(found) > MOST_AT_ONCE:  # a book that never saw an end of day
                self._book.record_many(_expiry(signal, until_ns) for signal in found[MOST_AT_ONCE:])
                ids += [signal.signal_id for signal in found[MOST_AT_ONCE:]]
                found = found[:MOST_AT_ONCE]
            updates = [Record(_expiry(signal, until_ns)) for signal in found]
            count = len(found) + len(ids)
            notes = [] if done is None else [Note("end_of_day_done", done | {"expired": count})]
            try:
                made = self._book.submit(*updates, *notes, along=_keep_place(name, until_ns))
            except RuleError:
                continue  # one of them was executed meanwhile
            return not notes or made[-1][0].status == "recorded", [signal.signal_id for signal in found] + ids
        return done is None or self._book.note("end_of_day_done", done), ids  # the next look after the close has them

    def _waiting(self, rule: EndOfDayTerms, until_ns: int) -> tuple[str, list[Signal]]:
        """Return under which name it is kept until when signals were looked at, and those that wait since.

        Only what came since then is read, and a day more for signals that were recorded late.
        """
        scope = (rule.accounts, rule.strategies, rule.instruments)
        name = identity_text(rule.name, *(",".join(names) for names in scope))
        if not rule.expire_signals:
            return "", []
        with self._book.store.reading() as reader:
            kept = {item.name: item.at_ns for item in reader.observations(DONE)}.get(name)
        if kept is not None and kept >= until_ns:
            return "", []
        since = None if kept is None else times.to_datetime(max(0, kept - times.DAY))
        found = self._book.signals(status="GENERATED", since=since, until=times.to_datetime(until_ns))
        waiting = (item.signal for item in found)
        return name, [item for item in waiting if rule.covers(item.account, item.strategy, item.instrument)]


def _expiry(signal: Signal, at_ns: int) -> SignalUpdate:
    return SignalUpdate(
        signal_id=signal.signal_id, account=signal.account, status="EXPIRED", reason="end of day", occurred_ns=at_ns
    )


def _keep_place(name: str, at_ns: int) -> Callable[[Store], None]:
    """Return what keeps, inside a transaction, until when signals were looked at; no name keeps nothing."""

    def write(store: Store) -> None:
        if name:
            store.subscriber_rows().put_observation(Observation(DONE, name, "", at_ns))

    return write


def _known(ask: Callable[[int], Session | None], at_ns: int) -> Session | None:
    """Return a neighbouring session; None where the calendar does not reach that far."""
    try:
        return ask(at_ns)
    except InputError:
        return None
