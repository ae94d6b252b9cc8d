"""Highs, lows and trails of a process that ended without a close lag by the sample interval only."""

from pathlib import Path

import pytest
from tests.trading.desks import fill, until
from tests.trading.test_stops import bar

import onebook
from onebook import Fill
from onebook.testing import FakeClock


def test_the_highest_mark_and_the_trail_are_known_to_who_opens_the_book_next(tmp_path: Path) -> None:
    clock = FakeClock("2026-01-05T12:00:00Z")
    place = str(tmp_path / "book.db")
    with onebook.open(place, clock=clock) as killed:  # still open while the other one goes on: nothing was closed
        killed.record(Fill(instrument="AAPL", side="buy", quantity=1, price=100, client_fill_id="1"))
        killed.trading.protect("AAPL", trail_amount="0.5")
        for price in ("100", "100.04", "100.01"):
            clock.advance(seconds=1)
            killed.mark("AAPL", price)

        def is_kept() -> bool:
            with killed.store.reading() as reader:
                return any("100.04" in item.value for item in reader.observations("extremes"))

        until(is_kept)
        with onebook.open(place, clock=clock) as book:
            held = book.position("AAPL")
            assert held is not None
            assert held.highest is not None
            assert str(held.highest) == "100.04"
            assert [str(level) for level in book.trading.stops.levels().values()] == ["99.54"]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("last", ["s1", "s2"])
def test_stops_that_one_bar_reaches_act_in_the_order_of_their_names_whichever_was_set_last(
    tmp_path: Path, last: str, *, restarts: bool
) -> None:
    clock = FakeClock("2026-01-05T12:00:00Z")
    place = tmp_path / "book.db"
    book = onebook.open(place, clock=clock)
    for name in sorted(("s1", "s2"), key=lambda name: name == last):
        fill(book, "buy", 10, strategy=name)
        book.trading.protect("AAPL", strategy=name, trail_amount=5, act="order")
        book.mark("AAPL", 100)  # it is watched from here on
    clock.advance(seconds=300)
    if restarts:
        book.close()
        book = onebook.open(place, clock=clock)
    with book:
        for minute, close in (("01", 110), ("02", 105)):
            bar(book, f"2026-01-05T12:{minute}:00Z", 110, 110, close, close)
        assert [item.strategy for item in book.events(types="stop_moved")][-2:] == ["s1", "s2"]
        assert [item.strategy for item in book.events(types="stop_triggered")] == ["s1", "s2"]
