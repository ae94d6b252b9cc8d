"""A bot's real TradingStream, against Alpaca's protocol on loopback: everything it hears is booked once."""

import asyncio
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.venue_alpaca import Running, TradingStream, Venue, held, name_of, open_venue, until

import onebook
import onebook.alpaca
from onebook.errors import InputError, StoreFull

BUY = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "limit", "limit_price": "190.5", "time_in_force": "day"}


@pytest.fixture
def venue() -> Iterator[Venue]:
    with open_venue() as opened:
        yield opened


@pytest.fixture
def book(tmp_path: Path) -> Iterator[onebook.Book]:
    with onebook.open(tmp_path / "book.db") as opened:
        yield opened
        assert opened.verify().ok


class Bot:
    """A bot with a recorded stream, and what its own handler got."""

    def __init__(self, venue: Venue, book: onebook.Book, *, handles: bool = True, **settings: Any) -> None:
        self.got: list[Any] = []
        self.came = threading.Condition()
        self.running = Running(venue, **settings)
        self.stream: Any = onebook.alpaca.recording(self.running.stream, book, strategy="swing", owns="all")
        assert self.stream is self.running.stream
        if handles:
            self.stream.subscribe_trade_updates(self.handle)
        self.running.start()

    async def handle(self, update: Any) -> None:
        with self.came:
            self.got.append(update)
            self.came.notify_all()

    def wait(self, count: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, 30), self.got

    def stop(self) -> None:
        self.running.stop()
        self.stream.recorder.close()


def test_every_update_is_booked_and_the_bots_handler_gets_the_very_object(venue: Venue, book: onebook.Book) -> None:
    bot = Bot(venue, book)
    order = venue.place(BUY)
    venue.status(order, "pending_new")
    venue.status(order, "new")
    venue.fill(order, "4", "190.25")
    venue.fill(order, "6", "190.31")
    bot.wait(4)
    bot.stop()

    assert [str(getattr(update.event, "value", update.event)) for update in bot.got] == [
        "pending_new", "new", "partial_fill", "fill",
    ]  # fmt: skip
    assert bot.got[3].price == 190.31  # as alpaca-py gives it
    fills = [found.fill for found in book.fills()]
    assert [(fill.quantity, fill.price) for fill in fills] == [
        (Decimal(4), Decimal("190.25")),
        (Decimal(6), Decimal("190.31")),
    ]
    assert fills[0].venue_fill_id == str(bot.got[2].execution_id)
    assert (fills[0].venue, fills[0].venue_order_id, fills[0].strategy) == ("alpaca", order["id"], "swing")
    assert fills[0].raw["floats"] == ["price", "qty"]
    [state] = book.orders()
    assert (state.status, state.filled_quantity, state.order.kind) == ("filled", Decimal(10), "limit")
    assert state.order.client_order_id == order["client_order_id"]
    assert state.order.limit_price == Decimal("190.5")
    assert held(book).flags == ()


def test_a_bot_without_a_handler_records_when_it_runs(venue: Venue, book: onebook.Book) -> None:
    bot = Bot(venue, book, handles=False)
    order = venue.place(BUY)
    venue.fill(order, "10", "190.25")
    until(lambda: bool(book.fills()), book)
    bot.stop()
    assert held(book).quantity == 10


def test_a_handler_from_before_recording_goes_on(venue: Venue, book: onebook.Book) -> None:
    running = Running(venue)
    got = []

    async def handle(update: Any) -> None:
        got.append(update)

    running.stream.subscribe_trade_updates(handle)
    stream: Any = onebook.alpaca.recording(running.stream, book, strategy="swing", owns="all")
    running.start()
    venue.fill(venue.place(BUY), "10", "190.25")
    until(lambda: bool(book.fills()), book)
    running.stop()
    stream.recorder.close()
    assert len(got) == 1


