"""Who may press what: a viewer nothing, an operator each control, asked once, with what will happen and a reason."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import Windows
from tests.browser.desk import Desk, token
from tests.browser.screen import log_in, panel, tile, visit

DEEDS = re.compile(r"^(Halt|Reduce|Reduce only|Resume|Flatten|Flatten all|Settle)$")
REFUSED = r"the server responded with a status of 403"
SEND = """async ([path, body]) => {
  const known = await (await fetch('/v1/session')).json()
  const headers = {'Content-Type': 'application/json', 'X-Onebook-CSRF': known.csrf}
  const answer = await fetch(path, {method: 'POST', headers, body: JSON.stringify(body)})
  return answer.status
}"""


def offered(page: Page) -> list[str]:
    """Return the controls that can be pressed."""
    buttons = page.get_by_role("button", name=DEEDS)
    found: list[str] = buttons.evaluate_all("all => all.filter(it => !it.matches(':disabled')).map(it => it.innerText)")
    return found


def test_a_viewer_is_offered_no_control_and_is_refused_what_the_page_could_send(desk: Desk, windows: Windows) -> None:
    windows.allowed.append(REFUSED)
    viewer, operator = token(desk.path, "viewer", "vera"), token(desk.path, "operator", "maria")
    before = desk.head()
    page = windows.open(desk)
    log_in(page, desk.url, viewer)
    expect(page.locator(".who")).to_have_text("viewer")
    for place in ("overview", "controls", "position/AAPL?account=demo&strategy=grid&leg="):
        visit(page, desk.url, place)
        assert not offered(page), place
    visit(page, desk.url, "controls")
    expect(page.get_by_text("Takes the role operator; yours is viewer.").first).to_be_visible()
    expect(page.get_by_role("button", name="Settle")).to_have_attribute(
        "title", "Takes the role accountant or operator; yours is viewer."
    )
    (found,) = desk.said("breaks")
    deeds: list[tuple[str, dict[str, Any]]] = [
        *((f"/v1/trading/{name}", {"reason": "mine"}) for name in ("halt", "reduce", "resume", "flatten")),
        (f"/v1/breaks/{found['id']}/resolve", {"reason": "mine"}),
        ("/v1/fills", {"instrument": "AAPL", "side": "buy", "quantity": "1", "price": "1"}),
    ]
    for path, body in deeds:
        assert page.evaluate(SEND, [path, body]) == 403, path
    visit(page, desk.url, "journal")
    page.get_by_role("table", name="Round trips").locator("tbody tr").first.locator("td").last.click()
    expect(page.get_by_role("dialog").get_by_label("Notes")).not_to_be_editable()
    expect(page.get_by_role("dialog").get_by_role("button", name="Save")).to_have_count(0)
    assert desk.head() == before
    page = windows.open(desk)
    log_in(page, desk.url, operator)
    visit(page, desk.url, "controls")
    assert len(offered(page)) > 10


def press(page: Page, desk: Desk, button: Locator, label: str, will: str) -> dict[str, Any]:
    """Press a control, give a reason, and return the event that it showed, as the log has it."""
    before = desk.head()
    button.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("What will happen")
    expect(dialog).to_contain_text(will)
    go = dialog.get_by_role("button", name=label, exact=True)
    expect(go).to_be_disabled()
    dialog.get_by_label("Reason").fill("   ")
    expect(go).to_be_disabled()
    dialog.get_by_label("Reason").fill(f"drill: {label}")
    assert desk.head() == before, "nothing happens before it is said"
    go.click()
    made = dialog.locator("p.lead")
    expect(made).to_have_text(re.compile(r"^Entry \d+ was made\.$"))
    sequence = int(made.inner_text().split()[1])
    assert sequence > before
    event = next(item for item in desk.said("tail", "--after", str(sequence - 1)) if item["sequence"] == sequence)
    entry = dialog.locator("p.entry").first
    expect(entry).to_contain_text(event["id"])
    expect(entry).to_contain_text(event["type"])
    expect(entry).to_contain_text("by maria")
    dialog.get_by_role("button", name="Close", exact=True).last.click()
    expect(dialog).to_be_hidden()
    found: dict[str, Any] = event
    return found


def controls(desk: Desk, windows: Windows) -> Page:
    page = windows.open(desk)
    log_in(page, desk.url, token(desk.path, "operator", "maria"))
    visit(page, desk.url, "controls")
    return page


def test_trading_is_halted_reduced_and_resumed_each_with_a_reason(desk: Desk, windows: Windows) -> None:
    page = controls(desk, windows)
    whole = panel(page, "Trading of the whole book")
    for name, label, state, will in (
        ("Halt", "Halt", "HALTED", "goes to HALTED: no order passes but a flatten"),
        ("Reduce only", "Reduce only", "REDUCING", "only orders that make a position smaller pass"),
        ("Resume", "Resume", "ACTIVE", "orders pass again, within the limits"),
    ):
        event = press(page, desk, whole.get_by_role("button", name=name, exact=True), label, will)
        assert event["type"] == "trading_state_changed"
        assert (event["data"]["state"], event["data"]["reason"]) == (state, f"drill: {label}")
        assert event["actor"] == "maria"
        expect(whole).to_contain_text(state)
        assert desk.said("status")["trading_state"] == state
    row = page.get_by_role("table", name="Trading by strategy").get_by_role("row").filter(has_text="grid")
    event = press(page, desk, row.get_by_role("button", name="Halt", exact=True), "Halt", "Trading of strategy grid")
    assert (event["strategy"], event["data"]["state"]) == ("grid", "HALTED")
    expect(row).to_contain_text("HALTED")


def test_one_position_or_all_are_flattened(desk: Desk, windows: Windows) -> None:
    page = controls(desk, windows)
    table = page.get_by_role("table", name="Open positions")
    row = table.get_by_role("row").filter(has_text="grid").filter(has_text="AAPL")
    event = press(page, desk, row.get_by_role("button", name="Flatten"), "Flatten 1 position", "AAPL: 25 grid")
    assert event["type"] == "order_updated"
    assert (event["data"]["side"], event["data"]["quantity"]) == ("sell", "25")
    held = len(desk.said("positions"))
    everything = page.get_by_role("button", name="Flatten all", exact=True)
    event = press(page, desk, everything, f"Flatten {held} positions", f"Market orders close {held} positions")
    assert event["type"] == "order_updated"
    sent = {(item["instrument"], item["strategy"]) for item in desk.said("orders") if item["status"] == "pending_new"}
    assert sent >= {(item["instrument"], item["strategy"]) for item in desk.said("positions")}


def test_a_break_is_settled(desk: Desk, windows: Windows) -> None:
    page = controls(desk, windows)
    event = press(page, desk, page.get_by_role("button", name="Settle"), "Settle it", "no figure changes by this")
    assert event["type"] == "break_resolved"
    expect(page.get_by_text("No open breaks")).to_be_visible()
    assert not [item for item in desk.said("breaks") if item["state"] == "open"]
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(tile(page, "Bots")).not_to_contain_text("break")
