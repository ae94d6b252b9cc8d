"""Addresses that record: one fact or a list of them, corrections, notes, marks, signs of life."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onebook.domain import fields
from onebook.domain.facts import FACTS
from onebook.domain.reports import BatchReport, Refusal
from onebook.errors import InputError, NotAllowed
from onebook.http import wire
from onebook.http.calls import Call, Endpoint, Parameter, Reply, Run, RunAsync
from onebook.http.owning import check_named, with_own_strategy
from onebook.http.roles import own_strategy

KINDS = {
    "fills": "fill",
    "orders": "order",
    "order-updates": "order_update",
    "signals": "signal",
    "signal-updates": "signal_update",
    "transfers": "transfer",
    "cash-movements": "cash_movement",
    "funding": "funding",
    "corporate-actions": "corporate_action",
    "opening-balances": "opening_balance",
    "settlements": "settlement",
    "reassign": "reassign",
    "rates": "rate",
    "instruments": "instrument",
    "accounts": "account",
    "settings": "settings",
    "limits": "limits",
}
"""Address -> kind of fact."""

CLIENT_IDS = {
    "fill": "client_fill_id",
    "order": "client_order_id",
    "signal": "signal_id",
    "transfer": "transfer_id",
    "cash_movement": "movement_id",
    "funding": "funding_id",
    "corporate_action": "action_id",
    "opening_balance": "balance_id",
    "settlement": "settlement_id",
    "reassign": "reassign_id",
}
"""The field of each kind that an Idempotency-Key fills when it is left out."""

KEY = Parameter(
    name="Idempotency-Key",
    where="header",
    about="Used as the fact's own id where none is given, so that a repeat is known.",
)
STATUSES = {"recorded": 201, "exists": 200, "conflict": 409}


@contextmanager
def acting(call: Call) -> Iterator[None]:
    """Record under the caller's name."""
    if call.caller is None or not call.caller.name:
        yield
        return
    with call.book.acting(call.caller.name):
        yield


def receipt(found: Any) -> dict[str, Any]:
    """Return a receipt as JSON data: as the command line has it, and the events of the entry."""
    names = ("status", "sequence", "identity", "position", "events")
    return {name: getattr(found, name) for name in names}


# ---- facts ----


def fact(call: Call, kind: str, stated: Any, number: int | None = None) -> Any:
    """Return the fact that a caller states.

    Args:
        call: with the caller, and an Idempotency-Key.
        kind: of the fact.
        stated: its fields.
        number: its place in a list; None for a single one.

    Raises:
        InputError: it is malformed.
        NotAllowed: a bot states a fact of another strategy, or names an order or signal that is not its own.
    """
    given = with_own_strategy(call, kind, wire.an_object(stated, f"a {kind}"))
    key, name = call.given.get("Idempotency-Key"), CLIENT_IDS.get(kind)
    if key and name and not given.get(name) and not given.get("venue_fill_id"):
        given = given | {name: key if number is None else f"{key}/{number}"}
    found = wire.fact_of(kind, given)
    check_named(call, kind, found)
    return found


def recorder(kind: str) -> RunAsync:
    """Return what records facts of a kind."""

    async def record(call: Call) -> Reply:
        if isinstance(call.body, list):
            from anyio import to_thread

            return await to_thread.run_sync(_many, call, kind)
        if call.caller is not None and call.caller.role == "bot":
            from anyio import to_thread

            single = await to_thread.run_sync(fact, call, kind, call.body)
        else:
            single = fact(call, kind, call.body)
        with acting(call):
            found = await call.book.aio.record(single)
        return wire.reply(receipt(found), STATUSES[found.status])

    return record


def _many(call: Call, kind: str) -> Reply:
    """Record a list; bad ones are refused alone."""
    stated = call.body
    wire.some(stated, "facts")
    facts, places, refused = [], [], []
    for index, item in enumerate(stated):
        try:
            facts.append(fact(call, kind, item, index))
            places.append(index)
        except (InputError, NotAllowed) as problem:
            refused.append(Refusal(index=index, error=problem))
    with acting(call):
        report = call.book.record_many(facts)
    refused += [Refusal(index=places[item.index], error=item.error) for item in report.refused]
    return wire.reply(
        BatchReport(
            recorded=report.recorded,
            exists=report.exists,
            conflicts=report.conflicts,
            refused=tuple(sorted(refused, key=lambda item: item.index)),
            first_sequence=report.first_sequence,
            last_sequence=report.last_sequence,
        )
    )


# ---- what was wrong ----


