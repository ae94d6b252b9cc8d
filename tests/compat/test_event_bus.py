"""The documents' event bus: a face over the log that never books anything."""

import json
import threading
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from tests.compat.waiting import eventually

import onebook
from onebook import compat
from onebook.compat.event_bus import EventBus, get_event_bus
from onebook.testing import FakeClock

Told = list[dict[str, Any]]


@pytest.fixture
def bus(book: onebook.Book) -> EventBus:
    return get_event_bus()


def fill(number: int = 1, **given: Any) -> onebook.Fill:
    plain = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "price": "100", "strategy": "trend"}
    return onebook.Fill(**{**plain, "client_fill_id": str(number), **given})


def kinds(told: Told) -> list[str]:
    return [event["type"] for event in told]


def test_there_is_one_bus(book: onebook.Book) -> None:
    first = get_event_bus()
    assert get_event_bus() is first
    compat.install(book)
    assert get_event_bus() is not first
    assert get_event_bus().book is book


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("trade_executed", ["trade_executed"]),
        ("trade_*", ["trade_executed"]),
        ("*", ["trade_executed", "position_updated", "regime_changed", "Odd Name", "state_changed"]),
        ("regime_changed", ["regime_changed"]),
        ("Odd*", ["Odd Name"]),
        ("published", []),
        ("position_closed", []),
    ],
)
def test_a_handler_is_told_its_types(wanted: str, expected: list[str], bus: EventBus, book: onebook.Book) -> None:
    told: Told = []
    last: Told = []
    bus.subscribe("state_changed", last.append)
    bus.subscribe(wanted, told.append)
    book.record(fill())
    bus.publish("regime_changed", {"to": "bull"})
    bus.publish("Odd Name", {"n": 1})
    book.state.set("a.b", 1)
    eventually(lambda: last and len(told) >= len(expected))
    bus.unsubscribe(wanted, told.append)
    assert kinds(told) == expected


def test_the_books_events_have_their_payload(bus: EventBus, book: onebook.Book, clock: FakeClock) -> None:
    told: Told = []
    bus.subscribe("*", told.append)
    book.record(fill(raw={"$decimal": "x"}))
    eventually(lambda: len(told) == 2)
    book.mark("BTC/USDT", "101.5", source="feed")
    eventually(lambda: len(told) == 4)
    executed = next(event for event in told if event["type"] == "trade_executed")
    assert executed["timestamp"] == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert set(executed) == {"type", "data", "timestamp"}
    data = executed["data"]
    assert (data["side"], data["quantity"], data["price"]) == ("buy", "1", "100")
    assert (data["account"], data["instrument"], data["strategy"]) == ("main", "BTC/USDT", "trend")
    assert data["trade_id"] == book.fills()[0].identity
    updated = next(event["data"] for event in told if event["type"] == "position_updated")
    assert (updated["quantity"], updated["average_price"], updated["cause"]) == ("1", "100", "fill")
    price = next(event["data"] for event in told if event["type"] == "price_updated")
    assert price == {"instrument": "BTC/USDT", "old_price": None, "new_price": "101.5", "source": "feed"}


class Side(Enum):
    LONG = "long"


def test_what_is_published_comes_back_as_it_was(bus: EventBus) -> None:
    told: Told = []
    bus.subscribe("regime_changed", told.append)
    bare = datetime(2026, 1, 5, 9)  # noqa: DTZ001  as the older programs wrote
    given = {"at": bare, "level": 1.5, "exact": Decimal("0.1"), "names": {"b", "a"}, "side": Side.LONG, 7: (1, None)}
    bus.publish("regime_changed", given)
    eventually(lambda: told)
    back = bare.replace(tzinfo=UTC)
    expected = {"at": back, "level": 1.5, "exact": Decimal("0.1"), "names": ["a", "b"], "side": "long", "7": [1, None]}
    assert told[0]["data"] == expected
    assert bus.get_event_history("regime_changed")[0]["data"] == expected
    bus.publish("regime_changed")
    eventually(lambda: len(told) == 2)
    assert told[1]["data"] == {}


def test_publishing_one_of_the_books_types_books_nothing(bus: EventBus, book: onebook.Book) -> None:
    told: Told = []
    elsewhere: list[Any] = []
    bus.subscribe("trade_executed", told.append)
    book.listen(elsewhere.append, types="trade_executed")
    bus.publish("trade_executed", {"symbol": "BTC/USDT", "side": "buy", "amount": 1.5})
    bus.publish("price_updated", {"symbol": "BTC/USDT"})
    book.record(fill())
    eventually(lambda: len(told) == 2 and elsewhere)
    assert told[0]["data"] == {"symbol": "BTC/USDT", "side": "buy", "amount": 1.5}
    assert len(elsewhere) == len(book.fills()) == 1
    assert [event.type for event in book.events()][:2] == ["published", "published"]
    assert book.verify().ok


@pytest.mark.parametrize("data", [["a list"], {"x": object()}, {"x": float("nan")}])
def test_what_cannot_be_kept_is_refused(data: Any, bus: EventBus, book: onebook.Book) -> None:
    with pytest.raises(onebook.InputError):
        bus.publish("regime_changed", data)
    with pytest.raises(onebook.InputError):
        bus.publish("", {})
    assert list(book.events()) == []


def test_a_handler_that_raises_stays(bus: EventBus) -> None:
    told: Told = []

    def fails(event: dict[str, Any]) -> None:
        told.append(event)
        raise RuntimeError("planted")

    bus.subscribe("x", fails)
    bus.publish("x", {"n": 1})
    bus.publish("x", {"n": 2})
    eventually(lambda: len(told) == 2)
    assert bus.get_subscriber_count() == 1


