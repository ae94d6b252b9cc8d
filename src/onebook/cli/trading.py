"""Commands of a person over trading: what may be sent, the kill switch, and orders whose fate nobody knows."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onebook.cli.asking import reading
from onebook.cli.groups import grouped
from onebook.cli.session import session
from onebook.cli.tables import answer, columns, print_object
from onebook.domain.decide.trading import TRADING
from onebook.domain.facts import Limits, Order
from onebook.domain.identity import identity_text
from onebook.errors import ImportRefused, InputError

if TYPE_CHECKING:
    from onebook.app import Book

_Reason = Annotated[str, typer.Option("--reason", help="Why, for the log.")]
_Account = Annotated[str, typer.Option("--account", help="Only this account; else all.")]
_Strategy = Annotated[str, typer.Option("--strategy", help="Only this strategy; else all.")]

REFUSED = 3
EXITS = columns(
    "Account=account 2", "Instrument=instrument", "Strategy=strategy 1", "Side=side", "Quantity=quantity",
    "Order=client_order_id 1", "Answer=answer", "Why=why 1",
)  # fmt: skip
BREAKS = columns(
    "Break=id", "Kind=kind", "Account=account 2", "Instrument=instrument", "Since (UTC)=first_seen 1", "State=state 2",
    "What=note 1", "Settled by=resolver 3",
)  # fmt: skip
STOPS = columns(
    "Account=account 2", "Instrument=instrument", "Strategy=strategy 1", "Leg=leg 4", "Stop=stop_loss",
    "Target=take_profit", "Trail=trail", "Begins at=activates_at 3", "Level=level", "Best mark=best 3", "Does=act 1",
    "Status=status 1",
)  # fmt: skip
LIMITS = columns(
    "Account=account", "Strategy=strategy", "Instrument=instrument 1", "Only=instruments 3", "Position=max_position 1",
    "Notional=max_notional 1", "Exposure=max_exposure 1", "Orders=max_orders 2", "Per s=per_seconds 2",
    "Daily loss=max_daily_loss", "Drawdown=max_drawdown 1", "Mark age s=max_mark_age_seconds 3", "Flatten=flatten 3",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exit:
    """What became of one exit."""

    account: str
    instrument: str
    strategy: str
    side: str
    quantity: Any
    client_order_id: str
    answer: str
    why: str = ""


def halt(ctx: typer.Context, reason: _Reason, account: _Account = "", strategy: _Strategy = "") -> None:
    """Stop trading: nothing passes but `flatten`, in every process on the book."""
    _switch(ctx, "halt", reason, account, strategy)


def reduce(ctx: typer.Context, reason: _Reason, account: _Account = "", strategy: _Strategy = "") -> None:
    """Let only exits pass, in every process on the book."""
    _switch(ctx, "reduce", reason, account, strategy)


def resume(ctx: typer.Context, reason: _Reason, account: _Account = "", strategy: _Strategy = "") -> None:
    """Let orders pass again; a limit of loss that was reached counts anew from now on."""
    _switch(ctx, "resume", reason, account, strategy)


def _switch(ctx: typer.Context, deed: str, reason: str, account: str, strategy: str) -> None:
    with session(ctx).open() as book:
        unheard = [text for _, text in _unheard(book, account, strategy)]
        state = getattr(book.trading, deed)(reason, account=account, strategy=strategy)
    for text in unheard:
        session(ctx).say(f"warning: {text} (what is said of it holds for whoever starts under that name)")
    whom = " ".join(name for name in (account, strategy) if name) or "the book"
    if session(ctx).as_json:
        said = {"state": state, "account": account, "strategy": strategy, "reason": reason}
        print_object(said | ({"warnings": unheard} if unheard else {}))
    else:
        print(f"trading of {whom} is {state}")


def _unheard(book: "Book", account: str, strategy: str, *, spoken: bool = True) -> Iterator[tuple[str, str]]:
    """Yield (option, sentence) of each name that the book has never seen; the sentence says the nearest it has.

    ``spoken``: names that a person has switched before count as seen.
    """
    with book.store.reading() as reader:
        if spoken and reader.record(TRADING, "", identity_text(account, strategy), None) is not None:
            return
        beating = [item.strategy for item in reader.heartbeats()]
    seen = [(item.account, item.strategy or "") for item in book.positions(is_open=None)]
    seen += [(item.account, item.strategy) for item in book.trading.limits]
    accounts = [item.name for item in book.facts("account")] + [item.account for item in book.balances()]
    known = {
        "account": {"main", *accounts, *(name for name, _ in seen)},
        "strategy": {*beating, *(name for _, name in seen)},
    }
    for option, name in (("account", account), ("strategy", strategy)):
        about: dict[str, Any] = {option: name, "limit": 1}
        if not name or name in known[option] or book.orders(**about) or book.fills(**about) or book.signals(**about):
            continue
        near = get_close_matches(name, sorted(known[option] - {""}), n=1, cutoff=0.4)
        yield option, f"the book knows no {option} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _unseen(book: "Book", instrument: str) -> Iterator[tuple[str, str]]:
    """Yield (option, sentence) of an instrument that the book has never seen, with the nearest one that is held."""
    about: dict[str, Any] = {"instrument": instrument, "limit": 1}
    if not instrument or book.positions(instrument=instrument, is_open=None) or book.orders(**about):
        return
    held = {item.instrument for item in book.positions()}
    known = {item.symbol for item in book.facts("instrument")} | {item.instrument for item in book.marks()} | held
    if instrument in known:
        return
    near = get_close_matches(instrument, sorted(held or known), n=1, cutoff=0.4)
    text = f"the book knows no instrument {instrument!r}"
    yield "instrument", text + (f"; did you mean {near[0]!r}?" if near else "")


def flatten(
    ctx: typer.Context,
    reason: _Reason,
    account: Annotated[str | None, typer.Option("--account", help="Only this account.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Only this strategy.")] = None,
    instrument: Annotated[str | None, typer.Option("--instrument", help="Only this instrument.")] = None,
) -> int:
    """Take open orders back and close what is held at the market; a running bot sends them. Passes when halted."""
    here = session(ctx)
    chosen: dict[str, Any] = {"account": account, "strategy": strategy, "instrument": instrument}
    with here.open() as book:
        unheard = _unheard(book, account or "", strategy or "", spoken=False)
        for name, text in (*unheard, *_unseen(book, instrument or "")):
            raise InputError(text, field=name, value=chosen[name])
        answers = book.trading.flatten(reason, **chosen)
        held = book.positions(**chosen)
    rows = [
        _Exit(
            account=item.order.account,
            instrument=item.order.instrument,
            strategy=item.order.strategy,
            side=item.order.side,
            quantity=item.order.quantity,
            client_order_id=item.order.client_order_id,
            answer="approved" if item.ok else "refused",
            why=getattr(item, "text", ""),
        )
        for item in answers
    ]
    answer(
        here, rows, EXITS, empty="exits are under way already; see onebook orders --open" if held else "nothing is held"
    )
    if rows:
        here.say("approved exits are in the book; who holds the account's broker sends them")
    return 0 if all(item.ok for item in answers) else REFUSED


def gate(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="ORDER.json", help="An order as JSON; - reads it from stdin.")],
) -> int:
    """Ask whether an order may be sent; nothing is recorded. Exit 3: it may not."""
    order = _order(path)
    here = session(ctx)
    with here.open() as book:
        said = book.trading.may(order)
    refused = not said.ok
    if here.as_json:
        data: dict[str, Any] = {"approved": said.ok, "quantity": said.order.quantity}
        if refused:
            data |= {"reason": getattr(said, "reason", ""), "text": getattr(said, "text", "")}
            data["figures"] = getattr(said, "figures", {})
        print_object(data)
    elif refused:
        print(f"refused, {getattr(said, 'reason', '')}: {getattr(said, 'text', '')}")
    else:
        print(f"approved: {said.order.side} {said.order.quantity} {said.order.instrument}")
    return REFUSED if refused else 0


def _order(path: str) -> Order:
    """Return the order that a file or stdin holds."""
    from onebook.cli.record import built

    where = "stdin" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        given = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as problem:
        msg = f"{where}: not JSON: {problem}"
        raise ImportRefused(msg, file=where) from None
    if not isinstance(given, dict):
        msg = f'{where}: write one order as an object: {{"instrument": "BTC/USDT", "side": "buy", "quantity": "1"}}'
        raise InputError(msg, file=where)
    order: Order = built(Order, given)
    return order


def stops(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that triggered or ended too.")] = False,
) -> None:
    """Stops and targets of positions, as the log has them."""
    with reading(ctx) as book:
        rows = book.trading.protections(status=None if everything else "active")
        answer(session(ctx), rows, STOPS, empty="no stops and targets")


def limits(ctx: typer.Context) -> None:
    """What the order gate lets through; set them with `record limits`."""
    with reading(ctx) as book:
        rows: list[Limits] = list(book.trading.limits)
        answer(session(ctx), rows, LIMITS, empty="no limits; see: onebook record limits --help")


def _breaks(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="The settled ones too.")] = False,
) -> None:
    """Differences that wait for somebody: nothing is opened in their instruments until they are settled."""
    with reading(ctx) as book:
        rows = book.breaks(state=None if everything else "open")
        answer(session(ctx), rows, BREAKS, empty="no open breaks")


def _resolve(
    ctx: typer.Context,
    break_id: Annotated[str, typer.Argument(metavar="ID", help="The break, as the list says.")],
    reason: _Reason,
) -> None:
    """Settle a break: orders may open positions in its instrument again."""
    with session(ctx).open() as book:
        found = book.resolve_break(break_id, reason=reason)
    if session(ctx).as_json:
        print_object(found)
    else:
        print(f"{break_id} of {found.instrument} is {found.state}")


breaks = grouped("breaks", _breaks, {"resolve": _resolve}, "Trading")


def settle(
    ctx: typer.Context,
    client_order_id: Annotated[str, typer.Argument(metavar="ID", help="The order, as the list says.")],
    status: Annotated[str, typer.Option("--as", help="rejected, canceled, expired, or new: it stands at the venue.")],
    reason: _Reason,
    account: Annotated[str | None, typer.Option("--account", help="Where two accounts have the id.")] = None,
) -> None:
    """Say what became of an order whose fate nobody knows."""
    with session(ctx).open() as book:
        order = book.trading.settle(client_order_id, status, reason, account=account)
    if session(ctx).as_json:
        print_object({"client_order_id": client_order_id, "account": order.account, "status": order.status})
    else:
        print(f"order {client_order_id} is {order.status}")
