"""Figures over round trips and days: a history counted by hand, and one counted by another program."""

from decimal import Decimal
from random import Random

import pytest

from onebook.domain.reports import DailyPnl, Pnl
from onebook.domain.statistics import MAX_BUCKETS, MAX_GROUPS, EndedTrip, Statistics, statistics_of
from onebook.domain.times import SECOND


def trip(net: str, *, fees: str = "0", hold: int = 60, **given: str) -> EndedTrip:
    """A round trip of 60 seconds in USD whose gross is its net and its fees."""
    named = {"currency": "USD", "strategy": "", "instrument": "AAPL", "month": "2026-03", "reason": ""} | given
    gross = Decimal(net) + Decimal(fees)
    return EndedTrip(
        **named, hold_ns=hold * SECOND, gross=gross, fees=Decimal(fees), funding=Decimal(), income=Decimal(),
        net=Decimal(net),
    )  # fmt: skip


def day(name: str, net: str, currency: str = "USD") -> DailyPnl:
    nothing = Decimal()
    return DailyPnl(
        day=name, currency=currency, gross=Decimal(net), fees=nothing, funding=nothing, income=nothing,
        net=Decimal(net), fills=1, round_trips=0, restated=False,
    )  # fmt: skip


def only(found: list[Statistics]) -> Statistics:
    assert len(found) == 1
    return found[0]


