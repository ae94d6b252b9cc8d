"""What an event of a position says to its readers: the whole position in plain words, and the trip that ended."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from tests.book.histories import histories, opened

import onebook
from onebook import Account, CorporateAction, Fill, FundingPayment, Instrument, OpeningBalance, Settlement
from onebook.domain.reports import as_plain
from onebook.testing.clock import FakeClock

POSITION = (
    *("leg", "quantity", "average_price", "cost_basis", "realized_pnl_gross", "fees", "fees_in_base", "funding"),
    *("income", "realized_pnl", "opened_at", "updated_at", "highest", "lowest", "unvalued", "flags", "sequence"),
)
ROUND_TRIP = (
    *("id", "direction", "quantity", "entry_price", "exit_price", "opened_at", "closed_at"),
    *("gross", "fees", "funding", "income", "net", "close_reason", "signal_id"),
)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves, since times of answers end at microseconds and those of events do not."""
    return FakeClock("2024-06-03T12:00:00Z", step_seconds=1)


def said(position: onebook.Position) -> dict[str, Any]:
    shown = {name: as_plain(getattr(position, name)) for name in POSITION}
    return shown | {"unvalued": dict(shown["unvalued"])}


def newest(book: onebook.Book) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """The last thing said of each position."""
    events = book.events(types="position_updated,position_closed")
    return {(item.account, item.instrument, item.strategy, item.data["leg"]): item.data for item in events}


def check(book: onebook.Book) -> None:
    last = newest(book)
    for held in book.positions(is_open=None):
        data = last[held.account, held.instrument, held.strategy or "", held.leg]
        allowed = {*POSITION, "cause", "round_trip", "dust", "excess"}
        assert set(data) <= allowed
        assert {name: data[name] for name in POSITION} == said(held)


def fill(side: str, quantity: Any, price: Any, **more: Any) -> Fill:
    return Fill(**({"instrument": "BTC/USDT", "side": side, "quantity": quantity, "price": price} | more))


def test_every_field_of_a_position(book: onebook.Book) -> None:
    receipt = book.record(fill("buy", 3, 100, fee="0.1", occurred_at="2024-06-03T10:00:00Z"))
    assert receipt.events[1].data == {
        "leg": "",
        "quantity": "3",
        "average_price": "100",
        "cost_basis": "300",
        "realized_pnl_gross": "0",
        "fees": "0.1",
        "fees_in_base": "0",
        "funding": "0",
        "income": "0",
        "realized_pnl": "-0.1",
        "opened_at": "2024-06-03T10:00:00Z",
        "updated_at": "2024-06-03T10:00:00Z",
        "highest": None,
        "lowest": None,
        "unvalued": {},
        "flags": [],
        "sequence": 1,
        "cause": "fill",
    }
    assert list(book.events()) == list(receipt.events)


@pytest.mark.parametrize(
    ("symbol", "size"), [("BTC/USDT:USDT", "0.01"), ("BTC/USD:BTC", "100"), ("BTC/USD:BTC", "1"), ("AAPL", None)]
)
def test_the_average_price_is_per_unit(symbol: str, size: str | None, book: onebook.Book) -> None:
    if size is not None:
        base, quote, settle = "BTC", symbol[4:].partition(":")[0], symbol.rpartition(":")[2]
        kind = {"kind": "perpetual", "base": base, "quote": quote, "settle": settle}
        book.record(Instrument(symbol=symbol, contract_size=size, **kind))
    book.record(OpeningBalance(instrument=symbol, quantity=2, price=None))
    for price in ("100", "110.7", "93"):
        book.record(fill("buy", 3, price, instrument=symbol))
        check(book)
    book.record(fill("sell", 4, 120, instrument=symbol))
    check(book)


def test_flags_unvalued_and_legs(book: onebook.Book) -> None:
    book.record(Account(name="hedge", mode="hedging"))
    for leg, side in (("long", "buy"), ("short", "sell"), ("long", "sell")):
        book.record(fill(side, 2, 100, instrument="BTC/USDT:USDT", account="hedge", leg=leg, fee=1, fee_currency="XRP"))
    book.record(FundingPayment(instrument="BTC/USDT:USDT", account="hedge", amount="-0.5"))
    check(book)
    data = newest(book)["hedge", "BTC/USDT:USDT", "", "short"]
    assert (data["unvalued"], data["flags"]) == ({"XRP": "-1"}, ["contract_size_assumed"])


def test_units_on_their_way_are_nobodys_business(book: onebook.Book) -> None:
    book.record(fill("buy", 2, 100))
    book.record(
        onebook.Transfer(asset="BTC", amount=1, instrument="BTC/USDT", from_account="main", to_account="second")
    )
    check(book)


def trip_of(book: onebook.Book, trip_id: int) -> dict[str, Any]:
    (trip,) = (item for item in book.round_trips(is_open=False) if item.id == trip_id)
    return {name: as_plain(getattr(trip, name)) for name in ROUND_TRIP}


def closed(receipt: onebook.Receipt) -> list[Any]:
    return [event.data["round_trip"] for event in receipt.events if event.type == "position_closed"]


