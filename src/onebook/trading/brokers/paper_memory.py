"""What a paper venue remembers, read from the book and from nowhere else: its open orders, and what it has matched.

Beside an update or a fill the venue writes what it needs to go on into the fact's ``raw``: which observation brought
it (``seen_at``, ``seen``), and of an acceptance or replacement its moment (``accepted_ns``) and whether the order takes
(``takes``). ``raw`` stays in the log; it is read again from the oldest open order on.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from onebook.book.core import Core
from onebook.domain.facts import Order
from onebook.domain.instruments import Terms
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.domain.matching import Kept, Working, rebuild
from onebook.domain.numbers import ZERO, add, subtract
from onebook.domain.reports import Event, OrderState
from onebook.trading.splits import Applied, applied_behind

LOOKS_BACK = 200_000
"""Entries of the log that are read again at a start, at most; older ones count with their order's own time."""

Market = tuple[str, str]
"""(account, instrument): whose orders are matched together."""

Touch = tuple[int, str]
"""(time, key) of the newest observation that brought a report, or after which an order came."""

NEVER: Touch = (-1, "")

Floor = tuple[int, frozenset[str]]
"""(time, keys) of the newest observations that a market has dealt with: those of one moment are told apart."""

BEFORE_ALL: Floor = (-1, frozenset())


def dealt_with(floor: Floor, touch: Touch) -> Floor:
    """Return what a market has dealt with after one more observation."""
    if touch[0] < floor[0] or touch == NEVER:
        return floor
    return touch[0], (floor[1] | {touch[1]} if touch[0] == floor[0] else frozenset({touch[1]}))


def is_news(floor: Floor, touch: Touch) -> bool:
    """Say whether an observation has not been dealt with yet."""
    return touch[0] > floor[0] or (touch[0] == floor[0] and touch[1] not in floor[1])


def at_venue(order: Order, terms: Terms) -> Order:
    """Return an order as the venue takes it: legs are of hedging accounts only, and what takes off one only reduces."""
    if not terms.hedging:
        return order.replaced(leg="") if order.leg else order
    reduces = (order.leg, order.side) in {("long", "sell"), ("short", "buy")}
    return order.replaced(reduce_only=True) if reduces and not order.reduce_only else order


def seen_key(seen: Seen) -> str:
    """Return what tells one observation of an instrument from another of the same moment."""
    if isinstance(seen, Print):
        return f"p{seen.id}" if seen.id else f"p{seen.price}x{seen.quantity}{seen.side}"
    if isinstance(seen, Quote):
        return f"q{seen.bid}x{seen.bid_quantity}-{seen.ask}x{seen.ask_quantity}"
    return f"b{seen.timeframe}-{seen.opened_ns}"


def touch_of(seen: Seen) -> Touch:
    """Return the place of an observation in what a venue has seen."""
    return seen.at_ns, seen_key(seen)


def is_over(seen: Seen) -> bool:
    """Say whether it can be matched: a bar only when it is final."""
    return not isinstance(seen, Bar) or seen.is_final


def marks_of(touch: Touch) -> dict[str, Any]:
    """Return what a report's ``raw`` says of the observation that brought it."""
    return {} if touch == NEVER else {"seen_at": touch[0], "seen": touch[1]}


@dataclass(slots=True)
class Said:
    """What the log has of one order beyond its row."""

    place: int = 0
    accepted_ns: int | None = None
    takes: bool = False
    triggered: bool = False
    fills: int = 0


@dataclass(slots=True)
class Memory:
    """What works, by instrument and account, and the newest observation that each market has dealt with."""

    working: dict[str, dict[str, tuple[Working, ...]]] = field(default_factory=dict)
    touched: dict[Market, Floor] = field(default_factory=dict)


def is_known(order: OrderState) -> bool:
    """Say whether the venue has answered to an order; what it never answered to never reached it."""
    return bool(order.venue_order_id) or order.filled_quantity > 0


def recall(book: Core, accounts: Iterable[str], latency_ns: int, terms: Callable[[str, str], Terms]) -> Memory:
    """Build what the venue remembers from the book.

    Args:
        book: with its accounts.
        accounts: whose orders.
        latency_ns: for orders whose acceptance is further back than is read.
        terms: (account, symbol) -> what it means.
    """
    memory = Memory()
    listed = {
        name: [item for item in book.orders(account=name, is_open=True) if is_known(item)] for name in sorted(accounts)
    }
    places = [item.sequence for orders in listed.values() for item in orders]
    if not places:
        return memory
    after = max(min(places) - 1, book.wakeups.look() - LOOKS_BACK)
    said = _read_log(book, list(listed), after, memory)
    for item in (item for orders in listed.values() for item in orders):
        if item.sequence <= after and item.filled_quantity:
            _count_fills(book, item, said)
    splits = applied_behind(book, after, list(listed))
    for account, orders in listed.items():
        counted = orders + _ended_relatives(book, account, orders)
        for instrument in sorted({item.order.instrument for item in orders}):
            kept = [
                _kept(item, said, latency_ns, terms(account, instrument), restated(book, item, splits))
                for item in sorted(counted, key=lambda item: _place(item, said))
                if item.order.instrument == instrument
            ]
            memory.working.setdefault(instrument, {})[account] = rebuild(kept)
    return memory


