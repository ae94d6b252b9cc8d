"""Points of the equity curve are kept between questions, and are never older than what changed them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import onebook
from onebook import Account, Book, CashMovement, Fill, OpeningBalance, Order, Rate, Token
from onebook.book import kept_points
from onebook.book.curve import Curve
from onebook.testing import FakeClock

SPAN = ("2026-03-01T00:00:00Z", "2026-03-10T00:00:00Z", timedelta(days=1))


def fill(day: int, side: str = "buy", **given: Any) -> Fill:
    given = {"instrument": "AAPL", "quantity": "1", "price": "100"} | given
    return Fill(side=side, occurred_at=f"2026-03-{day:02}T12:00:00Z", **given)


def started() -> Book:
    book = onebook.open(":memory:", clock=FakeClock("2026-03-12T12:00:00Z"))
    book.record(OpeningBalance(balance_id="b", currency="USD", amount="1000", occurred_at="2026-03-01T00:00:00Z"))
    book.record(fill(2))
    book.mark("AAPL", "110", at="2026-03-03T12:00:00Z")
    return book


def fresh(book: Book) -> list[Any]:
    """The same points computed with nothing kept."""
    return book.as_of(book.status().entries).equity_curve(*SPAN)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Moments that were computed."""
    moments: list[int] = []
    plain = Curve.at

    def counted(self: Curve, moment: int) -> Any:
        moments.append(moment)
        return plain(self, moment)

    monkeypatch.setattr(Curve, "at", counted)
    return moments


def test_a_point_is_computed_once_while_nothing_before_it_changes(computed: list[int]) -> None:
    with started() as book:
        first = book.equity_curve(*SPAN)
        assert [point.amount for point in first][:4] == [1000, 1000, 1000, 1010]
        assert len(computed) == 10
        assert book.equity_curve(*SPAN) == first
        assert len(computed) == 10
        book.record(fill(8, side="sell", price="120"))
        book.record(Order(instrument="AAPL", side="buy", quantity="1", client_order_id="o-1"))
        after = book.equity_curve(*SPAN)
        assert len(computed) == 12
        assert after[:8] == first[:8]
        assert [point.amount for point in after[8:]] == [1020, 1020]
        book.equity_curve(*SPAN, account="main")
        assert len(computed) == 22


def mark_then(book: Book) -> None:
    book.mark("AAPL", "130", at="2026-03-05T12:00:00Z")
    book.share_marks()


CHANGES: dict[str, Callable[[Book], Any]] = {
    "a late fill": lambda book: book.record(fill(3, side="sell", price="105")),
    "a correction": lambda book: book.correct(2, reason="typo", price="90"),
    "a bust": lambda book: book.bust(2, reason="never was"),
    "cash": lambda book: book.record(
        CashMovement(movement_id="m", currency="USD", amount="-3", kind="fee", occurred_at="2026-03-05T00:00:00Z")
    ),
    "a rate": lambda book: book.record(Rate(base="EUR", quote="USD", price="2", occurred_at="2026-03-04T00:00:00Z")),
    "another currency": lambda book: book.record(fill(4, instrument="BTC/EUR")),
    "a mark of then": mark_then,
    "another account": lambda book: book.record(fill(9, account="second")),
    "an account becomes paper": lambda book: book.record(Account(name="main", kind="paper")),
    "a token": lambda book: book.record(Token(name="t", role="viewer", digest="0" * 64)),
    "too many to look through": lambda book: [book.record(fill(9, quantity=str(n))) for n in range(1, 9)],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_kept_points_are_those_that_would_be_computed(
    change: Callable[[Book], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_points, "MAX_ENTRIES", 6)
    with started() as book:
        book.equity_curve(*SPAN)
        change(book)
        assert book.equity_curve(*SPAN) == fresh(book)
        assert book.equity_curve(*SPAN) == fresh(book)


def test_the_first_live_account_takes_the_place_of_paper_ones(computed: list[int]) -> None:
    with onebook.open(":memory:", clock=FakeClock("2026-03-12T12:00:00Z")) as book:
        book.record(Account(name="sim", kind="paper"))
        for day, side, price in ((2, "buy", "100"), (3, "sell", "140")):
            book.record(fill(day, side, price=price, account="sim"))
        assert [point.amount for point in book.equity_curve(*SPAN)][-1] == 40
        book.record(fill(10, account="live"))
        assert [point.amount for point in book.equity_curve(*SPAN)] == [0] * 10
        assert len(computed) == 20


def test_what_another_process_recorded_is_seen(tmp_path: Any) -> None:
    place = str(tmp_path / "book.db")
    with onebook.open(place) as book, onebook.open(place) as other:
        book.record(fill(2))
        assert [point.amount for point in book.equity_curve(*SPAN)][-1] == 0
        other.record(fill(3, side="sell", price="140"))
        assert [point.amount for point in book.equity_curve(*SPAN)][-1] == 40


def test_few_points_are_kept(monkeypatch: pytest.MonkeyPatch, computed: list[int]) -> None:
    monkeypatch.setattr(kept_points, "MAX_POINTS", 4)
    with started() as book:
        book.equity_curve(*SPAN)
        book.equity_curve("2026-03-07T00:00:00Z", *SPAN[1:])
        assert len(computed) == 10
        book.equity_curve(*SPAN)
        assert len(computed) == 20


def test_a_curve_folds_on_to_what_each_moment_alone_would_be() -> None:
    with onebook.open(":memory:", clock=FakeClock("2026-03-12T12:00:00Z")) as book:
        for number in range(300):
            day, rest = divmod(number, 38)
            moment = f"2026-03-{day + 1:02}T{rest // 2:02}:{rest % 2 * 30:02}:00Z"
            side, price = ("buy", "100") if number % 3 else ("sell", str(90 + number % 23))
            fills = [
                Fill(instrument=name, side=side, quantity="1", price=price, fee="0.1", occurred_at=moment)
                for name in ("AAPL", "MSFT")
                if name == "AAPL" or number % 50 == 0
            ]
            book.record_many(fills)
        for hours in (1, 7, 24, 100):
            points = book.equity_curve("2026-03-01T00:15:00Z", "2026-03-09T00:15:00Z", timedelta(hours=hours))
            for point in points[:: max(len(points) // 20, 1)]:
                assert point.amount == book.as_of(moment=point.at).equity().amount
