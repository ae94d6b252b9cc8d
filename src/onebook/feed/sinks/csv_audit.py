r"""The CSV audit: a row per fill, and per thing that happened to one. It never changes a row that it wrote.

The first line is the header; the columns are these, in this order, and a later release only adds behind them:

============== ======================================================================================
column         what it holds
============== ======================================================================================
book           the book and its epoch
event_id       ``sequence.ordinal`` in its log
event          ``trade_executed``, ``trade_busted``, ``trade_corrected`` or ``trade_conflicted``
recorded_at    when the book learned it, RFC 3339 UTC
occurred_at    when it happened at the venue, RFC 3339 UTC
account strategy instrument leg   whose, why and what
side           ``buy`` or ``sell``
quantity       more than 0, unsigned
price          per unit, in the quote currency
amount         quantity × price exactly, unsigned; of a contract without its contract size
fee            negative is a rebate; empty: not stated
fee_currency   empty: the settlement currency
liquidity venue venue_order_id venue_fill_id client_fill_id client_order_id signal_id close_reason   as stated
trade_id       the identity of the fill
reason         why it was busted, corrected or found in conflict
changed        names of the corrected fields, with commas
from_account from_instrument   of a correction: where the fill was booked before, if elsewhere
first_sequence of a conflict: the entry of the fill that stands
tags note      as stated; tags with commas
actor correlation_id   who recorded it, and what it belongs to
============== ======================================================================================

A busted row shows the fill that no longer counts, a corrected one the fill as it is now, one in conflict the
other content. Numbers are plain: a negative fee stays a number. In text ``\n \r \t \\`` and ``\u0085`` stand for
line breaks, backslashes and other control characters, so that a row is always one line; a text that begins with
``= + - @`` has a ``'`` before it, so that no spreadsheet runs it.
"""

import csv
import io
import re
from decimal import Decimal
from typing import Any

from onebook.config import Key
from onebook.config import values as take
from onebook.domain import times
from onebook.domain.cells import as_it_was, harmless, on_one_line, with_its_lines
from onebook.domain.numbers import multiply, plain
from onebook.domain.reports import Event
from onebook.feed.sink import Around, Sink
from onebook.feed.sinks import options as kinds
from onebook.feed.sinks.file_end import Row
from onebook.feed.sinks.growing import GrowingFile
from onebook.feed.sinks.rotated import Rotation

COLUMNS = (
    "book", "event_id", "event", "recorded_at", "occurred_at", "account", "strategy", "instrument", "leg", "side",
    "quantity", "price", "amount", "fee", "fee_currency", "liquidity", "venue", "venue_order_id", "venue_fill_id",
    "client_fill_id", "client_order_id", "signal_id", "close_reason", "trade_id", "reason", "changed",
    "from_account", "from_instrument", "first_sequence", "tags", "note", "actor", "correlation_id",
)  # fmt: skip

TYPES = frozenset({"trade_executed", "trade_busted", "trade_corrected", "trade_conflicted"})

OPTIONS: dict[str, Key] = {
    "path": Key(
        take=kinds.path, default=None, needed=True, help="the file; rotated ones get -YYYYMMDD-N before the ending"
    ),
    "rotate_bytes": Key(take=kinds.size, default=100_000_000, help="a new file before it gets larger; 0 never"),
    "rotate_daily": Key(take=take.switch, default=False, help="a new file for each UTC day of recording"),
    "keep": Key(take=take.count(0, 100_000), default=0, help="how many rotated files stay; 0 all"),
}

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_EVENT_ID = re.compile(r"\d{1,18}\.\d{1,9}", re.ASCII)
_NUMERIC = frozenset({"quantity", "price", "amount", "fee", "first_sequence"})
_ABOUT = ("trade_id", "reason", "first_sequence")
_ENVELOPE = ("account", "strategy", "instrument", "actor", "correlation_id")
_STATED = frozenset(COLUMNS[COLUMNS.index("leg") :]) - set(_ENVELOPE) - {"amount"}


def make(around: Around, options: dict[str, Any]) -> Sink:
    """Return the sink.

    Raises:
        BadConfig: no path.
        BadPayload: there is a file that is not this audit.
    """
    rotation = Rotation(**{name: options[name] for name in ("rotate_bytes", "rotate_daily", "keep")})
    return GrowingFile(around, kinds.needed(options, "path", around.name), Audit(), rotation)


def cell(value: Any, *, numeric: bool = False) -> str:
    """Return a value as it stands in the file.

    Args:
        value: text, a number, or a list of texts; None is empty.
        numeric: the column holds numbers, which may begin with ``-``.
    """
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        value = ",".join(str(item) for item in value)
    found = str(value)
    return found if numeric and _NUMBER.fullmatch(found) else harmless(on_one_line(found))


def text_of(cell: str) -> str:
    """Return the text that a cell stands for."""
    return with_its_lines(as_it_was(cell))


class Audit:
    """How the events of fills are written as rows."""

    def __init__(self) -> None:
        self.header = _row(COLUMNS)

    def begins(self, book: str) -> bytes:
        """Return how each row of a book begins, whatever its epoch."""
        return _row([cell(f"{book}x")]).rstrip(b'"\n')[:-1]

    def line(self, event: Event, book_id: str) -> bytes | None:
        """Return an event's row; None for what is no event of a fill."""
        if event.type not in TYPES:
            return None
        stated: dict[str, Any] = event.data
        if event.type == "trade_conflicted":
            stated = event.data.get("content", {}) | {name: event.data.get(name) for name in _ABOUT}
        values: dict[str, Any] = {name: value for name, value in stated.items() if name in _STATED}
        values |= {name: getattr(event, name) for name in _ENVELOPE}
        values |= {"book": book_id, "event_id": event.id, "event": event.type, "amount": _amount(stated)}
        for name in ("recorded_at", "occurred_at"):
            values[name] = times.to_text(times.from_datetime(name, getattr(event, name)))
        return _row([cell(values.get(name), numeric=name in _NUMERIC) for name in COLUMNS])

    def row(self, line: bytes) -> Row | None:
        """Return what a line says of itself; None when it is no row of an audit."""
        try:
            cells = next(csv.reader([line.decode()], strict=True), [])
        except (UnicodeDecodeError, csv.Error):
            return None
        if len(cells) != len(COLUMNS) or not _EVENT_ID.fullmatch(cells[1]) or cells[2] not in TYPES:
            return None
        return Row(text_of(cells[0]), cells[1], cells[3][:10].replace("-", ""))


def _amount(stated: dict[str, Any]) -> str:
    quantity, price = stated.get("quantity"), stated.get("price")
    return "" if quantity is None or price is None else plain(multiply(Decimal(quantity), Decimal(price)))


def _row(cells: list[str] | tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()