def test_raw_data_gives_the_venues_own_digits(venue: Venue, book: onebook.Book) -> None:
    bot = Bot(venue, book, raw_data=True)
    venue.fill(venue.place(BUY), "10", "190.2500000000000001")
    bot.wait(1)
    bot.stop()
    [found] = book.fills()
    assert found.fill.price == Decimal("190.2500000000000001")
    assert "floats" not in found.fill.raw
    assert bot.got[0]["stream"] == "trade_updates"


def test_updates_replayed_after_a_reconnect_count_once(venue: Venue, book: onebook.Book) -> None:
    bot = Bot(venue, book)
    order = venue.place(BUY)
    said = [venue.status(order, "new"), venue.fill(order, "10", "190.25")]
    bot.wait(2)
    venue.drop()
    assert venue.listening.wait(30)
    for _ in range(3):  # the venue says all of it again, new after fill too
        for update in said:
            venue.say(update)
    bot.wait(8)
    bot.stop()

    assert venue.connections >= 2
    assert [found.fill.quantity for found in book.fills()] == [Decimal(10)]
    [state] = book.orders()
    assert state.status == "filled"
    assert book.status().conflicts == 0
    assert not [event for event in book.events(types=["order_updated"]) if "odd_update" in event.data.get("flags", ())]


def test_the_rest_of_an_orders_life(venue: Venue, book: onebook.Book) -> None:
    bot = Bot(venue, book)
    ends = [("canceled", "canceled_at"), ("expired", "expired_at"), ("rejected", "failed_at")]
    for event, field in ends:
        order = venue.place(BUY)
        venue.status(order, "accepted")
        if event == "canceled":
            venue.status(order, "pending_cancel")
        if event == "expired":
            venue.status(order, "done_for_day")
            venue.status(order, "calculated")
        venue.status(order, event, field)
    old = venue.place(BUY)
    venue.status(old, "new")
    venue.status(old, "pending_replace")
    fresh = venue.place(BUY | {"limit_price": "191"})
    venue.status(old, "replaced", "replaced_at", status="replaced")
    old["replaced_by"] = fresh["id"]
    venue.status(fresh, "new")
    fresh["limit_price"] = "95.5"
    fresh["qty"] = "20"
    venue.status(fresh, "restated", status="new")
    bot.wait(14)
    bot.stop()

    states = book.orders()
    assert [state.status for state in states] == ["canceled", "expired", "rejected", "canceled", "new"]
    assert states[3].reason.startswith("replaced")
    assert (states[4].limit_price, states[4].quantity) == (Decimal("95.5"), Decimal(20))
    assert states[0].order.client_order_id == name_of("client 1")


def test_notional_and_fractional_orders(venue: Venue, book: onebook.Book) -> None:
    bot = Bot(venue, book)
    request = {"symbol": "BTC/USD", "notional": "1000", "side": "buy", "type": "market", "time_in_force": "gtc"}
    order = venue.place(request)
    venue.fill(order, "0.004", "100000.5")
    venue.fill(order, "0.006000001", "100000")
    bot.wait(2)
    bot.stop()
    [state] = book.orders()
    assert (state.status, state.quantity) == ("filled", Decimal("0.010000001"))
    assert held(book, "BTC/USD").quantity == Decimal("0.010000001")
    assert held(book, "BTC/USD").flags == ()


def test_what_cannot_be_read_is_a_break_and_the_bot_goes_on(venue: Venue, book: onebook.Book) -> None:
    bot = Bot(venue, book, raw_data=True)
    order = venue.place(BUY)
    venue.say({"event": "fill", "timestamp": "not a time", "order": dict(order), "price": "1", "qty": "1"})
    venue.say({"event": "trade_bust", "timestamp": venue.now(), "order": dict(order)})
    venue.say({"event": "fill", "order": None})
    venue.fill(order, "10", "190.25")
    bot.wait(4)
    bot.stop()
    assert len(bot.got) == 4
    assert held(book).quantity == 10
    kinds = [event.data["what"] for event in book.events(types=["break_found"])]
    assert kinds == ["fill", "trade_bust", "fill"]


