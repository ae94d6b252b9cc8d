"""How trading went: round trips and days read through a lens, one page at a time, for the figures over them."""

from collections.abc import Iterator
from decimal import Decimal

from onebook.book.daily import DayQuery, daily_pnl, day_begins, summed_pnl
from onebook.book.lens import LedgerInfo, Lens
from onebook.book.money import covered
from onebook.book.positions import ended_rows
from onebook.domain import times
from onebook.domain.movements import Valuation
from onebook.domain.numbers import ZERO, add, subtract
from onebook.domain.statistics import EndedTrip, Statistics, statistics_of
from onebook.store.codec import decode
from onebook.store.port import Row

_HOUR = 3600 * times.SECOND


def statistics(lens: Lens, query: DayQuery) -> list[Statistics]:
    """Return the figures of a span of the book's own days, one record per currency.

    Args:
        lens: the point of view.
        query: what is covered. With a currency, a round trip is valued at the rate of when it ended and a day as
            :func:`daily_pnl` values it; what no rate could value keeps its own currency, in a record of its own.
    """
    days = daily_pnl(lens, query)
    return statistics_of(_trips(lens, query), days, summed_pnl(days))


def _trips(lens: Lens, query: DayQuery) -> Iterator[EndedTrip]:
    counts = covered(lens, query.account)
    infos = {
        info.id: info
        for info in lens.ledgers("position", query.account, query.instrument)
        if counts(info.account)
    }  # fmt: skip
    calendar = lens.calendar()
    since, until = (None if day is None else day_begins(calendar, day) for day in (query.since, query.until))
    wanted = None if query.instrument is None else list(infos)
    currencies = {number: lens.terms(info).settle for number, info in infos.items()}
    rates = None if query.currency is None else _Rates(lens, query.currency)
    for row in ended_rows(lens, wanted, since, until):
        info = infos.get(row[0])
        if info is not None and query.strategy in {None, row[2]}:
            month = calendar.text(row[5])[:7]
            yield _trip(row, info, currencies[row[0]], month, rates)


class _Rates:
    """Values money in one currency at moments that come in order, asking the store as seldom as it can.

    Where the newest rate is the same at both ends of a day, or of an hour, it is so in between. One across a third
    currency is made of two, so that its ends do not tell.
    """

    def __init__(self, lens: Lens, target: str) -> None:
        self._lens = lens
        self.target = target
        self._kept: dict[tuple[str, int], tuple[int, Valuation | None, bool]] = {}

    def at(self, currency: str, moment: int) -> Valuation | None:
        """Return how to value a currency at a moment; None when no rate is fit."""
        for length in (times.DAY, _HOUR):
            number = moment // length
            kept = self._kept.get((currency, length))
            if kept is None or kept[0] != number:
                first, last = (
                    self._lens.valuation(currency, self.target, end)
                    for end in (number * length, (number + 1) * length - 1)
                )
                is_one = first == last and (first is None or " via " not in first.source)
                kept = self._kept[currency, length] = (number, first, is_one)
            if kept[2]:
                return kept[1]
        return self._lens.valuation(currency, self.target, moment)


def _trip(row: Row, info: LedgerInfo, currency: str, month: str, rates: _Rates | None) -> EndedTrip:
    _, _, strategy, _, opened, closed, text = row
    data = decode(text)
    gross, fees = Decimal(data["gross"]), Decimal(data["fees"])
    funding = Decimal(data["funding"]) if "funding" in data else ZERO
    income = Decimal(data["income"]) if "income" in data else ZERO
    net = add(add(subtract(gross, fees), funding), income)
    if rates is not None and rates.target != currency:
        rate = rates.at(currency, closed)
        if rate is not None:
            currency = rates.target
            fees, funding, income, net = (rate.value(amount) for amount in (fees, funding, income, net))
            gross = subtract(subtract(add(net, fees), funding), income)
    return EndedTrip(
        currency, strategy, info.name, month, data.get("close_reason", ""), closed - opened, gross, fees, funding,
        income, net,
    )  # fmt: skip
