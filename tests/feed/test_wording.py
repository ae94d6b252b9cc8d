"""What is said of an event: how important it is, and in which words."""

from typing import Any

import pytest
from tests.feed.chats import event

import onebook
from onebook.domain.event_types import KEPT_TYPES, OWN_TYPES
from onebook.errors import BadConfig
from onebook.feed.importance import Importance, importance, is_alert
from onebook.feed.sinks import options_of
from onebook.feed.sinks.wording import MOST, by_template, checked_template, line
from onebook.testing.clock import FakeClock


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("trade_executed", {}, Importance.INFO),
        ("position_updated", {}, Importance.INFO),
        ("position_closed", {}, Importance.NOTICE),
        ("position_restated", {}, Importance.NOTICE),
        ("day_ended", {}, Importance.NOTICE),
        ("alert_cleared", {}, Importance.NOTICE),
        ("trade_conflicted", {}, Importance.WARNING),
        ("break_found", {}, Importance.WARNING),
        ("stop_triggered", {}, Importance.WARNING),
        ("daily_loss_breached", {}, Importance.CRITICAL),
        ("bot_silent", {}, Importance.CRITICAL),
        ("trading_state_changed", {"state": "HALTED"}, Importance.CRITICAL),
        ("trading_state_changed", {"state": "REDUCING"}, Importance.WARNING),
        ("trading_state_changed", {"state": "ACTIVE"}, Importance.NOTICE),
        ("order_updated", {"status": "rejected"}, Importance.WARNING),
        ("order_updated", {"status": "unknown"}, Importance.WARNING),
        ("order_updated", {"status": "filled"}, Importance.INFO),
        ("order_updated", {"status": "denied"}, Importance.NOTICE),
        ("alert_raised", {"kind": "mark_stale"}, Importance.WARNING),
        ("alert_raised", {"kind": "end_of_day_missed"}, Importance.CRITICAL),
        ("alert_raised", {"kind": "dead_letter"}, Importance.WARNING),
        ("alert_raised", {"kind": "disk_nearly_full"}, Importance.CRITICAL),
        ("alert_raised", {"kind": "backup_failed"}, Importance.WARNING),
        ("desk.rebalanced", {"status": "rejected"}, Importance.INFO),
    ],
)
def test_importance(kind: str, data: dict[str, Any], expected: Importance) -> None:
    found = event(1, kind, **data)
    assert importance(found) is expected
    assert is_alert(found) is (expected >= Importance.WARNING or kind == "day_ended")


def test_lines_are_made_from_what_the_book_writes(clock: FakeClock) -> None:
    with onebook.open(":memory:", clock=clock) as book:
        sold: dict[str, Any] = {
            "instrument": "BTC/USDT",
            "side": "sell",
            "quantity": "0.5",
            "strategy": "grid",
            "venue_fill_id": "2",
        }
        book.record(
            onebook.Fill(
                **(sold | {"side": "buy", "venue_fill_id": "1"}), price="60000", fee="12.3", fee_currency="USDT"
            )
        )
        book.record(onebook.Fill(**sold, price="61000"))
        book.record(onebook.Fill(**sold, price="62000"))
        book.record(onebook.Order(instrument="BTC/USDT", side="sell", quantity="1", kind="market", client_order_id="a"))
        book.record(onebook.OrderUpdate(client_order_id="a", status="rejected", reason="margin"))
        book.record(onebook.Transfer(asset="USD", amount="5", from_account="", to_account="main"))
        assert [line(found) for found in book.events()] == [
            "BTC/USDT: bought 0.5 at 60000 on main (grid), fee 12.3 USDT",
            "BTC/USDT: position 0.5 at 60000 on main (grid), realized -12.3",
            "BTC/USDT: sold 0.5 at 61000 on main (grid)",
            "BTC/USDT: closed long 0.5 from 60000 to 61000 on main (grid), net 487.7",
            (
                "BTC/USDT: conflict on main (grid): another content under the same identity, first recorded as 2 "
                "(fill||main|BTC/USDT||2|sell)"
            ),
            "BTC/USDT: order pending_new: sell 1 on main",
            "BTC/USDT: order rejected: a on main; margin",
            "transfer 5 USD from outside to main",
        ]


@pytest.mark.parametrize("kind", sorted(OWN_TYPES | KEPT_TYPES | {"desk.rebalanced"}))
@pytest.mark.parametrize(
    "data",
    [
        {},
        {
            "quantity": None,
            "price": [],
            "status": {"a": 1},
            "reason": 5,
            "round_trip": "odd",
            "side": None,
            "kind": True,
        },
        {
            "text": "line\nbreak \x1b[31m\u202e @everyone <!channel> " + "x" * 5000,
            "reason": "\r\n@here",
            "kind": "<@U1>",
        },
    ],
)
def test_any_data_makes_one_harmless_line(kind: str, data: dict[str, Any]) -> None:
    said = line(event(1, kind, **data))
    assert said
    assert said.isprintable()
    assert len(said) <= MOST
    for harm in ("@everyone", "@here", "<!channel", "<@U1"):
        assert harm not in said


def test_a_template_takes_names_only() -> None:
    filled = event(7, "trade_executed", side="buy", quantity="2", price="3", instrument="AAPL")
    template = "{{{strategy}}} {side} {quantity} {instrument} fee={fee} #{id}"
    assert checked_template("templates", "trade_executed", template) == template
    assert by_template(template, filled) == "{grid} buy 2 AAPL fee= #7.1"
    assert by_template("!! {line}", filled) == "!! AAPL: bought 2 at 3 on main (grid)"


@pytest.mark.parametrize(
    ("kind", "template", "said"),
    [
        ("trade_executed", "{quantty}", "did you mean quantity"),
        ("order_updated", "{zzzzzz}", "it has line, id"),
        ("trade_executed", "{quantity.__class__}", "names in braces only"),
        ("trade_executed", "{quantity[0]}", "names in braces only"),
        ("trade_executed", "{quantity!r}", "names in braces only"),
        ("trade_executed", "{quantity:>9999999999}", "names in braces only"),
        ("trade_executed", "{}", "names in braces only"),
        ("trade_executed", "{0}", "names in braces only"),
        ("trade_executed", "{quantity", "cannot be read"),
        ("trade_executed", "", "not text"),
        ("trade_executed", 5, "not text"),
        ("trade_executd", "x", "did you mean trade_executed"),
    ],
)
def test_a_template_that_cannot_work_is_refused_at_load(kind: str, template: Any, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        options_of("notify")["templates"].take("notify.templates", {kind: template})


def test_a_users_own_type_may_have_any_field() -> None:
    assert by_template(checked_template("t", "desk.moved", "{weight}!"), event(1, "desk.moved", weight="3")) == "3!"
