"""What users of other systems ran into: each a test, named after what was reported."""

import multiprocessing
import random
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import Account, BookSettings, Fill, FundingPayment, OpeningBalance, Order, OrderUpdate, Rate
from onebook.testing.clock import FakeClock

PERPETUAL = "BTC/USDT:USDT"


def fill(side: str, quantity: Any, price: Any, **changes: Any) -> Fill:
    given: dict[str, Any] = {"instrument": "BTC/USDT", "occurred_at": "2024-06-03T10:00:00Z", "venue": "v"} | changes
    return Fill(side=side, quantity=quantity, price=price, **given)


def held(book: onebook.Book, instrument: str = "BTC/USDT", **where: Any) -> onebook.Position:
    position = book.position(instrument, **where)
    assert position is not None
    return position


def at(minute: int, day: int = 3) -> str:
    return f"2024-06-{day:02d}T{9 + minute // 60:02d}:{minute % 60:02d}:00Z"


# ---- lost fills ----


def test_database_is_locked_at_quick_entries(tmp_path: Path) -> None:
    """freqtrade 7184: "database is locked", the row lost while the order lives. 8 threads, 200 facts each."""
    path = tmp_path / "book.db"
    with onebook.open(path, config={"synchronous": "normal"}) as book:

        def work(number: int) -> list[int]:
            receipts = [
                book.record(
                    fill(
                        "buy",
                        1,
                        100 + number,
                        strategy=f"s{number}",
                        venue_fill_id=f"{number}-{index}",
                        occurred_at=None,
                    )
                )
                for index in range(200)
            ]
            assert {receipt.status for receipt in receipts} == {"recorded"}
            return [receipt.sequence for receipt in receipts]

        with ThreadPoolExecutor(8) as pool:
            sequences = list(pool.map(work, range(8)))
        assert all(mine == sorted(mine) for mine in sequences)
        assert sorted(sequence for mine in sequences for sequence in mine) == list(range(1, 1601))
        for number in range(8):
            position = held(book, strategy=f"s{number}")
            assert (position.quantity, position.cost_basis) == (200, 200 * (100 + number))
        report = book.verify()
        assert (report.ok, report.entries) == (True, 1600)


def _record_shared(path: str, number: int, answers: Any) -> None:
    """One process: 210 facts of its own and 90 that all have, in an order of its own."""
    own = [
        fill("buy", 1, 100, strategy=f"s{number}", venue_fill_id=f"own-{number}-{index}", occurred_at=None)
        for index in range(210)
    ]
    shared = [
        fill("sell", "0.5", 90, strategy="shared", venue_fill_id=f"shared-{index}", occurred_at=None)
        for index in range(90)
    ]
    facts = own + shared
    random.Random(number).shuffle(facts)
    with onebook.open(path, config={"synchronous": "normal", "busy_seconds": 60}) as book:
        found = Counter(book.record(fact).status for fact in facts[:60])
        report = book.record_many(facts[60:])
        assert report.refused == ()
        found.update(recorded=report.recorded, exists=report.exists, conflict=report.conflicts)
    answers.put((found["recorded"], found["exists"], found["conflict"]))


def test_many_processes_on_one_file(tmp_path: Path) -> None:
    """freqtrade 7184 again: 8 processes, 300 facts each, 30 % the same; each once, no gaps, positions exact."""
    path = str(tmp_path / "book.db")
    onebook.open(path).close()
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    workers = [context.Process(target=_record_shared, args=(path, number, answers)) for number in range(8)]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    total = 8 * 210 + 90
    assert [sum(column) for column in zip(*found, strict=True)] == [total, 8 * 300 - total, 0]
    with onebook.open(path) as book:
        rows = book.sql("SELECT sequence FROM entries ORDER BY sequence")
        assert [row["sequence"] for row in rows] == list(range(1, total + 1))
        for number in range(8):
            assert held(book, strategy=f"s{number}").quantity == 210
        shared = held(book, strategy="shared")
        assert (shared.quantity, shared.cost_basis) == (-45, 45 * 90)
        report = book.verify()
        assert (report.ok, report.entries) == (True, total)


