"""Processes that open one new file at the same moment: each opens it, none waits for long, none calls it foreign."""

import subprocess
import sys
from pathlib import Path
from time import time

import apsw
import pytest

from onebook.store.sqlite.opening import Found, look, patiently

ROUNDS = 60
OPENER = """
import sys
from time import time
import onebook
from onebook.market.bars import BarStore
what, folder, rounds = sys.argv[1:]
opens = onebook.open if what == "book" else BarStore
opens(f"{folder}/warm-{time()}.db").close()
print("ready", flush=True)
started = float(sys.stdin.readline())
for number in range(int(rounds)):
    while time() < started + number * 0.03:
        pass
    opens(f"{folder}/{number}.db").close()
"""


@pytest.mark.parametrize("what", ["book", "bars"])
def test_processes_open_one_new_file_at_the_same_moment(tmp_path: Path, what: str) -> None:
    command = [sys.executable, "-c", OPENER, what, str(tmp_path), str(ROUNDS)]
    openers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    started = f"{time() + 0.1}\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write(started)
        opener.stdin.flush()
    said = [opener.communicate(timeout=100)[1] for opener in openers]
    assert [opener.returncode for opener in openers] == [0, 0, 0], said


def test_a_busy_file_is_tried_again_until_the_time_is_over() -> None:
    tries: list[int] = []

    def busy() -> None:
        tries.append(len(tries))
        if len(tries) != 4:
            raise apsw.BusyError

    patiently(busy, 5)
    assert tries == [0, 1, 2, 3]
    with pytest.raises(apsw.BusyError):
        patiently(busy, 0.05)
    assert len(tries) > 5


def test_the_look_is_of_one_moment(tmp_path: Path) -> None:
    ours, theirs = apsw.Connection(str(tmp_path / "a.db")), apsw.Connection(str(tmp_path / "a.db"))
    assert look(ours) == Found(0, 0, 0)
    theirs.pragma("journal_mode", "wal")
    theirs.execute("BEGIN; CREATE TABLE one (at); PRAGMA user_version = 3; PRAGMA application_id = 7; COMMIT")
    assert look(ours) == Found(7, 3, 1)
    assert not ours.in_transaction
    ours.close()
    theirs.close()
