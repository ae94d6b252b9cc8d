"""What the paper accounts have, as the book says: read from it once, then moved along by the entries that follow.

The book stays the only truth. A fill moves a purse by what its entry says, and the position that the entry tells must
come of it; whatever else touches money, a position that differs, a new day, or a long way to go reads the book again.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from itertools import groupby, islice

from onebook.book.core import Core
from onebook.domain import times
from onebook.domain.instruments import Terms
from onebook.domain.numbers import ZERO, absolute
from onebook.domain.reports import Event
from onebook.trading.brokers.margin import Place, Purse, read_purse
from onebook.trading.brokers.paper_rules import Margin

MOST_EVENTS = 64
"""Events of the log that are gone through; where there are more the book is read again."""

_ELSEWHERE = frozenset(
    {"limits_defined", "order_updated", "published", "signal_closed", "signal_detected", "signal_executed"}
    | {"signal_expired", "state_changed", "stop_moved", "stop_removed", "stop_set", "stop_triggered"}
    | {"daily_loss_breached", "drawdown_breached", "runner_started", "runner_stopped", "trading_state_changed"}
    | {"token_defined", "hook_defined"}
)
"""Events that move no money and no position."""

_MOVES = frozenset({"trade_executed", "position_updated", "position_closed"})
_DEFINES = frozenset({"account_defined", "instrument_defined", "settings_defined"})


class Purses:
    """The purses of some accounts, each as new as the log that this process knows.

    Args:
        book: with the accounts.
        terms: (account, symbol) -> what it means.
        margin_for: the margin that the venue asks.
        redefined: called when the log has a definition.
    """

    def __init__(
        self,
        book: Core,
        terms: Callable[[str, str], Terms],
        margin_for: Callable[[Terms], Margin],
        redefined: Callable[[], None],
    ) -> None:
        self._book = book
        self._terms = terms
        self._margin_for = margin_for
        self._redefined = redefined
        self._purses: dict[str, Purse] = {}
        self._place = -1
        self._day = -1

    def forget(self) -> None:
        """Read everything again at the next question."""
        self._purses.clear()

    def of(self, account: str) -> Purse:
        """Return what an account has now; do not change it."""
        self.look()
        found = self._purses.get(account)
        if found is None:
            found = read_purse(self._book, account, partial(self._terms, account), self._margin_for)
            self._purses[account] = found
        return found

    def look(self) -> None:
        """Go through what was written since the last look."""
        day = self._book.now() // times.DAY
        if day != self._day:  # a payment may be due that was booked before
            self._day = day
            self.forget()
        head = self._book.wakeups.head
        if head == self._place:
            return
        after, self._place = self._place, head
        events = list(islice(self._book.events(after=after), MOST_EVENTS)) if 0 <= after < head else []
        if not events or len(events) == MOST_EVENTS:
            self.forget()
            self._redefined()
            return
        self._place = max(head, events[-1].sequence)
        for _, entry in groupby(events, key=_sequence):
            self._take(list(entry))

    def _take(self, entry: list[Event]) -> None:
        types = {event.type for event in entry} - _ELSEWHERE
        if types & _DEFINES:
            self._redefined()
        if types and not (types <= _MOVES and self._moved(entry)):
            self.forget()

    def _moved(self, entry: Iterable[Event]) -> bool:
        """Move the purses by an entry's fills; say whether the positions are then what the entry says they are."""
        told: dict[tuple[str, Place], tuple[Decimal, Decimal]] = {}
        for event in entry:
            if event.account not in self._purses or event.type not in _MOVES:
                continue
            data = event.data
            place = (event.instrument, event.strategy or "", str(data.get("leg") or ""))
            if event.type == "trade_executed":
                terms = self._terms(event.account, event.instrument)
                fee = (Decimal(data.get("fee") or 0), str(data.get("fee_currency") or terms.settle))
                quantity, price = Decimal(data["quantity"]), Decimal(data["price"])
                self._purses[event.account].filled(place, data["side"], quantity, price, fee)
            told[event.account, place] = (
                (Decimal(data["quantity"]), Decimal(data["cost_basis"])) if "cost_basis" in data else (ZERO, -1 + ZERO)
            )
        for (account, place), position in told.items():
            held = self._purses[account].held.get(place)
            if position != ((ZERO, ZERO) if held is None else (held.quantity, absolute(held.cost))):
                return False
        return True


def _sequence(event: Event) -> int:
    return event.sequence
