"""``/v1/statistics``: the same bytes as the command, by the same filters."""

import json
from pathlib import Path
from typing import Any

import pytest

import onebook
from onebook import Fill
from onebook.cli import main


def filled(path: Path) -> onebook.Book:
    book = onebook.open(str(path))
    for day, (side, price) in enumerate((("buy", "100"), ("sell", "103"), ("buy", "100"), ("sell", "98.5")), 1):
        book.record(
            Fill(instrument="AAPL", side=side, quantity="3", price=price, strategy="trend",
                 occurred_at=f"2026-03-0{day}T15:00:00Z")
        )  # fmt: skip
    return book


def test_the_service_the_command_and_the_book_say_the_same(
    serve: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        capsys.readouterr()
        assert main(["--db", str(tmp_path / "trades.db"), "statistics", *words]) == 0
        return capsys.readouterr().out

    with filled(tmp_path / "trades.db") as book:
        client = serve(book).client()
        found = client.get("/v1/statistics?currency=USD&since=2026-03-01&until=2026-03-05").json()
        shown = json.loads(said("--currency", "USD", "--json"))
        assert found == {"items": shown, "next_after": None}
        assert (shown[0]["count"], shown[0]["win_rate"], shown[0]["net"]) == (2, "0.5", "4.5")
        then = client.get("/v1/statistics?as_of=2026-03-03T00:00:00Z").json()["items"]
        assert (then[0]["count"], then[0]["net"]) == (1, "9")
        assert client.get("/v1/statistics?strategy=other").json()["items"] == []
        assert client.get("/v1/statistics?since=yesterday").status_code == 400
        page = said()
        for line in ("round trips in USD", "win rate", "0.5", "4.5 after 2026-03-03 until 2026-03-04"):
            assert line in page
        table = said("--by", "strategy")
        assert "trend" in table
        assert "4.5" in table
