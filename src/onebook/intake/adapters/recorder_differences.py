"""What a venue has filled of an order and nobody booked, at the price and fee that make up the venue's figures."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from onebook.book.core import Core
from onebook.domain import facts
from onebook.domain.commands import Compared, Record
from onebook.domain.instruments import terms_of
from onebook.domain.numbers import ZERO, add, multiply, plain, quotient, subtract
from onebook.domain.times import to_datetime
from onebook.intake.adapters.recorder_known import Known
from onebook.intake.adapters.recorder_seen import OrderSeen

MARGIN_NS = 3_600_000_000_000
"""How much older than its order a fill may seem: clocks differ."""


def _earlier(at: int) -> datetime:
    return to_datetime(max(at - MARGIN_NS, 0))


class Differences:
    """Compares what a venue says of an order with the fills in the book.

    Args:
        book: which.
        whose: account, venue and strategy.
        contradicted: is told of an order whose average the fills in the book contradict.
    """

    def __init__(
        self, book: Core, whose: tuple[str, str, str], contradicted: Callable[[OrderSeen, Known], None]
    ) -> None:
        self._book, self._contradicted = book, contradicted
        self._account, self._venue, self._strategy = whose

    def of_nobodys(self, seen: OrderSeen) -> Iterator[Record]:
        """Yield what the venue has filled and nobody booked of an order that no bot recorded, for EXTERNAL.

        The fills in the book are found by the venue's own times; without them nothing is booked until the executions
        are told.
        """
        made = seen.created_ns
        if made is None or not seen.venue_order_id:
            return
        with self._book.store.reading() as reader:
            head = reader.head()[0]
        order = Known("", {"venue_order_id": seen.venue_order_id, "known": False}, made, facts.EXTERNAL)
        booked = sum((fill.quantity for fill in self._fills_since(seen, order, _earlier(made))), ZERO)
        body = (order.body or {}) | {"filled_quantity": plain(booked)}
        yield from self.fills(seen, replace(order, body=body), after=head)

    def fills(self, seen: OrderSeen, order: Known, *, after: int = 0) -> Iterator[Record]:
        """Yield what the venue has filled and nobody booked, at the price that makes up its average.

        It is refused as a ConflictError when somebody books of the order before it is recorded.

        Args:
            seen: what the venue says.
            order: what the book has.
            after: the newest entry before the book's fills were read, for an order that no bot recorded.
        """
        filled, average, body = seen.filled, seen.average, order.body or {}
        instrument, side = seen.instrument or body.get("instrument"), seen.side or body.get("side")
        if not filled or average is None or not instrument or not side:
            return
        booked = order.number("filled_quantity")
        quantity = subtract(filled, booked)
        if quantity <= ZERO:
            return
        price, fee = average, seen.fee
        if booked:
            price, fee = self._remainder(seen.replaced(instrument=instrument), order, quantity)
        name = seen.venue_order_id or str(body.get("venue_order_id", "")) or order.client_order_id
        fill = facts.Fill(
            instrument=instrument,
            side=side,
            quantity=quantity,
            price=price,
            account=self._account,
            strategy=order.strategy if order.is_known or order.strategy else self._strategy,
            occurred_ns=seen.occurred_ns if seen.occurred_ns is not None else seen.created_ns,
            venue=self._venue,
            venue_order_id=name,
            venue_fill_id=f"order:{name}:{plain(filled)}",
            client_order_id=order.client_order_id,
            signal_id=str(body.get("signal_id", "")),
            leg=str(body.get("leg", "")) or seen.leg,
            close_reason=str(body.get("close_reason", "")),
            fee=fee,
            fee_currency=seen.fee_currency,
            liquidity=seen.liquidity,
            tags=(*seen.tags, "synthetic"),
            raw=seen.raw,
        )
        since = max(order.at - MARGIN_NS, 0)
        yield Record(fill, Compared(filled=booked, after=after, since_ns=since))

    def _remainder(self, seen: OrderSeen, order: Known, quantity: Decimal) -> tuple[Decimal, Decimal | None]:
        """Return the price and fee of a part, so that with what is booked it makes up the venue's figures."""
        filled, average = seen.filled or ZERO, seen.average or ZERO
        worth, coins, fees, alone = ZERO, ZERO, ZERO, True
        for part in self._fills(seen, order):
            worth = add(worth, multiply(part.quantity, part.price))
            coins = add(coins, quotient(part.quantity, part.price)) if part.price else coins
            alone = alone and part.fee_currency in {None, seen.fee_currency}
            fees = add(fees, part.fee or ZERO)
        if self._is_inverse(seen.instrument) and average:
            left = subtract(quotient(filled, average), coins)
            price = quotient(quantity, left) if left > ZERO else average
        else:
            price = quotient(subtract(multiply(filled, average), worth), quantity)
        if price <= ZERO < average:  # the venue's average is rounded, or of other fills than the ones booked
            self._contradicted(seen, order)
            price = average
        return price, subtract(seen.fee, fees) if seen.fee is not None and alone else None

    def _fills(self, seen: OrderSeen, order: Known) -> list[facts.Fill]:
        """Return the fills of an order: those since it was made, or of all time when its clock was another one."""
        near = self._fills_since(seen, order, _earlier(order.at))
        if sum((fill.quantity for fill in near), ZERO) == order.number("filled_quantity"):
            return near
        return self._fills_since(seen, order, None)

    def _fills_since(self, seen: OrderSeen, order: Known, since: datetime | None) -> list[facts.Fill]:
        until = None
        if not order.client_order_id and seen.occurred_ns is not None:
            until = to_datetime(max(seen.occurred_ns, order.at) + MARGIN_NS)
        found = self._book.fills(account=self._account, instrument=seen.instrument, since=since, until=until)
        names = {name for name in (seen.venue_order_id, (order.body or {}).get("venue_order_id")) if name}
        ours = order.client_order_id
        return [
            item.fill
            for item in found
            if (ours and item.fill.client_order_id == ours) or item.fill.venue_order_id in names
        ]

    def _is_inverse(self, instrument: str) -> bool:
        named_so = [item for item in self._book.facts("instrument") if item.symbol == instrument]
        return terms_of(named_so[-1] if named_so else None, instrument, facts.Account(name=self._account)).inverse
