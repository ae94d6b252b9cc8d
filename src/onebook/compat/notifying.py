"""Notifications under their older names: ``TelegramNotifier``, and what tells a notifier of trades."""

import threading
from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

from onebook.compat.events import TradeEvent
from onebook.compat.following import label
from onebook.domain.numbers import plain
from onebook.errors import BadConfig, InputError, SourceError
from onebook.feed.importance import Importance
from onebook.feed.sinks.outlet import Outlet

TIMEOUT_SECONDS = 30.0
TOLD = ("trade_executed", "position_closed")
"""What a notification subscriber tells when its configuration does not say."""


class TelegramNotifier:
    """Sends text to one Telegram chat, or to any target that apprise knows.

    Args:
        token: of the bot; a secret.
        chat_id: of the chat.
        target: an apprise address to use instead, such as ``json://127.0.0.1:9000/``; a secret.
        timeout_seconds: longest one sending may take.

    Raises:
        BadConfig: apprise is not installed.
    """

    def __init__(
        self,
        token: str = "",
        chat_id: str | int = "",
        *,
        target: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        if find_spec("apprise") is None:
            msg = 'apprise is not installed; run: pip install "onebook[notify]"'
            raise BadConfig(msg, key="token")
        self._target = f"tgram://{token}/{chat_id}/" if target is None else target
        self._seconds = timeout_seconds
        self._lock = threading.Lock()
        self._outlet: Outlet | None = None
        place = str(chat_id) if target is None else target
        self.label = f"TelegramNotifier_{sha256(place.encode()).hexdigest()[:8]}"

    def __repr__(self) -> str:
        return "TelegramNotifier(…)"

    def notify(self, text: str) -> str | None:
        """Send text now; return None when it was taken, else what went wrong. It never raises for a lost message."""
        try:
            self.send(text)
        except (SourceError, InputError) as problem:
            return str(problem)
        return None

    def send(self, text: str) -> None:
        """Send text now.

        Raises:
            BadConfig: Telegram cannot have such a token or chat.
            SourceError: it could not be sent; ``retryable`` says whether it may be later.
        """
        with self._lock:
            if self._outlet is None:
                self._outlet = Outlet(self._target, timeout_seconds=self._seconds)
            self._outlet.send("", text, Importance.NOTICE)


class NotificationSubscriber:
    """Tells a notifier of trade events in words.

    Args:
        notifier: has ``notify(text)``; one that raises is tried again. Of ours, so is one that could not send.
        config: ``notify_on`` lists the types of events; without it trades and closed positions.
    """

    def __init__(self, notifier: Any, config: Mapping[str, Any] | None = None) -> None:
        self.notifier = notifier
        self._types = _types((config or {}).get("notify_on", TOLD))
        self._send = notifier.send if isinstance(notifier, TelegramNotifier) else _notify_of(notifier)
        self.label = str(getattr(notifier, "label", "") or type(notifier).__name__)

    def __call__(self, event: TradeEvent) -> Any:
        """Tell of an event."""
        return self._send(sentence(event)) if event.event_type in self._types else None


def _types(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    if isinstance(given, list | tuple | set | frozenset) and all(isinstance(item, str) for item in given):
        return tuple(given)
    msg = f"notify_on: {given!r:.80} is not a list of types of events, such as {list(TOLD)}"
    raise InputError(msg, field="notify_on", value=given)


def _notify_of(notifier: Any) -> Callable[[str], Any]:
    notify = getattr(notifier, "notify", None)
    if not callable(notify):
        msg = f"notifier: {notifier!r:.80} has no notify(text)"
        raise InputError(msg, field="notifier", value=notifier)
    found: Callable[[str], Any] = notify
    return found


def sentence(event: TradeEvent) -> str:
    """Return what is said about an event, on one line."""
    name = event.event_type.replace("_", " ").capitalize()
    trade, position = event.trade, None
    if event.event_type.startswith("position_"):
        position = event.position
    if position is not None:
        said = f"{position.symbol} {position.side}"
        if position.is_open and position.average_price is not None:
            said += f" {plain(position.total_amount)} @ {plain(position.average_price)}"
        said += f", realized P&L {plain(position.realized_pnl)} {position.metadata['currency']}"
    elif trade is not None:
        said = f"{trade.symbol} {trade.side} {plain(trade.amount)} @ {plain(trade.price)}"
        said += f", strategy {trade.strategy}" if trade.strategy else ""
    else:
        said = ", ".join(f"{key} {value}" for key, value in event.metadata.items())
    return f"{name}: {said}"


# ---- the helpers of the documents ----


class Told:
    """A callback as it was handed in, under the name that its place in the log is kept under.

    Args:
        callback: takes a trade event.
    """

    def __init__(self, callback: Callable[[TradeEvent], Any]) -> None:
        given: object = callback
        if not callable(given):
            msg = f"callback: {given!r:.80} cannot be called; give a function that takes an event"
            raise InputError(msg, field="callback", value=callback)
        self.callback = callback
        self.label = label(callback)

    def __call__(self, event: TradeEvent) -> Any:
        """Call it."""
        return self.callback(event)

    def __eq__(self, other: object) -> bool:
        return self.callback == other.callback if isinstance(other, Told) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.callback)


def create_frontend_subscriber(callback: Callable[[TradeEvent], Any]) -> Told:
    """Return what ``add_frontend_subscriber`` takes, from a function that takes a :class:`TradeEvent`."""
    return Told(callback)


def create_portfolio_subscriber(callback: Callable[[TradeEvent], Any]) -> Told:
    """Return what ``add_portfolio_service_subscriber`` takes, from a function that takes a :class:`TradeEvent`."""
    return Told(callback)


def create_notification_subscriber(notifier: Any, config: Mapping[str, Any] | None = None) -> NotificationSubscriber:
    """Return what ``add_notification_subscriber`` takes.

    Args:
        notifier: has ``notify(text)``.
        config: ``notify_on`` lists the types of events; without it trades and closed positions.

    Raises:
        InputError: the notifier cannot notify.
    """
    return NotificationSubscriber(notifier, config)
