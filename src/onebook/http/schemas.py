"""The schemas of the document, made from the records themselves, so that they cannot say anything else."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from onebook import health
from onebook.domain import facts, lots, reports, statistics
from onebook.domain.decide.trading import STATES
from onebook.http.secrets import LONGEST
from onebook.http.wire import MAX_LIST
from onebook.trading.protection_steps import ProtectionStep
from onebook.trading.protections import Protection

Schema = dict[str, Any]

_LEG = ("", "long", "short")
CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("Fill", "side"): facts.SIDES,
    ("Fill", "leg"): _LEG,
    ("Fill", "liquidity"): ("", "maker", "taker"),
    ("Fill", "close_reason"): facts.CLOSE_REASONS,
    ("Order", "side"): facts.SIDES,
    ("Order", "kind"): facts.ORDER_KINDS,
    ("Order", "time_in_force"): ("DAY", "GTC", "IOC", "FOK", "GTD"),
    ("Order", "leg"): _LEG,
    ("Order", "close_reason"): facts.CLOSE_REASONS,
    ("OrderUpdate", "status"): facts.ORDER_STATUSES,
    ("Signal", "action"): facts.SIDES,
    ("SignalUpdate", "status"): facts.SIGNAL_STATUSES,
    ("CashMovement", "kind"): ("interest", "borrow_fee", "dividend", "tax", "fee", "rebate", "reward", "adjustment"),
    ("CashMovement", "leg"): _LEG,
    ("FundingPayment", "leg"): _LEG,
    ("CorporateAction", "kind"): ("split", "dividend", "symbol_change"),
    ("OpeningBalance", "leg"): _LEG,
    ("Settlement", "kind"): ("expiry", "exercise", "assignment", "delivery"),
    ("Reassign", "leg"): _LEG,
    ("Instrument", "kind"): ("", "spot", "equity", "fx", "future", "perpetual", "option"),
    ("Instrument", "option_kind"): ("", "call", "put"),
    ("Account", "mode"): ("netting", "hedging"),
    ("Account", "kind"): ("live", "paper"),
}
"""The values there are, of fields that have a few."""

DECIMAL: Schema = {
    "type": "string",
    "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
    "description": "An exact number in plain notation.",
    "examples": ["0.5"],
}
NUMBER: Schema = {
    "description": 'An exact number: text such as "0.5", or a JSON number taken as it is written.',
    "anyOf": [{"type": "string", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"}, {"type": "number"}],
}
TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "description": "RFC 3339, UTC, to the nanosecond.",
    "examples": ["2024-06-03T12:00:00Z"],
}
_PARTS = frozenset({"fill", "order", "signal"})

_TEXT: Schema = {"type": "string"}
_ANY_OBJECT: Schema = {"type": "object"}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}


def ref(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """Return a schema that null fits too."""
    return {"anyOf": [schema, {"type": "null"}]}


def an_object(properties: Mapping[str, Schema], *, optional: Iterable[str] = (), about: str = "") -> Schema:
    """Return the schema of an object that has these properties and no others."""
    left_out = set(optional)
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }
    return schema | ({"description": about} if about else {})


# ---- records as they are answered ----


def answered(kind: type[Any]) -> Schema:
    """Return the schema of a record as an answer has it."""
    return an_object(_answered(kind), about=_about(kind))


def _answered(kind: type[Any]) -> dict[str, Schema]:
    hints = get_type_hints(kind)
    found: dict[str, Schema] = {}
    for item in fields(kind):
        name = item.name
        if name in _PARTS and kind in _MERGED:
            found |= _answered(_MERGED[kind])
        elif name.endswith("_ns"):
            is_optional = NoneType in get_args(hints[name])
            found[f"{name[:-3]}_at"] = nullable(ref("Time")) if is_optional else ref("Time")
        else:
            found[name] = _typed(hints[name], (kind.__name__, name))
    return found


_MERGED: Mapping[type[Any], type[Any]] = {
    reports.RecordedFill: facts.Fill,
    reports.OrderState: facts.Order,
    reports.SignalState: facts.Signal,
}


def _typed(hint: Any, place: tuple[str, str]) -> Schema:
    """Return the schema of a type, in answers."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        others = [_typed(part, place) for part in parts if part is not NoneType]
        one = others[0] if len(others) == 1 else {"anyOf": others}
        return nullable(one) if NoneType in parts else one
    if origin is list:
        return {"type": "array", "items": _typed(parts[0], place)}
    if origin is tuple:
        if len(parts) == 2 and parts[1] is Ellipsis:
            return {"type": "array", "items": _typed(parts[0], place)}
        return {"type": "array", "prefixItems": [_typed(part, place) for part in parts], "minItems": len(parts)}
    if hint is str and place in CHOICES:
        return {"type": "string", "enum": list(CHOICES[place])}
    for kind, schema in _SIMPLE.items():
        if hint is kind:
            return schema()
    if is_dataclass(hint):
        record: Any = hint
        return ref(_NAMES.get(record, record.__name__))
    return _ANY_OBJECT if origin is dict or hint is dict else {}


