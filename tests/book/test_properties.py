"""What must hold for any facts, checked against sums and a fold of its own, in plain Python, from the rules' text."""

import decimal
from collections import defaultdict
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from tests.book.histories import (
    ACCOUNTS,
    FIGURES,
    INSTRUMENTS,
    INVERSE,
    LINEAR,
    MARKS,
    METHODS,
    SETTLE,
    SHARE,
    SIZE,
    SPOT,
    STRATEGIES,
    differing,
    exact,
    histories,
    marked,
    modelled,
    moment,
    opened,
    prices,
    rounded,
    shape,
    sizes,
    trades,
    without_restated,
)

from onebook import (
    Fill,
    OpeningBalance,
    Reassign,
)


@given(trades)
def test_positions_are_those_of_a_simple_fold(facts: list[Fill]) -> None:
    with opened(facts) as book:
        for (account, instrument, strategy), model in modelled(facts).items():
            held = book.position(instrument, account=account, strategy=strategy)
            assert held is not None
            found = (held.quantity, held.cost_basis, held.realized_pnl_gross, held.fees, held.fees_in_base)
            want = (model.quantity, model.cost, model.gross, model.fees, model.in_base)
            assert tuple(map(exact, found)) == want, (account, instrument, strategy)
            assert held.realized_pnl == held.realized_pnl_gross - held.fees + held.funding + held.income


@given(trades)
def test_balances_are_the_sums_of_what_moved(facts: list[Fill]) -> None:
    expected: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for fill in facts:
        fee, settle = exact(fill.fee or Decimal(0)), SETTLE[fill.instrument]
        currency = fill.fee_currency or settle
        if not (fill.instrument == SPOT and currency == "BTC"):
            expected[fill.account, currency] -= fee
        if fill.instrument in {SPOT, SHARE}:
            signed = exact(fill.quantity) * (1 if fill.side == "buy" else -1)
            expected[fill.account, settle] -= signed * exact(fill.price)
    for (account, instrument, _), model in modelled(facts).items():
        if instrument == SPOT:
            expected[account, "BTC"] += model.quantity
        if instrument in {LINEAR, INVERSE}:
            expected[account, SETTLE[instrument]] += model.gross
    with opened(facts) as book:
        found = {(row.account, row.asset): exact(row.amount) for row in book.balances()}
    assert found == {place: amount for place, amount in expected.items() if amount}


@given(histories)
def test_equity_is_the_sum_of_its_parts_to_the_last_digit(facts: list[Any]) -> None:
    with marked(opened(facts)) as book:
        for currency in (None, "BTC", "XRP"):
            for account in (None, *ACCOUNTS):
                equity = book.equity(currency=currency, account=account)
                flows = (equity.opening, equity.transfers, equity.realized, equity.other)
                parts = (*flows, equity.unrealized, equity.revaluation)
                assert exact(equity.amount) == sum(map(exact, parts))


@given(trades)
def test_equity_is_what_is_held_at_the_marks(facts: list[Fill]) -> None:
    """Balances and shares at their marks, and what the contracts would gain. XRP has no price and stays outside."""
    deposit = OpeningBalance(currency="USDT", amount=Decimal(1000), balance_id="x", occurred_at=moment(0))
    price = {"USDT": Fraction(1), "BTC": exact(MARKS[SPOT]), "BNB": Fraction(600), "XRP": Fraction(0)}
    with marked(opened([deposit, *facts])) as book:
        worth = sum((exact(row.amount) * price[row.asset] for row in book.balances()), Fraction(0))
        for held in book.positions():
            quantity, mark = exact(held.quantity), exact(MARKS[held.instrument])
            if held.instrument == SHARE:
                worth += quantity * mark
            elif held.instrument == LINEAR:
                signed = exact(held.cost_basis) * (1 if quantity > 0 else -1)
                worth += quantity * SIZE[LINEAR] * mark - signed
            elif held.instrument == INVERSE:
                signed = exact(held.cost_basis) * (1 if quantity > 0 else -1)
                worth += (signed - quantity * SIZE[INVERSE] / mark) * price["BTC"]
        assert abs(exact(book.equity().amount) - worth) < Fraction(1, 10**12)