def test_a_position_that_closed_tells_its_round_trip_not_its_life(book: onebook.Book, clock: FakeClock) -> None:
    for price in (110, 95):
        first = book.record(fill("buy", 2, 100, fee="0.5", signal_id="s"))
        clock.advance(60)
        book.record(fill("sell", 1, 105))
        last = book.record(fill("sell", 1, price, fee="0.25", close_reason="stop_loss"))
        (told,) = closed(last)
        assert told == trip_of(book, first.sequence)
        assert (told["net"], told["close_reason"]) == ({110: "14.25", 95: "-0.75"}[price], "stop_loss")
    flip = book.record(fill("buy", 1, 100))
    flip = book.record(fill("sell", 3, 120))
    assert closed(flip) == [trip_of(book, flip.sequence - 1)]
    assert [event.type for event in flip.events] == ["trade_executed", "position_closed", "position_updated"]
    assert "round_trip" not in flip.events[-1].data


def test_a_late_fill_tells_the_round_trip_that_it_ended_last(book: onebook.Book) -> None:
    book.record(fill("buy", 1, 100, occurred_at="2024-06-03T10:00:00Z"))
    book.record(fill("buy", 1, 110, occurred_at="2024-06-03T11:00:00Z"))
    late = book.record(fill("sell", 2, 130, occurred_at="2024-06-03T10:30:00Z"))
    assert closed(late) == [trip_of(book, late.sequence)]
    assert closed(late)[0]["closed_at"] == "2024-06-03T11:00:00Z"
    gone = book.bust(late.sequence, reason="gone")
    assert closed(gone) == []


def test_a_late_settlement_tells_each_strategy_its_own_round_trip(book: onebook.Book) -> None:
    name = "BTC/USDT:USDT"
    for strategy, side in (("a", "buy"), ("b", "sell")):
        book.record(fill(side, 2, 100, instrument=name, strategy=strategy, occurred_at="2024-06-03T10:00:00Z"))
    book.record(FundingPayment(instrument=name, amount="-0.5", strategy="a", occurred_at="2024-06-03T10:30:00Z"))
    book.record(FundingPayment(instrument=name, amount="1.5", strategy="b", occurred_at="2024-06-03T11:30:00Z"))
    end = book.record(Settlement(instrument=name, price=110, occurred_at="2024-06-03T11:00:00Z"))
    told = {event.strategy: event.data["round_trip"] for event in end.events if event.type == "position_closed"}
    shown = {name: (trip["direction"], trip["gross"], trip["funding"], trip["net"]) for name, trip in told.items()}
    assert shown == {"a": ("long", "20", "-0.5", "19.5"), "b": ("short", "-20", "0", "-20")}
    assert [trip.net for trip in book.round_trips(strategy="a")] == [Decimal("19.5")]


def test_a_round_trip_that_never_was_is_none(book: onebook.Book) -> None:
    only = book.record(fill("buy", 1, 100))
    assert closed(book.bust(only.sequence, reason="gone")) == [None]


def test_a_trip_that_ends_at_another_time_than_its_entrys_says_so(book: onebook.Book) -> None:
    first = book.record(fill("buy", 1, 100, instrument="AAPL", occurred_at="2024-06-01T10:00:00Z"))
    split = book.record(
        CorporateAction(
            instrument="AAPL", kind="split", numerator=1, denominator=2, effective_on="2024-06-02",
            occurred_at="2024-06-03T09:00:00Z",
        )
    )  # fmt: skip
    assert closed(split) == []
    end = book.record(fill("sell", "0.5", 210, instrument="AAPL", occurred_at="2024-06-02T10:00:00Z"))
    assert closed(end) == [trip_of(book, first.sequence)]


def test_a_note_says_what_it_hangs_on(book: onebook.Book) -> None:
    first = book.record(fill("buy", 1, 100))
    noted = book.annotate(first.sequence, notes="why")
    assert [event.data for event in noted.events] == [{"fact": first.sequence, "notes": "why"}]


def test_a_users_own_words_are_not_taken_for_ours(book: onebook.Book) -> None:
    from onebook.book.commit import Request
    from onebook.domain.commands import Note

    note = Note("mine.happened", {"cash": 1, "trip": "x", "transfers": []})
    book._door.committer.submit(Request([note], ""))
    assert [event.data for event in book.events(types="mine.*")] == [{"cash": 1, "trip": "x", "transfers": []}]


@given(histories)
def test_the_newest_event_of_a_position_is_the_position(facts: list[Any]) -> None:
    with opened(facts) as book:
        check(book)
        for event in book.events(types="position_closed"):
            told = event.data["round_trip"]
            if told is not None and told["id"] in {trip.id for trip in book.as_of(event.sequence).round_trips()}:
                trips = [
                    {name: as_plain(getattr(trip, name)) for name in ROUND_TRIP}
                    for trip in book.as_of(event.sequence).round_trips(is_open=False)
                ]
                assert told in trips


def test_what_only_the_fold_needs_is_not_shown(book: onebook.Book) -> None:
    book.record(onebook.Fill(instrument="X", side="buy", quantity="1", price="1", venue_fill_id="1"))
    assert all("own_time" not in event.data for event in book.events())
