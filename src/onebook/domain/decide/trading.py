"""Whether trading is ACTIVE, REDUCING or HALTED: for the book, an account, a strategy, or one of both.

The strictest state that covers an order counts. A limit that was reached puts trading to REDUCING once; only a
person puts it back.
"""

from onebook.domain.commands import SetTrading
from onebook.domain.identity import identity_text, scope
from onebook.domain.state import Decision, EventDraft, Record, Stamp, State
from onebook.errors import InputError

TRADING = "trading"
STATES = ("ACTIVE", "REDUCING", "HALTED")
"""From the loosest to the strictest."""

CAUSES = {"daily_loss": "daily_loss_breached", "drawdown": "drawdown_breached"}
"""Limits that put trading to REDUCING, and the event that says so."""


def state_of(state: State, account: str, strategy: str) -> Record | None:
    """Return what was said of exactly this account and strategy; empty texts stand for all."""
    return state.record(TRADING, "", identity_text(account, strategy))


def state_over(state: State, account: str, strategy: str) -> str:
    """Return the strictest state that covers an account's strategy."""
    found = [state_of(state, *place) for place in {("", ""), (account, ""), ("", strategy), (account, strategy)}]
    return max((record.status for record in found if record is not None), key=STATES.index, default="ACTIVE")


def set_trading(state: State, command: SetTrading, stamp: Stamp) -> Decision:
    """Put trading into a state; by a limit only from ACTIVE, and once for each time that it is reached."""
    if not command.reason.strip():
        msg = "reason: say why, for the log"
        raise InputError(msg, field="reason", value=command.reason)
    decision = Decision(command.account, "", command.strategy, stamp.recorded_ns)
    held = state_of(state, command.account, command.strategy)
    before = "ACTIVE" if held is None else held.status
    event = CAUSES.get(command.cause)
    after = command.state
    if event is not None:
        day = str(command.figures.get("day", "")) if command.cause == "daily_loss" else ""
        armed = 0 if held is None else int(held.body.get("armed", 0))
        key = identity_text(command.cause, command.account, command.strategy, day, str(armed))
        decision.identity = identity_text(TRADING, key)
        known = state.identities(scope(TRADING), key)
        if known:
            decision.status, decision.first = "exists", known[0][0]
            return decision
        decision.identities.append((scope(TRADING), key, 1))
        decision.events.append(EventDraft(event, dict(command.figures) | {"reason": command.reason}))
        after = max(before, command.state, key=STATES.index)
    if after == before and event is None:
        decision.status, decision.first = "exists", 0 if held is None else int(held.body["since"])
        return decision
    body = {"state": after, "reason": command.reason, "cause": command.cause, "since": stamp.sequence}
    body["armed"] = 0 if held is None else held.body.get("armed", 0)
    seen = {"marks": command.figures["marks"]} if command.figures.get("marks") else {}
    if after == "ACTIVE":
        body |= {"armed": stamp.sequence, "armed_ns": stamp.recorded_ns} | seen
    elif held is not None:
        body |= {name: held.body[name] for name in ("armed_ns", "marks") if name in held.body}
    if after != before:
        data = {"state": after, "previous": before, "reason": command.reason, "cause": command.cause}
        decision.events.append(EventDraft("trading_state_changed", data | (seen if after == "ACTIVE" else {})))
    key = identity_text(command.account, command.strategy)
    decision.records.append(Record(TRADING, "", key, stamp.recorded_ns, body, "", command.strategy, after))
    decision.tally["other_entries"] = 1
    return decision