@given(histories)
def test_lots_add_up_to_the_position(facts: list[Any]) -> None:
    with opened(facts) as book:
        for account in ACCOUNTS:
            for instrument in INSTRUMENTS:
                for strategy in (None, *STRATEGIES):
                    basis = "netted" if strategy is None else "sum"
                    held = book.position(instrument, account=account, strategy=strategy, basis=basis)
                    for method in METHODS:
                        lots = book.lots(instrument, account=account, strategy=strategy, method=method)
                        quantity = Decimal(0) if held is None else held.quantity
                        assert sum(exact(lot.quantity) for lot in lots.open) == exact(quantity)
                        if method == "average" and held is not None and strategy is not None:
                            cost = sum(exact(lot.cost) for lot in lots.open if lot.cost is not None)
                            note(f"{account} {instrument} {strategy}")
                            assert cost == exact(held.cost_basis)


@given(trades)
def test_gains_of_lots_end_where_the_position_ends(facts: list[Fill]) -> None:
    """Once flat, every method has gained the same: what came in less what went out (spot without base fees, shares)."""
    with opened(facts) as book:
        for account in ACCOUNTS:
            held = book.position(SHARE, account=account)
            if held is None:
                continue
            if held.quantity:
                side = "sell" if held.quantity > 0 else "buy"
                book.record(
                    Fill(
                        instrument=SHARE,
                        side=side,
                        quantity=abs(held.quantity),
                        price=77,
                        account=account,
                        occurred_at=moment(432),
                    )
                )
            paid = Fraction(0)
            for item in book.fills(instrument=SHARE, account=account):
                signed = exact(item.quantity) * (1 if item.side == "buy" else -1)
                paid -= signed * exact(item.price)
            for method in METHODS:
                closed = book.lots(SHARE, account=account, method=method).closed
                assert sum(exact(lot.gain) for lot in closed if lot.gain is not None) == paid
            netted = book.position(SHARE, account=account, basis="netted")
            assert netted is not None
            assert exact(netted.realized_pnl_gross) == paid


@given(histories)
def test_strategies_add_up_to_the_account(facts: list[Any]) -> None:
    with marked(opened(facts)) as book:
        for account in ACCOUNTS:
            for instrument in INSTRUMENTS:
                total = book.position(instrument, account=account)
                parts = book.positions(is_open=None, account=account, instrument=instrument)
                if total is None:
                    assert parts == []
                    continue
                for name in ("quantity", *FIGURES[:6]):
                    assert exact(getattr(total, name)) == sum(exact(getattr(part, name)) for part in parts), name
                unrealized = [part.unrealized_pnl for part in parts if part.unrealized_pnl is not None]
                assert exact(total.unrealized_pnl or Decimal(0)) == sum(map(exact, unrealized))


@given(trades)
def test_a_full_close_leaves_a_cost_of_exactly_0(facts: list[Fill]) -> None:
    with opened(facts) as book:
        for number, held in enumerate(book.positions()):
            side = "sell" if held.quantity > 0 else "buy"
            book.record(
                Fill(
                    instrument=held.instrument, side=side, quantity=abs(held.quantity), price=77, account=held.account,
                    strategy=held.strategy or "", client_fill_id=f"close {number}", occurred_at=moment(432),
                )
            )  # fmt: skip
        assert book.positions() == []
        for held in book.positions(is_open=False):
            assert (held.quantity, held.cost_basis, held.average_price, held.opened_at) == (0, 0, None, None)
        assert not [trip for trip in book.round_trips() if trip.is_open]


@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(facts: list[Any], random: Any) -> None:
    shuffled = random.sample(facts, len(facts))
    with marked(opened(facts)) as first, marked(opened(shuffled)) as second:
        assert differing(shape(first), shape(second)) == []


