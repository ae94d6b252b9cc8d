"""Who joins while an entry is being read is told of it: between beginning to wait and being known to the feed."""

import time
from typing import Any

import pytest

import onebook
from onebook.feed import feed as rooms


@pytest.mark.parametrize("kind", ["Subscriber", "Listener"])
def test_an_entry_that_is_read_while_somebody_joins_reaches_them(
    kind: str, book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    made = getattr(rooms, kind)
    book.feed.tail()
    fact = onebook.Fill(instrument="AAPL", side="buy", quantity="1", price="2", client_fill_id="1")
    book.record(fact)

    def slowly(*given: Any, **more: Any) -> Any:
        reader = made(*given, **more)
        until(lambda: reader._follower._idle)
        book.record(fact.replaced(client_fill_id="2"))
        until(lambda: reader._follower.tail.head == 2)
        return reader

    def until(what: Any) -> None:
        for _ in range(4000):
            if what():
                return
            time.sleep(0.005)
        assert what()

    monkeypatch.setattr(rooms, kind, slowly)
    if kind == "Subscriber":
        book.subscribe("late", told.append, types="trade_executed")
    else:
        book.listen(told.append, types="trade_executed")
    until(lambda: told)
    assert [event.sequence for event in told] == [2]
