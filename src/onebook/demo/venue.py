"""The demo's venue: what a wish or a protective level becomes on a real bar. Orders and fills, no rules of the book.

Orders fill at the opening price, in executions of at most 200 shares; a level inside the bar fills at the level,
and a bar that opens beyond it at the open. Stop and target inside one bar: the stop. On the bar of the entry
only the stop can be hit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from decimal import Decimal

from onebook.demo.bars import Bar
from onebook.demo.bots import Exits, Wish, cents
from onebook.demo.history import Session
from onebook.domain.facts import Fill, Order
from onebook.domain.reports import Position

NAME = "demo"
ACCOUNT = "demo"
OPENS = time(9, 30)
MIDDAY = time(12)
CLOSES = time(16)
EXECUTION = Decimal(200)
"""Most shares of one execution."""
_FEE_PER_SHARE = Decimal("0.005")
_LEAST_FEE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A protective level that a bar reached: the level, the price it fills at, when, and which one it was."""

    level: Decimal
    price: Decimal
    clock: time
    reason: str


def fee(quantity: Decimal) -> Decimal:
    """Return the commission of an execution in USD, charged: half a cent per share, at least one dollar."""
    return max(_LEAST_FEE, cents(quantity * _FEE_PER_SHARE))


def find_hit(held: Position, exits: Exits, bar: Bar, *, entered: bool) -> Hit | None:
    """Return which level of a position this bar reaches, if any; ``entered``: it was opened on this bar."""
    long = held.quantity > 0
    opened = None if entered else bar.open
    if exits.stop is not None:
        worst = bar.low if long else bar.high
        if (worst <= exits.stop) if long else (worst >= exits.stop):
            return _hit(exits.stop, exits.stop_reason, opened, beyond=-1 if long else 1)
    if exits.target is not None and not entered:
        best = bar.high if long else bar.low
        if (best >= exits.target) if long else (best <= exits.target):
            return _hit(exits.target, "take_profit", opened, beyond=1 if long else -1)
    return None


def _hit(level: Decimal, reason: str, opened: Decimal | None, *, beyond: int) -> Hit:
    """Return a hit at the level, or at the open when the bar opened beyond it (1: above, −1: below)."""
    if opened is not None and (opened - level) * beyond >= 0:
        return Hit(level=level, price=opened, clock=OPENS, reason=reason)
    return Hit(level=level, price=level, clock=MIDDAY, reason=reason)


class Venue:
    """Turns wishes and hits into orders and their executions, numbered through each day."""

    def __init__(self) -> None:
        self._day = ""
        self._number = 0

    def trade_wish(self, wish: Wish, signal_id: str, session: Session) -> Iterator[Order | Fill]:
        """Return the order of a wish and its fills: at the opening, or for ``at_close`` at the closing price."""
        bar = session.bars[wish.instrument]
        order = Order(
            account=ACCOUNT,
            strategy=wish.strategy,
            instrument=wish.instrument,
            side=wish.side,
            quantity=wish.quantity,
            client_order_id=f"{signal_id}-{'close' if wish.at_close else 'open'}",
            signal_id=signal_id,
            close_reason=wish.close_reason,
            venue=NAME,
            time_in_force="DAY",
            occurred_at=session.at(CLOSES if wish.at_close else OPENS),
        )
        yield order
        yield from self._executions(order, bar.close if wish.at_close else bar.open)

    def trade_hit(self, held: Position, hit: Hit, session: Session) -> Iterator[Order | Fill]:
        """Return the order and the fills that close a whole position at a level that was hit."""
        limit = hit.reason == "take_profit"
        name = f"{session.day:%Y%m%d}-{held.strategy}-{held.instrument}-{'target' if limit else 'stop'}"
        order = Order(
            account=ACCOUNT,
            strategy=held.strategy or "",
            instrument=held.instrument,
            side="sell" if held.quantity > 0 else "buy",
            quantity=abs(held.quantity),
            kind="limit" if limit else "stop",
            limit_price=hit.level if limit else None,
            stop_price=None if limit else hit.level,
            reduce_only=True,
            client_order_id=name,
            close_reason=hit.reason,
            venue=NAME,
            occurred_at=session.at(hit.clock),
        )
        yield order
        yield from self._executions(order, hit.price)

    def _executions(self, order: Order, price: Decimal) -> Iterator[Fill]:
        """Return the fills of an order at one price, each with an id of its own."""
        left = order.quantity
        while left > 0:
            quantity = min(left, EXECUTION)
            left -= quantity
            yield Fill(
                account=ACCOUNT,
                strategy=order.strategy,
                instrument=order.instrument,
                side=order.side,
                quantity=quantity,
                price=price,
                fee=fee(quantity),
                occurred_at=order.occurred_at,
                venue=NAME,
                venue_order_id=order.client_order_id,
                venue_fill_id=self._next_id(f"{order.occurred_at:%Y%m%d}"),
                client_order_id=order.client_order_id,
                signal_id=order.signal_id,
                close_reason=order.close_reason,
            )

    def _next_id(self, day: str) -> str:
        """Return an execution's id: the day and a number that starts anew each day."""
        if day != self._day:
            self._day, self._number = day, 0
        self._number += 1
        return f"{day}-{self._number:04d}"
