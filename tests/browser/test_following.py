"""The page follows the log: through the end of the service and its return, while paused, and in two browsers."""

from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import Windows
from tests.browser.desk import Desk, token
from tests.browser.screen import as_shown, log_in, panel, rows, tile, visit, wait_drawn, wait_live

GONE = (r"ERR_CONNECTION_REFUSED", r"ERR_INCOMPLETE_CHUNKED_ENCODING", r"ERR_CONNECTION_RESET", r"ERR_EMPTY_RESPONSE")


def badge(page: Page) -> Locator:
    return page.locator("header.bar-top .dot-badge")


def listed(page: Page) -> list[str]:
    """Return the events that the page lists, oldest first."""
    return [row["Entry"].text for row in reversed(rows(page, "Events"))]


def logged(desk: Desk, first: str) -> list[str]:
    """Return the events of the log from one on, oldest first."""
    return [item["id"] for item in desk.said("tail", "--after", str(int(first.partition(".")[0]) - 1))]


def wait_for_newest(page: Page, desk: Desk) -> None:
    """Wait until the newest event of the log stands in the list."""
    newest = desk.said("tail")[-1]["id"]
    expect(page.get_by_role("table", name="Events").locator("tbody tr[tabindex]").first).to_contain_text(newest)


def check_totals(page: Page, desk: Desk) -> None:
    """Wait until the overview shows what the command line says."""
    equity = desk.said("equity")
    expect(tile(page, "Equity").locator(".tile-value")).to_contain_text(as_shown(equity["amount"]))
    held = desk.said("positions")
    expect(tile(page, "Positions").locator(".tile-value")).to_have_text(str(len(held)))
    shown = {(row["Instrument"].text.split()[0], row["Strategy"].text): row for row in rows(page, "Open positions")}
    exact = {key: (row["Quantity"].title, row["Unrealized"].title.split()[0]) for key, row in shown.items()}
    assert exact == {
        (item["instrument"], item["strategy"]): (item["quantity"], item["unrealized_pnl"]) for item in held
    }


def test_after_the_end_of_the_service_the_page_goes_on_without_a_gap(desk: Desk, windows: Windows) -> None:
    windows.allowed += GONE
    overview, events = windows.open(desk), windows.open(desk)
    visit(overview, desk.url, "overview")
    visit(events, desk.url, "events")
    desk.fill("live", strategy="grid")
    wait_for_newest(events, desk)
    before = listed(events)
    assert before == logged(desk, before[0])
    standing = tile(overview, "Equity").inner_text()
    desk.kill()
    for page in (overview, events):
        expect(badge(page)).to_have_text("connection lost")
    desk.fill("meanwhile", strategy="grid", side="sell", quantity="30", price="26.4")
    desk.run("record", "cash-movement", "--currency", "USD", "--amount", "-12.34", "--kind", "fee", "--account", "demo")
    assert tile(overview, "Equity").inner_text() == standing, "figures stand as they were"
    desk.start()
    for page in (overview, events):
        expect(badge(page)).to_have_text("live")
    wait_for_newest(events, desk)
    check_totals(overview, desk)
    desk.fill("after", strategy="scalp", side="buy", quantity="12")
    wait_for_newest(events, desk)
    after = listed(events)
    assert after == logged(desk, before[0])
    assert len(after) == len(set(after)) > len(before)


def test_what_came_while_the_list_was_paused_is_there_when_it_resumes(desk: Desk, windows: Windows) -> None:
    page = windows.open(desk)
    visit(page, desk.url, "events")
    before = listed(page)
    page.get_by_role("button", name="Pause").click()
    desk.fill("paused-1", strategy="grid")
    desk.fill("paused-2", strategy="grid")
    came = len(logged(desk, before[0])) - len(before)
    resume = page.get_by_role("button", name=f"Resume, {came} new")
    expect(resume).to_be_visible()
    assert listed(page) == before
    resume.click()
    wait_for_newest(page, desk)
    assert listed(page) == logged(desk, before[0])


def test_what_one_operator_does_the_other_sees_without_loading_again(desk: Desk, windows: Windows) -> None:
    maria, otto = windows.open(desk), windows.open(desk)
    for page, name in ((maria, "maria"), (otto, "otto")):
        log_in(page, desk.url, token(desk.path, "operator", name))
    otto.evaluate("window.isTheSame = true")
    maria.get_by_role("button", name="Halt", exact=True).click()
    dialog = maria.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("the venue is late")
    dialog.get_by_role("button", name="Halt", exact=True).click()
    expect(dialog).to_contain_text("was made")
    expect(tile(otto, "Trading")).to_contain_text("HALTED")
    expect(panel(otto, "Last events")).to_contain_text("the venue is late")
    expect(otto.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    for page in (maria, otto):
        page.get_by_role("link", name="Journal", exact=True).click()
        wait_drawn(page)
    maria.get_by_role("table", name="Round trips").locator("tbody tr").first.locator("td").last.click()
    dialog = maria.get_by_role("dialog")
    dialog.get_by_label("Notes").fill("too early, again")
    dialog.get_by_label("Tags, with commas between").fill("early, plan")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    noted = otto.get_by_role("table", name="Round trips").locator("tbody tr").first
    expect(noted).to_contain_text("too early, again")
    expect(noted).to_contain_text("plan")
    assert otto.evaluate("window.isTheSame"), "the page was loaded again"
    (trip,) = [item for item in desk.said("round-trips", "--closed") if item["notes"]]
    assert (trip["notes"], trip["tags"]) == ("too early, again", ["early", "plan"])
    made = {item["type"]: item["actor"] for item in desk.said("tail")}
    assert made["trading_state_changed"] == made["annotated"] == "maria"
    wait_live(otto)
