"""What the demo says when it ends: verify, the last round trips, the years, the totals, and where the book lies."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onebook.app import Book
from onebook.demo import chart, words
from onebook.demo.bots import ACCOUNT, NAMES
from onebook.demo.replay import Replay
from onebook.demo.scene import StrategyMoney, strategy_money
from onebook.domain.reports import DailyPnl, Equity, Position, RoundTrip, Verification, as_plain

LAST_TRIPS = 10
_BAR = 24
_LASTING: dict[bool, tuple[str, ...]] = {False: (), True: (" (temporary, written without waiting for the disk)",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The book's figures at the end.

    ``recorded`` counts the entries that this run wrote; ``happened`` the events worth telling, by what they are;
    ``days`` goes by currency; ``seconds`` are the replay's, without pauses.
    """

    place: str
    is_temporary: bool
    entries: int
    recorded: int
    fills: int
    happened: dict[str, int]
    trips: tuple[RoundTrip, ...]
    money: tuple[StrategyMoney, ...]
    days: dict[str, tuple[DailyPnl, ...]]
    equity: dict[str, Equity]
    positions: tuple[Position, ...]
    verified: Verification
    seconds: float

    @property
    def entries_per_second(self) -> float:
        """New entries per second of the replay, the market, the venue and the bots included."""
        return self.recorded / self.seconds if self.seconds else 0.0


def look(replay: Replay, place: str, seconds: float, *, is_temporary: bool) -> Ending:
    """Return what the book says at the end; verify runs here."""
    book = replay.book
    money = tuple(strategy_money(book, NAMES))
    trips = tuple(book.round_trips(account=ACCOUNT, is_open=False))
    entries = book.status().entries
    return Ending(
        place=place,
        is_temporary=is_temporary,
        entries=entries,
        recorded=entries - replay.entries_before,
        fills=sum(row.fills for row in money),
        happened=_happened(book, trips),
        trips=trips,
        money=money,
        days={currency: tuple(book.daily_pnl(account=ACCOUNT, currency=currency)) for currency in ("USD", "EUR")},
        equity={currency: book.equity(account=ACCOUNT, currency=currency) for currency in ("USD", "EUR")},
        positions=tuple(book.positions(account=ACCOUNT)),
        verified=book.verify(),
        seconds=seconds,
    )


def _happened(book: Book, trips: tuple[RoundTrip, ...]) -> dict[str, int]:
    """Count what a book has to keep up with: round trips by how they ended, and what came beside them."""
    found = Counter(words.REASONS.get(trip.close_reason, trip.close_reason) for trip in trips)
    kinds = Counter(event.type for event in book.events(types=("daily_loss_breached", "signal_detected")))
    actions = Counter(fact.kind for fact in book.facts("corporate_action", account=ACCOUNT))
    rates = sum(1 for _ in book.facts("rate"))
    return dict(sorted(found.items())) | {
        "daily loss": kinds["daily_loss_breached"],
        "signals": kinds["signal_detected"],
        "splits": actions["split"],
        "dividends": actions["dividend"],
        "euro rates": rates,
    }


def as_json(ending: Ending) -> dict[str, Any]:
    """Return the figures for machines: money as text; all but the last three are the same in every run."""
    figures: dict[str, Any] = {
        "entries": ending.entries,
        "recorded": ending.recorded,
        "fills": ending.fills,
        "round_trips": len(ending.trips),
        "happened": ending.happened,
        "realized": {currency: sum((day.net for day in days), Decimal()) for currency, days in ending.days.items()},
        "equity": {currency: equity.amount for currency, equity in ending.equity.items()},
        "by_strategy": [
            {"strategy": row.strategy, "fills": row.fills, "round_trips": row.round_trips}
            | {"realized": {"USD": row.usd, "EUR": row.eur}}
            for row in ending.money
        ],
        "positions": ending.positions,
        "last_round_trips": ending.trips[-LAST_TRIPS:],
        "verify": {"ok": ending.verified.ok, "problems": ending.verified.problems},
        "head_hash": ending.verified.head_hash,
        "book": ending.place,
        "seconds": round(ending.seconds, 3),
        "entries_per_second": round(ending.entries_per_second),
    }
    plain: dict[str, Any] = as_plain(figures)
    return plain


