"""What there is to see at one moment, gathered from the book: positions, money, the last events, the rate."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from threading import Event as Flag
from threading import Thread
from time import perf_counter

from onebook.app import Book
from onebook.demo.desk import Desk
from onebook.demo.history import Session
from onebook.demo.venue import ACCOUNT
from onebook.domain.reports import Event, Position

SAMPLE_SESSIONS = 5
_LOOK_BACK = 60
_KEEP = 60
_SHOWN = frozenset(
    {
        "signal_detected",
        "signal_expired",
        "trade_executed",
        "position_closed",
        "corporate_action_applied",
        "cash_moved",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyMoney:
    """What one bot has realized, net, in both currencies (EUR at the rate of when each was realized)."""

    strategy: str
    fills: int
    round_trips: int
    usd: Decimal
    eur: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event worth a line. For the fills of one order: the last one, with their ``quantity`` together."""

    event: Event
    quantity: Decimal = Decimal()
    fills: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything the view draws. Money in USD unless it says so; ``rate`` is USD for 1 EUR.

    ``equity`` and ``rates`` are samples since the start, for drawing only. ``done`` is between 0 and 1.
    """

    day: date
    first: date
    last: date
    done: float
    facts: int
    head: int
    head_hash: str
    facts_per_second: float
    equity: Sequence[float]
    rates: Sequence[float]
    worth: Decimal
    rate: Decimal
    positions: tuple[Position, ...]
    money: tuple[StrategyMoney, ...]
    happenings: tuple[Happening, ...]


class MoneyReader(Thread):
    """Asks the book in the background what each bot realized in USD and EUR: it looks at every fill for that.

    Args:
        book: which one.
        strategies: the bots' names.
    """

    def __init__(self, book: Book, strategies: Sequence[str]) -> None:
        super().__init__(name="onebook-demo-money", daemon=True)
        self.money: tuple[StrategyMoney, ...] = ()
        self._book = book
        self._strategies = strategies
        self._ended = Flag()

    def run(self) -> None:
        """Ask again and again, resting three times as long as asking took."""
        rest = 0.0
        while not self._ended.wait(rest):
            begun = perf_counter()
            self.money = tuple(strategy_money(self._book, self._strategies))
            rest = max(0.3, 3 * (perf_counter() - begun))

    def end(self) -> None:
        """Stop, and wait for the question that is under way."""
        self._ended.set()
        if self.is_alive():
            self.join()


def strategy_money(book: Book, strategies: Sequence[str]) -> Iterator[StrategyMoney]:
    """Return what each strategy has realized so far."""
    for name in strategies:
        usd = book.pnl(account=ACCOUNT, strategy=name, currency="USD")
        eur = book.pnl(account=ACCOUNT, strategy=name, currency="EUR")
        yield StrategyMoney(
            strategy=name,
            fills=sum(row.fills for row in usd),
            round_trips=sum(row.round_trips for row in usd),
            usd=sum((row.net for row in usd), Decimal()),
            eur=sum((row.net for row in eur), Decimal()),
        )


class Observer:
    """Keeps samples and the last events while the replay runs, and draws up scenes.

    Args:
        desk: whose book is watched.
        sessions: all of them, for the axis.
    """

    def __init__(self, desk: Desk, sessions: Sequence[Session]) -> None:
        self._desk = desk
        self._sessions = sessions
        self._equity: list[float] = []
        self._rates: list[float] = []
        self._rate = Decimal(1)
        self._worth = Decimal()
        self._happenings: deque[Happening] = deque(maxlen=_KEEP)
        self._seen = 0

    @property
    def worth(self) -> Decimal:
        """What the account was worth at the last sample, in USD."""
        return self._worth

    def sample(self, session: Session) -> None:
        """Take the equity and the rate of a session, every few sessions: the same ones in every run."""
        if session.rates:
            self._rate = session.rates[-1].price
        if session.number % SAMPLE_SESSIONS == 1 or session is self._sessions[-1]:
            self._worth = self._desk.equity()
            self._equity.append(float(self._worth))
            self._rates.append(float(self._rate))

    def scene(self, session: Session, money: tuple[StrategyMoney, ...]) -> Scene:
        """Return what there is to see after a session."""
        book = self._desk.shown
        status = book.status()
        for event in book.events(after=max(self._seen, status.entries - _LOOK_BACK)):
            if event.type in _SHOWN:
                self._add(event)
            self._seen = event.sequence
        busy = self._desk.busy_seconds
        return Scene(
            day=session.day,
            first=self._sessions[0].day,
            last=self._sessions[-1].day,
            done=session.number / len(self._sessions),
            facts=self._desk.facts,
            head=status.entries,
            head_hash=status.head_hash,
            facts_per_second=self._desk.facts / busy if busy else 0.0,
            equity=self._equity,
            rates=self._rates,
            worth=self._worth,
            rate=self._rate,
            positions=tuple(book.positions(account=ACCOUNT)),
            money=money,
            happenings=tuple(self._happenings),
        )

    def _add(self, event: Event) -> None:
        """Keep an event; the fills of one order make one line."""
        if event.type != "trade_executed":
            self._happenings.append(Happening(event=event))
            return
        quantity, fills = Decimal(event.data["quantity"]), 1
        for happening in reversed(self._happenings):
            earlier = happening.event
            if earlier.occurred_at != event.occurred_at:
                break
            if happening.fills and earlier.data.get("venue_order_id") == event.data.get("venue_order_id"):
                quantity, fills = quantity + happening.quantity, fills + happening.fills
                self._happenings.remove(happening)
                break
        self._happenings.append(Happening(event=event, quantity=quantity, fills=fills))
