"""P12: bytes on the disk for each fill, with every read model and index."""

from pathlib import Path

import apsw

from bench.big import big
from bench.figures import Context, Line, Raw
from bench.peer import Peer


def run(context: Context) -> list[Line]:
    """Return the bytes per fill of the big book, and where they lie; peers on their own files."""
    path, count = big(context)
    entries, size, tables = _sizes(path)
    numbers: Raw = {"fills": entries, "file_bytes": size}
    numbers |= {f"{name}_bytes_per_fill": round(pages / entries, 1) for name, pages in tables[:12]}
    asked = min(count, 20_000)
    for name, script in (("eventsourcing", "eventsourcing_events"), ("freqtrade", "freqtrade_orm")):
        few = min(asked, 3_000) if name == "freqtrade" else asked
        with Peer(name, script, str(context.folder / f"p12-{name}.db"), "normal") as peer:
            peer.ask(work="bulk", count=few)
            answer = peer.ask(work="bytes", count=few)
        numbers[f"{name}_bytes_each"] = answer["bytes"] / few if answer else None
    return [
        Line(
            figure="P12", work="live storage per fill", value=size / entries, unit="B", bar=1_000, direction="at_most",
            raw=numbers, includes="all tables and indexes, WAL folded in; 1,000 positions over 365 days",
        ),
        Line(figure="P12", work="archived storage per fill", value=None, unit="B", bar=120, direction="at_most"),
    ]  # fmt: skip


def _sizes(path: Path) -> tuple[int, int, list[tuple[str, int]]]:
    """Fold the WAL in; return entries, bytes of the file, and bytes per table or index, largest first."""
    connection = apsw.Connection(str(path))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    entries = connection.execute("SELECT max(sequence) FROM entries").get
    try:
        tables = list(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"))
    except apsw.SQLError:
        tables = []
    connection.close()
    return int(entries), path.stat().st_size, [(str(name), int(pages)) for name, pages in tables]
