"""Debian's Chromium, the real service on the demo's book, and a watch over what each page says and asks for."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.browser.desk import Desk, Still, build, copy

from onebook.http.pages import INDEX, PAGE

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FOREIGN = "evil.example"
"""A name of somebody else that points to this machine; every other name points nowhere."""

FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
WAIT_MS = 60_000
"""How long a page may take on a machine that does much else; no test waits so long where all is well."""


@dataclass
class Watch:
    """What the pages of one browser complained of, and whom they asked."""

    context: BrowserContext
    netloc: str
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.context.on(
            "console", lambda said: self.errors.append(f"{said.text} {said.location}") if said.type == "error" else None
        )
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.context.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def check(self, allowed: list[str]) -> None:
        """Say that nothing was wrong but what a test brought about, and that nothing left this machine."""
        wrong = [text for text in self.errors if not any(re.search(pattern, text) for pattern in allowed)]
        assert not wrong, wrong
        assert self.hosts - {""} <= {self.netloc}, f"somebody else was asked: {self.hosts}"


@dataclass
class Windows:
    """Browsers of one test, each with its own memory.

    They are at home elsewhere than the book, so that a time or a figure in the browser's own way would be seen.
    """

    browser: Browser
    watches: list[Watch] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    """Patterns of complaints that the test brings about."""

    def open(self, desk: Desk, *, width: int = 1280, height: int = 800, dark: bool = False, **given: Any) -> Page:
        """Return an empty page of a new browser, which may ask this desk's service only."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light",
            timezone_id="Asia/Tokyo", locale="de-DE", **given,
        )  # fmt: skip
        context.set_default_timeout(WAIT_MS)
        self.watches.append(Watch(context, urlsplit(desk.url).netloc))
        return context.new_page()

    def close(self) -> None:
        for watch in self.watches:
            watch.context.close()
        for watch in self.watches:
            watch.check(self.allowed)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without it or the built page nothing here can be tested, and that is said."""
    if not shutil.which(CHROMIUM):
        pytest.skip(
            f"LEFT OUT: NO PAGE WAS LOOKED AT, {CHROMIUM} is missing; apt-get install chromium, or set CHROMIUM"
        )
    if not (PAGE / INDEX).exists():
        pytest.skip("LEFT OUT: NO PAGE WAS LOOKED AT, the dashboard is not built; install Node 20, then run make web")
    return CHROMIUM


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for each file of tests: while it is there no other test in this process can run an event loop."""
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def built(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book, made once and opened by nobody."""
    path = tmp_path_factory.mktemp("desk") / "desk.db"
    build(path)
    return path


@pytest.fixture(scope="session")
def still(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The book served, for tests that only look."""
    yield from served(Still(copy(built, tmp_path_factory.mktemp("still"))))


@pytest.fixture
def desk(built: Path, tmp_path: Path) -> Iterator[Desk]:
    """A copy of the book served, for a test that changes it."""
    yield from served(Desk(copy(built, tmp_path)))


def served(desk: Desk) -> Iterator[Desk]:
    """Serve a book until the test that asked for it is over."""
    try:
        desk.start()
        yield desk
    finally:
        desk.kill()


@pytest.fixture
def windows(browser: Browser) -> Iterator[Windows]:
    """Browsers; at the end no page may have complained, or asked anybody but the service."""
    opened = Windows(browser)
    yield opened
    opened.close()
