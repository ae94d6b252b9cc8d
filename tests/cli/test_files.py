"""Import and export: what goes out comes back equal, and the same file twice records nothing."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import onebook
from onebook.domain.cells import as_it_was, harmless

Cli = Callable[..., Any]

PYFOLIO = ["--map", "occurred_at=#1", "--map", "quantity=amount", "--map", "instrument=symbol"]


def varied(path: Path) -> None:
    """Write a book with facts of many kinds, corrected, busted and annotated."""
    with onebook.open(path) as book:
        say = book.record
        say(onebook.BookSettings(zone="America/New_York", rolls_at="17:00"))
        say(onebook.Account(name="main", venue="binance"))
        say(onebook.Instrument(symbol="BTC/USD:BTC", kind="perpetual", contract_size=Decimal(100)))
        say(onebook.Rate(base="EUR", quote="USD", price=Decimal("1.1"), occurred_ns=1_700_000_000_123_456_789))
        say(onebook.OpeningBalance(currency="USDT", amount=Decimal(10_000)))
        say(onebook.Transfer(asset="USDT", amount=Decimal(500), to_account="main"))
        say(onebook.Signal(instrument="BTC/USDT", action="buy", signal_id="s1", confluences=("a", "b,c")))
        say(onebook.Order(instrument="BTC/USDT", side="buy", quantity=Decimal(1), client_order_id="o1"))
        say(onebook.OrderUpdate(client_order_id="o1", status="new", venue_order_id="v1"))
        fill = onebook.Fill(
            instrument="BTC/USDT", side="buy", quantity=Decimal("0.5"), price=Decimal(60_000), venue="binance",
            venue_fill_id="1", venue_order_id="v1", client_order_id="o1", occurred_ns=1_772_445_600_000_000_001,
            note="=cmd()\nsecond line", tags=("a", "-x"), strategy="+plus", raw={"x": [1, 2.5, "@", None]},
        )  # fmt: skip
        say(fill)
        say(fill.replaced(side="sell", price=Decimal(61_000), venue_fill_id="2", occurred_ns=1_772_445_700_000_000_000))
        plain = fill.replaced(venue_fill_id="", strategy="", note="", tags=(), raw={}, instrument="ETH/USDT")
        say(plain)
        say(plain)
        wrong = say(plain.replaced(side="sell"))
        book.bust(wrong.sequence, reason="never was")
        book.correct("fill|binance|main|BTC/USDT|v1|1|buy", reason="fee", fee="2")
        book.annotate(book.round_trips(is_open=False)[0].id, notes="good\none", tags=["setup"])
        say(onebook.CashMovement(currency="USDT", amount=Decimal(-3), kind="fee"))
        say(onebook.FundingPayment(instrument="BTC/USD:BTC", amount=Decimal("0.001")))


@pytest.fixture
def book(cli: Cli, tmp_path: Path) -> Cli:
    varied(tmp_path / "book.db")
    return cli


def same(first: Any, second: Any, *left_out: str) -> bool:
    rows = [json.loads(ran.out) for ran in (first, second)]
    return all(
        len(one) == len(other)
        and all(
            {**a, **dict.fromkeys(left_out)} == {**b, **dict.fromkeys(left_out)}
            for a, b in zip(one, other, strict=True)
        )
        for one, other in [rows]
    )


def test_every_fact_goes_out_and_comes_back(book: Cli, tmp_path: Path) -> None:
    assert book("export", "all.jsonl").code == 0
    assert book("--db", "new.db", "import", "all.jsonl").code == 0
    book("--db", "new.db", "export", "again.jsonl")
    assert (tmp_path / "all.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes()
    for what in ("positions", "balances", "pnl", "orders", "signals"):
        assert same(book(what, "--json"), book(what, "--json", "--db", "new.db"), "sequence", "updated_at", "restated")
    trips = book("round-trips", "--json", "--db", "new.db").json
    assert [trip["notes"] for trip in trips if trip["notes"]] == ["good\none"]
    assert book("--db", "new.db", "verify").code == 0


@pytest.mark.parametrize("name", ["all.jsonl", "fills.csv"])
def test_the_same_file_again_records_nothing(book: Cli, name: str) -> None:
    book("export", name)
    book("--db", "new.db", "import", name)
    entries = book("--db", "new.db", "status", "--json").json["entries"]
    again = book("--db", "new.db", "import", name, "--json").json
    assert (again["recorded"], again["conflicts"], again["refused"]) == (0, 0, [])
    assert again["exists"] == again["rows"]
    assert book("--db", "new.db", "status", "--json").json["entries"] == entries


def test_fills_go_out_and_come_back_as_csv(book: Cli, tmp_path: Path) -> None:
    assert book("export", "fills.csv").out == "4 written to fills.csv\n"
    text = (tmp_path / "fills.csv").read_text()
    assert "'=cmd()" in text
    assert "'+plus" in text
    assert book("--db", "new.db", "import", "fills.csv").code == 0
    book("--db", "new.db", "export", "again.csv")
    assert (tmp_path / "again.csv").read_text() == text
    fills = book("--db", "new.db", "fills", "--strategy", "+plus", "--json").json
    assert (fills[0]["note"], fills[0]["tags"], fills[0]["raw"]) == (
        "=cmd()\nsecond line", ["a", "-x"], {"x": [1, 2.5, "@", None]},
    )  # fmt: skip


def test_parquet_keeps_numbers_exact(book: Cli, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    assert book("export", "fills.parquet").code == 0
    frame = polars.read_parquet(tmp_path / "fills.parquet")
    assert frame["quantity"].to_list() == [Decimal("0.5")] * 4
    assert frame["occurred_at"].cast(polars.Int64)[0] == 1_772_445_600_000_000_001


def test_an_export_is_filtered_and_never_overwrites(book: Cli, tmp_path: Path) -> None:
    assert book("export", "a.csv", "--instrument", "ETH/USDT").out == "2 written to a.csv\n"
    assert book("export", "a.csv").code == 2
    assert book("export", "a.csv", "--replace", "--json").json["count"] == 4
    assert book("export", "a.jsonl", "--since", "2099-01-01T00:00Z").code == 0
    kinds = [json.loads(line)["type"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert {"settings", "account", "instrument"}.issuperset(set(kinds) - {"annotation"})


@given(st.text())
def test_a_harmless_cell_reads_back(text: str) -> None:
    cell = harmless(text)
    assert as_it_was(cell) == text
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r"}


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("lead", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_usual_csv_is_read(cli: Cli, tmp_path: Path, mark: str, lead: bytes, end: str) -> None:
    rows = [["When", "Ticker", "Shares", "Price", "Remark"]]
    rows += [["2026-01-05 10:00:00Z", "AAPL", "10", "100.5", '"a, b; c"']]
    rows += [["2026-01-06 10:00:00Z", "AAPL", "-4", "101", ""], []]
    text = end.join(mark.join(row) for row in rows) + end
    (tmp_path / "rows.csv").write_bytes(lead + text.encode())
    maps = ["occurred_at=When", "instrument=#2", "quantity=Shares", "price=Price", "note=Remark", "venue:=nyse"]
    words = [word for text in maps for word in ("--map", text)]
    assert cli("import", "rows.csv", *words).code == 0
    first, second = cli("fills", "--json").json
    assert (first["side"], first["note"], first["venue"]) == ("buy", "a, b; c", "nyse")
    assert (second["side"], second["quantity"]) == ("sell", "4")


def test_times_without_a_zone_need_one(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        "instrument,side,quantity,price,occurred_at\nX,buy,1,1,2026-01-05 10:00:00\nX,buy,1,1,2026-07-05T10:00:00\n"
    )
    assert cli("import", "rows.csv").code == 2
    assert cli("import", "rows.csv", "--zone", "America/New_York").code == 0
    times = [fill["occurred_at"] for fill in cli("fills", "--json").json]
    assert times == ["2026-01-05T15:00:00Z", "2026-07-05T14:00:00Z"]


@pytest.mark.parametrize(
    ("local", "says", "offset", "utc"),
    [
        ("2026-03-08 02:30:00", "is skipped in", "2026-03-08T02:30:00-05:00", "2026-03-08T07:30:00Z"),
        ("2026-11-01 01:30:00", "comes twice in", "2026-11-01T01:30:00-04:00", "2026-11-01T05:30:00Z"),
    ],
)
def test_a_time_that_clocks_skip_or_show_twice_needs_an_offset(
    cli: Cli, tmp_path: Path, local: str, says: str, offset: str, utc: str
) -> None:
    head = "instrument,side,quantity,price,occurred_at\n"
    (tmp_path / "rows.csv").write_text(f"{head}X,buy,1,1,{local}\nX,buy,1,1,{local[:10]} 03:00:00\n")
    shown = cli("import", "rows.csv", "--zone", "America/New_York")
    assert (shown.code, shown.out[:18]) == (2, "2 rows: 1 recorded")
    assert f"rows.csv, line 2: occurred_at: {local} {says} America/New_York" in shown.err
    assert f"write its offset: {offset} or {local[:10]}T{local[11:]}-0" in shown.err
    (tmp_path / "mended.csv").write_text(f"{head}X,buy,1,1,{offset}\n")
    assert cli("import", "mended.csv", "--zone", "America/New_York").code == 0
    assert utc in [fill["occurred_at"] for fill in cli("fills", "--json").json]


def test_a_wrong_zone_is_refused_at_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("instrument,side,quantity,price,occurred_at\nX,buy,1,1,2026-01-05T10:00:00Z\n")
    for zone in ("Mars/Base", "../UTC", "/etc/hosts", "Europe"):
        shown = cli("import", "rows.csv", "--zone", zone)
        assert (shown.code, shown.out) == (2, "")
        assert f"zone: {zone!r} is no zone" in shown.err
    assert not (tmp_path / "book.db").exists()


def test_equal_rows_of_one_file_are_different_fills(cli: Cli, tmp_path: Path) -> None:
    row = "X,buy,1,1,2026-01-05T10:00:00Z\n"
    (tmp_path / "rows.csv").write_text("instrument,side,quantity,price,occurred_at\n" + row * 3)
    assert cli("import", "rows.csv", "--json").json["recorded"] == 3
    assert cli("import", "rows.csv", "--json").json["recorded"] == 0


def test_a_map_is_kept_under_a_name_and_an_import_undone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("t,s,q,price\n2026-01-05T10:00:00Z,X,1,5\n2026-01-06T10:00:00Z,X,-2,6\n")
    maps = ["--map", "occurred_at=t", "--map", "instrument=s", "--map", "quantity=q"]
    dry = cli("import", "rows.csv", *maps, "--save-map", "mine", "--dry-run", "--account", "a1")
    assert dry.out == "2 of 2 rows can be booked, 0 cannot; nothing was recorded\n"
    assert (tmp_path / "home" / "maps" / "mine.json").is_file()
    cli("record", "fill", *["--instrument", "Y", "--side", "buy", "--quantity", "1", "--price", "1"])
    assert cli("import", "rows.csv", "--map", "mine", "--account", "a1", "--report", "r.json").code == 0
    assert len(cli("fills", "--account", "a1", "--json").json) == 2
    assert cli("import", "--undo", "r.json").out == "2 fills busted\n"
    assert [fill["instrument"] for fill in cli("fills", "--json").json] == ["Y"]
    assert cli("import", "--undo", "r.json").out == "0 fills busted\n"


def test_undo_is_for_the_book_that_the_report_is_of(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("instrument,side,quantity,price,occurred_at\nX,buy,1,5,2026-01-05T10:00:00Z\n")
    for place in ("one.db", "other.db"):
        cli("--db", place, "import", "rows.csv", "--report", f"{place}.json")
    report = json.loads((tmp_path / "one.db.json").read_text())
    with onebook.open("one.db") as book:
        assert (report["first_sequence"], report["last_sequence"]) == (1, 1)
        assert report["last_hash"] == book.entries(after=0, limit=1)[0][2].hex()
    refused = cli("--db", "other.db", "import", "--undo", "one.db.json", "--json")
    assert refused.code == 2
    assert json.loads(refused.err)["code"] == "ImportRefused"
    assert "another book, whose entry 1" in refused.err
    for left_out in ("last_hash", "last_sequence"):
        older = {name: value for name, value in report.items() if name != left_out}
        (tmp_path / "older.json").write_text(json.dumps(older))
        assert "does not say which book" in cli("--db", "one.db", "import", "--undo", "older.json").err
    assert (
        len(cli("--db", "one.db", "fills", "--json").json) == len(cli("--db", "other.db", "fills", "--json").json) == 1
    )
    cli("--db", "one.db", "import", "rows.csv", "--report", "nothing.json")
    assert cli("--db", "one.db", "import", "--undo", "nothing.json").out == "0 fills busted\n"
    assert cli("--db", "one.db", "import", "--undo", "one.db.json").out == "1 fill busted\n"


def test_undo_leaves_what_was_there_before(cli: Cli, tmp_path: Path) -> None:
    head = "instrument,side,quantity,price,occurred_at\n"
    rows = [f"X,buy,1,{price},2026-01-05T10:00:00Z\n" for price in range(1, 6)]
    (tmp_path / "some.csv").write_text(head + "".join(rows[:2]))
    (tmp_path / "all.csv").write_text(head + "".join(rows))
    cli("import", "some.csv")
    cli("import", "all.csv", "--report", "r.json")
    assert cli("import", "--undo", "r.json").out == "3 fills busted\n"
    assert [fill["price"] for fill in cli("fills", "--json").json] == ["1", "2"]


def test_other_kinds_are_imported_too(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("asset,amount,to_account,transfer_id\nUSD,100,main,t1\n")
    assert cli("import", "t.csv", "--from", "transfer").code == 0
    assert cli("balances", "--json").json == [{"account": "main", "asset": "USD", "amount": "100"}]


def test_real_fills_are_imported_and_reproduce_the_cash(cli: Cli, shared_fills: Path) -> None:
    first = cli("import", str(shared_fills), *PYFOLIO, "--json").json
    assert (first["rows"], first["recorded"], first["refused_rows"]) == (9367, 9367, 0)
    again = cli("import", str(shared_fills), *PYFOLIO, "--json").json
    assert (again["recorded"], again["exists"]) == (0, 9367)
    (cash,) = cli("balances", "--json").json
    last = (shared_fills.parent / "pyfolio_positions.csv").read_text().splitlines()[-1]
    assert abs(Decimal(100_000) + Decimal(cash["amount"]) - Decimal(last.rpartition(",")[2])) < Decimal("0.00001")
