"""Builds the dashboard into the package when a wheel is made, where Node 20 or newer is there; else goes on without it.

Nothing is built for an editable install (``make web`` does), and where the page is there and no older than its sources.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
MOST_SECONDS = 900
WITHOUT = "the dashboard is not in this build; the service says how to add it"


class PageHook(BuildHookInterface[Any]):
    """Builds ``web/`` before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  hatchling's signature
        """Build the page, if it is wanted and can be. What is built is an artifact in ``pyproject.toml``."""
        root = Path(self.root)
        if version != "editable" and is_old(root):
            build(root)


def page_of(root: Path) -> Path:
    """Return where the page is built to."""
    return root / "src" / "onebook" / "http" / "page"


def has_page(root: Path) -> bool:
    """Say whether a page is there."""
    return (page_of(root) / "index.html").is_file()


def sources(root: Path) -> list[Path]:
    """Return the files that the page is made from; none where only a source distribution is."""
    web = root / "web"
    listed = [web / "index.html", web / "package.json", web / "package-lock.json", web / "vite.config.ts"]
    return [path for path in (*listed, *(web / "src").rglob("*"), *(web / "public").rglob("*")) if path.is_file()]


def is_old(root: Path) -> bool:
    """Say whether the page is missing, or older than something that it is made from."""
    if not has_page(root):
        return True
    built = (page_of(root) / "index.html").stat().st_mtime
    return any(path.stat().st_mtime > built for path in sources(root))


def has_packages(web: Path) -> bool:
    """Say whether the packages that the lock names are installed."""
    installed, lock = web / "node_modules" / ".package-lock.json", web / "package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime


def build(root: Path) -> bool:
    """Build the page; what keeps it from being built is said, and is no error.

    Args:
        root: of the source folder.
    """
    web = root / "web"
    if not (web / "package.json").is_file():
        return _say("there is no folder web/") if not has_page(root) else True
    npm, found = shutil.which("npm"), _node()
    if npm is None or found < OLDEST_NODE:
        return _say(f"Node {OLDEST_NODE} or newer is not installed" + (f", only {found}" if found else ""))
    for words in ([] if has_packages(web) else [["ci", "--no-audit", "--no-fund"]]) + [["run", "build"]]:
        try:
            done = subprocess.run(
                [npm, *words], cwd=web, timeout=MOST_SECONDS, check=False, capture_output=True, text=True
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            return _say(f"npm {words[0]} did not end: {problem}")
        if done.returncode:
            print((done.stdout + done.stderr)[-2000:], file=sys.stderr)
            return _say(f"npm {words[0]} failed")
    return True


def _node() -> int:
    """Return Node's first number; 0 when there is none."""
    node = shutil.which("node")
    if node is None:
        return 0
    told = subprocess.run([node, "--version"], check=False, capture_output=True, text=True, timeout=60).stdout
    number = re.match(r"v(\d+)\.", told)
    return int(number[1]) if number else 0


def _say(why: str) -> bool:
    """Say on standard error that the page is not built, and why."""
    print(f"onebook: {why}: {WITHOUT}", file=sys.stderr)
    return False
