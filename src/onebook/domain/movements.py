"""What folds: one row per fact and ledger, in the order in which it counts.

A **ledger** is one instrument in one account. Its movements fold in the order (occurred_at, rank,
venue_fill_id, venue_order_id, side, sequence); the rank puts a split before an opening balance before a
dividend and so on, so that facts of one moment have one order whichever way they arrived.
"""

from dataclasses import dataclass
from decimal import Decimal

from onebook.domain.numbers import ONE, multiply, quotient

Order = tuple[int, int, str, int, int]
"""(occurred_ns, rank, tie, sequence, ordinal): the place of a movement in its ledger."""

RANK = {
    "split": 0,
    "opening": 1,
    "dividend": 2,
    "transfer": 3,
    "arrival": 3,
    "reassign": 4,
    "fill": 5,
    "funding": 6,
    "cash": 6,
    "payment": 6,
    "settlement": 7,
}
SHARED = frozenset({"split", "dividend", "reassign", "funding", "payment", "settlement"})
"""Kinds that look at more than one position of the ledger: nothing before one of them commutes with it."""

FIRST: Order = (-1, 0, "", 0, 0)
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Valuation:
    """A recorded rate that a figure used: value = amount × times ÷ over.

    ``at`` is the time of the (older) rate in nanoseconds, ``source`` who published it.
    """

    times: Decimal
    over: Decimal
    at: int
    source: str

    def value(self, amount: Decimal) -> Decimal:
        """Return the amount in the other currency, rounded once when it must be divided."""
        product = multiply(amount, self.times)
        return product if self.over == ONE else quotient(product, self.over)


@dataclass(slots=True, kw_only=True)
class Movement:
    """One fact's effect on one ledger, ready to fold.

    ``quantity`` is signed (+ in). ``amount`` is money, signed (+ in): funding, cash, a dividend per unit, or
    the cost that comes along with units transferred in. ``fee_currency`` is resolved. ``worth`` values what
    is in another currency than the settlement one; ``base`` values the settlement currency in the book's
    base currency and is None where the two are one or no rate was known. ``high`` and ``low`` are the marks
    seen since the position's last movement. ``ahead`` marks a time too far in the future to go by.
    ``known_from`` is the entry that made this version of the movement, ``content`` the event in it; ``shown`` the
    texts of quantity, price and fee where they are at hand.
    """

    order: Order
    kind: str
    strategy: str | None
    leg: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    fee: Decimal | None = None
    fee_currency: str = ""
    amount: Decimal | None = None
    currency: str = ""
    to_strategy: str = ""
    numerator: int = 1
    denominator: int = 1
    cash_in_lieu: Decimal | None = None
    paid_ns: int | None = None
    category: str = ""
    unbased: Decimal | None = None
    signal_id: str = ""
    close_reason: str = ""
    worth: Valuation | None = None
    base: Valuation | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    to_account: str = ""
    ahead: bool = False
    flags: int = 0
    known_from: int = 0
    content: int = 0
    shown: tuple[str, str, str | None] | None = None

    @property
    def sequence(self) -> int:
        """The entry that holds the fact."""
        return self.order[3]


def tie_text(fill_id: str, order_id: str, side: str) -> str:
    """Return the part of the order that tells fills of one moment apart.

    Ids made of digits compare by value and come before other texts, which compare by code point.
    """
    if not fill_id and not order_id:
        return ""
    named_order = _comparable(order_id) if order_id else ""
    return f"{_comparable(fill_id)}{_SEPARATOR}{named_order}{_SEPARATOR}{side[:1]}"


def _comparable(text: str) -> str:
    if text.isdigit() and text.isascii():
        digits = text if text[0] != "0" else text.lstrip("0") or "0"
        return f"0{len(digits):03d}{digits}"
    return f"1{text}" if text else ""
