"""Watches marks for stops and targets: what a mark reaches is written as ``stop_triggered``, and acted on as asked.

Protections are in the log, so every process that gives marks watches the same ones, and one that starts again goes on
where the last one was. The level of a trail is an observation: it is written when it has moved by a step, and when
the watch ends.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from time import monotonic

from onebook.book.core import Core
from onebook.book.marking import NO_PRICE, Bounds
from onebook.domain import times
from onebook.domain.commands import Command, MoveStop, Observed, TriggerStop
from onebook.domain.commands import Place as PlaceOrder
from onebook.domain.facts import Order
from onebook.domain.identity import identity_text
from onebook.domain.market import Bar, Seen, last_price
from onebook.domain.numbers import ZERO, absolute, multiply, plain
from onebook.errors import StoreError
from onebook.store.port import Store
from onebook.trading.edges import Armed, Edges, Place
from onebook.trading.protections import Protection, protection_at, protections

STEP_RATIO = Decimal("0.001")
"""A trail that has moved by this part of its level is written to the log."""

LOOK_SECONDS = 0.25
"""How often the log is looked at for what other processes wrote."""

_TOUCHING = (
    "stop_set",
    "stop_removed",
    "stop_triggered",
    "position_updated",
    "position_closed",
    "position_restated",
    "corporate_action_applied",
)


class Stops:
    """The protections of a book, watched in this process. Thread-safe.

    Args:
        book: which.
        step_ratio: part of a trail's level by which it moves before that is written.

    Attributes:
        moves: how often a best mark has changed here, or what is watched.
    """

    def __init__(self, book: Core, *, step_ratio: Decimal = STEP_RATIO) -> None:
        self._book = book
        self._step = step_ratio
        self._lock = threading.RLock()
        self._edges: dict[str, Edges] = {}
        self._names: dict[Place, str] = {}
        self._waiting: set[Place] = set()
        self._head = 0
        self._looked = 0.0
        self._gathered: dict[Place, MoveStop] | None = None
        self.moves = 0
        self._read_all()

    # ---- what stands in the book ----

    def _read_all(self) -> None:
        self._head = self._book.wakeups.look()
        self._edges.clear()
        self._names.clear()
        self._waiting.clear()
        self._book.watch_again(None)
        for item in protections(self._book):
            self._arm(item)

    def _catch_up(self) -> None:
        """Take what was written since: by others at most every quarter of a second, by this process at once."""
        now = monotonic()
        head = self._book.wakeups.head
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            head = self._book.wakeups.look()
        if head == self._head:
            return
        types = _TOUCHING if self._names or self._waiting else ("stop_set",)
        touched: dict[Place, bool] = {}
        for event in self._book.events(after=self._head, types=types):
            if event.type == "corporate_action_applied":
                self._read_all()
                return
            place = (event.account, event.instrument, event.strategy, str(event.data.get("leg", "")))
            touched[place] = touched.get(place, True) and event.type != "position_closed"
        for place, goes_on in sorted(touched.items()):
            self._read(*place, goes_on=goes_on)
        self._head = head

    def _read(self, account: str, instrument: str, strategy: str, leg: str, *, goes_on: bool) -> None:
        """Take one protection as it stands now; where its position goes on, its best mark here is not forgotten."""
        item = protection_at(self._book, account, instrument, strategy, leg)
        if item is None:
            return
        before = self._disarm(item.place)
        self._waiting.discard(item.place)
        if item.status == "active":
            self._arm(item, before if goes_on else None)

    def _disarm(self, place: Place) -> Armed | None:
        name = self._names.pop(place, None)
        edges = None if name is None else self._edges.get(name)
        if name is None or edges is None:
            return None
        item = edges.drop(place)
        if not edges.armed:
            del self._edges[name]
        self._book.watch_again(edges.name)
        self.moves += item is not None and item.trails
        return item

    def _arm(self, item: Protection, before: Armed | None = None) -> None:
        held = self._book.position(item.instrument, account=item.account, strategy=item.strategy, leg=item.leg or None)
        if held is None or not held.quantity or held.opened_at is None:
            self._waiting.add(item.place)
            return
        is_long = held.quantity > ZERO
        armed = Armed(item, is_long, times.from_datetime("opened_at", held.opened_at), kept=item.level)
        seen = [item.best, held.highest if is_long else held.lowest]
        if before is not None and _is_same(before, armed):
            seen.append(before.best)
        for price in seen:
            if price is not None:
                armed.take(price)
        self._names[item.place] = held.instrument
        self._put(self._edges.setdefault(held.instrument, Edges(held.instrument)), armed)
        self.moves += armed.trails
        if not self._book.store.read_only:
            self._keep(armed, at_least=self._step)

    def _put(self, edges: Edges, item: Armed) -> None:
        """Take the edges of a protection anew; the bounds that were told of its instrument count no more."""
        edges.put(item)
        self._book.watch_again(edges.name)

    # ---- what marks do ----

    def on_mark(self, instrument: str, price: Decimal, at_ns: int, source: str) -> Bounds:  # noqa: ARG002  a mark's hook
        """Take a mark of this process; return the prices between which none of the instrument does anything."""
        if self._book.wakeups.head != self._head or monotonic() - self._looked > LOOK_SECONDS:
            with self._lock:
                self._catch_up()
        edges = self._edges.get(instrument)
        if edges is None:
            return NO_PRICE
        low, high = edges.low, edges.high
        if low < price < high:
            return low, high
        with self._lock:
            current = self._edges.get(instrument)
            if current is not None:
                self._mark(current, price, at_ns)
            return NO_PRICE if current is None else (current.low, current.high)

    def see(self, seen: Seen, *, along: Callable[[], Callable[[Store], None]] | None = None) -> None:
        """Take what a market shows: of a bar its open, then the worse of high and low, the better one, and its close.

        In the bar in which a position opened only its stop can be reached; a bar that ended before says nothing of it.
        Hand a bar over before its close goes to ``book.mark``: a mark moves the trail.

        Args:
            seen: what.
            along: asked when all of it has been seen; what it returns writes beside the log in the transaction that
                keeps how far the trails have moved.
        """
        with self._lock:
            self._catch_up()
            edges = self._edges.get(seen.instrument)
            if edges is None:
                return
            self._gathered = {}
            try:
                if isinstance(seen, Bar):
                    self._see_bar(edges, seen)
                else:
                    self._mark(edges, last_price(seen), seen.at_ns)
            finally:
                moved, self._gathered = list(self._gathered.values()), None
            if moved:
                self._write(*moved, along=along)

    def _see_bar(self, edges: Edges, seen: Bar) -> None:
        for item in edges.in_order():
            if item.opened_ns >= seen.at_ns:
                continue
            worse, better = (seen.low, seen.high) if item.is_long else (seen.high, seen.low)
            target = item.opened_ns < seen.opened_ns
            path = (seen.open, worse, better, seen.close) if target else (worse, better, seen.close)
            for step, price in enumerate(path):
                gap = step == 0 and target
                if self._look_at(edges, item, price, seen.at_ns, target=target, exact=not gap):
                    break

    def _mark(self, edges: Edges, price: Decimal, at_ns: int) -> None:
        for item in list(edges.crossed(price)):
            self._look_at(edges, item, price, at_ns)

    def _look_at(
        self, edges: Edges, item: Armed, price: Decimal, at_ns: int, *, target: bool = True, exact: bool = False
    ) -> bool:
        """Trigger what a price reaches, or move the trail with it; say whether it triggered.

        Args:
            edges: of the instrument.
            item: which protection.
            price: the mark.
            at_ns: when it was so.
            target: the target counts.
            exact: the market went through every price on its way, so a level is reached at the level itself.
        """
        reached = item.reached(price, target=target)
        if reached is not None:
            level, kind = reached
            if item.terms.act == "order" and self._is_held_back(item, kind, level):
                return True
            if self._gathered:
                self._gathered.pop(item.terms.place, None)  # the entry of the trigger says its level
            self._trigger(item, level, kind, level if exact else price, at_ns)
            self._disarm(item.terms.place)
            return True
        if item.take(price):
            self.moves += 1
            self._put(edges, item)
            self._keep(item, at_least=self._step)
        return False

    def _is_held_back(self, item: Armed, kind: str, level: Decimal) -> bool:
        """Say whether trading is halted: only a flatten passes then, and the stop waits for the first mark after.

        It is told once, so that a person knows that a position is open beyond its stop.
        """
        terms = item.terms
        if self._book.trading_state(terms.account, terms.strategy) != "HALTED":
            item.is_told = False
            return False
        if not item.is_told:
            item.is_told = True
            text = f"{terms.instrument} has reached its {kind} at {level}; trading is halted, so it stays open"
            data = {"kind": "stop_held_back", "subject": terms.instrument, "text": text, "account": terms.account}
            data["key"] = identity_text("stop_held_back", *terms.place, str(terms.set_at))
            self._book.note("alert_raised", data, instrument=terms.instrument, strategy=terms.strategy)
        return True

    def _trigger(self, item: Armed, level: Decimal, kind: str, mark: Decimal, at_ns: int) -> None:
        terms = item.terms
        command = TriggerStop(
            account=terms.account,
            instrument=terms.instrument,
            strategy=terms.strategy,
            leg=terms.leg,
            kind=kind,
            level=level,
            mark=mark,
            marked_ns=at_ns,
            set_at=terms.set_at,
        )
        wanted: list[Command] = [command]
        if terms.act == "order":
            held = self._book.position(
                terms.instrument, account=terms.account, strategy=terms.strategy, leg=terms.leg or None
            )
            quantity = ZERO if held is None else held.quantity
            if quantity:
                order = _exit(terms, held.instrument if held else terms.instrument, quantity, kind)
                wanted.append(PlaceOrder(order=order, observed=Observed(), after_stop=terms.set_at))
        self._book.submit(*wanted)

    def _keep(self, item: Armed, *, at_least: Decimal) -> None:
        """Write how far a trail has moved, where that is at least a part of its level."""
        level = item.level()
        if level is None or item.best is None:
            return
        moved = absolute(level - item.kept) if item.kept is not None else None
        if moved is not None and moved < multiply(absolute(level), at_least):
            return
        if moved is not None and not moved:
            return
        terms = item.terms
        command = MoveStop(
            account=terms.account,
            instrument=terms.instrument,
            strategy=terms.strategy,
            leg=terms.leg,
            level=level,
            best=item.best,
            set_at=terms.set_at,
        )
        if self._gathered is None:
            self._write(command)
        else:
            self._gathered[item.terms.place] = command

    def _write(self, *moved: MoveStop, along: Callable[[], Callable[[Store], None]] | None = None) -> None:
        with suppress(StoreError):  # an observation: it is written with the next step, or at close
            self._book.submit(*moved, along=None if along is None else along())
            for command in moved:
                for edges in self._edges.values():
                    for item in edges.armed.values():
                        if item.terms.set_at == command.set_at:
                            item.kept = command.level

    # ---- over a restart ----

    def trails(self) -> tuple[int, str]:
        """Return ``moves``, and how far the trails have come, as text for :meth:`recall`."""
        with self._lock:
            found = {
                _key(item): plain(item.best)
                for edges in self._edges.values()
                for item in edges.armed.values()
                if item.trails and item.best is not None
            }
            return self.moves, json.dumps({"head": self._head, "best": found}, sort_keys=True)

    def recall(self, text: str) -> None:
        """Take best marks that were kept beside the log; those of before a split are let be."""
        if not text:
            return
        kept = json.loads(text)
        with self._lock:
            self._catch_up()
            if next(iter(self._book.events(after=kept["head"], types="corporate_action_applied")), None) is not None:
                return
            for edges in self._edges.values():
                for item in list(edges.armed.values()):
                    best = kept["best"].get(_key(item))
                    if best is not None and item.take(Decimal(best)):
                        self.moves += 1
                        self._put(edges, item)

    def levels(self) -> dict[tuple[str, str, str, str], Decimal]:
        """Return where the stops in force stand now, by (account, instrument, strategy, leg)."""
        with self._lock:
            self._catch_up()
            found = {}
            for edges in self._edges.values():
                for place, item in edges.armed.items():
                    stop = item.stop()
                    if stop is not None:
                        found[place] = stop[0]
            return found

    def close(self) -> None:
        """Write where the trails stand."""
        with self._lock:
            for edges in self._edges.values():
                for item in edges.armed.values():
                    self._keep(item, at_least=ZERO)


def _key(item: Armed) -> str:
    """Return what tells one open position from all others, however often its protection is set anew."""
    return identity_text(*item.terms.place, str(item.opened_ns), str(item.is_long))


def _is_same(before: Armed, now: Armed) -> bool:
    """Say whether two protect the same position, set anew or not: its best mark goes on."""
    return _key(before) == _key(now)


def _exit(terms: Protection, instrument: str, quantity: Decimal, kind: str) -> Order:
    """Return the exit of a stop: its id is its own, so that two who watch place one."""
    return Order(
        instrument=instrument,
        side="sell" if quantity > ZERO else "buy",
        quantity=absolute(quantity),
        client_order_id=f"stop-{terms.set_at}-{terms.leg}".rstrip("-"),
        account=terms.account,
        strategy=terms.strategy,
        leg=terms.leg,
        reduce_only=True,
        close_reason=kind,
    )
