"""The orders that work at a paper venue while it runs: by instrument and account, each with its reach.

All of it is read from the book at the start and again whenever a report did not get there.
"""

from collections.abc import Iterable

from onebook.domain import matching
from onebook.domain.market import Seen
from onebook.domain.matching import Working
from onebook.trading.brokers.paper_means import Means
from onebook.trading.brokers.paper_memory import BEFORE_ALL, Floor, Market, Memory, Touch, dealt_with, is_news


class AtWork:
    """What works, and which observations each market has dealt with.

    Args:
        means: of the accounts: they bound the orders that only reduce.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._working: dict[str, dict[str, tuple[Working, ...]]] = {}
        self._touched: dict[Market, Floor] = {}
        self._reaches: dict[Market, tuple[tuple[Working, ...], matching.Rules, matching.Reach]] = {}

    def remember(self, memory: Memory) -> None:
        """Begin with what the book says."""
        self._working, self._touched = memory.working, memory.touched
        self._reaches.clear()

    # ---- what works ----

    def of(self, account: str, instrument: str) -> tuple[Working, ...]:
        """Return what works of an account in an instrument, oldest first."""
        return self._working.get(instrument, {}).get(account, ())

    def beside(self, found: Working) -> tuple[Working, ...]:
        """Return what works in an order's market, itself included."""
        return self.of(found.order.account, found.order.instrument)

    def accounts(self, instrument: str) -> list[str]:
        """Return who has orders in an instrument."""
        return sorted(self._working.get(instrument, ()))

    def markets(self) -> list[Market]:
        """Return where anything works."""
        return [(account, instrument) for instrument, by_account in self._working.items() for account in by_account]

    def all_of(self, account: str) -> list[Working]:
        """Return everything that works of an account."""
        return [item for by_account in self._working.values() for item in by_account.get(account, ())]

    def orphans(self) -> list[Working]:
        """Return what waits for a parent that works no more."""
        everything = [
            item for by_account in self._working.values() for working in by_account.values() for item in working
        ]
        there = {(item.order.account, item.id) for item in everything}
        return [item for item in everything if item.waiting and (item.order.account, item.order.parent_id) not in there]

    def find(self, account: str, client_order_id: str) -> Working | None:
        """Return an order that works."""
        return next((item for item in self.all_of(account) if item.id == client_order_id), None)

    def keep(self, account: str, instrument: str, working: tuple[Working, ...]) -> None:
        """Take what works there from now on."""
        by_account = self._working.setdefault(instrument, {})
        if working:
            by_account[account] = working
            return
        by_account.pop(account, None)
        self._reaches.pop((account, instrument), None)
        if not by_account:
            del self._working[instrument]

    # ---- what was seen ----

    def touch(self, market: Market, touch: Touch) -> None:
        """Note an observation that brought a report, or after which an order came."""
        self._touched[market] = dealt_with(self._touched.get(market, BEFORE_ALL), touch)

    def is_news(self, market: Market, touch: Touch) -> bool:
        """Say whether a market has not dealt with an observation yet."""
        return is_news(self._touched.get(market, BEFORE_ALL), touch)

    def leaves_alone(self, seen: Seen) -> bool:
        """Say whether what the market shows touches no order of any account."""
        by_account = self._working.get(seen.instrument, {})
        return all(self.passes_by(account, working, seen) for account, working in by_account.items())

    def passes_by(self, account: str, working: tuple[Working, ...], seen: Seen) -> bool:
        """Say whether what the market shows touches none of an account's orders."""
        instrument = seen.instrument
        rules, known = self._means.matching(instrument), self._reaches.get((account, instrument))
        if known is None or known[0] is not working or known[1] is not rules:
            known = self._reaches[account, instrument] = (working, rules, matching.reach_of(working, rules))
        reach = known[2]
        return not reach.meets(seen) and not (reach.exits and reach.idles(self._means.held(account, instrument)))

    def held(self, account: str, instrument: str, working: Iterable[Working]) -> matching.Held:
        """Return the positions that bound orders which only reduce; nothing where there is none of them."""
        reduces = any(item.order.reduce_only for item in working)
        return self._means.held(account, instrument) if reduces else matching.NOTHING_HELD


def by_id(working: Iterable[Working]) -> dict[str, Working]:
    """Return orders by their ids."""
    return {item.id: item for item in working}
