"""What the book shows of itself in the state: it is what the queries say, read alone, and cannot be written."""

from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import Account, Fill, NotAllowed, Position, RoundTrip
from onebook.book import positions
from onebook.domain.state_paths import concerns, path_of, touched_paths
from onebook.store.subscribers import Heartbeat
from onebook.testing.clock import FakeClock


@pytest.fixture
def traded(book: onebook.Book) -> onebook.Book:
    """Two strategies in one instrument, another with a dot in its name, one in a hedging account."""
    book.record(Account(name="hedge", mode="hedging"))
    for instrument, side, quantity, strategy, account in (
        ("AAPL", "buy", 10, "t", "main"), ("AAPL", "buy", 5, "u", "main"), ("AAPL", "sell", 5, "u", "main"),
        ("BRK.B", "sell", 2, "t", "main"), ("BTC/USDT:USDT", "buy", 1, "h", "hedge"),
    ):  # fmt: skip
        leg = "long" if account == "hedge" else ""
        book.record(
            Fill(
                instrument=instrument, side=side, quantity=quantity, price=100, fee="0.1", strategy=strategy,
                account=account, leg=leg,
            )
        )  # fmt: skip
    book.mark("AAPL", 110)
    return book


def shown(record: Any) -> dict[str, Any]:
    found = {item.name: getattr(record, item.name) for item in fields(record)}
    return found | {
        name: dict(value) if name == "unvalued" else list(value)
        for name, value in found.items()
        if isinstance(value, tuple)
    }


def test_positions_are_what_the_query_says(traded: onebook.Book) -> None:
    tree = traded.state.get("positions")
    assert {name: list(inner) for name, inner in tree.items()} == {
        "main": ["AAPL", "BRK.B"],
        "hedge": ["BTC/USDT:USDT"],
    }
    for account, instruments in tree.items():
        for instrument, found in instruments.items():
            total = traded.position(instrument, account=account)
            assert isinstance(total, Position)
            strategies = found.pop("strategies")
            assert found == shown(total)
            assert traded.state.get(("positions", account, instrument, "quantity")) == total.quantity
            for strategy, part in strategies.items():
                whole = traded.position(instrument, account=account, strategy=strategy)
                assert whole is not None
                assert part == shown(whole)
    assert traded.state.get("positions.main.AAPL.strategies.u.quantity") == 0
    assert traded.state.get("positions.main.AAPL.unrealized_pnl") == 100
    assert traded.state.get(r"positions.main.BRK\.B.quantity") == -2
    assert traded.state.get("positions.main.MSFT", "none") == "none"
    assert traded.state.get("positions.other") is None


def test_pnl_is_what_the_query_says(traded: onebook.Book, clock: FakeClock) -> None:
    clock.advance(86_400)
    traded.record(Fill(instrument="AAPL", side="sell", quantity=10, price=120, fee=1, strategy="t"))
    days = {(row.day, row.currency): row for row in traded.daily_pnl()}
    for (day, currency), row in days.items():
        for name in ("gross", "fees", "funding", "income", "net", "fills", "round_trips"):
            assert traded.state.get(("pnl", "days", day, currency, name)) == getattr(row, name)
    assert list(traded.state.get("pnl.days")) == sorted({day for day, _ in days})
    assert traded.state.get("pnl.today") == traded.state.get("pnl.days.2024-06-04")
    assert traded.state.get("pnl.today.USD.gross") == 200
    assert traded.state.get("pnl.realized") == {row.currency: row.net for row in traded.pnl()}
    assert set(traded.state.get("pnl")) == {"today", "days", "realized"}
    for nothing in ("pnl.days.2024-06-09", "pnl.days.monday", "pnl.days.9999-12-31", "pnl.nothing"):
        assert traded.state.get(nothing) is None
    clock.advance(86_400)
    assert traded.state.get("pnl.today") == {}


