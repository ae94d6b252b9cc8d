"""What this client last knew of positions: enough to let an exit through while nobody can be asked."""

import threading
from collections.abc import Iterable
from decimal import Decimal

from onebook.domain.facts import EXTERNAL, Fill, Order, OrderUpdate
from onebook.domain.numbers import ZERO
from onebook.domain.orders import TERMINAL
from onebook.domain.reports import OrderState, Position

MAX_KEPT = 10_000
"""Most exits, and most queued fills, that are remembered; beyond that no exit passes until the service is asked.

Of fills that the service has, as many are remembered: a repeat of an older one keeps an exit back, and never lets one
through.
"""

MOVERS = frozenset({"corporate_action", "settlement", "reassign", "opening_balance"})
"""Facts other than fills that change what is held, in more places than one."""

Place = tuple[str, str, str, str]
"""(account, instrument, strategy, leg)."""

Scope = tuple[str, str]
"""(account, strategy); an empty text stands for all."""

ALL: Scope = ("", "")


class Known:
    """Positions as the service last told them, less what is on its way out. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[Place, tuple[Decimal, int]] = {}
        self._moved: dict[str, tuple[Place, Decimal]] = {}
        self._sent: dict[str, None] = {}
        self._leaving: dict[str, tuple[Place, Decimal]] = {}
        self._own: str | None = None
        self._halted: set[Scope] = set()

    # ---- what the service says ----

    def is_mine(self, strategy: str) -> None:
        """Take note of the strategy under which the service records what names none."""
        with self._lock:
            self._own = strategy

    @property
    def knows_own(self) -> bool:
        """Whether the service has said under which strategy it records what names none."""
        with self._lock:
            return self._own is not None

    def switched(self, account: str, strategy: str, *, halted: bool) -> None:
        """Take note of a switch of exactly this account and strategy; empty texts stand for all."""
        with self._lock:
            if halted and len(self._halted) < MAX_KEPT:
                self._halted.add((account, strategy))
            elif halted:  # too many to tell them apart
                self._halted.add(ALL)
            else:
                self._halted.discard((account, strategy))

    def may_trade(self, account: str, strategy: str) -> None:
        """Take note that nothing is halted that covers an account's strategy."""
        with self._lock:
            self._halted -= _scopes(account, strategy)

    def may_not_trade(self, account: str, strategy: str) -> None:
        """Take note that something is halted that covers an account's strategy: if it is not known, it may be all."""
        with self._lock:
            if not self._halted & _scopes(account, strategy):
                self._halted |= {ALL, (account, strategy)}

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
            sent: identities of queued fills that are in these figures.
        """
        with self._lock:
            for name in sent:
                self._moved.pop(name, None)
                self._sent[name] = None
            while len(self._sent) > MAX_KEPT:
                del self._sent[next(iter(self._sent))]
            self._take(found, all_of_them=True)
            self._leaving = {}
            for state in opened:
                self._leave(state.order, state.order.quantity - state.filled_quantity)

    def forget(self) -> None:
        """Know nothing of what is held, until the service says it again."""
        with self._lock:
            self._held.clear()

    # ---- what this client does ----

    def queued(self, identity: str, fact: object) -> None:
        """Take in a fact that waits to be sent; one that waits already, or that the service has, changes nothing."""
        with self._lock:
            if identity in self._moved or identity in self._sent:
                return
            if isinstance(fact, Fill):
                if len(self._moved) < MAX_KEPT:
                    ordered = self._leaving.get(fact.client_order_id)
                    place = ordered[0] if ordered and fact.strategy == EXTERNAL else self._place(fact)
                    self._moved[identity] = (place, fact.quantity if fact.side == "buy" else -fact.quantity)
                else:  # too many to say what is held
                    self._held.clear()
            elif getattr(fact, "KIND", "") in MOVERS:
                self._held.clear()
            self._release(fact)

    def recorded(self, fact: object, position: Position | None) -> None:
        """Take in a fact that the service has, and the position that it left."""
        with self._lock:
            if position is not None and position.strategy is not None:
                self._take([position], all_of_them=False)
            if getattr(fact, "KIND", "") in MOVERS or (isinstance(fact, Fill) and position is None):
                self._held.clear()
            self._release(fact)

    def leaves(self, order: Order) -> None:
        """Take in an order that the service let through."""
        with self._lock:
            if self._quantity(self._place(order), order.side) > 0:
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
        """Identities of the queued fills that are not in the service's figures yet."""
        with self._lock:
            return frozenset(self._moved)

    def _place(self, fact: Fill | Order) -> Place:
        return self._whole((fact.account, fact.instrument, fact.strategy, fact.leg))

    def _whole(self, place: Place) -> Place:
        """Return a place with the strategy that the service fills in; a fill may be queued before that is known."""
        account, instrument, strategy, leg = place
        return account, instrument, strategy or self._own or "", leg

    def _quantity(self, place: Place, side: str) -> Decimal:
        """Return how much is surely held that an order of this side reduces; 0 or less for nothing.

        A queued fill that takes away counts. One that adds does not, until the service says so: the service may have it
        already, from before this client was started, or may refuse it.
        """
        sign = 1 if side == "sell" else -1
        moves = (sign * move for where, move in self._moved.values() if self._whole(where) == place)
        return sign * self._held.get(place, (ZERO, 0))[0] + sum((move for move in moves if move < 0), ZERO)

    def exit_of(self, order: Order, *, keep: bool) -> Order | None:
        """Return an order as far as it only reduces what is held, marked as one that does; None where it does not.

        Args:
            order: which.
            keep: whether it is on its way out from now on.
        """
        with self._lock:
            place = self._place(order)
            if place not in self._held or self._halted & _scopes(place[0], place[2]):
                return None
            others = [kept for name, kept in self._leaving.items() if name != order.client_order_id]
            taken = sum((quantity for where, quantity in others if self._whole(where) == place), ZERO)
            free = self._quantity(place, order.side) - taken
            if free <= 0 or (order.quantity > free and not order.reduce_only):
                return None
            capped = order.replaced(quantity=min(order.quantity, free), reduce_only=True)
            if keep:
                self._leave(capped, capped.quantity)
            return capped


def _scopes(account: str, strategy: str) -> set[Scope]:
    """Return what covers an account's strategy."""
    return {ALL, (account, ""), ("", strategy), (account, strategy)}
