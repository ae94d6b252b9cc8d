"""The CSV audit: a row per fill, exactly once whatever crashes, and nothing of anybody else's is touched."""

import csv
import io
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feed.deliveries import BOOK, around, files, fill, hand_over, recorded, taken

import onebook
from onebook import Event
from onebook.domain.cells import on_one_line, with_its_lines
from onebook.errors import BadConfig, BadPayload, SourceError, StoreFull
from onebook.feed.sink import Sink
from onebook.feed.sinks import csv_audit, make_sink, options_of
from onebook.feed.sinks.csv_audit import COLUMNS, OPTIONS, TYPES, cell, text_of
from onebook.feed.sinks.file_end import Places, book_and_epoch
from onebook.testing.clock import FakeClock

Make = Callable[..., Sink]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def make(book: onebook.Book, clock: FakeClock, folder: Path) -> Make:
    def made(book_id: str = BOOK, **given: Any) -> Sink:
        options = taken(OPTIONS, **({"path": str(folder / "audit.csv")} | given))
        return csv_audit.make(around(book, clock, book_id), options)

    return made


@pytest.fixture
def events(book: onebook.Book, clock: FakeClock) -> list[Event]:
    return recorded(book, clock)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def delivered(make: Make, events: Sequence[Event], **options: Any) -> None:
    sink = make(**options)
    hand_over(sink, events)
    sink.close()


# ---- what a row says ----


def test_a_row_for_each_fill_and_what_became_of_it(make: Make, events: list[Event], folder: Path) -> None:
    delivered(make, events)
    found = rows(folder / "audit.csv")
    wanted = [event for event in events if event.type in TYPES]
    assert [row["event_id"] for row in found] == [event.id for event in wanted]
    assert [row["event"] for row in found][:5] == [
        "trade_executed", "trade_executed", "trade_conflicted", "trade_corrected", "trade_busted",
    ]  # fmt: skip
    first, second, conflict, correction, bust = found[:5]
    assert first["amount"] == "30000.05"
    assert (first["fee"], first["fee_currency"], first["side"], first["quantity"]) == ("-0.5", "USDT", "buy", "0.5")
    assert (first["recorded_at"], first["book"], first["trade_id"]) == (
        "2024-06-03T12:00:00Z", BOOK, wanted[0].data["trade_id"],
    )  # fmt: skip
    assert (second["strategy"], text_of(second["note"])) == ("'+plus", '=cmd|"x", é\n-second\\line')
    assert second["tags"] == "a,@b"
    assert (conflict["price"], conflict["amount"], conflict["first_sequence"]) == ("1", "0.5", "1")
    assert (correction["price"], correction["changed"], correction["reason"]) == ("59000", "price", "typo")
    assert (bust["reason"], bust["venue_fill_id"]) == ("'-venue said so", "2")
    assert (folder / "audit.csv").read_bytes().count(b"\n") == len(found) + 1


def test_the_columns_stay(make: Make) -> None:
    assert " ".join(COLUMNS) == (
        "book event_id event recorded_at occurred_at account strategy instrument leg side quantity price amount fee"
        " fee_currency liquidity venue venue_order_id venue_fill_id client_fill_id client_order_id signal_id"
        " close_reason trade_id reason changed from_account from_instrument first_sequence tags note actor"
        " correlation_id"
    )
    for name in COLUMNS:
        assert name in str(csv_audit.__doc__)
    assert options_of("csv") is OPTIONS


@given(st.text(), st.booleans())
def test_a_cell_reads_back_and_runs_nowhere(text: str, numeric: bool) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([cell(text, numeric=numeric), "end"])
    line = out.getvalue()
    assert line.splitlines() == [line[:-1]]
    (found,) = csv.reader(io.StringIO(line, newline=""))
    assert text_of(found[0]) == text
    assert with_its_lines(on_one_line(text)) == text
    if not numeric:
        assert found[0][:1] not in {"=", "+", "-", "@", "\t", "\r"}


@pytest.mark.parametrize("value", ["-0.5", "0", "12.25"])
def test_a_number_stays_a_number_only_in_its_columns(value: str) -> None:
    assert cell(value, numeric=True) == value
    assert cell(value) == ("'-0.5" if value[0] == "-" else value)
    assert cell("-1+2", numeric=True) == "'-1+2"


