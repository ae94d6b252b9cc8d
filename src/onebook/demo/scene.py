"""What there is to see at one moment, gathered from the book: positions, money, the last events, the rate."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from threading import Event as Flag
from threading import Thread
from time import perf_counter

from onebook.app import Book
from onebook.demo.bots import ACCOUNT, NAMES
from onebook.demo.history import Session
from onebook.demo.market import CLOSES
from onebook.demo.replay import Replay
from onebook.domain.reports import Event, Position

SAMPLE_SESSIONS = 5
_LOOK_BACK = 200
_KEEP = 60
_SHOWN = frozenset(
    {
        "cash_moved",
        "corporate_action_applied",
        "daily_loss_breached",
        "limits_defined",
        "position_closed",
        "signal_detected",
        "signal_expired",
        "trade_executed",
        "trading_state_changed",
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
class Exits:
    """Where a position is left: the prices of its stop and its target in USD per share; None for none."""

    stop: Decimal | None = None
    target: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event worth a line. For an entry that was ordered: with the exits of its bracket."""

    event: Event
    exits: Exits = Exits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything the view draws. Money in USD unless it says so; ``rate`` is USD for 1 EUR.

    ``equity`` and ``rates`` are samples since the start, for drawing only. ``done`` is between 0 and 1. ``states`` has
    the bots that may only reduce, or do nothing.
    """

    day: date
    first: date
    last: date
    done: float
    head: int
    entries_per_second: float
    equity: Sequence[float]
    rates: Sequence[float]
    worth: Decimal
    rate: Decimal
    states: Mapping[str, str]
    positions: tuple[Position, ...]
    exits: Mapping[tuple[str, str], Exits]
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
        replay: what is watched.
    """

    def __init__(self, replay: Replay) -> None:
        self._book = replay.book
        self._sessions = replay.sessions
        self._equity: list[float] = []
        self._rates: list[float] = []
        self._rate = Decimal(1)
        self._worth = Decimal()
        self._happenings: deque[Happening] = deque(maxlen=_KEEP)
        self._seen = self._began = replay.entries_before
        self._begun = perf_counter()
        for session in replay.done:
            self._sample(session, before=True)

    @property
    def worth(self) -> Decimal:
        """What the account was worth at the last sample, in USD."""
        return self._worth

    def sample(self, session: Session) -> None:
        """Take the equity and the rate of a session, every few sessions: the same ones in every run."""
        self._sample(session, before=False)

    def _sample(self, session: Session, *, before: bool) -> None:
        if session.rates:
            self._rate = session.rates[-1].price
        if session.number % SAMPLE_SESSIONS != 1 and session is not self._sessions[-1]:
            return
        if before:
            closed = session.at(CLOSES)
            (point,) = self._book.equity_curve(closed, closed, 1, account=ACCOUNT)
            self._worth = point.amount
        else:
            self._worth = self._book.equity(account=ACCOUNT).amount
        self._equity.append(float(self._worth))
        self._rates.append(float(self._rate))

    def scene(self, session: Session, money: tuple[StrategyMoney, ...]) -> Scene:
        """Return what there is to see after a session."""
        status = self._book.status()
        for event in self._book.events(after=max(self._seen, status.entries - _LOOK_BACK)):
            self._add(event)
            self._seen = event.sequence
        seconds = perf_counter() - self._begun
        states = {name: self._book.trading.state_of(ACCOUNT, name) for name in NAMES}
        return Scene(
            day=session.day,
            first=self._sessions[0].day,
            last=self._sessions[-1].day,
            done=session.number / len(self._sessions),
            head=status.entries,
            entries_per_second=(status.entries - self._began) / seconds,
            equity=self._equity,
            rates=self._rates,
            worth=self._worth,
            rate=self._rate,
            states={name: state for name, state in states.items() if state != "ACTIVE"},
            positions=tuple(self._book.positions(account=ACCOUNT)),
            exits=self._exits(),
            money=money,
            happenings=tuple(self._happenings),
        )

    def _exits(self) -> dict[tuple[str, str], Exits]:
        """Return where the venue leaves open positions, by bot and stock."""
        found: dict[tuple[str, str], Exits] = {}
        for order in self._book.orders(account=ACCOUNT, is_open=True):
            if order.reduce_only:
                place = (order.strategy, order.instrument)
                found[place] = _with(found.get(place, Exits()), order.stop_price, order.limit_price)
        return found

    def _add(self, event: Event) -> None:
        """Keep an event; the orders of a bracket make one line."""
        if not is_shown(event):
            return
        parent = event.data.get("parent_id") if event.type == "order_updated" else None
        if not parent:
            self._happenings.append(Happening(event=event))
            return
        for place, known in enumerate(self._happenings):
            if known.event.data.get("client_order_id") == parent and known.event.type == event.type:
                stop = event.data.get("stop_price") or event.data.get("trail_ratio")
                exits = _with(known.exits, _price(stop), _price(event.data.get("limit_price")))
                self._happenings[place] = Happening(event=known.event, exits=exits)


def is_shown(event: Event) -> bool:
    """Say whether an event is worth a line."""
    if event.type == "order_updated":
        return event.data.get("status") in {"pending_new", "denied"} and "side" in event.data
    if event.type == "end_of_day_done":
        return bool(event.data["exits"])
    return event.type in _SHOWN


def _price(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _with(exits: Exits, stop: Decimal | None, target: Decimal | None) -> Exits:
    return Exits(stop=exits.stop if stop is None else stop, target=exits.target if target is None else target)
