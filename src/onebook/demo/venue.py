"""The demo's venue: the paper broker, which hears in the morning what came overnight, before it matches anything.

Rates, splits, dividends and their payments go into the book with the first thing that the market shows of a session,
and so does what the person of the script does: a limit of loss one day, and a resume when it was reached. All have
identities of their own, so doing a morning again books nothing again.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal

from onebook.app import Book
from onebook.clock import Clock
from onebook.demo.actions import Dividend
from onebook.demo.bots import ACCOUNT, NAMES
from onebook.demo.history import EuroRate, Session
from onebook.demo.market import MORNING, shown
from onebook.domain.facts import AnyFact, CashMovement, CorporateAction, Limits, Rate
from onebook.domain.market import Seen
from onebook.domain.matching import Rules
from onebook.domain.reports import Event
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_rules import Fees, PaperRules

SOURCE = "ECB"
LIMITS = Limits(account=ACCOUNT, strategy="breakout", max_daily_loss=Decimal(5_000))
LIMITED_ON = date(2010, 1, 4)
"""From this session on a bot may lose 5,000 USD a day. On 6 May 2010 the market fell and rose within minutes."""

RESUMED = "scripted: a person knows by now what happened"
LOOKING = timedelta(days=7)
"""How long the person of the script takes to put a bot that lost too much back to work."""

RULES = PaperRules(
    venue="paper",
    matching=Rules(fill_share=None, trail_step=Decimal("0.5")),
    fees=Fees(per_unit=Decimal("0.005"), least=Decimal(1), step=Decimal("0.01")),
)
"""Half a cent per share, at least one dollar per execution; no slippage. Trailing stops move by half dollars."""


class Venue(PaperBroker):
    """A paper venue whose mornings begin with the news.

    Args:
        book: where its account is, and its memory.
        clock: of the replay.
        sessions: what came overnight, by the first thing that the market shows of the session.
    """

    def __init__(self, book: Book, clock: Clock, sessions: Mapping[Seen, Session]) -> None:
        super().__init__(book, ACCOUNT, RULES, clock=clock)
        self._of = book
        self._sessions = sessions
        self._changes: dict[str, Event] = {}
        self._seen = 0

    def see(self, seen: Seen) -> None:
        """Record what came overnight, if this is the first of a session; then match."""
        session = self._sessions.get(seen)
        if session is not None:
            self._wake(session)
        super().see(seen)

    def _wake(self, session: Session) -> None:
        for name in NAMES:
            if self._of.trading.state_of(ACCOUNT, name) != "ACTIVE" and self._is_looked_at(name, session):
                self._of.trading.resume(RESUMED, account=ACCOUNT, strategy=name)
        report = self._of.record_many(self._news(session))
        for refusal in report.refused:
            raise refusal.error

    def _is_looked_at(self, name: str, session: Session) -> bool:
        """Say whether a limit stopped a bot, and the person of the script has had the time to find out what happened.

        What somebody did by hand stays until that person takes it back.
        """
        head = self._of.status().entries
        for change in self._of.events(after=self._seen, types="trading_state_changed", accounts=[ACCOUNT]):
            self._changes[change.strategy] = change
        self._seen = head
        last = self._changes.get(name)
        if last is None or last.data["cause"] == "manual":
            return False
        return session.at(MORNING) - last.occurred_at >= LOOKING

    def _news(self, session: Session) -> Iterator[AnyFact]:
        yield from map(rate, session.rates)
        if session.day == LIMITED_ON:
            yield LIMITS
        morning = session.at(MORNING)
        for split in session.splits:
            yield CorporateAction(
                kind="split", account=ACCOUNT, instrument=split.instrument, effective_on=split.day,
                numerator=split.numerator, denominator=split.denominator, occurred_at=morning,
            )  # fmt: skip
        for dividend in session.dividends:
            yield CorporateAction(
                kind="dividend", account=ACCOUNT, instrument=dividend.instrument, effective_on=dividend.day,
                amount=dividend.amount, currency="USD", occurred_at=morning,
            )  # fmt: skip
            paid = self._paid(dividend)
            if paid:
                yield CashMovement(
                    kind="dividend", account=ACCOUNT, instrument=dividend.instrument, currency="USD", amount=paid,
                    movement_id=f"dividend-{dividend.instrument}-{dividend.day:%Y%m%d}", occurred_at=morning,
                )  # fmt: skip

    def _paid(self, dividend: Dividend) -> Decimal:
        """Return what the account gets in USD: below 0 where it was short."""
        held = self._of.positions(account=ACCOUNT, instrument=dividend.instrument)
        return sum((position.quantity for position in held), Decimal()) * dividend.amount


def mornings(sessions: tuple[Session, ...]) -> dict[Seen, Session]:
    """Return the sessions by the first thing that the market shows of each."""
    return {next(shown(session)): session for session in sessions}


def rate(found: EuroRate) -> Rate:
    """Return a rate as a fact: USD for 1 EUR."""
    return Rate(base="EUR", quote="USD", price=found.price, occurred_at=found.at, source=SOURCE)
