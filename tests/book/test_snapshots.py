"""Snapshots: rebuilding from one is rebuilding from zero, damage in a model or a file is never taken over."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.book.histories import INSTRUMENTS, SETUP, histories, moment
from tests.book.snapshot_books import START, fill, harm, models, record

import onebook
from onebook import Account, BookSettings, CorporateAction, Fill, Instrument, Rate
from onebook.book import lens, rebuilding, replay, shortcut
from onebook.book.asof import AsOf
from onebook.book.digests import Held, gained_ids
from onebook.book.snapshots import take
from onebook.store.memory import MemoryStore
from onebook.store.port import Reader
from onebook.store.sqlite.store import SqliteStore
from onebook.testing.clock import FakeClock

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
        kept.bust(11, reason="never happened")
        kept.correct(12, reason="typo", price=7)
    kept.rebuild(from_zero=True)
    before = models(kept)
    harm(kept, HARM[what])
    assert models(kept) != before
    report = kept.rebuild()
    assert report.ok, report.problems
    assert models(kept) == before
    keeps_no_versions = what.split(maxsplit=1)[0] in {"positions", "days", "tally"}
    assert report.snapshot == (right if keeps_no_versions else 0)


def test_an_older_snapshot_serves_where_the_newest_cannot(kept: onebook.Book, caplog: pytest.LogCaptureFixture) -> None:
    first = kept.snapshot().sequence
    late = record(kept, 20)
    second = kept.snapshot().sequence
    record(kept, 21)
    before = models(kept)
    harm(kept, f"UPDATE movements SET price = '1' WHERE sequence = {late}")  # noqa: S608  a number of our own
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
    assert kept.snapshots() == [taken]
    harm(kept, "DELETE FROM positions")
    assert kept.rebuild().snapshot == taken.sequence
    assert kept.snapshots() == [taken]


def test_snapshots_of_a_damaged_book_go(kept: onebook.Book, tmp_path: Path) -> None:
    """Those since the entry from which the book was mended may hold the damage; others' are left alone."""
    first = kept.snapshot()
    record(kept, 20)
    harm(kept, "UPDATE positions SET state = replace(state, '1', '2')")
    take(kept.store, kept.now(), kept.snapshot_folder, anchor=False)
    with onebook.open(str(tmp_path / "other.db"), clock=FakeClock()) as other:
        other.snapshot_folder = kept.snapshot_folder
        for number in range(1, 200):
            record(other, number)
        foreign = other.snapshot()
    assert kept.rebuild().snapshot == first.sequence
    assert [taken.sequence for taken in kept.snapshots()] == [foreign.sequence, first.sequence]
    harm(kept, "DELETE FROM positions")
    assert kept.rebuild(from_zero=True).snapshot == 0
    assert [taken.sequence for taken in kept.snapshots()] == [foreign.sequence]


