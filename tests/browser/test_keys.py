"""The keyboard alone reaches the pages and the controls, and nothing moves under the reader."""

import httpx
from playwright.sync_api import Page, expect
from tests.browser.conftest import Windows
from tests.browser.desk import MARKS, Desk
from tests.browser.screen import as_shown, tile, visit, wait_drawn

PAGES = {
    "p": "Positions", "j": "Journal", "s": "Signals", "e": "Events", "r": "Reports", "h": "Health", "c": "Controls",
    "o": "Overview",
}  # fmt: skip

WATCH_SHIFTS = """
window.shifted = []
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const what = entry.sources.map((source) => source.node?.className ?? source.node?.nodeName).join(' ')
    window.shifted.push([entry.value, what])
  }
}).observe({type: 'layout-shift', buffered: true})
"""
MOST_SHIFT = 0.01
"""Of the browser's own score, in which 0.1 counts as good."""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until a button or link of this name has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.innerText?.trim()") == name:
            return
    raise AssertionError(f"Tab does not lead to {name}")


def test_every_page_is_reached_by_its_keys(still: Desk, windows: Windows) -> None:
    page = windows.open(still)
    visit(page, still.url, "overview")
    for key, title in PAGES.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.locator("nav [aria-current=page]")).to_have_text(title)
        wait_drawn(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("j")
    wanted = page.get_by_role("table", name="Open positions").locator("tbody tr[tabindex]").nth(1)
    expect(wanted).to_be_focused()
    name = wanted.get_by_role("link").inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    wait_drawn(page)
    tab_to(page, "To the content")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("j")
    wait_drawn(page)
    page.keyboard.press("/")
    expect(page.get_by_role("search").get_by_role("combobox").first).to_be_focused()


def test_trading_is_halted_with_the_keyboard_alone(desk: Desk, windows: Windows) -> None:
    page = windows.open(desk)
    visit(page, desk.url, "overview")
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Trading of the whole book")).to_be_visible()
    tab_to(page, "Halt")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("by hand")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("was made")
    expect(dialog.get_by_role("button", name="Close", exact=True).last).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    assert desk.said("status")["trading_state"] == "HALTED"


def test_nothing_moves_while_marks_and_fills_arrive(desk: Desk, windows: Windows) -> None:
    page = windows.open(desk)
    page.add_init_script(WATCH_SHIFTS)
    visit(page, desk.url, "overview")
    before = sum(value for value, _ in page.evaluate("window.shifted"))
    client = httpx.Client(base_url=desk.url, trust_env=False)
    for step in range(60):
        rows = [
            {"instrument": name, "price": f"{float(price) * (1 + step / 1000):.2f}"} for name, price in MARKS.items()
        ]
        assert client.post("/v1/marks", json=rows).status_code == 200
        fill = {"instrument": "AAPL", "side": "buy", "quantity": "1", "price": "26", "account": "demo"}
        if step % 6 == 0:
            answer = client.post("/v1/fills", json=fill | {"strategy": "grid", "client_fill_id": f"move-{step}"})
            assert answer.status_code == 201
    grid = client.get("/v1/positions/AAPL?account=demo&strategy=grid").json()
    client.close()
    table = page.get_by_role("table", name="Open positions")
    row = table.locator("tbody tr").filter(has_text="grid").filter(has_text="AAPL")
    expect(row).to_contain_text(as_shown(grid["quantity"], 0))
    expect(row).to_contain_text(as_shown(grid["unrealized_pnl"]))
    expect(tile(page, "Today")).to_be_visible()
    shifted = page.evaluate("window.shifted")
    assert before <= MOST_SHIFT, f"while it loaded: {shifted}"
    assert sum(value for value, _ in shifted) - before <= MOST_SHIFT, f"while it ran: {shifted}"
