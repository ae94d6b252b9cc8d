"""Who may do what: one table, and the rule for a bot's own strategy.

A request whose route is not in the table is refused. ``bot`` stands beside the others: it reads everything and
records for its own strategy.
"""

import re
from collections.abc import Mapping
from typing import Any

from onebook.errors import NotAllowed
from onebook.http.auth import Caller

ANYONE = "anyone"
"""Stands in the table for a request that does not say who sends it."""

READERS = frozenset({"viewer", "accountant", "operator", "bot"})
_ALL = READERS | {ANYONE}
_KEEPERS = frozenset({"accountant", "operator"})
_RECORDERS = frozenset({"accountant", "operator", "bot"})
_TRADERS = frozenset({"operator", "bot"})
_OPERATORS = frozenset({"operator"})

MATRIX: tuple[tuple[str, str, frozenset[str]], ...] = (
    # pages, and what they are made of: no figure is in them
    ("GET", "/", _ALL),
    ("GET", "/assets/{path}", _ALL),
    ("GET", "/icons/{path}", _ALL),
    ("GET", "/favicon.ico", _ALL),
    ("GET", "/manifest.webmanifest", _ALL),
    ("GET", "/sw.js", _ALL),
    ("GET", "/openapi.json", READERS),
    ("GET", "/docs", READERS),
    ("GET", "/docs/{path}", READERS),
    # who is there
    ("GET", "/login", _ALL),  # a link for a phone: its code works once
    ("POST", "/login", _ALL),
    ("POST", "/logout", _ALL),
    ("GET", "/v1/session", READERS),
    # for whoever watches the service
    ("GET", "/health/live", _ALL),
    ("GET", "/health/ready", _ALL),
    ("GET", "/health", READERS),
    ("GET", "/metrics", READERS),
    # reading
    ("GET", "/v1/{path}", READERS),
    ("WS", "/v1/ws", _ALL),  # its first message may bring the token
    # facts
    ("POST", "/v1/fills", _RECORDERS),
    ("POST", "/v1/fills/bust", _KEEPERS),
    ("POST", "/v1/fills/correct", _KEEPERS),
    ("POST", "/v1/orders", _TRADERS),
    ("POST", "/v1/order-updates", _TRADERS),
    ("POST", "/v1/signals", _TRADERS),
    ("POST", "/v1/signal-updates", _TRADERS),
    ("POST", "/v1/transfers", _KEEPERS),
    ("POST", "/v1/cash-movements", _RECORDERS),
    ("POST", "/v1/funding", _RECORDERS),
    ("POST", "/v1/corporate-actions", _KEEPERS),
    ("POST", "/v1/opening-balances", _KEEPERS),
    ("POST", "/v1/settlements", _KEEPERS),
    ("POST", "/v1/reassign", _KEEPERS),
    ("POST", "/v1/instruments", _OPERATORS),
    ("POST", "/v1/accounts", _OPERATORS),
    ("POST", "/v1/settings", _OPERATORS),
    ("POST", "/v1/limits", _OPERATORS),
    ("POST", "/v1/rates", _KEEPERS),
    ("POST", "/v1/marks", _RECORDERS),
    ("POST", "/v1/heartbeats", _TRADERS),
    ("PATCH", "/v1/round-trips/{id}", _KEEPERS),
    ("POST", "/v1/breaks/{id}/resolve", _KEEPERS),
    # who follows the log
    ("POST", "/v1/subscribers/skip", _OPERATORS),
    ("POST", "/v1/subscribers/retry", _OPERATORS),
    ("POST", "/v1/subscribers/drop", _OPERATORS),
    ("POST", "/v1/subscribers/reset", _OPERATORS),
    ("POST", "/v1/subscribers/remove", _OPERATORS),
    # state and trading
    ("PUT", "/v1/state/{path}", _OPERATORS),
    ("DELETE", "/v1/state/{path}", _OPERATORS),
    ("POST", "/v1/trading/may", _TRADERS),
    ("POST", "/v1/trading/place", _TRADERS),
    ("POST", "/v1/trading/cancel", _TRADERS),
    ("POST", "/v1/trading/replace", _TRADERS),
    ("POST", "/v1/trading/protect", _TRADERS),
    ("POST", "/v1/trading/unprotect", _TRADERS),
    ("POST", "/v1/trading/halt", _OPERATORS),
    ("POST", "/v1/trading/reduce", _OPERATORS),
    ("POST", "/v1/trading/resume", _OPERATORS),
    ("POST", "/v1/trading/flatten", _OPERATORS),
    # alerts: the address itself is the secret
    ("POST", "/v1/hooks/{name}/{secret}", _ALL),
)
"""(method, path, who may). ``{path}`` stands for the rest of a path, any other name in braces for one part of it."""

