"""Golden tables: events on the left, the state they must lead to on the right.

A file holds one rule. A block begins with `== what it shows`; lines that begin with `#` are prose. `instrument X`
names the instrument of the block, `book k=v` its settings. Then comes one table:

    time  | event               | quantity | average
    09:00 | buy 10 @ 100 fee 1  | 10       | 100
    10:00 | A: sell 4 @ 110     | 6        |

An empty cell is checked too: it says "as in the row above". `-` is nothing: no position, no price, no lots.
Times are UTC on Monday 2024-01-15, or `MM-DD HH:MM[:SS]` of 2024; the clock of the book follows them and never
goes back, so an earlier time is a late fact. A time of `-` is left out. A label such as `A:` lets a later row
say `bust A` or `correct A price=...`.

Columns are figures of the account's total. `quantity[a]` is strategy a's (`[-]` the unnamed one's),
`quantity[long]` a leg's, `quantity[@b]` account b's, `quantity[a@b]` both. `balance[USDT]`, `balance[USDT@b]`,
`net[01-16]` (a day's net), `restated[01-16]`,
`lots[fifo]`, `gains[fifo]`, `status` (or the name of the error), `trips`.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook.domain.facts import FACTS
from onebook.domain.numbers import plain
from onebook.errors import BookError
from onebook.testing.clock import FakeClock

FOLDER = Path(__file__).parent
RULES = """
average base_fee bust contract_size correction days dividend dust equal_times fifo flip funding hedge_legs hifo inverse
late_fill lifo linear opening_balance partial_exits realized_day reassign rebate settlement split symbol_change
third_currency_fee tiny_prices transfer
"""
NAMED = {"funding", "corporate_action", "settlement", "reassign"}


@dataclass
class Row:
    line: int
    time: str
    event: str
    expected: list[str]


@dataclass
class Table:
    file: str
    name: str
    instrument: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def tables(path: Path) -> Iterator[Table]:
    table: Table | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("=="):
            if table is not None:
                yield table
            table = Table(path.stem, text.strip("= "))
            continue
        assert table is not None, f"{path.name}:{number}: a block begins with =="
        if "|" not in text:
            word, rest = text.split(" ", 1)
            if word == "instrument":
                table.instrument = rest.strip()
            else:
                assert word == "book", f"{path.name}:{number}: {text}"
                table.settings = dict(part.split("=", 1) for part in rest.split())
            continue
        cells = [cell.strip() for cell in text.split("|")]
        if not table.columns:
            assert cells[:2] == ["time", "event"], f"{path.name}:{number}: {text}"
            table.columns = cells[2:]
            continue
        assert len(cells) == len(table.columns) + 2, f"{path.name}:{number}: {len(cells)} cells"
        expected = cells[2:]
        above = table.rows[-1].expected if table.rows else expected
        filled = [cell or before for cell, before in zip(expected, above, strict=True)]
        assert all(filled), f"{path.name}:{number}: the first row has no row above"
        table.rows.append(Row(number, cells[0], cells[1], filled))
    assert table is not None, path
    yield table


def all_tables() -> list[Any]:
    found = [table for path in sorted(FOLDER.glob("*.txt")) for table in tables(path)]
    return [pytest.param(table, id=f"{table.file}: {table.name}") for table in found]


class Player:
    """Plays a table's events into a book and reads its columns."""

    def __init__(self, table: Table, place: str) -> None:
        self.table = table
        self.clock = FakeClock("2024-01-15T00:00:00Z")
        self.book = onebook.open(place, clock=self.clock)
        self.labels: dict[str, int | str] = {}
        self.status = ""
        self.number = 0
        if table.settings:
            self.book.record(onebook.BookSettings(**table.settings))

    def play(self, row: Row) -> None:
        self.number += 1
        at = self.moment(row.time)
        if at is not None:
            ahead = FakeClock(at)
            self.clock.now = max(self.clock.now, ahead.now)
        self.clock.advance(1)
        label, event = "", row.event
        match = re.match(r"([A-Z][A-Za-z0-9]*): (.*)", event)
        if match is not None:
            label, event = match.groups()
        try:
            receipt = self.act(shlex.split(event), at)
        except BookError as problem:
            if "status" not in self.table.columns:
                raise
            self.status = type(problem).__name__
            return
        if receipt is not None:
            self.status = receipt.status
            if label:
                self.labels[label] = receipt.sequence

    def moment(self, text: str) -> str | None:
        if text == "-":
            return None
        day, _, clock = text.rpartition(" ")
        if clock.count(":") == 1:
            clock += ":00"
        return f"2024-{day or '01-15'}T{clock}Z"

    def act(self, words: list[str], at: str | None) -> Any:
        verb, rest = words[0], words[1:]
        if verb in {"buy", "sell"}:
            return self.book.record(self.fill(verb, rest, at))
        if verb == "mark":
            self.book.mark(self.table.instrument, rest[0], at=at)
            return None
        if verb == "bust":
            return self.book.bust(self.labels[rest[0]], reason="the table says so")
        given: dict[str, Any] = dict(word.split("=", 1) for word in rest if "=" in word)
        if verb == "correct":
            if "occurred_at" in given:
                given["occurred_at"] = self.moment(given["occurred_at"])
            return self.book.correct(self.labels[rest[0]], reason="the table says so", **given)
        kind = FACTS[verb]
        names = kind.__dataclass_fields__
        if verb in NAMED:
            given.setdefault("instrument", self.table.instrument)
        if "occurred_at" in names:
            given.setdefault("occurred_at", at)
        for name in ("received_at", "paid_at", "expires_at"):
            if name in given:
                given[name] = self.moment(given[name])
        if "effective_on" in given:
            given["effective_on"] = f"2024-{given['effective_on']}"
        return self.book.record(kind(**given))

    def fill(self, side: str, words: list[str], at: str | None) -> onebook.Fill:
        quantity, sign, price, *rest = words
        assert sign == "@", words
        given: dict[str, Any] = {"instrument": self.table.instrument}
        if rest and rest[0] == "fee":
            given["fee"] = rest[1]
            rest = rest[2:]
            if rest and "=" not in rest[0]:
                given["fee_currency"] = rest[0]
                rest = rest[1:]
        given |= dict(word.split("=", 1) for word in rest)
        if "venue_fill_id" not in given:
            given["client_fill_id"] = f"row-{self.number}"
        given.setdefault("venue", "venue")
        return onebook.Fill(side=side, quantity=quantity, price=price, occurred_at=at, **given)

    # ---- columns ----

    def read(self, column: str) -> str:
        match = re.fullmatch(r"(\w+)(?:\[(.*)\])?", column)
        assert match is not None, column
        figure, where = match.group(1), match.group(2) or ""
        if figure == "status":
            return self.status
        if figure == "balance":
            asset, _, account = where.partition("@")
            rows = self.book.balances(account=account or "main")
            return plain(sum((row.amount for row in rows if row.asset == asset), Decimal(0)))
        if figure in {"net", "restated"}:
            return self.day(figure, f"2024-{where}")
        if figure in {"equity", "opening", "other", "revaluation"}:
            equity = self.book.equity()
            return plain(equity.amount if figure == "equity" else getattr(equity, figure))
        if figure in {"lots", "gains"}:
            method, _, account = where.partition("@")
            return self.lots(figure, method, account or "main")
        name, _, account = where.partition("@")
        return self.position(figure, name, account or "main")

    def day(self, figure: str, day: str) -> str:
        rows = [row for row in self.book.daily_pnl() if row.day == day]
        if not rows:
            return "-"
        if figure == "restated":
            return "yes" if any(row.restated for row in rows) else "no"
        return plain(sum((row.net for row in rows), Decimal(0)))

    def lots(self, figure: str, method: str, account: str) -> str:
        lots = self.book.lots(self.table.instrument, account=account, method=method)
        if figure == "gains":
            return plain(sum((lot.gain for lot in lots.closed if lot.gain is not None), Decimal(0)))
        shown = [f"{plain(lot.quantity)} @ {'?' if lot.price is None else plain(lot.price)}" for lot in lots.open]
        return ", ".join(shown) or "-"

    def position(self, figure: str, name: str, account: str) -> str:
        leg = name if name in {"long", "short"} else None
        strategy = None if leg or not name else "" if name == "-" else name
        if figure == "trips":
            trips = self.book.round_trips(account=account, strategy=strategy, instrument=self.table.instrument)
            return "; ".join(_trip(trip) for trip in trips) or "-"
        held = self.book.position(self.table.instrument, account=account, strategy=strategy, leg=leg)
        if held is None:
            return "-"
        return FIGURES[figure](held)