def test_open_round_trips_are_found_by_id(traded: onebook.Book) -> None:
    trips = traded.round_trips(is_open=True)
    assert len(trips) == 3
    assert set(traded.state.get("trading.positions")) == {str(trip.id) for trip in trips}
    for trip in trips:
        assert isinstance(trip, RoundTrip)
        assert traded.state.get(("trading", "positions", str(trip.id))) == shown(trip)
    closed = next(trip.id for trip in traded.round_trips(is_open=False))
    for nothing in (str(closed), "99", "0", "order-1", "٣", "9" * 30):
        assert traded.state.get(("trading", "positions", nothing)) is None


def test_a_trip_that_went_to_another_account_is_found(traded: onebook.Book) -> None:
    trip = next(trip for trip in traded.round_trips(is_open=True) if trip.instrument == "BRK.B")
    traded.correct(trip.id, reason="typed wrongly", account="other")
    assert traded.state.get(("trading", "positions", str(trip.id), "account")) == "other"


def test_runners_come_from_heartbeats(traded: onebook.Book, clock: FakeClock) -> None:
    assert traded.state.get("runners") is None
    at = clock()
    traded._store.aside(lambda rows: rows.put_heartbeat(Heartbeat("trend", 30 * 10**9, at)))
    expected = {"last_beat_at": datetime(2024, 6, 3, 12, tzinfo=UTC), "every_seconds": 30.0, "silent": False}
    assert traded.state.get("runners.trend") == expected
    clock.advance(31)
    assert traded.state.get("runners.trend.silent") is True
    assert traded.as_of(1).state.get("runners") is None
    with pytest.raises(NotAllowed):
        traded.state.set("runners.trend", 1)
    assert traded.state.set("runners.other.note", 1) == 1


def test_views_of_an_earlier_point(traded: onebook.Book) -> None:
    before = traded.as_of(2).state
    assert before.get("positions.main.AAPL.quantity") == 10
    assert list(before.get("positions")) == ["main"]
    assert before.get("pnl.realized.USD") == Decimal("-0.1")
    assert list(before.get("trading.positions")) == ["2"]


@pytest.mark.parametrize(
    "path",
    ["positions.main", "positions.main.AAPL", "positions.main.AAPL.quantity", "positions.main.AAPL.strategies.t",
     "pnl.today", "pnl.days.2024-06-03", "pnl.realized.USD", "trading.positions.2"],
)  # fmt: skip
def test_what_is_shown_cannot_be_written(traded: onebook.Book, path: str) -> None:
    before = traded.status().entries
    for change in (
        lambda: traded.state.set(path, 1),
        lambda: traded.state.delete(path),
        lambda: traded.state.update({"mine": 1, path: 1}),
    ):
        with pytest.raises(NotAllowed, match="computes it; choose a path of your own"):
            change()
    assert traded.status().entries == before


def test_other_paths_below_belong_to_who_sets_them(traded: onebook.Book) -> None:
    state = traded.state
    state.set("positions.main.AAPL.note", "watch it")
    state.set("positions.main.MSFT", {"quantity": 99, "note": "soon"})
    state.set("trading.positions.order-1", {"status": "open"})
    state.set("trading.mode", "paper")
    state.set("pnl.target", Decimal(100))
    assert state.get("positions.main.AAPL")["note"] == "watch it"
    assert state.get("positions.main")["AAPL"]["quantity"] == 10
    assert state.get("trading")["mode"] == "paper"
    assert {"order-1", "2"} < set(state.get("trading.positions"))
    assert state.get("pnl")["target"] == 100
    assert state.get("positions.main.MSFT.quantity") == 99
    traded.record(Fill(instrument="MSFT", side="buy", quantity=1, price=100))
    assert (state.get("positions.main.MSFT.quantity"), state.get("positions.main.MSFT.note")) == (1, "soon")
    assert "quantity" in state.snapshot()["positions"]["main"]["MSFT"]
    snapshot = state.snapshot()
    assert state.restore({})
    assert state.restore(snapshot)
    assert state.snapshot() == snapshot


