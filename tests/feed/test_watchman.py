"""What only time tells: each thing that is wrong is told once, and once more when it is over."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.feed.waiting import fill, until

import onebook
from onebook.domain.days import Days
from onebook.errors import SourceError
from onebook.feed.conditions import Condition, Limits, conditions
from onebook.feed.watchman import Watchman
from onebook.testing import FakeClock

NEVER = Limits(mark_stale_seconds=0, disk_free_bytes=0, disk_free_ratio=0, dead_letters=0)
KINDS = ("bot_silent", "alert_raised", "alert_cleared", "day_ended")


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks but the test."""
    monkeypatch.setattr(Watchman, "_run", lambda self: None)


def watch(book: onebook.Book, limits: Limits = NEVER, **given: Any) -> Watchman:
    made = Watchman(book, book.feed, limits, **given)
    until(lambda: made._subscriber.lag == 0)
    return made


def told(book: onebook.Book) -> list[tuple[str, str]]:
    found = book.events(types=KINDS)
    return [(event.type, event.data.get("kind", event.strategy) or event.data.get("day", "")) for event in found]


def silent(book: onebook.Book, clock: FakeClock) -> list[Condition]:
    return [item for item in conditions(book, NEVER, clock()) if item.kind == "bot_silent"]


# ---- bots ----


def test_a_bot_that_goes_silent_is_told_once(book: onebook.Book, clock: FakeClock) -> None:
    book.record(fill())
    book.heartbeat("trend", 60)
    man = watch(book)
    clock.advance(60)
    man.look(clock())
    assert told(book) == []
    clock.advance(1)
    for _ in range(3):
        man.look(clock())
        clock.advance(1)
    assert told(book) == [("bot_silent", "trend")]
    (event,) = book.events(types="bot_silent")
    assert event.data["last_beat_at"] == "2024-06-03T12:00:00Z"


def test_a_beat_ends_the_silence_and_the_next_silence_is_told_again(book: onebook.Book, clock: FakeClock) -> None:
    book.record(fill())
    book.heartbeat("trend", 60)
    man = watch(book)
    clock.advance(61)
    man.look(clock())
    book.heartbeat("trend", 60)
    man.look(clock())
    clock.advance(61)
    man.look(clock())
    assert told(book) == [("bot_silent", "trend"), ("alert_cleared", "bot_silent"), ("bot_silent", "trend")]


def test_recording_counts_as_a_beat_and_what_the_watchman_writes_does_not(book: onebook.Book, clock: FakeClock) -> None:
    book.heartbeat("trend", 60)
    man = watch(book)
    clock.advance(50)
    book.record(fill())
    until(lambda: book.state.get("runners.trend")["last_beat_at"].minute == 0 and man._subscriber.lag == 0)
    clock.advance(50)
    assert silent(book, clock) == []
    clock.advance(20)
    man.look(clock())
    until(lambda: man._subscriber.lag == 0)
    assert len(silent(book, clock)) == 1


def test_a_bot_that_ends_on_purpose_is_not_silent(book: onebook.Book, clock: FakeClock) -> None:
    book.record(fill())
    book.heartbeat("trend", 60)
    book.heartbeat("trend", 0)
    clock.advance(3600)
    assert silent(book, clock) == []
    assert book.state.get("runners") is None


@pytest.mark.parametrize(
    "every", [-1, 0.01, 1e9, 10**400, float("nan"), Decimal("NaN"), Decimal("sNaN"), "60", None, False, True]
)
def test_a_heartbeat_that_cannot_be_is_refused(book: onebook.Book, every: Any) -> None:
    with pytest.raises(onebook.InputError, match="every_seconds"):
        book.heartbeat("trend", every)


def test_another_watchman_does_not_tell_it_again(book: onebook.Book, clock: FakeClock) -> None:
    book.record(fill())
    book.heartbeat("trend", 60)
    clock.advance(61)
    first = watch(book)
    first.look(clock())
    first.end()
    second = watch(book)
    second.look(clock())
    book.heartbeat("trend", 60)
    second.look(clock())
    assert told(book) == [("bot_silent", "trend"), ("alert_cleared", "bot_silent")]


# ---- the rest ----


def test_an_old_mark_of_something_held_is_told(book: onebook.Book, clock: FakeClock) -> None:
    book.record(fill())
    book.record(fill(2, instrument="ETH/USD", side="buy"))
    book.record(fill(3, instrument="ETH/USD", side="sell"))
    book.mark("BTC/USD", "100")
    book.mark("ETH/USD", "100")
    man = watch(book, Limits(mark_stale_seconds=300, disk_free_bytes=0, disk_free_ratio=0))
    clock.advance(301)
    man.look(clock())
    book.mark("BTC/USD", "101")
    man.look(clock())
    assert told(book) == [("alert_raised", "mark_stale"), ("alert_cleared", "mark_stale")]
    (raised,) = book.events(types="alert_raised")
    assert (raised.instrument, raised.data["subject"]) == ("BTC/USD", "BTC/USD")


