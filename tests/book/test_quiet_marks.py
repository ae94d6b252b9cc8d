"""A mark that means nothing to who watches is taken quietly; price, total, highs and lows are as if it were not."""

import random
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import Fill, InputError, PrecisionLost, StoreClosed
from onebook.book.marking import NO_PRICE, Bounds
from onebook.book.marks import Marks
from onebook.testing import FakeClock

SYMBOL = "BTC/USD"
QUARTER = 0.25


class Watch:
    """A hook that wants to know of prices outside its bounds, and keeps what it was told."""

    def __init__(self, bounds: Bounds | None) -> None:
        self.bounds = bounds
        self.told: list[Decimal] = []

    def __call__(self, instrument: str, price: Decimal, at_ns: int, source: str) -> Bounds | None:
        self.told.append(price)
        return self.bounds


def fill(number: int = 1, **changes: Any) -> Fill:
    given: dict[str, Any] = {"instrument": SYMBOL, "side": "buy", "quantity": "2", "price": "100"}
    return Fill(**(given | {"client_fill_id": str(number)} | changes))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock("2026-01-05T12:00:00Z")


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[onebook.Book]:
    monkeypatch.setattr(Marks, "_start_sharing", lambda _: None)  # whoever shares has everybody asked again
    with onebook.open(tmp_path / "book.db", clock=clock) as opened:
        opened.record(fill())
        for price in ("50.00", "200.00", "100.00"):
            opened.mark(SYMBOL, Decimal(price))
        opened.unrealized()
        yield opened


def watched(book: onebook.Book, bounds: Bounds | None) -> Watch:
    """Return a hook that has been told of one mark, so that the next one may be quiet."""
    watch = Watch(bounds)
    book.hook_marks(watch, on=True)
    book.mark(SYMBOL, Decimal("100.00"))
    watch.told.clear()
    return watch


def test_a_mark_between_the_bounds_is_not_told_and_moves_price_and_total(book: onebook.Book) -> None:
    watch = watched(book, (Decimal(90), Decimal(110)))
    for price in ("90.01", "109.99", "101.25"):
        book.mark(SYMBOL, Decimal(price), source="test")
        assert book.unrealized() == {"USD": 2 * Decimal(price) - 200}
    assert watch.told == []
    (mark,) = book.marks()
    assert (mark.price, mark.source) == (Decimal("101.25"), "test")


@pytest.mark.parametrize("price", ["90.00", "110.00", "89.99", "110.01", "110.001", "90"])
def test_a_mark_at_or_beyond_a_bound_is_told(book: onebook.Book, price: str) -> None:
    watch = watched(book, (Decimal(90), Decimal(110)))
    book.mark(SYMBOL, Decimal(price))
    assert watch.told == [Decimal(price)]


def test_the_narrowest_of_several_bounds_counts(book: onebook.Book) -> None:
    wide, narrow = watched(book, (Decimal(80), Decimal(105))), watched(book, (Decimal(95), Decimal(120)))
    wide.told.clear()
    for price in ("96.00", "104.00", "94.00", "100.00", "106.00"):
        book.mark(SYMBOL, Decimal(price))
    assert wide.told == narrow.told == [Decimal("94.00"), Decimal("106.00")]


def test_who_wants_every_mark_gets_every_mark(book: onebook.Book) -> None:
    some, every = watched(book, NO_PRICE), watched(book, None)
    some.told.clear()
    for price in ("100.01", "100.02"):
        book.mark(SYMBOL, Decimal(price))
    assert some.told == every.told == [Decimal("100.01"), Decimal("100.02")]
    book.hook_marks(every, on=False)
    for price in ("100.03", "100.04", "100.05"):
        book.mark(SYMBOL, Decimal(price))
    assert some.told[2:] == [Decimal("100.03")]


@pytest.mark.parametrize("after", ["entry", "again", "all again", "quarter", "another hook"])
def test_bounds_count_until_something_may_have_changed(book: onebook.Book, clock: FakeClock, after: str) -> None:
    watch = watched(book, NO_PRICE)
    book.mark(SYMBOL, Decimal("100.01"))
    assert watch.told == []
    if after == "entry":
        book.record(fill(2, instrument="ETH/USD"))
    elif after == "again":
        book.watch_again(SYMBOL)
    elif after == "all again":
        book.watch_again(None)
    elif after == "quarter":
        clock.advance(QUARTER)
    else:
        book.hook_marks(Watch(NO_PRICE), on=True)
    book.mark(SYMBOL, Decimal("100.02"))
    assert watch.told == [Decimal("100.02")]
    assert book.unrealized()["USD"] == Decimal("0.04")


