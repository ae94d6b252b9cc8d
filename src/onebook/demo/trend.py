"""A trend follower: long while the short mean of closes is above the long one, short while below.

Each entry rides behind a trailing stop, measured from the best close since the book says it was opened.
"""

from decimal import Decimal

from onebook.demo.bots import Bot, Exits, Outlook, Wish, between, cents, shares
from onebook.domain.reports import Position

FAST = 20
SLOW = 60
TRAIL = Decimal("0.15")
SLOTS = 4
_SURE_AT = Decimal("0.05")


class Trend(Bot):
    """Moving averages of 20 and 60 sessions, long and short, with a trailing stop of 15 %."""

    def exits(self, held: Position) -> Exits | None:
        """Return the trailing stop: the highest close less the trail, for a short the lowest plus it."""
        if held.average_price is None or held.opened_at is None:
            return None
        seen = [held.average_price, *self.since(held.instrument, held.opened_at.date())]
        level = max(seen) * (1 - TRAIL) if held.quantity > 0 else min(seen) * (1 + TRAIL)
        return Exits(stop=cents(level), stop_reason="trailing_stop")

    def decide(self, outlook: Outlook) -> list[Wish]:
        """Go with each crossing of the means; one order turns a position round."""
        found = []
        for instrument in outlook.session.bars:
            wish = self._cross(instrument, outlook)
            if wish is not None:
                found.append(wish)
        return found

    def _cross(self, instrument: str, outlook: Outlook) -> Wish | None:
        fast, slow = self.mean(instrument, FAST), self.mean(instrument, SLOW)
        before = self.mean(instrument, FAST, before=1), self.mean(instrument, SLOW, before=1)
        if fast is None or slow is None or before[0] is None or before[1] is None:
            return None
        up = fast > slow
        if up == (before[0] > before[1]):
            return None
        held = outlook.held.get(instrument)
        quantity = held.quantity if held is not None else Decimal()
        if quantity and (quantity > 0) == up:
            return None
        close = self.closes[instrument][-1]
        entry = shares(outlook.budget(SLOTS), close)
        return Wish(
            strategy=self.name,
            instrument=instrument,
            side="buy" if up else "sell",
            quantity=entry + abs(quantity),
            price=close,
            stop_loss=cents(close * (1 - TRAIL if up else 1 + TRAIL)),
            confidence=self._confidence(instrument, fast, slow),
            confluences=self._seen(instrument, close, up=up),
            close_reason="signal" if quantity else "",
        )

    def _confidence(self, instrument: str, fast: Decimal, slow: Decimal) -> Decimal:
        """Return how sure it is: a crossing in the direction of the last quarter counts more."""
        drift = abs(self.move(instrument, SLOW) or Decimal()) + abs(fast / slow - 1)
        return between(drift / _SURE_AT / 4, Decimal("0.30"), Decimal("0.95"))

    def _seen(self, instrument: str, close: Decimal, *, up: bool) -> tuple[str, ...]:
        seen = [f"mean {FAST} crossed {'above' if up else 'below'} mean {SLOW}"]
        year = self.mean(instrument, 200)
        if year is not None and (close > year) == up:
            seen.append(f"close {'above' if up else 'below'} mean 200")
        return tuple(seen)