def _which(value: Any) -> int | str:
    """Take what names a fill: a sequence, an event id or an identity."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value:
        return int(value) if value.isdecimal() and len(value) <= 18 else value
    msg = f"which: {value!r:.60} is neither a sequence, an event id such as 57.2, nor an identity"
    raise InputError(msg, field="which", value=value)


def _bust(call: Call) -> Reply:
    given = wire.only(wire.an_object(call.body, "a bust"), "a bust", which=True, reason=True)
    with acting(call):
        found = call.book.bust(_which(given["which"]), reason=given["reason"])
    return wire.reply(receipt(found), STATUSES[found.status])


def _correct(call: Call) -> Reply:
    given = wire.only(wire.an_object(call.body, "a correction"), "a correction", which=True, reason=True, changes=True)
    changes = wire.an_object(given["changes"], "changes")
    known = FACTS["fill"].__dataclass_fields__
    for name in changes:
        if name not in known:
            from onebook.intake.mapping import unknown_field

            raise unknown_field("fill", name)
    with acting(call):
        found = call.book.correct(_which(given["which"]), reason=given["reason"], **changes)
    return wire.reply(receipt(found), STATUSES[found.status])


def _annotate(call: Call) -> Reply:
    given = wire.only(wire.an_object(call.body, "a note"), "a note", notes=False, tags=False)
    if not given:
        msg = "body: neither notes nor tags; give what is to change"
        raise InputError(msg, field="notes")
    with acting(call):
        found = call.book.annotate(call.given["id"], **given)
    return wire.reply(receipt(found), STATUSES[found.status])


def _resolve(call: Call) -> Reply:
    given = wire.only(wire.an_object(call.body, "a settlement of a break"), "it", reason=True)
    with acting(call):
        return wire.reply(call.book.resolve_break(call.given["id"], reason=given["reason"]))


# ---- beside the log ----


def _mark(call: Call, stated: Any) -> dict[str, Any]:
    given = wire.only(
        wire.an_object(stated, "a mark"), "a mark", instrument=True, price=True, at=False, source=False
    )  # fmt: skip
    at = given.get("at")
    if at is not None and not isinstance(at, str):
        msg = f"at: {at!r:.60} is not a time; write it as 2026-01-31T09:30:00Z"
        raise InputError(msg, field="at", value=at)
    source = given.get("source", "")
    if not isinstance(source, str):
        msg = f"source: {source!r:.60} is not text"
        raise InputError(msg, field="source", value=source)
    call.book.mark(given["instrument"], given["price"], at=at, source=source)
    return {"instrument": given["instrument"], "price": given["price"], "at": at, "source": source}


def _marks(call: Call) -> Reply:
    if not isinstance(call.body, list):
        return wire.reply(_mark(call, call.body))
    wire.some(call.body, "marks")
    refused = []
    for index, item in enumerate(call.body):
        try:
            _mark(call, item)
        except InputError as problem:
            refused.append(Refusal(index=index, error=problem))
    taken = len(call.body) - len(refused)
    report = BatchReport(
        recorded=taken, exists=0, conflicts=0, refused=tuple(refused), first_sequence=None, last_sequence=None
    )
    return wire.reply(report)


def _beat(call: Call) -> Reply:
    given = wire.only(wire.an_object(call.body, "a heartbeat"), "a heartbeat", strategy=False, every_seconds=True)
    strategy = fields.text("strategy", given.get("strategy", ""))
    if call.caller is not None:
        strategy = own_strategy(call.caller, strategy) or ""
    call.book.heartbeat(strategy, given["every_seconds"])
    return wire.reply({"strategy": strategy, "every_seconds": given["every_seconds"]})


def _posting(path: str, kind: str) -> Endpoint:
    about = f"Record a {kind.replace('_', ' ')}, or a list of them; answered when it is durable."
    parameters = (KEY,) if kind in CLIENT_IDS else ()
    schema = FACTS[kind].__name__
    return Endpoint(
        method="POST", path=f"/v1/{path}", name=f"record_{kind}", about=about, run=recorder(kind), group="Recording",
        parameters=parameters, body=schema, answers={201: "Receipt", 200: "ReceiptOrReport", 409: "Receipt"},
        problems=(403, 409, 422),
    )  # fmt: skip


def _deed(method: str, path: str, name: str, about: str, run: Run, body: str, **how: Any) -> Endpoint:
    answers = how.pop("answers", {201: "Receipt", 200: "Receipt", 409: "Receipt"})
    problems = how.pop("problems", (403, 409, 422))
    return Endpoint(
        method=method, path=f"/v1/{path}", name=name, about=about, run=run, group="Recording", body=body,
        answers=answers, problems=problems, **how,
    )  # fmt: skip


_ID = Parameter(name="id", where="path", kind="count", is_required=True, about="Of the round trip.", example="1")
_BREAK = Parameter(name="id", where="path", is_required=True, about="Of the break, as the list says it.")

ENDPOINTS = (
    *(_posting(path, kind) for path, kind in KINDS.items()),
    _deed("POST", "fills/bust", "bust_fill", "Take a fill back: it never happened.", _bust, "Bust"),
    _deed("POST", "fills/correct", "correct_fill", "Put fields of a fill right.", _correct, "Correction"),
    _deed(
        "PATCH", "round-trips/{id}", "annotate_round_trip", "Hang notes and tags on a round trip.", _annotate, "Note",
        parameters=(_ID,),
    ),
    _deed(
        "POST", "breaks/{id}/resolve", "resolve_break", "Settle a difference.", _resolve, "Reason",
        parameters=(_BREAK,), answers={200: "Break"},
    ),
    _deed(
        "POST", "marks", "mark", "Say what instruments cost now; no fact, and not durable.", _marks, "NewMark",
        answers={200: "MarkOrReport"},
    ),
    _deed(
        "POST", "heartbeats", "beat", "Say that a bot is alive, and when its next sign is due.", _beat, "Heartbeat",
        answers={200: "Heartbeat"},
    ),
)  # fmt: skip
