"""What is recorded over HTTP is known again, refused with the field at fault, and done under the caller's name."""

import json
from typing import Any

import httpx
import pytest

FILL = {"instrument": "BTC/USDT", "side": "buy", "quantity": "0.5", "price": "60000", "fee": "12.3"}


@pytest.fixture
def client(served: Any) -> httpx.Client:
    made: httpx.Client = served.client()
    return made


def fill(**changes: Any) -> dict[str, Any]:
    return FILL | changes


def test_a_fact_is_recorded_then_known_then_in_conflict(served: Any, client: httpx.Client) -> None:
    given = fill(venue="binance", venue_fill_id="8841")
    first = client.post("/v1/fills", json=given)
    assert first.status_code == 201
    assert first.json()["status"] == "recorded"
    assert first.json()["position"]["quantity"] == "0.5"
    assert [event["type"] for event in first.json()["events"]] == ["trade_executed", "position_updated"]
    again = client.post("/v1/fills", json=given)
    assert (again.status_code, again.json()["status"], again.json()["sequence"]) == (200, "exists", 1)
    other = client.post("/v1/fills", json=given | {"quantity": "0.6"})
    assert (other.status_code, other.json()["status"], other.json()["sequence"]) == (409, "conflict", 1)
    assert len(served.book.fills()) == 1


def test_an_answer_of_a_fill_holds_what_the_receipt_holds(served: Any, client: httpx.Client) -> None:
    found = client.post("/v1/fills", json=fill(client_fill_id="a")).json()
    receipt = served.book.record(_fill(client_fill_id="a"))
    assert (found["sequence"], found["identity"]) == (receipt.sequence, receipt.identity)


def _fill(**changes: Any) -> Any:
    from onebook import Fill

    return Fill(**fill(**changes))


def test_numbers_of_json_are_taken_as_they_are_written(client: httpx.Client) -> None:
    body = '{"instrument": "PEPE/USDT", "side": "buy", "quantity": 1000000, "price": 0.000000000012, "fee": 1e-3}'
    assert client.post("/v1/fills", content=body).status_code == 201
    [found] = client.get("/v1/fills").json()["items"]
    assert (found["price"], found["fee"]) == ("0.000000000012", "0.001")


