"""A mean reverter: buys what fell sharply within three sessions, and leaves quickly, one way or the other.

A stop and a target stand at prices around the average that the book shows; what reaches neither within two
weeks is sold at the close.
"""

from decimal import Decimal

from onebook.demo.bots import Bot, Exits, Outlook, Wish, between, cents, shares
from onebook.domain.reports import Position

SESSIONS = 3
FALL = Decimal("-0.06")
STOP = Decimal("0.92")
TARGET = Decimal("1.06")
PATIENCE_DAYS = 14
SLOTS = 2
_SETTLED = 30


class Reversal(Bot):
    """Buys a fall of 6 % in three sessions; stop 8 % below, target 6 % above, at most two weeks."""

    def exits(self, held: Position) -> Exits | None:
        """Return the stop and the target around the average price."""
        if held.average_price is None:
            return None
        return Exits(stop=cents(held.average_price * STOP), target=cents(held.average_price * TARGET))

    def decide(self, outlook: Outlook) -> list[Wish]:
        """Leave what waited too long, and buy the sharpest falls while a slot is free."""
        tired = [self._leave(held) for held in outlook.held.values() if self._is_tired(held, outlook)]
        free = SLOTS - len(outlook.held)
        falls = sorted(
            (fall, instrument)
            for instrument in outlook.session.bars
            if instrument not in outlook.held
            and len(self.closes[instrument]) >= _SETTLED
            and (fall := self.move(instrument, SESSIONS)) is not None
            and fall <= FALL
        )
        return tired + [self._buy(instrument, fall, outlook) for fall, instrument in falls[: max(free, 0)]]

    def _is_tired(self, held: Position, outlook: Outlook) -> bool:
        opened = held.opened_at
        return opened is not None and (outlook.session.day - opened.date()).days >= PATIENCE_DAYS

    def _leave(self, held: Position) -> Wish:
        return Wish(
            strategy=self.name,
            instrument=held.instrument,
            side="sell",
            quantity=held.quantity,
            price=self.closes[held.instrument][-1],
            confluences=("waited two weeks",),
            close_reason="end_of_day",
            at_close=True,
        )

    def _buy(self, instrument: str, fall: Decimal, outlook: Outlook) -> Wish:
        close = self.closes[instrument][-1]
        seen = [f"fell {-fall * 100:.1f} % in {SESSIONS} sessions"]
        lowest = min(list(self.closes[instrument])[-_SETTLED:])
        if close == lowest:
            seen.append(f"lowest close of {_SETTLED} sessions")
        return Wish(
            strategy=self.name,
            instrument=instrument,
            side="buy",
            quantity=shares(outlook.budget(SLOTS), close),
            price=close,
            stop_loss=cents(close * STOP),
            take_profit=cents(close * TARGET),
            confidence=between(-fall * 5, Decimal("0.30"), Decimal("0.95")),
            confluences=tuple(seen),
        )
