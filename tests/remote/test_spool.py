"""Facts that are durable here first: in order, each once, over outages, kills and refusals."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.http.conftest import Served
from tests.http.streaming import fill
from tests.remote.conftest import Connect
from tests.remote.line import Script, line_to, problem, until
from tests.remote.test_following import service

import onebook
from onebook import Order, OrderUpdate, Signal
from onebook.domain.facts import AnyFact
from onebook.errors import BadConfig, StoreError, StoreFull
from onebook.intake.adapters.spool import MARK, Spool
from onebook.remote.moments import Moments
from onebook.remote.queue import Queue

BOT = Path(__file__).with_name("bot_child.py")


def ids(book: Any) -> list[str]:
    """The fills in the order of the log."""
    return [event.data["venue_fill_id"] for event in book.events(types="trade_executed")]


REFUSED = [
    ("fill", "NotAllowed"),
    ("fill", "ConflictError"),
    ("account", "NotAllowed"),
    ("order_update", "InvalidTransition"),
]


def refused(path: Path) -> list[dict[str, Any]]:
    text = path.with_name(path.name + ".refused").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_facts_are_queued_and_sent_in_order(served: Served, connect: Connect, tmp_path: Path) -> None:
    book = connect(served.url, spool=tmp_path / "a.spool")
    receipt = book.record(fill(0, strategy="trend"))
    assert (receipt.status, receipt.sequence, receipt.position, receipt.events) == ("queued", 0, None, ())
    assert str(receipt).startswith("queued: BTC/USDT")
    order = book.record(Order(instrument="BTC/USDT", side="buy", quantity="1"))
    assert order.identity.startswith("order|main|")
    name = order.identity.rpartition("|")[2]
    book.record(OrderUpdate(client_order_id=name, status="new"))
    report = book.record_many([fill(number) for number in range(1, 700)])
    assert (report.queued, report.recorded) == (699, 0)  # type: ignore[attr-defined]
    assert book.wait(30)
    assert ids(book) == [str(number) for number in range(700)]
    assert book.fills()[0].identity == receipt.identity
    assert book.orders()[0].status == "new"
    assert book.queued_bytes == 0
    assert not (tmp_path / "a.spool").exists()


def test_a_fact_keeps_the_time_at_which_it_was_queued(served: Served, connect: Connect, tmp_path: Path) -> None:
    with line_to(served.url) as line:
        line.down()
        book = connect(line.url, spool=tmp_path / "a.spool", patience_seconds=0.5)
        before = book.now()
        book.record(fill(1))
        book.record(Signal(instrument="AAPL", action="buy"))
        after = book.now()
        line.up()
        assert book.wait(30)
    assert all(before <= item.occurred_ns <= after for item in [*served.book.fills(), *served.book.facts("signal")])


def test_a_repeat_without_a_time_is_known(served: Served, connect: Connect, tmp_path: Path) -> None:
    again: list[AnyFact] = [fill(1), Order(instrument="AAPL", side="buy", quantity="1", client_order_id="o")]
    for turn in range(3):  # a run each, the last begins in an outage
        with line_to(served.url) as line:
            if turn == 2:
                line.down()
            book = connect(line.url, spool=tmp_path / "a.spool", patience_seconds=0.5)
            for fact in (*again, *again):
                book.record(fact)
            assert book.record_many(again * 2).queued == 4  # type: ignore[attr-defined]
            line.up()
            assert book.wait(30)
            assert book.refused == 0
            book.close()
    assert served.book.status().conflicts == 0
    assert (len(served.book.fills()), len(served.book.orders())) == (1, 1)
    assert served.book.breaks() == []
    contradicting = fill(1).replaced(price="1")
    later = connect(served.url, spool=tmp_path / "a.spool")
    later.record(contradicting)
    assert later.wait(30)
    assert later.refused == served.book.status().conflicts == 1


def test_moments_are_remembered_for_all_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.times"
    first, other = Moments(path, max_bytes=4096), Moments(path, max_bytes=4096)
    assert first.of(["a", "b", "a"], 5) == [5, 5, 5]
    assert other.of(["b", "c"], 6) == [5, 6]
    with path.open("ab") as file:
        file.write(b"0123")  # what a kill cut off
    assert first.of(["c", "d"], 7) == [6, 7]
    for number in range(500):
        other.of([str(number)], number)
        assert path.stat().st_size <= 4096
    assert first.of(["499", "480", "a"], 9) == [499, 480, 9]
    with pytest.raises(StoreError, match="cannot be kept"):
        Moments(tmp_path / "no" / "a.times").of(["a"], 1)


def test_an_outage_loses_nothing_and_doubles_nothing(served: Served, connect: Connect, tmp_path: Path) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, spool=tmp_path / "a.spool", timeout_seconds=2)
        for number in range(300):
            if number in {20, 120}:
                line.down()
            if number in {90, 200}:
                line.up()
            if number % 25 == 0:
                line.swallow = 1
            book.record(fill(number))
        assert book.wait(60)
    assert ids(served.book) == [str(number) for number in range(300)]
    assert served.book.status().conflicts == 0


def test_what_waits_is_sent_by_who_opens_it_next(served: Served, connect: Connect, tmp_path: Path) -> None:
    spool = tmp_path / "deep" / "a.spool"
    with line_to(served.url) as line:
        line.down()
        first = connect(line.url, spool=spool, patience_seconds=0.2, timeout_seconds=0.2)
        for number in range(5):
            first.record(fill(number))
        assert not first.wait(0.1)
        until(lambda: first._queue is not None and first._queue.trouble)
        first.close()
    assert spool.stat().st_size
    second = connect(served.url, spool=spool)
    second.record(fill(5))
    assert second.wait(30)
    assert ids(served.book) == [str(number) for number in range(6)]


def test_refused_facts_are_put_aside_and_the_rest_goes_on(
    served: Served, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool, alerts = tmp_path / "a.spool", list[str]()
    served.book.record(fill(3, price="9"))
    token = served.token("bot", strategy="trend")
    with line_to(served.url) as line:
        line.down()
        book = connect(line.url, token, spool=spool, on_refused=alerts.append)
        given: list[Any] = [
            fill(1), fill(2, strategy="grid"), fill(3),
            onebook.Account(name="mine"), Order(instrument="A", side="buy", quantity="1", client_order_id="o"),
            OrderUpdate(client_order_id="o", status="new"), OrderUpdate(client_order_id="o", status="filled"),
            OrderUpdate(client_order_id="o", status="pending_new"), fill(4),
        ]  # fmt: skip
        book.record_many(given)
        line.up()
        assert book.wait(30)
    assert [event.data["venue_fill_id"] for event in served.book.events(types="trade_executed")] == ["3", "1", "4"]
    rows = refused(spool)
    assert [(row["kind"], row["code"]) for row in rows] == REFUSED
    assert rows[0]["fact"]["venue_fill_id"] == "2"
    assert "trend" in rows[0]["reason"]
    assert len(alerts) == len(rows) == book.refused
    assert "was refused" in caplog.text


def test_a_refusal_is_kept_once_whatever_is_sent_again(served: Served, connect: Connect, tmp_path: Path) -> None:
    spool = tmp_path / "a.spool"
    token = served.token("bot", strategy="trend")
    with line_to(served.url) as line:
        line.down()
        book = connect(line.url, token, spool=spool)
        book.record_many([fill(1, strategy="grid"), fill(2)])
        left = spool.read_bytes()
        line.up()
        assert book.wait(30)
        book.close()
    spool.write_bytes(left)  # as after a kill right before the file was emptied
    again = connect(served.url, token, spool=spool)
    assert again.wait(30)
    assert again.refused == len(refused(spool)) == 1
    assert ids(served.book) == ["2"]


def test_a_full_spool_says_so(connect: Connect, tmp_path: Path) -> None:
    with Script(problem("503 Service Unavailable", "StoreBusy", retryable=True)) as script:
        book = connect(script.url, spool=tmp_path / "a.spool", spool_bytes=4096, timeout_seconds=0.2)
        room = (4096 - len(MARK)) // 400
        for number in range(room):
            book.record(fill(number))
        with pytest.raises(StoreFull, match="takes no more than 4096"):
            book.record_many([fill(number) for number in range(30)])
        assert 0 < book.queued_bytes <= 4096 + 100


def test_a_token_that_is_refused_keeps_facts_waiting(served: Served, connect: Connect, tmp_path: Path) -> None:
    served.token("viewer")
    book = connect(served.url, "obt_wrong", spool=tmp_path / "a.spool")
    book.record(fill(1))
    until(lambda: book._queue is not None and "NotAllowed" in book._queue.trouble)
    assert book.queued_bytes
    assert not book.refused
    book.close()
    assert connect(served.url, served.token("operator"), spool=tmp_path / "a.spool").wait(30)
    assert ids(served.book) == ["1"]


def test_a_file_that_is_no_spool_is_left_alone(connect: Connect, tmp_path: Path) -> None:
    mine = tmp_path / "diary.txt"
    mine.write_text("dear diary")
    with pytest.raises(BadConfig, match="no spool"):
        connect("http://127.0.0.1:1", spool=mine)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadConfig, match="spool"):
        connect("http://127.0.0.1:1", spool=tmp_path / "file" / "a.spool")
    assert mine.read_text() == "dear diary"


@pytest.mark.parametrize("left", ["xyz", "x", "ax"])
def test_a_spool_that_was_replaced_is_sent_from_its_beginning(tmp_path: Path, left: str) -> None:
    spool, sent, fails = Spool(tmp_path / "a.spool"), list[str](), threading.Event()
    fails.set()

    def send(rows: Any) -> list[Any]:
        if fails.is_set() and len(sent) == 2:
            raise onebook.StoreBusy("not now")
        sent.extend(row["id"] for row in rows)
        return []

    spool.append([{"id": name, "kind": "fill", "fact": {}} for name in "abcd"])
    queue = Queue(spool, send, most=1, pause=lambda _: 0.01, emptied=lambda: None, alert=None)
    until(lambda: queue.trouble)
    spool.path.unlink()
    spool.append([{"id": name, "kind": "fill", "fact": {}} for name in left])
    fails.clear()
    assert queue.wait(30)
    queue.close(1, lambda: None)
    assert sent == ["a", "b", *left]


def test_a_spool_of_another_kind_is_left_as_it_is(served: Served, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    Spool(path).append([{"kind": "fill", "data": {}}])
    book = connect(served.url, spool=path)
    until(lambda: book._queue is not None and "no remote book" in book._queue.trouble)
    assert book.queued_bytes
    assert book._queue is not None
    assert book._queue._thread.is_alive()


def test_two_programs_on_one_file_send_everything_once(served: Served, connect: Connect, tmp_path: Path) -> None:
    books = [connect(served.url, spool=tmp_path / "a.spool") for _ in range(2)]
    threads = [
        threading.Thread(target=lambda book=book, base=base: [book.record(fill(base + n)) for n in range(40)])
        for base, book in enumerate([books[0], books[1], books[0], books[1]])
        for base in [base * 1000]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert books[0].wait(30)
    found = ids(served.book)
    assert len(found) == len(set(found)) == 160
    for base in (0, 1000, 2000, 3000):
        assert [item for item in found if base <= int(item) < base + 1000] == [str(base + n) for n in range(40)]


def test_kills_of_bot_and_service_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    path, spool, said = tmp_path / "book.db", tmp_path / "bot.spool", list[int]()
    with line_to("http://127.0.0.1:1") as line:
        for turn in range(2):
            with service(path) as (_, url):
                line.lead_to(url)
                first = said[-1] + 1 if said else 0
                command = [sys.executable, str(BOT), line.url, str(spool), str(first), "1000000"]
                with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bot:
                    assert bot.stdout is not None
                    for _ in range(40):
                        said.append(int(bot.stdout.readline()))
                    if turn % 2:
                        line.cut()
                        bot.kill()
                    else:
                        line.down()
                        said += [int(bot.stdout.readline()) for _ in range(20)]
                        bot.kill()
                        line.up()
                    said += [int(text) for text in bot.stdout.read().split("\n")[:-1]]
        with service(path) as (_, url), onebook.connect(url, spool=spool) as book:
            book.record(fill(10_000_000))
            assert book.wait(60)
    with onebook.open(str(path)) as own:
        found = [int(name) for name in ids(own)]
        assert own.verify().ok
    assert found[-1] == 10_000_000
    assert len(found) == len(set(found))
    assert set(said) <= set(found)
    assert found == sorted(found)
    assert len(found) - 1 - len(said) <= 2  # durable, and killed before it could say so
