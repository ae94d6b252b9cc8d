"""Closes what is held at the market, and takes open orders back."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from onebook.book.core import Core
from onebook.domain.facts import Order, OrderUpdate
from onebook.domain.identity import identity_text
from onebook.domain.numbers import ZERO, absolute, subtract
from onebook.domain.orders import CANCELABLE
from onebook.domain.reports import OrderState, Position
from onebook.errors import InvalidTransition
from onebook.trading.answers import Answer
from onebook.trading.gate import Gate
from onebook.trading.recovering import order_at

_ON_ITS_WAY = frozenset({"new", "triggered", "partially_filled", "pending_new"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be closed, and why.

    Attributes:
        reason: for the log.
        account: only this one; None for all.
        strategy: only this one; None for all.
        instrument: only this one; None for all.
        close_reason: of the round trips that it ends.
        operator: a person asks, so that it passes when trading is halted.
        key: makes the exits' ids, so that doing it again doubles none; empty where each wish is a deed of its own.
    """

    reason: str
    account: str | None = None
    strategy: str | None = None
    instrument: str | None = None
    close_reason: str = "kill_switch"
    operator: bool = True
    key: str = ""


def flatten(book: Core, gate: Gate, wish: Wish) -> list[Answer]:
    """Close what is held and take open orders back; an exit at the market that is on its way already is let be.

    An order that was not sent yet never is then; one of which nobody knows whether it arrived is canceled when its
    venue has it.

    Returns:
        The gate's answer on each exit that it adds.
    """
    chosen: dict[str, Any] = {
        "account": wish.account,
        "strategy": wish.strategy,
        "instrument": wish.instrument,
    }
    held = book.positions(**chosen)
    leaving: list[OrderState] = []
    for state in book.orders(is_open=True, **chosen):
        order = state.order
        if order.reduce_only and order.kind == "market":
            leaving.append(state)
        elif state.status in CANCELABLE:
            _take_back(book, state, wish.reason)
    exits = list(_exits(book, wish, held, leaving))
    return gate.place(exits, operator=wish.operator) if exits else []


def _take_back(book: Core, state: OrderState, reason: str) -> None:
    update = OrderUpdate(
        client_order_id=state.client_order_id, account=state.account, status="pending_cancel", reason=reason
    )
    with suppress(InvalidTransition):  # it came to its end in between
        book.record(update)


def _exits(book: Core, wish: Wish, held: list[Position], leaving: list[OrderState]) -> Iterator[Order]:
    for position in held:
        place = (position.account, position.instrument, position.strategy or "", position.leg)
        name = f"{wish.key}-{sha256(identity_text(*place).encode()).hexdigest()[:8]}" if wish.key else ""
        if name and order_at(book, position.account, name) is not None:
            continue
        quantity = subtract(absolute(position.quantity), _on_its_way(leaving, place))
        if quantity <= ZERO:
            continue
        yield Order(
            instrument=position.instrument,
            side="sell" if position.quantity > ZERO else "buy",
            quantity=quantity,
            client_order_id=name,
            account=position.account,
            strategy=position.strategy or "",
            leg=position.leg,
            reduce_only=True,
            close_reason=wish.close_reason,
            note=wish.reason,
        )


def _on_its_way(leaving: list[OrderState], place: tuple[str, str, str, str]) -> Decimal:
    """Return how much exits at the market will take off a position; one whose fate is not known is not counted."""
    total = ZERO
    for state in leaving:
        order = state.order
        if state.status in _ON_ITS_WAY and (order.account, order.instrument, order.strategy, order.leg) == place:
            total += subtract(order.quantity, state.filled_quantity)
    return total
