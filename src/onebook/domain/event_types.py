"""The names of events: the book's own, the ones kept for it, and what users may call theirs."""

import re

from onebook.errors import InputError

FACT_TYPES = frozenset(
    {
        "account_defined",
        "cash_moved",
        "corporate_action_applied",
        "funding_paid",
        "hook_defined",
        "instrument_defined",
        "limits_defined",
        "opening_balance_recorded",
        "order_updated",
        "rate_recorded",
        "reassigned",
        "settings_defined",
        "settlement_recorded",
        "signal_closed",
        "signal_detected",
        "signal_executed",
        "signal_expired",
        "token_defined",
        "transfer_recorded",
    }
)
"""Events that may hold a fact other than a fill, named by ``fact`` in their data."""

STATE_CHANGED = "state_changed"
PUBLISHED = "published"
SUBSCRIBER_CHANGED = "subscriber_changed"

OWN_TYPES = FACT_TYPES | {
    "annotated",
    "book_restored",
    "break_found",
    "break_resolved",
    "position_closed",
    "position_restated",
    "position_updated",
    PUBLISHED,
    "daily_loss_breached",
    "drawdown_breached",
    "snapshot_taken",
    STATE_CHANGED,
    "stop_moved",
    "stop_removed",
    "stop_set",
    "stop_triggered",
    "trade_busted",
    "trade_conflicted",
    "trade_corrected",
    "trade_executed",
    "trading_state_changed",
}
"""Every type that the core writes itself."""

KEPT_TYPES = frozenset(
    {
        "alert_cleared",
        "alert_raised",
        "bot_silent",
        "day_ended",
        "end_of_day_done",
        "price_updated",
        "runner_started",
        "runner_stopped",
        "segment_archived",
        SUBSCRIBER_CHANGED,
        "trade_exit_updated",
        "trade_logged",
    }
)
"""Types that only other parts of this package write, now or in a later release."""

MAX_TYPE = 64

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


def is_users(name: str) -> bool:
    """Say whether an event of this type was published by a user: its data is theirs, every key of it."""
    return name not in OWN_TYPES and name not in KEPT_TYPES


def users_type(name: object) -> str:
    """Take the type of a user's own event.

    Args:
        name: small letters, digits and underscores, in parts with dots: ``rebalanced``, ``desk.limit_raised``.

    Raises:
        InputError: it is none, longer than 64 characters, or one of the book's own.
    """
    if not isinstance(name, str) or len(name) > MAX_TYPE or _NAME.fullmatch(name) is None:
        msg = f"type: {name!r:.80} is not a type of event; write small letters, digits, _ and dots: desk.limit_raised"
        raise InputError(msg, field="type", value=name)
    if not is_users(name):
        msg = f"type: only the book itself writes {name}; choose another name, such as my.{name}"
        raise InputError(msg, field="type", value=name)
    return name
