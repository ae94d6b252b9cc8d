"""The order gate: may this order be sent? Answered from the book, and closed where anything is unclear.

What opens or adds is refused when trading is not ACTIVE, on a stale mark, an open break on the instrument, an order
whose outcome nobody knows, or a limit. What only reduces passes in ACTIVE and REDUCING, whatever is stale or broken;
in HALTED only an operator's flatten does. Open orders count as if they had filled.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

from onebook.domain import times
from onebook.domain.commands import Observed, Place
from onebook.domain.decide.exits import Denied, exit_quantity
from onebook.domain.decide.trading import state_over
from onebook.domain.facts import Limits, Order
from onebook.domain.numbers import ZERO, absolute, add, multiply, negate, plain, subtract
from onebook.domain.orders import was_never_answered
from onebook.domain.shapes import fact_from
from onebook.domain.state import Ledger, OpenOrder, Record, Stamp, State
from onebook.domain.steps import notional

DEFAULT_MARK_AGE = Decimal(60)
"""Seconds; an order that opens needs a mark no older where no limit says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The gate's answer. ``denied`` is the code of the reason, empty where the order passes.

    ``quantity`` is what may be sent: an exit is capped to what is held. ``figures`` are plain JSON data.
    """

    quantity: Decimal
    denied: str = ""
    text: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    is_exit: bool = False


def check(state: State, command: Place, stamp: Stamp) -> Verdict:
    """Return whether an order may be sent."""
    order = command.order
    try:
        quantity = exit_quantity(state, order)
        _check_state(state, order, is_exit=quantity is not None, operator=command.operator)
        if quantity is not None:
            return Verdict(quantity=quantity, is_exit=True)
        _Opening(state, order, command.observed, stamp).check()
    except Denied as why:
        return Verdict(quantity=order.quantity, denied=why.code, text=str(why), figures=why.figures)
    return Verdict(quantity=order.quantity)


def _check_state(state: State, order: Order, *, is_exit: bool, operator: bool) -> None:
    """Raise where trading's state keeps an order back."""
    trading = state_over(state, order.account, order.strategy)
    if trading == "HALTED" and not (operator and is_exit):
        raise Denied("halted", "trading is halted; resume it first: onebook resume --reason …", state=trading)
    if trading == "REDUCING" and not is_exit:
        text = "trading only reduces now: an order may close what is held, and nothing more"
        raise Denied("reducing", text, state=trading)


# ---- what opens or adds ----


