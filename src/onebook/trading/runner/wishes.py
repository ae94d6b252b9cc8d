"""What strategies wish for while they hear one event, and the names it gets: pure functions of what brought it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any

from onebook.domain.commands import Command, Protect, Record
from onebook.domain.facts import Order, OrderUpdate, Signal
from onebook.domain.identity import identity_text
from onebook.domain.numbers import plain
from onebook.domain.shapes import fact_data
from onebook.errors import InputError

MAX_WISHES = 200
"""Most wishes of one strategy for one event."""

_FIGURES = ("stop_loss", "take_profit", "trail_amount", "trail_ratio", "activates_at")
_TERMS = ("quantity", "limit_price", "stop_price")
_UNNAMED = frozenset({"client_order_id", "signal_id", "group_id", "parent_id", "raw"})
"""What of an order or signal does not go into its name."""


@dataclass(slots=True)
class Wishes:
    """What one strategy wishes for, in the order of its wishing.

    Attributes:
        runner: its name.
        strategy: whose.
        event: key of the event that it hears.
        signals: to be recorded.
        orders: to be placed, a parent before its children.
        others: changes to orders and protections, as plain data.
    """

    runner: str
    strategy: str
    event: str
    signals: list[Signal] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)

    def add_order(self, order: Order) -> Order:
        """Take an order, and return it with its id."""
        named = order.replaced(client_order_id=self._name("o", order, len(self.orders)))
        self.orders.append(named)
        self._check_size()
        return named

    def add_signal(self, signal: Signal) -> Signal:
        """Take a signal, and return it with its id."""
        named = signal.replaced(signal_id=self._name("s", signal, len(self.signals)))
        self.signals.append(named)
        self._check_size()
        return named

    def add(self, **what: Any) -> None:
        """Take a change to an order or a protection."""
        self.others.append(
            {name: plain(value) if isinstance(value, Decimal) else value for name, value in what.items()}
        )
        self._check_size()

    def _check_size(self) -> None:
        if len(self.orders) + len(self.signals) + len(self.others) > MAX_WISHES:
            msg = f"strategy {self.strategy} wishes for more than {MAX_WISHES} things in one event"
            raise InputError(msg, strategy=self.strategy)

    def _name(self, letter: str, fact: Order | Signal, number: int) -> str:
        said = {name: value for name, value in fact_data(fact).items() if name not in _UNNAMED}
        content = json.dumps(said, sort_keys=True, default=str)
        key = identity_text(self.runner, self.strategy, self.event, str(number), content)
        return letter + sha256(key.encode()).hexdigest()[:23]


def command_of(what: dict[str, Any], replacing: Callable[[OrderUpdate], Command]) -> Command:
    """Return the command of a change that was kept as plain data.

    Args:
        what: the change.
        replacing: makes the command that asks the gate for other terms of an order.
    """
    if what["do"] == "protect":
        names = ("account", "instrument", "strategy", "leg", "act", "reason")
        said: dict[str, Any] = {name: what[name] for name in names if name in what}
        return Protect(**said, **_decimals(what, _FIGURES))
    terms = _decimals(what, _TERMS)
    update = OrderUpdate(
        client_order_id=what["client_order_id"],
        account=what["account"],
        status=what["do"],
        reason=what.get("reason", ""),
        occurred_ns=what["at_ns"],
        **terms,
    )
    return replacing(update) if update.status == "pending_replace" else Record(update)


def _decimals(what: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: Decimal(what[name]) for name in names if what.get(name) is not None}
