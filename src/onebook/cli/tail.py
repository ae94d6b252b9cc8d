"""The log as it happens: events one by one."""

import sys
from typing import Annotated, Any

import typer

from onebook.cli.asking import reading
from onebook.cli.session import session
from onebook.cli.tables import as_json, cell

_SKIPPED = frozenset({"account", "instrument", "strategy", "raw", "trade_id", "worth", "base"})
_LINE = 160


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
) -> None:
    """Events of the log, oldest first. With --json one object on each line."""
    show = _json_line if session(ctx).as_json else _text_line
    with reading(ctx) as book:
        start: int | str = after if after is not None else max(book.status().entries - 20, 0)
        events = book.events(
            after=start,
            types=types,
            follow=follow,
            accounts=account,
            instruments=instrument,
            strategies=strategy,
        )
        for event in events:
            sys.stdout.write(show(event) + "\n")
            if follow:
                sys.stdout.flush()


def _json_line(event: Any) -> str:
    return as_json(event)


def _text_line(event: Any) -> str:
    where = " ".join(part for part in (event.account, event.instrument, event.strategy) if part)
    said = ", ".join(
        f"{name} {_short(value)}"
        for name, value in event.data.items()
        if name not in _SKIPPED and value not in (None, "", [], {}, "0")
    )
    line = f"{event.id:>8}  {cell(event.occurred_at)}  {event.type:<22} {where}  {said}"
    return cell(line if len(line) <= _LINE else line[: _LINE - 1] + "…")


def _short(value: Any) -> str:
    return as_json(value) if isinstance(value, dict | list) else str(value)
