"""``Trade``: the older name of one execution. It is a ``Fill`` seen through the older field names.

A trade keeps its fill and nothing else; it cannot be changed once made, as no fact can.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Self
from uuid import uuid4

from onebook.compat.current import now
from onebook.compat.values import absent, as_float, decimal_of, moment_of
from onebook.domain.facts import Fill
from onebook.domain.numbers import ZERO, add, multiply
from onebook.domain.reports import RecordedFill
from onebook.errors import InputError

FILLED = ("filled", "closed")
_TEST_WORDS = ("TEST", "FAKE", "DUMMY", "MOCK", "SAMPLE", "EXAMPLE", "DEMO", "SANDBOX")
_FIELDS = ("id", "symbol", "side", "amount", "price", "timestamp", "strategy", "exchange", "fees", "status")


class Trade:
    """One execution under its older names.

    Args:
        id: the caller's own id (``Fill.client_fill_id``): the same trade twice is once. Empty: one is made.
        symbol: the instrument.
        side: ``buy`` or ``sell``.
        amount: quantity, above 0, in units of the instrument.
        price: per unit, in the quote currency.
        timestamp: when it happened; without a zone it counts as UTC, None is now.
        strategy: whose.
        exchange: the venue.
        fees: charged when positive, a rebate when negative, in the settlement currency; 0 states nothing.
        status: only a ``filled`` trade can be recorded.
        order_id: the venue's order.
        client_order_id: the caller's order.
        metadata: anything JSON can hold; kept as ``Fill.raw``.

    Raises:
        InputError: something is malformed.
    """

    __slots__ = ("_id", "_status", "fill")
    fill: Fill
    """The fact behind it."""

    def __init__(
        self,
        id: str,  # noqa: A002  the older name
        symbol: str,
        side: str,
        amount: Any,
        price: Any,
        timestamp: datetime | str | None = None,
        strategy: str = "",
        exchange: str = "",
        fees: Any = 0,
        status: str = "filled",
        order_id: str | None = None,
        client_order_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        paid = decimal_of("fees", fees)
        self._id = str(id) if id else str(uuid4())
        self._status = status
        self.fill = Fill(
            instrument=symbol,
            side=side,
            quantity=decimal_of("amount", amount),
            price=decimal_of("price", price),
            occurred_at=now() if timestamp is None else moment_of("timestamp", timestamp),
            strategy=strategy or "",
            venue=exchange or "",
            fee=paid or None,
            client_fill_id=self._id,
            venue_order_id="" if order_id is None else str(order_id),
            client_order_id="" if client_order_id is None else str(client_order_id),
            raw=dict(metadata or {}),
        )

    @classmethod
    def of(cls, recorded: RecordedFill) -> Self:
        """Return a fill of the book as a trade; one without a ``client_fill_id`` is named by its identity."""
        trade = cls.__new__(cls)
        trade.fill = recorded.fill
        trade._id = recorded.fill.client_fill_id or recorded.identity  # noqa: SLF001  made here
        trade._status = "filled"  # noqa: SLF001  the book holds executions only
        return trade

    @property
    def id(self) -> str:
        """The caller's id, else the identity under which the book holds it."""
        return self._id

    @property
    def symbol(self) -> str:
        """The instrument."""
        return self.fill.instrument

    @property
    def side(self) -> str:
        """``buy`` or ``sell``."""
        return self.fill.side

    @property
    def amount(self) -> Decimal:
        """Quantity, above 0."""
        return self.fill.quantity

    @property
    def price(self) -> Decimal:
        """Per unit, in the quote currency."""
        return self.fill.price

    @property
    def timestamp(self) -> datetime:
        """When it happened, aware UTC."""
        moment = self.fill.occurred_at
        assert moment is not None  # noqa: S101  a trade always has its time
        return moment

    @property
    def strategy(self) -> str:
        """Whose."""
        return self.fill.strategy

    @property
    def exchange(self) -> str:
        """The venue."""
        return self.fill.venue

    @property
    def fees(self) -> Decimal:
        """Charged when positive, a rebate when negative; 0 when not stated."""
        return self.fill.fee or ZERO

    @property
    def status(self) -> str:
        """``filled`` for everything the book holds."""
        return self._status

    @property
    def order_id(self) -> str | None:
        """The venue's order."""
        return self.fill.venue_order_id or None

    @property
    def client_order_id(self) -> str | None:
        """The caller's order."""
        return self.fill.client_order_id or None

    @property
    def metadata(self) -> dict[str, Any]:
        """What came along, a copy."""
        return dict(self.fill.raw)

    @property
    def total_value(self) -> Decimal:
        """Amount × price, without fees."""
        return multiply(self.amount, self.price)

    @property
    def total_cost(self) -> Decimal:
        """Amount × price + fees."""
        return add(self.total_value, self.fees)

    def shape(self) -> dict[str, Any]:
        """Return the older fields by name, with exact numbers."""
        shown: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        shown |= {"order_id": self.order_id, "client_order_id": self.client_order_id}
        return shown | {"metadata": self.metadata}

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data as the older program did: numbers are floats, times ISO text. For reading."""
        shown: dict[str, Any] = as_float(self.shape())
        return shown

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the trade that this data describes.

        Raises:
            InputError: a field is missing, unknown or malformed.
        """
        known = (*_FIELDS, "order_id", "client_order_id", "metadata")
        missing = [name for name in _FIELDS[:6] if absent(data.get(name))]
        unknown = sorted(set(data) - set(known))
        if missing or unknown:
            what = f"{missing[0]}: is missing" if missing else f"{unknown[0]}: no field of a trade"
            msg = f"{what}; a trade has {', '.join(known)}"
            raise InputError(msg, data=dict(data))
        return cls(**data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trade):
            return NotImplemented
        return (self._id, self._status, self.fill) == (other._id, other._status, other.fill)

    def __hash__(self) -> int:
        return hash(self._id)

    def __repr__(self) -> str:
        return f"Trade({self.id!r}, {self.symbol!r}, {self.side!r}, {self.amount}, {self.price}, {self.timestamp})"


def create_trade(
    symbol: str,
    side: str,
    amount: Any,
    price: Any,
    strategy: str = "",
    exchange: str = "",
    fees: Any = 0,
    order_id: str | None = None,
    client_order_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Trade:
    """Return a trade of now with an id of its own; recording it twice is once.

    Args:
        symbol: the instrument.
        side: ``buy`` or ``sell``.
        amount: quantity, above 0.
        price: per unit, in the quote currency.
        strategy: whose.
        exchange: the venue.
        fees: charged when positive, in the settlement currency; 0 states nothing.
        order_id: the venue's order.
        client_order_id: the caller's order.
        metadata: anything JSON can hold.

    Example:
        >>> create_trade("BTC/USDT", "buy", 0.5, 60000.1).total_value
        Decimal('30000.05')

    Raises:
        InputError: something is malformed.
    """
    return Trade(
        str(uuid4()),
        symbol,
        side,
        amount,
        price,
        strategy=strategy,
        exchange=exchange,
        fees=fees,
        order_id=order_id,
        client_order_id=client_order_id,
        metadata=metadata,
    )


def is_test_position(symbol: str) -> bool:
    """Say whether a symbol looks made up for tests. Nothing is refused for it: the answer is only information."""
    return any(word in symbol.upper() for word in _TEST_WORDS)