# ---- crashes ----


@pytest.mark.parametrize("options", [{}, {"rotate_bytes": "900"}, {"rotate_daily": True}])
def test_torn_anywhere_in_the_last_rows_it_goes_on_to_the_same_file(
    make: Make, events: list[Event], folder: Path, options: dict[str, Any]
) -> None:
    delivered(make, events, **options)
    whole = files(folder)
    body = whole["audit.csv"]
    last_two = len(b"".join(body.splitlines(keepends=True)[-2:]))
    for size in range(len(body) - last_two, len(body) + 1):
        (folder / "audit.csv").write_bytes(body[:size])
        delivered(make, events, **options)
        assert files(folder) == whole, size


def test_torn_in_the_header_or_behind_a_rotation_it_goes_on(make: Make, events: list[Event], folder: Path) -> None:
    delivered(make, events, rotate_bytes="900")
    whole = files(folder)
    for size in range(len(whole["audit.csv"].split(b"\n")[0]) + 1):
        (folder / "audit.csv").write_bytes(whole["audit.csv"][:size])
        delivered(make, events, rotate_bytes="900")
        assert files(folder) == whole, size
    (folder / "audit.csv").unlink()
    delivered(make, events, rotate_bytes="900")
    assert files(folder) == whole


def test_zeros_that_a_power_cut_left_are_cut(make: Make, events: list[Event], folder: Path) -> None:
    delivered(make, events)
    whole = (folder / "audit.csv").read_bytes()
    row = whole.rindex(b"\n", 0, -1) + 1
    for damaged in (whole[:row] + bytes(len(whole) - row), whole[: row + 9] + bytes(4096), whole + bytes(200_000)):
        (folder / "audit.csv").write_bytes(damaged)
        delivered(make, events)
        assert (folder / "audit.csv").read_bytes() == whole


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_stopped_after_any_batch_and_handed_all_again(
    make: Make, events: list[Event], folder: Path, tmp_path: Path, step: int
) -> None:
    delivered(make, events, rotate_bytes="1500")
    whole = files(folder)
    shutil.rmtree(folder)
    for stop in range(0, len(events) + step, step):
        delivered(make, events[:stop], rotate_bytes="1500")
        delivered(make, events[max(stop - 7, 0) : stop], rotate_bytes="1500")
    assert files(folder) == whole


