"""Where facts wait: each finds its own account and strategy again, and nothing else is touched or held up."""

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import ccxt  # type: ignore[import-untyped]
import pytest
from tests.adapters.venue_ccxt import Venue

import onebook
import onebook.alpaca
import onebook.ccxt
from onebook.errors import BadConfig, InputError, StoreError, StoreFull
from onebook.intake.adapters.recorder import OrderSeen, Recorder
from onebook.intake.adapters.recorder_place import spool_name
from onebook.intake.adapters.recorder_seen import as_row
from onebook.intake.adapters.spool import MARK, Spool


def a_fill(name: str, **more: Any) -> onebook.Fill:
    return onebook.Fill(
        **{
            "instrument": "BTC/USDT",
            "side": "buy",
            "quantity": "1",
            "price": "100",
            "venue": "okx",
            "venue_order_id": "7",
            "venue_fill_id": name,
        }
        | more
    )


def a_line(body: bytes) -> bytes:
    return b"%08x %b\n" % (zlib.crc32(body), body)


def test_two_bots_on_one_spool_book_into_their_own_accounts(bot_book: onebook.Book, tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    terms: dict[str, Any] = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "filled": "1", "average": "9"}
    for account, strategy in (("one", "s1"), ("two", "s2")):
        seen = OrderSeen(**terms, status="filled", venue_order_id=f"{account}-7")
        Spool(path).append([as_row(seen, account, "okx", strategy)])
    recorder = Recorder(bot_book, strategy="other", account="third", venue="kraken", spool=path)
    assert recorder.wait(30)
    recorder.close()
    assert sorted((fill.account, fill.strategy, fill.venue) for fill in bot_book.fills()) == [
        ("one", "s1", "okx"),
        ("two", "s2", "okx"),
    ]


def test_what_a_recorder_puts_aside_says_whose_it_is(
    bot_book: onebook.Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_batch: Any) -> None:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(bot_book.store, "write", refuse)
    recorder = Recorder(bot_book, strategy="grid", account="one", venue="okx", spool=tmp_path / "a.spool")
    recorder.take([a_fill("1")])
    recorder.close()
    mark, line = (tmp_path / "a.spool").read_bytes().splitlines(keepends=True)
    assert mark == MARK
    row = json.loads(line[9:])
    assert (row["account"], row["venue"], row["strategy"]) == ("one", "okx", "grid")


def test_names_of_spools_never_collide() -> None:
    names = ["grid-1", "grid.1", "grid_1", "grid 1", "Grid_1", "x" * 300, "x" * 301]
    assert len({spool_name("main", name) for name in names}) == len(names)
    assert spool_name("main", "grid") == "main-grid.spool"
    assert spool_name("a-b", "c") != spool_name("a", "b-c")


def test_a_spool_that_is_the_book_or_another_file_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "trading.db"
    other = tmp_path / "notes.csv"
    other.write_text("my,notes\n1,2\n", encoding="ascii")
    linked = tmp_path / "linked.db"
    with onebook.open(path) as book:
        book.record(a_fill("1"))
        os.link(path, linked)
        beside = sorted(tmp_path.iterdir())
        for wrong in (path, linked, Path(f"{path}-wal"), Path(f"{path}-journal"), other):
            with pytest.raises(BadConfig, match=r"spool: .* (is the book itself|is no spool)"):
                Recorder(book, strategy="grid", spool=wrong)
        assert sorted(tmp_path.iterdir()) == beside
        assert other.read_text(encoding="ascii") == "my,notes\n1,2\n"
        assert len(book.fills()) == 1


def test_a_file_that_became_another_one_is_neither_read_nor_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool")
    spool.path.write_bytes(b"SQLite format 3\0" + b"\0" * 100)
    with pytest.raises(StoreError, match="is no spool"):
        spool.append([{"kind": "fill"}])
    with pytest.raises(StoreError, match="is no spool"):
        spool.drain(lambda rows: None)
    assert spool.path.read_bytes().startswith(b"SQLite format 3\0")


