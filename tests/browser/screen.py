"""Reading a page: its figures as exact numbers, its tables as rows, its panels and tiles by their names."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from playwright.sync_api import Locator, Page, expect

MINUS = "−"
_NUMBER = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?")

_ROWS = """async (table) => {
  const box = table.parentElement
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.replace(/[↑↓]/, '').trim())
  const rows = []
  const settled = () => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))
  for (let top = 0, turn = 0; turn < 400; top += Math.max(box.clientHeight / 2, 100), turn += 1) {
    box.scrollTop = top
    await settled()
    const drawn = [...table.tBodies[0].querySelectorAll('tr[tabindex]')]
    const gap = table.tBodies[0].querySelector('tr.gap')
    const first = gap && drawn.length ? Math.round(parseFloat(gap.style.height) / drawn[0].offsetHeight) : 0
    drawn.forEach((row, index) => {
      rows[first + index] = [...row.cells].map((cell, at) =>
        [heads[at], cell.innerText.trim(), cell.querySelector('[title]')?.title ?? ''])
    })
    if (box.scrollTop + box.clientHeight >= box.scrollHeight - 1) break
  }
  box.scrollTop = 0
  await settled()
  return rows
}"""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell, and what is told under the pointer."""

    text: str
    title: str


def figure(text: str) -> Decimal:
    """Return the first number of a text as it is shown: with thousands apart, a true minus, arrows around it."""
    found = _NUMBER.search(text)
    assert found, f"no figure in {text!r}"
    return Decimal(found.group().replace(",", "").replace(MINUS, "-"))


def at_digits(exact: Any, shown: Decimal) -> Decimal:
    """Return an exact number at as many digits as a shown one has."""
    return Decimal(exact).quantize(Decimal(1).scaleb(int(shown.as_tuple().exponent)), ROUND_HALF_EVEN)


def shows(text: str, exact: Any) -> bool:
    """Say whether a text shows a number: equal to it at the digits that it has. Nothing is a dash."""
    if exact is None:
        return text.strip() == "–"
    shown = figure(text)
    return shown == at_digits(exact, shown)


def as_shown(exact: Any, places: int = 2) -> str:
    """Return a number as the page writes it, without a plus."""
    number = Decimal(exact).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return f"{number:,}".replace("-", MINUS)


def panel(page: Page, title: str) -> Locator:
    """Return the box with this title."""
    return page.locator("section.panel", has=page.get_by_role("heading", name=title, exact=True))


def tile(page: Page, label: str) -> Locator:
    """Return the box of the figure with this name."""
    return page.locator(".tile", has=page.locator(".tile-label", has_text=re.compile(f"^{re.escape(label)}$")))


def told(page: Page, label: str) -> str:
    """Return what a figure's tile shows."""
    return tile(page, label).locator(".tile-value").inner_text()


def beside(page: Page, label: str) -> str:
    """Return the second, smaller line of a figure's tile."""
    return tile(page, label).locator(".tile-sub").inner_text()


def pairs(box: Locator) -> dict[str, str]:
    """Return the names and values that stand below each other."""
    names, values = box.locator("dl.pairs dt").all_inner_texts(), box.locator("dl.pairs dd").all_inner_texts()
    return dict(zip(names, values, strict=True))


def rows(box: Page | Locator, label: str) -> list[dict[str, Cell]]:
    """Return every row of a table, those too that are drawn only where they are looked at."""
    table = box.get_by_role("table", name=label, exact=True)
    expect(table).to_be_visible()
    found: list[Any] = table.evaluate(_ROWS)
    assert all(found), f"{label}: rows were left out"
    assert len(found) == int(table.get_attribute("aria-rowcount") or 0) - 1
    return [{head: Cell(text, title) for head, text, title in row} for row in found]


def bars(box: Locator) -> list[tuple[str, str]]:
    """Return the lines of a list of bars: what, and its figure."""
    return [
        (item.locator(".what").inner_text(), item.locator(".num").inner_text())
        for item in box.get_by_role("listitem").all()
    ]


def wait_live(page: Page) -> None:
    """Wait until the page follows the log."""
    expect(page.locator("header.bar-top .dot-badge")).to_have_text("live")


def wait_drawn(page: Page) -> None:
    """Wait until nothing of the page is still to come."""
    expect(page.locator("#content h1").first).to_be_attached()
    expect(page.locator(".skeleton")).to_have_count(0)


def visit(page: Page, url: str, place: str) -> None:
    """Go to a page of the dashboard, and wait until it is whole and live."""
    page.goto(f"{url}/#/{place}")
    wait_live(page)
    wait_drawn(page)


def log_in(page: Page, url: str, secret: str) -> None:
    """Show a token on the page for it."""
    page.goto(f"{url}/#/login")
    page.get_by_label("Token").fill(secret)
    page.get_by_role("button", name="Log in").click()
    wait_live(page)