def test_only_what_follows_is_decided_again(kept: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = kept.snapshot()
    record(kept, 30)
    harm(kept, "DELETE FROM positions")
    decided = []
    real = replay.decide_again

    def spied(state: Any, sequence: int, entry: Any) -> Any:
        decided.append(sequence)
        return real(state, sequence, entry)

    monkeypatch.setattr(rebuilding, "decide_again", spied)
    told: list[tuple[int, int]] = []
    kept.rebuild(progress=lambda done, total: told.append((done, total)))
    assert decided == [taken.sequence + 1, taken.sequence + 2]  # what says that it was taken, and the fill
    assert told == [(taken.sequence + 2, taken.sequence + 2)]


def test_other_rules_other_logs_and_plain_snapshots_are_not_used(
    kept: onebook.Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with onebook.open(str(tmp_path / "other.db"), clock=FakeClock()) as other:
        for number in range(1, 40):
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
    assert "passed over" not in caplog.text


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


def change(book: onebook.Book, deed: str, value: Any) -> None:  # noqa: C901  one branch a deed
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
            steps: list[Callable[[], Any]] = [partial(book.record, fact) for fact in (*SETUP, *facts)]
            steps += [partial(change, book, *deed) for deed in deeds]
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


@settings(max_examples=40)
@given(histories, changes, st.integers(0, 30))
def test_earlier_positions_are_the_same_with_a_snapshot(facts: list[Any], deeds: list[Any], place: int) -> None:
    """As of every entry: what stood still may come from the file, and nobody can tell."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(lens, "FEW", 0)
        with onebook.open(":memory:", clock=FakeClock(START, step_seconds=1)) as book:
            book.snapshot_folder = Path(folder)
            steps: list[Callable[[], Any]] = [partial(book.record, fact) for fact in (*SETUP, *facts)]
            steps += [partial(change, book, *deed) for deed in deeds]
            steps.insert(1 + place % len(steps), book.snapshot)
            for step in steps:
                step()
            [taken] = book.snapshots()
            for known in range(max(1, taken.sequence - 1), book.status().entries + 1):
                plain = AsOf(book.store, known, None, book.now())
                short = book.as_of(known)
                assert short.positions(is_open=None) == plain.positions(is_open=None)
                assert short.equity() == plain.equity()
                assert short.round_trips() == plain.round_trips()


def test_what_stood_still_is_not_folded(kept: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("A", "B", "C", "D", "E", "F"):
        record(kept, 1, instrument=name)
    kept.record(Fill(instrument="A", side="buy", quantity=1, price=5, fee=1, fee_currency="XRP", occurred_at=moment(2)))
    taken = kept.snapshot()
    folded: list[str] = []
    real = lens.Lens.holdings

    def spied(self: lens.Lens, info: lens.LedgerInfo) -> Any:
        folded.append(info.instrument)
        return real(self, info)

    monkeypatch.setattr(lens.Lens, "holdings", spied)

    def folds(known: int, **filters: Any) -> list[str]:
        folded.clear()
        kept.as_of(known).positions(**filters)
        return sorted(folded)

    every = ["A", "AAPL", "B", "C", "D", "E", "F", "MSFT"]
    assert folds(taken.sequence) == ["AAPL"]  # its newest change was not its newest fill
    assert folds(taken.sequence - 1) == every
    assert folds(taken.sequence, instrument="B") == ["B"]
    head = record(kept, 2, instrument="B")
    assert folds(head - 1) == ["AAPL"]
    assert folds(head) == ["AAPL", "B"]
    kept.state.set("a", 1)
    kept.publish("desk.said", {})
    head = kept.correct(head, reason="typo", instrument="C").sequence
    assert folds(head) == ["AAPL", "B", "C"]
    head = kept.record(Rate(base="XRP", quote="USD", price=2, occurred_at=moment(0))).sequence
    assert folds(head) == ["A", "AAPL", "B", "C"]
    head = kept.record(Instrument(symbol="B", kind="equity", quote="USD")).sequence
    assert folds(head) == every
    monkeypatch.setattr(shortcut, "MAX_ENTRIES", 1)
    assert folds(taken.sequence + 3) == every


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

    kept.correct(12, reason="typo", client_fill_id="c1")
    kept.correct(12, reason="typo", client_fill_id="c2")
    with kept.store.reading() as reader:
        standing = reader.standing()
    names = names_of(standing.ledgers)
    at = standing.head[0]
    then = digests_of(kept.store, at, names)
    kept.correct(9, reason="typo", client_fill_id="mine", venue_fill_id="other")
    kept.correct(12, reason="typo", client_fill_id="c1")  # which it has held all the time
    kept.record(fill(1, client_fill_id="c11", fee="1"))
    kept.bust(12, reason="no")
    record(kept, 31, occurred_at=moment(0))
    kept.record(BookSettings(base_currency="USDT", zone="Asia/Tokyo"))
    assert digests_of(kept.store, at, names) == then
    assert digests_of(kept.store, at + 1, names) != then


def test_a_fact_that_comes_by_an_id_meanwhile_is_noticed(kept: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
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
