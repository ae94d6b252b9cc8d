"""Sequences of facts as bots and venues report them, for property tests with hypothesis.

They are well-formed, and odd in the ways in which real ones are: late, repeated, without ids, with fees in any
currency, sold without a position. hypothesis is imported when the first strategy is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from onebook.domain import times
from onebook.domain.facts import (
    Account,
    AnyFact,
    CashMovement,
    CorporateAction,
    Fill,
    FundingPayment,
    Instrument,
    OpeningBalance,
    Order,
    OrderUpdate,
    Rate,
    Signal,
    Transfer,
)
from onebook.errors import InputError

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

START_NS = times.from_text("start", "2026-01-05T09:00:00Z")
STRATEGIES = ("trend", "mean", "")
MARKETS: dict[str, tuple[tuple[str, str], ...]] = {
    "spot": (("BTC/USD", "60000"), ("ETH/BTC", "0.05"), ("PEPE/USD", "0.000000012")),
    "perps": (("BTC/USDT:USDT", "60000"), ("BTC/USD:BTC", "60000")),
    "hedge": (("ETH/USDT:USDT", "3000"),),
    "shares": (("AAPL", "230"), ("SPY", "600")),
}
"""Account -> what is traded there, at about which price in its quote currency."""

VENUES = {"spot": "kraken", "perps": "bybit", "hedge": "binance", "shares": "alpaca"}
DEFINITIONS: tuple[AnyFact, ...] = (
    *(
        Account(name=name, venue=venue, mode="hedging" if name == "hedge" else "netting")
        for name, venue in VENUES.items()
    ),
    Instrument(
        symbol="BTC/USDT:USDT",
        kind="perpetual",
        base="BTC",
        quote="USDT",
        settle="USDT",
        contract_size=Decimal("0.001"),
    ),
    Instrument(
        symbol="BTC/USD:BTC",
        kind="perpetual",
        base="BTC",
        quote="USD",
        settle="BTC",
        contract_size=Decimal(100),
    ),
)
"""What is defined before the first fill; the contract in the hedging account stays undefined."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class BustOf:
    """The venue takes back what the fact at ``place`` of the same sequence reported."""

    place: int
    reason: str = "busted by the venue"


def facts(
    *, least: int = 1, most: int = 30, definitions: bool = True, busts: bool = False
) -> "SearchStrategy[list[Any]]":
    """Return a strategy for lists of facts, in the order in which they are recorded.

    Args:
        least: at least so many, definitions not counted.
        most: at most so many.
        definitions: begin with accounts and instruments.
        busts: let :class:`BustOf` stand between the facts.

    Example:
        >>> from hypothesis import given
        >>> @given(facts(most=10))
        ... def test_every_fact_is_a_record(found):
        ...     assert all(hasattr(fact, "KIND") for fact in found)

    Raises:
        InputError: hypothesis is not installed.
    """
    try:
        from hypothesis import strategies
    except ImportError:
        msg = "hypothesis is not installed; run: pip install 'onebook[testing]'"
        raise InputError(msg, library="hypothesis") from None

    @strategies.composite
    def sequences(draw: "DrawFn") -> list[Any]:
        scene = _Scene(draw)
        found: list[Any] = list(DEFINITIONS) if definitions else []
        for number in range(draw(strategies.integers(least, most))):
            found.append(scene.next(found, number, busts=busts))
        return found

    return sequences()