def test_an_idempotency_key_makes_a_repeat_known(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "try-1"}
    first = client.post("/v1/fills", json=FILL, headers=key)
    again = client.post("/v1/fills", json=FILL, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["identity"] == "client|main|try-1"
    assert client.post("/v1/fills", json=FILL).json()["sequence"] == 2


def test_an_idempotency_key_counts_for_each_fact_of_a_list(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "try-2"}
    assert client.post("/v1/fills", json=[FILL, FILL], headers=key).json()["recorded"] == 2
    again = client.post("/v1/fills", json=[FILL, FILL], headers=key).json()
    assert (again["recorded"], again["exists"]) == (0, 2)


def test_a_key_gives_way_to_an_id_of_the_venue(client: httpx.Client) -> None:
    given = fill(venue="binance", venue_fill_id="1")
    first = client.post("/v1/fills", json=given, headers={"Idempotency-Key": "x"}).json()
    assert first["identity"] == "fill|binance|main|BTC/USDT||1|buy"


@pytest.mark.parametrize(
    ("path", "key", "given", "name"),
    [
        ("orders", "o1", {"instrument": "BTC/USDT", "side": "buy", "quantity": "1"}, "client_order_id"),
        ("signals", "s1", {"instrument": "BTC/USDT", "action": "buy"}, "signal_id"),
        ("transfers", "t1", {"asset": "USDT", "amount": "10", "to_account": "main"}, "transfer_id"),
        ("cash-movements", "m1", {"currency": "USDT", "amount": "-1", "kind": "fee"}, "movement_id"),
        ("funding", "p1", {"instrument": "BTC/USDT:USDT", "amount": "-1"}, "funding_id"),
        ("opening-balances", "b1", {"currency": "USDT", "amount": "10"}, "balance_id"),
    ],
)
def test_a_key_is_the_own_id_of_each_kind(
    client: httpx.Client, path: str, key: str, given: dict[str, Any], name: str
) -> None:
    for status in (201, 200):
        assert client.post(f"/v1/{path}", json=given, headers={"Idempotency-Key": key}).status_code == status
    [found] = client.get(f"/v1/{path}").json()["items"]
    assert found[name] == key


def test_a_list_is_taken_one_by_one_and_bad_ones_are_listed_by_their_place(client: httpx.Client) -> None:
    given: list[Any] = [fill(), fill(quantity="0"), 7, fill(client_fill_id="x"), fill(colour="red"), fill()]
    answer = client.post("/v1/fills", json=given)
    assert answer.status_code == 200
    found = answer.json()
    assert (found["recorded"], found["exists"], found["conflicts"]) == (3, 0, 0)
    assert (found["first_sequence"], found["last_sequence"]) == (1, 3)
    assert [item["index"] for item in found["refused"]] == [1, 2, 4]
    assert "above 0" in found["refused"][0]["error"]["message"]


def test_a_list_has_a_size(client: httpx.Client) -> None:
    answer = client.post("/v1/fills", content=json.dumps([FILL] * 10_001))
    assert answer.status_code == 400
    assert client.post("/v1/fills", json=[]).status_code == 400
    assert client.get("/v1/fills").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("{", 400, "not JSON"),
        ("", 400, "not JSON"),
        ("null", 400, "an object"),
        ("3", 400, "an object"),
        ('"fill"', 400, "an object"),
        ("NaN", 400, "not JSON"),
        ("[" * 100_000, 400, "not JSON"),
        ('{"a": "\\ud800"}', 400, "JSON"),
        ("{}", 400, "instrument"),
        (json.dumps(fill(colour="red")), 400, "colour"),
        (json.dumps(fill(side="up")), 400, "side"),
        (json.dumps(fill(quantity="1e400")), 422, "quantity"),
        (json.dumps(fill(occurred_at="2024-06-01T00:00:00")), 422, "no zone"),
        (json.dumps(fill(account=["main"])), 400, "account"),
        (json.dumps(fill(raw=[])), 400, "raw"),
        (json.dumps(fill(tags=7)), 400, "tags"),
    ],
)
def test_malformed_input_is_refused_with_a_sentence(client: httpx.Client, body: str, status: int, said: str) -> None:
    answer = client.post("/v1/fills", content=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    assert client.get("/v1/fills").json()["items"] == []


def test_a_fill_is_taken_back_and_put_right(client: httpx.Client) -> None:
    for name in ("a", "b"):
        client.post("/v1/fills", json=fill(client_fill_id=name))
    gone = client.post("/v1/fills/bust", json={"which": 1, "reason": "never happened"})
    assert gone.status_code == 201
    again = client.post("/v1/fills/bust", json={"which": "client|main|a", "reason": "never happened"})
    assert again.status_code == 200
    right = client.post("/v1/fills/correct", json={"which": "2.1", "reason": "typo", "changes": {"price": 59000}})
    assert right.status_code == 201
    [found] = client.get("/v1/fills").json()["items"]
    assert (found["client_fill_id"], found["price"]) == ("b", "59000")


@pytest.mark.parametrize(
    ("path", "given", "field"),
    [
        ("fills/bust", {"which": 1}, "reason"),
        ("fills/bust", {"which": 1, "reason": ""}, "reason"),
        ("fills/bust", {"which": [1], "reason": "x"}, "which"),
        ("fills/bust", {"which": 1, "reason": "x", "colour": 1}, "colour"),
        ("fills/correct", {"which": 1, "reason": "x", "changes": {"colour": 1}}, "colour"),
        ("fills/correct", {"which": 1, "reason": "x"}, "changes"),
        ("trading/halt", {}, "reason"),
        ("trading/halt", {"reason": "x", "account": 3}, "account"),
        ("marks", {"instrument": "BTC/USDT"}, "price"),
        ("marks", {"instrument": "BTC/USDT", "price": "1", "at": 7}, "at"),
        ("heartbeats", {"strategy": "trend", "every_seconds": "soon"}, "every_seconds"),
        ("heartbeats", {"strategy": "trend", "every_seconds": False}, "every_seconds"),
    ],
)
def test_a_deed_says_which_of_its_fields_is_wrong(
    client: httpx.Client, path: str, given: dict[str, Any], field: str
) -> None:
    client.post("/v1/fills", json=FILL)
    answer = client.post(f"/v1/{path}", json=given)
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["field"] == field


def test_notes_hang_on_a_round_trip(client: httpx.Client) -> None:
    client.post("/v1/fills", json=FILL)
    assert client.patch("/v1/round-trips/1", json={"notes": "too early", "tags": ["plan"]}).status_code == 201
    [trip] = client.get("/v1/round-trips").json()["items"]
    assert (trip["notes"], trip["tags"]) == ("too early", ["plan"])
    assert client.patch("/v1/round-trips/1", json={}).status_code == 400
    assert client.patch("/v1/round-trips/99", json={"notes": "x"}).status_code == 400
    assert client.patch("/v1/round-trips/one", json={"notes": "x"}).status_code == 400
    client.post("/v1/settings", json={"base_currency": "USDT"})
    assert client.patch("/v1/round-trips/3", json={"notes": "settings open no trip"}).status_code == 409


def test_a_break_is_settled_with_a_reason(client: httpx.Client) -> None:
    client.post("/v1/fills", json=fill(client_fill_id="a"))
    client.post("/v1/fills", json=fill(client_fill_id="a", quantity="9"))
    [found] = client.get("/v1/breaks?state=open").json()["items"]
    answer = client.post(f"/v1/breaks/{found['id']}/resolve", json={"reason": "the venue is right"})
    assert (answer.status_code, answer.json()["state"]) == (200, "resolved")
    assert client.get("/v1/breaks?state=open").json()["items"] == []
    assert client.post(f"/v1/breaks/{found['id']}/resolve", json={"reason": "again"}).status_code == 422
    assert client.post("/v1/breaks/none/resolve", json={"reason": "x"}).status_code == 400


def test_marks_value_positions_at_once(client: httpx.Client) -> None:
    client.post("/v1/fills", json=FILL)
    assert client.get("/v1/positions").json()["items"][0]["mark"] is None
    for price, gain in (("61000", "500"), ("62000", "1000"), (59000.5, "-499.75")):
        assert client.post("/v1/marks", json={"instrument": "BTC/USDT", "price": price}).status_code == 200
        assert client.get("/v1/positions").json()["items"][0]["unrealized_pnl"] == gain
    several = [{"instrument": "A", "price": "1"}, {"instrument": "B", "price": "-1"}, {"instrument": "C", "price": 2}]
    found = client.post("/v1/marks", json=several).json()
    assert (found["recorded"], [item["index"] for item in found["refused"]]) == (2, [1])


def test_definitions_are_recorded_and_listed_by_name(client: httpx.Client) -> None:
    for symbol in ("ETH/USDT", "BTC/USDT"):
        assert client.post("/v1/instruments", json={"symbol": symbol, "tick_size": "0.01"}).status_code == 201
    assert [item["symbol"] for item in client.get("/v1/instruments").json()["items"]] == ["BTC/USDT", "ETH/USDT"]
    assert client.post("/v1/accounts", json={"name": "paper", "kind": "paper"}).status_code == 201
    assert client.post("/v1/settings", json={"base_currency": "USDT", "zone": "Europe/Berlin"}).status_code == 201
    assert client.get("/v1/settings").json()["items"][0]["zone"] == "Europe/Berlin"
    assert client.post("/v1/settings", json={"zone": "Nowhere/None"}).status_code in {400, 422}


# ---- who records ----


def test_what_is_recorded_carries_the_name_of_the_token(served: Any) -> None:
    maria = served.client(served.token("operator", "maria"))
    book = served.book
    assert maria.post("/v1/fills", json=FILL).status_code == 201
    assert maria.post("/v1/fills", json=[FILL]).json()["recorded"] == 1
    assert maria.post("/v1/trading/halt", json={"reason": "enough"}).status_code == 200
    assert maria.put("/v1/state/a.b", json={"value": 1}).status_code == 201
    assert maria.patch("/v1/round-trips/2", json={"notes": "n"}).status_code == 201
    assert {event.actor for event in book.events(after=1)} == {"maria"}


def test_a_bot_records_for_its_own_strategy_only(served: Any) -> None:
    bot = served.client(served.token("bot", "robot", strategy="trend"))
    found = bot.post("/v1/fills", json=FILL)
    assert found.status_code == 201
    assert found.json()["position"]["strategy"] == "trend"
    assert bot.post("/v1/fills", json=fill(strategy="trend")).status_code == 201
    for other in ("reversal", ["trend"], 7):
        assert bot.post("/v1/fills", json=fill(strategy=other)).status_code in {400, 403}
    mixed = bot.post("/v1/fills", json=[fill(), fill(strategy="reversal")]).json()
    assert (mixed["recorded"], [item["index"] for item in mixed["refused"]]) == (1, [1])
    assert mixed["refused"][0]["error"]["code"] == "NotAllowed"
    assert {item.strategy for item in served.book.fills()} == {"trend"}
    payment = {"instrument": "BTC/USDT:USDT", "amount": "-1"}
    assert bot.post("/v1/funding", json=payment).status_code == 201
    assert served.book.funding()[0].strategy == "trend"


def test_a_bot_speaks_of_its_own_orders_and_signals_only(served: Any) -> None:
    from onebook import Order, Signal

    for strategy in ("trend", "reversal"):
        served.book.record(
            Order(instrument="BTC/USDT", side="buy", quantity="1", client_order_id=strategy, strategy=strategy)
        )
        served.book.record(Signal(instrument="BTC/USDT", action="buy", signal_id=strategy, strategy=strategy))
    bot = served.client(served.token("bot", "robot", strategy="trend"))
    assert bot.post("/v1/order-updates", json={"client_order_id": "trend", "status": "new"}).status_code == 201
    assert bot.post("/v1/order-updates", json={"client_order_id": "reversal", "status": "new"}).status_code == 403
    assert bot.post("/v1/signal-updates", json={"signal_id": "trend", "status": "EXPIRED"}).status_code == 201
    assert bot.post("/v1/signal-updates", json={"signal_id": "reversal", "status": "EXPIRED"}).status_code == 403
    assert bot.post("/v1/order-updates", json={"client_order_id": 7, "status": "new"}).status_code == 400
    assert bot.post("/v1/heartbeats", json={"every_seconds": 30}).json()["strategy"] == "trend"
    assert bot.post("/v1/heartbeats", json={"strategy": "reversal", "every_seconds": 30}).status_code == 403
    order = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1"}
    assert bot.post("/v1/trading/may", json=order | {"strategy": "reversal"}).status_code == 403
    assert bot.post("/v1/trading/place", json=order).json()["order"]["strategy"] == "trend"


@pytest.fixture
def bots(served: Any) -> tuple[httpx.Client, httpx.Client]:
    """Two bots: of trend and of grid."""
    trend, grid = (served.client(served.token("bot", name, strategy=name)) for name in ("trend", "grid"))
    return trend, grid


ORDER = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "client_order_id": "T-1"}