class _Opening:
    """The checks of an order that opens or adds.

    Args:
        state: the book.
        order: which.
        seen: what was observed beside the log.
        stamp: the moment.
    """

    def __init__(self, state: State, order: Order, seen: Observed, stamp: Stamp) -> None:
        self._state = state
        self._order = order
        self._seen = seen
        self._now = stamp.recorded_ns
        self._kind = state.account(order.account).kind
        self._read: dict[tuple[str | None, str | None], list[OpenOrder]] = {}
        self._kinds: dict[str, str] = {}
        self._limits = [item for item in limits_of(state) if covers(item, order)]

    def _open(self, account: str | None, instrument: str | None) -> list[OpenOrder]:
        """Return the open orders, read once for all limits."""
        place = (account, instrument)
        if place not in self._read:
            found = self._state.open_orders(account, instrument)
            name, whose = self._order.client_order_id, self._order.account  # one that is replaced does not count
            self._read[place] = [item for item in found if item.id != name or item.account != whose]
        return self._read[place]

    def _is_of_kind(self, account: str) -> bool:
        """Say whether an account is of the kind of the order's."""
        kind = self._kinds.get(account)
        if kind is None:
            kind = self._kinds[account] = self._state.account(account).kind
        return kind == self._kind

    def check(self) -> None:
        """Raise where the order may not be sent."""
        self._check_instrument()
        self._check_certainty()
        mark = self._check_mark()
        self._check_losses()
        for limits in self._limits:
            if limits.max_orders is not None:
                self._check_rate(limits)
            self._check_size(limits, mark)

    def _check_instrument(self) -> None:
        for limits in self._limits:
            names = limits.instruments
            if names and not any(fnmatchcase(self._order.instrument, pattern) for pattern in names):
                text = f"{self._order.instrument} is none of the instruments allowed {_scope(limits)}"
                raise Denied("instrument_not_allowed", text, allowed=list(names))

    def _check_certainty(self) -> None:
        order = self._order
        breaks = self._state.open_breaks(order.account, order.instrument)
        if breaks:
            text = f"{breaks} open break{'s' * (breaks > 1)} on {order.instrument}; settle that first: onebook breaks"
            raise Denied("open_break", text, breaks=breaks)
        for other in self._open(order.account, order.instrument):
            if other.status == "unknown" or was_never_answered(other.status, other.body):
                text = (
                    f"nobody knows what became of order {other.id}; settle it first: onebook orders settle {other.id}"
                )
                raise Denied("unknown_order", text, order=other.id)

    def _check_mark(self) -> Decimal:
        ages = [item.max_mark_age_seconds for item in self._limits if item.max_mark_age_seconds is not None]
        wanted = min((age for age in ages if age), default=ZERO) if ages else DEFAULT_MARK_AGE
        name = self._order.instrument
        seen = self._seen.marks.get(name)
        if seen is None:
            price = self._order.limit_price or self._order.stop_price
            if not wanted and price:
                return price
            raise Denied("no_mark", f"{name} has no mark; give one first: book.mark({name!r}, price)")
        price, at = seen
        age = max(0, self._now - at)
        if wanted and age > int(wanted * times.SECOND):
            seconds = Decimal(age // times.MILLISECOND) / 1000
            text = f"the mark of {name} is {seconds:.1f} s old, older than {plain(wanted)} s"
            raise Denied("stale_mark", text, mark_age_seconds=seconds, max_mark_age_seconds=wanted)
        return price

    def _check_losses(self) -> None:
        for limits in self._limits:
            if limits.max_daily_loss is None and limits.max_drawdown is None:
                continue
            result = self._seen.results.get((limits.account, limits.strategy))
            if result is None:
                text = f"the day's result {_scope(limits)} is not known; give marks and rates to all that is held"
                raise Denied("loss_unknown", text)
            if limits.max_daily_loss is not None and result.loss >= limits.max_daily_loss:
                text = _over(f"the day's loss {_scope(limits)} is", result.loss, limits.max_daily_loss)
                raise Denied("daily_loss", text, loss=result.loss, max_daily_loss=limits.max_daily_loss)
            if limits.max_drawdown is not None and result.drawdown >= limits.max_drawdown:
                text = _over(f"the drawdown {_scope(limits)} is", result.drawdown, limits.max_drawdown)
                raise Denied("drawdown", text, drawdown=result.drawdown, max_drawdown=limits.max_drawdown)

    def _check_rate(self, limits: Limits) -> None:
        assert limits.max_orders is not None and limits.per_seconds is not None  # noqa: S101,PT018  they go together
        since = self._now - int(limits.per_seconds * times.SECOND)
        recent = self._state.recent_orders(max(since, 0))
        counted = (
            record
            for record in recent
            if record.status != "denied" and record.body.get("known", True) and self._counts(limits, record)
        )
        placed = sum(1 for _ in islice(counted, limits.max_orders))
        if placed >= limits.max_orders:
            text = f"{placed} orders {_scope(limits)} in the last {plain(limits.per_seconds)} s are the limit"
            raise Denied("order_rate", text, orders=placed, max_orders=limits.max_orders)

    def _check_size(self, limits: Limits, mark: Decimal) -> None:
        if limits.max_position is None and limits.max_notional is None and limits.max_exposure is None:
            return
        order = self._order
        units = self._units_after(limits)
        if limits.max_position is not None and units > limits.max_position:
            text = _over(f"the units of {order.instrument} held {_scope(limits)} would be", units, limits.max_position)
            raise Denied("max_position", text, would_be=units, max_position=limits.max_position)
        if limits.max_notional is not None:
            worth = self._worth(self._state.ledger(order.account, order.instrument), units, mark)
            if worth > limits.max_notional:
                text = _over(f"the worth of {order.instrument} {_scope(limits)} would be", worth, limits.max_notional)
                raise Denied("max_notional", text, would_be=worth, max_notional=limits.max_notional)
        if limits.max_exposure is not None:
            total = add(self._own(limits, mark), self._others(limits))
            if total > limits.max_exposure:
                text = _over(f"the exposure {_scope(limits)} would be", total, limits.max_exposure)
                raise Denied("max_exposure", text, would_be=total, max_exposure=limits.max_exposure)

    # ---- figures ----

    def _accounts(self, limits: Limits) -> list[str]:
        """Return the accounts that limits cover: one, or all of the kind of the order's that hold or want anything."""
        if limits.account:
            return [limits.account]
        names = {self._order.account} | {ledger.account for ledger in self._state.ledgers()}
        names |= {record.account for record in self._open(None, None)}
        return sorted(name for name in names if self._is_of_kind(name))

    def _counts(self, limits: Limits, record: Record) -> bool:
        """Say whether limits cover an order of the book."""
        if limits.strategy and record.strategy != limits.strategy:
            return False
        if limits.instrument and record.instrument != limits.instrument:
            return False
        if limits.account:
            return record.account == limits.account
        return self._is_of_kind(record.account)

    def _units_after(self, limits: Limits) -> Decimal:
        """Return how much of the instrument could be held after this order and all open ones, unsigned.

        In an account that keeps legs the order's own leg counts. What is held on the other side may have been closed by
        the time that an order fills: a market order is spared what open exits leave of it, one that rests nothing.
        """
        order = self._order
        held, wished, leaving = ZERO, order.quantity, ZERO
        for account in self._accounts(limits):
            for (strategy, leg), holding in self._state.ledger(account, order.instrument).holdings.items():
                if limits.strategy in {"", strategy} and (not order.leg or leg in {"", order.leg}):
                    held = add(held, holding.quantity)
            for other, rest in self._wishes(limits, account, order.instrument):
                if other.side == order.side and (not order.leg or other.leg in {"", order.leg}):
                    wished = add(wished, rest)
            for other in self._open(account, order.instrument):
                if other.side == order.side and not self._may_open(other) and self._counts(limits, other):
                    leaving = add(leaving, other.rest)
        if held and (held > ZERO) != (order.side == "buy"):
            kept = max(ZERO, subtract(absolute(held), leaving)) if order.kind == "market" else ZERO
            held = kept if held > ZERO else negate(kept)
        return absolute(add(held, wished if order.side == "buy" else negate(wished)))

    def _wishes(self, limits: Limits, account: str, instrument: str | None) -> Iterator[tuple[OpenOrder, Decimal]]:
        """Yield the open orders covered that may open or add, and how much; of an OCO group the largest counts."""
        order = self._order
        groups = {(order.account, order.group_id, order.side): order.quantity}
        for other in self._open(account, instrument):
            if not self._may_open(other) or not self._counts(limits, other):
                continue
            rest = other.rest
            if other.group_id:
                group = (other.account, other.group_id, other.side)
                largest = max(rest, groups.get(group, ZERO))
                rest = subtract(largest, groups.get(group, ZERO))
                groups[group] = largest
            if rest:
                yield other, rest

    def _may_open(self, other: OpenOrder) -> bool:
        """Say whether an open order may open or add; a child that takes off what its parent opens does not."""
        return other.opens and not (other.parent_id and self._is_exit_of_parent(other))

    def _is_exit_of_parent(self, other: OpenOrder) -> bool:
        parent = self._state.record("order", other.account, other.parent_id)
        return parent is not None and parent.instrument == other.instrument and parent.body.get("side") != other.side

    def _own(self, limits: Limits, mark: Decimal) -> Decimal:
        """Return what all positions in the order's instrument could be worth, long and short added up."""
        order = self._order
        total = ZERO
        for account in self._accounts(limits):
            ledger = self._state.ledger(account, order.instrument)
            after: dict[tuple[str, str], Decimal] = {
                key: holding.quantity for key, holding in ledger.holdings.items() if limits.strategy in {"", key[0]}
            }
            wishes = [
                (other.strategy, other.leg, other.side, rest)
                for other, rest in self._wishes(limits, account, order.instrument)
            ]
            if account == order.account:
                wishes.append((order.strategy, order.leg, order.side, order.quantity))
            total = add(total, self._worth(ledger, _gross(after, wishes, hedging=ledger.terms.hedging), mark))
        return total

    def _worth(self, ledger: Ledger, units: Decimal, mark: Decimal) -> Decimal:
        """Return what units are worth at a mark, in the book's base currency."""
        settle, base = ledger.terms.settle, self._state.settings.base_currency
        value = absolute(notional(ledger.terms, units, mark))
        if settle == base:
            return value
        rate = self._seen.rates.get(settle)
        if rate is None:
            raise Denied(
                "no_rate", f"no rate values {settle} in {base}; record one: onebook record rate", currency=settle
            )
        return multiply(value, rate)

    def _others(self, limits: Limits) -> Decimal:
        """Return what all other instruments covered are worth, with their open orders."""
        total = ZERO
        own = self._order.instrument
        wanted = set(self._accounts(limits))
        units: dict[tuple[str, str], Decimal] = {}
        for ledger in self._state.ledgers():
            if ledger.account not in wanted or own in {ledger.name, ledger.instrument}:
                continue
            for (strategy, _), holding in ledger.holdings.items():
                if holding.quantity and (not limits.strategy or strategy == limits.strategy):
                    place = (ledger.account, ledger.name)
                    units[place] = add(units.get(place, ZERO), absolute(holding.quantity))
        for account in wanted:
            for other, rest in self._wishes(limits, account, None):
                if other.instrument != own:
                    place = (other.account, other.instrument)
                    units[place] = add(units.get(place, ZERO), rest)
        for (account, instrument), quantity in units.items():
            if limits.instrument and instrument != limits.instrument:
                continue
            seen = self._seen.marks.get(instrument)
            if seen is None:
                raise Denied("no_mark", f"{instrument} is held and has no mark, so the exposure is not known")
            total = add(total, self._worth(self._state.ledger(account, instrument), quantity, seen[0]))
        return total


def limits_of(state: State) -> Iterator[Limits]:
    """Yield all limits in force."""
    for record in state.records_under("limits", ""):
        found: Limits = fact_from(
            "limits", record.body["definition"], account="", instrument="", strategy="", occurred_ns=0
        )
        yield found


def covers(limits: Limits, order: Order) -> bool:
    """Say whether limits are about an order."""
    return (
        limits.account in {"", order.account}
        and limits.strategy in {"", order.strategy}
        and limits.instrument in {"", order.instrument}
    )


def _scope(limits: Limits) -> str:
    """Say whom limits cover."""
    names = [name for name in (limits.account, limits.strategy) if name]
    return f"of {' / '.join(names)}" if names else "of the book"


def _over(what: str, value: Decimal, limit: Decimal) -> str:
    """Say that something is at or over its limit."""
    shown = plain(round(value, 2)) if value != round(value, 2) else plain(value)
    return f"{what} {shown}, the limit is {plain(limit)}"


def _gross(
    held: dict[tuple[str, str], Decimal], wishes: list[tuple[str, str, Any, Decimal]], *, hedging: bool
) -> Decimal:
    """Return the units of all positions after wishes, long and short added up; each position's worse side counts."""
    bought, sold = dict(held), dict(held)
    for strategy, leg, side, quantity in wishes:
        key = (strategy, leg if hedging else "")
        after = bought if side == "buy" else sold
        moved = quantity if side == "buy" else negate(quantity)
        after[key] = add(after.get(key, ZERO), moved)
    sizes = (max(absolute(bought.get(key, ZERO)), absolute(sold.get(key, ZERO))) for key in bought.keys() | sold.keys())
    return sum(sizes, ZERO)
