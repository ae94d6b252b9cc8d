"""Subscribers and callbacks of the manager: who is told what, and that nothing of it is lost."""

import threading
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.compat.waiting import eventually

import onebook
from onebook import compat
from onebook.compat import current
from onebook.compat.events import TradeEvent
from onebook.compat.following import label
from onebook.compat.managers import (
    SingleSourceTradeManager,
    TradeManager,
    get_single_source_trade_manager,
    reset_single_source_trade_manager,
)
from onebook.compat.notifying import create_frontend_subscriber, create_portfolio_subscriber
from onebook.compat.trade_bus import TradeEventBus
from onebook.compat.trades import Trade, create_trade
from onebook.testing import FakeClock

Told = list[Any]


@pytest.fixture
def manager(book: onebook.Book) -> SingleSourceTradeManager:
    return get_single_source_trade_manager()


def trade(side: str = "buy", amount: object = "1", price: object = "100", **more: Any) -> Trade:
    return create_trade(more.pop("symbol", "BTC/USDT"), side, amount, price, **more)


def kinds(told: Told) -> list[str]:
    return [event.event_type for event in told]


GROUPS: dict[str, Callable[[TradeManager], tuple[Callable[..., None], Callable[..., None], str]]] = {
    "frontend": lambda m: (m.add_frontend_subscriber, m.remove_frontend_subscriber, "frontend_subscribers"),
    "portfolio": lambda m: (
        m.add_portfolio_service_subscriber,
        m.remove_portfolio_service_subscriber,
        "portfolio_subscribers",
    ),
    "notification": lambda m: (
        m.add_notification_subscriber,
        m.remove_notification_subscriber,
        "notification_subscribers",
    ),
}


# ---- what is told ----


@pytest.mark.parametrize("group", GROUPS)
def test_a_subscriber_is_told_trades_and_positions(
    group: str, manager: SingleSourceTradeManager, clock: FakeClock
) -> None:
    told: Told = []
    add, remove, counted = GROUPS[group](manager)
    add(told.append)
    add(told.append)
    bought, sold = trade(amount=2), trade("sell", 2, 110)
    manager.record_trade(bought)
    clock.advance(1)
    manager.record_trade(sold)
    eventually(lambda: len(told) == 4)
    assert kinds(told) == ["trade_executed", "position_updated", "trade_executed", "position_closed"]
    assert [event.trade for event in told] == [bought, bought, sold, sold]
    assert [event.metadata["trade_id"] for event in told] == [bought.id, bought.id, sold.id, sold.id]
    assert [event.position.total_amount for event in told] == [2, 2, 0, 0]
    assert [event.position.is_open for event in told] == [True, True, False, False]
    assert told[3].position.realized_pnl == 20
    assert told[3].timestamp == sold.timestamp
    assert manager.get_system_status()[counted] == 1
    remove(told.append)
    manager.record_trade(trade())
    assert manager.get_system_status()[counted] == 0
    assert len(told) == 4


def test_a_position_is_shown_as_it_was_then(manager: SingleSourceTradeManager) -> None:
    told: Told = []
    manager.add_frontend_subscriber(told.append)
    for amount in (1, 2, 3):
        manager.record_trade(trade(amount=amount))
    eventually(lambda: len(told) == 6)
    assert [event.position.total_amount for event in told] == [1, 1, 3, 3, 6, 6]


def test_a_flip_closes_one_position_and_opens_another(manager: SingleSourceTradeManager) -> None:
    told: Told = []
    manager.add_frontend_subscriber(told.append)
    manager.record_trade(trade())
    manager.record_trade(trade("sell", 3, 90))
    eventually(lambda: len(told) == 5)
    assert kinds(told)[2:] == ["trade_executed", "position_closed", "position_updated"]
    assert [(event.position.side, event.position.total_amount) for event in told[3:]] == [("long", 0), ("short", 2)]


