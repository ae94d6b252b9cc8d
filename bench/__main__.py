"""``make bench ARGS="--only P1,P3 --scale 0.01"``: measure, print the table, write it to ``bench/results/``.

A benchmark never fails: what falls short of its bar is shown as ``short``.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import SubprocessError

from bench import (
    p01_single,
    p02_concurrent,
    p03_bulk,
    p04_marks,
    p05_long_position,
    p06_growth,
    p07_open,
    p08_verify,
    p09_feed,
    p10_http,
    p11_sse,
    p12_storage,
    p13_days,
    p14_start,
    p16_late,
    p17_gate,
)
from bench.figures import Context, Line
from bench.machine import describe
from bench.peer import ROOT
from bench.report import numbers, table, write
from onebook import BookError

# The big book is read before P6 adds to it, so P6 comes last of those that share it.
FIGURES: dict[str, Callable[[Context], list[Line]]] = {
    "P1": p01_single.run,
    "P2": p02_concurrent.run,
    "P3": p03_bulk.run,
    "P4": p04_marks.run,
    "P5": p05_long_position.run,
    "P14": p14_start.run,
    "P16": p16_late.run,
    "P17": p17_gate.run,
    "P9": p09_feed.run,
    "P10": p10_http.run,
    "P11": p11_sse.run,
    "P12": p12_storage.run,
    "P7": p07_open.run,
    "P13": p13_days.run,
    "P8": p08_verify.run,
    "P6": p06_growth.run,
}
DEFAULT_SCALE = 0.1


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure onebook beside its peers, as ratios.")
    parser.add_argument("--only", default="", metavar="P1,P3", help=f"figures to run: {', '.join(ordered())}")
    parser.add_argument(
        "--scale", type=float, default=DEFAULT_SCALE, help=f"share of the full sizes (default {DEFAULT_SCALE})"
    )
    parser.add_argument("--full", action="store_true", help="the full sizes: 10,000,000 fills and an hour or more")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds per figure (default 7)")
    parser.add_argument("--folder", type=Path, default=None, help="disk to measure on (default: the temporary folder)")
    parser.add_argument("--no-write", action="store_true", help="print only, write no result files")
    return parser.parse_args()


def ordered() -> list[str]:
    """Return the figures' names by number."""
    return sorted(FIGURES, key=lambda name: int(name[1:]))


def chosen(only: str) -> list[str]:
    """Return the figures asked for, in the order in which they run."""
    names = {name.strip().upper() for name in only.split(",") if name.strip()}
    unknown = names - set(FIGURES)
    if unknown:
        raise SystemExit(f"no such figure: {', '.join(sorted(unknown))}; there are {', '.join(ordered())}")
    return [name for name in FIGURES if not names or name in names]


def measured(name: str, context: Context) -> list[Line]:
    """Return a figure's lines, or one without a value when it could not be measured."""
    try:
        return FIGURES[name](context)
    except (BookError, OSError, SubprocessError, ArithmeticError) as problem:
        print(f"!! {name}: not measured: {type(problem).__name__}: {problem}", flush=True)
        return [Line(figure=name, work=f"not measured: {type(problem).__name__}", value=None, unit="")]


def main() -> None:
    """Run the figures and report."""
    options = arguments()
    names = chosen(options.only)
    scale = 1.0 if options.full else options.scale
    if scale <= 0 or options.rounds < 1:
        raise SystemExit("scale and rounds are above 0")
    about = describe() | {"run": {"scale": scale, "rounds": options.rounds}}
    folder = Path(tempfile.mkdtemp(prefix="onebook-bench-", dir=options.folder))
    context = Context(scale=scale, rounds=options.rounds, folder=folder)
    lines: list[Line] = []
    try:
        for name in names:
            begun = time.perf_counter()
            print(f"{name} …", flush=True)
            found = measured(name, context)
            lines += found
            for line in (line for line in found if line.raw):
                context.say(f"{line.work}: {numbers(line.raw)}")
            context.say(f"took {time.perf_counter() - begun:.0f} s")
    except KeyboardInterrupt:
        print("!! interrupted: the table holds what was measured", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines.sort(key=lambda line: int(line.figure[1:]))
    print(f"\n{table(lines)}\n")
    if lines and not options.no_write:
        for path in write(about, lines):
            print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