@given(histories, st.randoms(use_true_random=False))
def test_the_same_fact_twice_is_once(facts: list[Any], random: Any) -> None:
    with opened(facts) as book:
        before, entries = shape(book), book.status().entries
        for fact in random.sample([*facts, *facts], len(facts)):
            assert book.record(fact).status == "exists"
        assert book.status().entries == entries
        assert shape(book) == before


def executions(numbers: list[int]) -> list[Fill]:
    """Fills of a venue that say the same whenever their number comes again."""
    return [
        Fill(
            instrument=(SPOT, LINEAR)[number % 2],
            side="buy",
            quantity=number + 1,
            price=100,
            venue="x",
            venue_fill_id=str(number),
            client_fill_id=("", f"mine-{number}")[number % 3 == 0],
            occurred_at=moment(number),
        )
        for number in numbers
    ]


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), max_size=6))
def test_repeats_are_told_the_same_in_whatever_lists_they_come(lists: list[list[int]]) -> None:
    with opened() as alone, opened() as together:
        for numbers in lists:
            statuses = [alone.record(fill).status for fill in executions(numbers)]
            report = together.record_many(executions(numbers))
            counts = {"recorded": report.recorded, "exists": report.exists, "conflict": report.conflicts}
            assert counts == {name: statuses.count(name) for name in counts}
            if len(numbers) == 1 or numbers[0] % 2:
                assert together.record(executions(numbers)[-1]).status == "exists"
        assert differing(shape(alone), shape(together)) == []
        assert together.breaks() == []


def answers(book: Any) -> dict[str, Any]:
    """Everything a book answers at one point, sequences and trip ids included."""
    return {
        "positions": [replace(item, sequence=0) for item in book.positions(is_open=None)],
        "balances": book.balances(),
        "days": without_restated(book.daily_pnl()),
        "trips": [replace(trip, highest=None, lowest=None) for trip in book.round_trips()],
        "fills": [(item.id, item.fill) for item in book.fills()],
        "equity": book.equity(),
    }


@given(histories)
def test_as_of_a_sequence_is_what_was_answered_then(facts: list[Any]) -> None:
    with opened() as book:
        said = {}
        for fact in facts:
            receipt = book.record(fact)
            said[receipt.sequence] = answers(book)
        for sequence, then in said.items():
            assert differing(then, answers(book.as_of(sequence))) == [], sequence


@given(trades, st.integers(0, 432))
def test_as_of_a_moment_is_the_book_of_what_had_happened(facts: list[Fill], minute: int) -> None:
    until = moment(minute)
    limit = Fill(instrument="x", side="buy", quantity=1, price=1, occurred_at=until).occurred_ns
    assert limit is not None
    happened = [fill for fill in facts if (fill.occurred_ns or 0) <= limit]
    with opened(facts) as whole, opened(happened) as part:
        left, right = shape(whole.as_of(moment=until)), shape(part)
        for name in ("positions", "days", "trips", "fills", "lots"):
            assert left[name] == right[name], name


@given(
    histories,
    st.sampled_from(["America/New_York", "Asia/Kathmandu", "Pacific/Chatham"]),
    st.sampled_from(["00:00", "17:00", "09:30"]),
)
def test_days_add_up_to_what_was_realized(facts: list[Any], zone: str, rolls_at: str) -> None:
    with opened(facts) as book:
        realized: dict[str, Fraction] = defaultdict(Fraction)
        for held in book.positions(is_open=None):
            realized[held.currency] += exact(held.realized_pnl)
        wanted = {currency: amount for currency, amount in realized.items() if amount}
        for rows in (book.daily_pnl(), book.daily_pnl(zone=zone, rolls_at=rolls_at)):
            summed: dict[str, Fraction] = defaultdict(Fraction)
            for row in rows:
                summed[row.currency] += exact(row.net)
                assert row.net == row.gross - row.fees + row.funding + row.income
            assert {currency: amount for currency, amount in summed.items() if amount} == wanted
            assert sum(row.fills for row in rows) == len(book.fills())
        for strategy in STRATEGIES:
            mine: dict[str, Fraction] = defaultdict(Fraction)
            for held in book.positions(is_open=None, strategy=strategy):
                mine[held.currency] += exact(held.realized_pnl)
            for row in book.daily_pnl(strategy=strategy):
                mine[row.currency] -= exact(row.net)
            assert not any(mine.values())


