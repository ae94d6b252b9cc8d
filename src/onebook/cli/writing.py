"""Commands that record by hand: marks, busts, corrections, moves between strategies."""

from dataclasses import fields
from typing import Annotated, Any

import typer

from onebook.cli.session import session
from onebook.cli.tables import print_object
from onebook.domain.facts import Fill, Reassign
from onebook.errors import InputError

_Which = Annotated[str, typer.Argument(metavar="WHICH", help="A sequence, an event id such as 57.2, or an identity.")]
_LONGEST = 18
"""Most digits of a sequence."""

_Reason = Annotated[str, typer.Option("--reason", help="Why, for the log.")]


def show_receipt(ctx: typer.Context, receipt: Any) -> None:
    """Print what became of a fact."""
    if session(ctx).as_json:
        print_object(receipt_data(receipt))
    else:
        print(receipt)


def receipt_data(receipt: Any) -> dict[str, Any]:
    """Return a receipt as the data that JSON shows."""
    names = ("status", "sequence", "identity", "position")
    return {name: getattr(receipt, name) for name in names}


def mark(
    ctx: typer.Context,
    instrument: Annotated[str, typer.Argument(metavar="INSTRUMENT", help="Or a pair such as EUR/USD.")],
    price: Annotated[str, typer.Argument(metavar="PRICE", help="Per unit, in the quote currency.")],
    at: Annotated[str | None, typer.Option("--at", help="When it was so; else now.")] = None,
    source: Annotated[str, typer.Option("--source", help="Who says so.")] = "cli",
) -> None:
    """Say what an instrument costs now; marks value positions and are no facts."""
    with session(ctx).open() as book:
        book.mark(instrument, price, at=at, source=source)
        book.share_marks()
    if session(ctx).as_json:
        print_object({"instrument": instrument, "price": price, "at": at, "source": source})
    else:
        print(f"marked {instrument} at {price}")


def bust(ctx: typer.Context, which: _Which, reason: _Reason) -> None:
    """Take a fill back: it never happened."""
    with session(ctx).open() as book:
        show_receipt(ctx, book.bust(named(which), reason=reason))


def correct(
    ctx: typer.Context,
    which: _Which,
    reason: _Reason,
    changes: Annotated[
        list[str], typer.Option("--set", metavar="FIELD=VALUE", help="A field and its right value; repeat it.")
    ],
) -> None:
    """Replace fields of a fill by what is right."""
    given = dict(_change(text) for text in changes)
    with session(ctx).open() as book:
        show_receipt(ctx, book.correct(named(which), reason=reason, **given))


def reassign(  # noqa: PLR0913  the fields of the fact
    ctx: typer.Context,
    instrument: Annotated[str, typer.Argument(metavar="INSTRUMENT")],
    quantity: Annotated[str, typer.Argument(metavar="QUANTITY", help="Above 0, in the direction held.")],
    from_strategy: Annotated[str, typer.Option("--from", help="Who gives; empty for the unnamed strategy.")],
    to_strategy: Annotated[str, typer.Option("--to", help="Who takes.")],
    price: Annotated[str | None, typer.Option("--price", help="Else at average cost.")] = None,
    account: Annotated[str, typer.Option("--account")] = "main",
    leg: Annotated[str, typer.Option("--leg", help="long or short, in a hedging account.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the log.")] = "",
    reassign_id: Annotated[str, typer.Option("--reassign-id", help="So that a repeat is known.")] = "",
) -> None:
    """Move quantity from one strategy to another in the same account."""
    given: dict[str, Any] = {"instrument": instrument, "quantity": quantity, "account": account, "leg": leg}
    given |= {"from_strategy": from_strategy, "to_strategy": to_strategy, "reason": reason}
    given |= {"price": price, "reassign_id": reassign_id}
    fact = Reassign(**given)
    with session(ctx).open() as book:
        show_receipt(ctx, book.record(fact))


def named(which: str) -> int | str:
    """Return a sequence as a number, anything else as it is."""
    return int(which) if which.isdecimal() and len(which) <= _LONGEST else which


def _change(text: str) -> tuple[str, Any]:
    field, equals, value = text.partition("=")
    name = field.strip().replace("-", "_")
    if not equals or not name:
        msg = f"--set {text!r}: write it as FIELD=VALUE"
        raise InputError(msg, field="set", value=text)
    if name not in {item.name for item in fields(Fill)}:
        from onebook.intake.mapping import unknown_field

        raise unknown_field("fill", name)
    empty = None if name in {"fee", "fee_currency"} else ""
    return name, value or empty
