"""Answers on the screen: tables that fit the terminal, or the same as JSON.

Numbers keep their exact value in JSON; a table shows long quotients shortened. What would not fit is left out
column by column, the least needed first, and a line below says so.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from shutil import get_terminal_size
from typing import Any

from onebook.cli.session import Session
from onebook.domain.numbers import plain
from onebook.domain.reports import as_json, as_plain

MAX_ROWS = 1000
"""Most rows of a table; JSON has no limit."""

WIDE = 400
"""Columns where there is no terminal: nothing is left out."""

_GAP = 3
_PLACES = 8
_EMPTY = frozenset({"", "0", "no"})
"""What says nothing: a column of these alone is shown only where it is always needed."""

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, the attribute it shows, and its rank; the highest rank is left out first."""

    title: str
    name: str
    rank: int = 0


def columns(*texts: str) -> tuple[Column, ...]:
    """Return columns from texts such as ``"Average price=average_price 2"``: title, attribute, rank."""
    made = []
    for text in texts:
        title, _, rest = text.partition("=")
        name, _, rank = rest.partition(" ")
        made.append(Column(title, name, int(rank or 0)))
    return tuple(made)


def answer(session: Session, rows: Iterable[Any], shown: Sequence[Column], *, empty: str) -> None:
    """Print rows as a table or as a JSON array; ``empty`` is said when there are none."""
    if session.as_json:
        print_array(rows)
        return
    kept = list(islice(rows, MAX_ROWS + 1))
    if not kept:
        session.say(empty)
        return
    table(kept[:MAX_ROWS], shown)
    if len(kept) > MAX_ROWS:
        session.say(f"the first {MAX_ROWS} rows; choose with --since, --until and --limit, or use --json for all")


def print_array(rows: Iterable[Any]) -> None:
    """Print a JSON array, one row on a line, without holding it all."""
    write = sys.stdout.write
    write("[")
    for number, row in enumerate(rows):
        write(("," if number else "") + "\n" + as_json(row))
    write("\n]\n")


def print_object(value: Any) -> None:
    """Print one JSON value."""
    sys.stdout.write(json.dumps(as_plain(value), ensure_ascii=False, indent=2) + "\n")


def pairs(session: Session, value: Any, rows: Iterable[tuple[str, Any]]) -> None:
    """Print an object as names and values, or as JSON."""
    if session.as_json:
        print_object(value)
        return
    listed = [(name, cell(item)) for name, item in rows]
    width = max((len(name) for name, _ in listed), default=0)
    for name, text in listed:
        print(f"{name:<{width}}  {text}")


def cell(value: Any) -> str:
    """Return a value as it stands in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return shortened(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, tuple | list):
        return ", ".join(
            " ".join(cell(part) for part in item) if isinstance(item, tuple) else cell(item) for item in value
        )
    text = str(value)
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def shortened(value: Decimal) -> str:
    """Return a number with at most 8 places, or 6 digits where it is smaller than that can show."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent <= _PLACES:
        return plain(value)
    places = max(_PLACES, _DIGITS - 1 - value.adjusted())
    return plain(round(value, places)) if -exponent > places else plain(value)


def table(rows: Sequence[Any], shown: Sequence[Column]) -> None:
    """Print rows under headings, as wide as the terminal allows."""
    width = get_terminal_size().columns if sys.stdout.isatty() else WIDE
    texts = {column: [cell(getattr(row, column.name)) for row in rows] for column in shown}
    said = [column for column in shown if not column.rank or not _EMPTY.issuperset(texts[column])]
    kept = _fitting(said, texts, width)
    needed = {column: _needs(column, texts[column]) for column in kept}
    right = {column for column in kept if any(isinstance(getattr(row, column.name), Decimal | int) for row in rows)}
    if sum(needed.values()) + _GAP * (len(kept) - 1) > width:
        _folded(kept, texts, right, width)
    else:
        _straight(kept, texts, right, needed)
    left_out = [column.title.lower() for column in said if column not in kept]
    if left_out:
        sys.stderr.write(f"not shown here: {', '.join(left_out)}; widen the terminal or use --json\n")


def _straight(
    kept: list[Column], texts: dict[Column, list[str]], right: set[Column], needed: dict[Column, int]
) -> None:
    """Print rows that fit, one line each: many of them, quickly."""
    from rich.cells import cell_len

    def padded(column: Column, text: str) -> str:
        space = " " * (needed[column] - cell_len(text))
        return space + text if column in right else text + space

    gap = " " * _GAP
    lines = [gap.join(padded(column, column.title) for column in kept)]
    lines.append("─" * (sum(needed.values()) + _GAP * (len(kept) - 1)))
    lines += [gap.join(map(padded, kept, row)) for row in zip(*(texts[column] for column in kept), strict=True)]
    print("\n".join(line.rstrip() for line in lines))


def _folded(kept: list[Column], texts: dict[Column, list[str]], right: set[Column], width: int) -> None:
    """Print rows whose needed columns alone are too wide, with their texts folded."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in kept:
        drawn.add_column(column.title, justify="right" if column in right else "left", overflow="fold")
    for row in zip(*(texts[column] for column in kept), strict=True):
        drawn.add_row(*map(Text, row))
    Console(highlight=False, emoji=False, width=width).print(drawn)


def _needs(column: Column, texts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(len(column.title), *map(cell_len, texts))


def _fitting(shown: list[Column], texts: dict[Column, list[str]], width: int) -> list[Column]:
    needed = {column: _needs(column, texts[column]) + _GAP for column in shown}
    kept = list(shown)
    while sum(needed[column] for column in kept) - _GAP > width and any(column.rank for column in kept):
        highest = max(column.rank for column in kept)
        kept.remove(next(column for column in reversed(kept) if column.rank == highest))
    return kept
