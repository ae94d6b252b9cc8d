"""Every snippet of the documentation runs, and prints what the page says it prints."""

from pathlib import Path

import pytest
from tests.docs.fill import WIDTH
from tests.docs.pages import Block, all_pages, blocks, name_of
from tests.docs.snippets import SHELLS, Page, compare, pattern

PAGES = [page for page in all_pages() if any(block.language in {"python", *SHELLS} for block in blocks(page))]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ONEBOOK_HOME", str(tmp_path / "home"))
    for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    for name in ("ONEBOOK_URL", "ONEBOOK_CONFIG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setattr("onebook.cli.tables.WIDE", WIDTH)


@pytest.fixture(autouse=True)
def no_compat_left() -> object:
    yield
    import onebook.compat

    onebook.compat.uninstall()


@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page)) for page in PAGES])
def test_page_runs(page: Path) -> None:
    run = Page(name_of(page))
    for block in blocks(page):
        run.run(block)


def test_pages_are_found() -> None:
    assert {"README.md", "docs/tutorial.md"} <= {name_of(page) for page in PAGES}


def test_a_wrong_output_is_seen() -> None:
    compare("a … c\n…\nlast", "a b c\nx\ny\nlast\n", "here")
    for wrong in ("a … c", "a b c\nx\ny", "b b c\n…\nlast"):
        with pytest.raises(AssertionError):
            compare(wrong, "a b c\nx\ny\nlast\n", "here")
    assert pattern("1.5 …") == r"1\.5\ [^\n]*?" + r"\n"


def test_a_failing_snippet_is_seen() -> None:
    for language, text in (("python", "1 / 0"), ("console", "$ onebook nonsense"), ("sh", "rm everything")):
        with pytest.raises((AssertionError, ZeroDivisionError)):
            Page("page").run(Block(language, "", text, 1, follows=False))
