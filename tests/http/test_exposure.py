"""What the overview says of exposure: at marks, in the base currency, and what nothing values is named."""

from typing import Any

from tests.http.conftest import Served

from onebook import Account, Fill, Rate


def exposure(served: Served, query: str = "") -> Any:
    return served.client().get(f"/v1/overview{query}").json()["exposure"]


def test_exposure_adds_up_long_and_short_at_their_marks(served: Served) -> None:
    book = served.book
    book.record(Fill(instrument="AAPL", side="buy", quantity="10", price="100", strategy="a"))
    book.record(Fill(instrument="AAPL", side="sell", quantity="4", price="100", strategy="b"))
    book.record(Fill(instrument="BTC/EUR", side="sell", quantity="2", price="500"))
    book.record(Fill(instrument="NOMARK", side="buy", quantity="1", price="5"))
    book.record(Rate(base="EUR", quote="USD", price="1.1", occurred_at="2026-01-01T00:00:00Z"))
    book.mark("EUR/USD", "1.1")
    book.mark("AAPL", "110")
    book.mark("BTC/EUR", "600")
    assert exposure(served) == {
        "currency": "USD",
        "long": "1100",
        "short": "-1760",
        "gross": "2860",
        "net": "-660",
        "by_instrument": [
            {"instrument": "BTC/EUR", "amount": "-1320"},
            {"instrument": "AAPL", "amount": "660"},
        ],
        "unvalued": ["NOMARK"],
    }


def test_nothing_held_is_nothing_exposed(served: Served) -> None:
    nothing = dict.fromkeys(("long", "short", "net", "gross"), "0")
    assert exposure(served) == {"currency": "USD", **nothing, "by_instrument": [], "unvalued": []}


def test_exposure_of_the_past_is_at_the_marks_of_then(served: Served) -> None:
    book = served.book
    book.record(Fill(instrument="AAPL", side="buy", quantity="10", price="100", occurred_at="2026-01-01T10:00:00Z"))
    book.mark("AAPL", "110", at="2026-01-01T11:00:00Z")
    book.mark("AAPL", "120", at="2026-01-01T12:00:00Z")
    book.share_marks()
    found = exposure(served, "?as_of=2026-01-01T11:30:00Z")
    assert (found["long"], found["gross"], found["unvalued"]) == ("1100", "1100", [])
    assert exposure(served, "?as_of=2026-01-01T10:30:00Z")["unvalued"] == ["AAPL"]
    assert exposure(served, "?as_of=2026-01-01T09:00:00Z")["unvalued"] == []


def test_paper_positions_never_add_up_with_live_ones(served: Served) -> None:
    book = served.book
    book.record(Account(name="sim", kind="paper"))
    book.record(Fill(instrument="AAPL", side="buy", quantity="5", price="100", account="sim"))
    book.mark("AAPL", "100")
    assert exposure(served)["long"] == "500"
    book.record(Fill(instrument="AAPL", side="sell", quantity="1", price="100"))
    overview = served.client().get("/v1/overview").json()
    assert (overview["exposure"]["long"], overview["exposure"]["short"]) == ("0", "-100")
    assert {item["account"]: item["exposure"] for item in overview["positions"]} == {"main": "-100", "sim": "500"}


def test_the_overview_names_book_and_epoch_as_the_stream_does(served: Served) -> None:
    served.book.record(Fill(instrument="AAPL", side="buy", quantity="1", price="100"))
    client = served.client()
    with client.stream("GET", "/v1/events?after=0") as stream:
        assert client.get("/v1/overview").json()["book"] == stream.headers["Onebook-Book"]
