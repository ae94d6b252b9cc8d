"""Figures on the screen are those of `onebook … --json` on the same book, page by page."""

import csv
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Windows
from tests.browser.desk import Desk
from tests.browser.screen import MINUS, bars, beside, figure, pairs, panel, rows, shows, tile, told, visit

COLUMNS = {
    "Quantity": "quantity", "Average": "average_price", "Mark": "mark", "Unrealized": "unrealized_pnl",
    "Realized": "realized_pnl",
}  # fmt: skip


@pytest.fixture
def page(still: Desk, windows: Windows) -> Page:
    return windows.open(still)


def held(desk: Desk, *words: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["instrument"], item["strategy"]): item for item in desk.said("positions", *words)}


def worth(item: dict[str, Any]) -> Decimal:
    return Decimal(item["quantity"]) * Decimal(item["mark"])


def largest(items: list[dict[str, Any]], name: str) -> Decimal:
    sums: dict[str, Decimal] = {}
    for item in items:
        amount = worth(item) if name == "worth" else Decimal(item[name])
        sums[item["instrument"]] = sums.get(item["instrument"], Decimal()) + amount
    return max(abs(value) for value in sums.values())


def check_positions(page: Page, desk: Desk, *words: str) -> None:
    """Compare the table of open positions with `onebook positions`."""
    truth = held(desk, *words)
    shown = {(row["Instrument"].text.split()[0], row["Strategy"].text): row for row in rows(page, "Open positions")}
    assert shown.keys() == truth.keys()
    for key, row in shown.items():
        for head, name in COLUMNS.items():
            assert shows(row[head].text, truth[key][name]), f"{key} {head}: {row[head]} is not {truth[key][name]}"
            assert row[head].title.split()[0] == truth[key][name]
        assert ("short" in row["Side"].text) == truth[key]["quantity"].startswith("-")


def check_overview(page: Page, desk: Desk, *words: str) -> None:
    """Compare the tiles and lists of the overview with what the command line says."""
    equity = desk.said("equity", *words)
    assert shows(told(page, "Equity"), equity["amount"])
    assert (
        tile(page, "Equity").locator(".tile-value .num").get_attribute("title")
        == f"{equity['amount']} {equity['currency']}"
    )
    assert shows(beside(page, "Equity"), equity["unrealized"])
    items = list(held(desk, *words).values())
    assert int(told(page, "Positions")) == len(items)
    assert shows(told(page, "Exposure"), sum(abs(worth(item)) for item in items))
    by_name: dict[str, Decimal] = {}
    for item in items:
        by_name[item["instrument"]] = by_name.get(item["instrument"], Decimal()) + worth(item)
    for what, amount in bars(panel(page, "Exposure")):
        assert shows(amount, by_name.pop(what.split()[0])), what
    assert not by_name
    check_positions(page, desk, *words)


# ---- overview ----


def test_the_overview_shows_what_the_command_line_says(still: Desk, page: Page) -> None:
    visit(page, still.url, "overview")
    check_overview(page, still)
    day = beside(page, "Today").split()[-1]
    (total,) = still.said("pnl", "--since", day)
    assert shows(told(page, "Today"), total["net"])
    today = dict(bars(panel(page, "Today by strategy")))
    strategies = {item["strategy"] for item in still.said("positions", "--all")}
    truth = {name: still.said("pnl", "--since", day, "--strategy", name) for name in strategies}
    assert today.keys() == {name for name, found in truth.items() if found} == {"grid", "scalp"}
    for name, text in today.items():
        assert shows(text, truth[name][0]["net"]), name
    assert sum(figure(text) for text in today.values()) == figure(told(page, "Today"))
    assert page.locator(".bar-figures").inner_text().count(told(page, "Equity")) == 1
    assert "America/New_York" in page.locator(".zone").inner_text()