def test_a_mark_that_a_kill_cut_off_is_written_anew(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool")
    for cut in range(len(MARK)):
        spool.path.write_bytes(MARK[:cut])
        spool.append([{"number": cut}])
        found: list[dict[str, Any]] = []
        spool.drain(found.extend)
        assert found == [{"number": cut}]
    assert not spool.path.with_name("a.spool.torn").exists()


def test_a_folder_is_where_the_spool_goes(bot_book: onebook.Book, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    recorder = Recorder(bot_book, strategy="grid", venue="okx", spool=tmp_path / "folder")
    recorder.take([a_fill("1")])
    assert recorder.spool.path == tmp_path / "folder" / "bot.db.main-grid.spool"
    assert not recorder.is_behind
    recorder.close()
    assert len(bot_book.fills()) == 1


@pytest.mark.parametrize("body", [b"[1,2]", b"3", b"{", b"[" * 200_000, b'{"kind":"\xff"}', b'{"kind":["x"]}'])
def test_a_sound_line_that_is_no_fact_holds_nothing_up(bot_book: onebook.Book, tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.spool"
    path.write_bytes(MARK + a_line(body))
    Spool(path).append([as_row(a_fill("1"), "main", "okx", "grid")])
    recorder = Recorder(bot_book, strategy="grid", venue="okx", spool=path)
    assert recorder.wait(30)
    recorder.close()
    assert [fill.venue_fill_id for fill in bot_book.fills()] == ["1"]
    assert not path.exists()


def test_a_fact_that_only_makes_mistakes_is_put_aside_and_the_rest_is_booked(
    bot_book: onebook.Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onebook.intake.adapters.recorder_booking import Booking

    one = Booking._one

    def fail(self: Booking, item: Any) -> None:
        if getattr(item, "venue_fill_id", "") == "2":
            raise ZeroDivisionError("a mistake")
        one(self, item)

    monkeypatch.setattr(Booking, "_one", fail)
    recorder = Recorder(bot_book, strategy="grid", venue="okx", spool=tmp_path / "a.spool")
    for name in ("1", "2", "3"):
        recorder.take([a_fill(name)])
    assert recorder.wait(30)
    recorder.close()
    assert [fill.venue_fill_id for fill in bot_book.fills()] == ["1", "3"]
    assert b'"venue_fill_id": "2"' in (tmp_path / "a.spool.torn").read_bytes()


def test_a_spool_that_cannot_be_read_holds_nothing_up(bot_book: onebook.Book, tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    recorder = Recorder(bot_book, strategy="grid", venue="okx", spool=path)
    path.write_bytes(b"something else\n")
    recorder._behind = True
    recorder.take([a_fill("1")])
    recorder.take([a_fill("2")])
    for _ in range(200):
        if len(bot_book.fills()) == 2:
            break
        recorder.wait(0.05)
    recorder.take([a_fill("3")])
    assert [fill.venue_fill_id for fill in bot_book.fills()] == ["1", "2", "3"]
    recorder.close()
    assert path.read_bytes() == b"something else\n"


def test_what_was_in_memory_is_booked_before_what_came_after_it(
    bot_book: onebook.Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = bot_book.store.write

    def refuse(*_given: Any) -> Any:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(bot_book.store, "write", refuse)
    recorder = Recorder(bot_book, strategy="grid", venue="okx", spool=tmp_path / "a.spool", retry_seconds=0.01)
    recorder.take([a_fill("1")])
    append = recorder.spool.append
    monkeypatch.setattr(recorder.spool, "append", refuse)
    for name in ("2", "3", "4"):
        recorder.take([a_fill(name)])
    assert caplog.text.count("in memory only") == 1
    monkeypatch.setattr(recorder.spool, "append", append)
    monkeypatch.setattr(recorder._aside, "_again", 0.0)
    recorder.take([a_fill("5")])
    assert recorder._aside.kept == ()
    monkeypatch.setattr(bot_book.store, "write", write)
    assert recorder.wait(30)
    recorder.close()
    assert [fill.venue_fill_id for fill in bot_book.fills()] == ["1", "2", "3", "4", "5"]


FORKS = """
import os, sys
import onebook
from onebook.intake.adapters.recorder import Recorder
def fill(name):
    return onebook.Fill(instrument="BTC/USDT", side="buy", quantity="1", price="100", venue="okx", venue_fill_id=name)
book = onebook.open(sys.argv[1])
recorder = Recorder(book, strategy="grid", venue="okx", patience_seconds=30)
recorder.take([fill("1")])
child = os.fork()
if not child:
    recorder.take([fill("2")])
    os._exit(0 if recorder.wait(30) and recorder._thread.is_alive() else 1)
ended = os.waitpid(child, 0)[1]
recorder.take([fill("3")])
print(ended, recorder.wait(30))
recorder.close()
book.close()
"""


def test_a_bot_that_forks_goes_on_recording_in_the_child(tmp_path: Path) -> None:
    program = [sys.executable, "-c", FORKS, str(tmp_path / "b.db")]
    ran = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == ["0", "True"], ran.stderr
    with onebook.open(tmp_path / "b.db") as book:
        assert sorted(fill.venue_fill_id for fill in book.fills()) == ["1", "2", "3"]


def test_health_and_doctor_tell_of_facts_that_wait_beside_the_book(tmp_path: Path) -> None:
    path = tmp_path / "trading.db"
    onebook.open(path).close()
    Spool(f"{path}.main-grid.spool").append([as_row(a_fill("1"), "main", "okx", "grid")])
    for command in ("health", "doctor"):
        program = [str(Path(sys.executable).with_name("onebook")), "--db", str(path), command]
        ran = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 1, ran.stderr
        assert f"facts wait in {path}.main-grid.spool" in ran.stdout


class Client:
    def get(self, path: str, data: Any = None) -> Any: ...

    post = patch = delete = get


def test_alpaca_takes_no_account_of_another_venue_and_no_bot_without_a_name(bot_book: onebook.Book) -> None:
    bot_book.record(onebook.Account(name="main", venue="binance"))
    with pytest.raises(BadConfig, match="is at binance"):
        onebook.alpaca.recording(Client(), bot_book, strategy="swing")
    with pytest.raises(InputError, match="strategy"):
        onebook.alpaca.recording(Client(), bot_book, strategy="", account="second")


def test_a_contract_is_defined_though_the_book_could_not_be_read_at_its_first_order(
    venue: Venue, bot_book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange: Any = onebook.ccxt.recording(ccxt.okx(venue.settings()), bot_book, strategy="grid")
    exchange.load_markets()
    facts = bot_book.facts

    def refuse(*_given: Any) -> Any:
        raise StoreError("disk I/O error")

    monkeypatch.setattr(bot_book, "facts", refuse)
    exchange.create_order("BTC/USDT", "limit", "buy", 0.5, 60000)
    monkeypatch.setattr(bot_book, "facts", facts)
    assert exchange.recorder.wait(30)
    assert [item.symbol for item in bot_book.facts("instrument")] == ["BTC/USDT"]
    assert len(bot_book.orders()) == 1
    exchange.recorder.close()
