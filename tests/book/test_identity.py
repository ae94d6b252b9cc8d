"""Identity: which report is the same fill as which, and what becomes of one that says otherwise."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import onebook
from onebook import EXTERNAL, Fill, Order, OrderUpdate


def fill(**changes: Any) -> Fill:
    given: dict[str, Any] = {
        "instrument": "BTC/USDT",
        "side": "buy",
        "quantity": "1",
        "price": "100",
        "venue": "binance",
        "venue_order_id": "o1",
        "venue_fill_id": "7",
        "occurred_at": "2024-06-03T10:00:00.123Z",
    }
    return Fill(**(given | changes))


def quantity(book: onebook.Book, **where: Any) -> Decimal:
    held = book.position("BTC/USDT", **where)
    return Decimal(0) if held is None else held.quantity


# ---- the same again ----


def test_the_same_again_exists(book: onebook.Book) -> None:
    first = book.record(fill())
    head = book.status().entries
    again = book.record(fill())
    assert (again.status, again.sequence, again.identity) == ("exists", first.sequence, first.identity)
    assert again.events == ()
    assert book.status().entries == head
    assert quantity(book) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": "1.000"},
        {"price": Decimal("1E+2")},
        {"occurred_at": None},
        {"occurred_at": "2024-06-03T10:00:00Z"},
        {"occurred_at": "2024-06-03T10:00:00.123456789Z"},
        {"occurred_at": "2024-06-03T12:00:00.123+02:00"},
        {"strategy": "another"},
        {"note": "seen on the stream", "tags": ("x",), "raw": {"a": 1}, "liquidity": "maker"},
    ],
    ids=str,
)
def test_what_never_conflicts(book: onebook.Book, changes: dict[str, Any]) -> None:
    first = book.record(fill(strategy="one"))
    again = book.record(fill(strategy="one").replaced(**changes))
    assert (again.status, again.sequence) == ("exists", first.sequence)
    assert quantity(book, strategy="one") == 1
    assert book.status().entries == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": "1.000000000000000001"},
        {"price": "100.01"},
        {"fee": "0.2"},
        {"fee": "0.1", "fee_currency": "BNB"},
        {"occurred_at": "2024-06-03T10:00:01.123Z"},
        {"occurred_at": "2024-06-03T10:00:01Z"},
    ],
    ids=str,
)
def test_another_content_is_a_conflict_once(book: onebook.Book, changes: dict[str, Any]) -> None:
    first = book.record(fill(fee="0.1"))
    other = fill(fee="0.1").replaced(**changes)
    conflict = book.record(other)
    assert (conflict.status, conflict.sequence) == ("conflict", first.sequence)
    assert [event.type for event in conflict.events] == ["trade_conflicted"]
    head = book.status().entries
    again = book.record(other)
    assert (again.status, again.sequence, again.events) == ("conflict", first.sequence, ())
    status = book.status()
    assert (status.entries, status.conflicts, status.breaks) == (head, 1, 1)
    held = book.position("BTC/USDT")
    assert held is not None
    assert (held.quantity, held.cost_basis, held.fees) == (1, 100, Decimal("0.1"))
    assert book.breaks()[0].kind == "conflict"


def test_each_other_content_is_its_own_conflict(book: onebook.Book) -> None:
    book.record(fill())
    for price in ("101", "102", "101"):
        assert book.record(fill(price=price)).status == "conflict"
    assert (book.status().conflicts, len(book.breaks())) == (2, 2)


def test_a_fee_currency_that_is_the_settlement_currency_may_be_left_out(book: onebook.Book) -> None:
    book.record(fill(fee="0.1", fee_currency="USDT"))
    assert book.record(fill(fee="0.1")).status == "exists"
    assert book.record(fill(fee="0.10", fee_currency="USDT")).status == "exists"


# ---- completion ----


def test_a_repeat_with_the_fee_completes(book: onebook.Book) -> None:
    first = book.record(fill())
    completed = book.record(fill(fee="0.1"))
    assert (completed.status, completed.sequence) == ("exists", first.sequence)
    corrected = completed.events[0]
    assert (corrected.type, corrected.data["reason"]) == ("trade_corrected", "completed")
    held = book.position("BTC/USDT")
    assert held is not None
    assert held.fees == Decimal("0.1")
    assert book.record(fill(fee="0.1")).events == ()
    assert book.record(fill()).events == ()
    assert book.record(fill(fee="0.2")).status == "conflict"


def test_a_fee_of_zero_is_a_statement(book: onebook.Book) -> None:
    book.record(fill(fee="0"))
    assert book.record(fill(fee="0.1")).status == "conflict"


def test_a_repeat_with_the_time_completes_and_moves_it(book: onebook.Book) -> None:
    book.record(fill(occurred_at=None))
    book.record(fill(venue_fill_id="8", side="sell", price="110", occurred_at="2024-06-03T11:00:00Z"))
    completed = book.record(fill(occurred_at="2024-06-03T10:00:00Z"))
    assert completed.status == "exists"
    assert completed.events[0].data["reason"] == "completed"
    assert [item.occurred_at.hour for item in book.fills()] == [10, 11]
    held = book.position("BTC/USDT")
    assert held is not None
    assert (held.quantity, held.realized_pnl_gross) == (0, 10)


def test_a_name_given_where_none_stood_completes_nothing(book: onebook.Book) -> None:
    book.record(fill())
    again = book.record(fill(client_order_id="mine", strategy="a"))
    assert (again.status, again.events) == ("exists", ())
    assert quantity(book, strategy="") == 1


# ---- claims ----


def test_a_strategy_claims_a_fill_held_by_external(book: onebook.Book) -> None:
    book.record(fill(strategy=EXTERNAL))
    claimed = book.record(fill(strategy="a"))
    assert claimed.status == "exists"
    assert claimed.events[0].type == "trade_corrected"
    assert (quantity(book, strategy="a"), quantity(book, strategy=EXTERNAL), quantity(book)) == (1, 0, 1)
    assert book.record(fill(strategy="b")).events == ()
    assert quantity(book, strategy="a") == 1
    assert book.record(fill(strategy=EXTERNAL)).events == ()
    assert quantity(book, strategy="a") == 1


# ---- ids used again ----


@pytest.mark.parametrize(
    "changes",
    [
        {"venue_order_id": "o2"},
        {"side": "sell"},
        {"venue": "kraken"},
        {"account": "second"},
        {"instrument": "ETH/USDT"},
    ],
    ids=str,
)
def test_one_id_in_two_places_is_two_fills(book: onebook.Book, changes: dict[str, Any]) -> None:
    first = book.record(fill())
    second = book.record(fill(**changes))
    assert (first.status, second.status) == ("recorded", "recorded")
    assert first.identity != second.identity
    assert book.record(fill()).sequence == first.sequence
    assert book.record(fill(**changes)).sequence == second.sequence
    assert len(book.fills()) == 2


@pytest.mark.parametrize(("stored", "repeat"), [("o1", ""), ("", "o1")])
def test_an_empty_order_id_matches_any_when_the_rest_agrees(book: onebook.Book, stored: str, repeat: str) -> None:
    first = book.record(fill(venue_order_id=stored))
    again = book.record(fill(venue_order_id=repeat))
    assert (again.status, again.sequence) == ("exists", first.sequence)
    assert quantity(book) == 1


def test_an_empty_order_id_with_another_content_is_another_fill(book: onebook.Book) -> None:
    book.record(fill(venue_order_id="o1"))
    assert book.record(fill(venue_order_id="", price="101")).status == "recorded"
    assert quantity(book) == 2


def test_identities_with_separators_stay_apart(book: onebook.Book) -> None:
    first = book.record(fill(venue_order_id="a|b", venue_fill_id="c"))
    second = book.record(fill(venue_order_id="a", venue_fill_id="b|c"))
    assert first.identity != second.identity
    assert (first.status, second.status) == ("recorded", "recorded")
    book.bust(second.identity, reason="wrong")
    assert [item.sequence for item in book.fills()] == [first.sequence]


# ---- the caller's own id ----


def test_the_callers_own_id(book: onebook.Book) -> None:
    mine = fill(venue_order_id="", venue_fill_id="", client_fill_id="c1")
    first = book.record(mine)
    assert book.record(mine).status == "exists"
    assert book.record(mine.replaced(price="101")).status == "conflict"
    assert book.record(mine.replaced(side="sell")).status == "conflict"
    assert book.record(mine.replaced(instrument="ETH/USDT")).status == "conflict"
    assert book.record(mine.replaced(account="second")).status == "recorded"
    assert first.identity == "client|main|c1"


def test_a_fill_with_both_ids_holds_both(book: onebook.Book) -> None:
    first = book.record(fill(client_fill_id="c1"))
    by_venue = book.record(fill())
    by_client = book.record(fill(venue_fill_id="", venue_order_id="", client_fill_id="c1"))
    assert {by_venue.sequence, by_client.sequence} == {first.sequence}
    assert quantity(book) == 1


def test_a_repeat_brings_the_second_id(book: onebook.Book) -> None:
    mine = fill(venue_order_id="", venue_fill_id="", client_fill_id="c1")
    first = book.record(mine)
    both = book.record(fill(client_fill_id="c1"))
    assert (both.status, both.sequence) == ("exists", first.sequence)
    stream = book.record(fill())
    assert (stream.status, stream.sequence) == ("exists", first.sequence)
    assert quantity(book) == 1


def test_two_ids_that_point_to_two_fills_are_a_conflict(book: onebook.Book) -> None:
    book.record(fill())
    book.record(fill(venue_fill_id="", venue_order_id="", client_fill_id="c1"))
    both = fill(client_fill_id="c1")
    assert book.record(both).status == "conflict"
    assert book.record(both).status == "conflict"
    assert (book.status().conflicts, quantity(book)) == (1, 2)


# ---- busted, corrected ----


def test_a_busted_fill_stays_busted(book: onebook.Book) -> None:
    first = book.record(fill())
    book.bust(first.sequence, reason="the venue took it back")
    again = book.record(fill())
    assert (again.status, again.sequence) == ("exists", first.sequence)
    assert book.record(fill(fee="0.5")).status == "exists"
    assert quantity(book) == 0
    assert book.fills() == []


def test_every_content_a_fill_has_had_is_a_repeat(book: onebook.Book) -> None:
    first = book.record(fill())
    book.correct(first.sequence, reason="typo", price="101")
    book.correct(first.sequence, reason="typo again", price="102")
    for price in ("100", "101", "102"):
        assert book.record(fill(price=price)).status == "exists"
    assert book.record(fill(price="103")).status == "conflict"
    held = book.position("BTC/USDT")
    assert held is not None
    assert held.cost_basis == 102


@pytest.mark.parametrize("name", ["sequence", "event", "identity"])
def test_a_fill_is_named_in_three_ways(book: onebook.Book, name: str) -> None:
    first = book.record(fill())
    names: dict[str, int | str] = {
        "sequence": first.sequence,
        "event": first.events[0].id,
        "identity": first.identity,
    }
    which = names[name]
    book.bust(which, reason="gone")
    assert quantity(book) == 0


# ---- no identity ----


def test_without_an_identity_every_call_is_a_new_fill_and_is_counted(book: onebook.Book) -> None:
    bare = Fill(instrument="BTC/USDT", side="buy", quantity=1, price=100)
    receipts = [book.record(bare) for _ in range(3)]
    assert [receipt.status for receipt in receipts] == ["recorded"] * 3
    assert len({receipt.identity for receipt in receipts}) == 3
    assert (book.status().fills_without_identity, quantity(book)) == (3, 3)
    book.bust(receipts[1].identity, reason="twice")
    assert quantity(book) == 2


def test_a_content_id_makes_a_replay_harmless(book: onebook.Book) -> None:
    bare = Fill(instrument="BTC/USDT", side="buy", quantity=1, price=100, occurred_at="2024-06-03T10:00:00Z")
    twins = [bare.replaced(client_fill_id=onebook.content_id(bare, number)) for number in range(2)]
    for _ in range(3):
        for twin in twins:
            book.record(twin)
    assert quantity(book) == 2
    assert book.status().fills_without_identity == 0


# ---- order-level fills ----


def synthetic(cumulative: str, size: str, price: str, **changes: Any) -> Fill:
    given = {"venue_fill_id": f"order:o1:{cumulative}", "quantity": size, "price": price, "fee": "0"}
    return fill(**(given | changes))


def test_executions_take_their_quantity_from_order_level_fills(book: onebook.Book) -> None:
    """Differences 3 @ 100 and 2 @ 110; then executions 2 @ 99, 2 @ 101 and 1 @ 112 of the same order."""
    book.record(synthetic("3", "3", "100"))
    book.record(synthetic("5", "2", "110"))
    assert [item.flags for item in book.fills()] == [("synthetic",), ("synthetic",)]
    expected = [
        # execution 2 @ 99: 1 of the first is left at 100, the second stands: 198 + 100 + 220
        ("e1", "2", "99", {"7:2@99", "order:o1:3:1:1@100", "order:o1:5:2@110"}, 518),
        # execution 2 @ 101: the rest of the first, and 1 of the second: 198 + 202 + 110
        ("e2", "2", "101", {"7:2@99", "e2:2@101", "order:o1:5:1:1@110"}, 510),
        ("e3", "1", "112", {"7:2@99", "e2:2@101", "e3:1@112"}, 512),
    ]
    for name, size, price, standing, cost in expected:
        fill_id = "7" if name == "e1" else name
        receipt = book.record(fill(venue_fill_id=fill_id, quantity=size, price=price))
        assert receipt.status == "recorded"
        types = [event.type for event in receipt.events]
        assert types.index("trade_executed") >= 0
        assert "trade_busted" in types
        shown = {f"{item.venue_fill_id}:{item.quantity}@{item.price}" for item in book.fills()}
        assert shown == standing
        held = book.position("BTC/USDT")
        assert held is not None
        assert (held.quantity, held.cost_basis) == (5, cost)


def test_an_execution_beyond_the_differences_adds(book: onebook.Book) -> None:
    book.record(synthetic("1", "1", "100"))
    book.record(fill(venue_fill_id="e1", quantity="3", price="90"))
    assert quantity(book) == 3


def test_the_repeat_of_a_difference_that_gave_way_is_once(book: onebook.Book) -> None:
    book.record(synthetic("1", "1", "100"))
    book.record(fill(venue_fill_id="e1"))
    assert book.record(synthetic("1", "1", "100")).status == "exists"
    assert quantity(book) == 1


def test_executions_of_another_order_leave_the_differences_alone(book: onebook.Book) -> None:
    book.record(synthetic("1", "1", "100"))
    book.record(fill(venue_order_id="o2", venue_fill_id="e1"))
    assert quantity(book) == 2


def test_an_order_follows_its_differences_and_executions(book: onebook.Book) -> None:
    book.record(Order(instrument="BTC/USDT", side="buy", quantity=5, client_order_id="c"))
    book.record(OrderUpdate(client_order_id="c", status="new", venue_order_id="o1"))
    book.record(synthetic("3", "3", "100"))
    book.record(fill(venue_fill_id="e1", quantity="2", price="90"))
    order = book.orders()[0]
    assert (order.status, order.filled_quantity) == ("partially_filled", 3)
    assert order.average_price == Decimal("93.333333333333333333")
    book.record(fill(venue_fill_id="e2", quantity="3", price="110"))
    order = book.orders()[0]
    assert (order.status, order.filled_quantity, order.average_price) == ("filled", 5, 102)


# ---- races ----


@pytest.mark.parametrize("first", ["rest", "stream"])
def test_the_stream_and_the_rest_answer_report_one_fill(book: onebook.Book, first: str) -> None:
    """REST knows order id, fee and milliseconds; the stream neither fee nor order id, and whole seconds."""
    rest = fill(fee="0.1")
    stream = fill(venue_order_id="", occurred_at="2024-06-03T10:00:00Z")
    reports = [rest, stream] if first == "rest" else [stream, rest]
    statuses = [book.record(report).status for report in [*reports, *reports]]
    assert statuses == ["recorded", "exists", "exists", "exists"]
    held = book.position("BTC/USDT")
    assert held is not None
    assert (held.quantity, held.fees) == (1, Decimal("0.1"))


def other_facts() -> list[tuple[Callable[[], Any], dict[str, Any]]]:
    at = "2024-06-03T10:00:00Z"
    return [
        (lambda: onebook.CashMovement(movement_id="m", currency="USD", amount=5, occurred_at=at), {"amount": 6}),
        (
            lambda: onebook.FundingPayment(funding_id="f", instrument="BTC/USDT:USDT", amount=5, occurred_at=at),
            {"amount": -5},
        ),
        (
            lambda: onebook.Transfer(transfer_id="t", asset="USD", amount=5, to_account="main", occurred_at=at),
            {"amount": 6},
        ),
        (lambda: onebook.OpeningBalance(balance_id="b", currency="USD", amount=5, occurred_at=at), {"amount": 6}),
        (
            lambda: onebook.Settlement(settlement_id="s", instrument="BTC/USDT:USDT", price=5, occurred_at=at),
            {"price": 6},
        ),
        (
            lambda: onebook.CorporateAction(
                instrument="AAPL",
                kind="dividend",
                amount="0.5",
                effective_on="2024-06-03",
            ),
            {"amount": "0.6"},
        ),
        (lambda: onebook.Rate(base="EUR", quote="USD", price="1.1", occurred_at=at, source="x"), {"price": "1.2"}),
    ]


@pytest.mark.parametrize(("make", "changes"), other_facts(), ids=lambda part: "" if callable(part) else str(part))
def test_every_other_fact_is_once_and_conflicts_once(
    book: onebook.Book, make: Callable[[], Any], changes: dict[str, Any]
) -> None:
    first = book.record(make())
    again = book.record(make())
    assert (first.status, again.status, again.sequence) == ("recorded", "exists", first.sequence)
    head = book.status().entries
    for _ in range(2):
        conflict = book.record(make().replaced(**changes))
        assert (conflict.status, conflict.sequence) == ("conflict", first.sequence)
    assert (book.status().entries, book.status().conflicts) == (head + 1, 1)


def test_an_order_of_another_strategy_is_a_conflict_where_both_are_named(book: onebook.Book) -> None:
    def record(name: str, strategy: str) -> str:
        wish = onebook.Order(instrument="AAPL", side="buy", quantity=1, client_order_id=name, strategy=strategy)
        return book.record(wish).status

    assert [record("named", strategy) for strategy in ("trend", "", onebook.EXTERNAL, "trend", "grid", "grid")] == [
        "recorded", "exists", "exists", "exists", "conflict", "conflict",
    ]  # fmt: skip
    assert [record("external", strategy) for strategy in (onebook.EXTERNAL, "trend")] == ["recorded", "exists"]
    (found,) = book.breaks()
    assert found.kind == "conflict"


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (onebook.Instrument(symbol="X", kind="equity"), onebook.Instrument(symbol="X", kind="equity", lot_size=1)),
        (onebook.Account(name="main"), onebook.Account(name="main", currency="EUR")),
        (onebook.BookSettings(), onebook.BookSettings(zone="Europe/Berlin")),
    ],
    ids=lambda fact: fact.KIND,
)
def test_definitions_are_replaced_never_in_conflict(book: onebook.Book, first: Any, other: Any) -> None:
    assert [book.record(fact).status for fact in (first, first, other, other, first)] == [
        "recorded",
        "exists",
        "recorded",
        "exists",
        "recorded",
    ]
    assert book.status().conflicts == 0