def test_a_bust_is_told_with_what_the_position_is_since(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    manager.record_trade(trade())
    manager.record_trade(trade(amount=2))
    told: Told = []
    manager.add_portfolio_service_subscriber(told.append)
    book.bust(1, reason="never happened")
    eventually(lambda: len(told) == 2)
    assert kinds(told) == ["trade_busted", "position_updated"]
    assert told[0].metadata["reason"] == "never happened"
    assert told[1].position.total_amount == 2


def test_only_the_managers_account_is_told(book: onebook.Book) -> None:
    mine, other = TradeManager(book=book), TradeManager("other.json", book=book, account="other")
    told: dict[str, Told] = {"mine": [], "other": []}
    mine.add_frontend_subscriber(told["mine"].append)
    other.add_portfolio_service_subscriber(told["other"].append)
    mine.record_trade(trade())
    other.record_trade(trade(amount=2))
    eventually(lambda: len(told["mine"]) == len(told["other"]) == 2)
    assert {event.trade.amount for event in told["mine"]} == {1}
    assert {event.trade.amount for event in told["other"]} == {2}
    assert [item.name for item in book.subscribers()] == [f"compat.portfolio.other.{label(told['other'].append)}"]
    for each in (mine, other):
        each.shutdown()


def test_a_price_is_told_with_the_old_one_and_what_it_does_to_positions(manager: SingleSourceTradeManager) -> None:
    manager.record_trade(trade(strategy="one"))
    manager.record_trade(trade(strategy="two"))
    told: Told = []
    prices: Told = []
    manager.add_frontend_subscriber(told.append)
    manager.add_price_callback(lambda symbol, price: prices.append((symbol, price)))
    manager.update_price("BTC/USDT", 120.5)
    eventually(lambda: len(told) == 2)
    manager.update_price("BTC/USDT", 121)
    eventually(lambda: len(told) == 4)
    assert kinds(told) == ["price_updated", "position_updated"] * 2
    assert told[2].metadata == {"symbol": "BTC/USDT", "old_price": Decimal("120.5"), "new_price": 121}
    assert told[3].position.highest_price == 121
    eventually(lambda: len(prices) == 2)
    assert prices == [("BTC/USDT", Decimal("120.5")), ("BTC/USDT", 121)]


def test_callbacks_get_what_they_are_about(manager: SingleSourceTradeManager) -> None:
    trades: Told = []
    positions: Told = []
    manager.add_trade_callback(trades.append)
    manager.add_position_callback(positions.append)
    made = trade()
    manager.record_trade(made)
    manager.record_trade(trade("sell"))
    eventually(lambda: len(trades) == len(positions) == 2)
    assert trades[0] == made
    assert [item.is_open for item in positions] == [True, False]
    manager.remove_trade_callback(trades.append)
    manager.remove_position_callback(positions.append)
    manager.record_trade(trade())
    manager.shutdown()
    assert len(trades) == len(positions) == 2


def test_an_async_callback_is_awaited(manager: SingleSourceTradeManager) -> None:
    told: Told = []

    async def hear(event: TradeEvent) -> None:
        told.append(event.event_type)

    manager.add_frontend_subscriber(create_frontend_subscriber(hear))
    manager.record_trade(trade())
    eventually(lambda: told == ["trade_executed", "position_updated"])


# ---- nothing is lost ----


def test_a_subscriber_that_raises_stays(manager: SingleSourceTradeManager) -> None:
    told: Told = []

    def fails_at_first(event: TradeEvent) -> None:
        told.append(event.event_type)
        if len(told) == 1:
            raise RuntimeError("planted")

    manager.add_frontend_subscriber(fails_at_first)
    manager.record_trade(trade())
    eventually(lambda: told == ["trade_executed", "position_updated"])
    assert manager._frontend_subscribers == [fails_at_first]


@pytest.mark.parametrize("group", ["portfolio", "notification"])
def test_a_service_that_fails_is_told_again(group: str, manager: SingleSourceTradeManager) -> None:
    told: Told = []

    def fails_at_first(event: TradeEvent) -> None:
        told.append(event.event_type)
        if len(told) <= 2:
            raise RuntimeError("planted")

    GROUPS[group](manager)[0](fails_at_first)
    manager.record_trade(trade())
    eventually(lambda: told == ["trade_executed"] * 3 + ["position_updated"])


def test_what_fails_for_good_is_put_aside_and_can_be_told_again(
    manager: SingleSourceTradeManager, book: onebook.Book
) -> None:
    told: Told = []
    broken = [True]

    def fails(event: TradeEvent) -> None:
        if broken and event.event_type == "trade_executed":
            raise RuntimeError("planted")
        told.append(event.event_type)

    manager.add_portfolio_service_subscriber(fails, attempts=2)
    manager.record_trade(trade())
    eventually(lambda: told == ["position_updated"])
    (letter,) = book.subscribers.dead_letters()
    assert (letter.type, letter.attempts) == ("trade_executed", 2)
    broken.clear()
    book.subscribers.retry(letter.subscriber)
    eventually(lambda: "trade_executed" in told)


def hear_at(place: Told, event: TradeEvent) -> None:
    place.append(event)


def test_a_portfolio_service_goes_on_where_it_was_after_a_restart(place: Path) -> None:
    compat.install()
    told: Told = []
    manager = get_single_source_trade_manager()
    manager.add_portfolio_service_subscriber(create_portfolio_subscriber(partial(hear_at, told)))
    first = trade()
    manager.record_trade(first)
    reset_single_source_trade_manager()
    assert kinds(told) == ["trade_executed", "position_updated"]
    with onebook.open("crypto_bot/logs/onebook.db") as meanwhile:
        meanwhile.record(trade(amount=5).fill)
    again = get_single_source_trade_manager()
    assert again is not manager
    again.add_portfolio_service_subscriber(create_portfolio_subscriber(partial(hear_at, told)))
    eventually(lambda: len(told) == 4)
    assert [event.trade.amount for event in told] == [1, 1, 5, 5]


def test_a_shutdown_right_after_a_burst_tells_all_of_it(manager: SingleSourceTradeManager) -> None:
    front: Told = []
    service: Told = []
    manager.add_frontend_subscriber(front.append)
    manager.add_portfolio_service_subscriber(service.append)
    for _ in range(50):
        manager.record_trade(trade())
    manager.shutdown()
    assert len(front) == len(service) == 100
    assert manager._frontend_subscribers == manager._portfolio_service_subscribers == []


def test_a_stuck_subscriber_does_not_hold_up_a_shutdown(
    manager: SingleSourceTradeManager, book: onebook.Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onebook.compat.following.DRAIN_SECONDS", 0.1)
    let_go = threading.Event()
    reached = threading.Event()

    def stuck(_: TradeEvent) -> None:
        reached.set()
        let_go.wait(20)

    manager.add_notification_subscriber(stuck)
    manager.record_trade(trade())
    assert reached.wait(20)
    assert manager.get_system_status()["event_queue_size"] >= 1
    assert manager.event_bus._event_queue.qsize() >= 1
    monkeypatch.setattr("onebook.feed.subscriber.CLOSE_SECONDS", 0.1)
    manager.shutdown()
    let_go.set()
    eventually(lambda: not [item for item in threading.enumerate() if "compat.notification" in item.name])
    assert len(book.fills()) == 1


def test_a_callback_that_asks_for_the_manager_does_not_block_its_end(book: onebook.Book) -> None:
    told: Told = []
    manager = get_single_source_trade_manager()
    manager.add_frontend_subscriber(lambda _: told.append(len(get_single_source_trade_manager().trades)))
    manager.record_trade(trade())
    reset_single_source_trade_manager()
    assert told == [1, 1]


def test_removing_forgets_the_place(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    told: Told = []
    manager.add_portfolio_service_subscriber(told.append)
    manager.record_trade(trade())
    eventually(lambda: len(told) == 2)
    manager.remove_portfolio_service_subscriber(told.append)
    assert [item.name for item in book.subscribers() if "portfolio" in item.name] == []
    manager.record_trade(trade())
    manager.add_portfolio_service_subscriber(told.append)
    manager.record_trade(trade(amount=7))
    eventually(lambda: len(told) == 4)
    assert told[2].trade.amount == 7


def test_threads_that_record_are_all_told_once(manager: SingleSourceTradeManager) -> None:
    front: Told = []
    service: Told = []
    manager.add_frontend_subscriber(front.append)
    manager.add_portfolio_service_subscriber(service.append)
    shared = trade()

    def record() -> None:
        for _ in range(20):
            manager.record_trade(trade())
            manager.record_trade(shared)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    eventually(lambda: len(front) >= 162 and len(service) >= 162)
    for told in (front, service):
        executed = [event.trade.id for event in told if event.event_type == "trade_executed"]
        assert len(executed) == len(set(executed)) == 81


def test_subscribers_come_and_go_while_trades_are_recorded(manager: SingleSourceTradeManager) -> None:
    stop = threading.Event()
    steady: Told = []
    manager.add_frontend_subscriber(steady.append)

    def come_and_go() -> None:
        while not stop.is_set():
            told: Told = []
            manager.add_frontend_subscriber(told.append)
            manager.remove_frontend_subscriber(told.append)

    other = threading.Thread(target=come_and_go)
    other.start()
    for _ in range(50):
        manager.record_trade(trade())
    stop.set()
    other.join()
    eventually(lambda: len(steady) == 100)
    assert manager._frontend_subscribers == [steady.append]


def test_a_read_only_book_has_frontends_only(place: Path, clock: FakeClock) -> None:
    with onebook.open(place / "trading.db", clock=clock) as book:
        book.record(trade().fill)
    with onebook.open(place / "trading.db", read_only=True) as book:
        compat.install(book)
        manager = get_single_source_trade_manager()
        manager.add_frontend_subscriber(print)
        with pytest.raises(onebook.StoreError, match="read"):
            manager.add_portfolio_service_subscriber(print)
        status = manager.get_system_status()
        assert (status["csv_audit_enabled"], status["frontend_subscribers"]) == (False, 1)
        assert status["portfolio_subscribers"] == 0
        compat.uninstall()


# ---- names ----


class Desk:
    def hear(self, event: TradeEvent) -> None: ...

    def __call__(self, event: TradeEvent) -> None: ...


@pytest.mark.parametrize(
    ("callback", "ending"),
    [
        (hear_at, ".hear_at"),
        (partial(hear_at, []), ".hear_at"),
        (Desk().hear, ".Desk.hear"),
        (Desk(), ".Desk"),
        (create_portfolio_subscriber(partial(hear_at, [])), ".hear_at"),
        (lambda _: None, ".lambda"),
    ],
)
def test_a_callback_has_the_same_name_at_each_start(callback: Callable[..., Any], ending: str) -> None:
    assert label(callback).endswith(f"test_following{ending}")
    assert label(callback).isascii()


def test_two_of_one_name_are_told_apart(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    one: Told = []
    two: Told = []
    manager.add_portfolio_service_subscriber(partial(hear_at, one))
    manager.add_portfolio_service_subscriber(partial(hear_at, two))
    manager.record_trade(trade())
    eventually(lambda: len(one) == len(two) == 2)
    names = [item.name for item in book.subscribers() if "portfolio" in item.name]
    assert names == [f"compat.portfolio.{label(hear_at)}", f"compat.portfolio.{label(hear_at)}.2"]


# ---- the bus of trade events ----


def test_the_bus_tells_one_type_of_its_account(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    told: dict[str, Told] = {"trade_executed": [], "position_*": [], "price_updated": []}
    bus = manager.event_bus
    bus.start()
    other = TradeManager("other.json", book=book, account="other")
    for name, place in told.items():
        bus.subscribe(name, place.append)
        bus.subscribe(name, place.append)
    other.record_trade(trade())
    manager.record_trade(trade())
    eventually(lambda: told["position_*"])
    manager.update_price("BTC/USDT", 101)
    eventually(lambda: [len(place) for place in told.values()] == [1, 2, 1])
    assert kinds(told["position_*"]) == ["position_updated"] * 2
    assert told["position_*"][0].trade == manager.trades[0]
    eventually(manager.event_bus._event_queue.empty)
    bus.unsubscribe("trade_executed", told["trade_executed"].append)
    manager.record_trade(trade())
    eventually(lambda: len(told["position_*"]) == 3)
    assert len(told["trade_executed"]) == 1
    bus.stop()


def test_what_is_published_is_told_and_books_nothing(manager: SingleSourceTradeManager, book: onebook.Book) -> None:
    told: Told = []
    front: Told = []
    service: Told = []
    manager.event_bus.subscribe("trade_executed", told.append)
    manager.event_bus.subscribe("Trade Cancelled", told.append)
    manager.add_frontend_subscriber(front.append)
    manager.add_portfolio_service_subscriber(service.append)
    made = trade(amount=0.1, metadata={"why": "test"})
    manager.event_bus.publish(TradeEvent("trade_executed", made, metadata={"trade_id": made.id, "size": 1.5}))
    manager.event_bus.publish(TradeEvent("Trade Cancelled", metadata={"reason": "late"}))
    eventually(lambda: len(told) == 2)
    assert (told[0].trade, told[0].metadata) == (made, {"trade_id": made.id, "size": 1.5})
    assert (told[1].trade, told[1].metadata) == (None, {"reason": "late"})
    assert book.fills() == manager.trades == []
    assert [event.type for event in book.events()] == ["published", "published"]
    manager.shutdown()
    assert front == service == []


def test_a_bus_of_its_own_speaks_to_the_same_book(manager: SingleSourceTradeManager) -> None:
    told: Told = []
    bus = TradeEventBus()
    bus.subscribe("trade_executed", told.append)
    manager.record_trade(trade())
    eventually(lambda: len(told) == 1)
    assert bus._event_queue.qsize() == 0
    bus.stop()


# ---- the book behind it ----


def test_a_manager_that_ends_keeps_the_book_open_for_others(place: Path) -> None:
    compat.install()
    told: Told = []
    bus = TradeEventBus()
    bus.subscribe("trade_executed", told.append)
    book = current.current_book()
    get_single_source_trade_manager().record_trade(trade())
    reset_single_source_trade_manager()
    assert current.current_book() is book
    book.record(trade().fill)
    eventually(lambda: len(told) == 2)
    bus.stop()
    get_single_source_trade_manager().shutdown()
    assert current.current_book() is not book
