"""What a paper venue tells the book: outcomes of matching as order updates and fills; ids are pure functions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.domain import matching as model
from onebook.domain.decide.orders import CHANGEABLE
from onebook.domain.facts import Fill, Order, OrderUpdate
from onebook.domain.instruments import Terms
from onebook.domain.numbers import absolute
from onebook.trading.brokers.margin import Purse
from onebook.trading.brokers.paper_memory import Market, Touch, marks_of
from onebook.trading.brokers.paper_rules import PaperRules

_BEGINS = (model.Accepted, model.Activated, model.Replaced)
"""From then on an order may fill; what it must know of that moment is kept."""

_SAYS_ALL = (model.Activated, model.Refused)
"""They leave the terms as they are, and say them: else two words of one moment could look the same to the book."""

_STATUS: dict[type[model.Outcome], str] = {
    model.Accepted: "new",
    model.Activated: "new",
    model.Triggered: "triggered",
    model.Canceled: "canceled",
    model.Expired: "expired",
    model.Rejected: "rejected",
}
"""Status by outcome; any other leaves the order as it rests."""


def venue_order_id(client_order_id: str) -> str:
    """Return the venue's id of an order."""
    return f"paper-{client_order_id}"


def venue_fill_id(client_order_id: str, number: int) -> str:
    """Return the venue's id of an order's n-th fill, from 1."""
    return f"{client_order_id}-{number}"


def resting_status(order: model.Working) -> str:
    """Return the status of an order that goes on working."""
    if order.filled:
        return "partially_filled"
    return "triggered" if order.triggered else "new"


class FillTimes:
    """Moments of fills, each later than the one before it in its market: the newest is read from the book once."""

    def __init__(self, book: Core) -> None:
        self._book = book
        self._newest: dict[Market, int] = {}

    def forget(self) -> None:
        """Read the newest again when it is asked for."""
        self._newest.clear()

    def next(self, market: Market, at_ns: int) -> int:
        """Return the moment of a market's next fill: this one, or a nanosecond after the last."""
        before = self._newest.get(market)
        if before is None:
            found = self._book.fills(account=market[0], instrument=market[1], since=at_ns)
            before = max((item.fill.occurred_ns for item in found), default=-1)
        self._newest[market] = max(at_ns, before + 1)
        return self._newest[market]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Says in facts of the book what became of one account's orders.

    Attributes:
        rules: of the venue.
        at_ns: when it happened.
        touch: the observation that brought it.
        next_fill_ns: gives the moment of the next fill: those of one moment are a nanosecond apart, so that the book
            folds them in the order in which they happened.
    """

    rules: PaperRules
    at_ns: int
    touch: Touch
    next_fill_ns: Callable[[int], int]

    def told(
        self, outcomes: Sequence[model.Outcome], orders: Mapping[str, model.Working], terms: Terms
    ) -> Iterator[OrderUpdate | Fill]:
        """Return the reports of some outcomes, in order.

        Args:
            outcomes: of one step.
            orders: the orders they are about, as they were before it or, where they came with it, after it.
            terms: of their instrument.
        """
        now = dict(orders)
        for outcome in outcomes:
            working = now.get(outcome.client_order_id)
            if working is None:
                continue
            if isinstance(outcome, model.Filled):
                yield self._fill(working.order, outcome, terms)
            else:
                yield self._update(working, outcome)
            now[working.id] = _moved_on(working, outcome)

    def _fill(self, order: Order, outcome: model.Filled, terms: Terms) -> Fill:
        fee, currency = self.rules.fees_for(terms).charged(
            terms, order.side, outcome.quantity, outcome.price, outcome.liquidity
        )
        return Fill(
            instrument=order.instrument,
            side=order.side,
            quantity=outcome.quantity,
            price=outcome.price,
            account=order.account,
            strategy=order.strategy,
            occurred_ns=self.next_fill_ns(self.at_ns),
            venue=self.rules.venue,
            venue_order_id=venue_order_id(order.client_order_id),
            venue_fill_id=venue_fill_id(order.client_order_id, outcome.number),
            client_order_id=order.client_order_id,
            signal_id=order.signal_id,
            leg=order.leg,
            fee=fee,
            fee_currency=currency,
            liquidity=outcome.liquidity,
            close_reason=order.close_reason,
            raw=marks_of(self.touch),
        )

    def _update(self, working: model.Working, outcome: model.Outcome) -> OrderUpdate:
        raw: dict[str, Any] = marks_of(self.touch)
        if isinstance(outcome, _BEGINS):
            begins = working.accepted_ns if isinstance(outcome, model.Accepted) else self.at_ns
            raw |= {"accepted_ns": begins, "takes": outcome.takes}
        status = _STATUS.get(type(outcome)) or resting_status(working)
        known = working if isinstance(outcome, _SAYS_ALL) else outcome
        said: dict[str, Any] = {name: getattr(known, name, None) for name in CHANGEABLE}
        return OrderUpdate(
            client_order_id=working.id,
            status=status,
            account=working.order.account,
            venue_order_id=venue_order_id(working.id),
            reason=getattr(outcome, "reason", ""),
            occurred_ns=self.at_ns,
            raw=raw,
            **said,
        )


def _moved_on(working: model.Working, outcome: model.Outcome) -> model.Working:
    """Return the order with what its next report must know."""
    if isinstance(outcome, model.Filled):
        return replace(working, filled=working.filled + outcome.quantity, fills=outcome.number)
    if isinstance(outcome, model.Triggered):
        return replace(working, triggered=True)
    if isinstance(outcome, model.Moved):
        return replace(working, stop_price=outcome.stop_price)
    if isinstance(outcome, model.Resized):
        return replace(working, quantity=outcome.quantity)
    return working


def liquidation(
    purse: Purse,
    rules: PaperRules,
    price_of: Callable[[str], Decimal | None],
    teller_of: Callable[[str], Teller],
    currency: str,
) -> Iterator[Fill]:
    """Return the fills that close every position of an account in one currency, at the newest prices."""
    for place, held in sorted(purse.held.items(), key=lambda item: item[0]):
        price, teller = price_of(place[0]), teller_of(place[0])
        if held.terms.settle != currency or not price:
            continue
        side, quantity = "sell" if held.quantity > 0 else "buy", absolute(held.quantity)
        fee, fee_currency = rules.fees_for(held.terms).charged(held.terms, side, quantity, price, "taker")
        yield Fill(
            instrument=place[0],
            side=side,
            quantity=quantity,
            price=price,
            account=purse.account,
            strategy=place[1],
            leg=place[2],
            occurred_ns=teller.next_fill_ns(teller.at_ns),
            venue=rules.venue,
            venue_order_id=f"liquidation-{teller.at_ns}",
            venue_fill_id="-".join(("liquidation", *place, str(teller.at_ns))),
            fee=fee,
            fee_currency=fee_currency,
            liquidity="taker",
            close_reason="liquidation",
            raw=marks_of(teller.touch),
        )