def test_limits_say_how_far_they_are_used(still: Desk, page: Page) -> None:
    visit(page, still.url, "overview")
    items = list(held(still).values())
    grid = [item for item in items if item["strategy"] == "grid"]
    used = {
        "everything exposure": sum(abs(worth(item)) for item in items),
        "grid · demo per position": largest(grid, "worth"),
        "grid · demo quantity": largest(grid, "quantity"),
    }
    names = {"max_exposure": "exposure", "max_notional": "per position", "max_position": "quantity"}
    limits = {
        f"{' · '.join(filter(None, (item['strategy'], item['account']))) or 'everything'} {label}": item[name]
        for item in still.said("limits") for name, label in names.items() if item[name] is not None
    }  # fmt: skip
    shown = {what: text for what, text in bars(panel(page, "Limits")) if "loss" not in what}
    assert shown.keys() == limits.keys() == used.keys()
    for what, text in shown.items():
        part, _, limit = text.partition("of")
        assert shows(part, used[what]), what
        assert shows(limit, limits[what]), what


# ---- position ----


def test_a_position_shows_its_figures_and_lots(still: Desk, page: Page) -> None:
    item = held(still)["AAPL", "grid"]
    visit(page, still.url, "position/AAPL?account=demo&strategy=grid&leg=")
    names = {
        "Quantity": "quantity", "Average price": "average_price", "Mark": "mark", "Unrealized": "unrealized_pnl",
        "Realized": "realized_pnl", "Gross": "realized_pnl_gross", "Fees": "fees", "Funding": "funding",
        "Income": "income", "Cost basis": "cost_basis",
    }  # fmt: skip
    for label, name in names.items():
        assert shows(told(page, label), item[name]), label
    lots = still.said("lots", "AAPL", "--account", "demo", "--strategy", "grid")
    shown = rows(page, "Open lots")
    assert len(shown) == len(lots["open"]) > 0
    for row, lot in zip(shown, lots["open"], strict=True):
        assert shows(row["Quantity"].text, lot["quantity"])
        assert shows(row["Price"].text, lot["price"])
        assert shows(row["Cost"].text, lot["cost"])
    closed = rows(page, "Closed lots")
    assert len(closed) == len(lots["closed"]) > 0
    for row, lot in zip(closed, reversed(lots["closed"]), strict=True):
        assert shows(row["Quantity"].text, lot["quantity"])
        assert shows(row["Out"].text, lot["close_price"])
        assert shows(row["Gain"].text, lot["gain"])
    (stop,) = still.said("stops")
    (row,) = rows(page, "Stops and targets")
    assert shows(row["Stop"].text, stop["stop_loss"])
    assert shows(row["Target"].text, stop["take_profit"])
    (order,) = (item for item in still.said("orders") if item["client_order_id"] == "o-1")
    (row,) = rows(page, "Open orders")
    assert shows(row["Price"].text, order["limit_price"])
    assert shows(row["Quantity"].text, order["quantity"])


@pytest.mark.parametrize(
    ("label", "figure_of", "instrument", "strategy"),
    [
        ("Realized", "realized_pnl", "AAPL", "grid"),
        ("Quantity", "quantity", "AAPL", "grid"),
        ("Realized", "realized_pnl", "IBM", "trend"),
        ("Cost basis", "cost_basis", "BTC/USD", "grid"),
        ("Fees", "fees", "MSFT", "breakout"),
    ],
)
def test_a_figure_is_explained_by_facts_that_sum_to_it(
    still: Desk, page: Page, label: str, figure_of: str, instrument: str, strategy: str
) -> None:
    visit(page, still.url, f"position/{instrument.replace('/', '%2F')}?account=demo&strategy={strategy}&leg=")
    tile(page, label).get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    words = ("explain", instrument, "--account", "demo", "--strategy", strategy, "--figure", figure_of)
    truth = still.said(*words)
    sums = dialog.locator("p.sum")
    expect(sums).to_contain_text(f"{len(truth)} facts sum to")
    expect(sums).to_contain_text("the figure that is shown")
    total = sum(Decimal(item["amount"]) for item in truth)
    assert total == Decimal(held(still)[instrument, strategy][figure_of])
    assert Decimal(sums.locator(".num").get_attribute("title") or "") == total
    shown = rows(dialog, "Facts")
    head = "Quantity" if figure_of == "quantity" else "USD"
    assert [int(row["Entry"].text) for row in shown] == [item["sequence"] for item in truth]
    for row, item in zip(shown, truth, strict=True):
        assert shows(row[head].text, item["amount"])


