"""Following over a line that is cut, a service that is killed, a book that is replaced: no gap, no double."""

import asyncio
import contextlib
import gc
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.http.conftest import Serve, Served
from tests.http.streaming import fill
from tests.remote.conftest import Connect
from tests.remote.line import Line, Script, answer, line_to, until

import onebook
from onebook.book.log import Filter
from onebook.errors import ConflictError, CorruptLog, NotAllowed, SourceError, StoreClosed
from onebook.remote import aio
from onebook.remote.following import BEAT, frames_of

CHILD = Path(__file__).parents[1] / "http" / "serving_child.py"


@contextlib.contextmanager
def service(path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A service in a process of its own, killed at the end."""
    with subprocess.Popen([sys.executable, str(CHILD), str(path), "0"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child, child.stdout.readline().strip()
        finally:
            child.kill()


def numbers(events: Any) -> list[str]:
    return [event.data["venue_fill_id"] for event in events]


def test_events_come_once_over_a_line_that_is_cut(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book, found = connect(line.url), []
        served.book.record(fill(0))
        for event in book.events(types="trade_executed", follow=True):
            found.append(event)
            number = len(found)
            if number == 60:
                break
            if number % 7 == 0:
                line.cut()
            if number % 20 == 0:
                line.down()
                threading.Timer(0.05, line.up).start()
            served.book.record(fill(number))
    assert numbers(found) == [str(number) for number in range(60)]
    assert line.connections > 5
    assert found == list(served.book.events(types="trade_executed"))


def test_events_come_once_over_kills_of_the_service(tmp_path: Path, connect: Connect) -> None:
    path = tmp_path / "book.db"
    with onebook.open(str(path)) as own, contextlib.ExitStack() as stack:
        line = stack.enter_context(contextlib.closing(Line("http://127.0.0.1:1")))
        book, found = connect(line.url), list[onebook.Event]()

        def read() -> None:
            events = book.events(types="trade_*", follow=True)
            found.extend(event for _, event in zip(range(60), events, strict=False))

        reader = threading.Thread(target=read, daemon=True)
        for turn in range(2):
            with service(path) as (_, url):
                line.lead_to(url)
                if not turn:
                    reader.start()
                for number in range(turn * 30, turn * 30 + 20):
                    own.record(fill(number))
                until(lambda turn=turn: line.connections > turn)  # type: ignore[misc]
            for number in range(turn * 30 + 20, turn * 30 + 30):  # nobody serves these
                own.record(fill(number))
        with service(path) as (_, url):
            line.lead_to(url)
            reader.join(30)
    assert numbers(found) == [str(number) for number in range(60)]


def frame(event_id: str) -> str:
    at = '"2024-06-03T12:00:00Z"'
    texts = ", ".join(f'"{name}": ""' for name in ("actor", "correlation_id", "account", "instrument", "strategy"))
    rest = f'"type": "a", "version": 1, "occurred_at": {at}, "recorded_at": {at}, {texts}, "data": {{}}'
    return f'id: {event_id}\nevent: a\ndata: {{"id": "{event_id}", "sequence": {int(float(event_id))}, {rest}}}\n\n'


def test_what_comes_again_is_passed_over(connect: Connect) -> None:
    pieces = [("1.1", "1.2", "2.1"), ("1.2", "2.1", "2.2"), ("1.1", "3.1")]
    streams = [answer("200 OK", "".join(map(frame, ids)), kind="text/event-stream") for ids in pieces]
    with Script(*streams) as script:
        events = connect(script.url).events(follow=True)
        assert [next(events).id for _ in range(5)] == ["1.1", "1.2", "2.1", "2.2", "3.1"]


def test_a_silent_stream_is_begun_anew(served: Served, connect: Connect) -> None:
    with line_to(served.url) as line:
        book = connect(line.url, silence_seconds=0.2)
        events = book.events(follow=True)
        served.book.record(fill(1))
        assert next(events).sequence == 1
        line.mute = True
        served.book.record(fill(2))
        before = line.connections

        def unmute() -> None:
            until(lambda: line.connections > before)
            line.mute = False

        threading.Thread(target=unmute).start()
        found = [next(events) for _ in range(3)]
        assert [item.sequence for item in found] == [1, 2, 2]
        assert line.connections > before


def test_following_ends_after_a_time_without_news(served: Served, connect: Connect) -> None:
    served.book.record(fill(1))
    book = connect(served.url)
    assert [event.type for event in book.events(follow=True, timeout=0.2)] == ["trade_executed", "position_updated"]
    assert numbers(book.events(types="trade_executed", follow=True, timeout=0.2)) == ["1"]


def test_a_book_that_was_replaced_is_told(served: Served, serve: Serve, connect: Connect) -> None:
    other = serve()
    for number in range(5):
        served.book.record(fill(number))
    other.book.record(fill(7))
    with line_to(served.url) as line:
        book, heard = connect(line.url), list[str]()
        events = book.events(follow=True)
        listener = book.listen(lambda event: heard.append(event.type), after=0, types="trade_*")
        assert len([next(events) for _ in range(10)]) == 10
        until(lambda: len(heard) == 5)
        line.lead_to(other.url)
        line.cut()
        with pytest.raises(ConflictError, match="read everything again") as caught:
            next(events)
        assert caught.value.head == 1
        until(lambda: "reset" in heard)
        other.book.record(fill(8))
        until(lambda: heard[-2:] == ["reset", "trade_executed"])
        assert listener.errors == 0


def test_refusals_end_it_and_other_failures_do_not(served: Served, connect: Connect) -> None:
    token = served.token("viewer")
    with pytest.raises(NotAllowed):
        next(connect(served.url, "obt_wrong").events(follow=True))
    with pytest.raises(SourceError):
        next(connect("http://127.0.0.1:1", patience_seconds=0.2).events(follow=True))
    with line_to(served.url) as line:
        events = connect(line.url, token).events(follow=True, types="trade_*")
        served.book.record(fill(1))
        assert next(events).type == "trade_executed"
        digest = served.book.facts("token")[0].digest
        served.book.record(onebook.Token(name="viewer", role="viewer", digest=digest, is_revoked=True))
        line.cut()
        with pytest.raises(NotAllowed, match="revoked"):
            next(events)


def test_listeners_hear_events_and_prices(served: Served, connect: Connect) -> None:
    book, heard = connect(served.url), list[Any]()
    served.book.record(fill(1))

    def handler(event: onebook.Event) -> None:
        heard.append(event)
        if len(heard) == 2:
            raise ValueError("mine")

    with book.listen(handler) as listener:
        served.book.record(fill(2))
        until(lambda: len(heard) >= 2)
        until(lambda: listener.errors == 1)
        served.book.mark("BTC/USDT", "70000")
        until(lambda: "price_updated" in {item.type for item in heard})
        assert "mine" in listener.last_error
    assert listener.closed
    assert "1" not in {item.data.get("venue_fill_id") for item in heard}


def test_an_entry_that_cannot_be_read_is_no_gap(served: Served, connect: Connect) -> None:
    for number in range(3):
        served.book.record(fill(number))
    stream = (
        b'id: 2\nevent: unreadable\ndata: {"id":"2","sequence":2,"type":"unreadable","data":{"code":"CorruptLog"}}\n\n'
    )
    [found] = list(frames_of(iter([stream[:20], stream[20:]])))
    from onebook.remote.following import event_of

    with pytest.raises(CorruptLog):
        event_of(found)


def test_frames_are_read_whatever_their_pieces() -> None:
    text = 'retry: 2000\n\nid: 1.1\nevent: a\ndata: {"x": "\u2028\\n"}\n\n: beat\n\nevent: p\ndata: 1\n\n'.encode()
    for size in (1, 2, 7, len(text)):
        pieces = iter([text[place : place + size] for place in range(0, len(text), size)])
        found = list(frames_of(pieces))
        assert [(item.id, item.name) for item in found] == [("1.1", "a"), ("", ""), ("", "p")]
        assert found[1] is BEAT


def test_paths_are_watched(served: Served, connect: Connect) -> None:
    changes: dict[str, list[Any]] = {"far": [], "near": []}
    book = connect(served.url)
    served.book.state.set("bots.a", 1)
    listeners: list[Any] = [
        book.state.watch("bots", changes["far"].append), served.book.state.watch("bots", changes["near"].append),
        book.state.watch("positions.*", changes.setdefault("positions", []).append),
    ]  # fmt: skip
    served.book.state.set("bots.a", 2, source="desk")
    served.book.state.delete("bots.a")
    served.book.record(fill(1))
    until(lambda: len(changes["far"]) == len(changes["near"]) == 2 and changes["positions"])
    assert changes["far"] == changes["near"]
    assert [(item.value, item.old) for item in changes["far"]] == [(2, 1), (None, 2)]
    for listener in listeners:
        listener.close()


def test_event_loops_follow_and_ask(served: Served, connect: Connect) -> None:
    book = connect(served.url)

    async def run() -> list[str]:
        found = []
        events = book.aio.events(types="trade_executed")
        first = asyncio.ensure_future(anext(events))
        receipts: list[onebook.Receipt] = []
        while not first.done():
            receipts.append(await book.aio.record(fill(len(receipts))))
        receipts += await asyncio.gather(*(book.aio.record(fill(number)) for number in range(100, 140)))
        found.append((await first).type)
        async for event in events:
            found.append(event.type)
            if len(found) == 41:
                break
        await events.aclose()  # type: ignore[attr-defined]
        assert len({item.sequence for item in receipts}) == len(receipts)
        assert (await book.aio.position("BTC/USDT")).quantity > 0
        assert await book.aio.state.set("a", 1) == 1
        assert (await book.aio.trading.halt("x")) == "HALTED"
        history = [event async for event in book.aio.events(after=0, follow=False, types="trade_executed")]
        assert len(history) == len(receipts)
        with pytest.raises(AttributeError):
            _ = book.aio.nothing
        return found

    assert set(asyncio.run(run())) == {"trade_executed"}


def test_a_cancelled_follower_ends(served: Served, connect: Connect) -> None:
    book = connect(served.url)

    async def run() -> None:
        came = asyncio.Event()

        async def follow() -> None:
            async for _ in book.aio.events(after=0):
                came.set()

        task = asyncio.create_task(follow())
        served.book.record(fill(1))
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    until(lambda: not [item for item in threading.enumerate() if item.name.startswith("onebook-remote-events")])


def test_a_slow_loop_gets_every_event_and_the_reader_waits_for_it(
    served: Served, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio, "MAX_WAITING", 4)
    book = connect(served.url)
    for number in range(30):
        served.book.record(fill(number))

    async def run() -> list[int]:
        came: list[int] = []
        async for event in book.aio.events(after=0, types="trade_executed"):
            came.append(event.sequence)
            await asyncio.sleep(0.05 if len(came) < 3 else 0)
            if len(came) == 30:
                break
        return came

    came = asyncio.run(run())
    assert came == sorted(set(came))
    assert len(came) == 30


def test_nothing_is_left_behind_by_a_loop_that_closes(served: Served, connect: Connect) -> None:
    following = connect(served.url).following({}, 0)
    loop = asyncio.new_event_loop()
    inbox = aio._Inbox(loop, following, Filter())
    loop.close()
    served.book.record(fill(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inbox.read()
        gc.collect()
    inbox.close()


def test_closing_ends_who_follows(served: Served, connect: Connect) -> None:
    book, ended = connect(served.url), threading.Event()

    def read() -> None:
        with contextlib.suppress(StoreClosed):
            list(book.events(follow=True))
        ended.set()

    thread = threading.Thread(target=read, daemon=True)
    listener = book.listen(print)
    thread.start()
    until(lambda: listener._following._stream is not None)
    book.close()
    assert listener.closed
    assert not listener._thread.is_alive()
    assert ended.wait(60)
