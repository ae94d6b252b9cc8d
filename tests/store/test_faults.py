"""A disk that fails or loses power: a clear error, nothing acknowledged lost, nothing booked twice."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from onebook.book.commit import Committer, Request
from onebook.domain import times
from onebook.domain.commands import Record
from onebook.domain.facts import Account, AnyFact, Fill, FundingPayment, Instrument, Order, Rate, Transfer
from onebook.errors import StoreError, StoreFull
from onebook.store.sqlite.store import SqliteStore
from onebook.testing import FakeClock, FaultVFS
from onebook.testing.store_rows import check_chain, everything
from onebook.testing.vfs import How, Kind, Wreck

START = times.from_text("start", "2026-01-05T09:00:00Z")
FAULTS: tuple[tuple[Kind, How], ...] = (
    ("xOpen", "io_error"),
    ("xRead", "io_error"),
    ("xRead", "short_read"),
    ("xWrite", "io_error"),
    ("xWrite", "disk_full"),
    ("xSync", "io_error"),
    ("xSync", "disk_full"),
    ("xTruncate", "io_error"),
    ("xDelete", "io_error"),
)
SAMPLE = 24
"""Calls of a kind at which the short run plants a fault; the long run takes every one."""


def fills() -> Iterator[Fill]:
    """Fills of two strategies: opening, adding, flipping, a late one."""
    for number in range(22):
        yield Fill(
            instrument="BTC/USD" if number % 3 else "BTC/USDT:USDT",
            side="buy" if number % 4 else "sell",
            quantity=Decimal(number % 5 + 1),
            price=Decimal(60000 + number),
            account="main",
            strategy="trend" if number % 2 else "mean",
            occurred_ns=START + (number if number != 15 else 3) * times.MINUTE,
            venue="kraken",
            venue_fill_id=f"f{number}",
            fee=Decimal("0.1"),
            fee_currency="BNB" if number % 7 == 0 else None,
        )


FACTS: tuple[AnyFact, ...] = (
    Account(name="main", venue="kraken"),
    Instrument(symbol="BTC/USDT:USDT", kind="perpetual", base="BTC", quote="USDT", settle="USDT"),
    Transfer(asset="USD", amount=Decimal(1000000), to_account="main", transfer_id="t1"),
    Rate(base="BNB", quote="USD", price=Decimal(600), occurred_ns=START),
    Order(instrument="BTC/USD", side="buy", quantity=Decimal(3), client_order_id="o1"),
    FundingPayment(instrument="BTC/USDT:USDT", amount=Decimal("-1.5"), funding_id="p1"),
    *fills(),
)


@dataclass
class Run:
    """What became of the facts: sequence by place for what was acknowledged, and the errors of the rest."""

    acknowledged: dict[int, int] = field(default_factory=dict)
    errors: list[StoreError] = field(default_factory=list)


def record(store: SqliteStore, run: Run, places: Iterator[int]) -> None:
    """Record facts one by one, as a bot does that goes on after an error."""
    committer = Committer(store, FakeClock(), lambda _state, _command: None, lambda _sequence: None)
    for place in places:
        try:
            outcome = committer.submit(Request([Record(FACTS[place])], "test"))[0]
        except StoreError as problem:
            run.errors.append(problem)
            continue
        assert outcome.error is None
        assert outcome.decision is not None
        assert outcome.stamp is not None
        recorded = outcome.decision.status == "recorded"
        run.acknowledged[place] = outcome.stamp.sequence if recorded else outcome.decision.first


def with_marks(how: How) -> bool:
    """Say whether marks are written in between: not where a read gives half a page of zeroes.

    SQLite believes those in the middle of a file, and marks come through a connection of their own, after which the
    recording one reads the file again, as after another process. A file really cut short says so by itself.
    """
    return how != "short_read"


def scenario(path: Path, vfs: FaultVFS, run: Run, *, marks: bool = True) -> None:
    """Make a book, record all facts with checkpoints, readers and marks in between, and close it."""
    try:
        store = SqliteStore(str(path), vfs=vfs.name, busy_ms=0)
    except StoreError as problem:
        run.errors.append(problem)
        return
    for part in range(0, len(FACTS), 7):
        record(store, run, iter(range(part, min(part + 7, len(FACTS)))))
        try:
            store.connection.pragma("wal_autocheckpoint", 20)
            with store.reading() as reader:
                reader.positions(None)
            if marks:
                store.put_marks([("BTC/USD", "60000", part, "test", part)], [("BTC/USD", part, "60000", part)])
        except StoreError as problem:
            run.errors.append(problem)
    try:
        store.close()
    except StoreError as problem:
        run.errors.append(problem)


def retried(path: Path, run: Run) -> dict[str, object]:
    """Check a book on a healthy disk: all acknowledged is there, and a retry of everything adds the rest once."""
    store = SqliteStore(str(path), synchronous="off")
    again = Run()
    head = check_chain(store)
    assert head >= len(run.acknowledged)
    record(store, again, iter(range(len(FACTS))))
    assert not again.errors
    assert run.acknowledged.items() <= again.acknowledged.items()
    assert check_chain(store) == len(FACTS)
    assert sorted(again.acknowledged.values()) == list(range(1, len(FACTS) + 1))
    found = everything(store)
    store.close()
    return found


class Calls:
    """How often a healthy run calls the disk, with marks in between and without."""

    def __init__(self, folder: Path) -> None:
        self._counted = {marks: self._count(folder / f"{marks}.db", marks=marks) for marks in (True, False)}

    def of(self, kind: Kind, how: How) -> int:
        return self._counted[with_marks(how)][kind]

    @staticmethod
    def _count(path: Path, *, marks: bool) -> Counter[str]:
        vfs, run = FaultVFS(), Run()
        scenario(path, vfs, run, marks=marks)
        assert not run.errors
        assert list(run.acknowledged.values()) == list(range(1, len(FACTS) + 1))
        retried(path, run)
        return vfs.calls


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    return Calls(tmp_path_factory.mktemp("healthy"))


def break_at(folder: Path, kind: Kind, how: How, number: int, times: int = 1) -> Run:
    """Run the scenario with a fault at one call, and check what is left."""
    folder.mkdir()
    vfs, run = FaultVFS(), Run()
    vfs.fail(kind, number, how, times=times)
    scenario(folder / "trading.db", vfs, run, marks=with_marks(how))
    assert vfs.failed, "the fault was never reached"
    retried(folder / "trading.db", run)
    return run


def spread(total: int, most: int) -> list[int]:
    """Numbers from 1 to the total, at most so many, the first and the last among them."""
    if total <= most:
        return list(range(1, total + 1))
    return sorted({1 + place * (total - 1) // (most - 1) for place in range(most)})


@pytest.mark.parametrize(("kind", "how"), FAULTS)
def test_a_failing_call(calls: Calls, tmp_path: Path, kind: Kind, how: How) -> None:
    for number in spread(calls.of(kind, how), SAMPLE):
        break_at(tmp_path / str(number), kind, how, number)


@pytest.mark.torture
@pytest.mark.parametrize(("kind", "how"), FAULTS)
@pytest.mark.parametrize("times", [1, 2, 10])
def test_every_failing_call(calls: Calls, tmp_path: Path, kind: Kind, how: How, times: int) -> None:
    for number in range(1, calls.of(kind, how) + 1):
        break_at(tmp_path / str(number), kind, how, number, times)


@pytest.mark.parametrize(("kind", "how"), [("xWrite", "disk_full"), ("xSync", "io_error"), ("xWrite", "io_error")])
def test_a_full_disk_that_gets_room_again(calls: Calls, tmp_path: Path, kind: Kind, how: How) -> None:
    for number in spread(calls.of(kind, how), 10)[1:]:
        vfs, run, folder = FaultVFS(), Run(), tmp_path / str(number)
        folder.mkdir()
        store = SqliteStore(str(folder / "trading.db"), vfs=vfs.name)
        vfs.fail(kind, number // 2 + 1, how, times=1000)
        record(store, run, iter(range(len(FACTS))))
        if how == "disk_full":
            assert {type(problem) for problem in run.errors} <= {StoreFull}
        vfs.heal()
        again = Run(dict(run.acknowledged))
        record(store, again, iter(range(len(FACTS))))
        assert not again.errors
        assert run.acknowledged.items() <= again.acknowledged.items()
        assert check_chain(store) == len(FACTS)
        store.close()
        retried(folder / "trading.db", again)


def test_a_book_that_is_only_read(tmp_path: Path) -> None:
    vfs, run = FaultVFS(), Run()
    store = SqliteStore(str(tmp_path / "trading.db"), vfs=vfs.name)
    record(store, run, iter(range(3)))
    store.close()
    store = SqliteStore(str(tmp_path / "trading.db"), vfs=vfs.name, read_only=True)
    assert store.head()[0] == 3
    store.close()


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    vfs = FaultVFS()
    store = SqliteStore(str(tmp_path / "trading.db"), vfs=vfs.name)
    vfs.fail("xWrite", 1, "read_only", times=10**6)
    run = Run()
    record(store, run, iter(range(3)))
    assert len(run.errors) == 3
    assert all("cannot be written" in str(problem) for problem in run.errors)
    assert store.head()[0] == 0
    vfs.heal()
    store.close()


# ---- power loss ----


@dataclass
class Moment:
    """What a power loss just before a sync leaves, and how many facts were acknowledged by then."""

    wreck: Wreck
    acknowledged: dict[int, int]


def moments(path: Path) -> list[Moment]:
    """Run the scenario and take note of every sync, and of the end."""
    vfs, run, found = FaultVFS(), Run(), list[Moment]()
    vfs.before_sync = lambda _path: found.append(Moment(vfs.wreck(), dict(run.acknowledged)))
    scenario(path, vfs, run)
    assert not run.errors
    assert len(run.acknowledged) == len(FACTS)
    found.append(Moment(vfs.wreck(), dict(run.acknowledged)))
    return found


def lose_power(found: list[Moment], folder: Path, seeds: list[int]) -> None:
    for number, moment in enumerate(found):
        for seed in seeds:
            place = folder / f"{number}-{seed}"
            moment.wreck.write(place, seed)
            store = SqliteStore(str(place / "trading.db"), synchronous="off")
            assert check_chain(store) >= len(moment.acknowledged), (number, seed)
            store.close()
            if seed == number % len(seeds):
                retried(place / "trading.db", Run(moment.acknowledged))


def test_power_loss_at_every_sync(tmp_path: Path) -> None:
    found = moments(tmp_path / "trading.db")
    assert len(found) > len(FACTS)
    assert any(moment.wreck.files[path][1] for moment in found for path in moment.wreck.files)
    lose_power(found, tmp_path, [0, 1, 2, 3])


@pytest.mark.torture
@pytest.mark.parametrize("round_number", range(20))
def test_power_loss_at_every_sync_many_times(tmp_path: Path, round_number: int) -> None:
    lose_power(moments(tmp_path / "trading.db"), tmp_path, list(range(round_number * 10, round_number * 10 + 10)))


def test_after_a_power_loss_the_old_connection_fails(tmp_path: Path) -> None:
    vfs, run = FaultVFS(), Run()
    store = SqliteStore(str(tmp_path / "trading.db"), vfs=vfs.name)
    record(store, run, iter(range(9)))
    vfs.crash(tmp_path / "after", seed=5)
    record(store, run, iter(range(9, 12)))
    assert len(run.errors) == 3
    with suppress(StoreError):
        store.close()
    retried(tmp_path / "after" / "trading.db", run)


def test_the_model_of_power_loss_can_fail(tmp_path: Path) -> None:
    """With synchronous=off nothing is synced, so this disk must lose what was acknowledged."""
    vfs, run = FaultVFS(), Run()
    store = SqliteStore(str(tmp_path / "trading.db"), vfs=vfs.name, synchronous="off")
    record(store, run, iter(range(len(FACTS))))
    vfs.crash(tmp_path / "after")
    with suppress(StoreError):
        store.close()
    try:
        left = SqliteStore(str(tmp_path / "after" / "trading.db")).head()[0]
    except StoreError:
        left = 0
    assert left < len(FACTS)