# ---- booked twice ----


@pytest.mark.parametrize("order", [(0, 1, 0), (1, 0, 1)], ids=["rest first", "stream first"])
def test_rest_and_stream_book_the_same_fill(book: onebook.Book, order: tuple[int, ...]) -> None:
    """hummingbot 2945, 4990: the same trade from the stream and from polling counted twice."""
    reports = [
        fill("buy", 1, 100, venue_order_id="o", venue_fill_id="7", fee="0.1", occurred_at="2024-06-03T10:00:00.250Z"),
        fill("buy", "1.0", "100.00", venue_fill_id="7", occurred_at="2024-06-03T10:00:00Z"),
    ]
    assert [book.record(reports[index]).status for index in order] == ["recorded", "exists", "exists"]
    assert (held(book).quantity, held(book).fees) == (1, Decimal("0.1"))


def test_the_history_is_sent_again_after_a_restart(tmp_path: Path) -> None:
    """Lean Alpaca PR 61, hummingbot 1663: a reconnect replays the day's fills."""
    fills = [fill("buy", 1, 100 + number, venue_fill_id=str(number), occurred_at=at(number)) for number in range(20)]
    for _ in range(3):
        with onebook.open(tmp_path / "book.db") as book:
            book.record_many(fills)
            assert (held(book).quantity, book.status().entries) == (20, 20)


def test_a_fill_comes_again_forty_minutes_later(book: onebook.Book, clock: FakeClock) -> None:
    """ccxt 18854: watchMyTrades sends a trade a second time, 40 minutes later, after many others."""
    first = book.record(fill("buy", 1, 100, venue_fill_id="first"))
    book.record_many(
        fill("buy", 1, 100, venue_fill_id=str(number), occurred_at=at(60 + number % 60)) for number in range(500)
    )
    clock.advance(2400)
    again = book.record(fill("buy", 1, 100, venue_fill_id="first"))
    assert (again.status, again.sequence, held(book).quantity) == ("exists", first.sequence, 501)


# ---- ids reused ----


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"venue_order_id": "o1"}, {"venue_order_id": "o2"}),
        ({"venue_order_id": "o1"}, {"venue_order_id": "o1", "side": "sell"}),
    ],
    ids=["two orders", "both sides"],
)
def test_one_trade_id_in_two_places(book: onebook.Book, first: dict[str, Any], second: dict[str, Any]) -> None:
    """hummingbot PR 278 (a self-trade's buy and sell share one id), nautilus 3450 (one id, several orders)."""
    for changes in (first, second, first, second):
        given: dict[str, Any] = {"side": "buy", "quantity": 1, "price": 100, "venue_fill_id": "7"} | changes
        book.record(fill(**given))
    assert len(book.fills()) == 2


def test_one_trade_id_for_several_partial_fills(book: onebook.Book) -> None:
    """hummingbot 5037, 5633: the venue gives every partial fill of an order one id. Visible, never silently lost."""
    statuses = [
        book.record(fill("buy", quantity, 100, venue_order_id="o", venue_fill_id="7")).status
        for quantity in ("1", "2", "2", "1")
    ]
    assert statuses == ["recorded", "conflict", "conflict", "exists"]
    assert (book.status().conflicts, book.status().breaks) == (1, 1)
    assert book.breaks()[0].kind == "conflict"


# ---- late fills ----


@pytest.mark.parametrize("terminal", ["canceled", "rejected", "expired"])
def test_a_fill_after_the_order_had_ended(book: onebook.Book, terminal: str) -> None:
    """hummingbot 5826, 4738, 7140; nautilus 3949: a fill after cancel or fail was dropped and the position drifted."""
    book.record(Order(instrument="BTC/USDT", side="buy", quantity=2, client_order_id="o"))
    book.record(OrderUpdate(client_order_id="o", status=terminal))
    book.record(fill("buy", 1, 100, client_order_id="o", venue_fill_id="1"))
    assert (book.orders()[0].status, book.orders()[0].filled_quantity) == (terminal, 1)
    book.record(fill("buy", 1, 100, client_order_id="o", venue_fill_id="2"))
    assert (book.orders()[0].status, held(book).quantity) == ("filled", 2)


