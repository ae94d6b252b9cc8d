"""Stops and targets of positions: set, moved and triggered in the log; what a mark does to them is an observation.

A protection belongs to one position. It ends when the position is flat; set while it is flat, it waits for the next
one. At a flip its fixed prices end and its trail begins anew. A split changes its prices with the position.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from onebook.domain.commands import Command, MoveStop, Protect, SetTrading, TriggerStop
from onebook.domain.decide.trading import CAUSES
from onebook.domain.facts import CorporateAction, Order
from onebook.domain.holdings import Holding
from onebook.domain.identity import identity_parts, identity_text
from onebook.domain.numbers import ONE, ZERO, add, multiply, plain, share, subtract
from onebook.domain.shapes import Data
from onebook.domain.state import Decision, EventDraft, Ledger, Record, Stamp, State
from onebook.errors import InputError

PROTECTION = "protection"
FIGURES = ("stop_loss", "take_profit", "trail_amount", "trail_ratio", "activates_at")
_SET_PRICES = ("stop_loss", "take_profit", "trail_amount", "activates_at")
_PRICES = (*_SET_PRICES, "level", "best")
_TRAILS = ("trail_amount", "trail_ratio")


def protection_id(account: str, instrument: str, strategy: str, leg: str) -> str:
    """Return the name under which a position's protection is kept."""
    return identity_text(account, instrument, strategy, leg)


def protect(state: State, command: Protect, stamp: Stamp) -> Decision:
    """Set a position's stop and target anew, or take them away."""
    ledger = state.ledger(command.account, command.instrument)
    decision = Decision(command.account, ledger.name, command.strategy, stamp.recorded_ns)
    held = _held(state, ledger, command.strategy, command.leg)
    wanted = {name: plain(value) for name in FIGURES if (value := getattr(command, name)) is not None}
    if not wanted:
        _remove(decision, held, command.reason or "taken away")
        if not decision.events:
            decision.status = "exists"
        return decision
    check_leg(command.account, command.leg, hedging=ledger.terms.hedging)
    quantity = _quantity(ledger, command.strategy, command.leg)
    check_figures(command, quantity)
    body: Data = wanted | {"act": command.act}
    if command.leg:
        body["leg"] = command.leg
    if held is not None and held.status == "active" and _same(held.body, body):
        decision.status, decision.first = "exists", int(held.body["set_at"])
        return decision
    body |= _begun(held, command, _direction(quantity))
    decision.events.append(EventDraft("stop_set", dict(body)))
    body |= {"set_at": stamp.sequence, "set_ns": stamp.recorded_ns, "direction": _direction(quantity)}
    _put(decision, ledger, command.strategy, command.leg, body, "active")
    decision.tally["other_entries"] = 1
    return decision


def move(state: State, command: MoveStop, stamp: Stamp) -> Decision:
    """Keep how far a trailing stop has moved; it moves one way only."""
    ledger = state.ledger(command.account, command.instrument)
    decision = Decision(command.account, ledger.name, command.strategy, stamp.recorded_ns)
    held = _held(state, ledger, command.strategy, command.leg)
    if held is None or held.status != "active" or command.set_at not in {0, int(held.body["set_at"])}:
        decision.status = "exists"
        return decision
    body = dict(held.body)
    is_long = body.get("direction") != "short"
    was = Decimal(body["best"]) if "best" in body else None
    if was is not None and (command.best <= was if is_long else command.best >= was):
        decision.status = "exists"
        return decision
    data: Data = {"best": plain(command.best), "set_at": int(body["set_at"])}
    if command.level is not None:
        data["level"] = plain(command.level)
    if command.leg:
        data["leg"] = command.leg
    decision.events.append(EventDraft("stop_moved", data))
    body |= {name: data[name] for name in ("best", "level") if name in data}
    _put(decision, ledger, command.strategy, command.leg, body, "active")
    decision.tally["other_entries"] = 1
    return decision