def test_a_bot_cannot_say_what_became_of_an_order_before_it_is_known(
    served: Any, bots: tuple[httpx.Client, httpx.Client]
) -> None:
    trend, grid = bots
    canceled = {"client_order_id": "T-1", "status": "canceled"}
    for bot in bots:
        found = bot.post("/v1/order-updates", json=canceled)
        assert (found.status_code, found.json()["code"]) == (403, "NotAllowed")
        assert found.json()["detail"].startswith("the book knows no order T-1 in main; record it first")
    assert grid.post("/v1/order-updates", json=[canceled]).json()["refused"][0]["error"]["code"] == "NotAllowed"
    assert grid.post("/v1/signal-updates", json={"signal_id": "S", "status": "EXPIRED"}).status_code == 403
    assert trend.post("/v1/orders", json=[ORDER]).json()["recorded"] == 1
    assert served.book.order("T-1").status == "pending_new"
    assert grid.post("/v1/order-updates", json=canceled).status_code == 403
    news = [{"client_order_id": "T-1", "status": "new", "venue_order_id": "V"}, canceled]
    assert trend.post("/v1/order-updates", json=news).json()["recorded"] == 2


def test_a_bots_fill_and_order_name_no_order_of_another(served: Any, bots: tuple[httpx.Client, httpx.Client]) -> None:
    trend, grid = bots
    assert trend.post("/v1/orders", json=ORDER).status_code == 201
    linked = {"client_order_id": "T-1", "status": "new", "venue_order_id": "V"}
    assert trend.post("/v1/order-updates", json=linked).status_code == 201
    said = "the token of grid speaks for grid only; order T-1 is of trend"
    for name in ({"client_order_id": "T-1"}, {"venue_order_id": "V"}):
        found = grid.post("/v1/fills", json=fill(**name))
        assert (found.status_code, found.json()["detail"]) == (403, said)
    for path in ("orders", "trading/may", "trading/place"):
        assert grid.post(f"/v1/{path}", json=ORDER).status_code == 403
    given = {"Idempotency-Key": "T-1"}
    unnamed = {name: value for name, value in ORDER.items() if name != "client_order_id"}
    assert grid.post("/v1/orders", json=unnamed, headers=given).status_code == 403
    assert grid.post("/v1/orders", json=ORDER | {"client_order_id": "G-1"}).status_code == 201
    stolen = {"client_order_id": "G-1", "status": "new", "venue_order_id": "V"}
    assert grid.post("/v1/order-updates", json=stolen).status_code == 403
    assert served.book.order("T-1").filled_quantity == 0
    assert not served.book.breaks()
    assert trend.post("/v1/fills", json=fill(venue_order_id="V", quantity="1")).status_code == 201
    assert served.book.order("T-1").status == "filled"


