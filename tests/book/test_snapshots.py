"""Snapshots: rebuilding from one is rebuilding from zero, damage in a model or a file is never taken over."""

import gzip
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.book.histories import INSTRUMENTS, SETUP, histories, moment

import onebook
from onebook import Account, BookSettings, CashMovement, CorporateAction, Fill, Instrument, Rate
from onebook.book import rebuilding, snapshot_files
from onebook.book.digests import Held, gained_ids
from onebook.book.snapshots import LEFTOVER_SECONDS, Folder, take
from onebook.book.verifying import MODELS, ledger_names, model_rows
from onebook.domain import times
from onebook.errors import SourceError, StoreError, StoreFull
from onebook.store.memory import MemoryStore
from onebook.store.port import Reader
from onebook.store.sqlite.store import SqliteStore
from onebook.testing.clock import FakeClock

START = "2024-07-01T00:00:00Z"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[onebook.Book]:
    """A book in a file, with a busted, a completed and a moved fill."""
    with onebook.open(str(tmp_path / "book.db"), clock=FakeClock(START, step_seconds=1)) as book:
        for fact in SETUP:
            book.record(fact)
        for number in range(1, 9):
            record(book, number)
        book.record_many(fill(number, quantity=1, side="buy", instrument="MSFT") for number in range(100, 170))
        book.record(CashMovement(currency="USD", amount=5, kind="reward", occurred_at=moment(1)))
        book.bust(10, reason="never happened")
        book.record(fill(3, fee="0.5"))
        yield book
        report = book.verify()
        assert report.ok, report.problems


def fill(number: int, **changes: Any) -> Fill:
    given = {
        "instrument": "AAPL",
        "side": "buy" if number % 3 else "sell",
        "quantity": number,
        "price": 100 + number,
        "venue": "v",
        "venue_fill_id": str(number),
        "occurred_at": moment(number),
    }
    return Fill(**(given | changes))


def record(book: onebook.Book, number: int, **changes: Any) -> int:
    return book.record(fill(number, **changes)).sequence


def models(book: onebook.Book) -> dict[str, list[str]]:
    """Every read model, row by row, with ledgers by name."""
    with book.store.reading() as reader:
        names = ledger_names(reader)
        found = {table: sorted(repr(row) for row in model_rows(reader, table, names)) for table in MODELS}
        found["ledgers"] = sorted(repr(row[1:]) for row in reader.ledgers())
    return found


def harm(book: onebook.Book, sql: str) -> None:
    """Change what is derived behind the book's back."""
    assert isinstance(book.store, SqliteStore)
    book.store.connection.execute("PRAGMA foreign_keys = OFF").fetchall()
    book.store.connection.execute(sql).fetchall()
    assert book.store.connection.changes(), sql
    book.store.connection.execute("PRAGMA foreign_keys = ON").fetchall()


HARM = {
    "identities": "DELETE FROM identities WHERE key = '2'",
    "identities added": "INSERT INTO identities SELECT scope, 'none', sequence, ordinal FROM identities LIMIT 1",
    "scopes": "UPDATE scopes SET name = name || 'x' WHERE id = 1",
    "movements": "UPDATE movements SET quantity = '77' WHERE sequence = 9",
    "movements ended": "UPDATE movements SET known_until = 11 WHERE sequence = 9",
    "movements gone": "DELETE FROM movements WHERE sequence = 9",
    "movements moved": "UPDATE movements SET known_from = 99 WHERE sequence = 9",
    "movements reopened": "UPDATE movements SET known_until = NULL",
    "positions": "UPDATE positions SET state = replace(state, '1', '2')",
    "positions gone": "DELETE FROM positions",
    "fold points": "UPDATE fold_points SET state = '[]'",
    "trips": "UPDATE closed_trips SET data = replace(data, '1', '2')",
    "days": "UPDATE day_rows SET gross = '5'",
    "records": "UPDATE records SET body = replace(body, '\"', '''') WHERE kind = 'instrument'",
    "records gone": "DELETE FROM records WHERE kind = 'settings'",
    "rates": "UPDATE rates SET price = '1'",
    "tally": "UPDATE tally SET count = count + 1",
    "ledgers": "UPDATE ledgers SET account = 'nobody' WHERE kind = 'position'",
}


# ---- rebuild ----