def trigger(state: State, command: TriggerStop, stamp: Stamp) -> Decision:
    """Say that a level was reached, once."""
    ledger = state.ledger(command.account, command.instrument)
    decision = Decision(command.account, ledger.name, command.strategy, stamp.recorded_ns)
    held = _held(state, ledger, command.strategy, command.leg)
    quantity = _quantity(ledger, command.strategy, command.leg)
    is_due = held is not None and held.status == "active" and int(held.body["set_at"]) == command.set_at
    if held is None or not is_due or not quantity:
        decision.status = "exists"
        return decision
    data: Data = {
        "kind": command.kind,
        "level": plain(command.level),
        "mark": plain(command.mark),
        "marked_ns": command.marked_ns,
        "quantity": plain(quantity),
        "act": held.body["act"],
        "set_at": command.set_at,
    }
    if command.leg:
        data["leg"] = command.leg
    decision.events.append(EventDraft("stop_triggered", data))
    body = dict(held.body) | {"triggered": command.kind, "level": plain(command.level)}
    _put(decision, ledger, command.strategy, command.leg, body, "triggered")
    decision.tally["other_entries"] = 1
    return decision


def was_triggered(state: State, order: Order, set_at: int) -> bool:
    """Say whether the stop that was set by an entry is what triggered last at an order's position."""
    ledger = state.ledger(order.account, order.instrument)
    held = _held(state, ledger, order.strategy, order.leg)
    return held is not None and held.status == "triggered" and int(held.body["set_at"]) == set_at


def settle(state: State, decision: Decision) -> None:
    """Bind protections to positions that a decision opened, end those of closed ones, begin anew at a flip."""
    active = state.protections()
    if not active:
        return
    ended = {(number, trip.strategy, trip.leg) for number, trip in decision.trips_added}
    for ledger, after in decision.holdings:
        if protection_id(ledger.account, ledger.instrument, after.strategy, after.leg) not in active:
            continue
        held = _held(state, ledger, after.strategy, after.leg)
        if held is None or held.status != "active":
            continue
        was, now = held.body.get("direction", ""), _direction(after.quantity)
        over = was or (ledger.id, after.strategy, after.leg) in ended
        if not now and over:
            _remove(decision, held, "position closed")
        elif now and was and now != was:
            _begin_anew(decision, ledger, held, after)
        elif now and not was:
            _bind(decision, held, now)


def _bind(decision: Decision, held: Record, direction: str) -> None:
    """Give what waited for a position the one that has opened."""
    body = dict(held.body) | {"direction": direction}
    decision.records.append(
        Record(PROTECTION, "", held.id, held.occurred_ns, body, held.instrument, held.strategy, "active")
    )


def split(state: State, decision: Decision, fact: CorporateAction, ledger: Ledger, at: int) -> None:
    """Let prices follow a split: those set before its day, and the best mark where it was seen before.

    Args:
        state: the book.
        decision: of the split.
        fact: the split.
        ledger: of its instrument.
        at: its first moment, in nanoseconds.
    """
    if fact.numerator is None or fact.denominator is None:
        return
    top, low = Decimal(fact.numerator), Decimal(fact.denominator)
    for key in sorted(state.protections()):
        account, instrument, strategy, _ = identity_parts(key)
        held = state.record(PROTECTION, "", key)
        if (account, instrument) != (ledger.account, ledger.instrument) or held is None or held.status != "active":
            continue
        if int(held.body["set_ns"]) >= at:
            continue
        body = dict(held.body)
        if held.occurred_ns >= at:  # its trail has moved by marks in new units already
            body.pop("level", None)
        names = _PRICES if held.occurred_ns < at else _SET_PRICES
        body |= {name: plain(share(Decimal(body[name]), low, top)) for name in names if name in body}
        data = {name: body[name] for name in (*FIGURES, "act", "leg", "level", "best") if name in body}
        decision.events.append(EventDraft("stop_set", data | {"reason": "split"}, strategy=strategy))
        record = Record(PROTECTION, "", key, held.occurred_ns, body, held.instrument, strategy, "active")
        decision.records.append(record)


