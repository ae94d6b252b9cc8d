"""The spool: what waits for the book survives whatever happens to the process."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from onebook.errors import StoreError, StoreFull
from onebook.intake.adapters.spool import Spool

ROWS = [{"kind": "fill", "data": {"price": "1.50", "note": f"line {number}\nand more ü"}} for number in range(5)]


def drained(spool: Spool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    spool.drain(found.extend)
    return found


def test_rows_come_out_in_order_and_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool")
    assert drained(spool) == []
    spool.append(ROWS[:2])
    spool.append(ROWS[2:])
    assert drained(spool) == ROWS
    assert drained(spool) == []
    assert spool.size == 0
    assert not spool.path.exists()


def test_what_is_not_taken_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool")
    spool.append(ROWS)

    def refuse(_rows: list[dict[str, Any]]) -> None:
        raise StoreError("the book is locked")

    with pytest.raises(StoreError, match="locked"):
        spool.drain(refuse)
    assert drained(Spool(spool.path)) == ROWS


def test_a_row_added_while_draining_is_drained_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool")
    spool.append(ROWS[:1])
    found: list[dict[str, Any]] = []

    def take(rows: list[dict[str, Any]]) -> None:
        found.extend(rows)
        if len(found) == 1:
            Spool(spool.path).append(ROWS[1:2])

    assert spool.drain(take) == 2
    assert found == ROWS[:2]
    assert spool.size == 0


def test_a_cut_at_any_byte_loses_the_cut_line_only(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool")
    spool.append(ROWS[:2])
    first = len(spool.path.read_bytes())
    spool.append(ROWS[2:3])
    whole = spool.path.read_bytes()
    for cut in range(first, len(whole)):
        spool.path.write_bytes(whole[:cut])
        spool.append(ROWS[3:])
        kept = [*ROWS[:2], *(ROWS[2:3] if cut == len(whole) - 1 else []), *ROWS[3:]]
        assert drained(spool) == kept, cut
    assert spool.path.with_name("a.spool.torn").exists()


def test_a_damaged_line_is_put_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool")
    spool.append(ROWS)
    lines = spool.path.read_bytes().split(b"\n")
    lines[2] = lines[2].replace(b"1.50", b"9.50")
    spool.path.write_bytes(b"\n".join(lines))
    assert drained(spool) == [ROWS[0], *ROWS[2:]]
    assert b"9.50" in spool.path.with_name("a.spool.torn").read_bytes()


def test_a_full_spool_says_so_and_stays_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool", max_bytes=400)
    spool.append(ROWS[:3])
    with pytest.raises(StoreFull, match="takes no more than 400"):
        spool.append(ROWS * 3)
    assert drained(spool) == ROWS[:3]
    spool.append(ROWS[:3])


def test_a_place_that_cannot_be_written_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(StoreError, match="cannot be put aside"):
        Spool(tmp_path / "file" / "a.spool").append(ROWS)


def test_rows_longer_than_a_piece_are_drained_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onebook.intake.adapters.spool.CHUNK_BYTES", 16)
    spool = Spool(tmp_path / "a.spool")
    spool.append(ROWS)
    assert drained(spool) == ROWS


def _appends(path: Path, name: str) -> None:
    for number in range(50):
        Spool(path).append([{"from": name, "number": number}])


def _drains(path: Path, into: Any, go_on: Any) -> None:
    while True:
        last = not go_on.is_set()
        Spool(path).drain(into.extend)
        if last:
            return


def test_processes_do_not_disturb_one_another(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path = tmp_path / "a.spool"
    with context.Manager() as shared:
        found, go_on = shared.list(), shared.Event()
        go_on.set()
        writers = [context.Process(target=_appends, args=(path, name)) for name in ("a", "b")]
        reader = context.Process(target=_drains, args=(path, found, go_on))
        for process in (*writers, reader):
            process.start()
        for process in writers:
            process.join(60)
        go_on.clear()
        reader.join(60)
        for name in ("a", "b"):
            assert [row["number"] for row in found if row["from"] == name] == list(range(50))
    assert not path.with_name("a.spool.torn").exists()


KILLED = """
import os, signal, sys
from onebook.intake.adapters.spool import Spool
spool = Spool(sys.argv[1])
for number in range(10_000):
    spool.append([{"number": number}])
    os.write(1, b"%d\\n" % number)
"""


def test_what_was_appended_survives_a_kill(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.spool")
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(spool.path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(20)]
    os.kill(child.pid, 9)
    said += [int(line) for line in child.stdout.read().splitlines()]
    child.stdout.close()
    child.wait(30)
    numbers = [row["number"] for row in drained(spool)]
    assert numbers[: len(said)] == said
    assert numbers == list(range(len(numbers)))
