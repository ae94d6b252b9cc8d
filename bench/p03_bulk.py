"""P3: ready fills in bulk, beside ``executemany`` into a bare table, eventsourcing and freqtrade's ORM."""

from bench.figures import Context, Line, Raw, middle, ratio
from bench.peer import Peer
from bench.workload import fills, opened, per_second, raw_bulk, raw_row, raw_store

FULL = 1_000_000
INCLUDES = "as P1, 100 instruments × 10 strategies; bare: one table without index, one transaction"


def run(context: Context) -> list[Line]:
    """Return the ratio and the speed; each round adds its share to the same book."""
    count = context.size(FULL, 7_000) // context.rounds
    ours: list[float] = []
    bare: list[float] = []
    peers: dict[str, list[float]] = {"eventsourcing": [], "freqtrade": []}
    raw = raw_store(context.folder / "p3-raw.db", "full")
    with (
        opened(context.folder / "p3.db") as book,
        Peer("eventsourcing", "eventsourcing_events", str(context.folder / "p3-es.db"), "full") as events,
        Peer("freqtrade", "freqtrade_orm", str(context.folder / "p3-ft.db"), "full") as orm,
    ):
        for turn in range(context.rounds):
            ready = list(fills(turn * count, count))
            rows = [raw_row(fill) for fill in ready]
            ours.append(per_second(lambda: book.record_many(ready), count))  # noqa: B023  called at once
            bare.append(per_second(lambda: raw_bulk(raw, rows), count))  # noqa: B023  called at once
            for name, peer, limit in (("eventsourcing", events, 20_000), ("freqtrade", orm, 2_000)):
                speed = peer.rate(work="bulk", count=min(count, limit))
                if speed is not None:
                    peers[name].append(speed)
    raw.close()
    numbers: Raw = {"onebook_per_s": middle(ours), "bare_per_s": middle(bare), "fills": count * context.rounds}
    for name, speeds in peers.items():
        numbers[f"{name}_per_s"] = middle(speeds) if speeds else None
        numbers[f"onebook_to_{name}"] = ratio(middle(ours), middle(speeds)) if speeds else None
    share = middle([mine / theirs for mine, theirs in zip(ours, bare, strict=True)])
    return [
        Line(
            figure="P3", work="record_many beside executemany", value=share, unit="× bare executemany", bar=0.08,
            raw=numbers, includes=INCLUDES,
        ),
        Line(figure="P3", work="record_many", value=middle(ours), unit="fills/s", bar=50_000, includes=INCLUDES),
    ]  # fmt: skip
