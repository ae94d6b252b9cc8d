"""The hook that builds the page into a wheel: when it builds, and that nothing it lacks keeps a build from ending."""

import importlib.util
import os
import stat
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A source folder with a web/ of little, and no page yet."""
    for name in ("package.json", "package-lock.json", "index.html", "vite.config.ts", "src/main.tsx"):
        path = tmp_path / "source" / "web" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "source"


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, node: str = "", npm: str = "") -> Path:
    """Put programs of our own in the place of Node's; returns where npm notes what it was asked."""
    bin_, noted = folder / "bin", folder / "asked"
    bin_.mkdir()
    for name, text in (("node", node and f"echo {node}"), ("npm", npm and f'echo "$@" >> {noted}\n{npm}')):
        if text:
            path = bin_ / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{bin_}:/bin:/usr/bin" if node else str(bin_))
    return noted


def run(hook: ModuleType, root: Path, version: str = "standard") -> None:
    made = hook.PageHook(str(root), {}, None, None, str(root / "dist"), "wheel")
    made.initialize(version, {})


BUILDS = "mkdir -p ../src/onebook/http/page; echo built > ../src/onebook/http/page/index.html"


def test_a_missing_page_is_built(hook: ModuleType, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = programs(tmp_path, monkeypatch, "v20.1.0", BUILDS)
    run(hook, root)
    assert noted.read_text().splitlines() == ["ci --no-audit --no-fund", "run build"]
    assert hook.has_page(root)


def test_a_page_is_built_again_only_when_something_that_it_is_made_from_is_newer(
    hook: ModuleType, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = programs(tmp_path, monkeypatch, "v22.0.0", BUILDS)
    run(hook, root)
    noted.unlink()
    run(hook, root)
    assert not noted.exists()
    later = (hook.page_of(root) / "index.html").stat().st_mtime + 10
    os.utime(root / "web/src/main.tsx", (later, later))
    run(hook, root)
    assert "run build" in noted.read_text()


def test_an_editable_install_builds_nothing(
    hook: ModuleType, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = programs(tmp_path, monkeypatch, "v20.1.0", BUILDS)
    run(hook, root, "editable")
    assert not noted.exists()


@pytest.mark.parametrize(
    ("node", "npm", "said"),
    [
        ("", "", "Node 20 or newer is not installed"),
        ("v18.19.0", BUILDS, "Node 20 or newer is not installed, only 18"),
        ("v20.1.0", "exit 3", "npm ci failed"),
    ],
)
def test_what_keeps_the_page_from_being_built_is_said_and_the_build_goes_on(
    hook: ModuleType,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    node: str,
    npm: str,
    said: str,
) -> None:
    programs(tmp_path, monkeypatch, node, npm)
    run(hook, root)
    assert not hook.has_page(root)
    told = capsys.readouterr().err
    assert said in told
    assert "the service says how to add it" in told


def test_packages_that_are_there_are_not_fetched_again(
    hook: ModuleType, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = root / "web/node_modules/.package-lock.json"
    installed.parent.mkdir()
    installed.write_text("{}")
    noted = programs(tmp_path, monkeypatch, "v20.1.0", BUILDS)
    run(hook, root)
    assert noted.read_text().splitlines() == ["run build"]


def test_a_source_distribution_with_a_page_needs_no_node(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "src/onebook/http/page"
    page.mkdir(parents=True)
    (page / "index.html").write_text("built")
    programs(tmp_path, monkeypatch)
    run(hook, tmp_path)
    assert capsys.readouterr().err == ""