_SIMPLE: Mapping[Any, Callable[[], Schema]] = {
    str: lambda: dict(_TEXT),
    bool: lambda: {"type": "boolean"},
    int: lambda: {"type": "integer"},
    float: lambda: {"type": "number"},
    Decimal: lambda: ref("Decimal"),
    datetime: lambda: ref("Time"),
    date: lambda: {"type": "string", "format": "date"},
    Exception: lambda: ref("Refused"),
}


def _about(kind: type[Any]) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


# ---- records as they are handed in ----


def stated(kind: type[Any]) -> Schema:
    """Return the schema of a fact as a request states it."""
    hints = get_type_hints(kind)
    properties, optional = {}, []
    for item in fields(kind):
        if item.default is not MISSING or item.default_factory is not MISSING:
            optional.append(item.name)
        properties[item.name] = _taken(hints[item.name], (kind.__name__, item.name))
    return an_object(properties, optional=optional, about=_about(kind))


def _taken(hint: Any, place: tuple[str, str]) -> Schema:
    parts = [part for part in get_args(hint) if part is not NoneType]
    if get_origin(hint) in {Union, UnionType}:
        return nullable(_taken(parts[0], place))
    if get_origin(hint) is tuple:
        return {"anyOf": [_TEXTS, _TEXT], "description": "A list of names, or one text with commas."}
    if hint is Decimal:
        return ref("Number")
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if hint is int and place[1] == "occurred_ns":
        return {"type": "integer", "minimum": 0, "description": "Nanoseconds since 1970 UTC, in place of occurred_at."}
    return _typed(hint, place)


# ---- the rest, by hand ----

_RECORDS: tuple[type[Any], ...] = (
    reports.Position,
    reports.RecordedFill,
    reports.OrderState,
    reports.SignalState,
    reports.RoundTrip,
    reports.Balance,
    reports.Equity,
    reports.EquityPoint,
    reports.Pnl,
    reports.DailyPnl,
    reports.Explanation,
    reports.Mark,
    reports.Break,
    reports.Event,
    reports.SubscriberState,
    reports.DeadLetterState,
    reports.Status,
    reports.Problem,
    reports.Verification,
    reports.Lots,
    reports.BatchReport,
    reports.Refusal,
    statistics.Statistics,
    statistics.StatisticsGroup,
    statistics.Distribution,
    statistics.Drawdown,
    health.Health,
    health.Bot,
    health.HeldMark,
    Protection,
    ProtectionStep,
    lots.Lot,
    lots.ClosedLot,
    facts.Order,
)
_NAMES: Mapping[type[Any], str] = {reports.Problem: "Finding", facts.Order: "OrderAsSent"}
_KINDS = tuple(kind for name, kind in facts.FACTS.items() if name not in {"token", "hook"})
_LISTED = frozenset(_KINDS) - {facts.Fill, facts.Order, facts.Signal}


