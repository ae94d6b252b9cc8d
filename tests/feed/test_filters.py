"""Filters: what is told by an entry's bytes is what its decoded events say."""

from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.feed.waiting import fill

import onebook
from onebook.book.log import Filter, events_after, events_of, make_filter
from onebook.store.codec import decode_raw
from onebook.store.port import Row

NAMES = ("trend", 'a"b', "back\\slash", "grün", "日本", "🙂", "</script>", "a,b", "'", "0")
TYPES = ("trade_executed", "position_updated", "position_closed", "regime.changed", "trade_busted", "state_changed")
PATTERNS = ("*", "trade_*", "*_updated", "p?sition_*", "[tr]*", "regime.*", "r", "*x*", "trade_executed", "nonsense")
SIZES = ("0", "0.5", "1", "1.5", "99.99", "150")


@cache
def entries() -> tuple[Row, ...]:
    """Entries of every kind under names that need escapes."""
    with onebook.open(":memory:") as book:
        for number, name in enumerate(NAMES):
            book.record(fill(number, strategy=name, account=NAMES[-number], quantity="1.5"))
            book.record(fill(100 + number, strategy="", instrument=f"{name or 'x'}/USD", price="0.5"))
            book.publish("regime.changed", {"about": name}, strategy=name, account=name)
        book.record(fill(200, side="sell", strategy="trend", quantity="3"))
        book.bust(1, reason="test")
        book.state.set("a.b", {"trend": NAMES})
        return tuple(book.store.entries(0, 1000))


names = some.none() | some.frozensets(some.sampled_from((*NAMES, "", "BTC/USD", "trend/USD", "main", "absent")))
filters = some.builds(
    make_filter,
    some.none() | some.lists(some.sampled_from((*PATTERNS, *TYPES)), max_size=3),
    names,
    names,
    names,
    min_quantity=some.none() | some.sampled_from(SIZES),
    min_amount=some.none() | some.sampled_from(SIZES),
)


def told(wanted: Filter, row: Row) -> list[str]:
    if not wanted.may_hold(row[1]):
        return []
    return [event.id for event in events_after(row[0], decode_raw(row[0], row[1]), (0, 0), wanted)]


@given(filters)
def test_bytes_leave_out_nothing_that_is_wanted(wanted: Filter) -> None:
    for row in entries():
        every = events_of(row[0], decode_raw(row[0], row[1]))
        assert told(wanted, row) == [event.id for event in every if wanted.wants(event)]


@given(some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(lambda name: name.strip()))
def test_any_name_is_found_again(name: str) -> None:
    with onebook.open(":memory:") as book:
        try:
            book.record(fill(1, strategy=name))
        except onebook.InputError:
            return
        assert len(list(book.events(strategies=[name]))) == 2
        assert not list(book.events(strategies=[name + "x"]))


def test_bytes_do_leave_out() -> None:
    """Else the check above says nothing."""
    wanted = make_filter("trade_busted", strategies=["trend"])
    assert 0 < sum(wanted.may_hold(row[1]) for row in entries()) < len(entries()) / 4


@pytest.mark.parametrize(
    ("given_names", "wanted"),
    [
        ("BTC/USD", {"BTC/USD"}),
        ("BTC/USD, ETH/USD,", {"BTC/USD", "ETH/USD"}),
        (["a,b"], {"a,b"}),
        (("x",), {"x"}),
        ("", {""}),
        ([""], {""}),
        (None, None),
    ],
)
def test_names_as_callers_give_them(given_names: object, wanted: set[str] | None) -> None:
    assert make_filter(strategies=given_names).strategies == wanted


@pytest.mark.parametrize(
    ("quantity", "price", "least", "amount", "passes"),
    [
        ("1", "100", "1", None, True),
        ("0.999", "100", "1", None, False),
        ("2", "50", None, "100", True),
        ("2", "49.99", None, "100", False),
        ("2", "60", "3", "100", False),
        ("0.00001", "99999999999", None, "999999", True),
    ],
)
def test_size(quantity: str, price: str, least: str | None, amount: str | None, passes: bool) -> None:
    with onebook.open(":memory:") as book:
        book.record(fill(1, quantity=quantity, price=price))
        wanted = make_filter(min_quantity=least, min_amount=None if amount is None else Decimal(amount))
        found = [event.type for row in book.store.entries(0, 9) for event in events_of(row[0], decode_raw(*row[:2]))
                 if wanted.wants(event)]  # fmt: skip
    assert found == (["trade_executed"] if passes else []) + ["position_updated"]


@pytest.mark.parametrize("size", ["much", "1e30", None])
def test_a_size_that_is_none(size: str | None) -> None:
    if size is None:
        with pytest.raises(onebook.PrecisionLost):
            make_filter(min_quantity=0.1)
        return
    with pytest.raises(onebook.InputError, match="min_quantity"):
        make_filter(min_quantity=size)
