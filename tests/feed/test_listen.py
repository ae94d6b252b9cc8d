"""Live listeners: told in order, one at a time; what they do wrong harms nobody."""

import threading
import time
from decimal import Decimal

import pytest
from tests.feed.waiting import Heard, fill, happened, ids, record, until

import onebook
from onebook.book.log import make_filter
from onebook.feed.live import LivePrices
from onebook.testing.clock import FakeClock


@pytest.mark.parametrize(
    ("types", "told"),
    [
        ("*", ["trade_executed", "position_updated"]),
        (("*",), ["trade_executed", "position_updated"]),
        ("trade_*", ["trade_executed"]),
        ("trade_executed", ["trade_executed"]),
        ("*_updated", ["position_updated"]),
        ("trade_*, position_*", ["trade_executed", "position_updated"]),
        (["[tp]*_executed"], ["trade_executed"]),
        ("trade_?xecuted", ["trade_executed"]),
        ("order_*", []),
    ],
)
def test_patterns(book: onebook.Book, types: str, told: list[str]) -> None:
    heard, end = Heard(), Heard()
    book.listen(heard, types=types)
    book.listen(end)
    record(book, 1, 1)
    until(lambda: len(end.events) == 2)
    until(lambda: len(heard.events) >= len(told))
    assert heard.types == told


def test_from_now_on_or_after_a_place(book: onebook.Book) -> None:
    record(book, 1, 3)
    new, sequence, event = Heard(), Heard(), Heard()
    book.listen(new)
    book.listen(sequence, after=2)
    book.listen(event, after="2.1")
    record(book, 4, 1)
    until(lambda: len(event.ids) == 5 and len(sequence.ids) == 4 and len(new.ids) == 2)
    assert (new.ids, sequence.ids, event.ids) == (ids(4), ids(3, 4), ["2.2", *ids(3, 4)])


@pytest.mark.parametrize("after", ["yesterday", "1.2.3", "-1", "1.x", True])
def test_an_unknown_place_is_refused(book: onebook.Book, after: str) -> None:
    with pytest.raises(onebook.InputError, match="neither a sequence nor an event id"):
        book.listen(print, after=after)