@pytest.mark.parametrize("what", HARM)
@pytest.mark.parametrize("later", [False, True])
def test_what_is_damaged_is_mended(kept: onebook.Book, what: str, later: bool) -> None:
    """Whatever the damage, and whether the log grew since: from the snapshot where that can be, else from zero."""
    right = kept.snapshot().sequence
    if later:
        for number in range(9, 12):
            record(kept, number)
        record(kept, 12, occurred_at=moment(2))
    kept.rebuild(from_zero=True)
    before = models(kept)
    harm(kept, HARM[what])
    assert models(kept) != before
    report = kept.rebuild()
    assert report.ok, report.problems
    assert models(kept) == before
    keeps_no_versions = what.split()[0] in {"positions", "days", "tally"}
    assert report.snapshot == (right if keeps_no_versions else 0)


def test_an_older_snapshot_serves_where_the_newest_cannot(
    kept: onebook.Book, caplog: pytest.LogCaptureFixture
) -> None:
    first = kept.snapshot().sequence
    late = record(kept, 20)
    second = kept.snapshot().sequence
    record(kept, 21)
    before = models(kept)
    harm(kept, f"UPDATE movements SET price = '1' WHERE sequence = {late}")
    assert kept.rebuild().snapshot == first
    assert models(kept) == before
    assert f"snapshot-{second:012d}" in caplog.text
    assert "movements now differ" in caplog.text


def test_damage_that_was_there_before_a_snapshot_is_mended_too(kept: onebook.Book) -> None:
    """The snapshot agrees with the damage: it mends nothing, so everything is folded."""
    before = models(kept)
    harm(kept, "UPDATE positions SET state = replace(state, '1', '2')")
    harm(kept, "UPDATE movements SET price = '1' WHERE sequence = 9")
    take(kept.store, kept.now(), kept.snapshot_folder)
    assert kept.rebuild().snapshot == 0
    assert models(kept) == before


def test_a_sound_book_is_folded_from_zero(kept: onebook.Book) -> None:
    taken = kept.snapshot()
    assert kept.rebuild().snapshot == 0
    harm(kept, "DELETE FROM positions")
    assert kept.rebuild(from_zero=True).snapshot == 0
    harm(kept, "DELETE FROM positions")
    assert kept.rebuild().snapshot == taken.sequence


