"""``onebook statistics``: how trading went, over ended round trips and days."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from onebook.cli.asking import AS_OF, Asked, reading, takes
from onebook.cli.session import session
from onebook.cli.tables import answer, cell, columns
from onebook.errors import InputError

if TYPE_CHECKING:
    from onebook.domain.statistics import Statistics

GROUPS = ("strategy", "instrument", "month", "reason")
FIGURES = (
    "count", "wins", "losses", "win_rate", "expectancy", "profit_factor", "average_win", "average_loss",
    "average_hold_seconds", "largest_win", "largest_loss", "gross", "fees", "funding", "income", "net",
)  # fmt: skip
GROUPED = columns("Currency=currency", "Of=name", "Count=count", "Wins=wins", "Losses=losses", "Net=net")
_EMPTY = "nothing ended and nothing realized"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A group on the screen."""

    currency: str
    name: str
    count: int
    wins: int
    losses: int
    net: Decimal


@takes("account", "strategy", "instrument", *AS_OF)
def statistics(
    ctx: typer.Context,
    asked: Asked,
    since: Annotated[str | None, typer.Option("--since", metavar="DAY", help="First day: 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DAY", help="The day after the last.")] = None,
    currency: Annotated[str | None, typer.Option("--currency", help="All in this one.")] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Results by strategy, instrument, month or reason, as a table.")
    ] = None,
) -> None:
    """Statistics: wins and losses, expectancy, drawdown and more, per currency."""
    if by is not None and by not in GROUPS:
        msg = f"--by: {by!r} is none of {', '.join(GROUPS)}"
        raise InputError(msg, field="by", value=by)
    given = asked.filters("account", "strategy", "instrument")
    named = {"since": since, "until": until, "currency": currency}
    given |= {name: value for name, value in named.items() if value is not None}
    with reading(ctx, asked) as book:
        found = book.statistics(**given)
    here = session(ctx)
    if here.as_json:
        answer(here, found, (), empty=_EMPTY)
    elif by is not None:
        answer(here, _grouped(found, by), GROUPED, empty=_EMPTY)
    elif not found:
        here.say(_EMPTY)
    else:
        for place, row in enumerate(found):
            _show(row, is_first=not place)


def _grouped(found: Iterable["Statistics"], by: str) -> list[_Row]:
    return [
        _Row(
            currency=row.currency,
            name="the rest" if group.name is None else group.name or "none",
            count=group.count,
            wins=group.wins,
            losses=group.losses,
            net=group.net,
        )
        for row in found
        for group in getattr(row, f"by_{by}")
    ]


def _show(row: "Statistics", *, is_first: bool) -> None:
    if not is_first:
        print()
    print(f"round trips in {row.currency}")
    lines = [(name.replace("_", " "), cell(getattr(row, name))) for name in FIGURES]
    lines.append(("realized in days", cell(row.realized.net)))
    if row.max_drawdown is not None:
        fall = row.max_drawdown
        since = f"after {fall.since}" if fall.since else "from the beginning"
        lines.append(("deepest drawdown", f"{cell(fall.amount)} {since} until {fall.until}"))
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        if text:
            print(f"    {name:<{width}}  {text}")