def test_an_order_that_only_a_fill_has_named_is_of_who_reported_it(
    served: Any, bots: tuple[httpx.Client, httpx.Client]
) -> None:
    trend, grid = bots
    assert grid.post("/v1/fills", json=fill(client_order_id="T-1", quantity="1")).status_code == 201
    assert trend.post("/v1/orders", json=ORDER).status_code == 403
    assert grid.post("/v1/orders", json=ORDER).status_code == 201
    assert served.book.order("T-1").status == "filled"


def test_a_bot_takes_over_what_nobody_named_held(served: Any, bots: tuple[httpx.Client, httpx.Client]) -> None:
    from onebook import EXTERNAL, Order, OrderUpdate

    trend, _ = bots
    given: Any = ORDER | {"strategy": EXTERNAL}
    served.book.record(Order(**given))
    assert trend.post("/v1/orders", json=ORDER).status_code == 200
    assert trend.post("/v1/fills", json=fill(client_order_id="T-1")).status_code == 201
    assert trend.post("/v1/order-updates", json={"client_order_id": "T-1", "status": "canceled"}).status_code == 403
    served.book.record(OrderUpdate(client_order_id="T-2", status="new"))
    assert trend.post("/v1/order-updates", json={"client_order_id": "T-2", "status": "canceled"}).status_code == 403
    assert trend.post("/v1/orders", json=ORDER | {"client_order_id": "T-2"}).status_code == 201