# ---- journal ----


def trips(desk: Desk) -> list[dict[str, Any]]:
    """Return the round trips that ended, newest first."""
    return list(reversed(desk.said("round-trips", "--closed")))


def check_statistics(page: Page, found: dict[str, Any]) -> None:
    assert shows(told(page, "Win rate"), Decimal(found["win_rate"]) * 100)
    assert shows(told(page, f"Net {found['currency']}"), found["net"])
    assert shows(told(page, f"Expectancy {found['currency']}"), found["expectancy"])
    assert shows(told(page, "Profit factor"), found["profit_factor"])
    assert shows(told(page, f"Largest loss {found['currency']}"), found["largest_loss"])
    assert int(figure(told(page, "Average hold"))) == int(float(found["average_hold_seconds"]) // 86_400)


def test_the_journal_shows_every_round_trip_and_how_it_went(still: Desk, page: Page) -> None:
    visit(page, still.url, "journal")
    truth = trips(still)
    shown = rows(page, "Round trips")
    assert len(shown) == len(truth) == 22
    names = {"Quantity": "quantity", "Entry": "entry_price", "Exit": "exit_price", "Net": "net"}
    for row, trip in zip(shown, truth, strict=True):
        for head, name in names.items():
            assert shows(row[head].text, trip[name]), f"{trip['id']} {head}: {row[head]} is not {trip[name]}"
        assert row["Net"].title == f"{trip['net']} {trip['currency']}"
        assert row["Instrument"].text == trip["instrument"]
        assert row["Strategy"].text == trip["strategy"]
        assert row["Ended by"].text == (trip["close_reason"].replace("_", " ") or "–")
    (found,) = still.said("statistics")
    check_statistics(page, found)
    days = {item["day"]: item["net"] for item in still.said("pnl")}
    year = page.get_by_role("group", name="Days of 2001")
    for _ in range(40):
        if year.count():
            break
        page.get_by_role("button", name="Year before").click()
    told_days = [item.get_attribute("aria-label") or "" for item in year.get_by_role("button").all()]
    booked = {text[:10]: text[11:] for text in told_days if not text.endswith("nothing")}
    assert booked.keys() == {day for day in days if day.startswith("2001")}
    assert all(shows(text, days[day]) for day, text in booked.items())


def test_the_csv_of_the_journal_holds_the_exact_figures(still: Desk, page: Page) -> None:
    visit(page, still.url, "journal")
    with page.expect_download() as waiting:
        panel(page, "Round trips").get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader(waiting.value.path().read_text("utf-8").splitlines()))
    truth = trips(still)
    assert len(lines) == len(truth)
    for line, trip in zip(lines, truth, strict=True):
        for name, text in line.items():
            exact = " ".join(trip["tags"]) if name == "tags" else trip[name]
            assert text == ("" if exact is None else str(exact)), f"{trip['id']} {name}"


def test_a_day_shows_its_sums_and_fills(still: Desk, page: Page) -> None:
    visit(page, still.url, "journal?day=2001-06-21")
    (day,) = still.said("pnl", "--since", "2001-06-21", "--until", "2001-06-22")
    box = pairs(panel(page, "The day 2001-06-21"))
    assert shows(box["Net"], day["net"])
    gross, fees = box["Gross, fees"].split("less")
    assert shows(gross, day["gross"])
    assert shows(fees, day["fees"])
    fills = still.said("fills", "--since", "2001-06-21T04:00Z", "--until", "2001-06-22T04:00Z")
    shown = rows(page, "Fills of 2001-06-21")
    assert [figure(row["Price"].text) for row in shown] == [Decimal(item["price"]) for item in fills]
    ended = [item for item in trips(still) if item["closed_at"].startswith("2001-06-21")]
    assert [figure(row["Net"].text) for row in rows(page, "Round trips")] == [Decimal(item["net"]) for item in ended]