def test_a_fill_before_the_acknowledgement(book: onebook.Book) -> None:
    """nautilus 3957, 4076: the fill is here before the venue's ack, or before the order itself."""
    book.record(fill("buy", 1, 100, client_order_id="o", venue_fill_id="1"))
    book.record(Order(instrument="BTC/USDT", side="buy", quantity=2, client_order_id="o"))
    assert book.orders()[0].status == "partially_filled"
    book.record(OrderUpdate(client_order_id="o", status="new", venue_order_id="V"))
    order = book.orders()[0]
    assert (order.status, order.filled_quantity) == ("partially_filled", 1)
    book.record(fill("buy", 1, 100, venue_order_id="V", venue_fill_id="2"))
    assert (book.orders()[0].status, held(book).quantity) == ("filled", 2)


# ---- restarts ----


def test_a_restart_at_any_moment(tmp_path: Path) -> None:
    """nautilus 4736, 3046, 3081, 3878; cassandre 470: state differs after a restart, old positions sent again."""
    source = random.Random(7)
    always = onebook.open(":memory:", clock=FakeClock("2024-07-01T00:00:00Z"))
    for number in range(30):
        side = source.choice(["buy", "sell"])
        fact = fill(
            side,
            source.randrange(1, 5),
            source.randrange(90, 110),
            venue_fill_id=str(number),
            occurred_at=at(source.randrange(300)),
        )
        always.record(fact)
        with onebook.open(
            tmp_path / "book.db", clock=FakeClock("2024-07-01T00:00:00Z"), config={"synchronous": "normal"}
        ) as book:
            entries = book.status().entries
            receipt = book.record(fact)
            assert (receipt.sequence, book.status().entries) == (entries + 1, entries + 1)
            assert book.positions() == always.positions()
    with onebook.open(tmp_path / "book.db") as book:
        assert book.round_trips() == always.round_trips()
        assert book.daily_pnl() == always.daily_pnl()
        assert book.verify().ok
    always.close()


def test_synthetic_ids_are_the_same_on_each_run() -> None:
    """nautilus 3081: reconciliation made new ids on every start, and every start booked again."""
    bare = fill("buy", 1, 100)
    assert onebook.content_id(bare) == onebook.content_id(bare.replaced(quantity="1.0", note="again"))
    others = [bare.replaced(price=101), bare.replaced(side="sell"), bare.replaced(occurred_at=at(61))]
    assert len({onebook.content_id(item) for item in (bare, *others)} | {onebook.content_id(bare, 1)}) == 5


# ---- flips, partial exits, means ----


def test_a_flip_realizes_the_closed_part_only(book: onebook.Book) -> None:
    """nautilus 1083, 963, 2657, 4056, 719, 2856: flips lost the realized part, or opened at the old average."""
    book.record(fill("buy", 2, 100, instrument="AAPL", fee=1, venue_fill_id="1", occurred_at=at(0)))
    flip = book.record(fill("sell", 5, 110, instrument="AAPL", fee=5, venue_fill_id="2", occurred_at=at(1)))
    types = [event.type for event in flip.events]
    assert types == ["trade_executed", "position_closed", "position_updated"]
    position = held(book, "AAPL")
    assert (position.quantity, position.average_price, position.realized_pnl_gross) == (-3, 110, 20)
    closed, opened = book.round_trips()
    assert (closed.fees, closed.net, opened.fees, opened.id) == (3, 17, 3, flip.sequence)


