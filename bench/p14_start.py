"""P14: importing the package and answering one command, beside freqtrade's import."""

import subprocess
import sys
from pathlib import Path

from bench.figures import Context, Line, Raw, middle, ratio
from bench.peer import interpreter
from bench.workload import fills, milliseconds, opened

TIMED = "import time; t = time.perf_counter(); import {}; print((time.perf_counter() - t) * 1000)"


def run(context: Context) -> list[Line]:
    """Return the time of the import and of ``onebook positions``, each in a process of its own."""
    path = context.folder / "p14.db"
    with opened(path) as book:
        book.record_many(fills(0, 500))
    peer = interpreter("freqtrade")
    if peer is None:
        print("!! peer freqtrade: not installed, run make peers; its ratios stay blank", flush=True)
    command = [sys.executable, "-m", "onebook", "--db", str(path), "positions"]
    found: dict[str, list[float]] = {"onebook": [], "command": [], "bare": [], "freqtrade": []}
    for turn in range(max(7, context.rounds) + 1):
        once = {
            "onebook": _import_ms(sys.executable, "onebook"),
            "command": milliseconds(lambda: subprocess.run(command, check=True, capture_output=True)),
            "bare": milliseconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)),
        }
        if peer is not None:
            once["freqtrade"] = _import_ms(str(peer), "freqtrade.persistence")
        if turn:  # the first round warms the disk's cache
            for name, value in once.items():
                found[name].append(value)
    theirs = middle(found["freqtrade"]) if found["freqtrade"] else None
    ours = middle(found["onebook"])
    numbers: Raw = {
        "freqtrade_persistence_import_ms": theirs,
        "onebook_to_freqtrade": ratio(ours, theirs),
        "python_start_ms": middle(found["bare"]),
    }
    return [
        Line(
            figure="P14", work="import onebook", value=ours, unit="ms", bar=80, direction="at_most", raw=numbers,
            includes="the import alone, in a new process",
        ),
        Line(
            figure="P14", work="onebook positions", value=middle(found["command"]), unit="ms", bar=250,
            direction="at_most", includes="the whole process, a book of 500 fills",
        ),
    ]  # fmt: skip


def _import_ms(python: str, module: str) -> float:
    done = subprocess.run(
        [python, "-c", TIMED.format(module)], check=True, capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return float(done.stdout.strip().splitlines()[-1])
