# ruff: noqa: A005  run as bench.profile, never imported as profile
"""Where the time of P1 or P3 goes, for developers: ``.venv/bin/python -m bench.profile P1 --count 3000``.

Prints the functions that cost most by their own time, then by all that they call; ``--perf`` runs the work plain
under Linux ``perf`` instead, which also sees SQLite and the kernel; ``--save`` keeps the data for a viewer.
"""

import argparse
import cProfile
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.workload import fills, opened
from onebook import Book, Fill

WARM = 2_000


def single(book: Book, ready: list[Fill]) -> None:
    """P1: one durable record after the other."""
    for fill in ready:
        book.record(fill)


def bulk(book: Book, ready: list[Fill]) -> None:
    """P3: all at once."""
    book.record_many(ready)


WORK = {"P1": single, "P3": bulk}


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description="Hot spots of P1 and P3.")
    parser.add_argument("figure", choices=sorted(WORK), nargs="?", default="P1")
    parser.add_argument("--count", type=int, default=5_000, help="fills (default 5,000)")
    parser.add_argument("--lines", type=int, default=30, help="lines per table (default 30)")
    parser.add_argument("--synchronous", choices=["full", "normal"], default="normal")
    parser.add_argument("--save", type=Path, default=None, help="write the profile here, for snakeviz and the like")
    parser.add_argument("--perf", action="store_true", help="use Linux perf, which must be installed")
    parser.add_argument("--plain", action="store_true", help="run without a profiler and print the speed")
    return parser.parse_args()


def main() -> None:
    """Profile one figure's work."""
    options = arguments()
    if options.perf:
        with_perf(options)
        return
    work = WORK[options.figure]
    profile = cProfile.Profile()
    with (
        tempfile.TemporaryDirectory(prefix="onebook-profile-") as folder,
        opened(Path(folder) / "book.db", options.synchronous) as book,
    ):
        book.record_many(fills(0, WARM))
        ready = list(fills(WARM, options.count))
        wall, cpu = time.perf_counter(), time.process_time()
        if options.plain:
            work(book, ready)
        else:
            profile.runcall(work, book, ready)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{options.figure}: {options.count:,} fills in {wall:.2f} s, {options.count / wall:,.0f}/s", end="")
    print(f"; {cpu / options.count * 1e6:.0f} µs of processor each{'' if options.plain else ', profiler included'}")
    if options.plain:
        return
    if options.save is not None:
        profile.dump_stats(options.save)
    for order in ("tottime", "cumulative"):
        pstats.Stats(profile).strip_dirs().sort_stats(order).print_stats(options.lines)


def with_perf(options: argparse.Namespace) -> None:
    """Run the same work plain under ``perf record`` and print its report."""
    perf = shutil.which("perf")
    if perf is None:
        raise SystemExit("perf: not installed; leave --perf away for the profiler of Python")
    with tempfile.TemporaryDirectory(prefix="onebook-perf-") as folder:
        data = os.fspath(options.save or Path(folder) / "perf.data")
        own = [sys.executable, "-X", "perf", "-m", "bench.profile", options.figure, "--plain"]
        own += ["--count", str(options.count), "--synchronous", options.synchronous]
        subprocess.run([perf, "record", "-g", "-F", "999", "-o", data, *own], check=True)
        subprocess.run([perf, "report", "--stdio", "--no-children", "-g", "none", "-i", data], check=True)


if __name__ == "__main__":
    main()
