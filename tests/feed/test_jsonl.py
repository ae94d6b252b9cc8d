"""The event log as JSON lines: what the command line prints, each event once, packed when it is full."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.feed.deliveries import BOOK, around, changed, files, hand_over, recorded, taken

import onebook
from onebook import Event
from onebook.cli.tail import _json_line
from onebook.errors import BadConfig, BadPayload
from onebook.feed.sink import Sink
from onebook.feed.sinks import jsonl, make_sink, options_of
from onebook.feed.sinks.jsonl import OPTIONS
from onebook.testing.clock import FakeClock

Make = Callable[..., Sink]


@pytest.fixture
def make(book: onebook.Book, clock: FakeClock, tmp_path: Path) -> Make:
    def made(book_id: str = BOOK, **given: Any) -> Sink:
        options = taken(OPTIONS, **({"path": str(tmp_path / "log" / "events.jsonl")} | given))
        return make_sink("jsonl", around(book, clock, book_id), options)

    return made


@pytest.fixture
def events(book: onebook.Book, clock: FakeClock) -> list[Event]:
    return recorded(book, clock)


def delivered(make: Make, events: list[Event], **options: Any) -> None:
    sink = make(**options)
    hand_over(sink, events)
    sink.close()


def lines(path: Path) -> list[dict[str, Any]]:
    body = path.read_bytes()
    text = gzip.decompress(body) if path.suffix == ".gz" else body
    return [json.loads(line) for line in text.decode().split("\n")[:-1]]


def test_each_event_as_the_command_line_prints_it(make: Make, events: list[Event], tmp_path: Path) -> None:
    delivered(make, events)
    found = lines(tmp_path / "log" / "events.jsonl")
    assert found == [{"book": BOOK} | json.loads(_json_line(event)) for event in events]
    assert list(found[0])[:3] == ["book", "id", "sequence"]
    assert options_of("jsonl") is OPTIONS


@pytest.mark.parametrize("options", [{}, {"rotate_bytes": "4kB"}, {"rotate_daily": True, "compress": True}])
def test_torn_anywhere_in_the_last_rows_it_goes_on_to_the_same_file(
    make: Make, events: list[Event], tmp_path: Path, options: dict[str, Any]
) -> None:
    delivered(make, events, **options)
    path = tmp_path / "log" / "events.jsonl"
    whole = files(path.parent)
    body = whole[path.name]
    last_two = len(b"".join(body.splitlines(keepends=True)[-2:]))
    for size in range(len(body) - last_two, len(body) + 1):
        path.write_bytes(body[:size])
        delivered(make, events, **options)
        assert files(path.parent) == whole, size


def test_full_files_are_packed_and_read_back(make: Make, events: list[Event], tmp_path: Path) -> None:
    options = {"rotate_bytes": "5kB", "compress": True}
    delivered(make, events, **options)
    whole = files(tmp_path / "log")
    assert [name.endswith(".gz") for name in whole] == [True] * (len(whole) - 1) + [False]
    assert [row["id"] for name in whole for row in lines(tmp_path / "log" / name)] == [event.id for event in events]
    (tmp_path / "log" / "events.jsonl").unlink()
    delivered(make, events, **options)
    assert files(tmp_path / "log") == whole


def test_a_crash_while_packing_is_made_good(make: Make, events: list[Event], tmp_path: Path) -> None:
    options = {"rotate_bytes": "5kB", "compress": True}
    delivered(make, events, **options)
    folder = tmp_path / "log"
    whole = files(folder)
    first, second = list(whole)[:2]
    (folder / second.removesuffix(".gz")).write_bytes(gzip.decompress(whole[second]))
    (folder / first.removesuffix(".gz")).write_bytes(gzip.decompress(whole[first]))
    (folder / first).unlink()
    (folder / f".{first}.partial").write_bytes(whole[first][:20])
    delivered(make, events, **options)
    assert list(files(folder)) == list(whole)
    assert [row["id"] for name in whole for row in lines(folder / name)] == [event.id for event in events]


def test_a_packed_file_that_is_damaged_is_named(make: Make, events: list[Event], tmp_path: Path) -> None:
    delivered(make, events, rotate_bytes="5kB", compress=True)
    newest = max((tmp_path / "log").glob("*.gz"))
    newest.write_bytes(newest.read_bytes()[:-200])
    with pytest.raises(BadPayload, match="compressed file beside it is damaged"):
        delivered(make, events, rotate_bytes="5kB", compress=True)


def test_a_line_longer_than_a_block_is_found_again(make: Make, events: list[Event], tmp_path: Path) -> None:
    long = [changed(event, data=event.data | {"raw": {"text": "é" * 150_000}}) for event in events[:3]]
    delivered(make, long)
    whole = files(tmp_path / "log")
    delivered(make, long)
    assert files(tmp_path / "log") == whole
    (tmp_path / "log" / "events.jsonl").write_bytes(whole["events.jsonl"][:-100_000])
    delivered(make, long)
    assert files(tmp_path / "log") == whole


def test_line_ends_of_other_alphabets_are_no_line_ends(make: Make, events: list[Event], tmp_path: Path) -> None:
    odd = [changed(events[0], data={"text": "a\u2028b\x85c\nd\re\ud800"}), events[1]]
    delivered(make, odd)
    delivered(make, odd)
    found = lines(tmp_path / "log" / "events.jsonl")
    assert [row["id"] for row in found] == ["1.1", "1.2"]
    assert found[0]["data"]["text"] == "a\u2028b\x85c\nd\re\ud800"


@pytest.mark.parametrize(
    "tail", ["{}\n", "[1]\n", "null\n", "not json\n", '{"book": "other:0", "id"', '{"book": 1, "id": "1.1"}\n', "\n"]
)
def test_what_is_not_ours_is_left_alone(make: Make, events: list[Event], tmp_path: Path, tail: str) -> None:
    delivered(make, events[:3])
    path = tmp_path / "log" / "events.jsonl"
    with path.open("a") as file:
        file.write(tail)
    before = path.read_bytes()
    with pytest.raises(BadPayload, match="move it away, or name another file"):
        make().deliver(events, more=False)
    assert path.read_bytes() == before


def test_another_book_is_refused(make: Make, events: list[Event]) -> None:
    delivered(make, events)
    with pytest.raises(BadPayload, match=r"another book .desk; this one is other"):
        make(book_id="other:0")


def test_a_late_event_is_found_in_packed_files(make: Make, events: list[Event], tmp_path: Path) -> None:
    options = {"rotate_bytes": "5kB", "compress": True}
    delivered(make, [event for event in events if event.id != "2.1"], **options)
    for _ in range(2):
        delivered(make, [event for event in events if event.sequence < 4], **options)
    found = [row["id"] for path in (tmp_path / "log").iterdir() for row in lines(path)]
    assert sorted(found) == sorted(event.id for event in events)
    shutil.rmtree(tmp_path / "log")


def test_compress_is_a_switch() -> None:
    assert OPTIONS["compress"].take("compress", "yes") is True
    with pytest.raises(BadConfig, match="compress: 'gzip' is neither true nor false"):
        OPTIONS["compress"].take("compress", "gzip")
    assert jsonl.JsonLines.header == b""
