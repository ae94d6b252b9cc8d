"""What holds for every order and every market: found by random orders on random prints, quotes and bars."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.domain.matching_venue import Venue, text_of

from onebook.domain import matching
from onebook.domain.facts import Order
from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.domain.matching import Rules
from onebook.domain.times import MINUTE

MIDDLE = 100
OTHER = {"buy": "sell", "sell": "buy"}

prices = st.integers(85, 115).map(Decimal)
quantities = st.integers(1, 6).map(Decimal)
sides = st.sampled_from(["buy", "sell"])


@st.composite
def prints(draw: st.DrawFn, at_ns: int) -> Print:
    return Print(instrument="X", at_ns=at_ns, price=draw(prices), quantity=draw(quantities))


@st.composite
def quotes(draw: st.DrawFn, at_ns: int) -> Quote:
    bid = draw(prices)
    ask = bid + draw(st.integers(1, 4))
    sizes = {"bid_quantity": draw(quantities), "ask_quantity": draw(quantities)}
    return Quote(instrument="X", at_ns=at_ns, bid=bid, ask=ask, **sizes)


@st.composite
def bars(draw: st.DrawFn, at_ns: int) -> Bar:
    low, first, last, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
    opens, closes = draw(st.permutations([first, last]))
    bar: dict[str, Any] = {"open": opens, "high": high, "low": low, "close": closes, "volume": draw(quantities)}
    return Bar(instrument="X", timeframe="1m", opened_ns=at_ns, at_ns=at_ns + MINUTE, **bar)


@st.composite
def orders(draw: st.DrawFn, number: int) -> Order:
    kind = draw(st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]))
    terms: dict[str, Any] = {"kind": kind, "side": draw(sides), "quantity": draw(quantities)}
    if kind in {"limit", "stop_limit"}:
        terms["limit_price"] = draw(prices)
    if kind in {"stop", "stop_limit"}:
        terms["stop_price"] = draw(prices)
    if kind == "trailing_stop":
        terms |= draw(
            st.one_of(
                st.integers(1, 9).map(lambda amount: {"trail_amount": amount}),
                st.sampled_from(["0.01", "0.037", "0.1"]).map(lambda ratio: {"trail_ratio": ratio}),
            )
        )
    terms["time_in_force"] = draw(st.sampled_from(["GTC", "GTC", "GTC", "DAY", "IOC", "FOK"]))
    terms["reduce_only"] = draw(st.sampled_from([False, False, True]))
    terms["group_id"] = draw(st.sampled_from(["", "g", "h"]))
    terms["parent_id"] = draw(st.sampled_from(["", "", f"o{number - 1}", "o0"])) if number else ""
    return Order(instrument="X", client_order_id=f"o{number}", **terms)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any, int]]:
    """Orders, changes and one kind of market, in time."""
    kind = draw(st.sampled_from([prints, quotes, bars]))
    events: list[tuple[str, Any, int]] = []
    sent = 0
    for minute in range(draw(st.integers(2, 14))):
        at_ns = minute * MINUTE
        for _ in range(draw(st.integers(0, 3))):
            events.append(("send", draw(orders(sent)), at_ns))
            sent += 1
        what = draw(st.sampled_from(["", "", "", "cancel", "replace", "end of day"]))
        if what == "replace":
            terms = draw(
                st.sampled_from(["quantity", "limit_price", "stop_price"]).flatmap(
                    lambda name: (quantities if name == "quantity" else prices).map(lambda value: {name: value})
                )
            )
            events.append(("replace", (f"o{draw(st.integers(0, max(sent - 1, 0)))}", terms), at_ns))
        elif what == "cancel":
            events.append(("cancel", f"o{draw(st.integers(0, max(sent - 1, 0)))}", at_ns))
        elif what:
            events.append(("expire", None, at_ns))
        events.append(("see", draw(kind(at_ns)), at_ns))
    return events


rules = st.builds(
    Rules,
    inside_bar=st.sampled_from(["stop_first", "target_first", "path"]),
    limit_on=st.sampled_from(["touch", "through"]),
    market_on=st.sampled_from(["next_open", "this_close"]),
    fill_share=st.sampled_from([None, Decimal("0.5"), Decimal(1)]),
    bar_share=st.sampled_from([None, Decimal("0.5"), Decimal(1)]),
    oco=st.sampled_from(["reduce", "cancel"]),
    slippage=st.sampled_from([matching.NoSlippage(), matching.FixedBps(bps=Decimal(30))]),
    tick_size=st.sampled_from([None, Decimal(1)]),
    trail_step=st.sampled_from([Decimal(0), Decimal(2)]),
)


def play(venue: Venue, events: list[tuple[str, Any, int]]) -> list[str]:
    for what, detail, at_ns in events:
        if what == "send":
            venue.send(detail, at_ns)
        elif what == "cancel":
            venue.cancel(detail, at_ns)
        elif what == "replace":
            venue.replace(detail[0], at_ns, detail[1])
        elif what == "expire":
            venue.expire(at_ns, day_ended=True)
        else:
            venue.see(detail)
    return [text_of(outcome) for outcome in venue.outcomes]


@given(histories(), rules)
def test_restarts_between_all_events_change_nothing(events: list[tuple[str, Any, int]], given_rules: Rules) -> None:
    assert play(Venue(given_rules), events) == play(Venue(given_rules, restarts=True), events)


@given(histories(), rules)
def test_what_is_out_of_reach_leaves_the_orders_as_they_are(
    events: list[tuple[str, Any, int]], given_rules: Rules
) -> None:
    venue = Venue(given_rules)
    for event in events:
        if event[0] == "see":
            reach = matching.reach_of(venue.working, given_rules)
            if not reach.meets(event[1]) and not reach.idles(venue.held):
                step = matching.step(venue.working, event[1], given_rules, held=venue.held)
                assert step == matching.Step(working=venue.working)
        play(venue, [event])


@given(histories(), rules)
def test_no_order_fills_more_than_its_quantity(events: list[tuple[str, Any, int]], given_rules: Rules) -> None:
    venue = Venue(given_rules)
    play(venue, events)
    for kept in venue.kept.values():
        assert kept.filled <= (kept.order.quantity if kept.quantity is None else kept.quantity)
        parent = venue.kept.get(kept.order.parent_id)
        if parent is not None:
            assert kept.filled <= parent.filled


@given(histories(), rules)
def test_nothing_fills_worse_than_its_limit(events: list[tuple[str, Any, int]], given_rules: Rules) -> None:
    events = [event for event in events if event[0] != "replace"]
    venue = Venue(given_rules)
    play(venue, events)
    for outcome in venue.outcomes:
        if isinstance(outcome, matching.Filled):
            order = venue.kept[outcome.client_order_id].order
            if order.limit_price is not None:
                worse = outcome.price - order.limit_price
                assert (worse if order.side == "buy" else -worse) <= 0


@given(histories(), rules, quantities)
def test_a_group_of_equal_orders_fills_its_quantity_once(
    events: list[tuple[str, Any, int]], given_rules: Rules, quantity: Decimal
) -> None:
    grouped = [
        (what, detail.replaced(quantity=quantity, parent_id="") if what == "send" else detail, at_ns)
        for what, detail, at_ns in events
        if what != "replace"
    ]
    venue = Venue(given_rules)
    play(venue, grouped)
    for group in ("g", "h"):
        members = [kept for kept in venue.kept.values() if kept.order.group_id == group]
        assert sum((kept.filled for kept in members), Decimal(0)) <= quantity
        assert sum(kept.status == "filled" for kept in members) <= 1


@given(histories(), rules)
def test_no_fill_comes_from_what_was_seen_before(events: list[tuple[str, Any, int]], given_rules: Rules) -> None:
    venue = Venue(replace(given_rules, market_on="next_open"))
    sent: dict[str, int] = {}
    for event in events:
        before = len(venue.outcomes)
        play(venue, [event])
        if event[0] == "send":
            sent.setdefault(event[1].client_order_id, event[2])
        filled = [each for each in venue.outcomes[before:] if isinstance(each, matching.Filled)]
        assert not filled or event[0] == "see"
        for each in filled:
            assert sent[each.client_order_id] <= event[2]


@given(histories(), rules)
def test_buys_and_sells_are_mirror_images(events: list[tuple[str, Any, int]], given_rules: Rules) -> None:
    symmetric = replace(given_rules, slippage=matching.NoSlippage(), tick_size=None)
    events = [(what, _no_ratio(detail) if what == "send" else detail, at) for what, detail, at in events]
    if symmetric.inside_bar == "path" and any(_tied(detail) for what, detail, _ in events if what == "see"):
        symmetric = replace(symmetric, inside_bar="stop_first")
    one, other = Venue(symmetric), Venue(symmetric)
    play(one, events)
    play(other, [(what, _mirrored(detail), at) for what, detail, at in events])
    assert [_mirrored_outcome(outcome) for outcome in one.outcomes] == other.outcomes


def _no_ratio(order: Order) -> Order:
    return order.replaced(trail_ratio=None, trail_amount="5") if order.trail_ratio is not None else order


def _tied(seen: Seen) -> bool:
    return isinstance(seen, Bar) and seen.high - seen.open == seen.open - seen.low


def _turned(price: Decimal | None) -> Any:
    return None if price is None else 2 * MIDDLE - price


def _mirrored(detail: Any) -> Any:
    match detail:
        case Order():
            prices_of = {"limit_price": _turned(detail.limit_price), "stop_price": _turned(detail.stop_price)}
            return detail.replaced(side=OTHER[detail.side], **prices_of)
        case Print():
            return replace(detail, price=_turned(detail.price))
        case Quote():
            turned: dict[str, Any] = {"bid": _turned(detail.ask), "ask": _turned(detail.bid)}
            return replace(detail, **turned, bid_quantity=detail.ask_quantity, ask_quantity=detail.bid_quantity)
        case Bar():
            turned = {"open": _turned(detail.open), "close": _turned(detail.close)}
            return replace(detail, **turned, high=_turned(detail.low), low=_turned(detail.high))
        case (name, terms):
            return name, {key: value if key == "quantity" else _turned(value) for key, value in terms.items()}
        case _:
            return detail


def _mirrored_outcome(outcome: Any) -> Any:
    changes = {
        name: _turned(getattr(outcome, name))
        for name in ("price", "limit_price", "stop_price")
        if getattr(outcome, name, None) is not None
    }
    return replace(outcome, **changes)
