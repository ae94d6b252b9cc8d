"""What holds for the documentation as a whole: links lead somewhere, every page is reached, decisions are whole."""

import re
from pathlib import Path

import pytest
from tests.docs.pages import ROOT, all_pages, anchors, links, name_of, prose

PAGES = [pytest.param(page, id=name_of(page)) for page in all_pages()]
MAX_WIDTH = 130
DECISION = ("**Context.**", "**Decision.**", "**Why.**", "**Measured.**", "**Consequences.**")


def broken_links(page: Path, root: Path = ROOT) -> list[str]:
    """The links of a page that lead nowhere, or out of the repository."""
    broken = []
    for link in links(page):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        reached = target.is_file() and target.is_relative_to(root)
        if not reached or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken_links(page)


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n[here](#a) [there](nowhere.md) `[code](no.md)`\n\n```\n[fence](no.md)\n```\n[b](#b)\n")
    assert broken_links(page, tmp_path) == ["nowhere.md", "#b"]
    assert broken_links(page) == ["#a", "nowhere.md", "#b"]


def test_every_page_can_be_reached() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_file():
                waiting.append(target)
    assert not [name_of(page) for page in all_pages() if page not in seen]


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_not_too_long(page: Path) -> None:
    long = [line for line in prose(page).split("\n") if len(line) > MAX_WIDTH and not line.startswith("|")]
    assert not long


@pytest.mark.parametrize("page", PAGES)
def test_a_page_begins_with_its_title(page: Path) -> None:
    assert re.match(r"# \S", page.read_text(encoding="utf-8"))


def test_decisions_are_whole_and_in_order() -> None:
    found = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [path.name[:4] for path in found] == [f"{number:04}" for number in range(1, len(found) + 1)]
    for path in found:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        places = [text.find(part) for part in DECISION]
        assert -1 not in places, path.name
        assert places == sorted(places), path.name


def test_pages_that_docstrings_name_are_there() -> None:
    for module in (ROOT / "src").rglob("*.py"):
        for name in re.findall(r"docs/[\w/.-]+\.(?:md|txt|svg)", module.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{module}: {name}"


def test_the_picture_is_small_and_loads_nothing() -> None:
    picture = (ROOT / "docs" / "demo.svg").read_text(encoding="utf-8")
    assert len(picture.encode()) < 60_000
    assert not re.search(r"@font-face|<script|<image|url\(\s*[\"']?http", picture)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split("\n")) <= 215