def test_a_full_disk_in_the_middle_of_a_row(
    make: Make, events: list[Event], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(make, events)
    whole = files(folder)
    shutil.rmtree(folder)
    sink = make()
    sink.deliver(events[:3], more=True)
    write = os.write

    def full(target: int, body: Any) -> int:
        if len(body) <= 50:
            raise OSError(28, "No space left on device")
        return write(target, bytes(body)[: len(body) - 50])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(StoreFull, match="goes on by itself") as caught:
            sink.deliver(events[3:9], more=True)
    assert caught.value.retryable
    sink.deliver(events[3:9], more=True)
    sink.deliver(events[9:], more=False)
    sink.close()
    assert files(folder) == whole


def test_what_is_delivered_is_synced(
    make: Make, events: list[Event], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    sink = make()
    sink.deliver(events[:1], more=False)
    live, parent = (folder / "audit.csv").stat().st_ino, folder.stat().st_ino
    assert synced[-1] == live
    assert parent in synced
    synced.clear()
    sink.deliver(events[1:5], more=False)
    assert synced == [live]
    sink.close()


def test_a_dead_letter_that_comes_late_is_written_once(make: Make, events: list[Event], folder: Path) -> None:
    fills = [event for event in events if event.type in TYPES]
    left_out = fills.pop(3)
    delivered(make, fills, rotate_bytes="1500")
    for _ in range(2):
        delivered(make, [left_out], rotate_bytes="1500")
        delivered(make, events, rotate_bytes="1500")
    found = [row["event_id"] for path in folder.iterdir() for row in rows(path)]
    assert sorted(found) == sorted(event.id for event in events if event.type in TYPES)
    assert rows(folder / "audit.csv")[-1]["event_id"] == left_out.id


# ---- rotation ----


def test_a_day_each(make: Make, events: list[Event], folder: Path) -> None:
    delivered(make, events, rotate_daily=True)
    assert list(files(folder)) == ["audit-20240603-1.csv", "audit-20240604-1.csv", "audit.csv"]
    for name, day in zip(files(folder), ("2024-06-03", "2024-06-04", "2024-06-05"), strict=True):
        assert {row["recorded_at"][:10] for row in rows(folder / name)} == {day}


def test_full_files_are_numbered_and_the_oldest_go(make: Make, events: list[Event], folder: Path) -> None:
    delivered(make, events, rotate_bytes="1KiB")
    names = list(files(folder))
    assert names[1:3] == ["audit-20240604-1.csv", "audit-20240604-2.csv"]
    assert all(len(body) <= 1024 for body in files(folder).values())
    found = [row for name in names for row in rows(folder / name)]
    assert [row["event_id"] for row in found] == [event.id for event in events if event.type in TYPES]
    shutil.rmtree(folder)
    delivered(make, events, rotate_bytes="1KiB", keep=2)
    assert list(files(folder)) == [*names[-3:]]


def test_ten_full_files_of_a_day_keep_their_order(make: Make, events: list[Event], folder: Path) -> None:
    fills = [event for event in events if event.type in TYPES]
    delivered(make, fills, rotate_bytes="1")
    whole = files(folder)
    assert len(whole) == len(fills)
    for name in list(whole)[:-1]:
        numbered = "-".join([*name.split("-")[:2], str(9 + int(name.split("-")[2][:-4]))])
        (folder / name).rename(folder / f"{numbered}.csv")
    before = files(folder)
    delivered(make, fills, rotate_bytes="1")
    assert files(folder) == before


# ---- other people's files ----


def refused(make: Make, events: Sequence[Event], path: Path, message: str, **options: Any) -> None:
    before = path.read_bytes()
    with pytest.raises(BadPayload, match=message) as caught:
        make(**options).deliver(events, more=False)
    assert not caught.value.retryable
    assert path.read_bytes() == before


@pytest.mark.parametrize("tail", ["a,foreign,row\n", "torn by nobody", "\n", '"unclosed\n', f"{BOOK},1.1,other,\n"])
def test_rows_that_somebody_appended_are_left_alone(make: Make, events: list[Event], folder: Path, tail: str) -> None:
    delivered(make, events[:5])
    path = folder / "audit.csv"
    with path.open("a") as file:
        file.write(tail)
    refused(make, events, path, "move it away, or name another file")


@pytest.mark.parametrize("body", ["id,price\n1,2\n", "book\n", "x", "\xef\xbb\xbfbook,event_id\n"])
def test_a_foreign_file_is_left_alone(make: Make, events: list[Event], folder: Path, body: str) -> None:
    folder.mkdir()
    path = folder / "audit.csv"
    path.write_text(body)
    refused(make, events, path, "first line is another")


def test_another_book_is_refused(make: Make, events: list[Event], folder: Path) -> None:
    delivered(make, events)
    refused(make, events, folder / "audit.csv", "another book .desk; this one is other.", book_id="other:0")
    (folder / "audit.csv").rename(folder / "audit-20240605-1.csv")
    sink = make(book_id="other:0")
    with pytest.raises(BadPayload, match="another book"):
        sink.deliver(events, more=False)


def test_changed_while_it_is_open(make: Make, events: list[Event], folder: Path) -> None:
    sink = make()
    sink.deliver(events[:5], more=True)
    with (folder / "audit.csv").open("a") as file:
        file.write("=cmd\n")
    with pytest.raises(BadPayload, match="has the line '=cmd'"):
        sink.deliver(events[5:], more=False)
    sink.close()


def test_two_processes_take_turns(make: Make, events: list[Event], folder: Path) -> None:
    delivered(make, events, rotate_bytes="1500")
    whole = files(folder)
    shutil.rmtree(folder)
    one, two = make(rotate_bytes="1500"), make(rotate_bytes="1500")
    for start in range(0, len(events), 4):
        one.deliver(events[start : start + 3], more=True)
        two.deliver(events[start : start + 4], more=True)
    one.close()
    two.close()
    assert files(folder) == whole


def test_a_file_that_is_being_written_is_busy(make: Make, events: list[Event], folder: Path) -> None:
    import fcntl

    sink = make()
    sink.deliver(events[:1], more=True)
    with (folder / "audit.csv").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SourceError, match="another process") as caught:
            sink.deliver(events[1:], more=False)
    assert caught.value.retryable
    sink.deliver(events[1:], more=False)
    sink.close()


# ---- a restored book ----


def test_after_a_restore_what_it_undid_is_told_anew(tmp_path: Path, clock: FakeClock) -> None:
    def go(book: onebook.Book, book_id: str) -> None:
        sink = csv_audit.make(around(book, clock, book_id), taken(OPTIONS, path=str(tmp_path / "audit.csv")))
        hand_over(sink, list(book.events()))
        sink.close()

    with onebook.open(tmp_path / "book.db", clock=clock) as book:
        book.record(fill(1))
        book.record(fill(2))
        book.backup(tmp_path / "copy.db")
        book.record(fill(3))
        book.record(fill(4))
        go(book, "desk:0")
    onebook.restore(str(tmp_path / "copy.db"), str(tmp_path / "again.db"))
    with onebook.open(tmp_path / "again.db", clock=clock) as book:
        book.record(fill(5))
        (restored,) = book.events(types="book_restored")
        epoch = f"desk:{restored.data['epoch']}"
        go(book, epoch)
        go(book, epoch)
    found = [(row["book"], row["event_id"], row["venue_fill_id"]) for row in rows(tmp_path / "audit.csv")]
    assert found == [
        ("desk:0", "1.1", "1"), ("desk:0", "2.1", "2"), ("desk:0", "3.1", "3"), ("desk:0", "4.1", "4"),
        (epoch, "4.1", "5"),
    ]  # fmt: skip
    with onebook.open(tmp_path / "book.db", clock=clock) as old, pytest.raises(BadPayload, match="after a restore"):
        go(old, "desk:0")


# ---- options ----


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("path", "", "is not text"),
        ("path", 5, "is not text"),
        ("path", ".", "is a folder"),
        ("rotate_bytes", "many", "is not a size"),
        ("rotate_bytes", -1, "is not a size"),
        ("rotate_bytes", True, "is not a size"),
        ("rotate_bytes", "10iB", "is not a size"),
        ("rotate_daily", "perhaps", "neither true nor false"),
        ("keep", "1.5", "is not a whole number"),
        ("keep", True, "is not a whole number"),
        ("keep", -1, "is not a whole number"),
    ],
)
def test_a_wrong_option_is_named(name: str, value: Any, message: str) -> None:
    with pytest.raises(BadConfig, match=f"^{name}: .*{message}"):
        OPTIONS[name].take(name, value)