def test_partial_exits_use_what_was_paid(book: onebook.Book) -> None:
    """freqtrade 7178, 7287, 7444, 8374, 8526, 12343; Lean 3386: partial exits at wrong amounts and rates."""
    for number, (side, quantity, price) in enumerate(
        [("buy", 100, 10), ("sell", 50, 12), ("buy", 50, 8), ("sell", 60, 11), ("sell", 40, 9)]
    ):
        book.record(fill(side, quantity, price, fee="0.1", venue_fill_id=str(number), occurred_at=at(number)))
    position, trip = held(book), book.round_trips()[0]
    # 50 of 1000 for 500 gain 100; 50 + 50 cost 900; 60 cost 540 and bring 660; 40 cost 360 and bring 360.
    assert (position.realized_pnl_gross, position.fees, trip.gross, trip.net) == (
        220,
        Decimal("0.5"),
        220,
        Decimal("219.5"),
    )
    assert (trip.entry_price, trip.exit_price) == (Decimal("9.333333333333333333"), Decimal("10.8"))


def test_means_are_weighted(book: onebook.Book) -> None:
    """OctoBot takes the plain mean of exit prices."""
    for number, (side, quantity, price) in enumerate([("buy", 10, 100), ("sell", 9, 110), ("sell", 1, 200)]):
        book.record(fill(side, quantity, price, venue_fill_id=str(number), occurred_at=at(number)))
    assert book.round_trips()[0].exit_price == 119


def test_every_fills_fee_counts(book: onebook.Book) -> None:
    """Lean's TradeBuilder keeps only the first fill's fee."""
    for number, side in enumerate(["buy", "buy", "sell", "sell"]):
        book.record(fill(side, 1, 100, fee=number + 1, venue_fill_id=str(number), occurred_at=at(number)))
    assert (book.round_trips()[0].fees, held(book).fees) == (10, 10)


# ---- fees ----


def test_a_fee_in_the_base_asset_is_not_taken_twice(book: onebook.Book) -> None:
    """freqtrade 606, 1371, 4324; hummingbot 2710: the fee reduced the amount and was charged again in quote."""
    book.record(fill("buy", 1, 100, fee="0.001", fee_currency="BTC"))
    position = held(book)
    assert (position.quantity, position.cost_basis, position.fees, position.fees_in_base) == (
        Decimal("0.999"),
        100,
        0,
        Decimal("0.001"),
    )
    assert {row.asset: row.amount for row in book.balances()} == {"BTC": Decimal("0.999"), "USDT": -100}


def test_one_fee_asset_serves_many_instruments(book: onebook.Book) -> None:
    """freqtrade 2817, 7586; hummingbot 3202: the fee asset is traded too, and pays the fees of other pairs."""
    book.record(Rate(base="BNB", quote="USDT", price="600", occurred_at=at(0)))
    book.record(fill("buy", 1, 600, instrument="BNB/USDT", fee="0.001", fee_currency="BNB", occurred_at=at(1)))
    book.record(fill("buy", 1, 100, fee="0.01", fee_currency="BNB", occurred_at=at(2)))
    book.record(fill("buy", 1, 50, instrument="ETH/USDT", fee="0.02", fee_currency="BNB", occurred_at=at(3)))
    assert (held(book).fees, held(book, "ETH/USDT").fees) == (6, 12)
    assert held(book, "BNB/USDT").quantity == Decimal("0.999")
    assert {row.asset: row.amount for row in book.balances()}["BNB"] == Decimal("0.969")


def test_a_negative_fee_is_a_rebate(book: onebook.Book) -> None:
    """hummingbot 7891, 8099; nautilus 657, 1805: maker rebates were charged, or dropped."""
    book.record(fill("buy", 1, 100, fee="-0.05"))
    assert (held(book).fees, held(book).realized_pnl) == (Decimal("-0.05"), Decimal("0.05"))
    assert book.balances()[-1].amount == Decimal("-99.95")


def test_a_fee_without_a_rate_is_not_taken_for_zero(book: onebook.Book) -> None:
    """freqtrade 1084: a fee whose currency has no rate became 0 without a word."""
    book.record(fill("buy", 1, 100, fee="0.01", fee_currency="BNB"))
    assert (held(book).fees, held(book).unvalued) == (0, (("BNB", Decimal("-0.01")),))
    assert book.status().unvalued == 1
    book.record(Rate(base="BNB", quote="USDT", price="600", occurred_at=at(0)))
    assert (held(book).fees, held(book).unvalued, book.status().unvalued) == (6, (), 0)