# ---- signals, events ----


def test_signals_stand_with_their_prices_and_what_became_of_them(still: Desk, page: Page) -> None:
    visit(page, still.url, "signals")
    truth = list(reversed(still.said("signals")))
    shown = rows(page, "Signals")
    assert len(shown) == len(truth) > 20
    for row, item in zip(shown, truth, strict=True):
        assert (row["Instrument"].text, row["Action"].text) == (item["instrument"], item["action"])
        assert row["State"].text == item["status"]
        for head, name in {"Price": "price", "Stop": "stop_loss", "Target": "take_profit"}.items():
            assert shows(row[head].text, item[name]), f"{item['signal_id']} {head}"
        assert shows(row["Confidence"].text, item["confidence"])


def test_events_are_those_of_the_log_in_its_order(still: Desk, page: Page) -> None:
    visit(page, still.url, "events")
    truth = [item["id"] for item in still.said("tail", "--after", "0")]
    earlier = page.get_by_role("button", name="Earlier ones")
    begin = page.get_by_text("This is where the log begins.")
    for _ in range(20):
        expect(earlier.or_(begin)).to_be_enabled()
        if begin.is_visible():
            break
        earlier.click()
    expect(begin).to_be_visible()
    shown = [row["Entry"].text for row in rows(page, "Events")]
    assert shown == list(reversed(truth))
    page.goto(f"{still.url}/#/events?type=trade_*")
    fills = [item["id"] for item in still.said("tail", "--after", "0", "--types", "trade_*")]
    expect(page.get_by_role("table", name="Events")).to_have_attribute("aria-rowcount", str(len(fills) + 1))
    assert [row["Entry"].text for row in rows(page, "Events")] == list(reversed(fills))


# ---- reports, health ----


def test_reports_add_up_as_the_statistics_do(still: Desk, page: Page) -> None:
    visit(page, still.url, "reports")
    (found,) = still.said("statistics")
    check_statistics(page, found)
    fall = found["max_drawdown"]
    text = page.get_by_role("heading", name="Drawdown").inner_text()
    assert shows(text.partition("deepest")[2], fall["amount"])
    assert text.endswith(f"to {fall['until']}")
    table = page.get_by_role("table", name="Net by month")
    months = {item["name"]: item["net"] for item in found["by_month"]}
    for row in table.locator("tbody tr").all():
        year, *cells, total = [cell.inner_text() for cell in row.locator("th, td").all()]
        mine = {int(name[5:]): Decimal(net) for name, net in months.items() if name.startswith(year)}
        assert {at for at, text in enumerate(cells, 1) if text != "–"} == mine.keys()
        assert all(shows(cells[at - 1], net) for at, net in mine.items())
        assert shows(total, sum(mine.values()))
    for what, name in {"strategy": "by_strategy", "instrument": "by_instrument", "ended by": "by_reason"}.items():
        shown = {row[what.capitalize()].text: row for row in rows(page, f"By {what}")}
        truth = {item["name"].replace("_", " ") or "not said": item for item in found[name]}
        assert shown.keys() == truth.keys()
        for key, item in truth.items():
            assert int(shown[key]["Trips"].text) == item["count"]
            assert shows(shown[key]["Net USD"].text, item["net"])
    counts = [item.inner_text() for item in page.locator(".upright li small").all()]
    assert [int(text or 0) for text in counts] == found["distribution"]["counts"]
    sums = pairs(panel(page, "Sums of round trips"))
    for label in ("Gross", "Fees", "Funding", "Income", "Net", "Average win", "Average loss", "Largest win"):
        assert shows(sums[label], found[label.lower().replace(" ", "_")]), label


