"""Which function decides on which command."""

from collections.abc import Callable
from typing import Any

from onebook.domain import commands, facts
from onebook.domain.decide import (
    corporate,
    corrections,
    definitions,
    fills,
    money,
    notes,
    orders,
    placed_orders,
    protecting,
    signals,
    state_changes,
    trading,
    transfers,
)
from onebook.domain.state import Decision, Stamp, State
from onebook.errors import InputError

_FACTS: dict[type[Any], Callable[[State, Any, Stamp], Decision]] = {
    facts.Fill: fills.record_fill,
    facts.Order: orders.record_order,
    facts.OrderUpdate: orders.record_order_update,
    facts.Signal: signals.record_signal,
    facts.SignalUpdate: signals.record_signal_update,
    facts.Transfer: transfers.record_transfer,
    facts.CashMovement: money.record_cash_movement,
    facts.FundingPayment: money.record_funding,
    facts.CorporateAction: corporate.record_corporate_action,
    facts.OpeningBalance: money.record_opening_balance,
    facts.Settlement: money.record_settlement,
    facts.Reassign: money.record_reassign,
    facts.Rate: definitions.record_rate,
    facts.Instrument: definitions.define_instrument,
    facts.Account: definitions.define_account,
    facts.BookSettings: definitions.define_settings,
    facts.Limits: definitions.define_limits,
    facts.Token: definitions.define_token,
    facts.Hook: definitions.define_hook,
}

_COMMANDS: dict[type[Any], Callable[[State, Any, Stamp], Decision]] = {
    commands.Annotate: notes.annotate,
    commands.Bust: corrections.bust,
    commands.ChangeState: state_changes.change_state,
    commands.Correct: corrections.correct,
    commands.MoveStop: protecting.move,
    commands.Note: notes.note,
    commands.Place: placed_orders.place_order,
    commands.Protect: protecting.protect,
    commands.Publish: lambda _state, command, stamp: state_changes.publish(command, stamp),
    commands.Replace: placed_orders.replace_order,
    commands.SetTrading: trading.set_trading,
    commands.TriggerStop: protecting.trigger,
}


def decide(state: State, command: commands.Command, stamp: Stamp) -> Decision:
    """Return what a command does to the book, or raise: nothing has changed then.

    Raises:
        InputError: the command is malformed.
        RuleError: a rule refuses it.
        ConflictError: it was reckoned from what is no longer so.
    """
    if type(command) is commands.Record:
        recorder = _FACTS.get(type(command.fact))
        if recorder is None:
            msg = f"{type(command.fact).__name__} is not a fact; record a Fill, an Order, a Transfer and so on"
            raise InputError(msg, fact=command.fact)
        if command.compared is not None and isinstance(command.fact, facts.Fill):
            fills.check_compared(state, command.fact, command.compared)
        return recorder(state, command.fact, stamp)
    decider = _COMMANDS[type(command)]
    return decider(state, command, stamp)
