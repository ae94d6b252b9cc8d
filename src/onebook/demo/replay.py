"""The replay: session by session, what the world does, what the bots make of it, and what goes into the book."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal

from onebook.demo.actions import Dividend
from onebook.demo.bots import Bot, Outlook, Wish
from onebook.demo.desk import Desk, ReplayClock
from onebook.demo.history import EuroRate, Session
from onebook.demo.reversal import Reversal
from onebook.demo.rotation import Rotation
from onebook.demo.trend import Trend
from onebook.demo.venue import ACCOUNT, CLOSES, MIDDAY, OPENS, Hit, Venue, find_hit
from onebook.domain.facts import (
    Account,
    AnyFact,
    BookSettings,
    CashMovement,
    CorporateAction,
    Instrument,
    OpeningBalance,
    Rate,
    Signal,
    SignalUpdate,
)
from onebook.domain.reports import Position

OPENING = Decimal(100_000)
SOURCE = "ECB"
PAID_AFTER_SESSIONS = 15
STOCKS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
_BEFORE_THE_OPEN = time(9)
_MORNING = time(4)


def bots() -> tuple[Bot, ...]:
    """Return the three bots, with their parts of the account's equity."""
    return (
        Trend("trend", Decimal("0.40")),
        Reversal("reversal", Decimal("0.25")),
        Rotation("rotation", Decimal("0.35")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Payment:
    """A dividend on its way: the total in USD, negative when the account was short."""

    dividend: Dividend
    amount: Decimal
    due: int


class Replay:
    """Thirteen years through one book.

    Args:
        desk: where facts go and positions come from.
        clock: the book's clock, moved along with the sessions.
        sessions: what happened, oldest first.
    """

    def __init__(self, desk: Desk, clock: ReplayClock, sessions: Sequence[Session]) -> None:
        self.desk = desk
        self.sessions = sessions
        self._clock = clock
        self._bots = bots()
        self._venue = Venue()
        self._wishes: list[tuple[Wish, str]] = []
        self._payments: list[_Payment] = []

    def run(self) -> Iterator[Session]:
        """Replay everything; each session is given back when it has ended."""
        self._begin(self.sessions[0])
        for session in self.sessions:
            self._open(session)
            self._trade(session)
            self._close(session)
            yield session
        self.desk.flush()

    def _begin(self, session: Session) -> None:
        """Say what the book is about: its currency and day, the account, the stocks, the rates, the first cash."""
        at = session.at(_BEFORE_THE_OPEN)
        self._clock.move_to(at)
        facts: list[AnyFact] = [
            BookSettings(base_currency="USD", zone="America/New_York"),
            Account(name=ACCOUNT, venue="demo", currency="USD", kind="paper"),
            *(Instrument(symbol=name, kind="equity", base=name, quote="USD", lot_size=Decimal(1)) for name in STOCKS),
            *map(_rate, session.rates),
            OpeningBalance(balance_id="demo-cash", account=ACCOUNT, currency="USD", amount=OPENING, occurred_at=at),
        ]
        self.desk.add(facts)

    def _open(self, session: Session) -> None:
        """Record what came overnight: rates, splits, dividends and their payments."""
        self._clock.move_to(session.at(_BEFORE_THE_OPEN))
        if session.number > 1:
            self.desk.add(map(_rate, session.rates))
        for split in session.splits:
            for bot in self._bots:
                bot.split(split)
            self._wishes = [
                (wish.after(split) if wish.instrument == split.instrument else wish, name)
                for wish, name in self._wishes
            ]
            action = CorporateAction(
                kind="split",
                account=ACCOUNT,
                instrument=split.instrument,
                numerator=split.numerator,
                denominator=split.denominator,
                effective_on=split.day,
                occurred_at=session.at(_MORNING),
            )
            self.desk.add([action])
        for dividend in session.dividends:
            self._announce(dividend, session)
        self._pay(session)

    def _announce(self, dividend: Dividend, session: Session) -> None:
        """Record a dividend, and remember what the broker will pay on what is held."""
        held = self.desk.held()
        units = sum(
            (mine[dividend.instrument].quantity for mine in held.values() if dividend.instrument in mine),
            Decimal(),
        )
        action = CorporateAction(
            kind="dividend",
            account=ACCOUNT,
            instrument=dividend.instrument,
            amount=dividend.amount,
            currency="USD",
            effective_on=dividend.day,
            occurred_at=session.at(_MORNING),
        )
        self.desk.add([action])
        if units:
            due = session.number + PAID_AFTER_SESSIONS
            self._payments.append(_Payment(dividend=dividend, amount=units * dividend.amount, due=due))

    def _pay(self, session: Session) -> None:
        due = [payment for payment in self._payments if payment.due <= session.number]
        self._payments = [payment for payment in self._payments if payment.due > session.number]
        self.desk.add(_payment(payment, session.at(_BEFORE_THE_OPEN)) for payment in due)

    def _trade(self, session: Session) -> None:
        """Fill what was wished for at the opening, then look which levels the day reached."""
        self._clock.move_to(session.at(OPENS))
        waiting, self._wishes = self._wishes, []
        for wish, signal_id in waiting:
            reason = _missed(wish, session)
            if reason:
                self.desk.add([_expired(signal_id, reason, session)])
            else:
                self.desk.add(self._venue.trade_wish(wish, signal_id, session))
        hits = sorted(self._hits(session), key=lambda found: found[1].clock)
        self._clock.move_to(session.at(MIDDAY))
        for position, hit in hits:
            self.desk.add(self._venue.trade_hit(position, hit, session))

    def _hits(self, session: Session) -> Iterator[tuple[Position, Hit]]:
        held = self.desk.held()
        opened = session.at(OPENS)
        for bot in self._bots:
            for instrument, position in held.get(bot.name, {}).items():
                exits = bot.exits(position)
                entered = position.opened_at == opened
                if exits is None:
                    continue
                hit = find_hit(position, exits, session.bars[instrument], entered=entered)
                if hit is not None:
                    yield position, hit

    def _close(self, session: Session) -> None:
        """Mark every stock at its close, and let each bot wish for what comes next."""
        at = session.at(CLOSES)
        self._clock.move_to(at)
        held = self.desk.held()
        for bar in session.bars.values():
            self.desk.mark(bar, at)
            for bot in self._bots:
                bot.see(bar)
        equity = self.desk.equity
        for bot in self._bots:
            outlook = Outlook(session=session, held=held.get(bot.name, {}), equity=equity, ratio=bot.ratio)
            for wish in bot.decide(outlook):
                if wish.quantity > 0:
                    self._signal(wish, session)

    def _signal(self, wish: Wish, session: Session) -> None:
        """Record what a bot saw; its order fills now, or waits for the next opening."""
        signal_id = f"{session.day:%Y%m%d}-{wish.strategy}-{wish.instrument}"
        self.desk.add([_signal(wish, signal_id, session.at(CLOSES))])
        if wish.at_close:
            self.desk.add(self._venue.trade_wish(wish, signal_id, session))
        else:
            self._wishes.append((wish, signal_id))


def _rate(rate: EuroRate) -> Rate:
    return Rate(base="EUR", quote="USD", price=rate.price, occurred_at=rate.at, source=SOURCE)


def _payment(payment: _Payment, at: datetime) -> CashMovement:
    dividend = payment.dividend
    return CashMovement(
        kind="dividend",
        account=ACCOUNT,
        instrument=dividend.instrument,
        currency="USD",
        amount=payment.amount,
        movement_id=f"dividend-{dividend.instrument}-{dividend.day:%Y%m%d}",
        occurred_at=at,
    )


def _signal(wish: Wish, signal_id: str, at: datetime) -> Signal:
    return Signal(
        signal_id=signal_id,
        account=ACCOUNT,
        strategy=wish.strategy,
        instrument=wish.instrument,
        action=wish.side,
        price=wish.price,
        stop_loss=wish.stop_loss,
        take_profit=wish.take_profit,
        confidence=wish.confidence,
        timeframe="1d",
        confluences=wish.confluences,
        occurred_at=at,
    )


def _missed(wish: Wish, session: Session) -> str:
    """Return why an entry is let go at the opening: the move it hoped for, or feared, is over. Empty: it is not."""
    opening = session.bars[wish.instrument].open
    if wish.take_profit is None or wish.stop_loss is None:
        return ""
    if opening >= wish.take_profit:
        return "opened beyond the target"
    return "opened beyond the stop" if opening <= wish.stop_loss else ""


def _expired(signal_id: str, reason: str, session: Session) -> SignalUpdate:
    return SignalUpdate(
        signal_id=signal_id, account=ACCOUNT, status="EXPIRED", reason=reason, occurred_at=session.at(OPENS)
    )