def _same(held: Data, body: Data) -> bool:
    names = (*FIGURES, "act", "leg")
    return {name: held.get(name) for name in names} == {name: body.get(name) for name in names}


def _begun(held: Record | None, command: Protect, direction: str) -> Data:
    """Return the best mark at which a trail begins and its level, none where no best mark is known.

    That is the best one that whoever sets it knows of, and that of a trail which it replaces in the same position: a
    level moves one way only.
    """
    trails = command.trail_amount is not None or command.trail_ratio is not None
    if not trails or not direction:
        return {}
    known = [] if command.best is None else [command.best]
    goes_on = command.carries and held is not None and held.status == "active"
    if goes_on and held is not None and held.body.get("direction") == direction and "best" in held.body:
        known.append(Decimal(held.body["best"]))
    if not known:
        return {}
    starts, is_long = command.activates_at, direction == "long"
    best = max(known) if is_long else min(known)
    found: Data = {"best": plain(best)}
    if starts is None or (best >= starts if is_long else best <= starts):
        ratio, amount = command.trail_ratio, command.trail_amount or ZERO
        trail = amount if ratio is None else multiply(best, ratio)
        found["level"] = plain(subtract(best, trail) if is_long else add(best, trail))
    return found


def _begin_anew(decision: Decision, ledger: Ledger, held: Record, after: Holding) -> None:
    trail = {name: held.body[name] for name in _TRAILS if name in held.body}
    if not trail:
        _remove(decision, held, "position flipped")
        return
    kept = {name: value for name, value in held.body.items() if name in {*_TRAILS, "act", "leg", "set_at", "set_ns"}}
    body = kept | {"direction": _direction(after.quantity)}
    data = {name: value for name, value in kept.items() if not name.startswith("set_")} | {"reason": "position flipped"}
    decision.events.append(EventDraft("stop_set", data, strategy=after.strategy))
    _put(decision, ledger, after.strategy, after.leg, body, "active")


def _remove(decision: Decision, held: Record | None, reason: str) -> None:
    if held is None or held.status != "active":
        return
    data: Data = {"reason": reason} | ({"leg": held.body["leg"]} if "leg" in held.body else {})
    own = None if held.strategy == decision.strategy else held.strategy
    decision.events.append(EventDraft("stop_removed", data, strategy=own))
    body = dict(held.body) | {"reason": reason}
    decision.records.append(
        Record(PROTECTION, "", held.id, held.occurred_ns, body, held.instrument, held.strategy, "removed")
    )


def _held(state: State, ledger: Ledger, strategy: str, leg: str) -> Record | None:
    return state.record(PROTECTION, "", protection_id(ledger.account, ledger.instrument, strategy, leg))


def _put(decision: Decision, ledger: Ledger, strategy: str, leg: str, body: Data, status: str) -> None:
    key = protection_id(ledger.account, ledger.instrument, strategy, leg)
    at = decision.occurred_ns
    decision.records.append(Record(PROTECTION, "", key, at, body, ledger.name, strategy, status))


def _quantity(ledger: Ledger, strategy: str, leg: str) -> Decimal:
    holding = ledger.holdings.get((strategy, leg if ledger.terms.hedging else ""))
    return ZERO if holding is None else holding.quantity


def _direction(quantity: Decimal) -> str:
    return "long" if quantity > ZERO else "short" if quantity else ""


def check_leg(account: str, leg: str, *, hedging: bool) -> None:
    """Refuse a protection that would never find its position.

    Raises:
        InputError: the account keeps legs and none is named, or the other way round.
    """
    if hedging and not leg:
        msg = f"leg: account {account} keeps legs; say long or short"
        raise InputError(msg, field="leg", value=leg)
    if leg and not hedging:
        msg = f"leg: account {account} keeps no legs; leave it out"
        raise InputError(msg, field="leg", value=leg)


