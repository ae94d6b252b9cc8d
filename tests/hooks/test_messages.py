"""What others send, as facts: TradingView's placeholders, freqtrade's webhooks, any mapping."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from onebook import Fill, Hook, InputError, NotAllowed, Signal
from onebook.domain import times
from onebook.intake.bodies import MAX_DEPTH, check_body
from onebook.intake.hooks.messages import MAX_BYTES, read
from onebook.intake.hooks.port import check_mapping, facts_of, message_for

NOW = times.from_text("", "2024-06-03T12:00:00Z")
JSON = "application/json; charset=utf-8"
FORM = "application/x-www-form-urlencoded"
FILLED = {
    "{{ticker}}": "BTCUSDT",
    "{{exchange}}": "BINANCE",
    "{{strategy.order.action}}": "buy",
    "{{strategy.order.contracts}}": "0.25",
    "{{strategy.order.price}}": "67123.45",
    "{{strategy.order.id}}": "Long",
    "{{strategy.market_position}}": "long",
    "{{close}}": "67123.4",
    "{{interval}}": "60",
    "{{time}}": "2024-06-03T09:00:00Z",
    "{{timenow}}": "2024-06-03T09:30:05Z",
}
TRADE = {
    "trade_id": 7, "exchange": "Binance", "pair": "ETH/USDT", "direction": "Long", "leverage": 1.0, "limit": 3790.1,
    "open_rate": 3789.99, "close_rate": 3805.5, "amount": 0.1 + 0.2, "open_date": "2024-06-03 09:30:00+00:00",
    "close_date": "2024-06-03 10:30:00+00:00", "stake_amount": 1137.0, "stake_currency": "USDT", "enter_tag": "rsi",
    "exit_reason": "stop_loss", "sub_trade": False, "cumulative_profit": 0.0, "order_type": "limit",
}  # fmt: skip


def hook(kind: str, **given: Any) -> Hook:
    return Hook(name="tv", kind=kind, strategy="trend", digest="0" * 64, **given)


def one(kind: str, body: Any, content_type: str = JSON, **given: Any) -> Any:
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    (found,) = facts_of(kind, hook(kind, **given), data, content_type, NOW)
    return found


def filled(text: str, **other: str) -> str:
    for name, value in (FILLED | other).items():
        text = text.replace(name, value)
    return text


# ---- TradingView ----


@pytest.mark.parametrize("content_type", [JSON, "text/plain; charset=utf-8", "", FORM])
def test_the_message_to_paste_becomes_a_signal(content_type: str) -> None:
    found = one("tradingview", filled(message_for("tradingview")), content_type)
    assert isinstance(found, Signal)
    assert (found.instrument, found.action, found.timeframe) == ("BTCUSDT", "buy", "60")
    assert found.price == Decimal("67123.4")
    assert (found.strategy, found.account) == ("trend", "main")
    assert found.occurred_ns == times.from_text("", "2024-06-03T09:30:05Z")
    assert found.raw["quantity"] == "0.25"
    assert "{{" not in str(found)


def test_numbers_without_quotes_keep_their_digits() -> None:
    text = '{"instrument": "{{ticker}}", "action": "sell", "price": 0.100000000000000005, "time": "{{timenow}}"}'
    found = one("tradingview", filled(text))
    assert found.price == Decimal("0.100000000000000005")
    assert one("tradingview", filled(text.replace("0.100000000000000005", "60000"))).price == 60000


def test_a_message_may_be_a_fill() -> None:
    body = filled(message_for("tradingview")).replace('"price"', '"record": "fill", "price"')
    found = one("tradingview", body)
    assert isinstance(found, Fill)
    assert (found.side, found.quantity, found.client_fill_id) == ("buy", Decimal("0.25"), found.client_fill_id)
    assert found.client_fill_id.startswith("tv:")


def test_the_same_alert_is_the_same_fact_and_another_second_is_another() -> None:
    body = message_for("tradingview")
    first, again = one("tradingview", filled(body)), one("tradingview", filled(body))
    later = one("tradingview", filled(body, **{"{{timenow}}": "2024-06-03T09:30:06Z"}))
    assert first.signal_id == again.signal_id != later.signal_id


def test_a_placeholder_that_was_not_filled_in_is_told() -> None:
    body = filled(message_for("tradingview"), **{"{{strategy.order.action}}": "{{strategy.order.action}}"})
    with pytest.raises(InputError, match=r"strategy\.order\.action.*was not filled in"):
        one("tradingview", body)
    found = one("tradingview", filled(message_for("tradingview"), **{"{{close}}": "{{close}}"}))
    assert found.price is None, "what a signal can do without is left out"
    with pytest.raises(InputError, match=r"\{\{close\}\} was not filled in"):
        one("tradingview", '{"action": "buy", "price": {{close}}}')


def test_lines_of_text_and_forms_say_the_same() -> None:
    named = {"instrument": "AAPL", "action": "short", "price": "231.50", "time": "2024-06-03T09:30:05Z"}
    lines = "\n".join(f"{name}: {value}" for name, value in named.items())
    bodies = (lines, "text/plain"), (lines.replace(": ", "="), ""), (urlencode(named), FORM), (json.dumps(named), JSON)
    found = [one("tradingview", body, kind) for body, kind in bodies]
    assert {(item.action, item.price) for item in found} == {("sell", Decimal("231.50"))}
    assert len({item.signal_id for item in found}) == 1


# ---- freqtrade ----


def told(kind: str, as_form: bool = False, **other: Any) -> tuple[str, str]:
    """What freqtrade sends when it fills the section that `hook create` prints."""
    template = json.loads(message_for("freqtrade"))["webhook"][kind]
    payload = {name: text.format(**(TRADE | other)) for name, text in template.items()}
    return (urlencode(payload), FORM) if as_form else (json.dumps(payload), "application/json")


@pytest.mark.parametrize("as_form", [False, True])
@pytest.mark.parametrize(
    ("kind", "direction", "side", "price"),
    [
        ("entry", "Long", "buy", "3789.99"),
        ("entry", "Short", "sell", "3789.99"),
        ("exit", "Long", "sell", "3790.1"),
        ("exit", "Short", "buy", "3790.1"),
        ("entry_fill", "Long", "buy", "3789.99"),
        ("entry_fill", "Short", "sell", "3789.99"),
        ("exit_fill", "Long", "sell", "3805.5"),
        ("exit_fill", "Short", "buy", "3805.5"),
    ],
)
def test_freqtrades_messages_become_signals_and_fills(
    kind: str, direction: str, side: str, price: str, as_form: bool
) -> None:  # fmt: skip
    found = one("freqtrade", *told(kind, as_form, direction=direction))
    assert (found.instrument, found.price, found.strategy) == ("ETH/USDT", Decimal(price), "trend")
    at = "2024-06-03T10:30:00Z" if kind.startswith("exit") else "2024-06-03T09:30:00Z"
    assert found.occurred_ns == times.from_text("", at)
    if kind.endswith("fill"):
        assert (found.side, found.quantity) == (side, Decimal("0.30000000000000004"))
        assert found.close_reason == ("stop_loss" if kind == "exit_fill" else "")
    else:
        assert found.action == side


def test_an_entry_that_fills_names_its_signal() -> None:
    signal, fill = one("freqtrade", *told("entry")), one("freqtrade", *told("entry_fill", open_rate=3790.0))
    assert fill.signal_id == signal.signal_id


def test_a_later_part_of_a_trade_is_a_fill_of_its_own_and_has_no_time_of_its_own() -> None:
    first = one("freqtrade", *told("entry_fill"))
    second = one("freqtrade", *told("entry_fill", sub_trade=True, stake_amount=2274.0))
    again = one("freqtrade", *told("entry_fill", True, sub_trade=True, stake_amount=2274.0))
    assert second.client_fill_id != first.client_fill_id
    assert second.client_fill_id == again.client_fill_id, "whatever form it comes in"
    assert second.occurred_ns is None


@pytest.mark.parametrize("kind", ["entry_cancel", "exit_cancel", "status", "whitelist"])
def test_what_says_nothing_of_a_trade_makes_no_fact(kind: str) -> None:
    body = json.dumps({"type": kind, "status": "running"}).encode()
    assert facts_of("freqtrade", hook("freqtrade"), body, JSON, NOW) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": None}, "type: .* is none of entry"),
        ({"type": "bought"}, "type: 'bought' is none of entry"),
        ({"direction": ""}, "neither Long nor Short"),
        ({"amount": "much"}, "amount: 'much' is not a number"),
        ({"amount": "nan"}, "quantity: is missing"),
        ({"amount": "Infinity"}, "amount: 'Infinity' is not a number"),
        ({"amount": "1e999999"}, "amount: .* is not a number"),
        ({"amount": "-1"}, "quantity: -1 is not above 0"),
        ({"open_date": "None"}, "open_date: is missing"),
        ({"open_date": "yesterday"}, "is not a time"),
        ({"pair": None}, "instrument: is missing"),
    ],
)
def test_what_is_wrong_with_a_message_of_freqtrade_is_told(changes: dict[str, Any], reason: str) -> None:
    body = json.loads(told("entry_fill")[0]) | changes
    with pytest.raises(InputError, match=reason):
        one("freqtrade", body)


# ---- any program ----


def test_a_mapping_names_what_a_message_calls_otherwise() -> None:
    body = {"data": {"sym": "AAPL", "px": 231.10, "way": "BUY", "n": 3}, "when": 1717407005123, "nr": 17}
    names = {
        "record": "=fill", "instrument": "data.sym", "price": "data.px", "action": "data.way", "quantity": "data.n",
        "time": "when", "id": "nr", "note": "=from the desk",
    }  # fmt: skip
    found = one("custom", body, mapping=names, account="paper")
    assert (found.instrument, found.side, found.price, found.quantity) == ("AAPL", "buy", Decimal("231.1"), 3)
    assert (found.client_fill_id, found.note, found.account) == ("tv:17", "from the desk", "paper")
    assert found.occurred_ns == 1717407005123 * 1_000_000
    assert found.raw == {"data": {"sym": "AAPL", "px": "231.1", "way": "BUY", "n": 3}, "when": 1717407005123, "nr": 17}


def test_the_example_to_send_is_taken() -> None:
    body = json.loads(message_for("custom")) | {"time": "2024-06-03T09:30:00Z"}
    assert isinstance(one("custom", body), Signal)
    assert isinstance(one("custom", body | {"record": "fill", "quantity": 1}), Fill)


def test_an_alert_without_id_and_time_is_refused() -> None:
    with pytest.raises(InputError, match="needs an id or a time"):
        one("custom", {"instrument": "AAPL", "action": "buy", "price": "1"})


@pytest.mark.parametrize("given", [{"strategy": "grid"}, {"account": "other"}])
def test_an_alert_speaks_for_the_strategy_of_its_hook_only(given: dict[str, str]) -> None:
    body = {"id": 1, "instrument": "AAPL", "action": "buy"}
    with pytest.raises(NotAllowed, match="this hook records for"):
        one("custom", body | given)
    assert one("custom", body | {"strategy": "trend", "account": "main"}).strategy == "trend"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"action": "hold"}, "action: 'hold' is none of buy, sell"),
        ({"action": None}, "action: is missing"),
        ({"instrument": ""}, "instrument: is missing"),
        ({"instrument": ["AAPL"]}, "is a list or an object"),
        ({"price": "dear"}, "price: 'dear' is not a number"),
        ({"price": -1}, "price: -1 is below 0"),
        ({"price": True}, "price: True is not a number"),
        ({"time": "2024-06-03T09:30:00"}, "has no zone"),
        ({"time": "17"}, "17 is no time"),
        ({"time": "2024-06-03T14:30:00Z"}, "more than an hour ahead"),
        ({"record": "order"}, "record: 'order' is none of signal, fill"),
        ({"record": "fill"}, "quantity: is missing"),
        ({"instrument": "x" * 300}, "instrument: .* longer than 200"),
        ({"confidence": "high"}, "confidence: 'high' is not a number"),
    ],
)
def test_what_is_wrong_with_an_alert_is_told(changes: dict[str, Any], reason: str) -> None:
    body = {"id": 1, "instrument": "AAPL", "action": "buy", "price": "1"} | changes
    with pytest.raises(InputError, match=reason):
        one("custom", body)


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", JSON, "is empty"),
        (b"  \n", "text/plain", "is empty"),
        (b"\xff\xfe", "text/plain", "is not UTF-8"),
        (b"{", JSON, "is not JSON"),
        (b"[" * 100_000, JSON, "an alert has"),
        (b"[" * 10_000, JSON, "is not JSON"),
        (b'{"a": ' * 40 + b"1" + b"}" * 40, JSON, "cannot be kept as JSON"),
        (b"[1]", JSON, "is one JSON object"),
        (b'"buy"', JSON, "is one JSON object"),
        (b"BTCUSD Crossing 60000", "text/plain", "is no line such as"),
        (b"price: 1\nprice: 2", "text/plain", "stands there twice"),
        (b"price=1&price=2", FORM, "stands there twice"),
        (b"price", FORM, "is not a form"),
        (b"&".join(b"a%d=1" % number for number in range(300)), FORM, "is not a form"),
        (json.dumps({f"a{number}": 1 for number in range(300)}).encode(), JSON, "an alert has 200 at most"),
        (b"a: 1\n" * 300, "text/plain", "an alert has 200 at most"),
        (b"x" * (MAX_BYTES + 1), "text/plain", "an alert has"),
    ],
)
def test_a_body_that_is_no_alert_is_told(body: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(body, content_type)


def test_a_long_id_is_kept_as_its_digest() -> None:
    body = {"instrument": "AAPL", "action": "buy"}
    long, longer = (one("custom", body | {"id": "x" * size}).signal_id for size in (500, 501))
    assert len(long) < 200
    assert long != longer


def test_two_hooks_may_count_alike() -> None:
    body = b'{"id": 1, "instrument": "AAPL", "action": "buy"}'
    hooks = [Hook(name=name, kind="custom", strategy="trend", digest="0" * 64) for name in ("a", "b")]
    first, second = (facts_of("custom", item, body, JSON, NOW)[0] for item in hooks)
    assert first != second


def test_a_mapping_that_could_have_no_effect_is_refused() -> None:
    check_mapping("custom", {"price": "close", "record": "=fill", "quantity": "n", "leg": "x"})
    check_mapping("tradingview", {"instrument": "=BTC/USDT"})
    for kind, mapping in (("custom", {"prise": "close"}), ("custom", {"price": ""}), ("freqtrade", {"price": "close"})):
        with pytest.raises(InputError, match="map: "):
            check_mapping(kind, mapping)


# ---- what could be read in two ways ----


@pytest.mark.parametrize(
    "more",
    [
        {"side": "buy"},
        {"side": "long"},
        {"qty": 7, "quantity": "7.0"},
        {"close": "9"},
        {"time": "2024-06-03T09:30:05Z", "timestamp": 1717407005},
        {"side": "{{strategy.order.action}}"},
    ],
)
def test_two_names_may_say_the_same(more: dict[str, Any]) -> None:
    found = one("custom", {"id": "1", "instrument": "A", "action": "buy", "price": "5"} | more)
    assert (found.action, found.price) == ("buy", Decimal(5))


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"side": "sell"}, "action"),
        ({"qty": 1, "quantity": 7}, "quantity"),
        ({"symbol": "B"}, "instrument"),
        ({"alert_id": "2"}, "id"),
        ({"time": "2024-06-03T09:30:05Z", "timestamp": "2024-06-03T09:30:06Z"}, "time"),
    ],
)
def test_two_names_that_say_different_things_are_refused(more: dict[str, Any], field: str) -> None:
    body = {"record": "fill", "id": "1", "instrument": "A", "action": "buy", "price": "5", "qty": 1} | more
    with pytest.raises(InputError, match=rf"^{field}: .* says .* and .* says .*; send one of them"):
        one("custom", body)
    mapping = {field: {"action": "side", "quantity": "qty"}.get(field, field)}
    assert one("custom", body, mapping=mapping), "a mapping says which counts"


def test_only_fields_of_a_record_can_be_mapped() -> None:
    with pytest.raises(InputError, match=r"^map: nope is no field") as problem:
        check_mapping("custom", {"nope": "x"})
    assert not [word for word in str(problem.value).split() if word.isupper()]
    assert one("custom", {"id": "1", "instrument": "A", "action": "buy", "KIND": "x"})


def twice(value: str) -> bytes:
    return f'{{"a": {{"b": ":", "c": {value}}}, "d": [{value}]}}'.encode()


@pytest.mark.parametrize(
    "value", ['{"x": 1, "x": 1}', '{"x": 1, "x" : 2}', '[[{"\u0078": 1, "x": 2}]]', '{"": 1, "": 2}']
)
def test_a_name_that_stands_twice_in_an_object_is_refused(value: str) -> None:
    for body in (twice(value), twice(value.replace(" ", "")), twice(value.replace(" ", "\n "))):
        with pytest.raises(InputError, match="stands there twice; give it once"):
            check_body(body, msgspec.json.decode(body))


@pytest.mark.parametrize("value", ['{"x": "\\":", "y": ":"}', '"\\"x\\": 1"', '{"x": {"x": {"x": "x"}}}', '":"'])
def test_a_name_in_a_text_or_in_another_object_stands_once(value: str) -> None:
    for body in (twice(value), twice(value.replace(" ", ""))):
        check_body(body, msgspec.json.decode(body))


def test_what_is_nested_has_a_limit() -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' * (levels - 1) + b"[1]" + b"}" * (levels - 1)

    check_body(nested(MAX_DEPTH), msgspec.json.decode(nested(MAX_DEPTH)))
    with pytest.raises(InputError, match=f"nested more than {MAX_DEPTH} levels"):
        check_body(nested(MAX_DEPTH + 1), msgspec.json.decode(nested(MAX_DEPTH + 1)))