RECORDS: Mapping[str, frozenset[str]] = {
    "fill": _RECORDERS,
    "order": _TRADERS,
    "order_update": _TRADERS,
    "signal": _TRADERS,
    "signal_update": _TRADERS,
    "transfer": _KEEPERS,
    "cash_movement": _RECORDERS,
    "funding": _RECORDERS,
    "corporate_action": _KEEPERS,
    "opening_balance": _KEEPERS,
    "settlement": _KEEPERS,
    "reassign": _KEEPERS,
    "rate": _KEEPERS,
    "instrument": _OPERATORS,
    "account": _OPERATORS,
    "settings": _OPERATORS,
    "limits": _OPERATORS,
    "mark": _RECORDERS,
}
"""Kind of fact -> who may record it; tokens and hooks are made on the machine of the book only."""


def _pattern(template: str) -> re.Pattern[str]:
    parts = [
        ".+" if part == "{path}" else "[^/]+" if part.startswith("{") else re.escape(part)
        for part in re.split(r"(\{\w+\})", template)
    ]
    return re.compile("".join(parts), re.DOTALL)


_PLAIN = {(method, path): roles for method, path, roles in MATRIX if "{" not in path}
_PATTERNS = tuple((method, _pattern(path), roles) for method, path, roles in MATRIX if "{" in path)


def allowed(method: str, path: str) -> frozenset[str] | None:
    """Return who may ask for this; None when it is not in the table.

    Args:
        method: of HTTP; ``WS`` for a socket. HEAD and OPTIONS count as GET.
        path: without the query, decoded.
    """
    asked = "GET" if method in {"HEAD", "OPTIONS"} else method
    found = _PLAIN.get((asked, path))
    if found is not None:
        return found
    for wanted, pattern, roles in _PATTERNS:
        if wanted == asked and pattern.fullmatch(path) is not None:
            return roles
    return None


def check_record(caller: Caller, kind: str) -> None:
    """Refuse a kind of fact that a caller may not record.

    Args:
        caller: who records.
        kind: the fact's name, as ``onebook record`` has it with underscores; ``mark`` for a price.

    Raises:
        NotAllowed: the role may not.
    """
    roles = RECORDS.get(kind, frozenset())
    if caller.role not in roles:
        raise refusal(caller, f"record a {kind.replace('_', ' ')}", roles)


def own_strategy(caller: Caller, given: str | None) -> str | None:
    """Return the strategy under which a caller records: as given, and a bot's own where it names none.

    Args:
        caller: who records.
        given: by the request; None and empty say nothing.

    Raises:
        NotAllowed: a bot names another.
    """
    if caller.role != "bot":
        return given
    if given and given != caller.strategy:
        msg = f"the token {caller.name} records for the strategy {caller.strategy} only, not for {given:.60}"
        raise NotAllowed(msg, strategy=given)
    return caller.strategy


def refusal(caller: Caller, what: str, roles: frozenset[str]) -> NotAllowed:
    """Return the error for what a role may not do.

    Args:
        caller: who asked.
        what: a verb and its object: ``halt trading``.
        roles: who may.
    """
    who = ", ".join(name for name in ("viewer", "accountant", "operator", "bot") if name in roles) or "nobody here"
    told = "a loopback caller without a token" if caller.how == "loopback" else caller.name
    msg = f"{told} has the role {caller.role} and may not {what}; it takes the role {who}"
    details: dict[str, Any] = {"role": caller.role, "needed": sorted(roles)}
    return NotAllowed(msg, **details)
