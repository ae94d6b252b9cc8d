"""Random histories of facts, a fold of its own to hold a book against, and what is compared."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

import onebook
from onebook import (
    Account,
    BookSettings,
    CashMovement,
    CorporateAction,
    Fill,
    FundingPayment,
    Instrument,
    OpeningBalance,
    Rate,
    Settlement,
    Transfer,
)
from onebook.domain import times
from onebook.testing.clock import FakeClock

SPOT, LINEAR, INVERSE, SHARE = "BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC", "AAPL"
INSTRUMENTS = (SPOT, LINEAR, INVERSE, SHARE)
STRATEGIES = ("", "a", "b")
ACCOUNTS = ("main", "second")
METHODS = ("average", "fifo", "lifo", "hifo")
SIZE = {SPOT: Fraction(1), LINEAR: Fraction(1, 100), INVERSE: Fraction(10), SHARE: Fraction(1)}
SETTLE = {SPOT: "USDT", LINEAR: "USDT", INVERSE: "BTC", SHARE: "USDT"}
FIGURES = ("realized_pnl", "realized_pnl_gross", "fees", "fees_in_base", "funding", "income", "quantity", "cost_basis")

SETUP: list[Any] = [
    BookSettings(base_currency="USDT"),
    Account(name="main", currency="USDT"),
    Account(name="second", currency="USDT"),
    Instrument(symbol=LINEAR, kind="perpetual", base="BTC", quote="USDT", settle="USDT", contract_size=Decimal("0.01")),
    Instrument(symbol=INVERSE, kind="perpetual", base="BTC", quote="USD", settle="BTC", contract_size=Decimal(10)),
    Rate(base="BNB", quote="USDT", price=Decimal(600), occurred_at="2024-06-01T00:00:00Z"),
    Rate(base="BTC", quote="USDT", price=Decimal(110), occurred_at="2024-06-01T00:00:00Z"),
]
"""Definitions, and the rates that are known; XRP has none."""


def moment(minute: int) -> str:
    """One of three days, in steps of ten minutes, so that some facts share a moment."""
    day, rest = divmod(minute * 10, 1440)
    return f"2024-06-{3 + day:02d}T{rest // 60:02d}:{rest % 60:02d}:00Z"


minutes = st.integers(0, 431).map(moment)
few_minutes = st.integers(0, 12).map(lambda step: moment(step * 20))
sizes = st.one_of(
    st.sampled_from([Decimal(1), Decimal(2), Decimal(3), Decimal("0.5")]),
    st.decimals(min_value=Decimal("0.001"), max_value=Decimal(20), places=3),
    st.decimals(min_value=Decimal("0.000000000000000001"), max_value=Decimal(3), places=18),
)
prices = st.one_of(
    st.sampled_from([Decimal(90), Decimal(100), Decimal(120)]),
    st.decimals(min_value=Decimal("0.0001"), max_value=Decimal(500), places=4),
)
fees = st.one_of(
    st.none(),
    st.tuples(
        st.decimals(min_value=Decimal("-0.02"), max_value=Decimal("0.5"), places=5),
        st.sampled_from(["", "BTC", "BNB", "XRP"]),
    ),
)
amounts = st.decimals(min_value=Decimal(-50), max_value=Decimal(50), places=4).filter(bool)


@st.composite
def fills(draw: st.DrawFn, instruments: Sequence[str] = INSTRUMENTS, times: Any = None) -> Fill:
    fee = draw(fees)
    return Fill(
        instrument=draw(st.sampled_from(instruments)),
        side=draw(st.sampled_from(["buy", "sell"])),
        quantity=draw(sizes),
        price=draw(prices),
        account=draw(st.sampled_from(ACCOUNTS)),
        strategy=draw(st.sampled_from(STRATEGIES)),
        fee=None if fee is None else fee[0],
        fee_currency=None if fee is None or not fee[1] else fee[1],
        occurred_at=draw(minutes if times is None else times),
        venue="v",
        venue_fill_id="given later",
    )


@st.composite
def other_facts(draw: st.DrawFn) -> Any:
    at = draw(few_minutes)
    account = draw(st.sampled_from(ACCOUNTS))
    strategy = draw(st.sampled_from(STRATEGIES))
    instrument = draw(st.sampled_from(INSTRUMENTS))
    kind = draw(
        st.sampled_from(
            ["cash", "income", "funding", "opening", "units", "split", "dividend", "settle", "send", "wire"]
        )
    )
    if kind == "cash":
        currency = draw(st.sampled_from(["USDT", "BNB", "XRP"]))
        return CashMovement(currency=currency, amount=draw(amounts), account=account, occurred_at=at, kind="reward")
    if kind == "income":
        what = draw(st.sampled_from(["interest", "borrow_fee", "fee", "rebate"]))
        currency = draw(st.sampled_from([SETTLE[instrument], "BNB", "XRP"]))
        return CashMovement(
            currency=currency,
            amount=draw(amounts),
            account=account,
            strategy=strategy,
            instrument=instrument,
            occurred_at=at,
            kind=what,
        )
    if kind == "funding":
        chosen: str | None = draw(st.sampled_from([None, *STRATEGIES]))
        contract = draw(st.sampled_from([LINEAR, INVERSE]))
        return FundingPayment(
            instrument=contract, amount=draw(amounts), account=account, strategy=chosen, occurred_at=at
        )
    if kind == "opening":
        return OpeningBalance(
            currency=draw(st.sampled_from(["USDT", "BNB"])), amount=draw(amounts), account=account, occurred_at=at
        )
    if kind == "units":
        price = draw(st.one_of(st.none(), prices))
        size = draw(sizes) * draw(st.sampled_from([1, -1]))
        return OpeningBalance(
            instrument=instrument, quantity=size, price=price, account=account, strategy=strategy, occurred_at=at
        )
    if kind == "split":
        top, low = draw(st.sampled_from([(2, 1), (1, 2), (3, 2), (1, 3)]))
        return CorporateAction(
            instrument=SHARE, kind="split", numerator=top, denominator=low, account=account, occurred_at=at
        )
    if kind == "dividend":
        paid_in = draw(st.sampled_from([None, "BNB", "XRP"]))
        return CorporateAction(
            instrument=SHARE, kind="dividend", amount=draw(prices), currency=paid_in, account=account, occurred_at=at
        )
    if kind == "paid":
        return CashMovement(
            currency="USDT",
            amount=draw(amounts),
            account=account,
            strategy=strategy,
            instrument=SHARE,
            occurred_at=at,
            kind="dividend",
        )
    if kind == "settle":
        return Settlement(
            instrument=draw(st.sampled_from([LINEAR, INVERSE])), price=draw(prices), account=account, occurred_at=at
        )
    if kind == "send":
        other = ACCOUNTS[1 - ACCOUNTS.index(account)]
        arrives = draw(st.sampled_from([at, moment(300), None]))
        target = draw(st.sampled_from([other, "", other]))
        return Transfer(
            asset="BTC", amount=draw(sizes), instrument=SPOT, strategy=strategy,
            from_account=account, to_account=target, occurred_at=at, received_at=arrives,
        )  # fmt: skip
    there, back = draw(
        st.sampled_from([("", account), (account, ""), (account, ACCOUNTS[1 - ACCOUNTS.index(account)])])
    )
    return Transfer(
        asset="USDT",
        amount=draw(sizes),
        from_account=there,
        to_account=back,
        occurred_at=at,
        received_at=draw(st.sampled_from([at, None])),
    )


ID_FIELDS = ("movement_id", "funding_id", "balance_id", "action_id", "settlement_id", "transfer_id", "venue_fill_id")


def named(facts: Iterable[Any]) -> list[Any]:
    """Give every fact an identity of its own."""
    found = []
    for number, fact in enumerate(facts, 1):
        field = next(name for name in ID_FIELDS if hasattr(fact, name))
        named_so = {field: str(number)}
        if isinstance(fact, OpeningBalance):  # a microsecond each: of one instant nothing tells two apart
            named_so["occurred_at"] = times.to_text((fact.occurred_ns or 0) + number * 1000)
        found.append(fact.replaced(**named_so))
    return found


histories = st.lists(st.one_of(fills(), fills(), fills(), other_facts()), min_size=1, max_size=14).map(named)
trades = st.lists(fills(), min_size=1, max_size=14).map(named)


def opened(facts: Iterable[Any] = ()) -> onebook.Book:
    book = onebook.open(":memory:", clock=FakeClock("2024-07-01T00:00:00Z", step_seconds=1))
    for fact in (*SETUP, *facts):
        receipt = book.record(fact)
        assert receipt.status == "recorded", fact
    return book


MARKS = {SPOT: Decimal("104.5"), LINEAR: Decimal("105.25"), INVERSE: Decimal("99.5"), SHARE: Decimal("101.75")}


def marked(book: onebook.Book) -> onebook.Book:
    for instrument, price in MARKS.items():
        book.mark(instrument, price)
    return book


# ---- a fold of its own ----


def rounded(value: Fraction) -> Fraction:
    """Round once at 18 places, half to even."""
    scaled = value * 10**18
    return Fraction(round(scaled), 10**18)


def exact(value: Decimal) -> Fraction:
    return Fraction(value)


@dataclass
class Model:
    """One position, from fills alone. Fees in XRP have no rate, those in BNB are worth 600, in BTC 110."""

    instrument: str
    quantity: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    gross: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    in_base: Fraction = Fraction(0)

    def value(self, quantity: Fraction, price: Fraction) -> Fraction:
        units = quantity * SIZE[self.instrument]
        return rounded(units / price) if self.instrument == INVERSE else units * price

    def charge(self, fee: Fraction, currency: str) -> Fraction:
        settle = SETTLE[self.instrument]
        worth = {"USDT": Fraction(1), "BNB": Fraction(600), "BTC": Fraction(110)}
        if currency == settle:
            return fee
        if currency not in worth:
            return Fraction(0)
        value = fee * worth[currency]
        return value if settle == "USDT" else rounded(value / 110)

    def fill(self, fill: Fill) -> None:
        size, price = exact(fill.quantity), exact(fill.price)
        moved = size if fill.side == "buy" else -size
        value = self.value(size, price)
        fee = exact(fill.fee or Decimal(0))
        if self.instrument == SPOT and fill.fee_currency == "BTC":
            self.in_base += fee
            moved -= fee
            if self.quantity > 0 > self.quantity + moved >= -fee:
                moved = -self.quantity
        else:
            self.fees += self.charge(fee, fill.fee_currency or SETTLE[self.instrument])
        if not moved:
            self.gross += -value if fill.side == "buy" else value
            return
        if (moved > 0) != (fill.side == "buy"):
            self.gross += -value if fill.side == "buy" else value
            value = Fraction(0)
        if self.quantity * moved >= 0:
            self.quantity += moved
            self.cost += value
            return
        held, closing = abs(self.quantity), abs(moved)
        part = value
        if closing > held:
            part = self.value(held, price) if closing == size else rounded(value * held / closing)
        closed = min(held, closing)
        removed = self.cost if closed == held else rounded(self.cost * closed / held)
        long = self.quantity > 0
        self.gross += part - removed if long != (self.instrument == INVERSE) else removed - part
        self.cost += (value - part) - removed
        self.quantity += moved


def in_order(facts: Iterable[Fill]) -> list[Fill]:
    return sorted(facts, key=lambda fill: (fill.occurred_ns, int(fill.venue_fill_id)))


def modelled(facts: Iterable[Fill]) -> dict[tuple[str, str, str], Model]:
    found: dict[tuple[str, str, str], Model] = {}
    for fill in in_order(facts):
        key = (fill.account, fill.instrument, fill.strategy)
        found.setdefault(key, Model(fill.instrument)).fill(fill)
    return found


# ---- what is compared ----


def shape(book: Any) -> dict[str, Any]:
    """Everything a book says of its state, without sequences, trip ids and observations."""
    positions = [replace(item, sequence=0, highest=None, lowest=None) for item in book.positions(is_open=None)]
    trips = sorted(repr(replace(item, id=0, highest=None, lowest=None)) for item in book.round_trips())
    return {
        "positions": positions,
        "balances": book.balances(),
        "equity": book.equity(),
        "days": without_restated(book.daily_pnl()),
        "trips": trips,
        "fills": [item.fill for item in book.fills()],
        "lots": [
            [replace(lot, sequence=0) for lot in book.lots(instrument, account=account, method=method).open]
            for account in ACCOUNTS
            for instrument in INSTRUMENTS
            for method in METHODS
        ],
    }


def without_restated(rows: list[Any]) -> list[Any]:
    return [
        replace(row, restated=False) for row in rows if row.fills or row.net or row.gross or row.round_trips or row.fees
    ]


def differing(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    found = [name for name, value in left.items() if value != right[name]]
    for name in found:
        note(f"{name}: {left[name]}\n  against {right[name]}")
    return found