def test_dust_never_blocks_a_close(book: onebook.Book) -> None:
    """binance-trading-bot PR 754; nautilus 3774: what a fee left over kept the position open for ever."""
    book.record(fill("buy", "0.5", 100, occurred_at=at(0)))
    book.record(fill("sell", "0.5", 110, fee="0.0005", fee_currency="BTC", occurred_at=at(1)))
    position = held(book)
    assert (position.quantity, position.cost_basis, position.side) == (0, 0, "flat")
    assert not book.round_trips()[0].is_open
    assert [row.asset for row in book.balances()] == ["USDT"]
    assert book.lots("BTC/USDT", method="fifo").open == ()


# ---- funding ----


def test_two_instruments_are_funded_at_one_instant(book: onebook.Book) -> None:
    """hummingbot 5084: funding keyed by timestamp, so the second instrument's payment replaced the first's."""
    for instrument, amount in ((PERPETUAL, "-1"), ("ETH/USDT:USDT", "-2"), (PERPETUAL, "-1"), ("ETH/USDT:USDT", "-2")):
        book.record(
            FundingPayment(instrument=instrument, amount=amount, funding_id=f"{instrument} 10:00", occurred_at=at(60))
        )
    assert (held(book, PERPETUAL).funding, held(book, "ETH/USDT:USDT").funding) == (-1, -2)
    assert len(book.funding()) == 2


def test_funding_is_not_counted_again_by_a_partial_exit(book: onebook.Book) -> None:
    """freqtrade 13102, 13263, 13517: funding was added again at each partial exit."""

    def perpetual(side: str, quantity: int, price: int, minute: int) -> None:
        book.record(
            fill(side, quantity, price, instrument=PERPETUAL, venue_fill_id=f"{minute}", occurred_at=at(minute))
        )

    perpetual("buy", 4, 100, 0)
    book.record(FundingPayment(instrument=PERPETUAL, amount="-2", funding_id="f1", occurred_at=at(10)))
    perpetual("sell", 1, 110, 20)
    perpetual("sell", 1, 110, 30)
    book.record(FundingPayment(instrument=PERPETUAL, amount="-1", funding_id="f2", occurred_at=at(40)))
    perpetual("sell", 2, 110, 50)
    position, trip = held(book, PERPETUAL), book.round_trips()[0]
    assert (position.funding, position.realized_pnl) == (-3, 37)
    assert (trip.funding, trip.net) == (-3, 37)
    assert book.daily_pnl()[0].funding == -3


# ---- tiny prices ----


def test_a_price_of_a_millionth_of_a_millionth(tmp_path: Path) -> None:
    """freqtrade 12054 (the rate became 0), hummingbot 3093 (cut at six places)."""
    price = Decimal("0.000000000012")
    with onebook.open(tmp_path / "book.db") as book:
        book.record(fill("buy", "1000000000000", price, instrument="SHIB/USDT", fee="0.000000000000000001"))
    with onebook.open(tmp_path / "book.db") as book:
        position = held(book, "SHIB/USDT")
        assert (position.average_price, position.cost_basis, position.fees) == (price, 12, Decimal("1e-18"))
        assert book.fills()[0].price == price
        assert "0.000000000012" in book.sql("SELECT body FROM entries")[0]["body"]


# ---- days ----


