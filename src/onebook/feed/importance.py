"""How important an event is to a person: what wakes them, what they hear of, what they may look up."""

from collections.abc import Callable
from enum import IntEnum

from onebook.domain.reports import Event


class Importance(IntEnum):
    """From what may be looked up to what wakes people."""

    INFO = 0
    NOTICE = 1
    WARNING = 2
    CRITICAL = 3


DAILY_SUMMARY = "day_ended"
"""The type that is sent whatever the minimum."""

_BY_TYPE = {
    "alert_cleared": Importance.NOTICE,
    "bot_silent": Importance.CRITICAL,
    "book_restored": Importance.NOTICE,
    "break_found": Importance.WARNING,
    "break_resolved": Importance.NOTICE,
    "corporate_action_applied": Importance.NOTICE,
    "daily_loss_breached": Importance.CRITICAL,
    "drawdown_breached": Importance.CRITICAL,
    DAILY_SUMMARY: Importance.NOTICE,
    "position_closed": Importance.NOTICE,
    "position_restated": Importance.NOTICE,
    "settlement_recorded": Importance.NOTICE,
    "stop_triggered": Importance.WARNING,
    "trade_busted": Importance.NOTICE,
    "trade_conflicted": Importance.WARNING,
    "trade_corrected": Importance.NOTICE,
}
_BY_ORDER_STATUS = {
    "denied": Importance.NOTICE,
    "expired": Importance.NOTICE,
    "rejected": Importance.WARNING,
    "unknown": Importance.WARNING,
}
_BY_TRADING_STATE = {"HALTED": Importance.CRITICAL, "REDUCING": Importance.WARNING}
_BY_ALERT = {"disk_nearly_full": Importance.CRITICAL, "end_of_day_missed": Importance.CRITICAL}


def importance(event: Event) -> Importance:
    """Return how important an event is; what has no place in the tables is INFO, an alert of any kind a WARNING."""
    by_data = _BY_DATA.get(event.type)
    return by_data(event) if by_data else _BY_TYPE.get(event.type, Importance.INFO)


def is_alert(event: Event) -> bool:
    """Say whether an event is sent by default: warnings, what is critical, and the daily summary."""
    return event.type == DAILY_SUMMARY or importance(event) >= Importance.WARNING


def _of_order(event: Event) -> Importance:
    return _BY_ORDER_STATUS.get(str(event.data.get("status", "")), Importance.INFO)


def _of_trading_state(event: Event) -> Importance:
    return _BY_TRADING_STATE.get(str(event.data.get("state", "")).upper(), Importance.NOTICE)


def _of_alert(event: Event) -> Importance:
    return _BY_ALERT.get(str(event.data.get("kind", "")), Importance.WARNING)


_BY_DATA: dict[str, Callable[[Event], Importance]] = {
    "alert_raised": _of_alert,
    "order_updated": _of_order,
    "trading_state_changed": _of_trading_state,
}
