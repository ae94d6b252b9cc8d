"""Positions page by page: the same figures as all at once, and nothing is valued for a page that does not show it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.book.histories import histories, marked, moment, opened

import onebook
from onebook import Fill, InputError, Position
from onebook.book import positions


def key_of(row: Position) -> tuple[str, str, str, str]:
    return row.account, row.instrument, row.strategy or "", row.leg


def still(rows: Iterable[Position]) -> list[Position]:
    """Without the age of the marks: the clock goes on."""
    return [replace(row, stale=None) for row in rows]


def pages(view: Any, limit: int, **wanted: Any) -> Iterator[Position]:
    after: tuple[str, ...] = ()
    for _ in range(100):
        page = view.positions(after=after, limit=limit, **wanted)
        assert len(page) <= limit
        yield from page
        if not page:
            return
        after = key_of(page[-1])
    raise AssertionError(after)


@settings(max_examples=25)
@given(histories, st.integers(1, 5), st.sampled_from([True, False, None]), st.integers(0, 432), st.data())
def test_pages_are_the_whole_list_in_parts(
    facts: list[Any], limit: int, is_open: bool | None, minute: int, data: st.DataObject
) -> None:
    with marked(opened(facts)) as book:
        sequence = data.draw(st.integers(0, book.status().entries))
        for view in (book, book.as_of(sequence), book.as_of(moment=moment(minute))):
            whole = still(view.positions(is_open=is_open))
            assert [key_of(row) for row in whole] == sorted(key_of(row) for row in whole)
            assert still(pages(view, limit, is_open=is_open)) == whole
            for wanted in ({"account": "main"}, {"strategy": "a"}, {"instrument": "BTC/USDT"}):
                part = [row for row in whole if all(getattr(row, name) == value for name, value in wanted.items())]
                assert still(pages(view, limit, is_open=is_open, **wanted)) == part


def test_hedged_legs_and_renamed_instruments_keep_their_place() -> None:
    with onebook.open(":memory:") as book:
        book.record(onebook.Account(name="main", mode="hedging"))
        for number, (name, side, leg) in enumerate(
            [("B/USDT:USDT", "buy", "long"), ("B/USDT:USDT", "sell", "short"), ("A/USDT:USDT", "sell", "short")]
        ):
            book.record(Fill(instrument=name, side=side, quantity=1, price=9, leg=leg, client_fill_id=str(number)))
        found = list(pages(book, 1))
        assert [(row.instrument, row.leg) for row in found] == [
            ("A/USDT:USDT", "short"),
            ("B/USDT:USDT", "long"),
            ("B/USDT:USDT", "short"),
        ]
        assert found == book.positions()


def test_only_what_a_page_shows_is_valued(monkeypatch: pytest.MonkeyPatch) -> None:
    valued: list[str] = []
    plain = positions.position_of

    def counted(lens: Any, info: Any, *rest: Any) -> Position:
        valued.append(info.name)
        return plain(lens, info, *rest)

    monkeypatch.setattr(positions, "position_of", counted)
    with onebook.open(":memory:") as book:
        for number in range(20):
            book.record(Fill(instrument=f"COIN{number:02}/USDT", side="buy", quantity=1, price=2))
        for view in (book, book.as_of(20)):
            valued.clear()
            view.positions(after=("main", "COIN04/USDT", "", ""), limit=3)
            assert valued == ["COIN05/USDT", "COIN06/USDT", "COIN07/USDT"]


@pytest.mark.parametrize("after", ["main", 3, ("main", "BTC/USDT", "", "", "long"), (1,)])
def test_what_is_no_key_of_a_position_is_refused(after: Any) -> None:
    with onebook.open(":memory:") as book, pytest.raises(InputError, match="account, instrument, strategy, leg"):
        book.positions(after=after)