def tell(ending: Ending, console: Console) -> None:
    """Print the figures for people."""
    console.print()
    console.print(_trips(ending))
    console.print()
    console.print(_years(ending))
    console.print()
    for line in (*_totals(ending), _verified(ending.verified), *_where(ending)):
        console.print(line, soft_wrap=True)


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0), header_style="dim"
    )


def _trips(ending: Ending) -> Table:
    table = _table("The journal's last round trips")
    for name in ("closed", "bot", "stock", ""):
        table.add_column(name, no_wrap=True)
    for name in ("shares", "in", "out", "net USD"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", no_wrap=True)
    for trip in ending.trips[-LAST_TRIPS:]:
        table.add_row(
            f"{trip.closed_at:%Y-%m-%d}",
            words.bot(trip.strategy),
            trip.instrument,
            trip.direction,
            words.units(trip.quantity),
            words.amount(trip.entry_price or Decimal()),
            words.amount(trip.exit_price or Decimal()),
            words.signed(trip.net),
            words.REASONS.get(trip.close_reason, trip.close_reason),
        )
    return table


def _years(ending: Ending) -> Table:
    table = _table("Realized by year, at the rate of each day")
    table.add_column("year")
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column("EUR", justify="right", no_wrap=True)
    table.add_column("USD", no_wrap=True)
    years = {currency: _by_year(days) for currency, days in ending.days.items()}
    largest = max((abs(net) for net in years["USD"].values()), default=Decimal(1)) or Decimal(1)
    for year, net in years["USD"].items():
        drawn = chart.bar(float(abs(net) / largest), _BAR)
        euros = years["EUR"].get(year, Decimal())
        style = words.GAIN if net > 0 else words.LOSS
        table.add_row(year, words.signed(net), words.signed(euros), Text(drawn, style))
    return table


def _by_year(days: tuple[DailyPnl, ...]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for day in days:
        found[day.day[:4]] = found.get(day.day[:4], Decimal()) + day.net
    return found


def _totals(ending: Ending) -> Iterator[Text]:
    for currency, equity in ending.equity.items():
        yield Text.assemble(
            (f"{currency}  ", "bold"),
            f"equity {words.amount(equity.amount)} = opening {words.amount(equity.opening)}",
            "  realized ",
            words.signed(equity.realized),
            "  open ",
            words.signed(equity.unrealized),
            *(("  revaluation ", words.signed(equity.revaluation)) if equity.revaluation else ()),
        )
    yield Text("; ".join(f"{name} {count:,}" for name, count in ending.happened.items()), words.QUIET)
    before = ending.entries - ending.recorded
    done = f"{ending.recorded:,} entries" + (f" beside {before:,} that were there already" if before else "")
    done += f"; {ending.fills:,} fills, {len(ending.trips):,} round trips"
    yield Text(f"{done}; {ending.seconds:.1f} s, {ending.entries_per_second:,.0f} entries/s", words.QUIET)


def _verified(verified: Verification) -> Text:
    if verified.ok:
        return Text.assemble(
            ("verify: ok", "bold green"),
            f", {verified.entries:,} entries folded again from the log and compared; head {verified.head_hash[:16]}…",
        )
    found = "; ".join(problem.message for problem in verified.problems[:3])
    return Text.assemble(("verify: NOT ok", "bold red"), f", {len(verified.problems)} problems: {found}")


def _where(ending: Ending) -> Iterator[Text]:
    yield Text.assemble("\nThe book: ", (ending.place, "bold"), *_LASTING[ending.is_temporary], "   Try:")
    for command in (
        "positions",
        "explain IBM --account demo --strategy breakout",
        "journal",
    ):
        yield Text(f"  onebook --db {ending.place} {command}", "cyan")
