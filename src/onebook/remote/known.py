"""What this client last knew of positions: enough to let an exit through while nobody can be asked."""

import threading
from collections.abc import Iterable
from decimal import Decimal

from onebook.domain.facts import Fill, Order, OrderUpdate
from onebook.domain.numbers import ZERO, absolute
from onebook.domain.orders import TERMINAL
from onebook.domain.reports import OrderState, Position

MAX_KEPT = 10_000
"""Most exits, and most queued fills, that are remembered; beyond that no exit passes until the service is asked."""

MOVERS = frozenset({"corporate_action", "settlement", "reassign", "opening_balance"})
"""Facts other than fills that change what is held, in more places than one."""

Place = tuple[str, str, str, str]
"""(account, instrument, strategy, leg)."""


class Known:
    """Positions as the service last told them, less what is on its way out. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Place, tuple[Decimal, int]] = {}
        self._moved: dict[str, tuple[Place, Decimal]] = {}
        self._leaving: dict[str, tuple[Place, Decimal]] = {}
        self._own = ""
        self._halted = False

    # ---- what the service says ----

    def is_mine(self, strategy: str) -> None:
        """Take note of the strategy under which the service records what names none."""
        with self._lock:
            self._own = strategy

    def state(self, *, halted: bool) -> None:
        """Take note of whether trading is halted."""
        with self._lock:
            self._halted = halted

    def saw(self, found: Iterable[Position], *, all_of_them: bool = False) -> None:
        """Take in positions as the service tells them; an older figure changes nothing.

        Args:
            found: of single strategies; totals are passed over.
            all_of_them: whether what is not among them is flat.
        """
        rows = [item for item in found if item.strategy is not None and item.basis == "sum"]
        with self._lock:
            self._take(rows, all_of_them=all_of_them)

    def _take(self, rows: list[Position], *, all_of_them: bool) -> None:
        told = {(item.account, item.instrument, item.strategy or "", item.leg): item for item in rows}
        if all_of_them:
            for place, (_, sequence) in self._held.items():
                if place not in told:
                    self._held[place] = (ZERO, sequence)
        for place, item in told.items():
            if item.sequence >= self._held.get(place, (ZERO, 0))[1]:
                self._held[place] = (item.quantity, item.sequence)

    def looked(self, found: list[Position], opened: list[OrderState], sent: frozenset[str]) -> None:
        """Take in all positions and open orders as the service tells them.

        Args:
            found: every position that is not flat.
            opened: every order that may still fill.
            sent: queued fills that are in these figures.
        """
        with self._lock:
            for name in sent:
                self._moved.pop(name, None)
            self._take(found, all_of_them=True)
            self._leaving = {}
            for state in opened:
                self._leave(state.order, state.order.quantity - state.filled_quantity)

    def forget(self) -> None:
        """Know nothing of what is held, until the service says it again."""
        with self._lock:
            self._held.clear()

    # ---- what this client does ----

    def queued(self, name: str, fact: object) -> None:
        """Take in a fact that waits to be sent."""
        with self._lock:
            if isinstance(fact, Fill):
                if len(self._moved) < MAX_KEPT:
                    self._moved[name] = (self._place(fact), fact.quantity if fact.side == "buy" else -fact.quantity)
                else:  # too many to say what is held
                    self._held.clear()
            elif getattr(fact, "KIND", "") in MOVERS:
                self._held.clear()
            self._release(fact)

    def recorded(self, fact: object, position: Position | None) -> None:
        """Take in a fact that the service has, and the position that it left."""
        with self._lock:
            if position is not None and position.strategy is not None:
                if position.strategy and not getattr(fact, "strategy", "-"):
                    self._own = position.strategy
                self._take([position], all_of_them=False)
            if getattr(fact, "KIND", "") in MOVERS or (isinstance(fact, Fill) and position is None):
                self._held.clear()
            self._release(fact)

    def leaves(self, order: Order) -> None:
        """Take in an order that the service let through."""
        with self._lock:
            held = self._quantity(self._place(order))
            if held and (held > 0) == (order.side == "sell"):
                self._leave(order, order.quantity)

    def _release(self, fact: object) -> None:
        """Take off what is not on its way out any more."""
        if isinstance(fact, Fill) and fact.client_order_id in self._leaving:
            place, quantity = self._leaving.pop(fact.client_order_id)
            if quantity > fact.quantity:
                self._leaving[fact.client_order_id] = (place, quantity - fact.quantity)
        elif isinstance(fact, OrderUpdate) and fact.status in TERMINAL:
            self._leaving.pop(fact.client_order_id, None)

    def _leave(self, order: Order, quantity: Decimal) -> None:
        if len(self._leaving) < MAX_KEPT:
            self._leaving[order.client_order_id] = (self._place(order), quantity)
        else:
            self._held.clear()

    @property
    def waiting(self) -> frozenset[str]:
        """The queued fills that are not in the service's figures yet."""
        with self._lock:
            return frozenset(self._moved)

    def _place(self, fact: Fill | Order) -> Place:
        return fact.account, fact.instrument, fact.strategy or self._own, fact.leg

    def _quantity(self, place: Place) -> Decimal:
        moved = sum((move for where, move in self._moved.values() if where == place), ZERO)
        return self._held.get(place, (ZERO, 0))[0] + moved

    def exit_of(self, order: Order) -> Order | None:
        """Return an order as far as it only reduces what is held, and remember it; None where it does not."""
        with self._lock:
            place = self._place(order)
            if self._halted or place not in self._held:
                return None
            held = self._quantity(place)
            others = [kept for name, kept in self._leaving.items() if name != order.client_order_id]
            free = absolute(held) - sum((quantity for where, quantity in others if where == place), ZERO)
            if free <= 0 or (held > 0) != (order.side == "sell"):
                return None
            if order.quantity > free and not order.reduce_only:
                return None
            capped = order if order.quantity <= free else order.replaced(quantity=free)
            self._leave(capped, capped.quantity)
            return capped