def test_bounds_that_were_taken_back_while_they_were_told_do_not_count(book: onebook.Book) -> None:
    watch = Watch(NO_PRICE)

    def changing(instrument: str, price: Decimal, at_ns: int, source: str) -> Bounds:
        book.watch_again(instrument)  # as one does whose edges another mark moves meanwhile
        return NO_PRICE

    book.hook_marks(watch, on=True)
    book.hook_marks(changing, on=True)
    for price in ("100.01", "100.02", "100.03"):
        book.mark(SYMBOL, Decimal(price))
    assert len(watch.told) == 3


@pytest.mark.parametrize(
    ("price", "error"),
    [
        (Decimal("NaN"), InputError),
        (Decimal("sNaN"), InputError),
        (Decimal("Infinity"), InputError),
        (Decimal("-100.00"), InputError),
        (Decimal("100.0000000000000000001"), PrecisionLost),
        (Decimal("1000000000000000000000.00"), PrecisionLost),
        (100.5, PrecisionLost),
    ],
)
def test_a_price_that_cannot_be_kept_is_refused_all_the_same(book: onebook.Book, price: Any, error: Any) -> None:
    watched(book, NO_PRICE)
    with pytest.raises(error):
        book.mark(SYMBOL, price)
    with pytest.raises(InputError):
        book.mark([SYMBOL], Decimal("100.01"))  # type: ignore[arg-type]
    assert [mark.price for mark in book.marks()] == [Decimal("100.00")]


def test_an_older_and_a_future_mark_are_treated_as_before(book: onebook.Book, clock: FakeClock) -> None:
    watched(book, NO_PRICE)
    book.mark(SYMBOL, Decimal("101.00"), at=clock.now - 1)
    assert [mark.price for mark in book.marks()] == [Decimal("100.00")]
    with pytest.raises(InputError):
        book.mark(SYMBOL, Decimal("101.00"), at=clock.now + 3600 * 10**9)
    clock.advance(-60)
    book.mark(SYMBOL, Decimal("102.00"))
    assert [mark.price for mark in book.marks()] == [Decimal("100.00")]


def test_a_closed_book_takes_no_mark_quietly(tmp_path: Path) -> None:
    book = onebook.open(tmp_path / "closed.db")
    for _ in range(3):
        book.mark(SYMBOL, Decimal("1.00"))
    book.close()
    with pytest.raises(StoreClosed):
        book.mark(SYMBOL, Decimal("1.00"))


def test_bounds_told_before_the_log_grew_do_not_replace_those_told_after(book: onebook.Book) -> None:
    watch = Watch((Decimal(99), Decimal(101)))

    def late(instrument: str, price: Decimal, at_ns: int, source: str) -> Bounds:
        if price == Decimal("100.50"):
            book.record(fill(2, instrument="ETH/USD"))
            for inner in ("100.20", "100.30"):
                book.mark(SYMBOL, Decimal(inner))
            return NO_PRICE
        return watch(instrument, price, at_ns, source) or NO_PRICE

    book.hook_marks(late, on=True)
    for price in ("100.50", "100.40", "102.00"):
        book.mark(SYMBOL, Decimal(price))
    assert Decimal("102.00") in watch.told


def test_a_total_that_was_read_anew_moves_with_the_next_quiet_mark(book: onebook.Book) -> None:
    watched(book, NO_PRICE)
    book.record(fill(2, instrument="ETH/USD"))
    for price in ("101.00", "102.00", "103.00"):
        book.mark(SYMBOL, Decimal(price))
        assert price != "102.00" or book.unrealized() == {"USD": Decimal("4.00")}
    assert book.unrealized() == {"USD": Decimal("6.00")}


def test_a_stretch_that_ended_begins_anew_with_the_next_mark(book: onebook.Book, clock: FakeClock) -> None:
    watched(book, NO_PRICE)
    clock.advance(0.1)
    book._marks.cut(SYMBOL)  # as for a fill that is refused then
    for price in ("101.00", "102.00"):
        book.mark(SYMBOL, Decimal(price))
    assert book._marks.extremes(SYMBOL, clock.now) == (Decimal(102), Decimal(101))


