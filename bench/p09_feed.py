"""P9: how soon and how fast those who follow are told, in the process and in another; what that costs the writer."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles

from bench.figures import Context, Line, Raw, middle
from bench.workload import fills, opened
from onebook import Book, Event, Fill

PER_SECOND = 1_000
ACROSS_PER_SECOND = 100
WRITER_PER_SECOND = 300
FOLLOWER = Path(__file__).with_name("p09_follower.py")


def run(context: Context) -> list[Line]:
    """Return a line each for one process, replay, two processes, a follower at rest, and the writer."""
    return [*_one_process(context), _replay(context), *_two_processes(context), *_writer(context)]


def p50_p99(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the middle and the 99th percentile, in milliseconds."""
    cuts = quantiles(seconds, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def paced(ready: Sequence[Fill], per_second: int) -> Iterator[Fill]:
    """Yield fills at a steady pace; one that is late does not hurry the next."""
    due = time.perf_counter()
    for fill in ready:
        due = max(due + 1 / per_second, time.perf_counter())
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        yield fill


# ---- in one process ----


def _one_process(context: Context) -> list[Line]:
    count = context.size(10_000, 1_000)
    heard: list[float] = []
    begun: list[float] = []
    ended: list[float] = []
    done = threading.Event()

    def handler(_: Event) -> None:
        heard.append(time.perf_counter())
        if len(heard) == count:
            done.set()

    with opened(context.folder / "p9-one.db") as book:
        book.record_many(fills(0, 2_000))
        ready = list(fills(2_000, count))
        book.subscribe("bench", handler, types="trade_executed")
        for fill in paced(ready, PER_SECOND):
            begun.append(time.perf_counter())
            book.record(fill)
            ended.append(time.perf_counter())
        done.wait(30)
    whole = p50_p99([there - here for here, there in zip(begun, heard, strict=True)])
    recording = p50_p99([there - here for here, there in zip(begun, ended, strict=True)])
    after = p50_p99([there - here for here, there in zip(ended, heard, strict=True)])
    numbers: Raw = {
        "p50_ms": whole[0],
        "record_p50_ms": recording[0],
        "record_p99_ms": recording[1],
        "after_record_p50_ms": after[0],
        "after_record_p99_ms": after[1],
    }
    return [
        Line(
            figure="P9", work=f"call of record → durable subscriber, p99 at {PER_SECOND:,}/s", value=whole[1],
            unit="ms", bar=2, direction="at_most", raw=numbers, includes="the record itself, synchronous FULL",
        )
    ]  # fmt: skip


# ---- replay ----


def _replay(context: Context) -> Line:
    count = context.size(500_000, 20_000)
    path = context.folder / "p9-replay.db"
    with opened(path) as book:
        for first in range(0, count, 20_000):
            book.record_many(fills(first, min(20_000, count - first)))
    speeds = [_replayed(path, turn) for turn in range(context.rounds)]
    return Line(
        figure="P9", work="replay to a durable subscriber", value=middle(speeds), unit="events/s", bar=200_000,
        raw={"least": min(speeds), "most": max(speeds), "entries": count},
        includes="read, decoded, filtered, handler called, checkpoints; event data not looked at",
    )  # fmt: skip


def _replayed(path: Path, turn: int) -> float:
    told, done = 0, threading.Event()
    with opened(path) as book:
        last = book.status().entries

        def handler(event: Event) -> None:
            nonlocal told
            told += 1
            if event.sequence == last and event.type != "trade_executed":
                done.set()

        begun = time.perf_counter()
        book.subscribe(f"replay-{turn}", handler, start="beginning")
        done.wait(600)
        return told / (time.perf_counter() - begun)


# ---- two processes ----


def _two_processes(context: Context) -> list[Line]:
    count = context.size(3_000, 300)
    path = context.folder / "p9-two.db"
    sent: dict[int, float] = {}
    with opened(path) as book:
        book.record_many(fills(0, 1_000))
        ready = list(fills(1_000, count))
        command = [sys.executable, str(FOLLOWER), str(path), str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
            _line(follower)
            for fill in paced(ready, ACROSS_PER_SECOND):
                sequence = book.record(fill).sequence
                sent[sequence] = time.monotonic()
            heard = {int(key): value for key, value in json.loads(_line(follower)).items()}
            idle = json.loads(_line(follower))
    late = p50_p99([max(heard[sequence] - sent[sequence], 0.0) for sequence in sent])
    return [
        Line(
            figure="P9", work=f"recorded in one process → heard in another, p99 at {ACROSS_PER_SECOND}/s",
            value=late[1], unit="ms", bar=50, direction="at_most", raw={"p50_ms": late[0]},
            includes="from the return of record; one file, no message between them",
        ),
        Line(
            figure="P9", work="a process that follows a file at rest", value=idle["cores"] * 100, unit="% of a core",
            bar=1, direction="at_most", raw={"seconds": idle["seconds"]},
        ),
    ]  # fmt: skip


def _line(follower: "subprocess.Popen[str]") -> str:
    found = follower.stdout.readline() if follower.stdout is not None else ""
    if not found:
        msg = "the following process ended early"
        raise subprocess.SubprocessError(msg)
    return found


# ---- what it costs the writer ----


def _writer(context: Context) -> list[Line]:
    count = context.size(3_000, 300)
    alone: list[tuple[float, float]] = []
    followed: list[tuple[float, float]] = []
    with opened(context.folder / "p9-alone.db") as one, opened(context.folder / "p9-ten.db") as other:
        for book in (one, other):
            book.record_many(fills(0, 2_000))
        go = _ten(other)
        for turn in range(context.rounds):
            ready = list(fills(2_000 + turn * count, count))
            sides = [(one, alone), (other, followed)]
            for book, found in sides if turn % 2 else reversed(sides):
                found.append(_latency(book, ready))
        go.set()
    ratios = [[mine[cut] / bare[cut] for mine, bare in zip(followed, alone, strict=True)] for cut in (0, 1)]
    numbers: Raw = {
        "alone_p50_ms": middle([each[0] for each in alone]),
        "ten_p50_ms": middle([each[0] for each in followed]),
        "alone_p99_ms": middle([each[1] for each in alone]),
        "ten_p99_ms": middle([each[1] for each in followed]),
    }
    work = f"a record at {WRITER_PER_SECOND}/s before ten listeners (3 slow, 1 stuck, 1 raising) beside none"
    return [
        Line(
            figure="P9", work=f"{work}: p50", value=middle(ratios[0]), unit="×", bar=1.10, direction="at_most",
            raw=numbers, includes="the record alone; the listeners work meanwhile on the same cores",
        ),
        Line(figure="P9", work=f"{work}: p99", value=middle(ratios[1]), unit="×", bar=1.10, direction="at_most"),
    ]  # fmt: skip


def _ten(book: Book) -> threading.Event:
    """Add ten listeners of every kind; the stuck one waits for what is returned."""
    go = threading.Event()

    def raising(_: Event) -> None:
        raise ValueError

    for _ in range(3):
        book.listen(lambda _: time.sleep(0.05))
    book.listen(lambda _: go.wait())
    book.listen(raising)
    for _ in range(5):
        book.listen(lambda _: None)
    return go


def _latency(book: Book, ready: Sequence[Fill]) -> tuple[float, float]:
    took = []
    for fill in paced(ready, WRITER_PER_SECOND):
        begun = time.perf_counter()
        book.record(fill)
        took.append(time.perf_counter() - begun)
    return p50_p99(took)