@given(histories)
def test_round_trips_add_up_to_what_was_realized_by_fills(facts: list[Any]) -> None:
    """Gross is realized inside round trips only; money that comes while flat belongs to none."""
    with opened(facts) as book:
        gross: dict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
        for trip in book.round_trips():
            gross[trip.account, trip.instrument, trip.strategy] += exact(trip.gross)
            assert trip.net == trip.gross - trip.fees + trip.funding + trip.income
        for held in book.positions(is_open=None):
            if held.fees_in_base:
                continue
            assert gross[held.account, held.instrument, held.strategy or ""] == exact(held.realized_pnl_gross)


@given(histories)
def test_explain_sums_to_every_figure(facts: list[Any]) -> None:
    with opened(facts) as book:
        for account in ACCOUNTS:
            for instrument in INSTRUMENTS:
                for strategy in (None, *STRATEGIES):
                    held = book.position(instrument, account=account, strategy=strategy)
                    for figure in FIGURES:
                        rows = book.explain(instrument, account=account, strategy=strategy, figure=figure)
                        want = Decimal(0) if held is None else getattr(held, figure)
                        assert sum(exact(row.amount) for row in rows) == exact(want), figure


@given(histories)
def test_a_hostile_decimal_context_changes_nothing(facts: list[Any]) -> None:
    hostile = decimal.Context(prec=3, rounding=decimal.ROUND_UP, Emin=-5, Emax=5, traps=[])
    with opened(facts) as calm:
        expected = shape(calm)
    with opened() as book, decimal.localcontext(hostile):
        for fact in facts:
            book.record(fact)
        found = shape(book)
        report = book.verify()
    assert found == expected
    assert report.ok


@given(histories)
def test_rebuilt_read_models_are_the_read_models(facts: list[Any]) -> None:
    with opened(facts) as book:
        before = answers(book)
        report = book.verify()
        assert report.ok, report.problems
        rebuilt = book.rebuild()
        assert rebuilt.ok, rebuilt.problems
        assert answers(book) == before
        report = book.verify()
        assert report.ok, report.problems


@given(histories, st.randoms(use_true_random=False))
def test_busts_and_corrections_leave_the_book_of_what_is_right(facts: list[Any], random: Any) -> None:
    """Wrong fills busted or corrected end where the right ones alone would have ended."""
    changes: list[tuple[Any, str, Any]] = []
    for fact in facts:
        deed = random.choice(["keep", "keep", "bust", "correct"]) if isinstance(fact, Fill) else "keep"
        other = replace_price(fact, random) if deed == "correct" else None
        changes.append((fact, deed, other))
    right = [other if deed == "correct" else fact for fact, deed, other in changes if deed != "bust"]
    with opened(facts) as book, opened(right) as wanted:
        sequences = {item.venue_fill_id: item.sequence for item in book.fills()}
        for fact, deed, other in random.sample(changes, len(changes)):
            if deed == "bust":
                book.bust(sequences[fact.venue_fill_id], reason="never happened")
            elif deed == "correct":
                names = ("price", "quantity", "side", "strategy", "occurred_ns", "instrument", "account")
                new = {name: getattr(other, name) for name in names if getattr(other, name) != getattr(fact, name)}
                if new:
                    book.correct(sequences[fact.venue_fill_id], reason="typo", **new)
        assert differing(shape(book), shape(wanted)) == []
        report = book.verify()
        assert report.ok, report.problems