# ---- trading ----


def test_the_gate_answers_and_places(served: Any, client: httpx.Client) -> None:
    order = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1", "client_order_id": "o1"}
    served.book.mark("BTC/USDT", "60000")
    asked = client.post("/v1/trading/may", json=order).json()
    assert (asked["approved"], asked["sequence"]) == (True, 0)
    assert served.book.orders() == []
    placed = client.post("/v1/trading/place", json=order).json()
    assert (placed["approved"], placed["order"]["client_order_id"]) == (True, "o1")
    assert client.post("/v1/trading/place", json=order).json() == placed
    several = client.post("/v1/trading/place", json=[order | {"client_order_id": name} for name in ("o2", "o3")]).json()
    assert [item["approved"] for item in several] == [True, True]
    limit = order | {"kind": "limit", "client_order_id": "o4"}
    assert client.post("/v1/trading/place", json=limit).status_code == 400


def test_the_switches_of_a_person(served: Any, client: httpx.Client) -> None:
    client.post("/v1/fills", json=FILL)
    served.book.mark("BTC/USDT", "60000")
    halted = client.post("/v1/trading/halt", json={"reason": "storm"}).json()
    assert halted == {"state": "HALTED", "account": "", "strategy": "", "reason": "storm", "sequence": 2}
    assert client.post("/v1/trading/halt", json={"reason": "storm"}).json()["sequence"] is None
    order = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1"}
    refused = client.post("/v1/trading/may", json=order).json()
    assert (refused["approved"], refused["reason"]) == (False, "halted")
    [left] = client.post("/v1/trading/flatten", json={"reason": "storm"}).json()["items"]
    assert (left["side"], left["quantity"], left["answer"]) == ("sell", "0.5", "approved")
    assert client.post("/v1/trading/reduce", json={"reason": "calmer"}).json()["state"] == "REDUCING"
    assert client.post("/v1/trading/resume", json={"reason": "calm"}).json()["state"] == "ACTIVE"
    scoped = client.post("/v1/trading/halt", json={"reason": "odd", "strategy": "trend"}).json()
    assert (scoped["state"], scoped["strategy"]) == ("HALTED", "trend")
    assert client.get("/v1/overview").json()["trading_state"] == {
        "state": "ACTIVE",
        "scopes": [{"account": "", "strategy": "trend", "state": "HALTED"}],
    }


