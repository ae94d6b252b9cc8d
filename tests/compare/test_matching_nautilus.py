"""Brackets and trailing stops on real bars fill as in nautilus_trader's simulated exchange, or differ as is known.

Both take a bar as a path: open, the nearer of low and high, the other, close; market orders fill at the close that was
just seen. Each order runs by itself: where several fill at one price of a bar, nautilus_trader moves the market to the
first fill's price and does not see the others. Trails follow bid and ask there, for by its default they follow the
price before. Every order whose fills differ must belong to a class of ``CLASSES``, and each is counted.
"""

import csv
import gzip
import random
import sys
from collections import Counter
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.domain.matching_venue import Venue

from onebook.domain import matching
from onebook.domain.facts import Order
from onebook.domain.market import Bar
from onebook.domain.matching import Rules
from onebook.domain.times import MINUTE

BARS = Path(__file__).resolve().parents[3] / "shared" / "data" / "market" / "btc_perp_1m.csv.gz"
RULES = Rules(inside_bar="path", market_on="this_close", tick_size=Decimal("0.1"))
TICK = Decimal("0.1")
LIFE = 60
"""Half of the bars that an order sees."""


def real_bars(count: int) -> list[list[str]]:
    if not BARS.exists():
        pytest.skip(
            f"NOT COMPARED: {BARS.name} is not in ../shared/data/market; brackets and trails are untested on it"
        )
    with gzip.open(BARS, "rt", encoding="utf-8") as file:
        rows = islice(csv.DictReader(file), count)
        return [[row[name] for name in ("open", "high", "low", "close", "volume")] for row in rows]


def on_tick(bars: list[list[str]]) -> bool:
    """Some stretches of the data are drawn as straight lines, off any tick."""
    return not any(Decimal(price) % TICK for bar in bars for price in bar[:4])


