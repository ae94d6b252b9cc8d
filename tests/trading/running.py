"""A runner over a book with a paper account, real bars to run on, and what two books are compared by."""

import csv
import gzip
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import onebook
from onebook import Instrument
from onebook.domain import times
from onebook.domain.market import Bar, Print, Seen
from onebook.domain.matching import FixedBps, Rules
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.brokers.paper_rules import Fees, PaperRules
from onebook.trading.runner.clock import ReplayClock
from onebook.trading.runner.crew import Hired
from onebook.trading.runner.runner import Runner
from onebook.trading.runner.strategy import Strategy

D = Decimal
BTC = "BTC/USD:USD"
SHARED = "ONEBOOK_SHARED"
STOCKS = Path(onebook.__file__).parent / "demo" / "data" / "us_stocks_daily.csv.gz"
RULES = PaperRules(
    matching=Rules(slippage=FixedBps(bps=D(2), random_ratio=D(1))),
    fees=Fees(maker_ratio=D("0.0002"), taker_ratio=D("0.0005")),
    seed=11,
)
EVEN = PaperRules(matching=Rules(slippage=FixedBps(bps=D(2))), fees=RULES.fees)
"""Without chance: a stop's exit is named after its place in the log, which is another one after a restart."""


# ---- what the market showed ----


def shared_file(name: str) -> Path | None:
    """A file of the real data outside the repository, where it is there."""
    for parent in Path(__file__).resolve().parents:
        for folder in (Path(os.environ.get(SHARED, parent / "shared")), parent / "shared"):
            if (folder / "data" / "market" / name).is_file():
                return folder / "data" / "market" / name
    return None


@cache
def btc_bars(first: int = 0, bars: int = 600) -> tuple[Bar, ...]:
    """Real bars of a minute of a perpetual; none where the data is not there."""
    path = shared_file("btc_perp_1m.csv.gz")
    if path is None:
        return ()
    found = []
    with gzip.open(path, "rt") as lines:
        for line in islice(lines, 1 + first, 1 + first + bars):
            at, *prices, volume = line.strip().split(",")
            opened = times.from_text("timestamp", at.replace(" ", "T") + "Z")
            a, b, c, d = (D(price) for price in prices)
            found.append(
                Bar(
                    instrument=BTC,
                    timeframe="1m",
                    opened_ns=opened,
                    at_ns=opened + times.MINUTE,
                    open=a,
                    high=b,
                    low=c,
                    close=d,
                    volume=D(volume),
                )
            )
    return tuple(found)