def test_one_at_a_time_and_in_order(book: onebook.Book) -> None:
    inside, most, heard = 0, 0, Heard()

    def handler(event: onebook.Event) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.0005)
        heard(event)
        inside -= 1

    book.listen(handler)
    threads = [threading.Thread(target=record, args=(book, 100 * number, 20)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(heard.ids) == 160)
    assert (most, heard.ids) == (1, ids(*range(1, 81)))


def test_one_that_raises_is_counted_and_stays(book: onebook.Book) -> None:
    heard = Heard()
    heard.failing = {"1.1": 1, "2.2": 1}
    listener = book.listen(heard)
    record(book, 1, 3)
    until(lambda: heard.calls == 6)
    until(lambda: listener.lag == 0)
    assert heard.ids == ["1.2", "2.1", "3.1", "3.2"]
    assert (listener.errors, listener.last_error) == (2, "ValueError: not today")


@pytest.mark.parametrize("problem", [SystemExit, KeyboardInterrupt])
def test_one_that_wants_to_exit_only_fails(book: onebook.Book, problem: type[BaseException]) -> None:
    heard = Heard()
    heard.failing, heard.problem = {"1.1": 1}, problem
    listener = book.listen(heard)
    record(book, 1, 2)
    until(lambda: heard.calls == 4)
    assert (heard.ids, listener.errors) == (["1.2", *ids(2)], 1)


def test_a_stuck_one_holds_up_nobody_and_says_how_far_it_lags(book: onebook.Book) -> None:
    inside, go, heard = threading.Event(), threading.Event(), Heard()

    def stuck(_: onebook.Event) -> None:
        inside.set()
        happened(go)

    listener = book.listen(stuck)
    book.listen(heard)
    record(book, 1, 5)
    happened(inside)
    until(lambda: len(heard.ids) == 10)
    assert listener.lag == 5
    go.set()
    until(lambda: listener.lag == 0)


def test_lag_counts_from_the_moment_of_the_record(book: onebook.Book) -> None:
    go = threading.Event()
    listener = book.listen(lambda _: happened(go))
    for number in range(1, 20):
        book.record(fill(number))
        assert listener.lag == number
    go.set()


def test_closed_while_events_come(book: onebook.Book) -> None:
    heard, other = Heard(), Heard()
    book.listen(other)
    with book.listen(heard):
        record(book, 1, 1)
        until(lambda: len(heard.ids) == 2)
    record(book, 2, 1)
    until(lambda: len(other.ids) == 4)
    assert (heard.ids, len(book.feed.listeners)) == (ids(1), 1)


def test_closed_from_its_own_handler(book: onebook.Book) -> None:
    heard, other = Heard(), Heard()

    def handler(event: onebook.Event) -> None:
        heard(event)
        listener.close()

    listener = book.listen(handler)
    book.listen(other)
    record(book, 1, 2)
    until(lambda: len(other.ids) == 4 and len(book.feed.listeners) == 1)
    assert heard.ids == ["1.1"]


def test_joined_and_recorded_from_a_handler(book: onebook.Book) -> None:
    inner, outer = Heard(), Heard()

    def handler(event: onebook.Event) -> None:
        outer(event)
        if event.id == "1.1":
            book.listen(inner)
            book.record(fill(77))

    book.listen(handler)
    record(book, 1, 1)
    until(lambda: inner.ids == ids(2))
    until(lambda: outer.ids == ids(1, 2))


def test_closing_the_book_with_a_stuck_handler_ends(place: str) -> None:
    inside, go = threading.Event(), threading.Event()

    def stuck(_: onebook.Event) -> None:
        inside.set()
        go.wait(60)

    book = onebook.open(place)
    book.listen(stuck)
    record(book, 1, 1)
    happened(inside)
    closing = threading.Thread(target=book.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    go.set()


def test_closing_the_book_from_inside_a_handler(place: str) -> None:
    ended = threading.Event()

    def handler(_: onebook.Event) -> None:
        book.close()
        ended.set()

    book = onebook.open(place)
    book.listen(handler)
    record(book, 1, 1)
    happened(ended)
    with pytest.raises(onebook.StoreError, match="closed"):
        book.listen(print)


def test_a_book_that_was_closed_tells_nobody_any_more(place: str) -> None:
    book, heard = onebook.open(place), Heard()
    book.listen(heard)
    book.close()
    book.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("onebook-listener")]


# ---- prices ----


def test_prices_are_conflated(book: onebook.Book) -> None:
    heard = Heard()
    book.listen(heard, types="price_updated")
    for price in range(1, 2001):
        book.mark("BTC/USD", price, source="test")
        book.mark("ETH/USD", 2 * price)
    newest = {"BTC/USD": "2000", "ETH/USD": "4000"}
    until(lambda: {event.instrument: event.data["new_price"] for event in heard.events} == newest)
    assert len(heard.events) < 1000
    bitcoin = [event.data for event in heard.events if event.instrument == "BTC/USD"]
    assert bitcoin[0]["old_price"] is None
    assert [data["old_price"] for data in bitcoin[1:]] == [data["new_price"] for data in bitcoin[:-1]]
    assert {data["source"] for data in bitcoin} == {"test"}


def test_a_price_is_told_at_most_twenty_times_a_second(book: onebook.Book) -> None:
    live = LivePrices(book, make_filter("price_updated"))
    assert (live.due(0.0), list(live.events(0.0))) == (None, [])
    assert live.take("BTC/USD", Decimal(1), 5, "")
    assert not live.take("BTC/USD", Decimal(2), 6, "")
    assert [event.data["new_price"] for event in live.events(1.0)] == ["2"]
    live.take("BTC/USD", Decimal(3), 7, "")
    assert (list(live.events(1.03)), round(live.due(1.03) or 0, 6)) == ([], 0.02)
    live.take("BTC/USD", Decimal(4), 8, "")
    (event,) = live.events(1.05)
    assert (event.data["old_price"], event.data["new_price"]) == ("2", "4")


def test_a_price_moves_positions(book: onebook.Book) -> None:
    heard = Heard()
    book.record(fill(1, account="main"))
    book.listen(heard, types="position_updated")
    book.mark("BTC/USD", "103.5")
    until(lambda: heard.events)
    event = heard.events[0]
    assert (event.instrument, event.account, event.strategy, event.id) == ("BTC/USD", "main", "trend", "")
    assert (event.data["cause"], event.data["unrealized_pnl"], event.data["quantity"]) == ("mark", "3.5", "1")
    assert not list(book.events(after=1)), "a price is not in the log"


def test_prices_pass_the_same_filters(book: onebook.Book, clock: FakeClock) -> None:
    heard, other = Heard(), Heard()
    book.record(fill(1))
    book.listen(heard, strategies="trend", instruments="BTC/USD")
    book.listen(other, strategies="another")
    for _ in range(3):
        book.mark("BTC/USD", 7)
        book.mark("ETH/USD", 8)
    until(lambda: heard.events)
    book.record(fill(2, strategy="another"))
    until(lambda: len(other.events) >= 2)
    assert {(event.type, event.instrument) for event in heard.events} == {("position_updated", "BTC/USD")}
    assert other.types[:2] == ["trade_executed", "position_updated"]


def test_every_reader_is_told_in_numbers(book: onebook.Book) -> None:
    heard = Heard()
    with book.listen(heard, types="trade_*") as listener, book.subscribe("kept", heard, types="trade_*"):
        record(book, 1, 20)
        until(lambda: len(heard.events) == 40)
        until(lambda: all((item.events, item.lag) == (20, 0) for item in book.feed.statistics()))
        first, second = book.feed.statistics()
        assert (first.name, second.name) == (listener.name, "kept")
        assert (first.lag, first.errors, second.lag, second.errors) == (0, 0, 0, 0)
        assert 0 < first.events_per_second < 21
        assert 0 < second.handler_seconds < 5
