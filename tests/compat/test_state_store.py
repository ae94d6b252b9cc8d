"""The documents' state store and its snapshots: faces over the book's own state."""

import logging
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.compat.waiting import eventually

import onebook
from onebook import compat
from onebook.compat.state_persistence import StatePersistence, get_state_persistence
from onebook.compat.state_store import StateStore, get_state_store
from onebook.testing import FakeClock

Told = list[tuple[str, Any, Any]]


@pytest.fixture
def store(book: onebook.Book) -> StateStore:
    return get_state_store()


def fill(number: int = 1, **given: Any) -> onebook.Fill:
    plain = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "price": "100", "strategy": "trend"}
    return onebook.Fill(**{**plain, "client_fill_id": str(number), **given})


# ---- values ----


def test_values_come_back_from_their_paths(store: StateStore, book: onebook.Book) -> None:
    assert store.get_state("bots.trend") is None
    assert store.get_state("bots.trend", 7) == 7
    assert store.get_state() == {}
    store.update_state("bots.trend", {"level": 1.5, "names": ["a"]})
    store.update_state("bots.trend.level", 2)
    assert store.get_state("bots.trend.level") == book.state.get("bots.trend.level") == 2
    assert store.get_state("bots") == {"trend": {"level": 2, "names": ["a"]}}
    assert store.get_state() == store.get_snapshot() == {"bots": {"trend": {"level": 2, "names": ["a"]}}}
    assert store.delete_state("bots.trend.level")
    assert not store.delete_state("bots.trend.level")
    assert store.get_state("bots") == {"trend": {"names": ["a"]}}
    store.clear_state()
    assert store.get_state() == {}
    assert [event.type for event in book.events()].count("state_changed") >= 4
    assert book.verify().ok


def test_the_books_own_paths_are_shown_and_refused(store: StateStore, book: onebook.Book) -> None:
    receipt = book.record(fill())
    assert store.get_state("positions.main")["BTC/USDT"]["quantity"] == 1
    assert store.get_state(f"trading.positions.{receipt.sequence}")["instrument"] == "BTC/USDT"
    with pytest.raises(onebook.NotAllowed):
        store.update_state(f"trading.positions.{receipt.sequence}", {})
    store.update_state("trading.positions.my-order", {"note": "mine"})
    assert store.get_state("trading.positions.my-order") == {"note": "mine"}
    assert store.get_snapshot() == {"trading": {"positions": {"my-order": {"note": "mine"}}}}


def test_a_value_has_metadata(store: StateStore, book: onebook.Book) -> None:
    assert store.get_metadata("a.b") is None
    store.update_state("a.b", 1, {"source": "dashboard", "reason": "x" * 500})
    found = store.get_metadata("a.b")
    assert found is not None
    assert (found["source"], len(found["reason"]), found["version"]) == ("dashboard", 500, 1)
    assert (found["path"], found["updated_at"]) == ("a.b", datetime(2026, 1, 5, 9, tzinfo=UTC))
    assert (found["updated_by"], found["sequence"]) == (book.actor, 1)
    store.update_state("a.b", 2)
    again = store.get_metadata("a.b")
    assert again is not None
    assert (again["version"], "source" in again) == (2, False)
    store.update_state("a", {"b": 3}, {"why": "above"})
    assert store.get_snapshot() == {"a": {"b": 3}}
    store.update_state("a.c", 1, {"why": "inside"})
    assert store.delete_state("a")
    assert store.get_metadata("a.c") is None
    assert book.state.get("state_store.metadata", {}) == {}


# ---- being told ----


def test_a_path_its_parents_and_everything_are_told(store: StateStore) -> None:
    told: dict[str, Told] = {name: [] for name in ("a.b", "a", "*", "a.b.c", "z")}
    for name, place in told.items():
        store.subscribe(name, lambda *given, place=place: place.append(given))
    store.update_state("a.b", 1, {"source": "x"})
    store.update_state("a.b", 2)
    eventually(lambda: all(len(place) == 2 for name, place in told.items() if name != "z"))
    assert told["a.b"] == told["a"] == told["*"] == told["a.b.c"] == [("a.b", 1, None), ("a.b", 2, 1)]
    assert told["z"] == []