def _trip(trip: onebook.RoundTrip) -> str:
    entry = "?" if trip.entry_price is None else plain(trip.entry_price)
    exit_price = "" if trip.exit_price is None else plain(trip.exit_price)
    text = f"{trip.direction} {plain(trip.quantity)} {entry}→{exit_price} fees {plain(trip.fees)} net {plain(trip.net)}"
    return f"{text} open" if trip.is_open else text


def _or_nothing(value: Decimal | None) -> str:
    return "-" if value is None else plain(value)


FIGURES: dict[str, Callable[[onebook.Position], str]] = {
    "quantity": lambda held: plain(held.quantity),
    "average": lambda held: _or_nothing(held.average_price),
    "cost": lambda held: plain(held.cost_basis),
    "gross": lambda held: plain(held.realized_pnl_gross),
    "fees": lambda held: plain(held.fees),
    "in_base": lambda held: plain(held.fees_in_base),
    "funding": lambda held: plain(held.funding),
    "income": lambda held: plain(held.income),
    "realized": lambda held: plain(held.realized_pnl),
    "unrealized": lambda held: _or_nothing(held.unrealized_pnl),
    "unvalued": lambda held: ", ".join(f"{plain(amount)} {name}" for name, amount in held.unvalued) or "-",
    "flags": lambda held: ", ".join(held.flags) or "-",
    "instrument": lambda held: held.instrument,
}


@pytest.fixture(params=["sqlite", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return ":memory:" if request.param == "memory" else str(tmp_path / "book.db")


@pytest.mark.parametrize("table", all_tables())
def test_table(table: Table, place: str) -> None:
    player = Player(table, place)
    with player.book as book:
        for row in table.rows:
            player.play(row)
            found = [player.read(column) for column in table.columns]
            wrong = [
                f"{column}: expected {want}, found {got}"
                for column, want, got in zip(table.columns, row.expected, found, strict=True)
                if want != got
            ]
            assert not wrong, f"{table.file}.txt:{row.line}: {row.event}: " + "; ".join(wrong)
        report = book.verify()
        assert report.ok, report.problems


def test_every_rule_has_its_table() -> None:
    files = {path.stem for path in FOLDER.glob("*.txt")}
    rules = set(RULES.split())
    assert rules <= files, sorted(rules - files)