@cache
def stock_bars(days: int = 250, *names: str, since: str = "2010-01-01") -> tuple[Bar, ...]:
    """Real daily bars of stocks, merged by time."""
    wanted = names or ("AAPL", "MSFT")
    found: list[Bar] = []
    seen: dict[str, int] = dict.fromkeys(wanted, 0)
    with gzip.open(STOCKS, "rt", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        name = row["Ticker"]
        if name not in seen or row["Date"] < since or seen[name] >= days:
            continue
        seen[name] += 1
        opened = times.from_text("day", f"{row['Date']}T14:30:00Z")
        found.append(
            Bar(
                instrument=name,
                timeframe="1d",
                opened_ns=opened,
                at_ns=opened + 390 * times.MINUTE,
                open=D(row["Open"]),
                high=D(row["High"]),
                low=D(row["Low"]),
                close=D(row["Close"]),
                volume=D(row["Volume"]),
            )
        )
    return tuple(sorted(found, key=lambda bar: (bar.at_ns, bar.instrument)))


def printed(prices: Iterable[Any], *, instrument: str = "AAPL", since: str = "2024-03-04T15:00:00Z") -> list[Seen]:
    """Prints a second apart."""
    begin = times.from_text("since", since)
    return [
        Print(instrument=instrument, at_ns=begin + number * times.SECOND, price=D(price), quantity=D(1000))
        for number, price in enumerate(prices)
    ]


# ---- a scene ----


class Scene:
    """One book in a place, and lives of a runner on it."""

    def __init__(self, place: str, *, opening: str = "100000", rules: PaperRules = RULES) -> None:
        self.place = place
        self.rules = rules
        self.opening = opening
        self.book: onebook.Book
        self.clock: ReplayClock

    def open(self, begin_ns: int = 0) -> onebook.Book:
        self.clock = ReplayClock(begin_ns)
        config = {"synchronous": "normal"}  # a kill takes nothing from it, only a loss of power does
        self.book = onebook.open(self.place, clock=self.clock, actor="runner", config=config)
        return self.book

    def define(self) -> None:
        """The paper account and its instruments; again changes nothing."""
        open_paper_account(self.book, "paper", "USD", self.opening)
        self.book.trading.limits.set(account="paper", max_mark_age_seconds=2 * 86_400)
        for symbol in ("AAPL", "MSFT"):
            self.book.record(
                Instrument(symbol=symbol, kind="equity", base=symbol, quote="USD", tick_size="0.01", lot_size="1")
            )
        self.book.record(
            Instrument(symbol=BTC, kind="perpetual", base="BTC", quote="USD", tick_size="0.5", lot_size="0.001")
        )

    def runner(self, strategies: Sequence[Strategy | Hired], **more: Any) -> Runner:
        broker = more.pop("broker", None) or PaperBroker(self.book, ("paper",), self.rules, clock=self.clock)
        more.setdefault("name", "test")
        more.setdefault("lease_seconds", 0.001)
        return Runner(self.book, strategies, {"paper": broker}, clock=self.clock, **more)

    def run(
        self, make: Callable[[], Sequence[Strategy | Hired]], events: Sequence[Seen], *, most: int = 0, **more: Any
    ) -> str:
        """One life of a process: open, go over at most so many events, close; return why it ended."""
        self.open(events[0].at_ns - times.MINUTE)
        try:
            self.define()
            runner = self.runner(make(), **more)
            if most:
                inner = runner._progress

                def progress(done: int, at_ns: int) -> None:
                    inner(done, at_ns)
                    if done >= most:
                        runner.stop("enough")

                runner._progress = progress
            return runner.replay(events)
        finally:
            self.book.close()


# ---- equality ----

OBSERVED = {"highest", "lowest"}
"""The best and worst mark of an open position: marks of a process that ended count from its last fill on."""

_PLACES = {"sequence", "id", "first", "round_trip", "updated_at", "head_hash", "recorded_at", "set_at"}


def plain(value: Any, numbers: dict[str, int]) -> Any:
    """A record as plain data, in which places in the log are left out and ids that hold one are numbered anew."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: plain(getattr(value, item.name), numbers)
            for item in fields(value)
            if item.name not in _PLACES | OBSERVED
        }
    if isinstance(value, dict):
        return {name: plain(item, numbers) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, numbers) for item in value]
    if isinstance(value, str):
        return re.sub(r"(?:stop|order|fill)-\d+", lambda found: _again(found.group(), numbers), value)
    return value


def _again(name: str, numbers: dict[str, int]) -> str:
    kind = name.partition("-")[0]
    return f"{kind}-#{numbers.setdefault(name, next(n for n in count(1) if n not in numbers.values()))}"


def read_models(book: onebook.Book) -> dict[str, Any]:
    """What a book says, but for places in its log: two that went through the same are equal here."""
    numbers: dict[str, int] = {}
    found = {
        "fills": book.fills(),
        "orders": sorted(book.orders(), key=lambda item: (item.occurred_ns, item.sequence)),
        "signals": sorted(book.signals(), key=lambda item: (item.occurred_ns, item.sequence)),
        "positions": book.positions(is_open=None),
        "round_trips": book.round_trips(),
        "balances": book.balances(),
        "limits": book.facts("limits"),
        "protections": book.trading.protections(status=None),
    }
    return {name: plain(rows, numbers) for name, rows in found.items()}


def models_of(place: str) -> dict[str, Any]:
    with onebook.open(place) as book:
        report = book.verify()
        assert report.ok, report.problems
        return read_models(book)
