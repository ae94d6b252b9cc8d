"""The replay: a book, a paper account, three strategies and thirteen years, in the hands of the runner."""

from collections.abc import Callable, Iterator
from datetime import time
from decimal import Decimal

from onebook.app import Book
from onebook.demo.bots import ACCOUNT, WITHIN_THE_DAY, bots
from onebook.demo.history import Session
from onebook.demo.market import CLOSES, MINUTES_BEFORE_CLOSE, STOCKS, calendar, shown
from onebook.demo.venue import RULES, Venue, mornings, rate
from onebook.domain import times
from onebook.domain.facts import BookSettings, Instrument
from onebook.domain.market import Seen
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.end_of_day import EndOfDayTerms
from onebook.trading.runner.bot import stopped_by_signals
from onebook.trading.runner.clock import ReplayClock
from onebook.trading.runner.cursor import Keeper
from onebook.trading.runner.runner import Runner

RUNNER = "demo"
OPENING = Decimal(100_000)
_FIRST = time(9)


class Replay:
    """The runner at work on the bundled years. It goes on where the book's last run stopped.

    Args:
        book: opened with the clock.
        clock: of the replay.
        sessions: what happened, oldest first.
    """

    def __init__(self, book: Book, clock: ReplayClock, sessions: tuple[Session, ...]) -> None:
        self.book = book
        self.sessions = sessions
        clock.move(sessions[0].at_ns(_FIRST))
        self.entries_before = book.status().entries
        _prepare(book, sessions[0])
        cursor = Keeper(book, RUNNER, clock).load()
        self._done_ns = -1 if cursor is None else cursor.at_ns
        clock.move(self._done_ns)
        closing = EndOfDayTerms(
            name="within the day",
            calendar=calendar(sessions),
            minutes_before_close=MINUTES_BEFORE_CLOSE,
            strategies=(WITHIN_THE_DAY,),
        )
        self.runner = Runner(
            book,
            bots(),
            {ACCOUNT: Venue(book, clock, mornings(sessions))},
            name=RUNNER,
            clock=clock,
            moments=[book.trading.end_of_day([closing])],
        )

    @property
    def done(self) -> tuple[Session, ...]:
        """The sessions that earlier runs on this book have done."""
        return tuple(session for session in self.sessions if session.at_ns(CLOSES) <= self._done_ns)

    def run(self, ended: Callable[[Session], bool]) -> str:
        """Replay what is left; return why it stopped. Ctrl-C stops it after the event at which it is.

        Args:
            ended: called with each session that has ended; when its answer is False the replay stops.
        """
        if len(self.done) == len(self.sessions):
            return "done before"
        with stopped_by_signals(self.runner):
            return self.runner.replay(self._observations(ended))

    def _observations(self, ended: Callable[[Session], bool]) -> Iterator[Seen]:
        before = len(self.done)
        for session in self.sessions:
            yield from shown(session)
            if session.number > before and not ended(session):
                self.runner.stop("left by its watcher")


def _prepare(book: Book, session: Session) -> None:
    """Say what the book is about: currency and day, the stocks, the account. Again it changes nothing."""
    book.record(BookSettings(base_currency="USD", zone="America/New_York"))
    cent, share = Decimal("0.01"), Decimal(1)
    for name in STOCKS:
        book.record(Instrument(symbol=name, kind="equity", base=name, quote="USD", lot_size=share, tick_size=cent))
    opened = times.to_text(session.at_ns(_FIRST))
    open_paper_account(book, ACCOUNT, "USD", OPENING, venue=RULES.venue, occurred_at=opened)
    book.record_many(map(rate, session.rates))
