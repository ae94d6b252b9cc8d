"""What a remote book does when the line or the service fails: it tries again where that is safe, for a bounded time."""

import socket
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.http.conftest import Serve, Served
from tests.http.streaming import fill
from tests.remote.conftest import Connect
from tests.remote.line import Script, answer, line_to, problem

import onebook
from onebook import Fill, Order
from onebook.errors import (
    BadConfig,
    BadPayload,
    BookError,
    ConflictError,
    InputError,
    NotAllowed,
    RateLimited,
    SourceError,
    SourceTimeout,
    StoreBusy,
    StoreClosed,
    StoreFull,
)

STATUS = '{"items": [], "next_after": null}'


def nowhere() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_fill_whose_answer_was_lost_is_recorded_once(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url)
        line.swallow = 2
        receipt = book.record(Fill(instrument="AAPL", side="buy", quantity="1", price="2"))
        assert receipt.status == "exists"
        assert (receipt.sequence, line.connections) == (1, 3)
        assert book.position("AAPL").quantity == 1  # type: ignore[union-attr]
    assert [event.type for event in served.book.events()].count("trade_executed") == 1


def test_whatever_is_sent_twice_counts_once(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url)
        fills = [Fill(instrument="AAPL", side="buy", quantity="1", price="2") for _ in range(20)]
        line.swallow = 1
        assert book.record_many(fills).exists == 20
        first = book.fills()[0].sequence
        for deed in (
            lambda: book.bust(first, reason="x"),
            lambda: book.correct(first + 1, reason="x", price="3"),
            lambda: book.trading.place(Order(instrument="AAPL", side="sell", quantity="1")),
            lambda: book.record(onebook.Transfer(asset="USD", amount="1", from_account="a", to_account="b")),
            lambda: book.record(onebook.Rate(base="EUR", quote="USD", price="1.1")),
            lambda: book.state.set("a.b", 1),
            lambda: book.state.set("a.b", 2, expected_version=1),
            lambda: book.trading.halt("storm"),
        ):
            before = book.status().entries
            line.swallow = 1
            deed()
            assert book.status().entries == before + 1
    assert served.book.state.get("a.b") == 2
    assert served.book.verify().ok


def test_nobody_there_is_a_source_error(connect: Connect) -> None:
    with pytest.raises(SourceError, match="onebook serve") as caught:
        connect(nowhere(), patience_seconds=0.3).status()
    assert caught.value.retryable
    assert not isinstance(caught.value, SourceTimeout)


def test_somebody_silent_is_a_source_timeout(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SourceTimeout, match="in time"):
            connect(url, timeout_seconds=0.1, patience_seconds=0.3).status()