def test_a_book_that_fails_never_stops_the_bot(
    venue: Venue, book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = Bot(venue, book)
    order = venue.place(BUY)
    venue.fill(order, "3", "190")
    until(lambda: bool(book.fills()), book)
    with monkeypatch.context() as patch:

        def full(*_args: Any, **_named: Any) -> Any:
            msg = "the disk is full"
            raise StoreFull(msg)

        patch.setattr(book.committer, "submit", full)
        venue.fill(order, "3", "191")
        venue.fill(order, "4", "192")
        bot.wait(3)
    assert bot.stream.recorder.wait(20)
    bot.stop()
    assert [found.fill.price for found in book.fills()] == [Decimal(190), Decimal(191), Decimal(192)]


def test_what_waited_in_the_spool_is_booked_after_a_restart(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "book.db"
    with onebook.open(path) as book:
        bot = Bot(venue, book)
        order = venue.place(BUY)

        def full(*_args: Any, **_named: Any) -> Any:
            msg = "the disk is full"
            raise StoreFull(msg)

        monkeypatch.setattr(book.committer, "submit", full)
        said = venue.fill(order, "10", "190.25")
        bot.wait(1)
        bot.stop()
        assert not book.fills()
        assert bot.stream.recorder.spool.size
    with onebook.open(path) as book:
        bot = Bot(venue, book)
        venue.say(said)
        bot.wait(1)
        assert bot.stream.recorder.wait(20)
        bot.stop()
        assert [found.fill.price for found in book.fills()] == [Decimal("190.25")]


def test_recording_holds_up_no_event_loop(venue: Venue, book: onebook.Book, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on = threading.Event(), threading.Event()
    real = book.committer.submit

    def slow(*args: Any, **named: Any) -> Any:
        entered.set()
        assert go_on.wait(30)
        return real(*args, **named)

    monkeypatch.setattr(book.committer, "submit", slow)
    bot = Bot(venue, book)
    venue.fill(venue.place(BUY), "10", "190.25")
    bot.wait(1)  # the bot's handler ran while the book was stuck
    assert entered.wait(30)
    assert not book.fills()
    go_on.set()
    assert bot.stream.recorder.wait(30)
    bot.stop()
    assert len(book.fills()) == 1


def test_what_the_bots_handler_raises_is_still_the_bots(book: onebook.Book) -> None:
    stream: Any = onebook.alpaca.recording(TradingStream("key", "secret"), book, strategy="swing")

    async def handle(_update: Any) -> None:
        msg = "the bot's own"
        raise ValueError(msg)

    stream.subscribe_trade_updates(handle)
    with pytest.raises(ValueError, match="the bot's own"):
        asyncio.run(stream._trade_updates_handler({"event": "new", "order": {}}))
    with pytest.raises(ValueError, match="coroutine"):
        stream.subscribe_trade_updates(print)
    stream.recorder.close()


def test_the_handler_gets_the_object_itself(book: onebook.Book) -> None:
    stream: Any = onebook.alpaca.recording(TradingStream("key", "secret"), book, strategy="swing")
    got = []

    async def handle(update: Any) -> str:
        got.append(update)
        return "its answer"

    stream.subscribe_trade_updates(handle)
    update = {"event": "new", "order": {}}
    assert asyncio.run(stream._trade_updates_handler(update)) == "its answer"
    assert got[0] is update
    assert update == {"event": "new", "order": {}}
    stream.recorder.close()


def test_something_else_is_refused(book: onebook.Book) -> None:
    with pytest.raises(InputError, match="neither a TradingStream"):
        onebook.alpaca.recording(object(), book, strategy="swing")


def test_a_short_sale_is_a_sale(venue: Venue, book: onebook.Book) -> None:
    bot = Bot(venue, book, raw_data=True)
    order = venue.place(BUY | {"side": "sell_short"})
    venue.fill(order, "10", "190.25")
    bot.wait(1)
    bot.stop()
    assert [(state.order.side, state.status) for state in book.orders()] == [("sell", "filled")]
    assert held(book).quantity == -10