def test_reading_one_position_computes_no_other(traded: onebook.Book, monkeypatch: Any) -> None:
    computed: list[str] = []

    def spied(real: Any) -> Any:
        def spy(*args: Any) -> Any:
            computed.append(args[1].name)
            return real(*args)

        return spy

    for name in ("position_of", "_open_round_trip"):
        monkeypatch.setattr(positions, name, spied(getattr(positions, name)))
    traded.state.get("positions.main.AAPL.quantity")
    assert set(computed) == {"AAPL"}
    computed.clear()
    trip = next(trip.id for trip in traded.round_trips(account="main", instrument="BRK.B"))
    assert traded.state.get(("trading", "positions", str(trip))) is not None
    traded.state.get("mine")
    assert set(computed) == {"BRK.B"}


def test_each_change_of_what_is_shown_has_an_event_that_touches_its_path(tmp_path: Path, clock: FakeClock) -> None:
    """Every path whose value differs after a fact is concerned by an event of that fact's entry."""
    facts: list[Any] = [
        Fill(instrument="AAPL", side="buy", quantity=10, price=100, fee=1, strategy="t", client_fill_id="1"),
        Fill(instrument="AAPL", side="sell", quantity=15, price=100, strategy="t"),
        Fill(instrument="BTC/USDT:USDT", side="buy", quantity=1, price=9, strategy="u"),
        onebook.FundingPayment(instrument="BTC/USDT:USDT", amount="-1"),
        onebook.Reassign(instrument="BTC/USDT:USDT", quantity="1", from_strategy="u", to_strategy="a"),
        onebook.CorporateAction(instrument="AAPL", kind="split", numerator=2, denominator=1),
        onebook.CorporateAction(instrument="AAPL", kind="symbol_change", new_symbol="APPL"),
        onebook.Instrument(symbol="BTC/USDT:USDT", contract_size=2),
        onebook.BookSettings(zone="Pacific/Auckland"),
        onebook.Settlement(instrument="BTC/USDT:USDT", price="12"),
        onebook.Transfer(asset="AAPL", amount="1", instrument="AAPL", from_account="main", to_account="cold"),
        onebook.OpeningBalance(instrument="MSFT", quantity=1, price=5),
    ]

    def leaves(value: Any, path: tuple[str, ...]) -> dict[tuple[str, ...], Any]:
        if not isinstance(value, dict):
            return {path: value}
        return {place: item for name, inner in value.items() for place, item in leaves(inner, (*path, name)).items()}

    def everything(book: onebook.Book) -> dict[tuple[str, ...], Any]:
        roots = {root: book.state.get(root, {}) for root in ("positions", "pnl", "trading")}
        return leaves(roots, ())

    with onebook.open(tmp_path / "book.db", clock=clock) as book:
        before = everything(book)
        for turn in (*facts, "note", "bust", "own"):
            clock.advance(86_400)
            if turn == "note":
                book.annotate(book.round_trips(is_open=True)[0].id, notes="n")
            elif turn == "bust":
                book.bust("client|main|1", reason="broken")
            elif turn == "own":
                book.state.set("positions.main.MSFT.note", "n")
            else:
                book.record(turn)
            after = everything(book)
            touched = [
                path for event in book.events(after=book.status().entries - 1) for path in book.state.touched(event)
            ]
            changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
            assert changed, turn
            missed = {path for path in changed if not any(concerns(place, path) for place in touched)}
            assert not missed, (turn, missed, touched)
            before = after


def test_watchers_of_one_position_are_not_woken_by_another(traded: onebook.Book) -> None:
    watched = path_of("positions.main.AAPL")
    woken = {
        event.instrument
        for event in traded.events(types="position_*")
        if any(concerns(place, watched) for place in touched_paths(event))
    }
    assert woken == {"AAPL"}