def test_a_callback_that_raises_stays_and_leaves_when_asked(store: StateStore) -> None:
    told: Told = []

    def fails(path: str, new: Any, old: Any) -> None:
        told.append((path, new, old))
        raise RuntimeError("planted")

    store.subscribe("a", fails)
    store.subscribe("a", fails)
    store.update_state("a", 1)
    store.update_state("a", 2)
    eventually(lambda: len(told) == 2)
    assert store.unsubscribe("a", fails)
    assert not store.unsubscribe("a", fails)
    store.update_state("a", 3)
    assert store.get_state("a") == 3
    assert len(told) == 2
    with pytest.raises(onebook.InputError):
        store.subscribe("", fails)


def test_positions_are_told_through_their_paths(store: StateStore, book: onebook.Book) -> None:
    told: Told = []
    store.subscribe("positions.main", lambda *given: told.append(given))
    book.record(fill())
    eventually(lambda: told)
    path, new, old = told[0]
    assert (path, new["quantity"], old) == ("positions.main.BTC/USDT", 1, None)


def test_threads_change_paths_of_their_own(store: StateStore) -> None:
    told: Told = []
    store.subscribe("bots", lambda *given: told.append(given))

    def work(number: int) -> None:
        for turn in range(20):
            store.update_state(f"bots.b{number}.turn", turn)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert store.get_state("bots") == {f"b{number}": {"turn": 19} for number in range(4)}
    eventually(lambda: len(told) == 80)


# ---- everything at once ----


def test_a_snapshot_is_restored(store: StateStore) -> None:
    store.update_state("a.b", 1, {"why": "first"})
    kept = store.get_snapshot()
    store.update_state("a.b", 2)
    store.update_state("c", [1.5])
    store.restore_snapshot(kept)
    assert store.get_snapshot() == kept == {"a": {"b": 1}}
    with pytest.raises(onebook.InputError):
        store.restore_snapshot([1])


def test_the_version_only_grows(store: StateStore, book: onebook.Book) -> None:
    assert store.get_version() == 0
    store.update_state("a", 1)
    store.set_version(3)
    store.set_version(3)
    assert store.get_version() == book.state.schema_version == 3
    assert store.get_state() == {"a": 1}
    with pytest.raises(onebook.SchemaTooNew):
        store.set_version(2)
    with pytest.raises(onebook.InputError):
        store.set_version("4")  # type: ignore[arg-type]


def test_state_survives_a_restart(place: Path) -> None:
    compat.install()
    first = get_state_store()
    first.update_state("bots.trend.level", 3, {"why": "x"})
    compat.uninstall()
    compat.install()
    assert get_state_store() is not first
    assert get_state_store().get_state("bots.trend.level") == 3
    assert (get_state_store().get_metadata("bots.trend.level") or {})["why"] == "x"


