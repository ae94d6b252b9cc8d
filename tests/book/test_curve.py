"""The equity curve, folded once over all its moments, is what each moment alone would be."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.book.histories import MARKS, histories, moment, opened

import onebook
from onebook import Account, BookSettings, Fill, FundingPayment, Rate
from onebook.book import curve
from onebook.book.lens import Lens
from onebook.domain import times
from onebook.testing import FakeClock

SINCE, UNTIL = moment(0), moment(431)


def alone(book: Any, at: Any, **wanted: Any) -> Decimal:
    """Equity as the whole calculation has it for one moment."""
    amount: Decimal = book.as_of(moment=at).equity(**wanted).amount
    return amount


def same(book: Any, every: int, **wanted: Any) -> None:
    for point in book.equity_curve(SINCE, UNTIL, every, **wanted):
        assert point.amount == alone(book, point.at, **wanted), point.at


def sampled(book: onebook.Book, data: st.DataObject) -> None:
    """Marks of some moments, kept minute by minute."""
    for minute in sorted(data.draw(st.lists(st.integers(0, 431), max_size=4))):
        for instrument, price in MARKS.items():
            book.mark(instrument, price + minute, at=moment(minute))
        book.share_marks()


@settings(max_examples=30)
@given(histories, st.sampled_from([3600, 7200, 36000]), st.sampled_from(["USDT", "BTC"]), st.data())
def test_points_are_what_each_moment_alone_would_be(
    facts: list[Any], every: int, currency: str, data: st.DataObject
) -> None:
    with opened(facts) as book:
        sampled(book, data)
        for fill in [item for item in book.fills() if item.fill.instrument == "BTC/USDT"][:2]:
            if data.draw(st.booleans()):
                book.bust(fill.sequence, reason="never was")
            elif data.draw(st.booleans()):
                book.correct(fill.sequence, reason="typo", price="77")
        same(book, every)
        same(book, every, account="second")
        same(book, 36000, currency=currency)


def trading(book: onebook.Book, count: int, *names: str, **given: Any) -> None:
    """Fills that open, add, reduce, close and flip, ten minutes apart."""
    begin = times.from_text("", SINCE)
    for number in range(count):
        side, size = ("buy", "2") if number % 3 else ("sell", str(1 + number % 5))
        for name in names:
            book.record(
                Fill(
                    instrument=name, side=side, quantity=size, price=str(90 + number * 7 % 23), fee="0.013",
                    strategy=("a", "b")[number % 2], client_fill_id=f"{name}{number}",
                    occurred_at=times.to_text(begin + number * 600 * times.SECOND), **given,
                )
            )  # fmt: skip


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instruments whose positions were looked at one by one, a name for each time."""
    names: list[str] = []
    plain = Lens.holdings

    def counted(self: Any, info: Any) -> Any:
        names.append(info.name)
        return plain(self, info)

    monkeypatch.setattr(Lens, "holdings", counted)
    return names


@pytest.mark.parametrize("name", ["AAPL", "BTC/USD", "BTC/USD:USD", "BTC/EUR"])
def test_plain_fills_are_folded_once(name: str, folded: list[str]) -> None:
    with onebook.open(":memory:", clock=FakeClock("2024-07-01T00:00:00Z")) as book:
        book.record(Rate(base="EUR", quote="USD", price="1.25", occurred_at=SINCE))
        book.mark("EUR/USD", "1.5", at=moment(1))
        book.mark(name, "101", at=moment(30))
        book.share_marks()
        trading(book, 60, name)
        book.record(FundingPayment(instrument=name, amount="-1.5", funding_id="f", occurred_at=moment(3)))
        points = book.equity_curve(SINCE, UNTIL, 3600)
        assert folded == [name]
        assert len({point.amount for point in points}) > 5
        same(book, 3600)


def test_far_moments_begin_at_a_nearer_fold_point(monkeypatch: pytest.MonkeyPatch, folded: list[str]) -> None:
    monkeypatch.setattr(curve, "MOST", 8)
    monkeypatch.setattr(curve, "PAGE", 4)
    with onebook.open(":memory:", clock=FakeClock("2024-07-01T00:00:00Z")) as book:
        trading(book, 90, "AAPL", "MSFT")
        points = book.equity_curve(SINCE, moment(89), 14400)
        assert folded.count("AAPL") == len(points)
        same(book, 14400)


@pytest.mark.parametrize("mode", ["netting", "hedging"])
def test_what_is_more_than_plain_is_looked_at_position_by_position(mode: str, folded: list[str]) -> None:
    with onebook.open(":memory:", clock=FakeClock("2024-07-01T00:00:00Z")) as book:
        book.record(BookSettings(base_currency="USDT"))
        book.record(Account(name="main", mode=mode))
        if mode == "hedging":
            trading(book, 20, "BTC/USDT:USDT", leg="long")
            book.mark("BTC/USDT:USDT", "95", at=moment(4))
        else:
            trading(book, 20, "BTC/USDT", fee_currency="BNB")
            trading(book, 20, "ETH/USDT", fee_currency="ETH")
        book.share_marks()
        book.equity_curve(SINCE, UNTIL, 3600)
        assert len(folded) > 10
        same(book, 3600)
