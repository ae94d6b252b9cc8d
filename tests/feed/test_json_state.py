"""The JSON state: whole or as it was, at most once in so many seconds, and nobody else's file."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.feed.deliveries import BOOK, DAYS, around, fill, recorded, taken

import onebook
from onebook import Event
from onebook.errors import BadConfig, BadPayload, SourceError, StoreFull
from onebook.feed.sink import Later, Sink
from onebook.feed.sinks import json_state, make_sink, options_of
from onebook.feed.sinks.json_state import OPTIONS
from onebook.testing.clock import FakeClock


@pytest.fixture
def events(book: onebook.Book, clock: FakeClock) -> list[Event]:
    return recorded(book, clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "book.json"


def make(book: onebook.Book, clock: FakeClock, path: Path, book_id: str = BOOK, **given: Any) -> Sink:
    return make_sink("json_state", around(book, clock, book_id), taken(OPTIONS, path=str(path), **given))


def read(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_shape(book: onebook.Book, clock: FakeClock, events: list[Event], path: Path) -> None:
    book.mark("BTC/USDT", "61000.5", source="feed")
    assert make(book, clock, path).deliver(events, more=False)
    found = read(path)
    assert list(found) == [
        "book", "sequence", "consistent", "written_at", "positions", "balances", "daily_pnl", "status", "marks",
    ]  # fmt: skip
    assert all(f'"{name}"' in str(json_state.__doc__) for name in found)
    assert (found["book"], found["sequence"], found["consistent"]) == (BOOK, 15, True)
    assert found["written_at"] == DAYS[-1]
    (position,) = found["positions"]
    assert (position["quantity"], position["mark"], position["fees"]) == ("1.5", "61000.5", "-1.5")
    assert {row["asset"]: row["amount"] for row in found["balances"]}["BTC"] == "1.5"
    assert [(row["day"], row["fees"]) for row in found["daily_pnl"]] == [("2024-06-05", "-0.5")]
    assert found["status"]["entries"] == 15
    assert found["marks"][0]["price"] == "61000.5"
    assert options_of("json_state") is OPTIONS


def test_today_is_the_books(book: onebook.Book, clock: FakeClock, events: list[Event], path: Path) -> None:
    book.record(onebook.BookSettings(zone="America/New_York", rolls_at="17:00"))
    book.record(fill(99, occurred_at="2024-06-20T12:00:00Z"))
    make(book, clock, path).deliver(events, more=False)
    assert [row["day"] for row in read(path)["daily_pnl"]] == ["2024-06-06"]
    clock.advance(86_400)
    make(book, clock, path).deliver(events, more=False)
    assert read(path)["daily_pnl"] == []


def test_at_most_once_in_so_many_seconds(book: onebook.Book, clock: FakeClock, events: list[Event], path: Path) -> None:
    sink = make(book, clock, path, every_seconds="2.5")
    assert sink.deliver(events[:1], more=True)
    first = path.read_bytes()
    clock.advance(1)
    assert not sink.deliver(events[1:2], more=True)
    with pytest.raises(Later) as later:
        sink.deliver(events[2:3], more=False)
    assert later.value.seconds == 1.5
    assert path.read_bytes() == first
    clock.advance(later.value.seconds)
    assert sink.deliver(events[2:3], more=False)
    assert path.read_bytes() != first
    clock.advance(-100)
    assert sink.deliver(events[3:], more=False)
    assert make(book, clock, path, every_seconds=0).deliver(events, more=False)
    sink.close()


def test_a_reader_sees_the_old_or_the_new_file(
    book: onebook.Book, clock: FakeClock, events: list[Event], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = make(book, clock, path)
    sink.deliver(events, more=False)
    before = path.read_bytes()
    clock.advance(1)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreFull) as caught:
            sink.deliver(events, more=False)
    assert caught.value.retryable
    assert path.read_bytes() == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    assert sink.deliver(events, more=False)
    assert path.read_bytes() != before


def test_it_is_on_the_disk(
    book: onebook.Book, clock: FakeClock, events: list[Event], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    make(book, clock, path).deliver(events, more=False)
    assert synced[-2:] == [path.stat().st_ino, path.parent.stat().st_ino]


@pytest.mark.parametrize("body", ["{}", "[]", "nonsense", '{"book": 5}', '{"settings": 1}'])
def test_what_is_no_state_is_left_alone(book: onebook.Book, clock: FakeClock, path: Path, body: str) -> None:
    path.parent.mkdir()
    path.write_text(body)
    with pytest.raises(BadPayload, match="no state of a book"):
        make(book, clock, path)
    assert path.read_text() == body


def test_a_file_that_came_later_is_left_alone(
    book: onebook.Book, clock: FakeClock, events: list[Event], path: Path
) -> None:
    sink = make(book, clock, path)
    path.parent.mkdir()
    path.write_text("{}")
    with pytest.raises(BadPayload, match="no state of a book"):
        sink.deliver(events, more=False)
    path.write_text("")
    assert sink.deliver(events, more=False)


def test_another_book_is_refused_a_restored_one_is_not(
    book: onebook.Book, clock: FakeClock, events: list[Event], path: Path
) -> None:
    make(book, clock, path).deliver(events, more=False)
    with pytest.raises(BadPayload, match=r"state of another book .desk:0."):
        make(book, clock, path, "other:0")
    assert make(book, clock, path, "desk:1").deliver(events, more=False)
    assert read(path)["book"] == "desk:1"


def test_written_to_while_it_is_read(
    book: onebook.Book, clock: FakeClock, events: list[Event], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    balances = onebook.Book.balances
    left = [2]

    def busy(self: onebook.Book, **filters: Any) -> Any:
        found = balances(self, **filters)
        if left[0]:
            left[0] -= 1
            book.record(onebook.Rate(base="EUR", quote="USD", price="1.1", source=str(left[0]), occurred_at=DAYS[0]))
        return found

    monkeypatch.setattr(onebook.Book, "balances", busy)
    make(book, clock, path).deliver(events, more=False)
    assert (read(path)["consistent"], read(path)["sequence"]) == (True, 17)
    left[0] = 5
    make(book, clock, path).deliver(events, more=False)
    assert (read(path)["consistent"], read(path)["sequence"]) == (False, 19)


def test_wrong_options(book: onebook.Book, clock: FakeClock, tmp_path: Path, events: list[Event]) -> None:
    with pytest.raises(BadConfig, match="route audit: path is missing"):
        make_sink("json_state", around(book, clock), taken(OPTIONS))
    for value in ("soon", -1, True, None, float("nan")):
        with pytest.raises(BadConfig, match=r"every_seconds: .*is not a number of seconds between 0 and 3600"):
            OPTIONS["every_seconds"].take("every_seconds", value)
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="cannot be written"):
        make(book, clock, tmp_path / "file" / "state.json").deliver(events, more=False)