def _by_hand() -> dict[str, Schema]:
    text, texts, flag, whole = _TEXT, _TEXTS, {"type": "boolean"}, {"type": "integer"}
    scope = {"account": text, "strategy": text}
    answer = {
        "approved": flag, "quantity": ref("Decimal"), "reason": text, "text": text, "figures": _ANY_OBJECT,
        "order": ref("OrderAsSent"), "sequence": whole,
    }  # fmt: skip
    mark = {"instrument": text, "price": ref("Number"), "at": nullable({"type": "string", "format": "date-time"})}
    exit_ = dict.fromkeys(("account", "instrument", "strategy", "side", "client_order_id", "answer", "why"), text)
    value = {
        "path": text, "value": {}, "version": whole, "updated_at": nullable(ref("Time")), "actor": text,
        "sequence": nullable(whole), "source": text,
    }  # fmt: skip
    order, terms = {"client_order_id": text, "account": text}, ("quantity", "limit_price", "stop_price")
    leg = {**scope, "leg": {"type": "string", "enum": list(_LEG)}}
    levels = ("stop_loss", "take_profit", "trail_amount", "trail_ratio", "activates_at")
    act = {"type": "string", "enum": ["notify", "order"]}
    net = {"currency": text, "net": ref("Decimal")}
    point = {"at": ref("Time"), "price": ref("Decimal")}
    stretch = {"at": ref("Time"), **dict.fromkeys(("open", "high", "low", "close"), ref("Decimal"))}
    return {
        "Decimal": DECIMAL,
        "Number": NUMBER,
        "Time": TIME,
        "Anything": {"description": "Any JSON value."},
        "Refused": an_object({"code": text, "message": text}, about="Why one of many was not taken."),
        "Receipt": an_object(
            {
                "status": {"type": "string", "enum": ["recorded", "exists", "conflict"]}, "sequence": whole,
                "identity": text, "position": nullable(ref("Position")), "events": _list("Event"),
            },
            about="What became of a fact; the sequence is the entry's, or the first report's.",
        ),
        "ReceiptOrReport": {"anyOf": [ref("Receipt"), ref("BatchReport")]},
        "Answer": an_object(answer, optional=("reason", "text", "figures"), about="What the order gate says."),
        "AnswerOrAnswers": {"anyOf": [ref("Answer"), _list("Answer")]},
        "JournalEntry": an_object({"round_trip": ref("RoundTrip"), "signal": nullable(ref("SignalState"))}),
        "Exit": an_object(exit_ | {"quantity": ref("Decimal")}, about="What became of one exit."),
        "Switch": an_object({"reason": text, **scope}, optional=scope, about="Why, and for whom; empty is all."),
        "TradingState": an_object({"state": {"type": "string", "enum": list(STATES)}, **scope}),
        "Switched": an_object({"state": text, **scope, "reason": text, "sequence": nullable(whole)}),
        "Flatten": an_object({"reason": text, **scope, "instrument": text}, optional=(*scope, "instrument")),
        "Cancel": an_object({**order, "reason": text}, optional=("account", "reason")),
        "Replace": an_object(
            {**order, **dict.fromkeys(terms, ref("Number"))}, optional=("account", *terms),
            about="Other terms of an order; what is left out stays.",
        ),
        "Protect": an_object(
            {"instrument": text, **leg, **dict.fromkeys(levels, ref("Number")), "act": act},
            optional=(*leg, *levels, "act"),
            about="A stop, a target or a trail, each a price or a distance > 0; trail_ratio is between 0 and 1.",
        ),
        "Unprotect": an_object({"instrument": text, **leg, "reason": text}, optional=(*leg, "reason")),
        "Unprotected": an_object({"instrument": text, **leg, "reason": text}),
        "Bust": an_object({"which": {"anyOf": [text, whole]}, "reason": text}),
        "Correction": an_object({"which": {"anyOf": [text, whole]}, "reason": text, "changes": _ANY_OBJECT}),
        "Note": an_object({"notes": text, "tags": texts}, optional=("notes", "tags")),
        "Reason": an_object({"reason": text}),
        "NewMark": an_object({**mark, "source": text}, optional=("at", "source")),
        "MarkOrReport": {"anyOf": [an_object({**mark, "source": text}), ref("BatchReport")]},
        "Heartbeat": an_object({"strategy": text, "every_seconds": ref("Number")}, optional=("strategy",)),
        "NewStateValue": an_object({"value": {}, "source": text}, optional=("source",)),
        "StateValue": an_object(value, optional=("updated_at", "actor", "sequence", "source")),
        "PriceHistory": an_object(
            {
                "items": _items({"anyOf": [an_object(point), an_object(stretch)]}), "next_after": nullable(text),
                "source": {"type": "string", "enum": ["marks", "bars"]},
            },
            about="Prices, oldest first: one by one, or first, highest, lowest and last of each stretch of time.",
        ),
        "HeldPosition": an_object(
            {**_answered(reports.Position), "exposure": nullable(ref("Decimal"))},
            about="A position and what it is worth at its mark, signed, in the book's base currency.",
        ),
        "Overview": an_object(
            {
                "book": text, "sequence": whole, "at": ref("Time"), "day": text, "settings": ref("BookSettingsAsKept"),
                "accounts": _list("AccountAsKept"), "instruments": _list("InstrumentAsKept"),
                "positions": _list("HeldPosition"),
                "marks": _list("Mark"), "equity": ref("Equity"),
                "exposure": an_object({
                    "currency": text, **dict.fromkeys(("long", "short", "net", "gross"), ref("Decimal")),
                    "by_instrument": _items(an_object({"instrument": text, "amount": ref("Decimal")})),
                    "unvalued": _items(text),
                }),
                "pnl_today": an_object(
                    {"total": _items(an_object(net)), "by_strategy": _items(an_object({"strategy": text, **net}))}
                ),
                "orders": _list("OrderState"), "protections": _list("Protection"),
                "limits": _items(an_object({"limits": ref("LimitsAsKept"), "used": _ANY_OBJECT})),
                "trading_state": an_object(
                    {"state": text, "scopes": _items(an_object({**scope, "state": text}))}
                ),
                "last_events": _list("Event"),
                "bots": _items(an_object({
                    "strategy": text, "every_seconds": {"type": "number"}, "last_at": ref("Time"), "is_silent": flag,
                })),
                "status": nullable(ref("Status")), "breaks": _list("Break"),
            },
            about="Everything that a dashboard needs at first.",
        ),
        "ProblemDetails": _problem(),
        **_of_the_service(),
    }  # fmt: skip


