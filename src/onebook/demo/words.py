"""How figures and events of the demo read, for people."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from rich.text import Text

from onebook.demo.scene import Happening
from onebook.domain.reports import Event

GAIN = "green"
LOSS = "red"
QUIET = "bright_black"
BOT_STYLES = {"trend": "cyan", "reversal": "magenta", "breakout": "yellow"}
WARNING = "bold red"
_MARKS = {
    "signal_detected": "◇",
    "signal_expired": "◌",
    "order_updated": "○",
    "trade_executed": "●",
    "position_closed": "■",
    "corporate_action_applied": "◆",
    "cash_moved": "$",
    "limits_defined": "▲",
    "daily_loss_breached": "▲",
    "trading_state_changed": "▲",
    "end_of_day_done": "☾",
}

REASONS = {
    "stop_loss": "stop",
    "trailing_stop": "trailing stop",
    "take_profit": "target",
    "end_of_day": "end of day",
    "signal": "signal",
    "kill_switch": "kill switch",
}


_SHOWN = Context(prec=80, rounding=ROUND_HALF_EVEN)
"""How figures are rounded to be shown: a library may have changed the rounding of the process (ccxt does)."""


def amount(value: Decimal, places: int = 2) -> str:
    """Return an amount with separators and a true minus."""
    return f"{_rounded(value, places):,f}".replace("-", "−")


def signed(value: Decimal, places: int = 2) -> Text:
    """Return an amount with its sign, green for a gain and red for a loss."""
    text = f"{_rounded(value, places):+,f}".replace("-", "−")
    return Text(text, style=GAIN if value > 0 else LOSS if value < 0 else QUIET)


def units(value: Decimal) -> str:
    """Return a quantity with separators, without trailing zeros."""
    return f"{_SHOWN.normalize(value):,f}".replace("-", "−")


def _rounded(value: Decimal, places: int) -> Decimal:
    return _SHOWN.quantize(value, Decimal(1).scaleb(-places, _SHOWN))


def bot(name: str) -> Text:
    """Return a bot's name in its colour."""
    return Text(name, style=BOT_STYLES.get(name, ""))


def event_line(happening: Happening) -> Text:
    """Return what happened as one line: its day, who, what."""
    event = happening.event
    style = BOT_STYLES.get(event.strategy, "")
    line = Text(f"{event.occurred_at:%m-%d} ", style=QUIET, no_wrap=True, overflow="ellipsis")
    line.append(f"{_MARKS[event.type]} ", style=style or "white")
    if event.strategy:
        line.append(f"{event.strategy} ", style=style)
    line.append_text(_happened(happening))
    return line


def _happened(happening: Happening) -> Text:
    event = happening.event
    data, name = event.data, event.instrument
    match event.type:
        case "signal_detected":
            return Text(f"wants to {data['action']} {name} at {_price(data.get('price'))}", style=QUIET)
        case "signal_expired":
            return Text(f"lets {name} go: {data.get('reason', '')}", style=QUIET)
        case "order_updated":
            return _ordered(happening)
        case "trade_executed":
            verb = "bought" if data["side"] == "buy" else "sold"
            text = Text(f"{verb} {units(Decimal(data['quantity']))} {name} @ {_price(data['price'])}")
            reason = str(data.get("close_reason") or "")
            return text.append(f", {REASONS.get(reason, reason)}" if reason else "", style=QUIET)
        case "position_closed":
            return Text(f"{name} flat, trip ").append_text(signed(Decimal(data["round_trip"]["net"]), 0))
        case "corporate_action_applied":
            return Text(_action(event), style="bold")
        case "limits_defined":
            return Text(f"may lose {_whole(data['max_daily_loss'])} a day from now on", style="bold")
        case "daily_loss_breached":
            return Text(f"lost {amount(Decimal(data['loss']), 0)} today, limit {_whole(data['limit'])}", style=WARNING)
        case "trading_state_changed":
            return _state(event)
        case "end_of_day_done":
            return Text("the end of the day closes what is open", style="bold")
        case _:
            return Text(f"{name} dividend paid ").append_text(signed(Decimal(data["amount"])))


def _ordered(happening: Happening) -> Text:
    data = happening.event.data
    what = f"{data['side']} {units(Decimal(data['quantity']))} {happening.event.instrument}"
    if data["status"] == "denied":
        why = data.get("gate", {}).get("denied", "")
        return Text(f"may not {data['side']} {happening.event.instrument}: {why}", style=WARNING)
    price = data.get("limit_price") or data.get("stop_price")
    text = Text(what)
    if price:
        text.append(f" @ {_price(price)}")
    exits = happening.exits
    if exits.stop is not None:
        distance = f"{exits.stop * 100:.0f} %" if exits.stop < 1 else amount(exits.stop)
        text.append(f", stop {distance}", style=QUIET)
    if exits.target is not None:
        text.append(f", target {amount(exits.target)}", style=QUIET)
    return text


def _state(event: Event) -> Text:
    state = str(event.data["state"])
    reason = str(event.data.get("reason", ""))
    return Text(f"is {state}: {reason}", style="bold green" if state == "ACTIVE" else WARNING)


def _price(value: str | None) -> str:
    return amount(Decimal(value)) if value else "–"


def _whole(value: str) -> str:
    return amount(Decimal(value), 0)


def _action(event: Event) -> str:
    data = event.data
    if data.get("kind") == "split":
        return f"{event.instrument} splits {data['numerator']}:{data['denominator']}"
    return f"{event.instrument} goes ex {_price(data.get('amount'))} per share"
