"""P2: 32 callers that each wait for durability: tasks of an event loop, then threads."""

import asyncio
import threading

from bench.figures import Context, Line, Raw, middle, ratio, slow_sync
from bench.peer import Peer
from bench.workload import fills, opened, per_second, raw_row, raw_single, raw_store
from onebook import Book, Fill

CALLERS = 32
INCLUDES = "as P1; each caller records the next fill when the last is durable"
BARS = {"tasks": 4.0, "threads": 2.5}


def run(context: Context) -> list[Line]:
    """Return a line for tasks and one for threads, for each kind of sync."""
    return [line for synchronous in ("full", "normal") for line in _with(context, synchronous)]


def _with(context: Context, synchronous: str) -> list[Line]:
    each = context.size(400, 25)
    count = each * CALLERS
    single = count // 2 if synchronous == "full" else count
    found: dict[str, list[float]] = {"tasks": [], "threads": [], "bare": [], "nautilus": []}
    raw = raw_store(context.folder / f"p2-raw-{synchronous}.db", synchronous)
    with (
        opened(context.folder / f"p2-{synchronous}.db", synchronous) as book,
        Peer("nautilus", "nautilus_fills") as nautilus,
    ):
        book.record_many(fills(0, 2_000))
        first = 2_000
        for _turn in range(context.rounds):
            tasks = list(fills(first, count))
            threads = list(fills(first + count, count))
            rows = [raw_row(fill) for fill in tasks][:single]
            first += 2 * count
            found["tasks"].append(per_second(lambda: asyncio.run(_tasks(book, tasks)), count))  # noqa: B023
            found["bare"].append(per_second(lambda: raw_single(raw, rows), single))  # noqa: B023
            found["threads"].append(per_second(lambda: _threads(book, threads), count))  # noqa: B023
            speed = nautilus.rate(work="engine", count=2_000)
            if speed is not None:
                found["nautilus"].append(speed)
    raw.close()
    return [_line(kind, synchronous, found) for kind in BARS]


def _line(kind: str, synchronous: str, found: dict[str, list[float]]) -> Line:
    peer = middle(found["nautilus"]) if found["nautilus"] else None
    numbers: Raw = {
        "onebook_per_s": middle(found[kind]),
        "bare_single_per_s": middle(found["bare"]),
        "nautilus_engine_nothing_durable_per_s": peer,
        "onebook_to_nautilus": ratio(middle(found[kind]), peer),
    }
    if synchronous == "full":
        numbers |= slow_sync(middle(found["bare"]))
    return Line(
        figure="P2",
        work=f"{CALLERS} {kind}, synchronous {synchronous.upper()}",
        value=middle([mine / bare for mine, bare in zip(found[kind], found["bare"], strict=True)]),
        unit="× bare single commits",
        bar=BARS[kind] if synchronous == "full" else None,
        raw=numbers,
        includes=INCLUDES,
    )


async def _tasks(book: Book, ready: list[Fill]) -> None:
    async def caller(own: list[Fill]) -> None:
        for fill in own:
            await book.aio.record(fill)

    await asyncio.gather(*(caller(ready[number::CALLERS]) for number in range(CALLERS)))


def _threads(book: Book, ready: list[Fill]) -> None:
    def caller(own: list[Fill]) -> None:
        for fill in own:
            book.record(fill)

    threads = [threading.Thread(target=caller, args=(ready[number::CALLERS],)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
