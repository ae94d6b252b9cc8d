"""Commands that answer with figures: lots, equity, P&L by day, and where a figure comes from."""

from typing import Annotated, Any

import typer

from onebook.cli.asking import AS_OF, Asked, count, moment, reading, takes
from onebook.cli.session import session
from onebook.cli.tables import answer, columns, pairs, print_object, table
from onebook.domain import times
from onebook.errors import InputError

_Instrument = Annotated[str, typer.Argument(metavar="INSTRUMENT", help="For example BTC/USDT or AAPL.")]
_Account = Annotated[str, typer.Option("--account", help="Whose position.")]
_Leg = Annotated[str | None, typer.Option("--leg", help="long or short, in a hedging account.")]

OPEN_LOTS = columns("Quantity=quantity", "Price=price", "Cost=cost", "Opened (UTC)=opened_at 1", "Sequence=sequence 2")
CLOSED_LOTS = columns(
    "Quantity=quantity", "Bought at=open_price", "Sold at=close_price", "Gain=gain",
    "Opened (UTC)=opened_at 1", "Closed (UTC)=closed_at 1", "Opened by=open_sequence 2",
    "Closed by=close_sequence 2",
)  # fmt: skip
CURVE = columns("Time (UTC)=at", "Equity=amount", "Oldest mark, s=marks_age_seconds 1")
SUMS = (
    "Currency=currency", "Gross=gross 1", "Fees=fees 1", "Funding=funding 2", "Income=income 2", "Net=net",
    "Fills=fills 2", "Round trips=round_trips 2",
)  # fmt: skip
UNVALUED_SHOWN = 10
DAYS = columns("Day=day", *SUMS, "Restated=restated 3")
EXPLANATION = columns("Sequence=sequence", "Time (UTC)=occurred_at", "Kind=kind", "Amount=amount", "Note=note 1")


@takes("strategy", *AS_OF)
def lots(
    ctx: typer.Context,
    asked: Asked,
    instrument: _Instrument,
    account: _Account = "main",
    leg: _Leg = None,
    method: Annotated[str, typer.Option("--method", help="average, fifo, lifo or hifo.")] = "average",
) -> None:
    """Lots: what is held parcel by parcel, and what each closed one gained.

    Without --strategy the account counts as one: the tax view.
    """
    with reading(ctx, asked) as book:
        found = book.lots(instrument, account=account, strategy=asked.strategy, leg=leg, method=method)
    if session(ctx).as_json:
        print_object(found)
        return
    title = f"{found.instrument}, account {found.account}, {found.method}"
    title += f", money in {found.currency}" if found.currency else ""
    _lot_table(ctx, f"open lots of {title}", found.open, OPEN_LOTS)
    _lot_table(ctx, "closed lots", found.closed, CLOSED_LOTS)


def _lot_table(ctx: typer.Context, title: str, rows: Any, shown: Any) -> None:
    if not rows:
        session(ctx).say(f"no {title}")
        return
    print(title)
    table([_Timed(row) for row in rows], shown)


class _Timed:
    """A lot whose nanoseconds read as datetimes."""

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_at"):
            return times.to_datetime(getattr(self._row, name[:-3] + "_ns"))
        return getattr(self._row, name)


@takes("since", "until", *AS_OF)
def equity(
    ctx: typer.Context,
    asked: Asked,
    currency: Annotated[str | None, typer.Option("--currency", help="None: the book's base.")] = None,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="SECONDS", help="A curve from --since to --until, a point every so often."),
    ] = None,
) -> None:
    """Equity: what the book is worth, and where it came from."""
    curve = every is not None or asked.since is not None or asked.until is not None
    if curve and (every is None or asked.since is None or asked.until is None):
        msg = "an equity curve takes --since, --until and --every SECONDS together"
        raise InputError(msg, field="every")
    with reading(ctx, asked) as book:
        if curve:
            span = moment("since", asked.since or ""), moment("until", asked.until or "")
            extra = {} if currency is None else {"currency": currency}
            answer(
                session(ctx), book.equity_curve(*span, count("every", every or ""), **extra), CURVE, empty="no points"
            )
            return
        found = book.equity(currency=currency)
    names = ("opening", "transfers", "realized", "other", "unrealized", "revaluation")
    rows: list[tuple[str, Any]] = [(name, getattr(found, name)) for name in names]
    rows.append((f"equity in {found.currency}", found.amount))
    if found.unvalued:
        more = len(found.unvalued) - UNVALUED_SHOWN
        rows.append(("not valued", found.unvalued[:UNVALUED_SHOWN] + ((f"… and {more} more",) if more > 0 else ())))
    pairs(session(ctx), found, rows)


_Day = Annotated[str | None, typer.Option("--since", metavar="DAY", help="First day: 2026-01-31.")]
_DayAfter = Annotated[str | None, typer.Option("--until", metavar="DAY", help="The day after the last.")]


@takes("account", "strategy", "instrument", *AS_OF)
def pnl(  # noqa: PLR0913  the options of the contract
    ctx: typer.Context,
    asked: Asked,
    since: _Day = None,
    until: _DayAfter = None,
    currency: Annotated[str | None, typer.Option("--currency", help="All in this one.")] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="Days of this zone, not the book's.")] = None,
    rolls_at: Annotated[str | None, typer.Option("--rolls-at", help="When a day ends: HH:MM.")] = None,
    total: Annotated[bool, typer.Option("--total", help="One sum per currency instead of days.")] = False,
) -> None:
    """Realized P&L by day, or in all with --total."""
    given = asked.filters("account", "strategy", "instrument")
    named = {"since": since, "until": until, "currency": currency, "zone": zone, "rolls_at": rolls_at}
    given |= {name: value for name, value in named.items() if value is not None}
    with reading(ctx, asked) as book:
        rows = book.pnl(**given) if total else book.daily_pnl(**given)
    answer(session(ctx), rows, columns(*SUMS) if total else DAYS, empty="nothing realized")


@takes("strategy", *AS_OF)
def explain(
    ctx: typer.Context,
    asked: Asked,
    instrument: _Instrument,
    account: _Account = "main",
    leg: _Leg = None,
    figure: Annotated[str, typer.Option("--figure", help="Which figure of the position.")] = "realized_pnl",
) -> None:
    """Where a figure comes from: the facts whose amounts sum to it."""
    with reading(ctx, asked) as book:
        rows = book.explain(instrument, account=account, strategy=asked.strategy, leg=leg, figure=figure)
    answer(session(ctx), rows, EXPLANATION, empty=f"nothing made {figure} of {instrument} in account {account}")
    if rows and not session(ctx).as_json:
        from onebook.cli.tables import cell
        from onebook.domain.numbers import ZERO, add

        total = ZERO
        for row in rows:
            total = add(total, row.amount)
        print(f"{figure}: {cell(total)}")
