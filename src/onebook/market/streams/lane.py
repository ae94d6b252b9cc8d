"""What one instrument of a stream has shown: enough to know what is new, what is missing, and what must wait.

It never reads or sends anything; the stream does. Prints are told apart by their ids, or by their times where the
venue gives none; then prints of the very nanosecond at which a gap begins cannot be told from repeated ones.
"""

from collections import OrderedDict, deque

from onebook.domain.market import Bar, Print
from onebook.market.streams.rules import StreamRules

REMEMBERED = 10_000
"""Ids of prints kept per instrument."""

FALSE_ALARMS = 3
"""After so many holes in a row in which nothing was found, ids are no longer taken for consecutive."""


class Lane:
    """One instrument of a stream.

    Args:
        instrument: which.
        rules: of the stream.
        is_consecutive: the venue's ids of prints count up by one, so that a hole shows.
    """

    def __init__(self, instrument: str, rules: StreamRules, *, is_consecutive: bool) -> None:
        self.instrument = instrument
        self._rules = rules
        self.is_consecutive = is_consecutive
        self.opened_ns: int | None = None
        self.newest: Print | None = None
        self.bars: dict[str, Bar] = {}
        self.is_filling = False
        self.is_removed = False
        self.must_fetch_again = False
        self.duplicates = 0
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._filled_until = -1
        self._proven = True
        self._proven_bars: set[str] = set(rules.timeframes)
        self._false_alarms = 0
        self._held: deque[Print | Bar] = deque()

    # ---- connections come and go ----

    def opened(self, now_ns: int) -> bool:
        """Take in that a connection is there, and say whether something may have been missed before it."""
        if self.opened_ns is None:
            self.opened_ns = now_ns
            return False
        self._proven = not self._rules.fills_prints
        self._proven_bars.clear()
        if self.is_filling:  # what is held came before another gap: it is fetched with it
            self._held.clear()
            self.must_fetch_again = True
        return not self._proven or bool(self.bars)

    def since_ns(self) -> int:
        """Return from when on prints may be missing: of the newest that was seen, or since the first connection."""
        return self.newest.at_ns if self.newest is not None else self.opened_ns or 0

    # ---- what is new ----

    def has_hole_before(self, seen: Print | Bar) -> bool:
        """Say whether something may be missing between what was seen last and this."""
        if isinstance(seen, Bar):
            newest = self.bars.get(seen.timeframe)
            if newest is None or seen.timeframe in self._proven_bars:
                return False
            follows = seen.opened_ns <= newest.at_ns if newest.is_final else seen.opened_ns <= newest.opened_ns
            return not follows
        if not self._rules.fills_prints:
            return False
        if not self.is_consecutive or not seen.id.isdigit():
            return not self._proven
        return not self._joins(seen) if self.newest is not None else not self._proven

    def take(self, seen: Print | Bar) -> bool:
        """Remember it as seen live, and say whether it is new."""
        if isinstance(seen, Bar):
            self._proven_bars.add(seen.timeframe)
            return self._take_bar(seen)
        self._proven = True
        if not seen.id and seen.at_ns <= self._filled_until:
            self.duplicates += 1
            return False
        return self._remember(seen)

    def take_filled(self, seen: Print | Bar, before_ns: int) -> bool:
        """Remember it as fetched, and say whether it is new.

        Args:
            seen: what was fetched.
            before_ns: the newest moment that was seen live before.
        """
        if isinstance(seen, Bar):
            return self._take_bar(seen)
        if not seen.id and seen.at_ns <= before_ns:
            return False
        is_new = seen.id not in self._ids if seen.id else True
        if is_new:
            self._remember(seen)
            self._filled_until = max(self._filled_until, seen.at_ns)
        return is_new

    def _remember(self, seen: Print) -> bool:
        if seen.id:
            if seen.id in self._ids:
                self.duplicates += 1
                return False
            self._ids[seen.id] = None
            if len(self._ids) > REMEMBERED:
                self._ids.popitem(last=False)
        if self.newest is None or seen.at_ns >= self.newest.at_ns:
            self.newest = seen
        return True

    def _take_bar(self, bar: Bar) -> bool:
        newest = self.bars.get(bar.timeframe)
        if newest is not None:
            is_old = bar.opened_ns < newest.opened_ns or (bar.opened_ns == newest.opened_ns and newest.is_final)
            if is_old or bar == newest:
                return False
        self.bars[bar.timeframe] = bar
        return True

    def _joins(self, seen: Print) -> bool:
        """Whether by its id nothing can be missing before it."""
        newest = self.newest
        return newest is None or not newest.id.isdigit() or int(seen.id) <= int(newest.id) + 1

    # ---- while a gap is filled ----

    @property
    def is_holding(self) -> bool:
        """Whether something came live that waits for the gap before it."""
        return bool(self._held)

    def held_ids(self) -> frozenset[str]:
        """Return the ids of the prints that wait."""
        return frozenset(seen.id for seen in list(self._held) if isinstance(seen, Print))

    def hold(self, seen: Print | Bar) -> None:
        """Let it wait until the gap is filled; beyond the limit all is let go and must be fetched."""
        self._held.append(seen)
        if len(self._held) > self._rules.max_waiting:
            self._held.clear()
            self.must_fetch_again = True

    def is_joined(self, *, held_before: bool) -> bool:
        """Say whether what is held follows on what was fetched.

        Args:
            held_before: something was held when the fetch began, so that the fetch reaches up to it.
        """
        if not self._held:
            return True
        first = next((seen for seen in self._held if isinstance(seen, Print)), None)
        if first is not None and self.is_consecutive and first.id.isdigit():
            return self._joins(first)
        return held_before

    def release(self) -> list[Print | Bar]:
        """Return what waited, as far as it is new."""
        found = [seen for seen in self._held if self.take(seen)]
        self._held.clear()
        return found

    def found(self, count: int) -> None:
        """Take in how many prints a hole held that was seen by an id alone."""
        self._false_alarms = 0 if count else self._false_alarms + 1
        if self._false_alarms >= FALSE_ALARMS:
            self.is_consecutive = False
