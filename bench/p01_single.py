"""P1: one durable ``record`` beside a bare one-row insert and commit, eventsourcing and freqtrade's ORM."""

import time

from bench.figures import Context, Line, Raw, middle, ratio, slow_sync
from bench.peer import Peer
from bench.workload import fills, opened, per_second, raw_row, raw_single, raw_store

INCLUDES = (
    "entry with hash, identity, movements, position, fold points, closed trips, day rows, tally, views' indexes; "
    "bare: one table without index"
)
BARS = {"full": 0.70, "normal": 0.25}


def run(context: Context) -> list[Line]:
    """Return a line per kind of sync."""
    return [_with(context, synchronous) for synchronous in ("full", "normal")]


def _with(context: Context, synchronous: str) -> Line:
    count = context.size(5_000, 400)
    bare_count = count * (1 if synchronous == "full" else 10)
    ours: list[float] = []
    bare: list[float] = []
    busy: dict[str, list[float]] = {"onebook": [], "bare": []}
    peers: dict[str, list[float]] = {"eventsourcing": [], "freqtrade": []}
    raw = raw_store(context.folder / f"p1-raw-{synchronous}.db", synchronous)
    with (
        opened(context.folder / f"p1-{synchronous}.db", synchronous) as book,
        Peer(
            "eventsourcing", "eventsourcing_events", str(context.folder / f"p1-es-{synchronous}.db"), synchronous
        ) as events,
        Peer("freqtrade", "freqtrade_orm", str(context.folder / f"p1-ft-{synchronous}.db"), synchronous) as orm,
    ):
        book.record_many(fills(0, 2_000))
        for turn in range(context.rounds):
            ready = list(fills(2_000 + turn * count, count))
            rows = [raw_row(fill) for fill in ready] * (bare_count // count)

            def single() -> None:
                for fill in ready:  # noqa: B023  called at once
                    book.record(fill)

            def insert() -> None:
                raw_single(raw, rows)  # noqa: B023  called at once

            started = time.process_time()
            ours.append(per_second(single, count))
            between = time.process_time()
            bare.append(per_second(insert, bare_count))
            busy["onebook"].append((between - started) / count * 1e6)
            busy["bare"].append((time.process_time() - between) / bare_count * 1e6)
            for name, peer in (("eventsourcing", events), ("freqtrade", orm)):
                speed = peer.rate(work="single", count=max(20, count // 4))
                if speed is not None:
                    peers[name].append(speed)
    raw.close()
    numbers: Raw = {"onebook_per_s": middle(ours), "bare_per_s": middle(bare)}
    numbers |= {f"{name}_cpu_us": middle(each) for name, each in busy.items()}
    if synchronous == "full":
        numbers |= slow_sync(middle(bare))
    for name, speeds in peers.items():
        numbers[f"{name}_per_s"] = middle(speeds) if speeds else None
        numbers[f"onebook_to_{name}"] = ratio(middle(ours), middle(speeds)) if speeds else None
    return Line(
        figure="P1",
        work=f"one durable record, synchronous {synchronous.upper()}",
        value=middle([mine / theirs for mine, theirs in zip(ours, bare, strict=True)]),
        unit="× bare insert + commit",
        bar=BARS[synchronous],
        raw=numbers,
        includes=INCLUDES,
    )