def replace_price(fill: Fill, random: Any) -> Fill:
    """Return the fill with other content under the same identity."""
    other = {
        "price": fill.price + 1,
        "quantity": fill.quantity * 2,
        "side": "sell" if fill.side == "buy" else "buy",
        "strategy": "a" if fill.strategy != "a" else "b",
        "occurred_at": moment(random.randrange(432)),
        "instrument": random.choice([name for name in INSTRUMENTS if name != fill.instrument]),
        "account": ACCOUNTS[1 - ACCOUNTS.index(fill.account)],
    }
    chosen = random.sample(sorted(other), random.randrange(1, 4))
    return fill.replaced(**{name: other[name] for name in chosen})


@given(
    st.lists(
        st.tuples(st.sampled_from(STRATEGIES), st.sampled_from(STRATEGIES), sizes, st.one_of(st.none(), prices)),
        max_size=6,
    ),
    trades,
)
def test_reassigning_moves_and_makes_nothing(moves: list[Any], facts: list[Fill]) -> None:
    """The account's quantity, cash and net worth at a mark stay, at whatever price strategies settle."""
    with marked(opened(facts)) as book:
        before = (
            book.balances(),
            exact(book.equity().amount),
            [book.position(name, basis="netted") for name in INSTRUMENTS],
        )
        for giver, taker, size, price in moves:
            held = book.position(SHARE, strategy=giver)
            if giver == taker or held is None or abs(held.quantity) < size:
                continue
            book.record(
                Reassign(
                    instrument=SHARE,
                    quantity=size,
                    from_strategy=giver,
                    to_strategy=taker,
                    price=price,
                    occurred_at=moment(432),
                )
            )
        after = (
            book.balances(),
            exact(book.equity().amount),
            [book.position(name, basis="netted") for name in INSTRUMENTS],
        )
        assert after[0] == before[0]
        assert after[1] == before[1]
        for left, right in zip(after[2], before[2], strict=True):
            assert (left is None) == (right is None)
            if left is not None and right is not None:
                assert (left.quantity, left.cost_basis, left.realized_pnl) == (
                    right.quantity,
                    right.cost_basis,
                    right.realized_pnl,
                )


@given(st.fractions(), st.fractions().filter(bool))
def test_quotients_are_rounded_once_half_to_even(left: Fraction, right: Fraction) -> None:
    from onebook.domain.numbers import quotient

    dividend, divisor = Decimal(left.numerator), Decimal(right.numerator)
    got = quotient(dividend, divisor)
    assert exact(got) == rounded(Fraction(left.numerator, right.numerator))
    with decimal.localcontext(decimal.Context(prec=150, rounding=ROUND_HALF_EVEN)):
        assert got == (dividend / divisor).quantize(Decimal("1e-18"))


def test_a_quotient_just_beyond_a_half_is_none() -> None:
    from onebook.domain.numbers import quotient

    last = Decimal(1).scaleb(-18)
    for beyond, steps in ((-1, 0), (0, 0), (1, 1)):
        dividend = Decimal(5 * 10**210 + beyond)
        assert quotient(dividend, Decimal(10) ** 229) == steps * last
        assert quotient(dividend.copy_negate(), Decimal(10) ** 229) == -steps * last
    for value, steps in (("0.5", 0), ("1.5", 2), ("2.5", 2), ("-2.5", -2), ("-3.5", -4)):
        assert quotient(Decimal(value), Decimal(10) ** 18) == steps * last


@pytest.mark.parametrize(
    ("value", "text"),
    [("-0", "0"), ("-0.00", "0"), ("0E-18", "0"), ("100", "100"), ("1E+3", "1000"), ("0.10", "0.1"), ("-1.50E-7",
     "-0.00000015"), ("10.0", "10"), ("-0.5", "-0.5")],
)  # fmt: skip
def test_numbers_read_plainly(value: str, text: str) -> None:
    from onebook.domain.numbers import plain

    assert plain(Decimal(value)) == text