def test_it_waits_as_long_as_it_is_asked_to(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    with Script(
        problem("429 Too Many Requests", "TooManyRequests", "Retry-After: 7", retryable=True),
        problem("503 Service Unavailable", "StoreBusy", "Retry-After: 1", retryable=True),
        answer("200 OK", STATUS),
    ) as script:
        book = connect(script.url)
        waits: list[float] = []
        monkeypatch.setattr(book._asking, "pause", waits.append)
        assert book.orders() == []
        assert waits[0] == 7
        assert 1 <= waits[1] <= 2
        with pytest.raises(SourceError):
            connect(script.url.replace("http:", "https:"), patience_seconds=0.2).status()


@pytest.mark.parametrize(
    ("said", "kind", "tries"),
    [
        (problem("429 Too Many Requests", "TooManyRequests"), RateLimited, 2),
        (problem("503 Service Unavailable", "StoreBusy", retryable=True), StoreBusy, 2),
        (problem("503 Service Unavailable", "StoreClosed"), StoreClosed, 2),
        (problem("503 Service Unavailable", "SchemaTooNew"), onebook.SchemaTooNew, 1),
        (problem("503 Service Unavailable", "StoreFull", retryable=True), StoreFull, 2),
        (problem("500 Internal Server Error", "InternalError"), SourceError, 1),
        (problem("401 Unauthorized", "NotAllowed"), NotAllowed, 1),
        (problem("404 Not Found", "NotFound"), InputError, 1),
        (problem("409 Conflict", "ConflictError", retryable=True), ConflictError, 1),
        (problem("422 Unprocessable", "PrecisionLost"), onebook.PrecisionLost, 1),
        (problem("422 Unprocessable", "OfTomorrow"), SourceError, 1),
        (answer("502 Bad Gateway", "<html>", kind="text/html"), SourceError, 2),
        (answer("302 Found", "", "Location: /elsewhere"), SourceError, 1),
        (answer("200 OK", "<html>", kind="text/html"), BadPayload, 1),
        (answer("200 OK", "[1]"), BadPayload, 1),
        (answer("200 OK", '{"items": [{"account": 7}], "next_after": null}'), BadPayload, 1),
        (b"what is this", SourceError, 2),
        (b"", SourceError, 2),
    ],
)
def test_refusals_become_the_errors_of_a_book(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, said: bytes, kind: type[BookError], tries: int
) -> None:
    with Script(said) as script:
        book = connect(script.url)
        turns = iter([False, True])
        monkeypatch.setattr(book._asking, "pause", lambda _: next(turns))
        monkeypatch.setattr(book._asking, "backoff", lambda tries: 0.0 if tries < 2 else 1000.0)
        with pytest.raises(kind) as caught:
            book.positions()
        assert type(caught.value) is kind
        assert len(script.asked) == tries
        if b"details" in said:
            assert caught.value.a == "b"


@pytest.mark.parametrize(
    "given",
    [
        {"url": ""},
        {"url": "desk.db"},
        {"url": "ftp://here"},
        {"url": "http://"},
        {"url": "http://a:b@here"},
        {"url": "http://here?x=1"},
        {"url": "http://here:99999"},
        {"url": 7},
        {"token": "two words"},
        {"token": "line\nbreak"},
        {"timeout_seconds": 0},
        {"patience_seconds": "5"},
        {"gate_seconds": -1},
        {"silence_seconds": True},
        {"spool_bytes": 1},
        {"ca": "no/such/file.pem"},
        {"spool": __file__},
    ],
)
def test_what_cannot_be_connected_to_is_refused_at_once(given: dict[str, Any]) -> None:
    with pytest.raises(BadConfig):
        onebook.connect(**({"url": "http://127.0.0.1:1"} | given))


def test_an_address_that_ends_in_the_version_is_refused() -> None:
    for path in ("/v1", "/v1/", "/onebook/v1"):
        with pytest.raises(BadConfig, match="leave it out"):
            onebook.connect(f"http://127.0.0.1:1{path}")
    with onebook.connect("https://book.example/onebook/") as book:
        assert book.url == "https://book.example/onebook"


def test_what_follows_a_book_from_elsewhere_is_named() -> None:
    with onebook.connect("http://127.0.0.1:1") as book:
        with pytest.raises(AttributeError, match=r"book\.listen.*follow=True"):
            book.subscribe("audit", print)
        assert not hasattr(book, "subscribe")


def test_tokens_open_what_they_open(served: Served, connect: Connect) -> None:
    viewer, bot = served.token("viewer"), served.token("bot")
    fill = Fill(instrument="AAPL", side="buy", quantity="1", price="2")
    with pytest.raises(NotAllowed, match="viewer") as caught:
        connect(served.url, viewer).record(fill)
    assert caught.value.role == "viewer"
    with pytest.raises(NotAllowed):
        connect(served.url, "obt_wrong").status()
    book = connect(served.url, bot)
    assert book.record(fill).position.strategy == "trend"  # type: ignore[union-attr]
    with pytest.raises(NotAllowed, match="trend"):
        book.record(fill.replaced(strategy="grid"))
    report = book.record_many([fill, fill.replaced(strategy="grid"), fill])
    assert (report.recorded, [type(item.error) for item in report.refused]) == (2, [NotAllowed])
    assert {event.actor for event in book.events(types="trade_executed")} == {"bot"}


def test_a_closed_book_says_so(served: Served) -> None:
    book = onebook.connect(served.url)
    book.close()
    book.close()
    for deed in (book.status, lambda: list(book.events(follow=True)), lambda: book.trading.halt("x")):
        with pytest.raises(StoreClosed, match="closed"):
            deed()


def test_what_needs_the_book_itself_is_refused(served: Served, connect: Connect) -> None:
    book = connect(served.url)
    with pytest.raises(NotAllowed, match="no file here"):
        _ = book.store
    with pytest.raises(NotAllowed, match="onebook token"):
        book.record(onebook.Token(name="a", role="viewer", digest="0" * 64))
    with pytest.raises(InputError, match="correlation_id"):
        book.record(Fill(instrument="A", side="buy", quantity="1", price="1"), correlation_id="x")


def test_many_rows_come_in_pages(served: Served, connect: Connect) -> None:
    fills = [Fill(instrument="AAPL", side="buy", quantity="1", price="2", client_fill_id=str(n)) for n in range(1203)]
    book = connect(served.url)
    assert book.record_many(fills).recorded == 1203
    assert [item.client_fill_id for item in book.fills()] == [str(n) for n in range(1203)]
    assert [item.client_fill_id for item in book.fills(after=1101, limit=2)] == ["1101", "1102"]
    assert len(list(book.events(types="trade_executed"))) == 1203


def test_lists_that_are_too_large_are_sent_in_parts(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    served = serve(config={"serve": {"body_bytes": 20_000}})
    fills = [fill(number, note="x" * 1000) for number in range(60)]
    assert connect(served.url).record_many(fills).recorded == 60
    book = connect(served.url, spool=tmp_path / "a.spool")
    book.record_many(
        [fill(100), fill(101, note="x" * 19_900), *(fill(number, note="x" * 999) for number in range(102, 150))]
    )
    assert book.wait(30)
    assert book.refused == 1
    assert len(served.book.fills()) == 109


def test_a_bot_of_another_library_is_recorded_beside_its_book(served: Served, connect: Connect) -> None:
    class Exchange:
        id = "okx"
        create_order = fetch_my_trades = describe = None

    with pytest.raises(NotAllowed, match="runs beside the book"):
        onebook.ccxt.recording(Exchange(), connect(served.url), strategy="grid")


@pytest.mark.parametrize(
    "value",
    [
        '{"$decimal": 1.5}',
        '{"$decimal": "x"}',
        '{"$time": "now"}',
        '{"$date": []}',
        '{"$what": "1"}',
        '{"$decimal": "1", "b": 2}',
    ],
)
def test_typed_values_that_are_none_are_refused(served: Served, value: str) -> None:
    body = f'{{"value": {value}}}'
    answer = served.client().put("/v1/state/a?typed=true", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert "$decimal" in answer.text or "time" in answer.text


def test_values_over_http_are_typed_where_that_is_asked_for(served: Served) -> None:
    served.book.state.set("a.b", Decimal("1.50"))
    client = served.client()
    assert client.get("/v1/state/a.b").json()["value"] == "1.5"
    assert client.get("/v1/state/a.b?typed=true").json()["value"] == {"$decimal": "1.5"}
    assert client.get("/v1/state?typed=true").json() == {"a": {"b": {"$decimal": "1.5"}}}
    assert client.put("/v1/state/c", json={"value": {"$decimal": "1"}}).status_code == 400
    assert client.put("/v1/state/c?typed=true", json={"value": {"$decimal": "1"}}).json()["value"] == {"$decimal": "1"}
    served.book.state.delete("a.b")
    assert client.get("/v1/state/a.b").json()["details"]["version"] == 2