def test_handlers_are_counted_and_leave(bus: EventBus) -> None:
    told: Told = []
    for name in ("a", "a", "b", "*"):
        bus.subscribe(name, told.append)
    bus.subscribe("a", print)
    assert (bus.get_subscriber_count(), bus.get_subscriber_count("a"), bus.get_subscriber_count("c")) == (4, 2, 0)
    assert bus.unsubscribe("a", told.append)
    assert not bus.unsubscribe("a", told.append)
    assert bus.unsubscribe("*", told.append)
    bus.publish("a", {})
    bus.publish("b", {})
    eventually(lambda: told)
    bus.close()
    assert kinds(told) == ["b"]
    assert bus.get_subscriber_count() == 0


def test_threads_publish_and_all_are_told_once(bus: EventBus) -> None:
    told: Told = []
    bus.subscribe("tick.*", told.append)

    def publish(number: int) -> None:
        for turn in range(25):
            bus.publish(f"tick.t{number}", {"turn": turn})

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    eventually(lambda: len(told) == 100)
    for number in range(4):
        mine = [event["data"]["turn"] for event in told if event["type"] == f"tick.t{number}"]
        assert mine == list(range(25))
    assert told == bus.get_event_history("tick.*")


# ---- history ----


def test_history_is_the_newest_of_a_type(bus: EventBus, book: onebook.Book) -> None:
    for number in range(5):
        bus.publish("x", {"n": number})
        bus.publish("trade_executed", {"n": number})
    book.record(fill())
    assert [event["data"]["n"] for event in bus.get_event_history("x", 2)] == [3, 4]
    executed = bus.get_event_history("trade_executed")
    assert [event["data"].get("n") for event in executed] == [0, 1, 2, 3, 4, None]
    assert [event["data"].get("n") for event in bus.get_event_history("trade_executed", limit=2)] == [4, None]
    assert len(bus.get_event_history()) == 12
    assert len(bus.get_event_history(limit=3)) == 3
    assert bus.get_event_history(limit=0) == []
    for wrong in (-1, 1.5, True):
        with pytest.raises(onebook.InputError, match="limit"):
            bus.get_event_history(limit=wrong)  # type: ignore[arg-type]


def test_rare_types_are_found_behind_many_others(bus: EventBus) -> None:
    bus.publish("trade_executed", {"n": 1})
    for number in range(20):
        bus.publish("order_updated", {"n": number})
    assert [event["data"]["n"] for event in bus.get_event_history("trade_executed", 1)] == [1]


def test_clearing_moves_a_mark(bus: EventBus, book: onebook.Book) -> None:
    bus.publish("x", {"n": 1})
    bus.clear_history()
    assert bus.get_event_history() == []
    bus.publish("x", {"n": 2})
    assert [event["data"]["n"] for event in bus.get_event_history("x")] == [2]
    assert [event.data["n"] for event in book.events()] == [1, 2]


def test_history_survives_a_restart(place: Path) -> None:
    compat.install()
    get_event_bus().publish("x", {"n": 1})
    compat.uninstall()
    compat.install()
    assert [event["data"] for event in get_event_bus().get_event_history()] == [{"n": 1}]


# ---- the file ----


def test_events_go_to_a_file(bus: EventBus, place: Path) -> None:
    path = place / "logs/events.log"

    def lines() -> list[Any]:
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    bus.publish("x", {"n": 1})
    bus.enable_persistence("logs/events.log")
    bus.enable_persistence(path)
    bus.publish("trade_executed", {"n": 2})
    eventually(lambda: len(lines()) == 2)
    assert [line["type"] for line in lines()] == ["x", "published"]
    bus.disable_persistence()
    bus.publish("x", {"n": 3})
    bus.enable_persistence(path)
    eventually(lambda: len(lines()) == 3)
    assert lines()[2]["data"] == {"n": 3}


# ---- the configuration ----


def test_switched_off_it_takes_and_tells_nothing(place: Path, clock: FakeClock) -> None:
    with onebook.open(place / "off.db", clock=clock, config={"event_bus": {"enabled": False}}) as book:
        compat.install(book)
        bus = get_event_bus()
        told: Told = []
        bus.subscribe("*", told.append)
        bus.publish("x", {"n": 1})
        bus.enable_persistence(place / "events.log")
        book.record(fill())
        assert (bus.get_event_history(), bus.get_subscriber_count()) == ([], 0)
        assert not bus.unsubscribe("*", told.append)
        bus.clear_history()
        assert [event.type for event in book.events()] == ["trade_executed", "position_updated"]
        assert not (place / "events.log").exists()
        compat.uninstall()
        assert told == []


def test_history_is_as_long_as_configured(place: Path, clock: FakeClock) -> None:
    with onebook.open(place / "short.db", clock=clock, config={"event_bus": {"max_history": 3}}) as book:
        bus = EventBus(book)
        for number in range(5):
            bus.publish("x", {"n": number})
        assert [event["data"]["n"] for event in bus.get_event_history()] == [2, 3, 4]
        assert len(bus.get_event_history(limit=100)) == 3


def test_a_file_that_the_configuration_has_written_is_not_written_twice(place: Path, clock: FakeClock) -> None:
    config = {"event_bus": {"persist_events": True, "event_log_file": "logs/events.log"}}
    with onebook.open(place / "book.db", clock=clock, config=config) as book:
        bus = EventBus(book)
        bus.enable_persistence("logs/events.log")
        bus.publish("x", {})
        eventually(lambda: Path("logs/events.log").is_file() and Path("logs/events.log").read_text().count("\n") == 1)
        assert "compat.event_log" not in [item.name for item in book.subscribers()]
