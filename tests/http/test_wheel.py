"""A wheel that is really built: with Node it holds the page, without it the service says how to build one."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

pytest.importorskip("hatchling")

ROOT = Path(__file__).parents[2]
PAGE = "onebook/http/page/"
MOST_SCRIPT = 150_000
"""Bytes of script as they are sent, compressed."""
MOST_SECONDS = 900
ASKED = """
import asyncio, sys
import httpx, onebook
from onebook.config import config_for
from onebook.http.service import build, make_service

async def ask(app):
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as client:
        return (await client.get("/")).text

assert onebook.__file__.startswith(sys.argv[1]), onebook.__file__
with onebook.open(":memory:") as book:
    print(asyncio.run(ask(build(make_service(book, config_for({})), log=False))))
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the tree without what was built in it and without packages of Node."""
    copy = tmp_path / "source"
    copy.mkdir()
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy2(ROOT / name, copy / name)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "page"))
    shutil.copytree(ROOT / "web", copy / "web", ignore=shutil.ignore_patterns("node_modules"))
    return copy


def built(source: Path, path: str) -> tuple[Path, str]:
    """Build a wheel with the programs of a PATH; returns it and what was said."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source / "dist")]
    done = subprocess.run(
        words, cwd=source, env=os.environ | {"PATH": path}, timeout=MOST_SECONDS, check=False, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [wheel] = (source / "dist").glob("*.whl")
    return wheel, done.stderr


def asked(wheel: Path, folder: Path) -> str:
    """What the service of a wheel answers at its address."""
    ZipFile(wheel).extractall(folder)
    words = [sys.executable, "-c", ASKED, str(folder)]
    done = subprocess.run(
        words, env=os.environ | {"PYTHONPATH": str(folder)}, timeout=120, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.torture
def test_a_wheel_holds_the_page(source: Path, tmp_path: Path) -> None:
    packages = ROOT / "web/node_modules"
    if shutil.which("npm") is None or not packages.is_dir():
        pytest.skip("Node and its packages are not here: make web")
    shutil.copytree(packages, source / "web/node_modules", symlinks=True)
    wheel, said = built(source, os.environ["PATH"])
    assert "the dashboard is not in this build" not in said
    with ZipFile(wheel) as held:
        names = [name for name in held.namelist() if name.startswith(PAGE)]
        assert {f"{PAGE}index.html", f"{PAGE}manifest.webmanifest", f"{PAGE}sw.js"} <= set(names)
        scripts = [gzip.compress(held.read(name), 9) for name in names if name.endswith(".js")]
    assert len(scripts) > 1
    assert sum(map(len, scripts)) <= MOST_SCRIPT
    page = asked(wheel, tmp_path / "installed")
    assert "/assets/" in page
    assert "make web" not in page


@pytest.mark.torture
def test_a_wheel_is_built_without_node_and_the_service_says_how_to_build_the_page(source: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "bin"
    nothing.mkdir()
    wheel, said = built(source, str(nothing))
    assert "the service says how to add it" in said
    with ZipFile(wheel) as held:
        assert not [name for name in held.namelist() if name.startswith(PAGE)]
    page = asked(wheel, tmp_path / "installed")
    assert "make web" in page
    assert "Node 20" in page
