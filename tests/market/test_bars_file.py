"""The file of bars: not ours, two processes, many threads, busy, full, newer; and that SQL finds by its keys."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest
from tests.market.bar_making import START, bar

import onebook
from onebook.errors import SchemaTooNew, StoreBusy, StoreClosed, StoreError
from onebook.market.bars import BarStore
from onebook.market.bars.connections import Connections
from onebook.market.bars.errors import translated
from onebook.market.bars.rows import READS, WRITES
from onebook.testing.clock import FakeClock

BTC = "BTC/USDT"
WRITER = """
import sys
from onebook.market.bars import BarStore
from tests.market.bar_making import bar
store = BarStore(sys.argv[1])
for first in range(0, 2000, 50):
    store.put([bar(number, instrument=sys.argv[2]) for number in range(first, first + 50)])
store.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "deep" / "book.bars.db")


# ---- what is at the path ----


def test_bars_last_beyond_the_process_that_stored_them(path: str) -> None:
    first = BarStore(path)
    first.put([bar(number) for number in range(10)])
    first.close()
    second = BarStore(path)
    assert len(second.read(BTC, "1m", 0, 2**62)) == 10
    assert second.gaps(BTC, "1m", START, bar(9).at_ns) == []
    second.close()


def test_a_book_is_not_taken_for_bars(tmp_path: Path) -> None:
    path = tmp_path / "trading.db"
    with onebook.open(str(path), clock=FakeClock()):
        pass
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's database, not a database of bars; name another file"):
        BarStore(str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"time,open\n", b"time,open,high,low,close,volume\n" * 100], ids=["short", "long"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="not a database of bars"):
        BarStore(str(path))
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["bars.csv"]


def test_a_folder_or_no_place_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        BarStore(str(tmp_path))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="check the path"):
        BarStore(str(tmp_path / "file" / "book.bars.db"))
    with pytest.raises(StoreError, match="no file has such a name"):
        BarStore("a\0b")


def test_a_newer_file_is_refused(path: str) -> None:
    BarStore(path).close()
    connection = apsw.Connection(path)
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(SchemaTooNew, match="upgrade onebook"):
        BarStore(path)


def test_a_damaged_file_says_that_bars_can_be_fetched_again(path: str) -> None:
    store = BarStore(path)
    store.put([bar(number) for number in range(2000)])
    store.close()
    content = bytearray(Path(path).read_bytes())
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    Path(path).write_bytes(content)
    broken = BarStore(path)
    with pytest.raises(StoreError, match=r"is damaged .* fetched again"):
        broken.read(BTC, "1m", 0, 2**62)
    broken.close()


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (apsw.FullError("x"), "disk is full"),
        (apsw.ReadOnlyError("x"), "permissions"),
        (apsw.IOError("x"), "reported an error"),
        (apsw.ConnectionClosedError("x"), "are closed"),
        (apsw.LockedError("x"), "try again"),
        (apsw.SQLError("x"), "b.db: x"),
    ],
)
def test_every_error_of_the_driver_becomes_one_of_ours(problem: apsw.Error, says: str) -> None:
    found = translated(problem, "b.db", 1)
    assert isinstance(found, StoreError)
    assert says in str(found)


# ---- many at once ----


def test_many_threads_read_while_one_stores(path: str) -> None:
    store = BarStore(path, read_connections=3)
    store.put([bar(0)])
    done = threading.Event()
    counts: list[list[int]] = [[] for _ in range(6)]

    def read(seen: list[int]) -> None:
        while not done.is_set():
            bars = store.read(BTC, "1m", 0, 2**62)
            assert [one.opened_ns for one in bars] == [bar(number).opened_ns for number in range(len(bars))]
            seen.append(len(bars))

    with ThreadPoolExecutor(6) as threads:
        readers = [threads.submit(read, seen) for seen in counts]
        for first in range(1, 1000, 111):
            store.put([bar(number) for number in range(first, first + 111)])
        done.set()
        for reader in readers:
            reader.result()
    assert all(seen == sorted(seen) for seen in counts)
    assert {length % 111 for seen in counts for length in seen} == {1}  # a batch is there whole, or not at all
    pool = store.stats()["pool"]
    assert pool["opened"] <= pool["size"] == pool["free"] == 3
    store.close()


