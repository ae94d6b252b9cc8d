"""What the three bots share: what they remember, what they are told, and what they may wish for.

A bot holds no position and no money of its own. It remembers closes, asks the book what it holds, and answers
with wishes; fills come back to it only as the book's next answer.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_DOWN, Decimal

from onebook.demo.actions import Split
from onebook.demo.bars import Bar
from onebook.demo.history import Session
from onebook.domain.reports import Position

CENT = Decimal("0.01")
MEMORY = 1000
"""Closes that a bot remembers per stock: about four years of sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a bot would like to do: at the next opening, or with ``at_close`` at the closing of this session.

    ``quantity`` above 0, whole shares. Prices in USD per share. ``price`` is the close that made the bot wish.
    """

    strategy: str
    instrument: str
    side: str
    quantity: Decimal
    price: Decimal
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    confidence: Decimal = Decimal(1)
    confluences: tuple[str, ...] = ()
    close_reason: str = ""
    at_close: bool = False

    def after(self, split: Split) -> "Wish":
        """Return the same wish in shares and prices after a split."""
        ratio = Decimal(split.numerator) / split.denominator
        return replace(
            self,
            quantity=self.quantity * ratio,
            price=self.price / ratio,
            stop_loss=None if self.stop_loss is None else cents(self.stop_loss / ratio),
            take_profit=None if self.take_profit is None else cents(self.take_profit / ratio),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """Prices at which a position is left inside a session, USD per share; None where there is none."""

    stop: Decimal | None = None
    stop_reason: str = "stop_loss"
    target: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a bot is told at the close: its own positions by stock, and how to ask for the money it may use."""

    session: Session
    held: Mapping[str, Position]
    equity: Callable[[], Decimal]
    ratio: Decimal

    def budget(self, slots: int) -> Decimal:
        """Return what one of so many equal holdings may cost, in USD."""
        return self.equity() * self.ratio / slots


class Bot(ABC):
    """A strategy on daily closes.

    Args:
        name: under which the book keeps what it does.
        ratio: its part of the account's equity, between 0 and 1.
    """

    def __init__(self, name: str, ratio: Decimal) -> None:
        self.name = name
        self.ratio = ratio
        self.closes: dict[str, deque[Decimal]] = {}
        self._days: dict[str, deque[date]] = {}

    def see(self, bar: Bar) -> None:
        """Remember the close of a session."""
        self.closes.setdefault(bar.instrument, deque(maxlen=MEMORY)).append(bar.close)
        self._days.setdefault(bar.instrument, deque(maxlen=MEMORY)).append(bar.day)

    def split(self, split: Split) -> None:
        """Restate what is remembered of a stock in prices after a split."""
        ratio = Decimal(split.numerator) / split.denominator
        kept = self.closes.get(split.instrument)
        if kept is not None:
            self.closes[split.instrument] = deque((close / ratio for close in kept), MEMORY)

    def mean(self, instrument: str, sessions: int, *, before: int = 0) -> Decimal | None:
        """Return the mean close of some sessions that end ``before`` sessions ago; None while too few."""
        kept = self.closes[instrument]
        if len(kept) < sessions + before:
            return None
        end = len(kept) - before
        return sum((kept[at] for at in range(end - sessions, end)), Decimal()) / sessions

    def move(self, instrument: str, sessions: int) -> Decimal | None:
        """Return close ÷ close some sessions ago − 1; None while too few."""
        kept = self.closes[instrument]
        return kept[-1] / kept[-1 - sessions] - 1 if len(kept) > sessions else None

    def since(self, instrument: str, day: date) -> list[Decimal]:
        """Return the closes from a day on, oldest first, in prices of today."""
        found = []
        for seen, close in zip(reversed(self._days[instrument]), reversed(self.closes[instrument]), strict=True):
            if seen < day:
                break
            found.append(close)
        return found[::-1]

    def exits(self, _held: Position) -> Exits | None:
        """Return where this position is left inside the session. Without: never."""
        return None

    @abstractmethod
    def decide(self, outlook: Outlook) -> list[Wish]:
        """Return what the bot wishes for, after the close."""


def shares(budget: Decimal, price: Decimal) -> Decimal:
    """Return how many whole shares a budget buys, both in USD."""
    return (budget / price).to_integral_value(ROUND_DOWN)


def cents(price: Decimal) -> Decimal:
    """Return a price rounded to the cent, half to even."""
    return price.quantize(CENT)


def between(value: Decimal, low: Decimal, high: Decimal) -> Decimal:
    """Return the value, or the end of the range that it lies beyond, with two places."""
    return min(max(value, low), high).quantize(CENT)