def orders_on(bars: list[list[str]], seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    orders: list[dict[str, Any]] = []
    for bar in range(5, len(bars) - 3 * LIFE, 7):
        close = Decimal(bars[bar][3])
        side = rng.choice(["buy", "sell"])
        sign = 1 if side == "buy" else -1
        order: dict[str, Any] = {"name": f"o{bar}", "bar": bar, "side": side, "quantity": "0.010"}
        kind = rng.choice(["bracket", "limit bracket", "trail", "trail_bps"])
        if "bracket" in kind:
            entry = close if kind == "bracket" else close - sign * rng.randrange(5, 60)
            order |= {
                "stop": f"{entry - sign * rng.randrange(20, 250):.1f}",
                "target": f"{entry + sign * rng.randrange(20, 250):.1f}",
            }
            order |= {"limit": f"{entry:.1f}"} if kind == "limit bracket" else {}
        else:
            order[kind] = str(rng.randrange(20, 250) if kind == "trail" else rng.randrange(5, 60))
        orders.append(order)
    return orders


def sent(order: dict[str, Any]) -> list[Order]:
    name, side, other = order["name"], order["side"], "sell" if order["side"] == "buy" else "buy"
    common: dict[str, Any] = {"instrument": "X", "quantity": order["quantity"]}
    entry = {"kind": "limit", "limit_price": order["limit"]} if "limit" in order else {"kind": "market"}
    made = [Order(client_order_id=f"{name}-E", side=side, **entry, **common)]
    child: dict[str, Any] = common | {"side": other, "parent_id": f"{name}-E"}
    if "stop" not in order:
        trail = {"trail_amount": order["trail"]} if "trail" in order else {}
        trail |= {"trail_ratio": Decimal(order["trail_bps"]) / 10_000} if "trail_bps" in order else {}
        return [*made, Order(client_order_id=f"{name}-S", kind="trailing_stop", **trail, **child)]
    target = {"kind": "limit", "limit_price": order["target"], "group_id": name}
    stop = {"kind": "stop", "stop_price": order["stop"], "group_id": name}
    return [
        *made,
        Order(client_order_id=f"{name}-T", **target, **child),
        Order(client_order_id=f"{name}-S", **stop, **child),
    ]


def our_fills(bars: list[list[str]], orders: list[dict[str, Any]]) -> dict[str, tuple[int, Decimal]]:
    venue = Venue(RULES)
    due: dict[int, list[Order]] = {}
    for order in orders:
        due.setdefault(order["bar"], []).extend(sent(order))
    found: dict[str, tuple[int, Decimal]] = {}
    for index, row in enumerate(bars):
        prices: dict[str, Any] = dict(zip(("open", "high", "low", "close"), map(Decimal, row[:4]), strict=True))
        at_ns = (index + 1) * MINUTE
        bar = Bar(instrument="X", timeframe="1m", opened_ns=index * MINUTE, at_ns=at_ns, **prices)
        before = len(venue.outcomes)
        venue.see(bar)
        for each in due.get(index, ()):
            venue.send(each, at_ns)
        for outcome in venue.outcomes[before:]:
            if isinstance(outcome, matching.Filled):
                assert outcome.client_order_id not in found
                found[outcome.client_order_id] = index, outcome.price
    return found


Bars = list[list[str]]
Fills = dict[str, tuple[int, Decimal]]


def level_rounding(order: dict[str, Any], bars: Bars, ours: Fills, theirs: Fills) -> bool:
    """A trail by ratio off the tick: we round its level away from the price, nautilus_trader to the price.

    Our exit is the one tick worse for who trails; or theirs is earlier, in a bar that reached only their level.
    """
    stop = f"{order['name']}-S"
    if "trail_bps" not in order or stop not in theirs:
        return False
    their_bar, their_price = theirs.pop(stop)
    bar, price = ours.pop(stop, (len(bars), None))
    if ours != theirs:
        return False
    if bar == their_bar and price is not None:
        return abs(price - their_price) == TICK and (price < their_price) == (order["side"] == "buy")
    high, low = Decimal(bars[their_bar][1]), Decimal(bars[their_bar][2])
    missed = low > their_price - TICK if order["side"] == "buy" else high < their_price + TICK
    return their_bar < bar and missed


def open_beyond_limit(order: dict[str, Any], bars: Bars, ours: Fills, theirs: Fills) -> bool:
    """A limit order that the open has jumped over: we fill it at the open, nautilus_trader at its limit."""
    differing = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    for name in differing:
        limit = order.get("limit" if name.endswith("-E") else "target")
        if name.endswith("-S") or limit is None or name not in ours or name not in theirs:
            return False
        (bar, price), (their_bar, their_price) = ours[name], theirs[name]
        buys = (order["side"] == "buy") == name.endswith("-E")
        better = price < their_price if buys else price > their_price
        at_open = price == Decimal(bars[bar][0]) and their_price == Decimal(limit)
        if bar != their_bar or not better or not at_open:
            return False
    return bool(differing)


CLASSES = {"level_rounding": level_rounding, "open_beyond_limit": open_beyond_limit}
"""Why fills may differ: a name, and what says so of (order, its bars, our fills, theirs)."""


def compare(seed: int, count: int, oracle: Any) -> None:
    bars = real_bars(count)
    questions: list[dict[str, Any]] = [
        {"bars": bars[order["bar"] - 1 : order["bar"] + 2 * LIFE], "orders": [order | {"bar": 1}]}
        for order in orders_on(bars, seed)
    ]
    questions = [question for question in questions if on_tick(question["bars"])]
    found: Counter[str] = Counter()
    for question, answer in zip(questions, oracle("nautilus", "nautilus_matching", questions), strict=True):
        order = question["orders"][0]
        ours = our_fills(question["bars"], [order])
        theirs = {name: (bar, Decimal(price)) for name, bar, price in answer}
        assert len(theirs) == len(answer), f"filled twice: {answer}"
        kind = "".join(name for name in ("limit", "stop", "trail", "trail_bps") if name in order)
        found[f"{kind} fills"] += len(ours)
        if ours == theirs:
            found["alike"] += 1
            continue
        names = [name for name, known in CLASSES.items() if known(order, question["bars"], dict(ours), dict(theirs))]
        assert names, f"of no known class: {order}, ours {ours}, theirs {theirs}, bars {question['bars']}"
        found.update(names)
    assert found["alike"] + sum(found[name] for name in CLASSES) == len(questions)
    assert found["alike"] > found["level_rounding"] > 0
    for kind in ("stop", "limitstop", "trail", "trail_bps"):
        assert found[f"{kind} fills"] > 20, found
    sys.stdout.write(f"{len(questions)} orders on {count} bars: {dict(found)}\n")


def test_brackets_and_trails_fill_as_in_nautilus(oracle: Any) -> None:
    compare(1, 1_200, oracle)


@pytest.mark.compare
@pytest.mark.parametrize("seed", range(2, 5))
def test_brackets_and_trails_fill_as_in_nautilus_at_length(seed: int, oracle: Any) -> None:
    compare(seed, 2_500, oracle)