def test_the_last_mark_of_a_minute_is_kept_though_it_came_quietly(book: onebook.Book, clock: FakeClock) -> None:
    clock.advance(59.9)
    watched(book, NO_PRICE)
    for price in ("101.00", "102.00"):
        book.mark(SYMBOL, Decimal(price))
    ended = clock.now
    clock.advance(0.2)
    book.mark(SYMBOL, Decimal("150.00"))
    book.share_marks()
    with book.store.reading() as reader:
        assert reader.mark_at(SYMBOL, ended) == ("102", ended)


def test_the_last_quiet_mark_is_shared_though_no_other_follows(book: onebook.Book) -> None:
    watched(book, NO_PRICE)
    for price in ("101.00", "102.00"):
        book.mark(SYMBOL, Decimal(price))
        book.share_marks()
        with book.store.reading() as reader:
            assert [row[1] for row in reader.marks()] == [price.removesuffix(".00")]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_the_total_is_the_sum_of_the_positions(tmp_path: Path, seed: int) -> None:
    chance, clock = random.Random(seed), FakeClock("2026-01-05T12:00:00Z")
    names = ("BTC/USD", "ETH/EUR", "AAPL", "BTC/USD:BTC")
    seen: dict[str, list[Decimal]] = {}
    with onebook.open(tmp_path / "any.db", clock=clock) as book:
        for number in range(250):
            clock.advance(chance.choice([0, 0, 0.01, 0.2, 1, 40]))
            name = chance.choice(names)
            deed = chance.random()
            if deed < 0.08:
                side, quantity = chance.choice(["buy", "sell"]), chance.choice(["1", "0.5", "2"])
                strategy, price = chance.choice(["", "a", "b"]), chance.randint(90, 110)
                book.record(fill(number, instrument=name, side=side, quantity=quantity, strategy=strategy, price=price))
                seen.pop(name, None)
            elif deed < 0.1:
                book.watch_again(chance.choice([None, name]))
            else:
                price_ = Decimal(chance.randint(9_000, 11_000)).scaleb(-chance.choice([2, 2, 2, 1]))
                at = chance.choice([None, None, None, clock.now, clock.now - 5])
                before = {mark.instrument: mark.price for mark in book.marks()}.get(name)
                book.mark(name, chance.choice([price_, price_, str(price_)]), at=at)
                now = {mark.instrument: mark.price for mark in book.marks()}[name]
                assert now in {price_, before}
                seen.setdefault(name, []).append(now)
            sums: dict[str, Decimal] = {}
            for item in book.positions():
                if item.unrealized_pnl is not None:
                    sums[item.currency] = sums.get(item.currency, Decimal(0)) + item.unrealized_pnl
            assert {key: value for key, value in book.unrealized().items() if value} == {
                key: value for key, value in sums.items() if value
            }
        for name, prices in seen.items():
            book.record(fill(1_000, instrument=name, quantity="0.001", client_fill_id=f"end-{name}"))
            mark = book._marks.get(name)
            assert mark is not None
            assert mark.past[-1][1:] == (max(prices), min(prices))


def test_marks_and_fills_of_many_threads_add_up(tmp_path: Path) -> None:
    with onebook.open(tmp_path / "threads.db", config={"synchronous": "normal"}) as book:
        names = [f"COIN{number}/USD" for number in range(4)]
        for name in names:
            book.record(fill(1, instrument=name, client_fill_id=f"first-{name}"))
        problems: list[BaseException] = []
        ended = threading.Event()

        def marking(seed: int) -> None:
            chance = random.Random(seed)
            try:
                for _ in range(1_500):
                    book.mark(chance.choice(names), Decimal(chance.randint(9_000, 11_000)).scaleb(-2))
                    assert -10_000 <= book.unrealized()["USD"] <= 10_000
            except BaseException as problem:
                problems.append(problem)
                raise

        def filling() -> None:
            number = 0
            while not ended.is_set() and number < 400:
                number += 1
                side = "buy" if number % 2 else "sell"
                book.record(fill(number, instrument=names[number % 4], side=side, quantity="1", strategy="x"))

        workers = [threading.Thread(target=marking, args=(seed,)) for seed in range(4)]
        other = threading.Thread(target=filling)
        for worker in (*workers, other):
            worker.start()
        for worker in workers:
            worker.join(60)
        ended.set()
        other.join(60)
        assert problems == []
        shown = sum((item.unrealized_pnl or Decimal(0) for item in book.positions()), Decimal(0))
        assert book.unrealized() == {"USD": shown}
