"""Limits: computed from the book, so that they hold for everything covered, across threads and processes."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.trading.desks import child, fill, no, ok, order, place, together, update, whole

import onebook
from onebook import Account, Fill, Instrument, Limits, Rate
from onebook.errors import InputError
from onebook.testing import FakeClock


def test_max_position_counts_what_is_held_and_every_open_order(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_position=10)
    fill(book, "buy", 4, strategy="a")
    ok(place(book, "buy", 3, strategy="b", client_order_id="one"))
    refused = no(place(book, "buy", 4, strategy="c"), "max_position", would_be="11", max_position="10")
    assert refused.text == "the units of AAPL held of the book would be 11, the limit is 10"
    ok(place(book, "buy", 3, strategy="c", client_order_id="two"))
    update(book, "one", "new")
    fill(book, "buy", 2, strategy="b", client_order_id="one", venue="v", venue_fill_id="1")
    no(place(book, "buy", 1, strategy="c"), "max_position")
    update(book, "one", "canceled")
    ok(place(book, "buy", 1, strategy="c"))
    no(place(book, "buy", 1, strategy="c"), "max_position")
    whole(book)


def test_max_position_holds_on_the_short_side_too(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_position=10, strategy="a")
    fill(book, "sell", 8, strategy="a")
    ok(place(book, "sell", 2, strategy="a"))
    no(place(book, "sell", 1, strategy="a"), "max_position", would_be="11")
    ok(place(book, "buy", 18, strategy="a", client_order_id="flip"))
    no(place(book, "buy", 1, strategy="a"), "max_position", would_be="11")
    ok(place(book, "sell", 50, strategy="b"))


def test_an_order_of_another_account_that_holds_nothing_counts(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_position=10)
    ok(place(book, "buy", 8, account="one"))
    no(place(book, "buy", 8, account="two"), "max_position", would_be="16")
    book.trading.limits.set(max_exposure=1000, max_position=None)
    no(place(book, "buy", 8, account="two"), "max_exposure", would_be="1600")


def test_live_and_paper_never_add_up(book: onebook.Book) -> None:
    book.record(Account(name="paper", kind="paper", currency="USD"))
    book.mark("AAPL", 100)
    book.mark("MSFT", 100)
    book.trading.limits.set(max_position=10, max_exposure=1000, max_orders=3, per_seconds=60)
    fill(book, "buy", 9, account="live")
    ok(place(book, "buy", 9, account="paper"))
    no(place(book, "buy", 2, account="live"), "max_position", would_be="11")
    no(place(book, "buy", 2, account="paper"), "max_position", would_be="11")
    no(place(book, "buy", 2, "MSFT", account="live"), "max_exposure", would_be="1100")
    ok(place(book, "buy", 1, account="live"))
    ok(place(book, "buy", 1, account="paper"))


def test_of_an_oco_group_the_largest_counts(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_position=10, max_exposure=1000)
    ok(place(book, "buy", 6, kind="limit", limit_price=90, group_id="g"))
    ok(place(book, "buy", 10, kind="stop", stop_price=110, group_id="g"))
    no(place(book, "buy", 1), "max_position", would_be="11")
    no(place(book, "buy", 11, group_id="g"), "max_position", would_be="11")


def test_exits_of_a_bracket_do_not_count(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_position=10)
    ok(place(book, "buy", 8, client_order_id="entry"))
    ok(place(book, "sell", 8, parent_id="entry", group_id="g", kind="stop", stop_price=90))
    ok(place(book, "sell", 8, parent_id="entry", group_id="g", kind="limit", limit_price=120))
    ok(place(book, "sell", 10, strategy="other"))


def test_max_notional_is_of_one_instrument_in_the_books_currency(book: onebook.Book) -> None:
    book.mark("AAPL", "99.5")
    book.mark("MSFT", 50)
    book.trading.limits.set(max_notional=1000, account="main")
    ok(place(book, "buy", 10))
    refused = no(place(book, "buy", "0.06"), "max_notional", would_be="1000.97")
    assert refused.text == "the worth of AAPL of main would be 1000.97, the limit is 1000"
    ok(place(book, "buy", 20, "MSFT"))
    ok(place(book, "buy", 100, account="other"))


def test_max_exposure_adds_long_and_short_up(book: onebook.Book) -> None:
    for name in ("AAPL", "MSFT", "TSLA"):
        book.mark(name, 100)
    book.trading.limits.set(max_exposure=1000)
    fill(book, "buy", 4, strategy="a")
    fill(book, "sell", 3, instrument="MSFT", strategy="b")
    ok(place(book, "buy", 2, "TSLA", strategy="c"))
    no(place(book, "buy", 2, "TSLA", strategy="c"), "max_exposure", would_be="1100")
    no(place(book, "sell", 2, strategy="z"), "max_exposure", would_be="1100")
    ok(place(book, "sell", 1, strategy="z"))
    ok(place(book, "sell", 8, strategy="a", client_order_id="flip"))


def test_what_is_held_without_a_mark_makes_the_exposure_unknown(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    fill(book, "buy", 1, instrument="MSFT")
    book.trading.limits.set(max_exposure=1000)
    refused = no(place(book, "buy"), "no_mark")
    assert refused.text == "MSFT is held and has no mark, so the exposure is not known"
    book.mark("MSFT", 100)
    ok(place(book, "buy"))


def test_another_settlement_currency_is_valued_by_its_rate(book: onebook.Book, clock: FakeClock) -> None:
    book.record(Instrument(symbol="SAP", kind="equity", base="SAP", quote="EUR"))
    book.mark("SAP", 100)
    book.trading.limits.set(max_notional=1000)
    refused = no(place(book, "buy", 1, "SAP"), "no_rate", currency="EUR")
    assert refused.text == "no rate values EUR in USD; record one: onebook record rate"
    book.record(Rate(base="EUR", quote="USD", price="1.25", occurred_at="2024-06-03T11:00:00Z"))
    ok(place(book, "buy", 8, "SAP"))
    no(place(book, "buy", 1, "SAP"), "max_notional", would_be="1125")
    book.mark("EUR/USD", "1.1")
    ok(place(book, "buy", 1, "SAP"))
    book.trading.limits.set(max_notional=None, max_position=50)
    clock.advance(1)
    ok(place(book, "buy", 40, "SAP"))


def test_units_alone_need_no_rate(book: onebook.Book) -> None:
    book.mark("BTC/USDT", 100)
    book.trading.limits.set(max_position=5)
    ok(place(book, "buy", 5, "BTC/USDT"))


def test_contracts_are_worth_their_size_times_price_or_by_it_where_inverse(book: onebook.Book) -> None:
    linear = Instrument(symbol="LIN", kind="perpetual", base="BTC", quote="USD", settle="USD", contract_size="0.01")
    book.record(linear)
    book.record(linear.replaced(symbol="INV", settle="BTC", contract_size=100))
    book.record(Rate(base="BTC", quote="USD", price=50_000))
    book.mark("LIN", 50_000)
    book.mark("INV", 50_000)
    book.trading.limits.set(max_notional=1000)
    ok(place(book, "buy", 2, "LIN"))
    no(place(book, "buy", 1, "LIN"), "max_notional", would_be="1500")
    ok(place(book, "sell", 10, "INV"))
    no(place(book, "sell", 1, "INV"), "max_notional", would_be="1100")
    book.trading.limits.set(max_notional=None, max_exposure=2100)
    no(place(book, "sell", 2, "INV"), "max_exposure", would_be="2200")
    ok(place(book, "sell", 1, "INV"))


def test_the_order_rate_counts_what_was_sent_not_what_was_denied(book: onebook.Book, clock: FakeClock) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_orders=2, per_seconds=10, max_position=5, strategy="a", max_mark_age_seconds=0)
    ok(place(book, "buy", strategy="a"))
    clock.advance(5)
    for _ in range(3):
        no(place(book, "buy", 9, strategy="a"), "max_position")
    ok(place(book, "buy", strategy="a"))
    refused = no(place(book, "buy", strategy="a"), "order_rate", orders=2, max_orders=2)
    assert refused.text == "2 orders of a in the last 10 s are the limit"
    ok(place(book, "buy", strategy="b"))
    clock.advance(Decimal("5.000000001"))
    ok(place(book, "buy", strategy="a"))
    no(place(book, "buy", strategy="a"), "order_rate")


def test_limits_of_one_instrument_and_of_all_hold_together(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.mark("MSFT", 100)
    book.trading.limits.set(max_position=10)
    book.trading.limits.set(max_position=2, instrument="AAPL", strategy="a")
    no(place(book, "buy", 3, strategy="a"), "max_position", max_position="2")
    ok(place(book, "buy", 3, "MSFT", strategy="a"))
    ok(place(book, "buy", 3, strategy="b"))


def test_limits_are_set_field_by_field_and_cleared(book: onebook.Book) -> None:
    limits = book.trading.limits
    assert len(limits) == 0
    limits.set(max_position=5, account="main")
    assert limits.set(max_notional=7, account="main") == Limits(account="main", max_position=5, max_notional=7)
    assert list(limits) == [Limits(account="main", max_position=5, max_notional=7)]
    limits.set(max_position=None, account="main")
    assert list(limits) == [Limits(account="main", max_notional=7)]
    entries = book.status().entries
    limits.set(max_notional=7, account="main")
    assert book.status().entries == entries
    limits.clear(account="main")
    assert not list(limits)
    book.mark("AAPL", 100)
    ok(place(book, "buy", 1000))
    limits.set(max_notional=7, account="main")
    assert len(limits) == 1
    whole(book)


@pytest.mark.parametrize(
    ("figures", "field"),
    [
        ({"max_position": -1}, "max_position"),
        ({"max_position": 1.5}, "max_position"),
        ({"max_orders": 5}, "max_orders"),
        ({"per_seconds": 5}, "max_orders"),
        ({"max_orders": 0, "per_seconds": 5}, "max_orders"),
        ({"max_daily_loss": "much"}, "max_daily_loss"),
        ({"instrument": "AAPL", "max_daily_loss": 5}, "instrument"),
        ({"max_positions": 5}, "max_positions"),
        ({"account": 5, "max_position": 1}, "account"),
    ],
)
def test_limits_that_cannot_be_are_refused(book: onebook.Book, figures: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        book.trading.limits.set(**figures)
    assert refused.value.field == field
    assert book.status().entries == 0


def test_eight_threads_cannot_use_the_last_of_a_limit_together(book: onebook.Book) -> None:
    book.mark("AAPL", 100)
    book.trading.limits.set(max_position=20, max_mark_age_seconds=0)
    book.trading.limits.set(account="main", instrument="AAPL", max_orders=15, per_seconds=3600)

    def run(name: int) -> int:
        answers = [book.trading.place(order("buy", 1, strategy=f"s{name}")) for _ in range(10)]
        assert {getattr(item, "reason", "") for item in answers} <= {"", "order_rate", "max_position"}
        return sum(item.ok for item in answers)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(8))) == 15


@pytest.mark.parametrize(("limits", "passed"), [({"max_position": 7}, 7), ({"max_orders": 5, "per_seconds": 3600}, 5)])
def test_two_processes_cannot_use_the_last_of_a_limit_together(
    tmp_path: Path, limits: dict[str, Any], passed: int
) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        book.mark("AAPL", 100)
        book.trading.limits.set(max_mark_age_seconds=0, **limits)
        book.share_marks()
        said = together(child(path, "place", "10", "one"), child(path, "place", "10", "two"))
        assert sum(map(int, said)) == passed
        assert sum(item.is_open for item in book.orders()) == passed
        whole(book)


@given(
    st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 8), st.sampled_from("ab"), st.integers(0, 9)),
        max_size=25,
    )
)
@example([("sell", 4, "a", 0), ("buy", 3, "a", 1), *[("buy", 1, "a", 1)] * 8])
def test_whatever_fills_a_strategy_never_passes_its_limit(wishes: list[tuple[str, int, str, int]]) -> None:
    """After every order the limit holds even if all that is open on one side fills, and nothing on the other.

    The gate lets exits out as ``reduce_only``: of these a venue fills no more than there is to reduce.
    """
    with onebook.open(":memory:", clock=FakeClock()) as book:
        book.mark("AAPL", 100)
        book.trading.limits.set(max_position=6, strategy="a")
        for number, (side, quantity, strategy, which) in enumerate(wishes):
            place(book, side, quantity, strategy=strategy, client_order_id=str(number))
            waiting = book.orders(is_open=True)
            for item in waiting[which : which + 1]:
                filled = item.quantity - item.filled_quantity
                if item.reduce_only:
                    held = held_by(book, item.strategy)
                    filled = min(filled, max(-held if item.side == "buy" else held, Decimal(0)))
                if filled:
                    names = {"strategy": item.strategy, "client_order_id": item.client_order_id}
                    book.record(Fill(instrument="AAPL", side=item.side, quantity=filled, price=100, **names))
            has = held_by(book, "a")
            rest = [item for item in book.orders(is_open=True, strategy="a") if not item.reduce_only]
            open_of = {side: sum(item.quantity for item in rest if item.side == side) for side in ("buy", "sell")}
            assert has + open_of["buy"] <= 6
            assert has - open_of["sell"] >= -6


def held_by(book: onebook.Book, strategy: str) -> Decimal:
    position = book.position("AAPL", strategy=strategy)
    return Decimal(0) if position is None else position.quantity