def check_figures(command: Protect, quantity: Decimal) -> None:
    """Refuse figures that contradict each other or the direction of a position of so much, below 0 for short.

    Raises:
        InputError: they do.
    """
    if command.trail_amount is not None and command.trail_ratio is not None:
        msg = "trail_amount and trail_ratio: give one of them"
        raise InputError(msg, field="trail_ratio", value=command.trail_ratio)
    if command.trail_ratio is not None and not ZERO < command.trail_ratio < ONE:
        msg = f"trail_ratio: {plain(command.trail_ratio)} is not between 0 and 1; 5 % is 0.05"
        raise InputError(msg, field="trail_ratio", value=command.trail_ratio)
    if command.activates_at is not None and command.trail_amount is None and command.trail_ratio is None:
        msg = "activates_at is the mark at which a trail begins; give trail_amount or trail_ratio"
        raise InputError(msg, field="activates_at", value=command.activates_at)
    stop, target = command.stop_loss, command.take_profit
    if stop is None or target is None or stop == target:
        return
    if quantity and (quantity > ZERO) != (stop < target):
        side = "long" if quantity > ZERO else "short"
        right = "below" if side == "long" else "above"
        msg = f"the position is {side}: its stop_loss belongs {right} its take_profit"
        raise InputError(msg, field="stop_loss", value=stop)


# ---- from the log back to commands ----


def _decimal(data: Data, name: str) -> Decimal | None:
    return Decimal(data[name]) if name in data else None


def _protect_from(entry: Any) -> Protect:
    data = entry.events[0].data
    figures = {name: _decimal(data, name) for name in FIGURES}
    return Protect(
        account=entry.account,
        instrument=entry.instrument,
        strategy=entry.strategy,
        leg=data.get("leg", ""),
        act=data.get("act", "notify"),
        reason=data.get("reason", ""),
        carries="best" in data,
        best=_decimal(data, "best"),
        **figures,
    )


def _move_from(entry: Any) -> MoveStop:
    data = entry.events[0].data
    return MoveStop(
        account=entry.account,
        instrument=entry.instrument,
        strategy=entry.strategy,
        leg=data.get("leg", ""),
        level=_decimal(data, "level"),
        best=Decimal(data["best"]),
        set_at=data["set_at"],
    )


def _trigger_from(entry: Any) -> TriggerStop:
    data = entry.events[0].data
    return TriggerStop(
        account=entry.account,
        instrument=entry.instrument,
        strategy=entry.strategy,
        leg=data.get("leg", ""),
        kind=data["kind"],
        level=Decimal(data["level"]),
        mark=Decimal(data["mark"]),
        marked_ns=data["marked_ns"],
        set_at=data["set_at"],
    )


def _trading_from(entry: Any) -> SetTrading:
    first = entry.events[0]
    causes = {event: cause for cause, event in CAUSES.items()}
    cause = causes.get(first.type, "manual")
    kept = {"marks"} & first.data.keys() if cause == "manual" else first.data.keys() - {"reason"}
    figures = {name: value for name, value in first.data.items() if name in kept}
    state = first.data["state"] if cause == "manual" else "REDUCING"
    return SetTrading(
        state=state,
        reason=first.data["reason"],
        account=entry.account,
        strategy=entry.strategy,
        cause=first.data.get("cause", "manual") if cause == "manual" else cause,
        figures=figures,
    )


COMMANDS: dict[str, Callable[[Any], Command]] = {
    "stop_set": _protect_from,
    "stop_removed": _protect_from,
    "stop_moved": _move_from,
    "stop_triggered": _trigger_from,
    "trading_state_changed": _trading_from,
    "daily_loss_breached": _trading_from,
    "drawdown_breached": _trading_from,
}
"""How the first event of an entry leads back to the command that made it."""
