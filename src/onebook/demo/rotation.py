"""A rotation: once a month into the stocks that rose most in half a year, in equal parts, dividends collected."""

from decimal import Decimal

from onebook.demo.bots import Bot, Outlook, Wish, between, shares

SESSIONS = 126
HOLDS = 2
DRIFT = Decimal("0.05")
"""Least change, as a part of the wanted quantity, that is worth an order."""


class Rotation(Bot):
    """Holds the two stocks with the best half year, if they rose at all, weighed anew each month."""

    def decide(self, outlook: Outlook) -> list[Wish]:
        """On a month's first session: sell what fell behind, then weigh the leaders equally."""
        if not outlook.session.first_of_month:
            return []
        moves = {
            instrument: move
            for instrument in outlook.session.bars
            if (move := self.move(instrument, SESSIONS)) is not None
        }
        leaders = sorted((name for name in moves if moves[name] > 0), key=lambda name: (-moves[name], name))
        wanted = {name: shares(outlook.budget(HOLDS), self.closes[name][-1]) for name in leaders[:HOLDS]}
        wishes = []
        for name in sorted({*wanted, *outlook.held}, key=lambda name: (name in wanted, name)):
            wish = self._towards(name, wanted.get(name, Decimal()), moves.get(name, Decimal()), outlook)
            if wish is not None:
                wishes.append(wish)
        return wishes

    def _towards(self, name: str, target: Decimal, move: Decimal, outlook: Outlook) -> Wish | None:
        held = outlook.held.get(name)
        change = target - (held.quantity if held is not None else 0)
        if not change or (target and abs(change) < target * DRIFT):
            return None
        return Wish(
            strategy=self.name,
            instrument=name,
            side="buy" if change > 0 else "sell",
            quantity=abs(change),
            price=self.closes[name][-1],
            confidence=between(abs(move), Decimal("0.30"), Decimal("0.95")),
            confluences=(f"{move * 100:+.1f} % in {SESSIONS} sessions", "leads" if target else "fell behind"),
            close_reason="" if target else "signal",
        )
