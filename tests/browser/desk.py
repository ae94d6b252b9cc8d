"""The book that the pages show, the command line that says the same figures, and the service in its own process."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.feed.waiting import until

import onebook
from onebook import Fill, Instrument, Limits, Order, OrderUpdate, Signal
from onebook.demo.main import Wanted, replay_into

UNTIL = date(2001, 6, 29)
"""The demo is cut short here: four positions are open, 21 round trips ended, one loss streak lies behind."""

ACCOUNT = "demo"
MARKS = {"AAPL": "25.87", "MSFT": "72.65", "IBM": "114.02", "BTC/USD": "43300.5"}


def build(path: Path) -> None:
    """Make the book: the demo's first year and a half, and a desk that trades today."""
    replay_into(Wanted(url=str(path), once=True, as_json=True, until=UNTIL), str(path))
    with onebook.open(path, actor="desk") as book:
        for fact in _today(datetime.now(UTC)):
            book.record(fact)
        for instrument, price in MARKS.items():
            book.mark(instrument, price, source="desk")
        book.trading.protect("AAPL", account=ACCOUNT, strategy="grid", stop_loss="24.5", take_profit="29.25")
        book.record(
            Fill(
                instrument="AAPL",
                side="buy",
                quantity="41",
                price="25.1",
                account=ACCOUNT,
                strategy="grid",
                client_fill_id="g-1",
            )
        )  # another quantity under the same name: a break
        subscriber = book.subscribe("taxes", _refuse, types="trade_conflicted", start="beginning", attempts=1)
        until(lambda: subscriber.lag == 0)  # its one event is a dead letter


def _refuse(event: onebook.Event) -> None:
    raise ValueError(f"no form has a line for {event.type}")


def _today(now: datetime) -> list[Any]:
    def ago(seconds: int) -> datetime:
        return now - timedelta(seconds=seconds)

    def fill(instrument: str, side: str, quantity: str, price: str, strategy: str, name: str) -> Fill:
        return Fill(
            instrument=instrument, side=side, quantity=quantity, price=price, fee="0.35", account=ACCOUNT,
            strategy=strategy, client_fill_id=name, occurred_at=ago(120 - int(name[-1])),
        )  # fmt: skip

    grid: dict[str, Any] = {"account": ACCOUNT, "strategy": "grid", "instrument": "AAPL"}
    return [
        Instrument(symbol="BTC/USD", base="BTC", quote="USD", tick_size="0.01", lot_size="0.00000001"),
        Limits(max_exposure="250000"),
        Limits(account=ACCOUNT, strategy="grid", max_position="50", max_notional="6000"),
        Signal(
            action="buy", signal_id="today-1", price="25.1", stop_loss="24.5", take_profit="29.25", confidence="0.625",
            timeframe="5m", confluences=("above the mean",), occurred_at=ago(130), **grid,
        ),
        fill("AAPL", "buy", "40", "25.1", "grid", "g-1"),
        fill("AAPL", "sell", "15", "26.33", "grid", "g-2"),
        fill("BTC/USD", "buy", "0.12345678", "43210.99", "grid", "g-3"),
        fill("MSFT", "sell", "60", "73.5", "scalp", "s-4"),
        fill("MSFT", "buy", "60", "74.25", "scalp", "s-5"),
        fill("AAPL", "sell", "12", "25.95", "scalp", "s-6"),
        Order(
            side="buy", quantity="10", kind="limit", limit_price="24.9", client_order_id="o-1", occurred_at=ago(60),
            **grid,
        ),
        OrderUpdate(client_order_id="o-1", account=ACCOUNT, status="new", occurred_at=ago(59)),
    ]  # fmt: skip


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ONEBOOK")}


def run(path: Path, *words: str) -> str:
    """Return what a command of `onebook` says of a book, in a process of its own."""
    command = [sys.executable, "-m", "onebook", "--db", str(path), *words]
    found = subprocess.run(command, capture_output=True, text=True, env=_environ(), cwd=path.parent, check=False)
    assert found.returncode in {0, 1}, f"{' '.join(words)}: {found.stderr}"
    return found.stdout


def said(path: Path, *words: str) -> Any:
    """Return what `onebook … --json` says; of `tail`, which has an object on each line, a list."""
    text = run(path, *words, "--json")
    return [json.loads(line) for line in text.splitlines()] if words[0] == "tail" else json.loads(text)


def token(path: Path, role: str, name: str) -> str:
    """Make a token as a person does, and return it."""
    return run(path, "token", "create", "--role", role, "--name", name).split()[-1]


@dataclass
class Desk:
    """A book that is served, by a process that can be killed and started again at the same address."""

    path: Path
    url: str = ""
    _child: Any = None

    def start(self) -> None:
        """Serve the book; returns when the service answers."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "onebook", "--db", str(self.path), "--json", "serve", "--port", port]
        with self.log.open("a") as log:
            self._child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=_environ(), cwd=self.path.parent
            )
        told = ""
        while not told.rstrip().endswith("}"):
            line = self._child.stdout.readline()
            assert line, "the service did not start"
            told += line
        self.url = json.loads(told)["url"].rstrip("/")

    def kill(self) -> None:
        """End it as a crash does; nothing is said to anybody."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child.stdout.close()
            self._child = None

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> Path:
        """Where the service writes a line for each request."""
        return self.path.parent / "service.log"

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests that the service answered, in the order of their ends."""
        found = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line.startswith("{")]
        return [item for item in found if "status" in item]

    def run(self, *words: str) -> str:
        return run(self.path, *words)

    def said(self, *words: str) -> Any:
        return said(self.path, *words)

    def head(self) -> int:
        """Return the newest entry of the log."""
        return int(self.said("status")["entries"])

    def fill(self, name: str, **given: str) -> None:
        """Record a fill through the command line, beside the service."""
        fact = {"instrument": "AAPL", "side": "buy", "quantity": "1", "price": "26", "account": ACCOUNT} | given
        words = [word for key, value in fact.items() for word in (f"--{key}", value)]
        self.run("record", "fill", "--client-fill-id", name, *words)


@dataclass
class Still(Desk):
    """A desk whose book nothing changes: what was said once is not asked again."""

    _heard: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def said(self, *words: str) -> Any:
        if words not in self._heard:
            self._heard[words] = super().said(*words)
        return self._heard[words]


def copy(source: Path, folder: Path) -> Path:
    """Return a copy of a book that nobody has open."""
    target = folder / "desk.db"
    shutil.copy(source, target)
    for beside in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            shutil.copy(f"{source}{beside}", f"{target}{beside}")
    return target
