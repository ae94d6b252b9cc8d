"""Without the service nothing is opened; what only reduces what was known to be held may go."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from tests.http.conftest import Served
from tests.remote.conftest import Connect
from tests.remote.line import line_to, until

from onebook import EXTERNAL, Approved, Fill, Order, OrderUpdate, Reassign, Refused
from onebook.errors import InputError, NotAllowed, SourceError
from onebook.remote.book import RemoteBook
from onebook.remote.trading import UNREACHABLE

GATE = {"gate_seconds": 0.3, "patience_seconds": 1.0, "timeout_seconds": 1.0}


def trade(side: str, quantity: str, **more: object) -> Fill:
    given = {"instrument": "AAPL", "side": side, "quantity": quantity, "price": "10"} | more
    return Fill(**given)  # type: ignore[arg-type]


def order(side: str, quantity: str, **more: object) -> Order:
    return Order(**({"instrument": "AAPL", "side": side, "quantity": quantity} | more))  # type: ignore[arg-type]


def test_nothing_is_opened_without_the_book(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, **GATE)
        book.mark("AAPL", "10")
        assert book.trading.may(order("buy", "1")).ok
        line.down()
        for answer in (book.trading.may(order("buy", "1")), book.trading.place(order("sell", "1", reduce_only=True))):
            assert isinstance(answer, Refused)
            assert answer.reason == UNREACHABLE
            assert "cannot be reached" in answer.text
        for deed in (book.trading.halt, book.trading.resume, book.trading.flatten):
            with pytest.raises(SourceError):
                deed("storm")
        line.up()
        assert book.trading.may(order("buy", "1")).ok


def test_what_only_reduces_may_go(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, **GATE)
        book.record(trade("buy", "10"))
        book.record(trade("sell", "4", instrument="MSFT"))
        line.down()
        may = book.trading.may
        assert not may(order("buy", "1")).ok
        assert not may(order("sell", "11")).ok
        assert not may(order("sell", "1", strategy="other")).ok
        assert not may(order("sell", "1", account="other")).ok
        assert not may(order("sell", "1", instrument="MSFT")).ok
        assert not may(order("sell", "1", instrument="TSLA")).ok
        assert may(order("buy", "4", instrument="MSFT")).ok
        first = book.trading.place(order("sell", "6", client_order_id="x-1"))
        assert isinstance(first, Approved)
        assert (first.order.client_order_id, first.sequence) == ("x-1", 0)
        assert book.trading.place(order("sell", "6", client_order_id="x-1")) == first  # asked again
        assert not may(order("sell", "5")).ok
        for ask in (may, book.trading.place):  # asking takes nothing away
            capped = ask(order("sell", "50", reduce_only=True))
            assert isinstance(capped, Approved)
            assert (capped.order.quantity, capped.order.reduce_only) == (4, True)
        assert not may(order("sell", "1")).ok
        line.up()
        assert book.positions()
        line.down()
        assert not may(order("sell", "1")).ok, "what was let go may still fill"
        line.up()
        assert not may(order("buy", "1")).ok
        line.down()
        assert may(order("sell", "10")).ok, "the service says that nothing is on its way"


def test_when_trading_was_halted_nothing_may_go(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, **GATE)
        book.record(trade("buy", "10"))
        book.trading.halt("storm")
        assert book.trading.state == "HALTED"
        line.down()
        assert not book.trading.may(order("sell", "1")).ok


def test_a_halt_counts_where_it_was_made(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, **GATE)
        for name in ("a", "b"):
            book.record(trade("buy", "10", strategy=name))
        trading = book.trading

        def exits() -> list[bool]:
            line.down()
            found = [trading.may(order("sell", "1", strategy=name)).ok for name in ("a", "b")]
            line.up()
            return found

        assert trading.halt("storm") == "HALTED"
        assert exits() == [False, False]
        trading.resume("over")
        assert exits() == [True, True]
        trading.halt("broken", strategy="a")
        assert exits() == [False, True]
        answers = trading.place(*[order("sell", "1", strategy=name) for name in ("a", "b")])
        assert [answer.ok for answer in answers] == [False, True]  # type: ignore[union-attr]
        assert exits() == [False, True], "an answer to one strategy says nothing of another"
        served.book.trading.resume("mended", strategy="a")
        assert trading.may(order("sell", "1", strategy="a")).ok
        assert exits() == [True, True]
        served.book.trading.halt("all")
        assert not trading.may(order("sell", "1", strategy="a")).ok
        assert exits() == [False, False], "nobody said how far it reaches"
        assert trading.state_of("main", "b") == "HALTED"
        served.book.trading.resume("over")
        assert trading.state_of("main", "b") == "ACTIVE"
        assert exits() == [False, True]


def test_asking_takes_nothing_away(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, **GATE)
        book.record(trade("buy", "5"))
        line.down()
        wish = order("sell", "5")
        assert book.trading.may(wish).ok
        assert book.trading.may(wish).ok
        assert book.trading.place(wish).ok
        assert not book.trading.may(wish).ok


def test_a_position_that_is_gone_lets_nothing_through(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, **GATE)
        book.record(trade("buy", "10"))
        served.book.record(trade("sell", "10"))
        assert book.positions() == []
        line.down()
        assert not book.trading.may(order("sell", "1")).ok


def test_what_the_gate_let_through_counts_until_it_ends(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, **GATE)
        book.mark("AAPL", "10")
        book.record(trade("buy", "10"))
        assert book.trading.place(order("sell", "10", client_order_id="x")).ok
        line.down()
        assert not book.trading.may(order("sell", "1")).ok
        line.up()
        book.record(trade("sell", "4", client_order_id="x"))
        line.down()
        assert not book.trading.may(order("sell", "1")).ok
        line.up()
        book.record(OrderUpdate(client_order_id="x", status="canceled"))
        line.down()
        assert not book.trading.may(order("sell", "7")).ok
        assert book.trading.may(order("sell", "6")).ok


def test_what_may_have_changed_is_not_known(served: Served, connect: Connect) -> None:
    changes: list[Callable[[RemoteBook], object]] = [
        lambda book: book.record_many([trade("sell", "10")]),
        lambda book: book.bust(book.fills()[0].sequence, reason="x"),
        lambda book: book.record(Reassign(instrument="AAPL", quantity="1", from_strategy="", to_strategy="a")),
    ]
    for change in changes:
        with line_to(served.url) as line:
            book = connect(line.url, **GATE)
            book.record(trade("buy", "10"))
            change(book)
            line.down()
            assert not book.trading.may(order("sell", "1")).ok


def test_an_older_figure_changes_nothing(served: Served, connect: Connect) -> None:
    book = connect(served.url)
    first, second = book.record(trade("buy", "1")), book.record(trade("buy", "2"))
    assert first.position is not None
    assert second.position is not None
    book._known.saw([second.position, first.position])
    book._known.saw([first.position])
    assert known(book) == 3


def test_a_bot_knows_its_own_positions(served: Served, connect: Connect) -> None:
    token = served.token("bot", strategy="trend")
    with line_to(served.url) as line:
        book = connect(line.url, token, **GATE)
        book.record(trade("buy", "10"))
        line.down()
        assert book.trading.may(order("sell", "10")).ok
        assert not book.trading.may(order("sell", "10", strategy="grid")).ok


def test_what_is_wrong_is_refused_as_ever(served: Served, connect: Connect) -> None:
    book = connect(served.url, served.token("viewer"), **GATE)
    with pytest.raises(NotAllowed):
        book.trading.may(order("buy", "1"))
    with pytest.raises(InputError):
        book.trading.may("buy")  # type: ignore[arg-type]


def known(book: RemoteBook) -> Decimal | None:
    return book._known._held.get(("main", "AAPL", "", ""), (None,))[0]


def test_queued_fills_count_and_exits_of_an_outage_are_recorded(
    served: Served, connect: Connect, tmp_path: Path
) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, spool=tmp_path / "a.spool", **GATE)
        book.mark("AAPL", "10")
        line.down()
        book.record(trade("buy", "10"))
        assert not book.trading.may(order("sell", "1")).ok, "nobody said what was held before"
        line.up()
        assert book.wait(30)
        until(lambda: known(book) == 10)
        line.down()
        book.record(trade("sell", "4"))
        assert not book.trading.may(order("sell", "7")).ok
        placed = book.trading.place(order("sell", "6"))
        assert isinstance(placed, Approved)
        assert not book.trading.may(order("sell", "1")).ok
        book.record(trade("sell", "6", client_order_id=placed.order.client_order_id))
        assert not book.trading.may(order("sell", "1")).ok
        line.up()
        assert book.wait(30)
        until(lambda: known(book) == 0)
    [state] = served.book.orders()
    assert (state.client_order_id, state.status) == (placed.order.client_order_id, "filled")
    assert served.book.position("AAPL").quantity == 0  # type: ignore[union-attr]


def test_the_gate_waits_for_what_is_queued(served: Served, connect: Connect, tmp_path: Path) -> None:
    book = connect(served.url, spool=tmp_path / "a.spool", gate_seconds=20.0)
    book.mark("AAPL", "10")
    served.book.trading.limits.set(max_position="10")
    book.record(trade("buy", "10"))
    answer = book.trading.place(order("buy", "1"))
    assert isinstance(answer, Refused)
    assert answer.reason == "max_position"


def test_a_fill_that_is_repeated_lets_no_more_out_than_is_held(
    served: Served, connect: Connect, tmp_path: Path
) -> None:
    bought = trade("buy", "1", venue="x", venue_fill_id="1", occurred_at="2024-06-03T09:00:00Z")
    with line_to(served.url) as line:
        book = connect(line.url, spool=tmp_path / "a.spool", **GATE)
        book.record(bought)
        assert book.wait(30)
        until(lambda: known(book) == 1)
        line.down()
        book.record(bought)
        book.record(bought)
        assert not book.trading.place(order("sell", "3")).ok
        placed = book.trading.place(order("sell", "3", reduce_only=True, client_order_id="x"))
        assert isinstance(placed, Approved)
        assert (placed.order.quantity, placed.order.reduce_only) == (1, True)
        line.up()
        assert book.wait(30)
    [state] = served.book.orders()
    assert (state.order.quantity, state.order.reduce_only) == (1, True)
    assert served.book.position("AAPL").quantity == 1  # type: ignore[union-attr]


def test_a_repeat_of_what_an_earlier_run_sent_lets_nothing_out(
    served: Served, connect: Connect, tmp_path: Path
) -> None:
    bought = trade("buy", "1", venue="x", venue_fill_id="1", occurred_at="2024-06-03T09:00:00Z")
    served.book.record(bought)
    with line_to(served.url) as line:
        book = connect(line.url, spool=tmp_path / "a.spool", **GATE)
        book.record(trade("buy", "1", instrument="MSFT"))
        assert book.wait(30)
        until(lambda: known(book) == 1)
        line.down()
        book.record(bought)
        assert not book.trading.may(order("sell", "2")).ok
        assert book.trading.may(order("sell", "1")).ok


def test_a_sale_that_is_repeated_counts_once(served: Served, connect: Connect, tmp_path: Path) -> None:
    sold = [trade("sell", "2", venue="x", venue_fill_id=name, occurred_at="2024-06-03T09:00:00Z") for name in "12"]
    with line_to(served.url) as line:
        book = connect(line.url, spool=tmp_path / "a.spool", **GATE)
        served.book.record(trade("buy", "10"))
        book.record(sold[0])
        assert book.wait(30)
        until(lambda: known(book) == 8 and not book._known.waiting)
        line.down()
        for again in (sold[0], sold[1], sold[1], sold[0]):
            book.record(again)
        assert not book.trading.may(order("sell", "7")).ok
        assert book.trading.may(order("sell", "6")).ok


def test_a_fill_of_nobody_is_of_the_order_that_it_names(served: Served, connect: Connect, tmp_path: Path) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, spool=tmp_path / "a.spool", **GATE)
        book.record(trade("buy", "10", strategy="trend"))
        assert book.wait(30)
        until(lambda: book._known._held)
        line.down()
        placed = book.trading.place(order("sell", "10", strategy="trend", client_order_id="x"))
        assert placed.ok
        book.record(trade("sell", "10", client_order_id="x", strategy=EXTERNAL))
        assert not book.trading.may(order("sell", "1", strategy="trend")).ok
        line.up()
        assert book.wait(30)
    assert served.book.position("AAPL", strategy="trend").quantity == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("has_spool", [True, False])
def test_a_strategy_that_is_left_out_is_the_tokens(
    served: Served, connect: Connect, tmp_path: Path, has_spool: bool
) -> None:
    token = served.token("bot", strategy="trend")
    served.book.record(trade("buy", "1", strategy="trend"))
    with line_to(served.url) as line:
        book = connect(line.url, token, spool=tmp_path / "a.spool" if has_spool else None, **GATE)
        if has_spool:
            book.record(trade("buy", "1", instrument="MSFT"))
            assert book.wait(30)
            until(lambda: book._known.knows_own)
        else:
            assert book.positions()
        line.down()
        assert not book.trading.may(order("sell", "1", strategy="grid")).ok
        assert book.trading.place(order("sell", "1")).ok
        assert not book.trading.may(order("sell", "1", strategy="trend")).ok