def test_only_what_follows_is_decided_again(kept: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = kept.snapshot()
    record(kept, 30)
    harm(kept, "DELETE FROM positions")
    decided = []
    real = rebuilding.decide_again

    def spied(state: Any, sequence: int, entry: Any) -> Any:
        decided.append(sequence)
        return real(state, sequence, entry)

    monkeypatch.setattr(rebuilding, "decide_again", spied)
    told: list[tuple[int, int]] = []
    kept.rebuild(progress=lambda done, total: told.append((done, total)))
    assert decided == [taken.sequence + 1, taken.sequence + 2]  # what says that it was taken, and the fill
    assert told == [(taken.sequence + 2, taken.sequence + 2)]


def test_other_rules_other_logs_and_plain_snapshots_are_not_used(
    kept: onebook.Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with onebook.open(str(tmp_path / "other.db"), clock=FakeClock()) as other:
        for number in range(1, 140):
            record(other, number)
        other.snapshot_folder = kept.snapshot_folder
        other.snapshot()
    take(kept.store, kept.now(), kept.snapshot_folder, anchor=False)
    harm(kept, "DELETE FROM positions")
    assert kept.rebuild().snapshot == 0
    kept.snapshot()
    harm(kept, "DELETE FROM positions")
    monkeypatch.setattr(rebuilding, "RULES", 99)
    assert kept.rebuild().snapshot == 0


changes = st.lists(
    st.one_of(
        st.tuples(st.just("bust"), st.integers(0, 20)),
        st.tuples(st.just("correct"), st.integers(0, 20)),
        st.tuples(st.just("complete"), st.integers(0, 20)),
        st.tuples(st.just("move"), st.integers(0, 20)),
        st.tuples(st.just("rate"), st.integers(1, 9)),
        st.tuples(st.just("days"), st.sampled_from(["00:00", "17:00", "08:30"])),
        st.tuples(st.just("define"), st.integers(1, 9)),
        st.tuples(st.just("split"), st.integers(2, 3)),
        st.tuples(st.just("rename"), st.integers(0, 9)),
        st.tuples(st.just("state"), st.integers(0, 3)),
        st.tuples(st.just("note"), st.integers(0, 20)),
    ),
    max_size=8,
)


def change(book: onebook.Book, deed: str, value: Any) -> None:
    """Do something to a book; what cannot be done is left."""
    stand = book.fills()
    chosen = stand[value % len(stand)] if stand and isinstance(value, int) else None
    with suppress(onebook.BookError):
        if deed == "rate":
            book.record(Rate(base="XRP", quote="USDT", price=Decimal(value), occurred_at=moment(0)))
        elif deed == "days":
            book.record(BookSettings(base_currency="USDT", rolls_at=value))
        elif deed == "define":
            book.record(Instrument(symbol=INSTRUMENTS[1], contract_size=Decimal(value)))
            book.record(Account(name="main", currency="USDT", venue="v"))
        elif deed == "split":
            book.record(CorporateAction(instrument="AAPL", kind="split", numerator=value, denominator=1,
                                        occurred_at=moment(value)))  # fmt: skip
        elif deed == "rename":
            book.record(CorporateAction(instrument="AAPL", kind="symbol_change", new_symbol=f"NEW{value}",
                                        occurred_at=moment(300)))  # fmt: skip
        elif deed == "state":
            book.state.set(f"a.b{value}", {"n": value})
        elif chosen is None:
            return
        elif deed == "bust":
            book.bust(chosen.sequence, reason="no")
        elif deed == "correct":
            book.correct(chosen.sequence, reason="typo", price=chosen.fill.price + 1, venue_fill_id=f"n{value}")
        elif deed == "complete":
            book.record(chosen.fill.replaced(client_fill_id=f"c{value}"))
        elif deed == "move":
            book.correct(chosen.sequence, reason="typo", account="second", occurred_at=moment(value))
        elif deed == "note":
            book.annotate(chosen.sequence, notes=f"note {value}")


@settings(max_examples=40)
@given(histories, changes, st.integers(0, 30), st.booleans())
def test_from_a_snapshot_and_from_zero_are_the_same(
    facts: list[Any], deeds: list[Any], place: int, in_memory: bool
) -> None:
    """Whatever follows a snapshot, beginning at it ends where folding everything ends, row for row."""
    with tempfile.TemporaryDirectory() as folder:
        url = ":memory:" if in_memory else str(Path(folder) / "book.db")
        clock = FakeClock(START, step_seconds=1)
        with onebook.open(url, clock=clock, config={"synchronous": "normal"}) as book:
            book.snapshot_folder = Path(folder) / "snapshots"
            steps: list[Callable[[], Any]] = [lambda fact=fact: book.record(fact) for fact in (*SETUP, *facts)]
            steps += [lambda deed=deed: change(book, *deed) for deed in deeds]
            steps.insert(1 + place % len(steps), book.snapshot)
            for step in steps:
                step()
            [taken] = book.snapshots()
            before = models(book)
            harm_any(book)
            report = book.rebuild()
            assert (report.ok, report.snapshot) == (True, taken.sequence)
            assert models(book) == before
            book.rebuild(from_zero=True)
            assert models(book) == before
            assert book.verify().ok


def harm_any(book: onebook.Book) -> None:
    if isinstance(book.store, SqliteStore):
        harm(book, "UPDATE tally SET count = count + 1")
        return
    assert isinstance(book.store, MemoryStore)
    table = book.store.place.tables["tally"]
    for key, row in list(table.up()):
        table.put(key, (row[0], row[1] + 1))


def test_digests_of_the_past_are_those_of_then(kept: onebook.Book) -> None:
    """Reading what the models were at an entry does not depend on what came after."""
    from onebook.book.digests import digests_of, names_of

    with kept.store.reading() as reader:
        standing = reader.standing()
    names = names_of(standing.ledgers)
    at = standing.head[0]
    then = digests_of(kept.store, at, names)
    kept.correct(9, reason="typo", client_fill_id="mine", venue_fill_id="other")
    kept.record(fill(1, client_fill_id="c1", fee="1"))
    kept.bust(12, reason="no")
    record(kept, 31, occurred_at=moment(0))
    kept.record(BookSettings(base_currency="USDT", zone="Asia/Tokyo"))
    assert digests_of(kept.store, at, names) == then
    assert digests_of(kept.store, at + 1, names) != then


def test_a_fact_that_comes_by_an_id_meanwhile_is_noticed(
    kept: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id that was read or not, depending on the moment, is counted anew; for ever is no anchor."""
    from onebook.book import digests

    with kept.store.reading() as reader:
        standing = reader.standing()
    names, at = digests.names_of(standing.ledgers), standing.head[0]
    then = digests.digests_of(kept.store, at, names)
    seen: list[frozenset[Held]] = []
    numbers = count(4)

    def completing(reader: Reader, known: int) -> frozenset[Held]:
        found = gained_ids(reader, known)
        if len(seen) < limit:
            number = next(numbers)
            kept.record(fill(number, client_fill_id=f"late {number}"))
        seen.append(found)
        return found

    monkeypatch.setattr(digests, "gained_ids", completing)
    limit = 2
    assert digests.digests_of(kept.store, at, names) == then
    assert len(seen) == 4
    seen.clear()
    monkeypatch.setattr(digests, "TRIES", 1)
    limit = 99
    assert digests.digests_of(kept.store, at, names) is None


# ---- files ----


def test_what_a_snapshot_says(kept: onebook.Book) -> None:
    kept.state.set("bots.one", {"size": Decimal("1.5")})
    taken = kept.snapshot()
    assert kept.snapshot_folder is not None
    assert Path(taken.path).parent == kept.snapshot_folder
    assert Path(taken.path).name == f"snapshot-{taken.sequence:012d}.jsonl.gz"
    assert (taken.anchor, taken.size) == (True, Path(taken.path).stat().st_size)
    assert kept.snapshots() == [taken]
    told = list(kept.events(types="snapshot_taken"))
    assert [event.data["sequence"] for event in told] == [taken.sequence]
    assert kept.status().entries == taken.sequence + 1
    lines = [json.loads(line) for line in gzip.open(taken.path, "rb").read().splitlines()]
    assert lines[0]["hash"] == taken.head_hash
    assert [list(line) for line in lines[1:]] == [
        ["ledgers"], ["positions"], ["days"], ["tally"], ["state"], ["digests"], ["sha256"],
    ]  # fmt: skip
    assert lines[5]["state"] == [["bots.one", {"size": {"$decimal": "1.5"}}]]


def test_a_file_of_ones_own(kept: onebook.Book, tmp_path: Path) -> None:
    taken = kept.snapshot(tmp_path / "mine.gz")
    assert Path(taken.path) == tmp_path / "mine.gz"
    assert snapshot_files.read(tmp_path / "mine.gz").header.sequence == taken.sequence
    assert kept.snapshots() == []


def test_refusals(tmp_path: Path, kept: onebook.Book) -> None:
    with onebook.open(":memory:") as book:
        book.record(fill(1))
        with pytest.raises(StoreError, match="no folder"):
            book.snapshot()
        assert book.snapshots() == []
        book.snapshot(tmp_path / "memory.gz")
    with onebook.open(str(tmp_path / "empty.db")) as book, pytest.raises(StoreError, match="nothing is recorded"):
        book.snapshot()
    with pytest.raises(SourceError, match="cannot be written"):
        kept.snapshot(tmp_path / "no folder" / "x.gz")
    (tmp_path / "file").touch()
    kept.snapshot_folder = tmp_path / "file"
    with pytest.raises(SourceError, match="cannot be written"):
        kept.snapshot()


def test_a_read_only_book_says_nothing_in_its_log(kept: onebook.Book) -> None:
    assert isinstance(kept.store, SqliteStore)
    with onebook.open(kept.store.path, read_only=True) as book:
        assert book.snapshot().sequence == book.status().entries


def damaged(data: bytes) -> Iterator[bytes]:
    for part in range(20):
        yield data[: len(data) * part // 20]
    for place in range(0, len(data), max(1, len(data) // 400)):
        for bit in (0, 3, 7):
            yield data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
    yield data + b"x"
    yield data + data
    yield b'{"format": 1}\n'
    yield gzip.compress(b"")
    yield gzip.compress(b"[]\n{}\n")
    yield gzip.compress(b'{"format": 2}\n')


def test_a_damaged_file_is_never_used(kept: onebook.Book, caplog: pytest.LogCaptureFixture) -> None:
    """Cut short, or a bit flipped: it says the same as before, or nothing."""
    older = kept.snapshot()
    taken = kept.snapshot()
    path = Path(taken.path)
    data = path.read_bytes()
    right = snapshot_files.read(path)
    refused = 0
    for wrong in damaged(data):
        path.write_bytes(wrong)
        try:
            assert snapshot_files.read(path) == right
        except snapshot_files.Damaged as problem:
            refused += 1
            assert str(problem)
    assert refused > 1000
    path.write_bytes(data[:-9])
    caplog.set_level(logging.WARNING)
    assert kept.snapshots() == [older]
    assert f"{path} is passed over" in caplog.text
    harm(kept, "DELETE FROM positions")
    assert kept.rebuild().snapshot == older.sequence


def test_another_checksum_is_damage(kept: onebook.Book) -> None:
    """Whole and well packed, but not what was written."""
    path = Path(kept.snapshot().path)
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text.replace(b'"tally"', b'"talli"')))
    with pytest.raises(snapshot_files.Damaged, match="checksum"):
        snapshot_files.read(path)


class Crash(BaseException):
    """The end of the process: nothing after it is done."""


def crashing(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let everything that reaches the disk count, and the process end at one of them; nothing is cleaned up then."""
    done = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            done += 1
            if done >= step:
                raise Crash
            return real(*args, **kwargs)

        return call

    monkeypatch.setattr(gzip.GzipFile, "write", counted(gzip.GzipFile.write))
    monkeypatch.setattr(gzip.GzipFile, "close", counted(gzip.GzipFile.close))
    monkeypatch.setattr(os, "fsync", counted(os.fsync))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))


def test_a_crash_while_writing_leaves_the_whole_ones(kept: onebook.Book) -> None:
    older = kept.snapshot()
    assert kept.snapshot_folder is not None
    folder = Folder(kept.snapshot_folder)
    record(kept, 40)
    leftovers = finished = 0
    for step in range(1, 40):
        with pytest.MonkeyPatch.context() as patched:
            crashing(patched, step)
            try:
                take(kept.store, kept.now(), folder.path)
                finished += 1
            except Crash:
                pass
        found = folder.listed()
        assert found[-1] == older
        assert len(found) in {1, 2}
        leftovers += len(list(folder.path.glob(".*")))
        now = kept.now()
        for path in folder.path.glob(".*"):
            folder.prune(keep=100, keep_days=0, now_ns=now)
            assert path.exists()  # it may be somebody's who is at it
            os.utime(path, (0, 0))
        folder.prune(keep=100, keep_days=0, now_ns=now)
        assert not list(folder.path.glob(".*"))
        for path in folder.files()[:-1]:
            path.unlink()
        if finished:
            break
    assert leftovers >= 8
    assert finished
    assert LEFTOVER_SECONDS > 60


def test_a_full_disk_is_told(kept: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFull, match="the disk is full"):
        take(kept.store, kept.now(), kept.snapshot_folder)
    monkeypatch.undo()
    assert kept.snapshot_folder is not None
    assert list(kept.snapshot_folder.iterdir()) == []


# ---- keeping ----


def put(folder: Folder, sequence: int, day: int, *, anchor: bool = False) -> str:
    path = folder.place(sequence)
    header = snapshot_files.Header(
        sequence=sequence, hash="00", rules=1, at=day * times.DAY + sequence, epoch=1, anchor=anchor
    )
    snapshot_files.write(path, header, [])
    return path.name


def test_what_is_kept(tmp_path: Path) -> None:
    """The newest few; and of each day the newest anchor, or the newest where there is none."""
    folder = Folder(tmp_path)
    rows = [
        # sequence, day, anchor, kept because
        (1, 1, True, ""),
        (2, 5, False, ""),
        (3, 5, False, "newest of its day"),
        (4, 6, True, ""),
        (5, 6, True, "newest anchor of its day"),
        (6, 6, False, ""),
        (7, 7, True, "anchor of its day"),
        (8, 7, False, ""),
        (9, 7, False, "newest two"),
        (10, 7, False, "newest two"),
    ]
    names = {put(folder, sequence, day, anchor=anchor): why for sequence, day, anchor, why in rows}
    gone = folder.prune(keep=2, keep_days=4, now_ns=8 * times.DAY)
    assert {path.name for path in gone} == {name for name, why in names.items() if not why}
    assert [path.name for path in folder.files()] == sorted((name for name, why in names.items() if why), reverse=True)
    assert folder.prune(keep=2, keep_days=4, now_ns=8 * times.DAY) == []


def test_a_file_without_a_first_line_is_thinned_out(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.place(1).write_bytes(b"")
    put(folder, 2, 7)
    assert [path.name for path in folder.prune(keep=1, keep_days=9, now_ns=8 * times.DAY)] == [folder.place(1).name]
