"""``TradeEvent``: what the book's events are called in the older programs. Nothing is kept here but what it tells.

The trade is a fact, so it comes along; the position is asked of the book as it was right after the event, and only
when somebody looks at it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from onebook.app import Book
from onebook.book.reading import Reading
from onebook.compat.current import now
from onebook.compat.positions import Position
from onebook.compat.trades import Trade
from onebook.domain import times
from onebook.domain.reports import Event, RecordedFill, RoundTrip
from onebook.domain.shapes import fact_from

TRADE_TYPES = ("trade_executed", "trade_busted", "trade_corrected")
POSITION_TYPES = ("position_updated", "position_closed")
LOGGED_TYPES = (*TRADE_TYPES, *POSITION_TYPES)
"""What is in the log, so that a durable subscriber is told of it."""

LIVE_TYPES = (*LOGGED_TYPES, "price_updated")
"""What a live subscriber is told."""

_Asked = Callable[[], "Position | None"]


class TradeEvent:
    """Something that happened, under its older names.

    Args:
        event_type: such as ``trade_executed``.
        trade: the trade it is about, None when it is about none.
        position: the position it is about, or what asks for it.
        timestamp: when it happened, aware; None is now.
        metadata: ``trade_id``; of a price ``symbol old_price new_price``.
    """

    __slots__ = ("_position", "event_type", "metadata", "timestamp", "trade")

    def __init__(
        self,
        event_type: str,
        trade: Trade | None = None,
        position: Position | _Asked | None = None,
        timestamp: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.event_type = event_type
        self.trade = trade
        self._position = position
        self.timestamp = now() if timestamp is None else timestamp
        self.metadata = dict(metadata or {})

    @property
    def position(self) -> Position | None:
        """The position right after it, the closed one where it closed; None when there is none."""
        if self._position is not None and not isinstance(self._position, Position):
            self._position = self._position()
        return self._position

    def __repr__(self) -> str:
        return f"TradeEvent({self.event_type!r}, trade={self.trade!r}, metadata={self.metadata!r})"


class Telling:
    """Makes trade events of the events of one account, for one subscriber.

    Args:
        book: whose events they are.
        account: the others' are left out.
    """

    def __init__(self, book: Book, account: str) -> None:
        self._book = book
        self._account = account
        self._last: tuple[int, Trade | None] = (0, None)
        self._marked: dict[str, tuple[datetime, str]] = {}

    def told(self, event: Event) -> TradeEvent | None:
        """Return what a subscriber is told; None for nothing."""
        if event.type == "price_updated":
            return self._price(event)
        if event.account != self._account or event.type not in LOGGED_TYPES:
            return None
        if event.type in TRADE_TYPES:
            self._last = (event.sequence, _trade(event))
        if not event.sequence:
            return self._marked_position(event)
        trade = self._trade_of(event.sequence)
        found: dict[str, Any] = {"event_id": event.id}
        if trade is not None:
            found["trade_id"] = trade.id
        for name in ("cause", "reason"):
            if name in event.data:
                found[name] = event.data[name]
        return TradeEvent(event.type, trade, lambda: self._position(event), event.occurred_at, found)

    def _price(self, event: Event) -> TradeEvent:
        old, new = event.data["old_price"], event.data["new_price"]
        found = {
            "symbol": event.instrument,
            "old_price": None if old is None else Decimal(old),
            "new_price": Decimal(new),
        }
        return TradeEvent(event.type, timestamp=event.occurred_at, metadata=found)

    def _marked_position(self, event: Event) -> TradeEvent | None:
        """Return what a price did to a symbol's position: once, however many strategies hold it."""
        symbol, mark = event.instrument, (event.occurred_at, event.data["mark"])
        if self._marked.get(symbol) == mark:
            return None
        self._marked[symbol] = mark

        def held() -> Position | None:
            return Position.held(self._book, self._account, symbol)

        return TradeEvent(event.type, None, held, event.occurred_at, {"symbol": symbol, "cause": "mark"})

    def _trade_of(self, sequence: int) -> Trade | None:
        """Return the trade of an entry, also when what is told began in the middle of it."""
        if self._last[0] != sequence:
            self._last = (sequence, None)
            for event in self._book.events(after=sequence - 1):
                if event.sequence != sequence:
                    break
                if event.type in TRADE_TYPES:
                    self._last = (sequence, _trade(event))
                    break
        return self._last[1]

    def _position(self, event: Event) -> Position | None:
        """Return the position as the book knew it after an event."""
        then = self._book.as_of(event.sequence)
        found = None
        if event.type != "position_closed":
            found = Position.held(then, self._account, event.instrument, live=self._book)
        if found is not None:
            return found
        wanted = (event.data.get("round_trip") or {}).get("id")
        for since in (event.occurred_at, None):  # most ended just now; one that a late fact ended, earlier
            for trip in reversed(self._ended(then, event.instrument, since)):
                if wanted in {None, trip.id}:
                    return Position.ended(then, trip)
        return None

    def _ended(self, then: Reading, symbol: str, since: datetime | None) -> list[RoundTrip]:
        return then.round_trips(account=self._account, instrument=symbol, since=since, is_open=False)


def _trade(event: Event) -> Trade:
    """Return the trade of an event that holds one."""
    fill = fact_from(
        "fill",
        event.data,
        account=event.account,
        instrument=event.instrument,
        strategy=event.strategy,
        occurred_ns=times.from_datetime("occurred_at", event.occurred_at),
    )
    return Trade.of(RecordedFill(sequence=event.sequence, id=event.id, identity=event.data["trade_id"], fill=fill))
