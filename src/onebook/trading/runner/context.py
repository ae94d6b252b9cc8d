"""What a strategy may see and wish for while it hears something: everything it sees is the book's or the market's."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

from onebook.book.core import Core
from onebook.domain import fields, times
from onebook.domain.commands import Protect
from onebook.domain.decide.protecting import check_figures, check_leg
from onebook.domain.facts import Instrument, Order, Signal
from onebook.domain.market import Bar
from onebook.domain.numbers import ZERO, Number
from onebook.domain.reports import OrderState, Position
from onebook.errors import InputError, RuleError
from onebook.trading.runner.strategy import Strategy
from onebook.trading.runner.timers import Timers
from onebook.trading.runner.windows import Windows
from onebook.trading.runner.wishes import Wishes

_FINE = Decimal("0.00000001")
"""Prices and quantities of an instrument without steps of its own are rounded to this."""

WORKS = frozenset({"new", "triggered", "partially_filled"})
"""Statuses of an order that rests at the venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """The ids of an entry and its exits; empty for an exit that was not wanted."""

    entry: str
    stop: str = ""
    target: str = ""


@dataclass(slots=True, kw_only=True)
class Around:
    """What all contexts of a runner share.

    Attributes:
        book: the book.
        windows: the newest bars.
        instruments: definitions by symbol, read when they are first asked for.
        held: quantities by account, strategy, instrument and leg, as asked for since the log grew last.
        held_at: head of the log at which they were read.
    """

    book: Core
    windows: Windows
    instruments: dict[str, Instrument] | None = None
    held: dict[tuple[str, str, str, str | None], Decimal] = field(default_factory=dict)
    held_at: int = -1

    def quantity(self, account: str, strategy: str, instrument: str, leg: str | None) -> Decimal:
        """Return how much a strategy holds; read again where the log has grown."""
        head = self.book.wakeups.head
        if head != self.held_at:
            self.held.clear()
            self.held_at = head
        place = (account, strategy, instrument, leg)
        if place not in self.held:
            found = self.book.position(instrument, account=account, strategy=strategy, leg=leg)
            self.held[place] = ZERO if found is None else found.quantity
        return self.held[place]

    def keeps_legs(self, account: str) -> bool:
        """Say whether long and short legs of an account are apart."""
        return any(item.name == account and item.mode == "hedging" for item in self.book.facts("account"))

    def defined(self, instrument: str) -> Instrument | None:
        """Return an instrument's definition; None where it has none."""
        if self.instruments is None:
            self.instruments = {item.symbol: item for item in self.book.facts("instrument")}
        return self.instruments.get(instrument)