def test_many_threads_store_the_same_bars_once(path: str) -> None:
    store = BarStore(path)
    with ThreadPoolExecutor(8) as threads:
        written = list(threads.map(lambda _: store.put([bar(number) for number in range(300)]), range(8)))
    assert sum(written) == 300
    assert store.stats()["bars"] == 300
    store.close()


def test_two_processes_store_into_one_file(path: str) -> None:
    command = [sys.executable, "-c", WRITER, path]
    root = Path(__file__).resolve().parents[2]
    writers = [subprocess.Popen([*command, name], cwd=root) for name in ("BTC/USDT", "ETH/USDT", "BTC/USDT")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    store = BarStore(path)
    assert [(each["instrument"], each["bars"]) for each in store.stats()["series"]] == [
        ("BTC/USDT", 2000),
        ("ETH/USDT", 2000),
    ]
    assert store.stats()["tables"]["covered"] == 2
    store.close()


def test_a_writer_that_waits_too_long_is_told(path: str) -> None:
    store = BarStore(path, busy_seconds=0.05)
    other = apsw.Connection(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="try again") as caught:
        store.put([bar()])
    assert caught.value.retryable
    assert store.read(BTC, "1m", 0, 2**62) == []  # readers do not wait
    other.execute("ROLLBACK")
    assert store.put([bar()]) == 1
    other.close()
    store.close()


def test_a_reader_that_finds_no_free_connection_is_told(path: str) -> None:
    connections = Connections(path, 1, 0.05)
    with connections.reading():
        with pytest.raises(StoreBusy), connections.reading():
            pytest.fail("a second reader got in")
        assert connections.pool() == {"size": 1, "opened": 1, "free": 0}
    with connections.reading() as again:
        assert again.pragma("query_only") == 1
    connections.close()


def test_a_reader_still_at_work_when_the_store_closes_ends_well(path: str) -> None:
    connections = Connections(path, 1, 5)
    waiting: list[type[BaseException]] = []

    def wait() -> None:
        try:
            with connections.reading():
                pytest.fail("a reader got in after the end")
        except StoreClosed as problem:
            waiting.append(type(problem))

    thread = threading.Thread(target=wait)
    with connections.reading() as connection:
        thread.start()
        connections.close()
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
    thread.join(30)
    assert waiting == [StoreClosed]
    with pytest.raises(apsw.ConnectionClosedError):
        connection.execute("SELECT 1")
    with pytest.raises(StoreClosed), connections.writing():
        pytest.fail("a writer got in after the end")


def test_a_reader_sees_one_state_to_its_end(path: str) -> None:
    store, connections = BarStore(path), Connections(path, 1, 1)
    with connections.reading() as connection:
        before = connection.execute(READS["all_series"]).fetchall()
        store.put([bar()])
        assert connection.execute(READS["all_series"]).fetchall() == before == []
    with connections.reading() as connection:
        assert len(connection.execute(READS["all_series"]).fetchall()) == 1
    connections.close()
    store.close()


def test_what_fails_in_the_middle_leaves_nothing(path: str) -> None:
    connections = Connections(path, 2, 1)
    store = BarStore(path)
    store.put([bar(0)])

    def break_off() -> None:
        with connections.writing() as connection:
            connection.execute(WRITES["new_series"], ("ETH/USDT", "1m"))
            connection.execute("INSERT INTO bars SELECT * FROM nowhere")

    with pytest.raises(StoreError, match="no such table"):
        break_off()
    assert [each["instrument"] for each in store.stats()["series"]] == [BTC]
    assert store.put([bar(1)]) == 1
    connections.close()
    store.close()


# ---- SQL ----


@pytest.mark.parametrize(
    "name", [*sorted(set(READS) - {"all_series", "count_covered"}), "prune", "uncover", "cut_covered"]
)
def test_every_question_finds_by_a_key(path: str, name: str) -> None:
    BarStore(path).close()
    connection = apsw.Connection(path)
    sql = (READS | WRITES)[name]
    numbered = {letter for letter in "123" if f"?{letter}" in sql}
    values = [1] * (len(numbered) or sql.count("?"))
    plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()]
    connection.close()
    assert any("USING PRIMARY KEY" in step or "USING COVERING INDEX" in step for step in plan), plan
    whole = {"SCAN CONSTANT ROW"} | {step for step in plan if step.startswith("SCAN (subquery")}
    assert not [step for step in plan if step.startswith("SCAN") and step not in whole], plan
    assert not [step for step in plan if "TEMP B-TREE" in step], plan