def test_switched_off_nothing_is_kept_and_that_is_said_once(
    place: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with onebook.open(place / "off.db", clock=clock, config={"state_store": {"enabled": False}}) as book:
        store, persistence = StateStore(book), StatePersistence(place / "snapshots", book=book)
        told: Told = []
        with caplog.at_level(logging.WARNING, "onebook.compat"):
            store.subscribe("*", lambda *given: told.append(given))
            store.update_state("a", 1)
            store.set_version(2)
            store.restore_snapshot({"a": 1})
            store.clear_state()
        assert [store.get_state("a", 7), store.get_state(), store.get_snapshot()] == [7, {}, {}]
        assert (store.get_metadata("a"), store.get_version(), store.delete_state("a")) == (None, 0, False)
        assert len([record for record in caplog.records if "state_store.enabled" in record.message]) == 1
        book.record(fill())
        assert book.position("BTC/USDT").quantity == 1  # type: ignore[union-attr]
        assert (persistence.save_snapshot(), persistence.load_latest_snapshot()) == (None, None)
        assert (persistence.restore_from_snapshot(), persistence.replay_events()) == (False, [])
        assert persistence.restore_with_replay()["restored"] is False
        assert told == []


# ---- snapshots ----


@pytest.fixture
def persistence(book: onebook.Book) -> StatePersistence:
    return get_state_persistence()


def test_a_snapshot_is_saved_and_found(
    persistence: StatePersistence, store: StateStore, book: onebook.Book, clock: FakeClock
) -> None:
    assert get_state_persistence() is persistence
    assert persistence.save_snapshot() is None
    assert persistence.load_latest_snapshot() is None
    assert not persistence.restore_from_snapshot()
    store.update_state("a", 1, {"why": "x"})
    path = persistence.save_snapshot()
    assert path is not None
    store.update_state("a", 2)
    book.record(fill())
    found = persistence.load_latest_snapshot()
    assert found is not None
    assert (found["path"], found["state"]) == (path, {"a": 1})
    assert found["timestamp"] == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert persistence.restore_from_snapshot()
    assert persistence.restore_from_snapshot(found)
    assert not persistence.restore_from_snapshot({**found, "state": {"a": 9}})
    assert not persistence.restore_from_snapshot({**found, "head_hash": "00"})
    with pytest.raises(onebook.InputError):
        persistence.restore_from_snapshot({"state": {}})


def test_restoring_and_replaying_tells_nobody_and_writes_nothing(
    persistence: StatePersistence, store: StateStore, book: onebook.Book
) -> None:
    store.update_state("a", 1)
    persistence.save_snapshot()
    store.update_state("a", 2)
    book.record(fill())
    told: list[Any] = []
    store.subscribe("*", lambda *given: told.append(given))
    bus = compat.event_bus.EventBus(book)
    bus.subscribe("*", told.append)
    before = book.status().head_hash
    replayed = persistence.replay_events()
    assert [event["type"] for event in replayed] == ["state_changed", "trade_executed", "position_updated"]
    whole = persistence.restore_with_replay()
    assert whole["restored"]
    assert (whole["events_replayed"], whole["state"]) == (3, {"a": 2})
    assert persistence.restore_from_snapshot()
    assert store.get_state("a") == 2
    assert book.status().head_hash == before
    store.update_state("end", 1)
    eventually(lambda: len(told) == 2)
    bus.close()


def test_events_are_replayed_from_a_place_or_moment(
    persistence: StatePersistence, store: StateStore, clock: FakeClock
) -> None:
    for number in range(3):
        store.update_state("a", number)
        clock.advance(60)
    values = [event["data"]["value"] for event in persistence.replay_events(1)]
    assert values == [1, 2]
    since = datetime(2026, 1, 5, 9, 1, tzinfo=UTC)
    assert [event["data"]["value"] for event in persistence.replay_events(since)] == [2]
    assert len(persistence.replay_events(0, limit=2)) == 2


def test_a_damaged_snapshot_is_passed_over(persistence: StatePersistence, store: StateStore) -> None:
    store.update_state("a", 1)
    first = persistence.save_snapshot()
    store.update_state("a", 2)
    second = persistence.save_snapshot()
    assert first is not None
    assert second is not None
    Path(second).write_bytes(Path(second).read_bytes()[:-20])
    found = persistence.load_latest_snapshot()
    assert found is not None
    assert (found["path"], found["state"]) == (first, {"a": 1})


def test_another_books_snapshot_is_not_taken(
    persistence: StatePersistence, store: StateStore, place: Path, clock: FakeClock
) -> None:
    store.update_state("a", 1)
    with onebook.open(place / "other.db", clock=clock) as other:
        other.state.set("a", 5)
        StatePersistence(place / "trading.db.snapshots", book=other).save_snapshot()
    assert persistence.load_latest_snapshot() is None


def test_only_so_many_are_kept(book: onebook.Book, store: StateStore, place: Path) -> None:
    persistence = StatePersistence(place / "kept", 2, book=book)
    for number in range(4):
        store.update_state("a", number)
        persistence.save_snapshot()
    names = [path.name for path in (place / "kept").iterdir()]
    assert len(names) <= 3
    found = persistence.load_latest_snapshot()
    assert found is not None
    assert found["state"] == {"a": 3}


def test_a_book_in_memory_needs_a_folder(place: Path, clock: FakeClock) -> None:
    with onebook.open(":memory:", clock=clock) as book:
        book.state.set("a", 1)
        with pytest.raises(onebook.StoreError, match="snapshot_dir"):
            StatePersistence(book=book).save_snapshot()
        assert StatePersistence(place / "there", book=book).save_snapshot() is not None