# ---- the state ----


def test_a_value_is_changed_only_by_who_knows_its_version(client: httpx.Client) -> None:
    path = "/v1/state/bots.trend.level"
    assert client.get(path).status_code == 404
    made = client.put(path, json={"value": {"level": 1.5}, "source": "test"})
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    read = client.get(path)
    assert read.json()["value"] == {"level": 1.5}
    assert (read.headers["etag"], read.json()["source"]) == ('"1"', "test")
    blind = client.put(path, json={"value": 2})
    assert (blind.status_code, blind.json()["code"]) == (428, "VersionNeeded")
    assert client.put(path, json={"value": 2}, headers={"If-Match": '"9"'}).status_code == 412
    assert client.put(path, json={"value": 2}, headers={"If-None-Match": "*"}).status_code == 412
    changed = client.put(path, json={"value": 2}, headers={"If-Match": read.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    stale = client.put(path, json={"value": 3}, headers={"If-Match": read.headers["etag"]})
    assert (stale.status_code, stale.json()["retryable"], stale.headers["etag"]) == (412, True, '"2"')
    assert client.put(path, json={"value": 3}, headers={"If-Match": "*"}).status_code == 200
    assert client.get("/v1/state").json() == {"bots": {"trend": {"level": 3}}}
    assert client.delete(path).status_code == 428
    assert client.delete(path, headers={"If-Match": "*"}).status_code == 204
    assert client.get(path).status_code == 404
    assert client.put(path, json={"value": 1}, headers={"If-None-Match": "*"}).status_code in {200, 201}


def test_a_state_of_the_past_and_what_the_book_shows_itself(client: httpx.Client) -> None:
    client.put("/v1/state/a", json={"value": 1})
    client.put("/v1/state/a", json={"value": 2}, headers={"If-Match": '"1"'})
    assert client.get("/v1/state/a?as_of=1").json()["value"] == 1
    client.post("/v1/fills", json=FILL)
    shown = client.get("/v1/state/positions").json()["value"]
    assert "BTC/USDT" in shown["main"]
    assert client.put("/v1/state/positions.main", json={"value": 1}).status_code == 403
    assert client.put("/v1/state/a", json={"other": 1}).status_code == 400
    assert client.put("/v1/state/a..b", json={"value": 1}).status_code == 400


# ---- the store could not ----


def test_a_closed_book_is_said_with_a_time_to_try_again(serve: Any, tmp_path: Any) -> None:
    import onebook

    book = onebook.open(str(tmp_path / "closing.db"))
    client = serve(book).client()
    book.close()
    answer = client.post("/v1/fills", json=FILL)
    assert (answer.status_code, answer.json()["code"]) == (503, "StoreClosed")
    assert answer.headers["retry-after"] == "1"
