import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.http.streaming import SECONDS, Client, Server, fill, serving, until

import onebook
from onebook.book.log import WHOLE, make_filter
from onebook.domain.reports import as_json
from onebook.feed.tail import TailEntry
from onebook.http.frames import EntryFrames
from onebook.http.lines import Pace

CHILD = Path(__file__).with_name("serving_child.py")
WRITER = Path(__file__).with_name("writing_child.py")
QUICK = Pace(beat_seconds=0.2, stuck_seconds=1.0, check_seconds=0.2, prices_per_second=5)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[onebook.Book]:
    with onebook.open(tmp_path / "book.db") as opened:
        yield opened


@pytest.fixture
def server(book: onebook.Book) -> Iterator[Server]:
    with serving(book, QUICK) as started:
        yield started


def logged(book: onebook.Book, **filters: Any) -> list[tuple[str, str]]:
    """Return (id, JSON) of what the log holds, as ``onebook tail --json`` prints it."""
    return [(event.id, as_json(event)) for event in book.events(after=0, **filters)]


def told(frames: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(frame["id"], frame["data"]) for frame in frames]


def varied(book: onebook.Book) -> None:
    for number in range(12):
        where = {"instrument": ("BTC/USDT", "ETH/USDT")[number % 2], "strategy": ("", "trend", "breakout")[number % 3]}
        book.record(fill(number, account=("main", "second")[number % 4 // 2], **where))
    book.publish("desk.moved", {"text": "umlaut ä\nand a line"})


# ---- the frames ----


def test_a_frame_has_the_events_id_its_type_and_the_json_of_tail(book: onebook.Book, server: Server) -> None:
    varied(book)
    whole = logged(book)
    with Client(f"{server.url}/v1/events?after=0") as client:
        frames = client.frames(len(whole))
        assert told(frames) == whole
        assert [frame["event"] for frame in frames] == [event.type for event in book.events(after=0)]
        assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert client.retry == "2000"


def test_without_a_place_it_starts_now(book: onebook.Book, server: Server) -> None:
    varied(book)
    with Client(f"{server.url}/v1/events") as client:
        receipt = book.record(fill(100))
        assert client.frame()["id"] == f"{receipt.sequence}.1"


def test_it_resumes_behind_every_frame_without_a_gap_or_a_double(book: onebook.Book, server: Server) -> None:
    varied(book)
    whole = logged(book)
    for number, (last, _) in enumerate(whole):
        rest = whole[number + 1 :]
        with Client(f"{server.url}/v1/events?after=0", last=last) as client:
            assert told(client.frames(len(rest))) == rest


def test_a_sequence_resumes_behind_its_whole_entry(book: onebook.Book, server: Server) -> None:
    varied(book)
    with Client(f"{server.url}/v1/events?after=3") as client:
        assert client.frame()["id"] == "4.1"


@pytest.mark.parametrize(
    "filters",
    [
        {"types": "trade_*"},
        {"types": "position_updated,desk.moved"},
        {"instruments": "ETH/USDT"},
        {"accounts": "second"},
        {"strategies": "trend,breakout"},
        {"strategies": ""},
        {"types": "trade_executed", "instruments": "BTC/USDT", "accounts": "main", "strategies": "trend"},
        {"min_amount": "600.05", "types": "trade_executed"},
    ],
)
def test_filters_let_through_what_they_let_through_elsewhere(
    book: onebook.Book, server: Server, filters: dict[str, str]
) -> None:
    varied(book)
    expected = logged(book, **filters)
    assert expected
    with httpx.Client() as address:
        url = address.build_request("GET", f"{server.url}/v1/events", params=filters | {"after": "0"}).url
    with Client(str(url)) as client:
        assert told(client.frames(len(expected))) == expected
        varied_again = book.record(fill(1000, account="second", strategy="trend", instrument="ETH/USDT")).sequence
        more = logged(book, **filters)[len(expected) :]
        assert told(client.frames(len(more))) == more
        assert all(event_id.startswith(f"{varied_again}.") for event_id, _ in more)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("after=x", "after"),
        ("after=-1", "after"),
        ("type=trade_*", "type"),
        ("min_amount=much", "min_amount"),
        ("prices_per_second=99", "prices_per_second"),
        ("prices_per_second=fast", "prices_per_second"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_name(server: Server, query: str, said: str) -> None:
    with Client(f"{server.url}/v1/events?{query}") as client:
        problem = client.problem()
    assert problem["status"] == 400
    assert problem["detail"].startswith(said)


def test_more_than_a_page_and_more_than_is_kept_in_memory_comes_whole(book: onebook.Book, server: Server) -> None:
    book.record_many(fill(number) for number in range(3000))
    whole = logged(book)
    with Client(f"{server.url}/v1/events?after=0") as first, Client(f"{server.url}/v1/events?after=0") as second:
        assert told(first.frames(len(whole))) == whole
        assert told(second.frames(len(whole))) == whole


def test_a_reader_ahead_of_the_log_is_told_to_begin_anew_and_goes_on_from_the_head(
    book: onebook.Book, server: Server
) -> None:
    receipt = book.record(fill(1))
    with Client(f"{server.url}/v1/events", last="900.1") as client:
        reset = client.frame()
        assert (reset["event"], reset["id"]) == ("reset", str(receipt.sequence))
        assert json.loads(reset["data"])["head"] == receipt.sequence
        following = book.record(fill(2))
        assert client.frame()["id"] == f"{following.sequence}.1"


def test_a_reader_of_another_epoch_is_told_to_begin_anew(tmp_path: Path, book: onebook.Book, server: Server) -> None:
    varied(book)
    with Client(f"{server.url}/v1/events?after=0") as client:
        name = client.headers["onebook-book"]
    book.backup(tmp_path / "copy.db")
    onebook.restore(str(tmp_path / "copy.db"), str(tmp_path / "restored.db"))
    with onebook.open(tmp_path / "restored.db") as restored, serving(restored, QUICK) as other:
        with Client(f"{other.url}/v1/events?after=1&book={name}") as client:
            assert client.frame()["event"] == "reset"
            now = client.headers["onebook-book"]
            assert now != name
        with Client(f"{other.url}/v1/events?after=1&book={now}") as client:
            assert client.frame()["id"] == "2.1"


def test_who_came_before_the_first_entry_goes_on(server: Server, book: onebook.Book) -> None:
    with Client(f"{server.url}/v1/events?after=0") as client:
        name = client.headers["onebook-book"]
    assert name == "new:0"
    varied(book)
    with Client(f"{server.url}/v1/events?after=1&book={name}") as client:
        assert client.frame()["id"] == "2.1"
        assert client.headers["onebook-book"] != name


def test_an_entry_that_cannot_be_read_is_shown_as_such_and_never_left_out() -> None:
    damaged = EntryFrames(TailEntry(7, '{"at": 1, "type": "trade_'))
    (frame,) = damaged.after((0, WHOLE), make_filter())
    assert frame.event_id == "7"
    assert json.loads(frame.json)["data"]["code"] == "CorruptLog"


def test_a_silent_stream_says_that_it_is_alive(server: Server, book: onebook.Book) -> None:
    with Client(f"{server.url}/v1/events") as client:
        time.sleep(QUICK.beat_seconds * 3)
        book.record(fill(1))
        client.frame()
        assert client.comments
        assert set(client.comments) == {": beat"}


def test_a_reader_passes_over_what_it_does_not_want(book: onebook.Book, server: Server) -> None:
    with Client(f"{server.url}/v1/events?types=desk.moved") as client:
        for number in range(5):
            book.record(fill(number))
        until(lambda: server.stream.statistics().readers == 1 and server.stream.statistics().lag == 0)
        book.publish("desk.moved")
        assert client.frame()["id"] == "6.1"


# ---- prices ----


def test_prices_are_told_conflated_and_the_newest_always_comes(book: onebook.Book, server: Server) -> None:
    book.record(fill(1))
    with Client(f"{server.url}/v1/events?types=price_updated,position_updated") as client:
        begun = time.monotonic()
        for number in range(2000):
            book.mark("BTC/USDT", 60_000 + number)
            if number % 20 == 0:
                time.sleep(0.01)
        took = time.monotonic() - begun
        prices: list[Any] = []
        positions: list[Any] = []
        while not positions or positions[-1]["data"]["mark"] != "61999":
            frame = client.frame()
            assert "id" not in frame
            event = json.loads(frame["data"])
            (prices if event["type"] == "price_updated" else positions).append(event)
        assert prices[-1]["data"]["new_price"] == "61999"
        assert all(event["data"]["cause"] == "mark" for event in positions)
        assert len(prices) <= took * QUICK.prices_per_second + 2
        olds = [event["data"]["old_price"] for event in prices]
        assert olds == [None, *(event["data"]["new_price"] for event in prices[:-1])]


def test_a_client_may_wish_for_no_prices(book: onebook.Book, server: Server) -> None:
    with Client(f"{server.url}/v1/events?prices_per_second=0") as silent, Client(f"{server.url}/v1/events") as other:
        book.mark("BTC/USDT", 60_000)
        assert other.frame()["event"] == "price_updated"
        receipt = book.record(fill(1))
        assert silent.frame()["id"] == f"{receipt.sequence}.1"


def test_prices_of_another_process_come_too(tmp_path: Path, book: onebook.Book, server: Server) -> None:
    book.record(fill(1))
    with (
        onebook.open(tmp_path / "book.db") as other,
        Client(f"{server.url}/v1/events?types=price_updated") as client,
    ):
        until(lambda: server.stream.statistics().readers)
        time.sleep(0.3)  # what was there at first is no news
        other.mark("BTC/USDT", 70_000)
        other.share_marks()
        assert json.loads(client.frame()["data"])["data"]["new_price"] == "70000"


# ---- who may, and the end ----


def test_a_stream_ends_when_its_token_is_revoked(book: onebook.Book, server: Server) -> None:
    secret = server.token("viewer", "maria")
    with Client(f"{server.url}/v1/events", headers={"Authorization": f"Bearer {secret}"}) as client:
        token = next(item for item in book.facts("token") if item.name == "maria")
        book.record(onebook.Token(name="maria", role="viewer", digest=token.digest, is_revoked=True))
        assert [frame["event"] for frame in client.rest()] == ["token_defined"]


def test_streams_end_whole_when_the_service_stops(book: onebook.Book) -> None:
    with serving(book) as server, Client(f"{server.url}/v1/events?after=0") as client:
        book.record(fill(1))
        client.frames(2)
        server.close()
        assert client.rest() == []


def test_a_client_that_never_reads_does_not_hold_up_the_end(book: onebook.Book) -> None:
    with serving(book) as server, contextlib.closing(_deaf(server)):
        for _ in range(100):
            book.publish("desk.note", {"text": "x" * 60_000})
        until(lambda: server.stream.statistics().lag)
        begun = time.monotonic()
        server.close()
        assert time.monotonic() - begun < SECONDS


def test_more_clients_than_there_may_be_are_refused_and_told_to_come_back(book: onebook.Book) -> None:
    with (
        serving(book, Pace(most_lines=1)) as server,
        Client(f"{server.url}/v1/events"),
        Client(f"{server.url}/v1/events") as second,
    ):
        assert (second.status, second.headers["retry-after"]) == (429, "10")


# ---- many, and those that do not read ----


def _deaf(server: Server) -> socket.socket:
    """Return a client that asks for everything and never reads."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, port = server.url.removeprefix("http://").split(":")
    made.connect((host, int(port)))
    made.sendall(f"GET /v1/events?after=0 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    return made


async def _count(url: str, wanted: int, done: list[int]) -> None:
    """Read so many frames with as little work as possible."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /v1/events?after=0&types=trade_executed HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    heard, left = 0, b""
    while heard < wanted:
        data = left + await reader.read(65_536)
        heard += data.count(b"event: trade_executed\n")
        left = data[data.rfind(b"\n") + 1 :]
    done.append(heard)
    writer.close()


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _with_many(book: onebook.Book, each: int, notes: int, fills: int) -> None:
    """Serve so many who read and so many who never do; the writer, and those who read, get on."""
    with serving(book, Pace(stuck_seconds=2.0)) as server, contextlib.ExitStack() as deaf:
        for _ in range(each):
            deaf.enter_context(contextlib.closing(_deaf(server)))
        until(lambda: server.stream.statistics().lines["events"] == each)
        done: list[int] = []

        async def readers() -> None:
            await asyncio.wait_for(asyncio.gather(*(_count(server.url, fills, done) for _ in range(each))), 300)

        book.record(fill(0))
        before = _rss()
        for number in range(1, fills):
            book.record(fill(number))
        for _ in range(notes):
            book.publish("desk.note", {"text": "x" * 60_000})
        asyncio.run(readers())
        assert done == [fills] * each
        until(lambda: server.stream.statistics().cut == each, 60)
        until(lambda: server.stream.statistics().lines["events"] == 0)
        assert _rss() - before < 100_000_000 + each * 400_000


def test_a_hundred_clients_of_which_half_never_read(book: onebook.Book) -> None:
    _with_many(book, each=50, notes=100, fills=300)


@pytest.mark.torture
def test_a_thousand_clients_of_which_half_never_read(book: onebook.Book) -> None:
    _with_many(book, each=500, notes=100, fills=1000)


# ---- processes ----


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


@contextlib.contextmanager
def child(path: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(path), str(port)], stdout=subprocess.PIPE, text=True
    ) as made:
        try:
            assert made.stdout is not None
            assert made.stdout.readline().startswith("http")
            yield made
        finally:
            made.kill()


def _followed(url: str, last: str) -> list[dict[str, Any]]:
    """Read until the connection breaks, the writer is done, or fifty came."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(httpx.HTTPError), Client(url, last=last) as client:
        while len(found) < 50 and not _is_done(found):
            found.append(client.frame())
    return found


def _is_done(frames: list[dict[str, Any]]) -> bool:
    return bool(frames) and frames[-1]["event"] == "writer.done"


def test_nothing_is_missing_or_doubled_over_kills_of_the_server_while_another_process_writes(tmp_path: Path) -> None:
    path, port = tmp_path / "book.db", _free_port()
    with onebook.open(path) as book:
        book.record(fill(10_000))
    url = f"http://127.0.0.1:{port}/v1/events?prices_per_second=0&after=0"
    heard: list[dict[str, Any]] = []
    kills = 0
    with subprocess.Popen([sys.executable, str(WRITER), str(path), "150", "100"]) as writer:
        end = time.monotonic() + 90
        while not _is_done(heard) and time.monotonic() < end:
            with child(path, port) as running:
                killer = threading.Timer(0.4, running.kill)
                killer.start()
                for _ in range(3):
                    heard += _followed(url, heard[-1]["id"] if heard else "")
                killer.join()
                kills += 1
        writer.wait(SECONDS)
    with onebook.open(path) as book:
        assert told(heard) == logged(book)
    assert kills > 1


def test_two_processes_serve_one_book(tmp_path: Path, book: onebook.Book, server: Server) -> None:
    port = _free_port()
    with (
        child(tmp_path / "book.db", port),
        Client(f"http://127.0.0.1:{port}/v1/events?prices_per_second=0") as far,
        Client(f"{server.url}/v1/events?prices_per_second=0") as near,
        httpx.Client(trust_env=False) as poster,
    ):
        for number in range(20):
            book.record(fill(number))
        stated = {"instrument": "ETH/USDT", "side": "buy", "quantity": "1", "price": "3000"}
        assert poster.post(f"http://127.0.0.1:{port}/v1/fills", json=stated).status_code == 201
        whole = logged(book)
        assert told(near.frames(len(whole))) == whole
        assert told(far.frames(len(whole))) == whole