def _of_the_service() -> dict[str, Schema]:
    """Return the schemas of addresses that tell of the service itself, and of alerts."""
    text, flag, whole = _TEXT, {"type": "boolean"}, {"type": "integer"}
    count = nullable(whole)
    return {
        "Login": an_object({"token": {**text, "minLength": 1, "maxLength": LONGEST}}),
        "Session": an_object(dict.fromkeys(("name", "role", "strategy", "how", "csrf"), text), about="Who is there."),
        "Live": an_object({"status": {"const": "live"}}),
        "Readiness": an_object(
            {
                "ready": flag, "role": {"type": "string", "enum": ["leader", "follower"]}, "writable": flag,
                "migrated": flag, "head": count, "lag": count, "problems": _TEXTS,
            },
            about="Whether the service may be sent work: problems say why not. Lag is in entries of the log.",
        ),
        "Subscriber": an_object({"name": text}),
        "DeadLetters": an_object(
            {"name": text, "event_id": text}, optional=("event_id",),
            about="Those of a subscriber: one by its event id, or all when it is left out.",
        ),
        "SubscriberReset": an_object(
            {"name": text, "to": text}, about="To go on behind: now, beginning, a sequence or an event id."
        ),
        "SubscriberDeed": an_object(
            {
                "name": text, "skipped": flag, "removed": flag, "checkpoint": text, "retried": whole, "dropped": whole,
            },
            optional=("skipped", "removed", "checkpoint", "retried", "dropped"),
            about="What was done; retried and dropped count dead letters.",
        ),
        "AlertTaken": {"anyOf": [ref("Receipt"), an_object({"status": {"const": "ignored"}})]},
    }  # fmt: skip


def _problem() -> Schema:
    text = dict(_TEXT)
    return {
        "type": "object",
        "description": "RFC 9457: what went wrong, what to do, whether trying again helps, what was at fault.",
        "properties": {
            "type": text, "title": text, "status": {"type": "integer"}, "detail": text, "code": text,
            "retryable": {"type": "boolean"}, "details": _ANY_OBJECT,
        },
        "required": ["type", "title", "status", "detail", "code", "retryable"],
    }  # fmt: skip


def _list(name: str) -> Schema:
    return _items(ref(name))


def _items(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def all_schemas(paged: Iterable[str]) -> dict[str, Schema]:
    """Return every schema by its name: facts as they are stated, ``…AsKept`` as they are answered, and the rest.

    Args:
        paged: the names of pages that are answered with.
    """
    found = {_NAMES.get(kind, kind.__name__): answered(kind) for kind in _RECORDS}
    found |= {kind.__name__: stated(kind) for kind in _KINDS}
    found |= {f"{kind.__name__}AsKept": answered(kind) for kind in _LISTED}
    found |= _by_hand()
    kept = {f"{kind.__name__}Page": f"{kind.__name__}AsKept" for kind in _LISTED}
    for name in paged:
        rows = _list(kept.get(name, name.removesuffix("Page")))
        found[name] = an_object({"items": rows, "next_after": nullable(_TEXT)})
    return dict(sorted(found.items()))


def body_schema(name: str) -> Schema:
    """Return the schema of a request's body: facts and orders may come one by one or as a list."""
    several = {kind.__name__ for kind in _KINDS} | {"NewMark"}
    if name not in several:
        return ref(name)
    return {"anyOf": [ref(name), {"type": "array", "items": ref(name), "minItems": 1, "maxItems": MAX_LIST}]}
