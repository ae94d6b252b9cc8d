"""Addresses of trading: what may be sent, and the switches of a person."""

from typing import Any

from onebook.domain.fields import text
from onebook.http import wire
from onebook.http.asof import AS_OF, refuse_past
from onebook.http.calls import Call, Endpoint, Parameter, Reply, Run
from onebook.http.paging import PAGED, keyed_page
from onebook.http.roles import own_strategy
from onebook.http.writes import KEY, acting, fact

FIGURES = ("stop_loss", "take_profit", "trail_amount", "trail_ratio", "activates_at")
_WHERE = {"account": "main", "strategy": "", "leg": "", "reason": ""}
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


def _own(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a deed about a position, with a bot's own strategy.

    Raises:
        NotAllowed: it is another's.
    """
    if call.caller is None:
        return given
    strategy = own_strategy(call.caller, text("strategy", given.get("strategy", "")))
    return given | {"strategy": strategy or ""}


def _protect(call: Call) -> Reply:
    stated = wire.an_object(call.body, "a stop or target")
    names = {"account": False, "strategy": False, "leg": False, **dict.fromkeys((*FIGURES, "act"), False)}
    given = _own(call, wire.only(stated, "a stop or target", instrument=True, **names))
    with acting(call):
        return wire.reply(call.book.trading.protect(given.pop("instrument"), **given))


def _unprotect(call: Call) -> Reply:
    stated = wire.an_object(call.body, "unprotect")
    names = dict.fromkeys(("account", "strategy", "leg", "reason"), False)
    given = _own(call, wire.only(stated, "unprotect", instrument=True, **names))
    place = {name: text(name, given.get(name, default)) for name, default in _WHERE.items()}
    with acting(call):
        call.book.trading.unprotect(given["instrument"], **place)
    return wire.reply({"instrument": given["instrument"], **place})


def _of_order(call: Call, deed: str, *more: str) -> dict[str, Any]:
    """Return the fields of a deed about an order.

    Raises:
        InputError: they are not what they must be, or the book does not know the order.
        NotAllowed: a bot speaks of an order of another strategy.
    """
    names = dict.fromkeys(("account", *more), False)
    given = wire.only(wire.an_object(call.body, deed), deed, client_order_id=True, **names)
    account = given.get("account")
    found = call.book.order(given["client_order_id"], account=None if account is None else text("account", account))
    if found is not None and call.caller is not None and call.caller.role == "bot":
        own_strategy(call.caller, found.strategy or "the unnamed one")
    return given


def _cancel(call: Call) -> Reply:
    given = _of_order(call, "cancel", "reason")
    with acting(call):
        return wire.reply(call.book.trading.cancel(given.pop("client_order_id"), **given))


def _replace(call: Call) -> Reply:
    given = _of_order(call, "replace", "quantity", "limit_price", "stop_price")
    with acting(call):
        return wire.reply(call.book.trading.replace(given.pop("client_order_id"), **given))


def _state(call: Call) -> Reply:
    refuse_past(call, "trading")
    place = {name: call.given.get(name, "") for name in ("account", "strategy")}
    return wire.reply({"state": call.book.trading.state_of(**place), **place})


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
    Endpoint(
        method="GET", path="/v1/trading", name="get_trading", run=_state, group="Trading",
        about="The strictest state that covers an account's strategy; of the whole book when both are left out.",
        parameters=(
            Parameter(name="account", about="Of this account."), Parameter(name="strategy", about="Of this strategy."),
            *AS_OF,
        ),
        answers={200: "TradingState"},
    ),
    _deed("may", "Whether an order may be sent; nothing is recorded.", _may, "Order", "Answer"),
    _deed(
        "place", "Decide on an order and record it; a list is decided in one transaction.", _place, "Order",
        "AnswerOrAnswers", keyed=True,
    ),
    _deed("halt", "Let nothing through but a person's flatten.", _switch("halt"), "Switch", "Switched"),
    _deed("reduce", "Let only exits through.", _switch("reduce"), "Switch", "Switched"),
    _deed("resume", "Let orders through again.", _switch("resume"), "Switch", "Switched"),
    _deed("cancel", "Ask for an order's end.", _cancel, "Cancel", "OrderState"),
    _deed("replace", "Ask for other terms of an order; the gate is asked.", _replace, "Replace", "OrderState"),
    _deed("protect", "Set the stop and target of a position anew.", _protect, "Protect", "Protection"),
    _deed("unprotect", "Take the stop and target of a position away.", _unprotect, "Unprotect", "Unprotected"),
    _deed("flatten", "Close what is held at the market; take open orders back.", _flatten, "Flatten", "ExitPage"),
    Endpoint(
        method="GET", path="/v1/protections", name="list_protections", about="Stops and targets of positions, now.",
        run=_protections, parameters=(STATUS, *PAGED, *AS_OF), answers={200: "ProtectionPage"}, group="Trading",
    ),
)  # fmt: skip
