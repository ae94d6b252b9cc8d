"""The way to the order gate: what it must see is gathered here, what it decides stands in the domain."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from onebook.book.core import Core
from onebook.book.lens import Lens
from onebook.domain import times
from onebook.domain.commands import Observed, Place, Replace
from onebook.domain.decide.gate import Verdict, covers
from onebook.domain.facts import Limits, Order, OrderUpdate
from onebook.domain.identity import identity_parts
from onebook.domain.shapes import fact_from
from onebook.domain.state import Decision
from onebook.errors import InputError
from onebook.store.codec import decode
from onebook.store.port import Reader, Store
from onebook.trading.answers import Answer, Approved, Refused
from onebook.trading.results import Results

PAGE = 256

_TRAILS = ("trail_amount", "trail_ratio")
_UNUSED = {
    "market": ("limit_price", "stop_price", *_TRAILS),
    "limit": ("stop_price", *_TRAILS),
    "stop": ("limit_price", *_TRAILS),
    "stop_limit": _TRAILS,
    "trailing_stop": ("limit_price",),
}
"""Terms that an order of a kind does not have: whoever gives one means another kind."""

_KIND_OF = {
    "limit_price": "write kind='limit' or 'stop_limit'",
    "stop_price": "write kind='stop' or 'stop_limit'",
    "trail_amount": "write kind='trailing_stop'",
    "trail_ratio": "write kind='trailing_stop'",
}


class Gate:
    """Asks and places orders.

    Args:
        book: which.
        results: how accounts and strategies stand.
    """

    def __init__(self, book: Core, results: Results) -> None:
        self._book = book
        self._results = results

    def limits(self) -> list[Limits]:
        """Return all limits in force."""
        with self._book.store.reading() as reader:
            return list(_limits(reader))

    def may(self, order: Order) -> Answer:
        """Answer without writing anything."""
        _check(order)
        return _answer(order, self._book.ask(Place(order=order, observed=self._observe([order]))), 0)

    def place(
        self, orders: Sequence[Order], *, operator: bool = False, along: Callable[[Store], None] | None = None
    ) -> list[Answer]:
        """Decide on orders and record them, all in one transaction.

        Args:
            orders: a parent before its children.
            operator: a person's flatten, which passes when trading is halted.
            along: writes something beside the log in the same transaction.
        """
        for order in orders:
            _check(order)
        seen = self._observe(orders)
        wanted = [Place(order=order, observed=seen, operator=operator) for order in orders]
        done = self._book.submit(*wanted, along=along)
        return [
            _answer(order, decision, stamp.sequence if decision.status == "recorded" else decision.first)
            for order, (decision, stamp) in zip(orders, done, strict=True)
        ]

    def replacement(self, order: Order, update: OrderUpdate) -> Replace:
        """Return the command that asks for other terms of an order, with what the gate looks at.

        Args:
            order: as it stands.
            update: with the terms wanted.
        """
        return Replace(update=update, observed=self._observe([order]))

    def _observe(self, orders: Sequence[Order]) -> Observed:
        """Gather what the gate looks at beside the log: no more than the limits in force need."""
        limits = [item for item in self.limits() if any(covers(item, order) for order in orders)]
        exposed = any(item.max_exposure is not None for item in limits)
        sized = exposed or any(item.max_notional is not None for item in limits)
        instruments = {order.instrument for order in orders}
        if exposed:
            instruments |= {item.instrument for item in self._book.positions()}
            with self._book.store.reading() as reader:
                instruments |= {row[4] for row in reader.open_orders(None, None)}
        marks = {
            mark.instrument: (mark.price, times.from_datetime("at", mark.at))
            for mark in self._book.marks()
            if mark.instrument in instruments
        }
        scopes = {
            (item.account, item.strategy)
            for item in limits
            if item.max_daily_loss is not None or item.max_drawdown is not None
        }
        standings = self._results.standings(scopes)
        return Observed(
            marks=marks,
            rates=self._rates(orders, instruments) if sized else {},
            results={scope: standing.result for scope, standing in standings.items() if not standing.unvalued},
        )

    def _rates(self, orders: Sequence[Order], instruments: set[str]) -> dict[str, Decimal]:
        """Return what settlement currencies are worth."""
        with self._book.store.reading() as reader:
            lens = Lens(reader)
            base = lens.settings.base_currency
            accounts = {order.account for order in orders} | {row[1] for row in reader.ledgers()}
            settles = {lens.terms_of(account, name).settle for account in accounts for name in instruments}
        found = {currency: self._book.rate(currency) for currency in settles - {base}}
        return {currency: rate for currency, rate in found.items() if rate is not None}


def _check(order: Order) -> None:
    """Refuse an order that no venue could understand."""
    given: object = order
    if not isinstance(given, Order):
        msg = f"{given!r:.60} is not an Order; write book.trading.place(Order(instrument=…, side=…, quantity=…))"
        raise InputError(msg, field="order", value=given)
    needed = {
        "limit": ("limit_price",),
        "stop": ("stop_price",),
        "stop_limit": ("limit_price", "stop_price"),
    }.get(order.kind, ())
    for name in needed:
        if getattr(order, name) is None:
            msg = f"{name}: a {order.kind} order needs one"
            raise InputError(msg, field=name, value=None)
    for name in _UNUSED.get(order.kind, ()):
        if getattr(order, name) is not None:
            msg = f"{name}: a {order.kind} order has none; {_KIND_OF[name]}"
            raise InputError(msg, field=name, value=getattr(order, name))
    if order.kind == "trailing_stop" and (order.trail_amount is None) == (order.trail_ratio is None):
        msg = "trail_amount or trail_ratio: a trailing_stop order needs one of them"
        raise InputError(msg, field="trail_amount", value=order.trail_amount)
    if order.time_in_force == "GTD" and order.expires_at is None:
        msg = "expires_at: an order that is good till a date needs the date"
        raise InputError(msg, field="expires_at", value=None)


def _limits(reader: Reader) -> Iterator[Limits]:
    after = ""
    while True:
        page = reader.records_under("limits", "", None, after, PAGE)
        for row in page:
            definition = decode(row[2])["definition"]
            found: Limits = fact_from("limits", definition, account="", instrument="", strategy="", occurred_ns=0)
            yield found
        if len(page) < PAGE:
            return
        after = page[-1][0]


def _answer(order: Order, decision: Decision, sequence: int) -> Answer:
    verdict = decision.answer
    assert isinstance(verdict, Verdict)  # noqa: S101  the gate always says
    name = identity_parts(decision.identity)[-1]
    if verdict.denied:
        refused = order.replaced(client_order_id=name) if sequence else order
        figures = dict(verdict.figures)
        return Refused(order=refused, reason=verdict.denied, text=verdict.text, figures=figures, sequence=sequence)
    to_send = (verdict.quantity, order.reduce_only or verdict.is_exit)
    as_asked = to_send == (order.quantity, order.reduce_only)
    kept = order if as_asked else order.replaced(quantity=to_send[0], reduce_only=to_send[1])
    return Approved(order=kept.replaced(client_order_id=name) if sequence else kept, sequence=sequence)