@pytest.mark.parametrize(
    ("value", "size"),
    [("10MB", 10_000_000), ("10 MiB", 10_485_760), ("512k", 512_000), (7, 7), ("1.5KiB", 1536), ("0", 0), ("3b", 3)],
)
def test_sizes(value: Any, size: int) -> None:
    assert OPTIONS["rotate_bytes"].take("rotate_bytes", value) == size


def test_a_path_is_needed(book: onebook.Book, clock: FakeClock) -> None:
    with pytest.raises(BadConfig, match="route audit: path is missing"):
        make_sink("csv", around(book, clock), taken(OPTIONS))


def test_a_folder_that_cannot_be_made(
    book: onebook.Book, clock: FakeClock, tmp_path: Path, events: list[Event]
) -> None:
    (tmp_path / "file").write_text("")
    sink = csv_audit.make(around(book, clock), taken(OPTIONS, path=str(tmp_path / "file" / "audit.csv")))
    with pytest.raises(SourceError, match="cannot be written") as caught:
        sink.deliver(events, more=False)
    assert caught.value.retryable


# ---- parts ----


@given(st.lists(st.integers(0, 50)), st.integers(0, 50))
def test_places_are_a_set(places: list[int], asked: int) -> None:
    assert (asked in Places(places)) == (asked in set(places))


@pytest.mark.parametrize(
    ("given_id", "parts"),
    [("desk:3", ("desk", 3)), ("a:b:12", ("a:b", 12)), ("desk", ("desk", 0)), ("a:b", ("a:b", 0)), (":1", (":1", 0))],
)
def test_a_book_id_has_a_name_and_an_epoch(given_id: str, parts: tuple[str, int]) -> None:
    assert book_and_epoch(given_id) == parts
