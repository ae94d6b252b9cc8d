"""What an execution costs: a venue's fees by maker and taker, as pure functions."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from onebook.domain.instruments import Terms
from onebook.domain.numbers import ZERO, absolute, add, multiply, quotient
from onebook.domain.steps import notional
from onebook.errors import InputError

_SMALLEST = Decimal("1E-18")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """What a venue charges for one execution: notional × ratio and an amount per unit, within bounds.

    Attributes:
        maker_ratio: of the notional, for an order that rested; below 0 it is a rebate.
        taker_ratio: of the notional, for an order that took what was there.
        per_unit: per unit of quantity, in the settlement currency; charged beside the ratio.
        least: smallest fee of an execution, in the settlement currency; 0 for none. A rebate is not raised to it.
        most: largest fee of an execution, in the settlement currency; None for none.
        step: the fee is rounded to a multiple of it, half to even; at least 1E-18.
        in_base_on_buy: a spot buy pays its fee from the asset bought, as many venues do; then only the ratio counts.
    """

    maker_ratio: Decimal = ZERO
    taker_ratio: Decimal = ZERO
    per_unit: Decimal = ZERO
    least: Decimal = ZERO
    most: Decimal | None = None
    step: Decimal = Decimal("0.00000001")
    in_base_on_buy: bool = False

    def __post_init__(self) -> None:
        """Refuse ratios that look like percents, steps that round nothing, and bounds that exclude every fee."""
        for name in ("maker_ratio", "taker_ratio"):
            ratio = getattr(self, name)
            if not -1 < ratio < 1:
                msg = f"{name}: {ratio} is not between -1 and 1; 0.1 % is 0.001"
                raise InputError(msg, field=name, value=ratio)
        if self.least < 0 or (self.most is not None and self.most < self.least):
            msg = f"least {self.least}, most {self.most}: the first must be 0 or more, the second not below it"
            raise InputError(msg, field="least", value=self.least)
        if not self.step >= _SMALLEST:
            msg = f"step: {self.step} is below 1E-18; write the smallest amount that is charged, such as 0.01"
            raise InputError(msg, field="step", value=self.step)

    def charged(
        self, terms: Terms, side: str, quantity: Decimal, price: Decimal, liquidity: str
    ) -> tuple[Decimal, str]:
        """Return (fee, its currency) of one execution; below 0 it is a rebate.

        Args:
            terms: what the instrument means in its account.
            side: ``buy`` or ``sell``.
            quantity: above 0, in units of the instrument.
            price: per unit, in the quote currency.
            liquidity: ``maker`` or ``taker``; anything else pays as a taker.

        Example:
            >>> from onebook.domain.facts import Account
            >>> from onebook.domain.instruments import terms_of
            >>> share = terms_of(None, "AAPL", Account(name="main"))
            >>> Fees(taker_ratio=Decimal("0.001")).charged(share, "buy", Decimal(2), Decimal(100), "taker")
            (Decimal('0.20000000'), 'USD')
        """
        ratio = self.maker_ratio if liquidity == "maker" else self.taker_ratio
        if self.in_base_on_buy and side == "buy" and terms.moves_base:
            return self._rounded(multiply(quantity, ratio)), terms.base
        fee = ZERO
        if ratio:
            fee = multiply(absolute(notional(terms, quantity, price)), ratio)
        if self.per_unit:
            fee = add(fee, multiply(quantity, self.per_unit))
        if fee >= 0:
            fee = max(fee, self.least) if self.most is None else min(max(fee, self.least), self.most)
        return self._rounded(fee), terms.settle

    def _rounded(self, amount: Decimal) -> Decimal:
        if not amount:
            return ZERO
        return multiply(quotient(amount, self.step).to_integral_value(ROUND_HALF_EVEN), self.step)