def _ended_relatives(book: Core, account: str, orders: list[OrderState]) -> list[OrderState]:
    """Return the ended orders that open ones have as their parent, or share a group with."""
    parents = {item.order.parent_id for item in orders} - {""}
    groups = {item.order.group_id for item in orders} - {""}
    if not parents and not groups:
        return []
    return [
        item
        for item in book.orders(account=account, is_open=False)
        if item.order.client_order_id in parents or item.order.group_id in groups
    ]


def _place(item: OrderState, said: dict[tuple[str, str], Said]) -> int:
    found = said.get((item.order.account, item.order.client_order_id))
    return found.place if found is not None and found.place else item.sequence


def parent_rests(order: Order, working: Iterable[Working]) -> bool:
    """Say whether an order's parent works and has filled nothing: then nothing of its group can have filled either."""
    return any(item.id == order.parent_id and not item.filled for item in working)


def ended(book: Core, order: Order) -> tuple[Kept, ...]:
    """Return the parent of an order and the others of its group that work no more; none where it has neither."""
    if not order.parent_id and not order.group_id:
        return ()
    parent = book.order(order.parent_id, account=order.account) if order.parent_id else None
    since = None if parent is None else parent.order.occurred_ns
    found = [
        item
        for item in book.orders(account=order.account, instrument=order.instrument, since=since, is_open=False)
        if item.order.client_order_id == order.parent_id or (order.group_id and item.order.group_id == order.group_id)
    ]
    places = [item.sequence for item in found if item.filled_quantity]
    splits = applied_behind(book, min(places), [order.account]) if places else []
    return tuple(_kept(item, {}, 0, more=restated(book, item, splits)) for item in found)


def restated(book: Core, item: OrderState, splits: Iterable[Applied]) -> Decimal:
    """Return how much more an order's fills are in the units of now than in those in which they were filled.

    Args:
        book: with the fills.
        item: the order.
        splits: in the order of the log; a fill that was recorded before one is in the units of before it.
    """
    order = item.order
    own = [one for one in splits if (one.account, one.split.instrument) == (order.account, order.instrument)]
    if not own or not item.filled_quantity:
        return ZERO
    more = ZERO
    for found in book.fills(account=order.account, instrument=order.instrument, since=order.occurred_ns):
        if found.fill.client_order_id != order.client_order_id:
            continue
        now = found.fill.quantity
        for one in own:
            now = one.split.quantity(now) if found.sequence < one.sequence else now
        more = add(more, subtract(now, found.fill.quantity))
    return more


def _kept(
    item: OrderState,
    said: dict[tuple[str, str], Said],
    latency_ns: int,
    terms: Terms | None = None,
    more: Decimal = ZERO,
) -> Kept:
    order = item.order if terms is None else at_venue(item.order, terms)
    own = said.get((order.account, order.client_order_id)) or Said()
    accepted = own.accepted_ns if own.accepted_ns is not None else (order.occurred_ns or 0) + latency_ns
    return Kept(
        order=order,
        status=item.status,
        filled=item.filled_quantity,
        restated=more,
        fills=max(own.fills, 1 if item.filled_quantity > Decimal(0) else 0),
        accepted_ns=accepted,
        triggered=own.triggered,
        takes=own.takes,
    )


def _count_fills(book: Core, item: OrderState, said: dict[tuple[str, str], Said]) -> None:
    """Count the fills of an order that is older than what is read: the number of the next one is its id."""
    order = item.order
    found = book.fills(account=order.account, instrument=order.instrument, since=order.occurred_ns)
    count = sum(one.fill.client_order_id == order.client_order_id for one in found)
    said.setdefault((order.account, order.client_order_id), Said()).fills = count


def _read_log(book: Core, accounts: list[str], after: int, memory: Memory) -> dict[tuple[str, str], Said]:
    """Read what the venue wrote beside its reports, behind an entry; touches go to the memory."""
    said: dict[tuple[str, str], Said] = {}
    for event in book.events(after=after, types=("order_updated", "trade_executed"), accounts=accounts):
        raw = event.data.get("raw") or {}
        name = event.data.get("client_order_id", "")
        market = (event.account, event.instrument)
        if raw.get("seen"):
            touch = (int(raw["seen_at"]), str(raw["seen"]))
            memory.touched[market] = dealt_with(memory.touched.get(market, BEFORE_ALL), touch)
        if name:
            _take(said.setdefault((event.account, name), Said()), event, raw)
    return said


def _take(own: Said, event: Event, raw: dict[str, Any]) -> None:
    if event.type == "trade_executed":
        own.fills += 1
        return
    if "accepted_ns" in raw:
        own.place = own.place or event.sequence
        own.accepted_ns, own.takes = int(raw["accepted_ns"]), bool(raw.get("takes"))
    own.triggered = own.triggered or event.data.get("status") == "triggered"