class Context:
    """What one strategy is given with everything it hears.

    Args:
        around: what all contexts share.
        strategy: whose.

    Attributes:
        log: of the program, under the strategy's name.
    """

    def __init__(self, around: Around, strategy: Strategy) -> None:
        self._around = around
        self._book = around.book
        self._strategy = strategy
        self._wishes: Wishes | None = None
        self._timers = Timers()
        self._now_ns = 0
        self.log = logging.getLogger(f"onebook.strategy.{strategy.name}")

    # ---- what it sees ----

    @property
    def now_ns(self) -> int:
        """The moment of what it hears, in nanoseconds since 1970 UTC."""
        return self._now_ns

    @property
    def now(self) -> datetime:
        """The moment of what it hears, in UTC."""
        return times.to_datetime(self._now_ns)

    def position(self, instrument: str, *, leg: str | None = None) -> Position | None:
        """Return what this strategy holds of an instrument; None when it never held any.

        Args:
            instrument: of what.
            leg: ``long`` or ``short`` in a hedging account; None: both together.
        """
        about = {"account": self._strategy.account, "strategy": self._strategy.name}
        return self._book.position(instrument, leg=leg, **about)

    def quantity(self, instrument: str, *, leg: str | None = None) -> Decimal:
        """Return how much this strategy holds: above 0 long, below 0 short, 0 flat; ``leg`` as of :meth:`position`."""
        return self._around.quantity(self._strategy.account, self._strategy.name, instrument, leg)

    def open_orders(self, instrument: str | None = None) -> list[OrderState]:
        """Return this strategy's orders that may still fill."""
        return self._book.orders(
            account=self._strategy.account, strategy=self._strategy.name, instrument=instrument, is_open=True
        )

    def history(self, instrument: str, count: int) -> tuple[Bar, ...]:
        """Return the newest bars of the strategy's timeframe, oldest first; fewer where there are not so many yet.

        Raises:
            InputError: more than ``warm_up``: after a restart there would be fewer.
        """
        if count > self._strategy.warm_up:
            msg = f"count: {count} bars are more than the strategy's warm_up of {self._strategy.warm_up}; raise that"
            raise InputError(msg, field="count", value=count)
        return self._around.windows.last(instrument, self._strategy.timeframe, count)

    def equity(self) -> Decimal:
        """Return what the strategy's account is worth, in the book's base currency."""
        return self._book.equity(account=self._strategy.account).amount

    def mark(self, instrument: str) -> Decimal | None:
        """Return the newest price of an instrument; None where there is none."""
        return next((item.price for item in self._book.marks() if item.instrument == instrument), None)

    def price(self, instrument: str, value: Decimal) -> Decimal:
        """Return a price on the instrument's steps, the nearest one; without steps, with 8 places."""
        return self._stepped(value, "tick_size", instrument, ROUND_HALF_EVEN)

    def lots(self, instrument: str, value: Decimal) -> Decimal:
        """Return a quantity on the instrument's steps, rounded down; without steps, with 8 places."""
        return self._stepped(value, "lot_size", instrument, ROUND_DOWN)

    def _stepped(self, value: Decimal, step: str, instrument: str, rounding: str) -> Decimal:
        size: Decimal = getattr(self._around.defined(instrument), step, None) or _FINE
        return (value / size).to_integral_value(rounding) * size

    # ---- what it wishes for ----

    def signal(  # noqa: PLR0913  the parts of a signal, by name
        self,
        instrument: str,
        action: str,
        *,
        price: Number | None = None,
        stop_loss: Number | None = None,
        take_profit: Number | None = None,
        confidence: Number | None = None,
        confluences: Collection[str] = (),
        expires_after_seconds: float | None = None,
        note: str = "",
    ) -> str:
        """Record what it saw and would like to do; return the id, for the orders that come of it.

        Args:
            instrument: of what.
            action: ``buy`` or ``sell``.
            price: at which it saw it.
            stop_loss: where it would be wrong.
            take_profit: where it would be done.
            confidence: from 0 to 1.
            confluences: what speaks for it.
            expires_after_seconds: where no order of it has filled by then, it expires, and its orders are taken back.
            note: for people.
        """
        expires = None
        if expires_after_seconds is not None:
            expires = times.to_datetime(self._now_ns + round(expires_after_seconds * times.SECOND))
        signal = Signal(
            instrument=instrument,
            action=action,
            account=self._strategy.account,
            strategy=self._strategy.name,
            price=price,
            stop_loss=stop_loss,
            take_profit=take_profit,
            confidence=confidence,
            timeframe=self._strategy.timeframe,
            confluences=tuple(confluences),
            expires_at=expires,
            occurred_ns=self._now_ns,
            note=note,
        )
        return self._wishing().add_signal(signal).signal_id

    def buy(self, instrument: str, quantity: Number, **terms: Any) -> str:
        """Wish to buy; without other terms at the market. Returns the order's id.

        Args:
            instrument: of what.
            quantity: above 0.
            terms: any field of :class:`onebook.Order`, such as ``kind`` and ``limit_price``; ``signal_id`` names the
                signal that it comes of.
        """
        return self.order(Order(instrument=instrument, side="buy", quantity=quantity, **terms))

    def sell(self, instrument: str, quantity: Number, **terms: Any) -> str:
        """Wish to sell; as :meth:`buy`."""
        return self.order(Order(instrument=instrument, side="sell", quantity=quantity, **terms))

    def order(self, order: Order) -> str:
        """Wish for an order; return its id. The gate decides when everything that was heard has been dealt with.

        What it refuses is in the book with the reason, as ``denied``.
        """
        return self._order(order).client_order_id

    def _order(self, order: Order) -> Order:
        strategy = self._strategy
        return self._wishing().add_order(
            order.replaced(account=strategy.account, strategy=strategy.name, occurred_ns=self._now_ns)
        )

    def bracket(
        self,
        entry: Order,
        *,
        stop_loss: Number | None = None,
        take_profit: Number | None = None,
        trail_ratio: Number | None = None,
        trail_amount: Number | None = None,
    ) -> Bracket:
        """Wish for an entry with its exits: they wait for its fill, and one that fills takes the other back.

        Args:
            entry: the order that opens.
            stop_loss: price of a stop.
            take_profit: price of a target.
            trail_ratio: of a trailing stop, in place of ``stop_loss``.
            trail_amount: of a trailing stop, in place of ``stop_loss``.

        Raises:
            InputError: no exit is wanted, or two stops are.
        """
        trails = trail_ratio is not None or trail_amount is not None
        if (stop_loss is not None) + trails > 1 or (trail_ratio is not None and trail_amount is not None):
            raise InputError("a bracket has one stop: stop_loss, trail_ratio or trail_amount", field="stop_loss")
        if stop_loss is None and take_profit is None and not trails:
            raise InputError("a bracket needs a stop or a target; else use buy or sell", field="stop_loss")
        placed = self._order(entry)

        def leave(**terms: Any) -> str:
            return self._order(
                Order(
                    instrument=placed.instrument,
                    side="sell" if placed.side == "buy" else "buy",
                    quantity=placed.quantity,
                    reduce_only=True,
                    parent_id=placed.client_order_id,
                    group_id=placed.client_order_id,
                    signal_id=placed.signal_id,
                    leg=placed.leg,
                    **terms,
                )
            ).client_order_id

        stop = target = ""
        if stop_loss is not None:
            stop = leave(kind="stop", stop_price=stop_loss, close_reason="stop_loss")
        elif trails:
            stop = leave(
                kind="trailing_stop", trail_ratio=trail_ratio, trail_amount=trail_amount, close_reason="trailing_stop"
            )
        if take_profit is not None:
            target = leave(kind="limit", limit_price=take_profit, close_reason="take_profit")
        return Bracket(entry=placed.client_order_id, stop=stop, target=target)

    def cancel(self, client_order_id: str, *, reason: str = "") -> bool:
        """Wish for an order's end; False where it does not rest at the venue."""
        return self._change(client_order_id, "pending_cancel", reason=reason)

    def replace(
        self,
        client_order_id: str,
        *,
        quantity: Number | None = None,
        limit_price: Number | None = None,
        stop_price: Number | None = None,
    ) -> bool:
        """Wish for other terms of an order; None leaves one as it is. False where it does not rest at the venue.

        Raises:
            InputError: nothing is to change, or a term is no exact number above 0.
        """
        terms = {"quantity": quantity, "limit_price": limit_price, "stop_price": stop_price}
        wanted = {name: fields.positive(name, value) for name, value in terms.items() if value is not None}
        if not wanted:
            raise InputError("replace: give quantity, limit_price or stop_price", field="quantity", value=None)
        return self._change(client_order_id, "pending_replace", **wanted)

    def _change(self, client_order_id: str, what: str, **terms: Any) -> bool:
        wishes = self._wishing()
        resting = {item.client_order_id for item in self.open_orders() if item.status in WORKS}
        wished = {item["client_order_id"] for item in wishes.others if "client_order_id" in item}
        if client_order_id not in resting - wished:
            return False
        wishes.add(
            do=what, client_order_id=client_order_id, account=self._strategy.account, at_ns=self._now_ns, **terms
        )
        return True

    def protect(self, instrument: str, *, act: str = "order", leg: str = "", **figures: Number | None) -> None:
        """Wish for a stop and target of the position, watched here and not by the venue.

        Args:
            instrument: of what.
            act: ``order`` leaves at the market when a level is reached, ``notify`` only says so.
            leg: ``long`` or ``short`` in a hedging account.
            figures: ``stop_loss take_profit trail_amount trail_ratio activates_at``; none takes it away.

        Raises:
            InputError: no such figure, one is no exact number above 0, or they do not go together or with what is held.
        """
        known = {"stop_loss", "take_profit", "trail_amount", "trail_ratio", "activates_at"}
        if not set(figures) <= known or act not in {"order", "notify"}:
            msg = f"protect takes {', '.join(sorted(known))}, and act order or notify"
            raise InputError(msg, field="figures", value=sorted(figures))
        wanted: dict[str, Any] = {
            name: fields.positive(name, value) for name, value in figures.items() if value is not None
        }
        if leg not in {"", "long", "short"}:
            raise InputError("leg: is long or short, empty where the account keeps none", field="leg", value=leg)
        if wanted:
            check_leg(self._strategy.account, leg, hedging=self._around.keeps_legs(self._strategy.account))
            held = self.position(instrument, leg=leg or None)
            terms = Protect(account=self._strategy.account, instrument=instrument, leg=leg, act=act, **wanted)
            check_figures(terms, ZERO if held is None else held.quantity)
        self._wishing().add(
            do="protect",
            account=self._strategy.account,
            instrument=instrument,
            strategy=self._strategy.name,
            leg=leg,
            act=act,
            reason="taken away by its strategy",
            **wanted,
        )

    def timer(self, name: str, every_seconds: float) -> None:
        """Let ``on_timer`` be called at every multiple of so many seconds; 0 takes the timer away.

        It is due with the first thing that the market shows at or after such a moment, live at the latest a second
        later. Timers are set in ``on_start``: a restart forgets the others.
        """
        self._timers.set(name, every_seconds)

    def _wishing(self) -> Wishes:
        if self._wishes is None:
            msg = "nothing can be ordered in on_start and on_stop: a restart would order it again"
            raise RuleError(msg, strategy=self._strategy.name)
        return self._wishes

    # ---- for the runner ----

    def hear(self, now_ns: int, wishes: Wishes | None, calls: Callable[[], None]) -> None:
        """Run calls at a moment, with somewhere to put wishes; None: there can be none."""
        self._now_ns, self._wishes = now_ns, wishes
        try:
            calls()
        finally:
            self._wishes = None

    def due(self, before_ns: int) -> list[str]:
        """Return the timers that became due since a moment."""
        return self._timers.due(before_ns, self._now_ns)