def test_health_shows_the_store_and_who_reads_the_log(still: Desk, page: Page) -> None:
    visit(page, still.url, "health")
    status = still.said("status")
    store = pairs(panel(page, "Store"))
    assert int(figure(store["Entries"])) == status["entries"]
    assert int(figure(store["Facts"])) == status["facts"]
    assert store["Conflicts, breaks"] == f"{status['conflicts']}, {status['breaks']}"
    assert int(figure(store["Not valued"])) == status["unvalued"]
    assert store["Head"].rstrip("…") == status["head_hash"][:24]
    service = pairs(panel(page, "Service"))
    assert int(figure(service["Newest entry"])) == status["entries"]
    shown = {row["Name"].text: row for row in rows(page, "Subscribers")}
    truth = {item["name"]: item for item in still.said("subscribers")}
    assert shown.keys() == truth.keys()
    for name, item in truth.items():
        assert shown[name]["State"].text == item["state"]
        assert int(figure(shown[name]["Behind"].text)) == item["lag"]
        assert shown[name]["Stands at"].text == item["checkpoint"]
        assert int(shown[name]["Dead"].text) == item["dead_letters"]
    (letter,) = rows(page, "Dead letters")
    (dead,) = still.said("subscribers", "dead", "taxes")
    assert letter["Event"].text == f"{dead['event_id']} trade_conflicted"
    assert (letter["Put aside by"].text, letter["Reason"].text) == ("taxes", dead["reason"])
    told_health = still.said("health")
    told = page.locator(".problems li").all_inner_texts()
    assert told
    assert not told_health["ok"]
    assert "1 difference waits for somebody: onebook breaks shows them" in told
    assert {row["Instrument"].text for row in rows(page, "Marks")} == {
        item["instrument"] for item in told_health["marks"]["held"]
    }


# ---- the past ----


def travel(page: Page, sequence: int) -> None:
    page.keyboard.press("t")
    field = page.get_by_label("Sequence")
    field.fill(str(sequence))
    field.press("Enter")
    expect(page.get_by_role("status").filter(has_text=f"as of entry {sequence}")).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)


def test_the_time_machine_shows_the_whole_dashboard_as_of_then(still: Desk, page: Page) -> None:
    fills = [item["sequence"] for item in still.said("fills")]
    then = fills[len(fills) // 2]
    words = ("--as-of", str(then))
    visit(page, still.url, "overview")
    travel(page, then)
    expect(tile(page, "Positions").locator(".tile-value")).to_have_text(str(len(held(still, *words))))
    check_overview(page, still, *words)
    page.get_by_role("link", name="Journal", exact=True).click()
    truth = list(reversed(still.said("round-trips", "--closed", *words)))
    expect(page.get_by_role("table", name="Round trips")).to_have_attribute("aria-rowcount", str(len(truth) + 1))
    shown = rows(page, "Round trips")
    assert [row["Net"].title.split()[0] for row in shown] == [item["net"] for item in truth]
    (found,) = still.said("statistics", *words)
    check_statistics(page, found)
    page.get_by_role("link", name="Signals", exact=True).click()
    signals = still.said("signals", *words)
    expect(page.get_by_role("table", name="Signals")).to_have_attribute("aria-rowcount", str(len(signals) + 1))
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.get_by_role("table", name="Events").locator("tbody tr[tabindex]").first).to_contain_text(f"{then}.")
    page.get_by_role("button", name="Back to now").click()
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(tile(page, "Positions").locator(".tile-value")).to_have_text(str(len(held(still))))
    check_overview(page, still)


def test_a_moment_of_the_past_is_in_the_books_zone(still: Desk, page: Page) -> None:
    visit(page, still.url, "overview")
    page.keyboard.press("t")
    page.get_by_label("or a moment, America/New_York").fill("2001-05-15T12:00")
    expect(page.get_by_role("status").filter(has_text="as of 2001-05-15 12:00:00 America/New_York")).to_be_visible()
    words = ("--as-of", "2001-05-15T16:00:00Z")
    expect(tile(page, "Positions").locator(".tile-value")).to_have_text(str(len(held(still, *words))))
    check_overview(page, still, *words)


def test_numbers_are_read_as_they_are_written() -> None:
    assert figure(f"▼{MINUS}1,234.50 USD") == Decimal("-1234.50")
    assert shows("2,998.37", "2998.365000001")
    assert not shows("2,998.38", "2998.365")
