"""What a message says: one short line for each type of event, in words or by a template of the user's.

A line is plain text: what came from outside cannot break it, colour it, or call a whole channel.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import fields
from string import Formatter
from typing import Any

from onebook.domain import facts
from onebook.domain.event_types import KEPT_TYPES, OWN_TYPES, is_users
from onebook.domain.reports import Event, as_json, as_plain
from onebook.errors import BadConfig

MOST = 240
"""Most characters of a line."""

_VALUE = 160
_MENTION = re.compile(r"@(?=everyone|here|channel|all\b)|<(?=[!@#])", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.IGNORECASE)
_ENVELOPE = tuple(name for name in Event.__dataclass_fields__ if name != "data")
_LINE = "line"
"""The field of a template that holds the line as it would be without one."""

_POSITION = [
    "leg",
    "quantity",
    "average_price",
    "cost_basis",
    "realized_pnl_gross",
    "fees",
    "fees_in_base",
    "funding",
    "income",
    "realized_pnl",
    "opened_at",
    "updated_at",
    "highest",
    "lowest",
    "unvalued",
    "flags",
    "sequence",
    "cause",
    "dust",
    "excess",
]
_SIGNAL = ["signal_id", "status", "round_trip", "reason"]
_CHANGED = ["trade_id", "reason"]
_MORE: dict[str, tuple[type[Any] | None, list[str]]] = {
    "annotated": (None, ["fact", "notes", "tags"]),
    "account_defined": (facts.Account, []),
    "book_restored": (None, ["epoch", "backup", "head_hash"]),
    "cash_moved": (facts.CashMovement, []),
    "corporate_action_applied": (facts.CorporateAction, []),
    "funding_paid": (facts.FundingPayment, []),
    "hook_defined": (facts.Hook, []),
    "instrument_defined": (facts.Instrument, []),
    "opening_balance_recorded": (facts.OpeningBalance, []),
    "order_updated": (facts.Order, ["status", "reason", "venue_order_id", "filled"]),
    "position_closed": (None, [*_POSITION, "round_trip"]),
    "position_restated": (None, ["figures", "reason", "cause_sequence"]),
    "position_updated": (None, _POSITION),
    "rate_recorded": (facts.Rate, []),
    "reassigned": (facts.Reassign, []),
    "settings_defined": (facts.BookSettings, []),
    "settlement_recorded": (facts.Settlement, []),
    "signal_closed": (facts.Signal, _SIGNAL),
    "signal_detected": (facts.Signal, _SIGNAL),
    "signal_executed": (facts.Signal, _SIGNAL),
    "signal_expired": (facts.Signal, _SIGNAL),
    "token_defined": (facts.Token, []),
    "trade_busted": (facts.Fill, _CHANGED),
    "trade_conflicted": (None, [*_CHANGED, "first_sequence", "content"]),
    "trade_corrected": (facts.Fill, [*_CHANGED, "changed", "from_account", "from_instrument"]),
    "trade_executed": (facts.Fill, ["trade_id"]),
    "transfer_recorded": (facts.Transfer, []),
}
"""Type -> the fact that its data holds, and further names in it. Types that are not here may hold any name."""


def plain_text(value: Any, most: int = _VALUE) -> str:
    """Return a value as text on one line, harmless wherever it is shown.

    Args:
        value: plain JSON data, or a time.
        most: longest that is shown, in characters.
    """
    if value is None:
        return ""
    if isinstance(value, dict | list):
        text = as_json(value)
    else:
        text = "yes" if value is True else "no" if value is False else str(as_plain(value))
    text = text[: most * 4]
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = _MENTION.sub(lambda found: found[0] + " ", " ".join(text.split()))
    return text if len(text) <= most else text[: most - 1] + "…"


def line(event: Event) -> str:
    """Return what happened, in one line of at most 240 characters."""
    said = _LINES.get(event.type, _anything)(event)
    return plain_text(said, MOST)


def by_template(template: str, event: Event) -> str:
    """Return a user's text with the event's fields put in, at most 1000 characters; what it does not hold is empty.

    Args:
        template: one that :func:`checked_template` let pass.
        event: whose fields.
    """
    parts = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(literal)
        if name is not None:
            parts.append(_field(event, name))
    return "".join(parts)[:1000]


def checked_template(key: str, kind: str, template: Any) -> str:
    """Take a template: text with ``{field}`` names.

    Args:
        key: the option, for messages.
        kind: the type of event.
        template: the text.

    Raises:
        BadConfig: no such type or field, or more than plain names in braces.
    """
    _check_kind(key, kind)
    if not isinstance(template, str) or not template.strip() or len(template) > 1000:
        msg = f"{key}: the template of {kind} is not text of at most 1000 characters"
        raise BadConfig(msg, key=key, value=kind)
    try:
        parts = list(Formatter().parse(template))
    except ValueError as problem:
        msg = f"{key}: the template of {kind} cannot be read ({problem}); write {{{{ and }}}} for braces"
        raise BadConfig(msg, key=key, value=kind) from None
    for _, name, form, conversion in parts:
        if name is not None:
            _check_field(key, kind, name, plain=not form and not conversion)
    return template


def _check_kind(key: str, kind: Any) -> None:
    if not isinstance(kind, str) or not kind:
        msg = f"{key}: {kind!r:.80} is not a type of event"
        raise BadConfig(msg, key=key, value=kind)
    near = difflib.get_close_matches(kind, OWN_TYPES | KEPT_TYPES, n=1, cutoff=0.85) if is_users(kind) else []
    if near:
        msg = f"{key}: there is no event {kind}; did you mean {near[0]}?"
        raise BadConfig(msg, key=key, value=kind)


def _check_field(key: str, kind: str, name: str, *, plain: bool) -> None:
    if not plain or not _NAME.fullmatch(name):
        msg = f"{key}: the template of {kind} may hold names in braces only, such as {{quantity}}; not {{{name:.40}…}}"
        raise BadConfig(msg, key=key, value=kind)
    known = _known_fields(kind)
    if known and name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
        msg = f"{key}: {kind} has no field {name}; {hint}"
        raise BadConfig(msg, key=key, value=kind)


def _known_fields(kind: str) -> list[str]:
    if kind not in _MORE:
        return []
    record, more = _MORE[kind]
    own = [] if record is None else [item.name for item in fields(record)]
    return list(dict.fromkeys([_LINE, *_ENVELOPE, *own, *more]))


def _field(event: Event, name: str) -> str:
    if name == _LINE:
        return line(event)
    if name in event.data:
        return plain_text(event.data[name])
    return plain_text(getattr(event, name)) if name in _ENVELOPE else ""


# ---- the lines ----


def _what(event: Event, name: str) -> str:
    return plain_text(event.data.get(name))


def _given(event: Event, name: str, before: str) -> str:
    """Return what stands under a name behind some words, or nothing where nothing does."""
    found = _what(event, name)
    return f"{before}{found}" if found else ""


def _where(event: Event) -> str:
    place = f" on {event.account}" if event.account else ""
    return f"{place} ({event.strategy})" if event.strategy else place


def _subject(event: Event) -> str:
    return f"{event.instrument}: " if event.instrument else ""


def _fill_of(event: Event) -> str:
    done = "bought" if event.data.get("side") == "buy" else "sold"
    fee = "" if event.data.get("fee") in (None, "0") else f", fee {_what(event, 'fee')}"
    currency = _given(event, "fee_currency", " ") if fee else ""
    return f"{done} {_what(event, 'quantity')} at {_what(event, 'price')}{_where(event)}{fee}{currency}"


def _trade(event: Event) -> str:
    return f"{_subject(event)}{_fill_of(event)}"


def _busted(event: Event) -> str:
    return f"{_subject(event)}fill taken back: {_fill_of(event)}{_given(event, 'reason', '; ')}"


def _corrected(event: Event) -> str:
    return f"{_subject(event)}fill corrected: {_fill_of(event)}{_given(event, 'reason', '; ')}"


def _conflicted(event: Event) -> str:
    first = _given(event, "first_sequence", ", first recorded as ")
    return f"{_subject(event)}conflict{_where(event)}: {_what(event, 'reason')}{first} ({_what(event, 'trade_id')})"


def _updated(event: Event) -> str:
    price = _given(event, "average_price", " at ")
    realized = _given(event, "realized_pnl", ", realized ")
    return f"{_subject(event)}position {_what(event, 'quantity')}{price}{_where(event)}{realized}"


def _closed(event: Event) -> str:
    trip = event.data.get("round_trip")
    if not isinstance(trip, dict):
        return f"{_subject(event)}position closed{_where(event)}{_given(event, 'realized_pnl', ', realized ')}"
    said = " ".join(plain_text(trip.get(name)) for name in ("direction", "quantity") if trip.get(name))
    reason = f", {plain_text(trip['close_reason'])}" if trip.get("close_reason") else ""
    prices = f" from {plain_text(trip.get('entry_price'))} to {plain_text(trip.get('exit_price'))}"
    return f"{_subject(event)}closed {said}{prices}{_where(event)}{reason}, net {plain_text(trip.get('net'))}"


def _restated(event: Event) -> str:
    return f"{_subject(event)}earlier figures changed{_where(event)}{_given(event, 'reason', ': ')}"


def _order(event: Event) -> str:
    parts = [_what(event, name) for name in ("side", "quantity", "kind")]
    said = " ".join(part for part in parts if part) or _what(event, "client_order_id")
    price = _given(event, "limit_price", " at ")
    return (
        f"{_subject(event)}order {_what(event, 'status')}: {said}{price}{_where(event)}{_given(event, 'reason', '; ')}"
    )


def _signal(event: Event) -> str:
    said = event.type.removeprefix("signal_")
    return (
        f"{_subject(event)}signal {said}{_given(event, 'action', ': ')}{_given(event, 'price', ' at ')}{_where(event)}"
    )


def _money(event: Event) -> str:
    kind = _what(event, "kind") or event.type.replace("_", " ")
    unit = _what(event, "currency") or _what(event, "asset")
    return f"{_subject(event)}{kind} {_what(event, 'amount')} {unit}{_where(event)}"


def _transfer(event: Event) -> str:
    origin, target = _what(event, "from_account") or "outside", _what(event, "to_account") or "outside"
    return f"transfer {_what(event, 'amount')} {_what(event, 'asset')} from {origin} to {target}"


def _trading_state(event: Event) -> str:
    return f"trading is {_what(event, 'state') or 'changed'}{_where(event)}{_given(event, 'reason', ': ')}"


def _daily_loss(event: Event) -> str:
    what = event.type.removesuffix("_breached")
    loss = _given(event, "drawdown" if what == "drawdown" else "loss", ": lost ")
    return f"{what.replace('_', ' ')} limit reached{_where(event)}{loss}{_given(event, 'limit', ', limit ')}"


def _stop(event: Event) -> str:
    kind = (_what(event, "kind") or "stop").replace("_", " ")
    price = f"{_given(event, 'mark', ' at ')}{_given(event, 'level', ', level ')}"
    return f"{_subject(event)}{kind} triggered{price}{_where(event)}"


def _silent(event: Event) -> str:
    return f"no sign of life from {event.strategy or 'a bot'}{_given(event, 'text', ': ')}"


def _break(event: Event) -> str:
    said = event.type.removeprefix("break_")
    return f"{_subject(event)}break {said}{_given(event, 'kind', ': ')}{_where(event)}{_given(event, 'reason', '; ')}"


def _alert(event: Event) -> str:
    kind = _what(event, "kind").replace("_", " ")
    over = "over: " if event.type == "alert_cleared" else ""
    return f"{over}{_subject(event)}{kind}{_given(event, 'text', ': ')}"


def _day(event: Event) -> str:
    return f"the day{_given(event, 'day', ' ')} ended{_given(event, 'text', ': ')}" + (
        "" if event.data.get("text") else _details(event, ": ", frozenset({"day"}))
    )


def _anything(event: Event) -> str:
    return f"{_subject(event)}{event.type.replace('_', ' ')}{_where(event)}{_details(event, ': ')}"


def _details(event: Event, before: str, skipped: frozenset[str] = frozenset()) -> str:
    said = ", ".join(
        f"{name.replace('_', ' ')} {plain_text(value, 40)}"
        for name, value in list(event.data.items())[:8]
        if name not in skipped and value not in (None, "", [], {})
    )
    return f"{before}{said}" if said else ""


_LINES: dict[str, Callable[[Event], str]] = {
    "alert_cleared": _alert,
    "alert_raised": _alert,
    "bot_silent": _silent,
    "break_found": _break,
    "break_resolved": _break,
    "cash_moved": _money,
    "daily_loss_breached": _daily_loss,
    "day_ended": _day,
    "drawdown_breached": _daily_loss,
    "funding_paid": _money,
    "order_updated": _order,
    "position_closed": _closed,
    "position_restated": _restated,
    "position_updated": _updated,
    "signal_closed": _signal,
    "signal_detected": _signal,
    "signal_executed": _signal,
    "signal_expired": _signal,
    "stop_triggered": _stop,
    "trade_busted": _busted,
    "trade_conflicted": _conflicted,
    "trade_corrected": _corrected,
    "trade_executed": _trade,
    "trading_state_changed": _trading_state,
    "transfer_recorded": _transfer,
}
