"""Orders that rest on real quotes and trades of one moment after another fill as in nautilus_trader's exchange.

Only what both take the same way is asked: one order by itself, sent while the market is away from its price, so that
nothing depends on whether what was just seen counts; small enough for what the source shows. Market orders are left
out: nautilus_trader fills them at the quote just seen, we at the next one. Quotes are matched at the other side; a
trade moves both sides of nautilus_trader's book to its price. Every order whose fills differ must be of a class of
``CLASSES``, and each is counted.
"""

import random
import sys
from collections import Counter
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from tests.domain.matching_venue import Venue
from tests.market.conftest import MARKET

from onebook.domain import matching
from onebook.domain.facts import Order
from onebook.domain.market import Print, Quote, Seen
from onebook.domain.matching import Rules
from onebook.market.providers.files import FileSource, FileTerms

TICK, QUANTITY = Decimal("0.10"), Decimal("0.001")
RULES = Rules(fill_share=None, tick_size=TICK, lot_size=QUANTITY)
LIFE = 1_000
"""How many ticks an order sees."""

Fills = list[tuple[int, Decimal, Decimal]]


@cache
def feed(what: str) -> tuple[Any, ...]:
    path = MARKET / "binance_btcusdt_usdm_20240808.gz"
    if not path.exists():
        pytest.skip(f"NOT COMPARED on quotes and trades: {path.name} is not at {MARKET}")
    source = FileSource([FileTerms(path=path, instrument="X")])
    kind = Quote if what == "quotes" else Print
    return tuple(seen for seen in source.events() if isinstance(seen, kind))


def row_of(seen: Seen) -> list[str]:
    if isinstance(seen, Quote):
        sides = (f"{seen.bid:.2f}", f"{seen.ask:.2f}", f"{seen.bid_quantity:.3f}", f"{seen.ask_quantity:.3f}")
        return list(sides)
    assert isinstance(seen, Print)
    return [f"{seen.price:.2f}", f"{seen.quantity:.3f}"]


def orders_on(what: str, count: int, seed: int) -> list[tuple[int, dict[str, Any]]]:
    """(first tick, order) of so many orders, each away from the market by at least two ticks."""
    rng, ticks = random.Random(seed), feed(what)
    found = []
    for _ in range(count):
        start = rng.randrange(len(ticks) - LIFE - 1)
        last = ticks[start + 1]
        bid, ask = (last.bid, last.ask) if isinstance(last, Quote) else (last.price, last.price)
        side, away = rng.choice(["buy", "sell"]), TICK * rng.randrange(2, 150)
        order: dict[str, Any] = {"tick": 1, "side": side, "quantity": str(QUANTITY)}
        kind = rng.choice(["limit", "stop", "trail"])
        below = (side == "buy") == (kind == "limit")
        order[kind] = f"{away if kind == 'trail' else bid - away if below else ask + away:.2f}"
        found.append((start, order))
    return found


def sent(order: dict[str, Any]) -> Order:
    common: dict[str, Any] = {"instrument": "X", "client_order_id": "o", "side": order["side"], "quantity": QUANTITY}
    if "limit" in order:
        return Order(kind="limit", limit_price=order["limit"], **common)
    if "stop" in order:
        return Order(kind="stop", stop_price=order["stop"], **common)
    return Order(kind="trailing_stop", trail_amount=order["trail"], **common)


def our_fills(ticks: tuple[Any, ...], order: dict[str, Any]) -> Fills:
    from dataclasses import replace

    venue, found = Venue(RULES), []
    for number, seen in enumerate(ticks):
        before = len(venue.outcomes)
        venue.see(replace(seen, at_ns=number + 1))
        if number == order["tick"]:
            venue.send(sent(order), number + 1)
        found += [
            (number, item.price, item.quantity) for item in venue.outcomes[before:] if isinstance(item, matching.Filled)
        ]
    return found


def price_for(side: str, seen: Seen) -> Decimal:
    """What an order of this side trades at."""
    if isinstance(seen, Quote):
        return seen.ask if side == "buy" else seen.bid
    assert isinstance(seen, Print)
    return seen.price


def stop_at_its_level(order: dict[str, Any], ticks: tuple[Any, ...], ours: Fills, theirs: Fills) -> bool:
    """A stop that the market has jumped over: we fill at the price that is there, nautilus_trader at the level."""
    if "limit" in order or len(ours) != 1 or len(theirs) != 1:
        return False
    (tick, price, quantity), (their_tick, their_price, their_quantity) = ours[0], theirs[0]
    side = order["side"]
    if "stop" in order:
        level = Decimal(order["stop"])
    else:
        before, amount = [price_for(side, seen) for seen in ticks[order["tick"] : tick]], Decimal(order["trail"])
        level = min(before) + amount if side == "buy" else max(before) - amount
    there = price_for(side, ticks[tick])
    worse = there > level if side == "buy" else there < level
    same = (tick, quantity) == (their_tick, their_quantity)
    return same and worse and (price, their_price) == (there, level)


CLASSES = {"stop_at_its_level": stop_at_its_level}
"""Why fills may differ: a name, and what says so of (order, ticks, our fills, theirs)."""


def compare(name: str, count: int, seed: int, oracle: Any) -> None:
    asked = orders_on(name, count, seed)
    stretches = [feed(name)[start : start + LIFE] for start, _ in asked]
    questions = [
        {name: [row_of(seen) for seen in ticks], "order": order}
        for ticks, (_, order) in zip(stretches, asked, strict=True)
    ]
    found: Counter[str] = Counter()
    answers = oracle("nautilus", "nautilus_ticks", questions)
    for ticks, (_, order), answer in zip(stretches, asked, answers, strict=True):
        ours = our_fills(ticks, order)
        theirs = [(tick, Decimal(price), Decimal(quantity)) for tick, price, quantity in answer]
        what = next(iter({"limit", "stop", "trail"} & set(order)))
        found[f"{what} fills"] += len(ours)
        if ours == theirs:
            found["alike"] += 1
            continue
        names = [title for title, known in CLASSES.items() if known(order, ticks, ours, theirs)]
        assert names, f"of no known class: {order}, ours {ours}, theirs {theirs}"
        found.update(names[:1])
    assert found["alike"] + sum(found[title] for title in CLASSES) == count
    for what in ("limit", "stop", "trail"):
        assert found[f"{what} fills"] > count // 20, found
    sys.stdout.write(f"{count} orders on {name}: {dict(found)}\n")


@pytest.mark.parametrize("what", ["quotes", "prints"])
def test_orders_that_rest_fill_as_in_nautilus(what: str, oracle: Any) -> None:
    compare(what, 45, 1, oracle)


@pytest.mark.compare
@pytest.mark.parametrize("what", ["quotes", "prints"])
def test_orders_that_rest_fill_as_in_nautilus_at_length(what: str, oracle: Any) -> None:
    compare(what, 400, 2, oracle)
