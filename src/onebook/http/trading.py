"""Addresses of trading: what may be sent, and the switches of a person."""

from typing import Any

from onebook.domain.fields import text
from onebook.http import wire
from onebook.http.asof import AS_OF, refuse_past
from onebook.http.calls import Call, Endpoint, Parameter, Reply, Run
from onebook.http.paging import PAGED, keyed_page
from onebook.http.writes import KEY, acting, fact

STATUS = Parameter(name="status", choices=("active", "triggered", "removed", "all"), about="active when left out.")


def answer_of(found: Any) -> dict[str, Any]:
    """Return the gate's answer as JSON data: as ``onebook gate --json`` has it, with the order and its entry."""
    said: dict[str, Any] = {"approved": found.ok, "quantity": found.order.quantity}
    if not found.ok:
        said |= {"reason": found.reason, "text": found.text, "figures": found.figures}
    return said | {"order": found.order, "sequence": found.sequence}


def _may(call: Call) -> Reply:
    return wire.reply(answer_of(call.book.trading.may(fact(call, "order", call.body))))


def _place(call: Call) -> Reply:
    """Decide on one order, or on several in one transaction, and record them."""
    several = isinstance(call.body, list)
    stated = call.body if several else [call.body]
    wire.some(stated, "orders")
    orders = [fact(call, "order", item, place if several else None) for place, item in enumerate(stated)]
    with acting(call):
        found = call.book.trading.place(*orders)
    answers = found if isinstance(found, tuple) else (found,)
    return wire.reply([answer_of(item) for item in answers] if several else answer_of(answers[0]))


def _switch(deed: str) -> Run:
    """Return what changes trading's state."""

    def switch(call: Call) -> Reply:
        given = wire.only(wire.an_object(call.body, deed), deed, reason=True, account=False, strategy=False)
        place = {name: text(name, given.get(name, "")) for name in ("account", "strategy")}
        before = call.book.wakeups.look()
        with acting(call):
            state = getattr(call.book.trading, deed)(given["reason"], **place)
        sequence = _entry(call, before, place)
        return wire.reply({"state": state, **place, "reason": given["reason"], "sequence": sequence})

    return switch


def _entry(call: Call, before: int, place: dict[str, str]) -> int | None:
    """Return the entry that the change made; None when it was so already."""
    accounts, strategies = [place["account"]], [place["strategy"]]
    found = call.book.events(
        after=before, types="trading_state_changed", accounts=accounts, strategies=strategies
    )  # fmt: skip
    return next((event.sequence for event in found), None)


def _flatten(call: Call) -> Reply:
    names = {"account": False, "strategy": False, "instrument": False}
    given = wire.only(wire.an_object(call.body, "flatten"), "flatten", reason=True, **names)
    chosen = {name: text(name, given[name]) for name in names if given.get(name)}
    with acting(call):
        found = call.book.trading.flatten(given["reason"], **chosen)
    rows = [
        {
            "account": item.order.account,
            "instrument": item.order.instrument,
            "strategy": item.order.strategy,
            "side": item.order.side,
            "quantity": item.order.quantity,
            "client_order_id": item.order.client_order_id,
            "answer": "approved" if item.ok else "refused",
            "why": getattr(item, "text", ""),
        }
        for item in found
    ]
    return wire.page(rows, None)


def _protections(call: Call) -> Reply:
    refuse_past(call, "protections")
    status = call.given.get("status", "active")
    rows = call.book.trading.protections(status=None if status == "all" else status)
    return keyed_page(call, rows, lambda row: (row.account, row.instrument, row.strategy, row.leg, row.id))


def _deed(name: str, about: str, run: Run, body: str, answer: str, *, keyed: bool = False) -> Endpoint:
    return Endpoint(
        method="POST", path=f"/v1/trading/{name}", name=f"trading_{name}", about=about, run=run, group="Trading",
        parameters=(KEY,) if keyed else (), body=body, answers={200: answer}, problems=(403, 409, 422),
    )  # fmt: skip


ENDPOINTS = (
    _deed("may", "Whether an order may be sent; nothing is recorded.", _may, "Order", "Answer"),
    _deed(
        "place", "Decide on an order and record it; a list is decided in one transaction.", _place, "Order",
        "AnswerOrAnswers", keyed=True,
    ),
    _deed("halt", "Let nothing through but a person's flatten.", _switch("halt"), "Switch", "Switched"),
    _deed("reduce", "Let only exits through.", _switch("reduce"), "Switch", "Switched"),
    _deed("resume", "Let orders through again.", _switch("resume"), "Switch", "Switched"),
    _deed("flatten", "Close what is held at the market; take open orders back.", _flatten, "Flatten", "ExitPage"),
    Endpoint(
        method="GET", path="/v1/protections", name="list_protections", about="Stops and targets of positions, now.",
        run=_protections, parameters=(STATUS, *PAGED, *AS_OF), answers={200: "ProtectionPage"}, group="Trading",
    ),
)  # fmt: skip