@pytest.mark.parametrize(
    ("zone", "rolls_at", "moment", "day"),
    [
        ("UTC", "00:00", "2024-06-03T23:59:59.999999999Z", "2024-06-03"),
        ("Asia/Tokyo", "00:00", "2024-06-03T15:00:00Z", "2024-06-04"),
        ("America/New_York", "17:00", "2024-03-10T21:00:00Z", "2024-03-11"),
        ("America/New_York", "17:00", "2024-11-03T21:59:59Z", "2024-11-03"),
        ("America/New_York", "09:30", "2024-06-03T13:29:59Z", "2024-06-02"),
        ("Australia/Lord_Howe", "00:00", "2024-04-06T13:00:00Z", "2024-04-07"),
    ],
)
def test_the_day_a_profit_belongs_to(book: onebook.Book, zone: str, rolls_at: str, moment: str, day: str) -> None:
    """freqtrade 217, profit-trailer 409, PtTracker 61, 96, 103: days in the server's zone, an hour off after DST."""
    book.record(BookSettings(zone=zone, rolls_at=rolls_at))
    book.record(fill("buy", 1, 100, venue_fill_id="1", occurred_at="2024-01-03T10:00:00Z"))
    book.record(fill("sell", 1, 110, venue_fill_id="2", occurred_at=None).replaced(occurred_at=moment))
    assert [(row.day, row.net) for row in book.daily_pnl() if row.net] == [(day, 10)]
    assert [(row.day, row.net) for row in book.daily_pnl(since=day)] == [(day, 10)]


def test_profit_on_the_day_it_was_realized(book: onebook.Book) -> None:
    """freqtrade books the profit of all partial exits on the day of the last one."""
    for day, (side, quantity, price) in enumerate(
        [("buy", 3, 100), ("sell", 1, 110), ("sell", 1, 130), ("sell", 1, 90)], 3
    ):
        book.record(fill(side, quantity, price, venue_fill_id=str(day), occurred_at=at(0, day)))
    assert [(row.day[-2:], row.net, row.round_trips) for row in book.daily_pnl()] == [
        ("03", 0, 0),
        ("04", 10, 0),
        ("05", 30, 0),
        ("06", -10, 1),
    ]


# ---- many bots ----


def test_ten_bots_in_one_book(book: onebook.Book) -> None:
    """freqtrade 5038, 6436, 9782: several bots on one account mixed up each other's trades."""

    def bot(number: int) -> Iterable[Fill]:
        for index in range(6):
            side = "buy" if index % 2 == 0 else "sell"
            yield fill(
                side,
                number + 1,
                100 + index * number,
                strategy=f"bot{number}",
                venue_fill_id=f"{number}.{index}",
                occurred_at=at(index),
            )

    facts = [fact for number in range(10) for fact in bot(number)]
    random.Random(3).shuffle(facts)
    book.record_many(facts)
    for number in range(10):
        mine = held(book, strategy=f"bot{number}")
        # Three round trips, each (number + 1) units with a gain of `number` a unit.
        assert (mine.quantity, mine.realized_pnl) == (0, 3 * number * (number + 1))
        assert len(book.round_trips(strategy=f"bot{number}")) == 3
        assert len(book.fills(strategy=f"bot{number}")) == 6
        assert sum(row.net for row in book.daily_pnl(strategy=f"bot{number}")) == mine.realized_pnl
    assert held(book).realized_pnl == sum(3 * number * (number + 1) for number in range(10))


# ---- paper ----


def test_paper_money_moves_survives_and_never_touches_live(tmp_path: Path) -> None:
    """hummingbot 2633, banbot 81, simmer-sdk 345: a paper balance that never moves, is lost, or leaks into live."""
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        book.record(BookSettings(base_currency="USDT"))
        book.record(Account(name="practice", kind="paper"))
        for account, amount in (("main", 1000), ("practice", 5000)):
            book.record(
                OpeningBalance(currency="USDT", amount=amount, account=account, balance_id="start", occurred_at=at(0))
            )
        book.record(fill("buy", 1, 100, account="practice", venue_fill_id="1", occurred_at=at(1)))
        book.record(fill("sell", 1, 150, account="practice", venue_fill_id="2", occurred_at=at(2)))
    with onebook.open(path) as book:
        balances = {(row.account, row.asset): row.amount for row in book.balances()}
        assert balances == {("main", "USDT"): 1000, ("practice", "USDT"): 5050}
        assert (book.equity().amount, book.equity(account="practice").amount) == (1000, 5050)
        assert book.daily_pnl() == []
        assert [row.net for row in book.daily_pnl(account="practice")] == [50]
        assert book.position("BTC/USDT") is None
