"""How figures and events of the demo read, for people."""

from decimal import Decimal

from rich.text import Text

from onebook.demo.scene import Happening
from onebook.domain.reports import Event

GAIN = "green"
LOSS = "red"
QUIET = "bright_black"
BOT_STYLES = {"trend": "cyan", "reversal": "magenta", "rotation": "yellow"}
_MARKS = {
    "signal_detected": "◇",
    "signal_expired": "◌",
    "trade_executed": "●",
    "position_closed": "■",
    "corporate_action_applied": "◆",
    "cash_moved": "$",
}

_REASONS = {
    "stop_loss": ", stop",
    "trailing_stop": ", trail",
    "take_profit": ", target",
    "end_of_day": ", time",
}


def amount(value: Decimal, places: int = 2) -> str:
    """Return an amount with separators and a true minus."""
    return f"{value:,.{places}f}".replace("-", "−")


def signed(value: Decimal, places: int = 2) -> Text:
    """Return an amount with its sign, green for a gain and red for a loss."""
    text = f"{value:+,.{places}f}".replace("-", "−")
    return Text(text, style=GAIN if value > 0 else LOSS if value < 0 else QUIET)


def units(value: Decimal) -> str:
    """Return a quantity with separators, without trailing zeros."""
    return f"{value.normalize():,f}".replace("-", "−")


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
            return Text(f"let go: {data.get('reason', '')}", style=QUIET)
        case "trade_executed":
            verb = "bought" if data["side"] == "buy" else "sold"
            text = Text(f"{verb} {units(happening.quantity)} {name} @ {_price(data['price'])}")
            if happening.fills > 1:
                text.append(f" ×{happening.fills}", style=QUIET)
            reason = str(data.get("close_reason") or "")
            return text.append(_REASONS.get(reason, ""), style=QUIET)
        case "position_closed":
            return Text(f"{name} flat, total ").append_text(signed(Decimal(data["realized_pnl"]), 0))
        case "corporate_action_applied":
            return Text(_action(event), style="bold")
        case _:
            return Text(f"{name} dividend paid ").append_text(signed(Decimal(data["amount"])))


def _price(value: str | None) -> str:
    return amount(Decimal(value)) if value else "–"


def _action(event: Event) -> str:
    data = event.data
    if data.get("kind") == "split":
        return f"{event.instrument} splits {data['numerator']}:{data['denominator']}"
    return f"{event.instrument} goes ex {_price(data.get('amount'))} per share"