def test_figures_are_those_counted_by_hand() -> None:
    trips = [
        trip("100", fees="2", hold=100, strategy="a", reason="take_profit"),
        trip("-40", fees="1", hold=200, strategy="a", reason="stop_loss", month="2026-04"),
        trip("50", fees="1", hold=300, strategy="b", reason="take_profit", instrument="MSFT"),
        trip("-10", fees="0.5", hold=400, strategy="b", reason="stop_loss"),
        trip("0", fees="0.5", hold=500, strategy="b"),
    ]
    found = only(statistics_of(trips, [], []))
    assert (found.count, found.wins, found.losses) == (5, 2, 2)
    assert found.win_rate == Decimal("0.4")
    assert found.expectancy == 20
    assert found.profit_factor == 3
    assert (found.average_win, found.average_loss) == (75, -25)
    assert (found.largest_win, found.largest_loss) == (100, -40)
    assert found.average_hold_seconds == 300
    assert (found.gross, found.fees, found.net) == (105, 5, 100)
    assert [(row.name, row.count, row.wins, row.losses, row.net) for row in found.by_strategy] == [
        ("a", 2, 1, 1, Decimal(60)), ("b", 3, 1, 1, Decimal(40)),
    ]  # fmt: skip
    assert [(row.name, row.net) for row in found.by_month] == [("2026-03", 140), ("2026-04", -40)]
    assert [(row.name, row.net) for row in found.by_reason] == [("", 0), ("stop_loss", -50), ("take_profit", 150)]
    assert [(row.name, row.net) for row in found.by_instrument] == [("AAPL", 50), ("MSFT", 50)]
    assert found.distribution.edges == tuple(map(Decimal, range(-40, 111, 10)))
    assert found.distribution.counts == (1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
    assert (found.realized.net, found.max_drawdown) == (0, None)


def test_nothing_is_divided_by_nothing() -> None:
    assert statistics_of([], [], []) == []
    won = only(statistics_of([trip("1")], [], []))
    assert (won.profit_factor, won.average_loss, won.largest_loss) == (None, None, None)
    assert (won.distribution.edges, won.distribution.counts) == ((1, 2), (1,))
    lost = only(statistics_of([trip("-1")], [], []))
    assert (lost.profit_factor, lost.average_win, lost.largest_win, lost.win_rate) == (0, None, None, 0)
    even = only(statistics_of([trip("0")], [], []))
    assert (even.wins, even.losses, even.profit_factor, even.distribution.counts) == (0, 0, None, (1,))


def test_currencies_never_add_up() -> None:
    found = statistics_of([trip("1"), trip("5", currency="EUR")], [day("2026-03-01", "7", "GBP")], [pnl("GBP", "7")])
    assert [(row.currency, row.net, row.realized.net) for row in found] == [("EUR", 5, 0), ("GBP", 0, 7), ("USD", 1, 0)]


def pnl(currency: str, net: str) -> Pnl:
    nothing = Decimal()
    return Pnl(
        currency=currency, gross=Decimal(net), fees=nothing, funding=nothing, income=nothing, net=Decimal(net),
        fills=1, round_trips=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("nets", "wanted"),
    [
        ("5 3", None),
        ("-4 1 -2 9 -1", ("5", None, "2026-03-03")),
        ("10 -3 3 -3", ("3", "2026-03-01", "2026-03-02")),
        ("10 -3 -3 20 -5 -2 1", ("7", "2026-03-04", "2026-03-06")),
        ("10 0 -1", ("1", "2026-03-02", "2026-03-03")),
    ],
)
def test_the_drawdown_is_the_deepest_fall_of_the_days(nets: str, wanted: tuple[str, str | None, str] | None) -> None:
    days = [day(f"2026-03-{number:02}", net) for number, net in enumerate(nets.split(), 1)]
    found = only(statistics_of([trip("1")], days, [])).max_drawdown
    shown = None if found is None else (str(found.amount), found.since, found.until)
    assert shown == wanted


@pytest.mark.parametrize("scale", [-12, -2, 0, 9])
def test_buckets_are_few_and_round_and_count_everything_in_any_order(scale: int) -> None:
    random = Random(scale)
    nets = [Decimal(random.randint(-30_000, 90_000)).scaleb(scale) for _ in range(20_000)]
    one = only(statistics_of([trip(str(net)) for net in nets], [], [])).distribution
    assert one == only(statistics_of([trip(str(net)) for net in reversed(nets)], [], [])).distribution
    assert MAX_BUCKETS // 3 <= len(one.counts) <= MAX_BUCKETS
    assert 0 in one.edges
    assert one.counts == tuple(
        sum(low <= net < high for net in nets) for low, high in zip(one.edges, one.edges[1:], strict=False)
    )
    width = {high - low for low, high in zip(one.edges, one.edges[1:], strict=False)}
    assert len(width) == 1
    assert width.pop().as_tuple().digits in {(1,), (2,), (5,)} or str(one.edges[1] - one.edges[0])[0] in "125"


def test_of_too_many_names_the_rest_is_one() -> None:
    trips = [trip("1", instrument=f"X{number:05}") for number in range(MAX_GROUPS + 40)] + [
        trip("2", instrument="X00539")
    ]
    groups = only(statistics_of(trips, [], [])).by_instrument
    assert len(groups) == MAX_GROUPS + 1
    assert (groups[-1].name, groups[-1].count, groups[-1].net) == (None, 40, 40)
    assert groups[-2].name == "X00539"
    assert sum(group.net for group in groups) == MAX_GROUPS + 42


def test_many_places_are_gathered_without_a_loss() -> None:
    trips = [trip("1", strategy=str(number % 97), instrument=str(number % 89)) for number in range(9_000)]
    found = only(statistics_of(trips, [], []))
    assert found.count == 9_000
    assert {sum(row.count for row in rows) for rows in (found.by_strategy, found.by_instrument)} == {9_000}


def test_figures_are_those_of_another_program() -> None:
    pandas = pytest.importorskip("pandas")
    random = Random(7)
    trips = [
        trip(
            str(Decimal(random.randint(-900, 1000)) / 4), fees=str(Decimal(random.randint(0, 8)) / 4),
            hold=random.randint(1, 9_000), strategy=random.choice("abc"), reason=random.choice(["", "stop_loss"]),
            month=f"2026-0{random.randint(1, 9)}",
        )
        for _ in range(3_000)
    ]  # fmt: skip
    days = [
        day(f"2026-{month:02}-{number:02}", str(random.randint(-50, 50))) for month in (1, 2) for number in range(1, 29)
    ]
    found = only(statistics_of(iter(trips), days, []))
    frame = pandas.DataFrame([row._asdict() for row in trips])  # quarters are exact as floats
    frame["net"], frame["fees"] = frame["net"].astype(float), frame["fees"].astype(float)
    won, lost = frame.net[frame.net > 0], frame.net[frame.net < 0]
    close = pytest.approx
    assert (found.count, found.wins, found.losses) == (len(frame), len(won), len(lost))
    assert (float(found.net), float(found.fees)) == (frame.net.sum(), frame.fees.sum())
    assert float(found.win_rate or 0) == close(len(won) / len(frame), rel=1e-15)
    assert float(found.profit_factor or 0) == close(won.sum() / -lost.sum(), rel=1e-15)
    assert float(found.expectancy or 0) == close(frame.net.mean(), rel=1e-12)
    assert float(found.average_win or 0) == close(won.mean(), rel=1e-12)
    assert float(found.average_loss or 0) == close(lost.mean(), rel=1e-12)
    assert (float(found.largest_win or 0), float(found.largest_loss or 0)) == (won.max(), lost.min())
    assert float(found.average_hold_seconds or 0) == close(frame.hold_ns.mean() / SECOND, rel=1e-12)
    for kind in ("strategy", "month", "reason"):
        grouped = frame.groupby(kind).net.agg(["count", "sum"])
        shown = {row.name: (row.count, float(row.net)) for row in getattr(found, f"by_{kind}")}
        assert shown == {name: (row["count"], row["sum"]) for name, row in grouped.iterrows()}
    edges = [float(edge) for edge in found.distribution.edges]
    counted = pandas.cut(frame.net, edges, right=False).value_counts(sort=False)
    assert list(counted) == list(found.distribution.counts)
    curve = pandas.Series([0.0, *(float(row.net) for row in days)]).cumsum()
    fall = curve.cummax() - curve
    assert found.max_drawdown is not None
    assert float(found.max_drawdown.amount) == fall.max()
    assert found.max_drawdown.until == days[fall.argmax() - 1].day
