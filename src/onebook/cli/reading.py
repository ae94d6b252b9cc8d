"""Commands that list what the book holds."""

from typing import Annotated, Any

import typer

from onebook.cli.asking import AS_OF, FILTERS, Asked, reading, takes
from onebook.cli.groups import grouped
from onebook.cli.session import session
from onebook.cli.tables import MAX_ROWS, answer, columns, pairs
from onebook.cli.trading import settle

POSITIONS = columns(
    "Account=account 2", "Instrument=instrument", "Strategy=strategy 1", "Leg=leg 4", "Side=side 3",
    "Quantity=quantity", "Average price=average_price 1", "Realized=realized_pnl", "Fees=fees 5",
    "Funding=funding 7", "Income=income 7", "Unrealized=unrealized_pnl 1", "Currency=currency 2",
    "Mark=mark 4", "Marked at (UTC)=marked_at 8", "Stale=stale 6", "Opened (UTC)=opened_at 6",
    "Unvalued=unvalued 3", "Flags=flags 2",
)  # fmt: skip
FILLS = columns(
    "Sequence=sequence 2", "Time (UTC)=occurred_at", "Account=account 3", "Instrument=instrument",
    "Strategy=strategy 1", "Side=side", "Quantity=quantity", "Price=price", "Fee=fee 2",
    "In=fee_currency 4", "Venue=venue 5", "Venue's id=venue_fill_id 6", "Order=client_order_id 7",
    "Reason=close_reason 5", "Flags=flags 3", "Note=note 8",
)  # fmt: skip
ORDERS = columns(
    "Sequence=sequence 5", "Time (UTC)=occurred_at 1", "Account=account 3", "Order=client_order_id",
    "Instrument=instrument", "Strategy=strategy 2", "Side=side", "Kind=kind 1", "Quantity=quantity",
    "Limit=limit_price 2", "Stop=stop_price 3", "Filled=filled_quantity 1", "Average=average_price 4",
    "Status=status", "Reason=reason 6", "Flags=flags 4",
)  # fmt: skip
SIGNALS = columns(
    "Sequence=sequence 5", "Time (UTC)=occurred_at", "Signal=signal_id", "Account=account 4",
    "Instrument=instrument", "Strategy=strategy 1", "Action=action", "Price=price 1", "Stop=stop_loss 2",
    "Target=take_profit 2", "Confidence=confidence 1", "Timeframe=timeframe 4",
    "Confluences=confluences 6", "Status=status", "Round trip=round_trip 3", "Reason=reason 6",
)  # fmt: skip
ROUND_TRIPS = columns(
    "Id=id", "Account=account 4", "Instrument=instrument", "Strategy=strategy 1", "Leg=leg 6",
    "Direction=direction", "Quantity=quantity 1", "Entry=entry_price 1", "Exit=exit_price 1",
    "Opened (UTC)=opened_at 2", "Closed (UTC)=closed_at 2", "Gross=gross 3", "Fees=fees 3", "Net=net",
    "Currency=currency 3", "Reason=close_reason 2", "Signal=signal_id 7", "Tags=tags 6",
)  # fmt: skip
BALANCES = columns("Account=account", "Asset=asset", "Amount=amount")

_Open = Annotated[bool | None, typer.Option("--open/--closed", help="Only the open or the closed ones.")]


@takes("account", "strategy", "instrument", *AS_OF)
def positions(
    ctx: typer.Context,
    asked: Asked,
    everything: Annotated[bool, typer.Option("--all", help="The flat ones too.")] = False,
) -> None:
    """Positions: what is held, at what price, and what it has made."""
    with reading(ctx, asked) as book:
        rows = book.positions(**asked.filters(), is_open=None if everything else True)
        answer(session(ctx), rows, POSITIONS, empty="no open positions")


@takes(*FILTERS, *AS_OF)
def fills(ctx: typer.Context, asked: Asked) -> None:
    """Fills that stand, oldest first."""
    with reading(ctx, asked) as book:
        answer(session(ctx), book.fills(**_paged(ctx, asked)), FILLS, empty="no fills")


@takes(*FILTERS, *AS_OF)
def _orders(ctx: typer.Context, asked: Asked, is_open: _Open = None) -> None:
    """Orders and how far they are, oldest first."""
    with reading(ctx, asked) as book:
        rows = book.orders(**_paged(ctx, asked), is_open=is_open)
        answer(session(ctx), rows, ORDERS, empty="no orders")


orders = grouped("orders", _orders, {"settle": settle}, "Reading")


@takes(*FILTERS, *AS_OF)
def signals(ctx: typer.Context, asked: Asked) -> None:
    """Signals and what became of them, oldest first."""
    with reading(ctx, asked) as book:
        answer(session(ctx), book.signals(**_paged(ctx, asked)), SIGNALS, empty="no signals")


@takes(*FILTERS, *AS_OF)
def round_trips(ctx: typer.Context, asked: Asked, is_open: _Open = None) -> None:
    """Round trips: from flat until flat again, oldest first."""
    with reading(ctx, asked) as book:
        rows = book.round_trips(**_paged(ctx, asked), is_open=is_open)
        answer(session(ctx), rows, ROUND_TRIPS, empty="no round trips")


@takes("account", *AS_OF)
def balances(ctx: typer.Context, asked: Asked) -> None:
    """How much of each asset each account holds."""
    with reading(ctx, asked) as book:
        answer(session(ctx), book.balances(**asked.filters()), BALANCES, empty="no balances")


def status(ctx: typer.Context) -> None:
    """The book in numbers."""
    with reading(ctx) as book:
        found = book.status()
        rows: list[tuple[str, Any]] = [
            ("book", found.url),
            ("entries", found.entries),
            ("facts", found.facts),
            ("trading", found.trading_state),
            ("fills without identity", found.fills_without_identity),
            ("conflicts", found.conflicts),
            ("breaks", found.breaks),
            ("unvalued amounts", found.unvalued),
            ("marks", found.marks),
            ("last backup (UTC)", found.last_backup_at or "none"),
            ("head", found.head_hash),
        ]
        pairs(session(ctx), found, rows)


def _paged(ctx: typer.Context, asked: Asked) -> dict[str, Any]:
    """Return the filters; a table never asks for more rows than it shows."""
    given = asked.filters()
    if not session(ctx).as_json:
        given.setdefault("limit", MAX_ROWS + 1)
    return given
