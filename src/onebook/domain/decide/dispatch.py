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
    signals,
    state_changes,
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
}


def decide(state: State, command: commands.Command, stamp: Stamp) -> Decision:
    """Return what a command does to the book, or raise: nothing has changed then.

    Raises:
        InputError: the command is malformed.
        RuleError: a rule refuses it.
    """
    if type(command) is commands.Record:
        recorder = _FACTS.get(type(command.fact))
        if recorder is None:
            msg = f"{type(command.fact).__name__} is not a fact; record a Fill, an Order, a Transfer and so on"
            raise InputError(msg, fact=command.fact)
        return recorder(state, command.fact, stamp)
    if isinstance(command, commands.Bust):
        return corrections.bust(state, command, stamp)
    if isinstance(command, commands.Correct):
        return corrections.correct(state, command, stamp)
    if isinstance(command, commands.Annotate):
        return notes.annotate(state, command, stamp)
    if isinstance(command, commands.ChangeState):
        return state_changes.change_state(state, command, stamp)
    if isinstance(command, commands.Publish):
        return state_changes.publish(command, stamp)
    assert isinstance(command, commands.Note)  # noqa: S101  the union ends here
    return notes.note(state, command, stamp)