class _Scene:
    """What the next fact is drawn from."""

    def __init__(self, draw: "DrawFn") -> None:
        from hypothesis import strategies

        self._draw = draw
        self._strategies = strategies

    def next(self, earlier: Sequence[Any], number: int, *, busts: bool) -> AnyFact | BustOf:
        """Return a fact: mostly a fill, often one seen before."""
        kind = self._pick(("fill",) * 10 + ("repeat",) * 3 + ("bust", "rate", "cash", "funding", "order", "share"))
        fills = [place for place, fact in enumerate(earlier) if isinstance(fact, Fill)]
        if kind == "repeat" and fills:
            return self._repeat(earlier[self._pick(fills)])
        if kind == "bust" and busts and fills:
            return BustOf(self._pick(fills))
        others = {
            "rate": self._rate,
            "cash": self._cash,
            "funding": self._funding,
            "order": self._order,
            "share": self._share,
        }
        return others.get(kind, self._fill)(number)

    # ---- values ----

    def _pick(self, values: Sequence[_Value]) -> _Value:
        return self._draw(self._strategies.sampled_from(values))

    def _number(self, low: int, high: int, places: int) -> Decimal:
        return Decimal(self._draw(self._strategies.integers(low, high))).scaleb(-places)

    def _moment(self, number: int) -> int:
        """Return a time: usually the next minute, sometimes hours late, sometimes the very same."""
        late = self._pick((0, 0, 0, 0, 0, 1, 60, 3 * 1440))
        return START_NS + (number * 60 - late * 60) * times.SECOND

    def _place(self) -> tuple[str, str, Decimal]:
        account = self._pick(tuple(MARKETS))
        symbol, near = self._pick(MARKETS[account])
        return account, symbol, Decimal(near) * self._number(80, 120, 2)

    # ---- facts ----

    def _fill(self, number: int) -> Fill:
        account, symbol, price = self._place()
        quantity = self._number(1, 9, 0) if account != "spot" else self._number(1, 500, 3)
        fee, currency = self._fee(account, symbol, quantity * price)
        own_time = self._pick((False, False, False, False, True))
        return Fill(
            instrument=symbol,
            side=self._pick(("buy", "sell")),
            quantity=quantity,
            price=price,
            account=account,
            strategy=self._pick(STRATEGIES),
            occurred_ns=None if own_time else self._moment(number),
            venue=VENUES[account],
            leg=self._pick(("long", "short")) if account == "hedge" else "",
            fee=fee,
            fee_currency=currency,
            **self._ids(number),
        )

    def _ids(self, number: int) -> dict[str, Any]:
        """Return a venue's ids, the caller's own, both or none; a venue may reuse its ids across orders."""
        order = f"o{number // 2}"
        return self._pick(
            (
                {"venue_fill_id": f"{number}", "venue_order_id": order},
                {"venue_fill_id": f"{number}", "venue_order_id": order},
                {"venue_fill_id": f"{number % 3}", "venue_order_id": f"p{number}"},
                {"venue_fill_id": f"v{number}"},
                {"client_fill_id": f"c{number}"},
                {"venue_fill_id": f"w{number}", "client_fill_id": f"d{number}"},
                {},
            )
        )

    def _fee(self, account: str, symbol: str, amount: Decimal) -> tuple[Decimal | None, str | None]:
        """Return a fee and its currency: settled, in the base asset, in a third one, a rebate or not stated."""
        small = (amount / 1000).quantize(Decimal("1e-9"))
        choices: list[tuple[Decimal | None, str | None]] = [
            (None, None),
            (Decimal(0), None),
            (small, None),
            (-small, None),
            (self._number(1, 99, 4), "BNB"),
        ]
        if account == "spot":
            choices.append((self._number(1, 9, 4), symbol.partition("/")[0]))
        return self._pick(choices)

    def _repeat(self, fill: Fill) -> Fill:
        """Return a report of a fill that was seen: the same, poorer, or at odds with it."""
        how = self._pick(("same", "same", "same", "no fee", "no time", "other strategy", "other price"))
        changes: dict[str, dict[str, Any]] = {
            "no fee": {"fee": None, "fee_currency": None},
            "no time": {"occurred_ns": None, "occurred_at": None},
            "other strategy": {"strategy": self._pick(STRATEGIES)},
            "other price": {"price": fill.price + 1},
        }
        return fill.replaced(**changes.get(how, {}))

    def _rate(self, number: int) -> Rate:
        base, quote, near = self._pick((("BNB", "USD", 600), ("USDT", "USD", 1), ("BTC", "USD", 60000)))
        price = near * self._number(80, 120, 2)
        return Rate(base=base, quote=quote, price=price, occurred_ns=self._moment(number), source=f"s{number}")

    def _cash(self, number: int) -> AnyFact:
        account, moment, amount = self._pick(tuple(MARKETS)), self._moment(number), self._number(1, 10**6, 2)
        currency = self._pick(("USD", "USDT", "BTC"))
        made: tuple[AnyFact, ...] = (
            Transfer(asset=currency, amount=amount, to_account=account, transfer_id=f"t{number}", occurred_ns=moment),
            OpeningBalance(
                currency=currency, amount=amount, balance_id=f"b{number}", account=account, occurred_ns=moment
            ),
            CashMovement(
                currency=currency,
                amount=-amount,
                kind=self._pick(("interest", "fee", "borrow_fee")),
                movement_id=f"m{number}",
                account=account,
                occurred_ns=moment,
            ),
        )
        return self._pick(made)

    def _funding(self, number: int) -> FundingPayment:
        account = self._pick(("perps", "hedge"))
        symbol, _ = self._pick(MARKETS[account])
        return FundingPayment(
            instrument=symbol,
            amount=self._pick((-1, 1)) * self._number(1, 9999, 4),
            funding_id=f"fund{number}",
            account=account,
            strategy=self._pick((None, "trend")),
            leg=self._pick(("long", "short")) if account == "hedge" else "",
            occurred_ns=self._moment(number),
        )

    def _order(self, number: int) -> Order | OrderUpdate | Signal:
        account, symbol, price = self._place()
        moment, side, strategy = self._moment(number), self._pick(("buy", "sell")), self._pick(STRATEGIES)
        order = Order(
            instrument=symbol,
            side=side,
            quantity=self._number(1, 9, 0),
            kind="limit",
            limit_price=price,
            client_order_id=f"own{number % 4}-{account}",
            account=account,
            strategy=strategy,
            occurred_ns=moment,
        )
        update = OrderUpdate(
            client_order_id=order.client_order_id,
            status=self._pick(("new", "canceled", "rejected", "filled")),
            account=account,
            occurred_ns=moment,
        )
        signal = Signal(instrument=symbol, action=side, signal_id=f"sig{number}", account=account, occurred_ns=moment)
        made: tuple[Order | OrderUpdate | Signal, ...] = (order, update, signal)
        return self._pick(made)

    def _share(self, number: int) -> CorporateAction:
        symbol, _ = self._pick(MARKETS["shares"])
        split = {"kind": "split", "numerator": self._pick((2, 3, 1)), "denominator": self._pick((1, 10))}
        dividend = {"kind": "dividend", "amount": self._number(1, 300, 2)}
        terms: dict[str, Any] = self._pick((split, dividend))
        return CorporateAction(
            instrument=symbol,
            account="shares",
            action_id=f"a{number}",
            effective_on=times.to_datetime(self._moment(number)).date(),
            **terms,
        )
