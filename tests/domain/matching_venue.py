"""A venue for tests of the matching: what a book would keep, and the orders built from it again whenever asked."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from onebook.domain import matching
from onebook.domain.facts import Order
from onebook.domain.market import Seen
from onebook.domain.matching import Kept, Rules, Step, Working
from onebook.domain.numbers import ZERO, plain
from onebook.domain.orders import TERMINAL


class Venue:
    """Keeps what a book would keep. With ``restarts`` it forgets its working orders before whatever happens."""

    def __init__(self, rules: Rules, *, restarts: bool = False) -> None:
        self.rules = rules
        self.restarts = restarts
        self.working: tuple[Working, ...] = ()
        self.kept: dict[str, Kept] = {}
        self.held: dict[tuple[str, str], Decimal] = {}
        self.last: Seen | None = None
        self.outcomes: list[Any] = []

    def send(self, order: Order, at_ns: int) -> Step:
        self._restart()
        ended = [kept for kept in self.kept.values() if kept.status in TERMINAL]
        step = matching.accept(self.working, order, at_ns, self.last, self.rules, held=self.held, ended=ended)
        return self._take(step, at_ns, order)

    def see(self, seen: Seen) -> Step:
        self._restart()
        step = self._take(matching.step(self.working, seen, self.rules, held=self.held), seen.at_ns)
        self.last = seen
        return step

    def cancel(self, order_id: str, at_ns: int) -> Step:
        self._restart()
        return self._take(matching.cancel(self.working, order_id), at_ns)

    def replace(self, order_id: str, at_ns: int, terms: Mapping[str, Decimal]) -> Step:
        self._restart()
        return self._take(matching.replace(self.working, order_id, at_ns, self.last, self.rules, **dict(terms)), at_ns)

    def expire(self, now_ns: int, *, day_ended: bool) -> Step:
        self._restart()
        return self._take(matching.expire(self.working, now_ns, day_ended=day_ended), now_ns)

    def _restart(self) -> None:
        if self.restarts:
            rebuilt = matching.rebuild(self.kept.values())
            assert rebuilt == self.working
            self.working = rebuilt

    def _take(self, step: Step, at_ns: int, order: Order | None = None) -> Step:
        for outcome in step.outcomes:
            self._keep(outcome, at_ns, order)
        self.working = step.working
        self.outcomes.extend(step.outcomes)
        return step

    def _keep(self, outcome: Any, at_ns: int, order: Order | None) -> None:
        name = outcome.client_order_id
        if isinstance(outcome, matching.Accepted):
            assert order is not None
            self.kept[name] = Kept(order=order, status="new", accepted_ns=at_ns, takes=outcome.takes)
        kept = self.kept.get(name)
        if kept is None:
            return
        match outcome:
            case matching.Filled():
                filled = kept.filled + outcome.quantity
                whole = kept.order.quantity if kept.quantity is None else kept.quantity
                assert outcome.number == kept.fills + 1
                status = "filled" if filled >= whole else "partially_filled"
                kept = replace(kept, filled=filled, fills=outcome.number, status=status)
                key = (kept.order.strategy, kept.order.leg)
                signed = outcome.quantity if kept.order.side == "buy" else -outcome.quantity
                self.held[key] = self.held.get(key, ZERO) + signed
            case matching.Triggered():
                kept = replace(kept, triggered=True, status="triggered")
            case matching.Moved():
                kept = replace(kept, stop_price=outcome.stop_price)
            case matching.Resized():
                kept = replace(kept, quantity=outcome.quantity)
            case matching.Activated():
                kept = replace(kept, accepted_ns=at_ns, takes=outcome.takes)
            case matching.Replaced():
                kept = replace(
                    kept,
                    quantity=outcome.quantity,
                    limit_price=outcome.limit_price,
                    stop_price=outcome.stop_price,
                    takes=outcome.takes,
                    accepted_ns=at_ns,
                )
            case matching.Canceled():
                kept = replace(kept, status="canceled")
            case matching.Expired():
                kept = replace(kept, status="expired")
            case _:
                pass
        self.kept[name] = kept


def text_of(outcome: Any) -> str:
    """An outcome in one line: ``S filled 10 @ 95 taker``."""
    name = outcome.client_order_id
    match outcome:
        case matching.Filled():
            return f"{name} filled {plain(outcome.quantity)} @ {plain(outcome.price)} {outcome.liquidity}"
        case matching.Moved():
            return f"{name} level {plain(outcome.stop_price)}"
        case matching.Resized():
            return f"{name} quantity {plain(outcome.quantity)}"
        case matching.Canceled() | matching.Rejected() | matching.Refused():
            return f"{name} {type(outcome).__name__.lower()} {outcome.reason}"
        case _:
            takes = " takes" if getattr(outcome, "takes", False) else ""
            return f"{name} {type(outcome).__name__.lower()}{takes}"
