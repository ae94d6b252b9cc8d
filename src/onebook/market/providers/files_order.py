"""What several files hold, in order of time, with bounded memory; and the same order every time."""

import heapq
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO

from onebook.domain.market import Seen
from onebook.errors import BadConfig, BadPayload

Placed = tuple[int, int, Seen]
"""Time in nanoseconds, place in its file, and what was seen: the order within a file."""

RUN = 100_000
"""So many rows are sorted in memory at a time."""

MOST_RUNS = 200
"""So many sorted pieces are kept beside memory; each is an open file."""


def in_window(path: str, rows: Iterable[tuple[int, Seen]], window: int) -> Iterator[Placed]:
    """Yield the rows of a file in order of time, those of one moment in the file's order, holding ``window`` of them.

    Raises:
        BadPayload: a row comes later in the file than the window reaches back.
    """
    waiting: list[Placed] = []
    newest: tuple[int, int] = (-(1 << 62), -1)
    for place, (line, seen) in enumerate(rows):
        if (seen.at_ns, place) < newest:
            msg = (
                f"{path}:{line}: older than a row more than {window} rows before; say is_ordered=False to sort the file"
            )
            raise BadPayload(msg, file=path, line=line)
        heapq.heappush(waiting, (seen.at_ns, place, seen))
        if len(waiting) > window:
            found = heapq.heappop(waiting)
            newest = found[:2]
            yield found
    while waiting:
        yield heapq.heappop(waiting)


def sorted_beside(path: str, rows: Iterable[tuple[int, Seen]], run: int = RUN) -> Iterator[Placed]:
    """Yield the rows of a file in any order in order of time; what is more than one run waits in temporary files.

    Raises:
        BadConfig: more rows than can be sorted so.
    """
    placed = ((seen.at_ns, place, seen) for place, (_, seen) in enumerate(rows))
    with ExitStack() as open_files:
        runs: list[Iterable[Placed]] = []
        while piece := sorted(islice(placed, run)):
            if len(piece) < run:
                runs.append(piece)
                break
            if len(runs) >= MOST_RUNS:
                msg = f"{path}: more than {MOST_RUNS * run} rows out of order; sort the file by time first"
                raise BadConfig(msg)
            beside = open_files.enter_context(tempfile.TemporaryFile())
            for item in piece:
                pickle.dump(item, beside, protocol=pickle.HIGHEST_PROTOCOL)
            beside.seek(0)
            runs.append(_back(beside, len(piece)))
        yield from heapq.merge(*runs)


def _back(beside: IO[bytes], count: int) -> Iterator[Placed]:
    for _ in range(count):
        yield pickle.load(beside)  # noqa: S301  a file without a name that only this call has written


def merged(files: Iterable[Iterator[Placed]]) -> Iterator[Seen]:
    """Yield what all files hold in order of time; at one moment in the order of the files, then of their rows."""
    ranked = (_ranked(rank, rows) for rank, rows in enumerate(files))
    for *_, seen in heapq.merge(*ranked):
        yield seen


def _ranked(rank: int, rows: Iterator[Placed]) -> Iterator[tuple[int, int, int, Seen]]:
    for at, place, seen in rows:
        yield at, rank, place, seen
