"""Many threads and tasks share one remote book."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.http.conftest import Served
from tests.http.streaming import fill
from tests.remote.conftest import Connect

import onebook
from onebook.errors import BadConfig


def test_threads_share_one_book(served: Served, connect: Connect) -> None:
    book = connect(served.url)
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda number: book.record(fill(number % 100)), range(200)))
    assert len({item.sequence for item in receipts}) == 100
    assert sorted(item.status for item in receipts) == ["exists"] * 100 + ["recorded"] * 100


def test_threads_share_one_spool(served: Served, connect: Connect, tmp_path: Path) -> None:
    book = connect(served.url, spool=tmp_path / "a.spool")
    with ThreadPoolExecutor(8) as pool:
        assert {item.status for item in pool.map(lambda number: book.record(fill(number)), range(200))} == {"queued"}
    assert book.wait(30)
    assert len(served.book.fills()) == 200


def test_tasks_share_one_spool(served: Served, connect: Connect, tmp_path: Path) -> None:
    book = connect(served.url, spool=tmp_path / "a.spool")

    async def run() -> None:
        receipts = await asyncio.gather(*(book.aio.record(fill(number)) for number in range(100)))
        assert {item.status for item in receipts} == {"queued"}
        assert (await book.aio.record_many([fill(number) for number in range(90, 110)])).queued == 20  # type: ignore[attr-defined]
        assert await book.aio.wait(30)

    asyncio.run(run())
    assert len(served.book.fills()) == 110


def test_no_thread_is_left_behind(served: Served, tmp_path: Path) -> None:
    before = {item.name for item in threading.enumerate()}
    with onebook.connect(served.url, spool=tmp_path / "a.spool") as book:
        book.record(fill(1))
        asyncio.run(book.aio.status())
        listener = book.listen(print)
        assert book.wait(30)
    assert listener.closed
    left = {item.name for item in threading.enumerate()} - before
    assert not [name for name in left if name.startswith("onebook-remote") and not name.startswith("onebook-remote_")]


def test_without_httpx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httpx", None)
    with pytest.raises(BadConfig, match=r"onebook\[connect\]"):
        onebook.connect("http://127.0.0.1:1")


def test_connecting_is_found_under_its_name() -> None:
    import subprocess
    import sys

    code = "import sys, onebook; onebook.connect; assert 'httpx' not in sys.modules; print(onebook.connect.__module__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "onebook.remote"
