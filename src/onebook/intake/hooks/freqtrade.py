"""freqtrade's webhooks: ``entry`` and ``exit`` are signals, ``entry_fill`` and ``exit_fill`` are fills.

freqtrade fills its own templates, so each carries its ``type``, and numbers come as the shortest text of a float. What
it does not say stays unsaid: fees, and the exchange's own ids. The mixin of ``onebook.freqtrade`` knows them.

Source: freqtrade's documentation of webhooks, and the fields of its messages.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from onebook.domain import facts
from onebook.domain.facts import Hook
from onebook.domain.numbers import CONTEXT, ONE, canonical, quotient
from onebook.errors import InputError
from onebook.intake.adapters.freqtrade_reading import CLOSE_REASONS
from onebook.intake.hooks.custom import made, own_only
from onebook.intake.hooks.messages import content_id, given_id, moment, stated

_ENTRY = ("trade_id", "pair", "direction", "open_rate", "amount", "open_date", "stake_amount", "enter_tag", "sub_trade")
_EXIT = ("trade_id", "pair", "direction", "limit", "amount", "close_date", "exit_reason", "cumulative_profit")
_EXIT_FILL = tuple("close_rate" if name == "limit" else name for name in _EXIT)
TEMPLATES = {"entry": _ENTRY, "entry_fill": _ENTRY, "exit": _EXIT, "exit_fill": _EXIT_FILL}
"""Type of message -> freqtrade's names in it."""

IGNORED = ("entry_cancel", "exit_cancel", "status", "warning", "exception", "startup", "strategy_msg", "whitelist",
           "protection_trigger", "protection_trigger_global", "analyzed_df", "new_candle")  # fmt: skip
"""Types that say nothing that a book keeps."""

_SIDES = {("entry", "long"): "buy", ("entry", "short"): "sell", ("exit", "long"): "sell", ("exit", "short"): "buy"}


def message() -> str:
    """Return the section of freqtrade's configuration, without its address."""
    parts: dict[str, Any] = {"enabled": True, "url": "the address above", "format": "json", "retries": 3}
    for kind, names in TEMPLATES.items():
        parts[kind] = {"type": kind} | {name: f"{{{name}}}" for name in names}
    return json.dumps({"webhook": parts}, indent=2)


def facts_from(message: dict[str, Any], hook: Hook, at: int) -> tuple[facts.AnyFact, ...]:
    """Return the fact of a message; none for one that says nothing that a book keeps.

    Args:
        message: what was sent, by name.
        hook: which came by.
        at: the book's clock, in nanoseconds since 1970 UTC.

    Raises:
        InputError: a field is missing or malformed.
        NotAllowed: it speaks of another strategy or account than the hook.
    """
    own_only(message, hook)
    kind = str(stated("type", message.get("type")) or "").lower()
    if kind in IGNORED:
        return ()
    if kind not in TEMPLATES:
        msg = f"type: {kind[:60]!r} is none of {', '.join(TEMPLATES)}; take the templates of onebook hook create"
        raise InputError(msg, field="type", value=kind)
    way, _, filled = kind.partition("_")
    direction = str(stated("direction", message.get("direction")) or "").lower()
    side = _SIDES.get((way, direction))
    if side is None:
        msg = f"direction: {direction[:60]!r} is neither Long nor Short; send {{direction}}"
        raise InputError(msg, field="direction", value=direction)
    given: dict[str, Any] = {"instrument": stated("pair", message.get("pair")), "action": side}
    given["price"] = _price(message, way)
    occurred = _moment(message, way, at)
    if occurred is not None:
        given["occurred_ns"] = occurred
    if filled:
        return (_fill(message, hook, way, given),)
    return (_signal(message, hook, way, given),)


def _fill(message: dict[str, Any], hook: Hook, way: str, given: dict[str, Any]) -> facts.AnyFact:
    given["quantity"] = _exact("amount", message.get("amount"))
    if way == "entry" and not _is_part(message):
        given["signal_id"] = _trade(message, hook)
    elif way == "exit":
        said = str(stated("exit_reason", message.get("exit_reason")) or "")
        given["close_reason"] = CLOSE_REASONS.get(said, "signal")
    return made("fill", hook, message, content_id(hook.name, message), given)


def _signal(message: dict[str, Any], hook: Hook, way: str, given: dict[str, Any]) -> facts.AnyFact:
    tag = stated("tag", message.get("enter_tag" if way == "entry" else "exit_reason"))
    if tag is not None:
        given["confluences"] = (str(tag),)
    trade = _trade(message, hook) if way == "entry" and not _is_part(message) else ""
    return made("signal", hook, message, trade or content_id(hook.name, message), given)


def _is_part(message: Mapping[str, Any]) -> bool:
    """Say whether it adds to a trade that is open, or takes some of it off."""
    return str(message.get("sub_trade", "")).strip().lower() == "true"


def _trade(message: Mapping[str, Any], hook: Hook) -> str:
    """Return the id of the signal that opened a trade; empty where the message does not say which trade."""
    number, at = stated("trade_id", message.get("trade_id")), stated("open_date", message.get("open_date"))
    return "" if number is None or at is None else given_id(hook.name, f"{number}|{message.get('pair')}|{at}")


def _price(message: Mapping[str, Any], way: str) -> Decimal | None:
    names = ("open_rate", "limit") if way == "entry" else ("close_rate", "order_rate", "limit")
    for name in names:
        value = _exact(name, message.get(name))
        if value is not None:
            return value
    return None


def _moment(message: Mapping[str, Any], way: str, at: int) -> int | None:
    """Return when it happened; None where freqtrade does not say: a later part has the date of its trade.

    Raises:
        InputError: there is no date, so that a repeat cannot be told from a new message.
    """
    name = "open_date" if way == "entry" else "close_date"
    said = stated(name, message.get(name))
    if said is None:
        msg = f"{name}: is missing; send {{{name}}}, so that a repeat is told from a new message"
        raise InputError(msg, field=name)
    found = moment(name, said, at, is_utc=True)
    return None if way == "entry" and _is_part(message) else found


def _exact(name: str, value: Any) -> Decimal | None:
    """Return the shortest decimal of a float, rounded at 18 places; None where nothing is said.

    Raises:
        InputError: it is no number.
    """
    said = stated(name, value)
    if said is None:
        return None
    try:
        found = CONTEXT.create_decimal(str(said))
        return canonical(quotient(found, ONE))
    except (InvalidOperation, ArithmeticError):
        msg = f"{name}: {str(said)[:60]!r} is not a number; send {{{name}}} alone"
        raise InputError(msg, field=name, value=said) from None
