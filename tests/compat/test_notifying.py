"""``TelegramNotifier`` and notification subscribers, against a real receiver on loopback."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.compat.waiting import eventually
from tests.feed import chats

import onebook
from onebook.compat.events import TradeEvent
from onebook.compat.managers import SingleSourceTradeManager, get_single_source_trade_manager
from onebook.compat.notifying import (
    NotificationSubscriber,
    TelegramNotifier,
    create_notification_subscriber,
    create_portfolio_subscriber,
)
from onebook.compat.trades import create_trade

TOKEN = "123456789:abcdefg_hijklmnopqrstuvw"  # noqa: S105  made up


@pytest.fixture
def chat() -> Iterator[chats.Receiver]:
    with contextlib.closing(chats.Receiver()) as started:
        yield started


@pytest.fixture
def manager(book: onebook.Book) -> SingleSourceTradeManager:
    return get_single_source_trade_manager()


def buy(side: str = "buy", price: object = 60000.5) -> Any:
    return create_trade("BTC/USDT", side, 0.5, price, strategy="trend")


def test_text_goes_to_telegram(chat: chats.Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.telegram import NotifyTelegram

    monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{chat.server.server_port}/bot")
    notifier = TelegramNotifier(TOKEN, chat_id=12345)
    notifier.send("hello")
    assert notifier.notify("again") is None
    assert [message["text"] for message in chat.messages] == ["hello", "again"]
    assert {str(message["chat_id"]) for message in chat.messages} == {"12345"}
    assert TOKEN not in repr(notifier) + notifier.label


def test_what_went_wrong_is_said_without_the_token(chat: chats.Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.telegram import NotifyTelegram

    monkeypatch.setattr(NotifyTelegram, "notify_url", f"http://127.0.0.1:{chat.server.server_port}/bot")
    chat.down = True
    notifier = TelegramNotifier(TOKEN, chat_id="12345")
    said = notifier.notify("hello")
    assert said is not None
    assert "Telegram" in said
    assert "abcdefg" not in said
    with pytest.raises(onebook.SourceError):
        notifier.send("hello")
    with pytest.raises(onebook.BadConfig, match="does not take this address"):
        TelegramNotifier("your_token", "your_chat").send("hello")


def test_without_apprise_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onebook.compat.notifying.find_spec", lambda _: None)
    with pytest.raises(onebook.BadConfig, match=r'pip install "onebook\[notify\]"'):
        TelegramNotifier(TOKEN, "1")


def test_trades_and_closed_positions_are_told(chat: chats.Receiver, manager: SingleSourceTradeManager) -> None:
    manager.add_notification_subscriber(create_notification_subscriber(TelegramNotifier(target=chat.url), {}))
    manager.record_trade(buy())
    manager.record_trade(buy("sell", 60010))
    eventually(lambda: len(chat.texts) == 3)
    assert chat.texts == [
        "Trade executed: BTC/USDT buy 0.5 @ 60000.5, strategy trend",
        "Trade executed: BTC/USDT sell 0.5 @ 60010, strategy trend",
        "Position closed: BTC/USDT long, realized P&L 4.75 USDT",
    ]


def test_an_outage_loses_no_message(
    chat: chats.Receiver, manager: SingleSourceTradeManager, book: onebook.Book
) -> None:
    chat.statuses = [503] * 12
    subscriber = create_notification_subscriber(TelegramNotifier(target=chat.url))
    manager.add_notification_subscriber(subscriber)
    handle = manager._followers._there[0].handle
    handle._policy = onebook.feed.policy.Policy(attempts=None, backoff_seconds=0.001)  # type: ignore[attr-defined]
    manager.record_trade(buy())
    manager.record_trade(buy(price=60001))
    eventually(lambda: len(chat.texts) == 2)
    assert ["60000.5" in chat.texts[0], "60001" in chat.texts[1]] == [True, True]
    assert list(book.subscribers.dead_letters()) == []


def test_what_is_told_can_be_chosen(chat: chats.Receiver, manager: SingleSourceTradeManager) -> None:
    notifier = TelegramNotifier(target=chat.url)
    manager.add_notification_subscriber(create_notification_subscriber(notifier, {"notify_on": ["position_updated"]}))
    manager.record_trade(buy())
    eventually(lambda: chat.texts)
    manager.shutdown()
    assert chat.texts == ["Position updated: BTC/USDT long 0.5 @ 60000.5, realized P&L 0 USDT"]
    with pytest.raises(onebook.InputError, match="notify_on"):
        create_notification_subscriber(notifier, {"notify_on": 5})


class Own:
    """A notifier of a user's own."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def notify(self, text: str) -> str:
        self.texts.append(text)
        if len(self.texts) == 1:
            raise RuntimeError("planted")
        return "ok"


def test_a_notifier_of_ones_own_is_tried_again_when_it_raises(manager: SingleSourceTradeManager) -> None:
    own = Own()
    manager.add_notification_subscriber(create_notification_subscriber(own, {"notify_on": "trade_executed"}))
    manager.record_trade(buy())
    eventually(lambda: len(own.texts) == 2)
    assert own.texts[0] == own.texts[1]
    assert NotificationSubscriber(own).label == "Own"


def test_what_cannot_notify_or_be_called_is_refused() -> None:
    with pytest.raises(onebook.InputError, match="notify"):
        create_notification_subscriber(object())
    with pytest.raises(onebook.InputError, match="callback"):
        create_portfolio_subscriber(5)  # type: ignore[arg-type]


def test_a_users_own_event_is_told_by_what_it_says() -> None:
    own = Own()
    own.texts.append("")
    NotificationSubscriber(own, {"notify_on": ["halted"]})(TradeEvent("halted", metadata={"why": "loss"}))
    assert own.texts[1] == "Halted: why loss"