def test_dead_letters_and_halted_subscribers_are_told(book: onebook.Book, clock: FakeClock) -> None:
    def bad(_: object) -> None:
        raise ValueError("no")

    book.record(fill())
    man = watch(book, Limits(mark_stale_seconds=0, disk_free_bytes=0, disk_free_ratio=0, dead_letters=1))
    dead = book.subscribe("dead", bad, types="trade_*", start="beginning", attempts=1)
    halted = book.subscribe("halted", bad, types="trade_*", start="beginning", attempts=1, on_failure="halt")
    until(lambda: {row.state for row in book.subscribers()} >= {"halted"} and list(book.subscribers.dead_letters()))
    man.look(clock())
    assert sorted(told(book)) == [("alert_raised", "dead_letter"), ("alert_raised", "subscriber_halted")]
    dead.close()
    halted.close()
    book.subscribers.drop("dead")
    book.subscribers.skip("halted")
    man.look(clock())
    assert sorted(told(book))[:2] == [("alert_cleared", "dead_letter"), ("alert_cleared", "subscriber_halted")]


def test_a_disk_nearly_full_is_told(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    with onebook.open(tmp_path / "a.db", clock=clock) as book:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
        assert conditions(book, Limits(), clock()) == []
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**9 - 1))
        assert [item.kind for item in conditions(book, Limits(disk_free_ratio=0), clock())] == ["disk_nearly_full"]
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**10))
        assert [item.kind for item in conditions(book, Limits(disk_free_bytes=0), clock())] == ["disk_nearly_full"]


def test_a_backup_that_fails_is_told(tmp_path: Path) -> None:
    with onebook.open(tmp_path / "a.db") as book:
        book.record(fill())
        (tmp_path / "there.db").write_text("x")
        with pytest.raises(onebook.StoreError, match="exists already"):
            book.backup(tmp_path / "there.db")
        assert told(book) == [("alert_raised", "backup_failed")]


# ---- the day ----


def test_the_day_is_summed_up_once_at_its_roll(book: onebook.Book, clock: FakeClock) -> None:
    book.record(onebook.BookSettings(zone="America/New_York", rolls_at="17:00"))
    book.record(fill(1, quantity="2"))
    book.record(fill(2, side="sell", price="110", fee="1"))
    man = watch(book)
    man.look(clock())
    assert told(book) == []
    clock.set("2024-06-03T20:59:59Z")
    man.look(clock())
    clock.set("2024-06-03T21:00:00Z")
    man.look(clock())
    man.look(clock())
    assert told(book) == [("day_ended", "2024-06-03")]
    (event,) = book.events(types="day_ended")
    assert event.data["figures"]["USD"] == {
        "net": "9", "gross": "10", "fees": "1", "fills": 2, "round_trips": 0
    }  # fmt: skip
    assert event.data["text"] == "9 USD; 2 fills, 0 round trips; 1 positions open"


def test_a_machine_that_was_off_at_the_roll_sums_up_when_it_is_back(book: onebook.Book, clock: FakeClock) -> None:
    book.record(fill())
    clock.advance(86_400)
    first = watch(book)
    first.look(clock())
    first.end()
    second = watch(book)
    second.look(clock())
    assert told(book) == [("day_ended", "2024-06-03")]


def test_an_empty_book_has_no_day_to_sum_up(book: onebook.Book, clock: FakeClock) -> None:
    man = Watchman(book, book.feed, NEVER)
    man.look(clock())
    assert told(book) == []
    assert man._began(Days()) == "9"


# ---- the health check ----


def test_the_health_check_is_asked_while_all_is_well(book: onebook.Book, clock: FakeClock) -> None:
    pings: list[int] = []
    book.record(fill())
    book.heartbeat("trend", 60)
    man = watch(book, ping=lambda: pings.append(clock()), ping_seconds=60)
    for _ in range(3):
        man.look(clock())
        clock.advance(30)
    assert len(pings) == 2
    clock.advance(60)
    man.look(clock())
    assert len(pings) == 2
    book.heartbeat("trend", 600)
    man.look(clock())
    assert len(pings) == 3


def test_a_health_check_that_cannot_be_reached_stops_nothing(book: onebook.Book, clock: FakeClock) -> None:
    def ping() -> None:
        raise SourceError("nobody there")

    book.record(fill())
    man = watch(book, ping=ping)
    man.look(clock())
    book.heartbeat("trend", 1)
    clock.advance(2)
    man.look(clock())
    assert told(book) == [("bot_silent", "trend")]
