"""Alerts of TradingView: a message with its placeholders filled in, as JSON or text.

A strategy on a chart trades only in its own imagination, so an alert is a signal unless its message says
``"record": "fill"``.

Source: TradingView's help on alerts, webhooks and placeholders.
"""

from typing import Any

from onebook.domain import facts
from onebook.domain.facts import Hook
from onebook.intake.hooks import custom

MESSAGE = """{
  "instrument": "{{ticker}}",
  "action": "{{strategy.order.action}}",
  "price": "{{close}}",
  "quantity": "{{strategy.order.contracts}}",
  "position": "{{strategy.market_position}}",
  "order": "{{strategy.order.id}}",
  "timeframe": "{{interval}}",
  "bar": "{{time}}",
  "time": "{{timenow}}"
}"""
"""To paste as the message of an alert of a strategy; in an alert of an indicator write the action itself."""


def facts_from(message: dict[str, Any], hook: Hook, at: int) -> tuple[facts.AnyFact, ...]:
    """Return the fact of an alert.

    Args:
        message: what was sent, by name.
        hook: which came by.
        at: the book's clock, in nanoseconds since 1970 UTC.

    Raises:
        InputError: a field is missing, malformed, or a placeholder that was not filled in.
        NotAllowed: it speaks of another strategy or account than the hook.
    """
    return custom.facts_from(message, hook, at)
