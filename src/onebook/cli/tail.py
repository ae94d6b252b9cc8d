"""The log as it happens: events one by one."""

import sys
from collections import deque
from functools import partial
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onebook.cli.asking import reading
from onebook.cli.session import session
from onebook.cli.tables import cell
from onebook.domain.reports import as_json

if TYPE_CHECKING:
    from onebook.app import Book

_SKIPPED = frozenset({"account", "instrument", "strategy", "raw", "trade_id", "worth", "base"})
_LINE = 160
"""Columns where there is no terminal."""
_LAST = 20


def tail(  # noqa: PLR0913  the filters of the log
    ctx: typer.Context,
    types: Annotated[
        str | None, typer.Option("--types", help="Only these, with commas; patterns such as trade_*.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", help="Begin behind this sequence or event id; else the last 20.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,
    account: Annotated[str | None, typer.Option("--account", help="Only this account.")] = None,
    instrument: Annotated[str | None, typer.Option("--instrument", help="Only this instrument.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Only this strategy.")] = None,
    min_quantity: Annotated[str | None, typer.Option("--min-quantity", help="Leave smaller fills out.")] = None,
    min_amount: Annotated[
        str | None, typer.Option("--min-amount", help="Leave fills of a smaller quantity × price out.")
    ] = None,
) -> None:
    """Events of the log, oldest first. With --json one object on each line."""
    width = get_terminal_size().columns if sys.stdout.isatty() else _LINE
    show = _json_line if session(ctx).as_json else partial(_text_line, width=width)
    with reading(ctx) as book:
        wanted: dict[str, Any] = {
            "types": types,
            "accounts": account,
            "instruments": instrument,
            "strategies": strategy,
            "min_quantity": min_quantity,
            "min_amount": min_amount,
        }
        empty = True
        start = after if after is not None else _last(book, wanted)
        for event in book.events(after=start, follow=follow, **wanted):
            empty = False
            sys.stdout.write(show(event) + "\n")
            if follow:
                sys.stdout.flush()
        if empty:
            session(ctx).say("no events")


def _last(book: "Book", wanted: dict[str, Any]) -> int | str:
    """Return behind which sequence or event the last entries begin, or the last events that are wanted."""
    entries, searched = book.status().entries, _LAST
    if not any(value is not None for value in wanted.values()):
        return max(entries - _LAST, 0)
    while True:
        start = max(entries - searched, 0)
        found = deque((event.id for event in book.events(after=start, **wanted)), maxlen=_LAST + 1)
        if len(found) > _LAST:
            return found[0]
        if not start:
            return 0
        searched *= 10


def _json_line(event: Any) -> str:
    return as_json(event)


def _text_line(event: Any, width: int) -> str:
    where = " ".join(part for part in (event.account, event.instrument, event.strategy) if part)
    said = ", ".join(
        f"{name} {_short(value)}"
        for name, value in event.data.items()
        if name not in _SKIPPED and value not in (None, "", [], {}, "0")
    )
    line = cell(f"{event.id:>8}  {cell(event.occurred_at)}  {event.type:<22} {where}  {said}")
    if len(line) * 2 <= width:
        return line
    from rich.cells import cell_len, set_cell_size

    return line if cell_len(line) <= width else set_cell_size(line, width - 1) + "…"


def _short(value: Any) -> str:
    return as_json(value) if isinstance(value, dict | list) else str(value)
