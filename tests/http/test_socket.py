import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.http.streaming import SECONDS, Server, fill, serving, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import onebook
from onebook.domain.reports import as_json
from onebook.http import socket as sockets
from onebook.http import writes
from onebook.http.lines import Pace

QUICK = Pace(beat_seconds=0.2, stuck_seconds=1.0, check_seconds=0.2, prices_per_second=5)
FILL = {"instrument": "BTC/USDT", "side": "buy", "quantity": "0.5", "price": "60000"}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[onebook.Book]:
    with onebook.open(tmp_path / "book.db") as opened:
        yield opened


@pytest.fixture
def server(book: onebook.Book) -> Iterator[Server]:
    with serving(book, QUICK) as started:
        yield started


class Socket:
    """A client's side of one connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def say(self, op: str, **message: Any) -> None:
        self._connection.send(json.dumps({"op": op} | message))

    def say_raw(self, text: str | bytes) -> None:
        self._connection.send(text)

    def hear(self, op: str = "") -> Any:
        """Return the next message, or the next with this op."""
        while True:
            message = json.loads(self._connection.recv(SECONDS))
            if op in {"", message["op"]}:
                return message

    def ask(self, op: str, **message: Any) -> Any:
        self.say(op, **message)
        return self.hear()

    def events(self, number: int) -> list[Any]:
        return [self.hear("event")["event"] for _ in range(number)]

    def code(self) -> int:
        """Read until it is closed, and return the code."""
        while True:
            try:
                self._connection.recv(SECONDS)
            except ConnectionClosed as closed:
                return 0 if closed.rcvd is None else closed.rcvd.code


@contextlib.contextmanager
def opened(server: Server, token: str = "", **options: Any) -> Iterator[Socket]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = server.url.replace("http", "ws", 1) + "/v1/ws"
    with connect(url, additional_headers=headers, proxy=None, **options) as connection:
        yield Socket(connection)


# ---- following ----


def test_a_subscription_tells_what_the_log_holds_and_then_what_comes(book: onebook.Book, server: Server) -> None:
    for number in range(5):
        book.record(fill(number))
    with opened(server) as client:
        assert client.ask("subscribe", id="a", after=2, types="trade_*")["after"] == "2"
        book.record(fill(6))
        expected = [json.loads(as_json(event)) for event in book.events(after=2, types="trade_*")]
        assert client.events(len(expected)) == expected


def test_two_subscriptions_of_one_connection_are_told_apart(book: onebook.Book, server: Server) -> None:
    with opened(server) as client:
        client.ask("subscribe", id="fills", types=["trade_executed"])
        client.ask("subscribe", id="positions", types=["position_updated"], instruments="ETH/USDT")
        book.record(fill(1))
        book.record(fill(2, instrument="ETH/USDT"))
        heard = [client.hear("event") for _ in range(3)]
        assert sorted((each["sub"], each["event"]["id"]) for each in heard) == [
            ("fills", "1.1"), ("fills", "2.1"), ("positions", "2.2"),
        ]  # fmt: skip
        assert client.ask("unsubscribe", id="fills") == {"op": "unsubscribed", "id": "fills"}
        book.record(fill(3, instrument="ETH/USDT"))
        assert client.hear()["sub"] == "positions"


def test_it_resumes_behind_any_event(book: onebook.Book, server: Server) -> None:
    for number in range(4):
        book.record(fill(number))
    whole = [event.id for event in book.events(after=0)]
    for number, last in enumerate(whole):
        with opened(server) as client:
            client.ask("subscribe", id="a", after=last, prices_per_second=0)
            assert [event["id"] for event in client.events(len(whole) - number - 1)] == whole[number + 1 :]


def test_a_place_ahead_of_the_log_is_told_to_begin_anew(book: onebook.Book, server: Server) -> None:
    book.record(fill(1))
    with opened(server) as client:
        assert client.ask("subscribe", id="a", after="77.1")["after"] == "1"
        reset = client.hear()
        assert (reset["op"], reset["sub"], reset["reset"]["head"]) == ("reset", "a", 1)
        book.record(fill(2))
        assert client.events(1)[0]["id"] == "2.1"


def test_prices_come_with_a_subscription_that_wants_them(book: onebook.Book, server: Server) -> None:
    with opened(server) as client:
        client.ask("subscribe", id="a", types="price_updated", prices_per_second=20)
        client.say("mark", id=1, instrument="BTC/USDT", price="60500")
        heard = {message["op"]: message for message in (client.hear(), client.hear())}
        assert heard["marked"]["id"] == 1
        assert heard["event"]["event"]["data"]["new_price"] == "60500"


# ---- kept places ----


def test_what_was_acknowledged_under_a_name_does_not_come_again(book: onebook.Book, server: Server) -> None:
    for number in range(6):
        book.record(fill(number))
    with opened(server) as client:
        client.ask("subscribe", id="a", name="bot", after=0, types="trade_executed")
        third = client.events(3)[2]["id"]
        client.say("ack", id="a", event=third)
        assert client.hear("acked") == {"op": "acked", "id": "a", "event": third}
    with opened(server) as client:
        assert client.ask("subscribe", id="b", name="bot", types="trade_executed")["after"] == third
        assert client.events(1)[0]["id"] == "4.1"
    assert [each.name for each in book.subscribers()] == ["socket.loopback.bot"]


def test_what_was_acknowledged_last_is_kept_when_the_connection_ends(book: onebook.Book, server: Server) -> None:
    book.record_many(fill(number) for number in range(3))
    with opened(server) as client:
        client.ask("subscribe", id="a", name="bot", after=0, types="trade_executed")
        client.say("ack", id="a", event=client.events(3)[2]["id"])
        client.ask("ping")
    with opened(server) as client:
        assert client.ask("subscribe", id="a", name="bot")["after"] == "3.1"


def test_a_second_connection_takes_a_name_over(book: onebook.Book, server: Server) -> None:
    with opened(server) as first, opened(server) as second:
        first.ask("subscribe", id="a", name="bot")
        second.ask("subscribe", id="b", name="bot")
        assert first.hear()["op"] == "unsubscribed"
        book.record(fill(1))
        assert second.events(1)[0]["id"] == "1.1"
        assert first.ask("ping") == {"op": "pong"}


def test_names_of_two_callers_are_two_places(book: onebook.Book, server: Server) -> None:
    one, other = server.token("viewer", "one"), server.token("viewer", "other")
    with opened(server, one) as first, opened(server, other) as second:
        assert first.ask("subscribe", id="a", name="phone", after=0)["op"] == "subscribed"
        assert second.ask("subscribe", id="a", name="phone", after=1)["after"] == "1"
        assert first.hear()["op"] == "event"


def holder_of(book: onebook.Book, name: str) -> str:
    with book.store.reading() as reader:
        row = reader.subscriber(name)
    assert row is not None
    return row.holder


def test_a_kept_place_that_is_not_in_the_log_begins_anew(book: onebook.Book, server: Server) -> None:
    book.record(fill(1))
    with opened(server) as client:
        client.ask("subscribe", id="a", name="bot")
    until(lambda: not holder_of(book, "socket.loopback.bot"))
    book.store.aside(lambda rows: rows.move("socket.loopback.bot", (900, 1), 1))
    with opened(server) as client:
        assert client.ask("subscribe", id="a", name="bot", types="trade_executed")["after"] == "1"
        assert client.hear()["op"] == "reset"
        book.record(fill(2))
        client.say("ack", id="a", event=client.events(1)[0]["id"])
        assert client.hear("acked")["event"] == "2.1"
    with opened(server) as client:
        assert client.ask("subscribe", id="a", name="bot")["after"] == "2.1"


def test_a_place_that_somebody_moves_ends_the_subscription(book: onebook.Book, server: Server) -> None:
    with opened(server) as client:
        client.ask("subscribe", id="a", name="bot")
        book.subscribers.reset("socket.loopback.bot", "beginning")
        book.record(fill(1))
        client.say("ack", id="a", event=client.events(1)[0]["id"])
        assert "moved its place" in client.hear("unsubscribed")["reason"]


def test_what_was_not_sent_cannot_be_acknowledged(book: onebook.Book, server: Server) -> None:
    with opened(server) as client:
        client.ask("subscribe", id="a", name="bot")
        assert client.ask("ack", id="a", event="50.1")["problem"]["detail"].startswith("event: 50.1 was not sent")
        assert client.ask("ack", id="a", event="much")["problem"]["code"] == "InputError"
        assert client.ask("ack", id="nobody", event="1.1")["problem"]["detail"].startswith("id: ")
        client.ask("subscribe", id="b")
        assert "with a name" in client.ask("ack", id="b", event="1.1")["problem"]["detail"]


# ---- recording ----


def test_facts_are_recorded_in_the_order_in_which_they_came(book: onebook.Book, server: Server) -> None:
    with opened(server, server.token("operator", "maria")) as client:
        for number in range(50):
            client.say("record", id=number, kind="fill", fact=FILL | {"client_fill_id": str(number)})
        receipts = [client.hear() for _ in range(50)]
        assert [each["id"] for each in sorted(receipts, key=lambda each: each["sequence"])] == list(range(50))
        assert {each["status"] for each in receipts} == {"recorded"}
        again = client.ask("record", id="again", kind="fill", fact=FILL | {"client_fill_id": "7"})
        assert (again["status"], again["sequence"]) == ("exists", receipts[7]["sequence"])
    assert {event.actor for event in book.events(after=0, types="trade_executed")} == {"maria"}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"op": "record", "kind": "fill", "fact": {"instrument": "BTC/USDT"}}, "side: is missing"),
        ({"op": "record", "kind": "fill", "fact": FILL | {"colour": "red"}}, "fill has no field"),
        ({"op": "record", "kind": "fill", "fact": [FILL]}, "body: "),
        ({"op": "mark", "instrument": "BTC/USDT", "price": "-1"}, "price: "),
        ({"op": "mark", "instrument": "BTC/USDT", "price": "1", "at": 5}, "at: "),
        ({"op": "mark", "price": "1"}, "instrument: "),
        ({"op": "subscribe"}, "id: "),
        ({"op": "subscribe", "id": "a", "type": "x"}, "type: "),
        ({"op": "subscribe", "id": "a", "types": 5}, "types: "),
        ({"op": "subscribe", "id": "a", "after": "x"}, "after: "),
        ({"op": "subscribe", "id": "a", "after": 1.5}, "after: "),
        ({"op": "subscribe", "id": "a", "name": ""}, "name: "),
        ({"op": "subscribe", "id": "a", "prices_per_second": 21}, "prices_per_second: "),
        ({"op": "unsubscribe", "id": "nobody"}, "id: "),
    ],
)
def test_what_cannot_be_is_said_and_the_connection_goes_on(server: Server, message: dict[str, Any], said: str) -> None:
    with opened(server) as client:
        client.say_raw(json.dumps(message))
        error = client.hear()
        assert error["op"] == "error"
        assert error["problem"]["detail"].startswith(said)
        assert client.ask("ping", id=3) == {"op": "pong", "id": 3}


def test_a_bot_records_for_its_own_strategy_only(book: onebook.Book, server: Server) -> None:
    token = server.token("bot", "trender", strategy="trend")
    with opened(server, token) as client:
        assert client.ask("record", id=1, kind="fill", fact=FILL)["status"] == "recorded"
        refused = client.ask("record", id=2, kind="fill", fact=FILL | {"strategy": "breakout"})
        assert refused["problem"]["code"] == "NotAllowed"
        assert client.ask("ping") == {"op": "pong"}
    assert [each.strategy for each in book.fills()] == ["trend"]


def test_an_order_said_before_its_update_is_known_to_it(book: onebook.Book, server: Server) -> None:
    order = {"instrument": "BTC/USDT", "side": "buy", "quantity": "1"}
    with opened(server, server.token("bot", "trender", strategy="trend")) as client:
        for number in range(20):
            client.say("record", id=number, kind="order", fact=order | {"client_order_id": str(number)})
            update = {"client_order_id": str(number), "status": "new"}
            client.say("record", id=f"{number} new", kind="order_update", fact=update)
        assert {client.hear()["op"] for _ in range(40)} == {"receipt"}
        unknown = {"client_order_id": "none", "status": "canceled"}
        refused = client.ask("record", id="none", kind="order_update", fact=unknown)
        assert refused["problem"]["code"] == "NotAllowed"


# ---- closing ----


@pytest.mark.parametrize(
    "text", ["no json", "[1]", "{}", '{"op": 5}', '{"op": "dance"}', b"\x00", '{"op": "record", "kind": "fill"'],
)  # fmt: skip
def test_what_is_no_message_closes_with_4400(server: Server, text: str | bytes) -> None:
    with opened(server) as client:
        client.say_raw(text)
        assert client.code() == 4400


def test_a_wrong_token_closes_with_4401(server: Server) -> None:
    server.token("viewer")
    with opened(server, "obk_wrong") as client:
        assert client.code() == 4401


def test_a_first_message_may_bring_the_token(
    book: onebook.Book, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = server.token("operator", "maria")
    monkeypatch.setattr(server.service.access, "_neighbour", lambda _: None)  # as if from another machine
    with opened(server) as client:
        told = client.ask("auth", token=secret)
        assert told == {"op": "authenticated", "name": "maria", "role": "operator"}
        assert client.ask("record", id=1, kind="fill", fact=FILL)["status"] == "recorded"
    with opened(server) as client:
        client.say("auth", token=secret + "x")
        assert client.code() == 4401
    with opened(server) as client:
        client.say("ping")
        assert client.code() == 4401
    monkeypatch.setattr(sockets, "LOGIN_SECONDS", 0.1)
    with opened(server) as client:
        assert client.code() == 4401


def test_a_revoked_token_closes_with_4401(book: onebook.Book, server: Server) -> None:
    with opened(server, server.token("viewer", "maria")) as client:
        client.ask("ping")
        token = next(item for item in book.facts("token") if item.name == "maria")
        book.record(onebook.Token(name="maria", role="viewer", digest=token.digest, is_revoked=True))
        assert client.code() == 4401


@pytest.mark.parametrize("role", ["viewer", "accountant", "bot"])
def test_what_a_role_may_not_do_is_said_and_closes_with_4403(book: onebook.Book, server: Server, role: str) -> None:
    token = server.token(role, strategy="trend" if role == "bot" else "")
    with opened(server, token) as client:
        stated = {"symbol": "X", "kind": "equity"}
        error = client.ask("record", id=1, kind="instrument", fact=stated)
        assert error["problem"]["status"] == 403
        assert client.code() == 4403
    assert not book.facts("instrument")


def test_silence_closes_with_4408(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SILENT_SECONDS", 0.1)
    with opened(server) as client:
        assert client.code() == 4408


def test_a_message_that_is_too_large_closes_with_4413(server: Server) -> None:
    with opened(server) as client:
        client.say_raw(json.dumps({"op": "ping", "id": "x" * 1_000_001}))
        assert client.code() == 4413


def test_too_many_messages_close_with_4429(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MOST_A_SECOND", 2)
    with opened(server) as client, contextlib.suppress(ConnectionClosed):
        for _ in range(100):
            client.say("ping")
    with opened(server) as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(100):
                client.say("ping")
        assert client.code() == 4429


def test_too_many_connections_close_with_4429(book: onebook.Book) -> None:
    with serving(book, Pace(most_lines=1)) as server, opened(server) as first:
        first.ask("ping")
        with opened(server) as second:
            assert second.code() == 4429


def test_it_closes_with_1001_when_the_service_stops_after_answering_what_was_said(book: onebook.Book) -> None:
    with serving(book) as server, opened(server) as client:
        client.ask("subscribe", id="a")
        server.close()
        assert client.code() == 1001


def test_a_client_that_never_reads_is_cut_off(book: onebook.Book, server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect((host, int(port)))
    with opened(server, sock=made, max_queue=1, ping_interval=None) as client:
        client.say("subscribe", id="a", after=0)
        for _ in range(150):
            book.publish("desk.note", {"text": "x" * 60_000})
        until(lambda: server.stream.statistics().cut == 1)
        until(lambda: server.stream.statistics().lines["socket"] == 0)


def test_the_address_says_that_it_speaks_another_protocol(server: Server) -> None:
    with httpx.Client(trust_env=False) as client:
        answer = client.get(f"{server.url}/v1/ws")
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")


# ---- faults ----


def test_what_is_nested_without_end_closes_with_a_code(server: Server) -> None:
    raw = '{"a":' * 900 + "1" + "}" * 900
    with opened(server) as client:
        client.say_raw(
            '{"op": "record", "id": "1", "kind": "fill", "fact": ' + json.dumps(FILL)[:-1] + f', "raw": {raw}}}}}'
        )
        assert client.code() == 4400


def test_a_fault_of_the_service_is_logged_and_closes_with_a_code(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(writes, "fact", fails)
    with opened(server) as client:
        client.say("record", id="1", kind="fill", fact=FILL)
        assert client.code() == 1011
    assert "ZeroDivisionError" in caplog.text


def test_a_fact_whose_recording_fails_is_not_left_unanswered(
    book: onebook.Book, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(book.aio, "record", fails)
    with opened(server) as client:
        client.say("record", id="1", kind="fill", fact=FILL)
        assert client.code() == 1011
