"""500 facts a second over HTTP with ten clients: memory is flat, every client has every event once, verify is content.

It takes SOAK_SECONDS, two minutes unless told otherwise; the proof takes an hour: SOAK_SECONDS=3600.
"""

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression, mean
from typing import Any

import pytest
from tests.tortures.soak_clients import POLLERS, STREAMS

import onebook
from onebook.book.log import make_filter

HERE = Path(__file__).parent
SECONDS = float(os.environ.get("SOAK_SECONDS", "120"))
SAMPLES = 360
WARM_UP, LEAST_WARM_UP = 0.25, 30.0
"""The part of the time, and the seconds at least, in which caches fill and pools reach their size."""

LEAST_RATE = 450
"""Facts a second, on average; 500 are sent."""

MOST_MB_AN_HOUR = 20
"""A leak of 12 bytes a fact is more."""

SLACK_MB = 8
"""Of a run however short: the caches of pages are still filling then. Of two minutes that is 140 bytes a fact."""

MOST_MORE = 4
"""Threads or files more than in the first half: of workers that come and go."""

WAL_MB = 64
END_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A process at a moment: ``at`` in seconds since the start; sizes in MB.

    ``memory`` is its own, ``resident`` has its share of libraries too, ``waiting`` is the size of the log that waits.
    """

    at: float
    memory: float
    resident: float
    threads: int
    files: int
    waiting: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How memory went: ``level`` in MB, growth in MB over the time looked at and as an hour would have it."""

    level: float
    grown: float
    an_hour: float


def sample(pid: int, at: float, path: Path) -> Sample:
    proc = Path(f"/proc/{pid}")
    lines = (line.partition(":") for line in (proc / "smaps_rollup").read_text().splitlines()[1:])
    sizes = {name: int(rest.split()[0]) / 1024 for name, _, rest in lines}
    wal = path.with_name(f"{path.name}-wal")
    return Sample(
        at=at,
        memory=sizes["Pss_Anon"],
        resident=sizes["Pss"],
        threads=len(list((proc / "task").iterdir())),
        files=len(list((proc / "fd").iterdir())),
        waiting=wal.stat().st_size / 2**20 if wal.exists() else 0.0,
    )


def warm(samples: Sequence[Sample]) -> Sequence[Sample]:
    begin = max(samples[-1].at * WARM_UP, LEAST_WARM_UP)
    return [each for each in samples if each.at >= begin]


def trend(samples: Sequence[Sample]) -> Trend:
    """Return the line through what comes after the warm-up."""
    times, sizes = [each.at for each in samples], [each.memory for each in samples]
    slope = linear_regression(times, sizes).slope
    return Trend(level=mean(sizes), grown=slope * (times[-1] - times[0]), an_hour=slope * 3600)


def check_flat(samples: Sequence[Sample]) -> None:
    """Compare the second half with the first, and the line of memory with what it may gain."""
    looked = warm(samples)
    found = trend(looked)
    allowed = max(SLACK_MB, MOST_MB_AN_HOUR * (looked[-1].at - looked[0].at) / 3600)
    assert found.grown <= allowed, f"memory grew by {found.grown:.1f} MB, {found.an_hour:.1f} MB an hour: {found}"
    half = len(looked) // 2
    for name in ("threads", "files"):
        before, after = (max(getattr(each, name) for each in part) for part in (looked[:half], looked[half:]))
        assert after <= before + MOST_MORE, f"{name}: {before}, then {after}"
    assert max(each.waiting for each in samples) < WAL_MB, "the log that waits was not put away"


# ---- the processes ----


@contextmanager
def started(command: list[str], errors: Path) -> Iterator["subprocess.Popen[str]"]:
    with errors.open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def onebook_at(path: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "onebook", "--db", str(path), "--json", *words]


def made_token(path: Path, role: str) -> str:
    command = onebook_at(path, "token", "create", "--role", role, "--name", role)
    found: str = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["token"]
    return found


def told(process: "subprocess.Popen[str]") -> Any:
    """Return the next object that a process prints, on one line or many."""
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        line = process.stdout.readline()
        assert line, f"it ended after {text!r}"
        text += line
    return json.loads(text)


def asked(clients: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return what the clients saw so far."""
    assert clients.stdin is not None
    clients.stdin.write("\n")
    clients.stdin.flush()
    found: dict[str, Any] = told(clients)
    return found


def in_the_log(path: Path) -> dict[str, tuple[int, int]]:
    """Return for each of those who follow how many events the log has for it, and the checksum of their ids."""
    filters = {name: make_filter(**given) for name, given in STREAMS.items()}
    found = dict.fromkeys(filters, (0, 0))
    with onebook.open(path, read_only=True) as book:
        for event in book.events():
            for name, wanted in filters.items():
                if wanted.wants(event):
                    count, checksum = found[name]
                    found[name] = (count + 1, zlib.crc32(event.id.encode(), checksum))
    return found


def watched(
    server: "subprocess.Popen[str]", writer: "subprocess.Popen[str]", clients: "subprocess.Popen[str]", path: Path
) -> list[Sample]:
    """Look at the server until the writer has ended."""
    begun, samples = time.monotonic(), list[Sample]()
    while writer.poll() is None:
        assert server.poll() is None, "the server died"
        at = time.monotonic() - begun
        assert at < SECONDS + END_SECONDS, "the writer hangs"
        samples.append(sample(server.pid, at, path))
        if len(samples) % (SAMPLES // 12) == 0:
            say(f"{at:.0f} s:", samples[-1], "events:", asked(clients)["events, all"]["count"])
        time.sleep(SECONDS / SAMPLES)
    return samples


def caught_up(clients: "subprocess.Popen[str]", wanted: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Wait until those who follow have as many events as the log has for them."""
    end = time.monotonic() + END_SECONDS
    while any((seen := asked(clients))[name]["count"] < count for name, (count, _) in wanted.items()):
        assert time.monotonic() < end, f"some stand still: {seen}, the log has {wanted}"
        time.sleep(0.2)
    return seen


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


@pytest.mark.torture
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc")
def test_memory_is_flat_while_ten_clients_follow_500_facts_a_second(tmp_path: Path) -> None:
    path = tmp_path / "book.db"
    operator, viewer = made_token(path, "operator"), made_token(path, "viewer")
    with started(onebook_at(path, "serve", "--port", "0"), tmp_path / "server.log") as server:
        url = told(server)["url"]
        with started([sys.executable, str(HERE / "soak_clients.py"), url, viewer], tmp_path / "clients.log") as clients:
            asked(clients)
            command = [sys.executable, str(HERE / "soak_writer.py"), url, operator, str(SECONDS)]
            with started(command, tmp_path / "writer.log") as writer:
                samples = watched(server, writer, clients, path)
                (tmp_path / "samples.json").write_text(json.dumps([asdict(each) for each in samples]))
                assert writer.returncode == 0, (tmp_path / "writer.log").read_text()[-2000:]
                sent = told(writer)
            wanted = in_the_log(path)
            seen = caught_up(clients, wanted)
        server.send_signal(signal.SIGTERM)
        assert server.wait(END_SECONDS) == 0
    verified = json.loads(subprocess.run(onebook_at(path, "verify"), check=True, capture_output=True, text=True).stdout)
    rate = sent["facts"] / sent["seconds"]
    say(f"{sent['facts']:,} facts in {sent['seconds']:.0f} s: {rate:.1f} a second")
    say("a request took, in ms, at the middle of each quarter:", *sent["request_ms"])
    say("memory in MB after the warm-up:", trend(warm(samples)))
    say("at a tenth each:", *(f"{each.memory:.1f}" for each in samples[:: max(1, len(samples) // 10)]))
    say("last:", samples[-1], "the book:", f"{path.stat().st_size / 2**20:.0f} MB")
    for name, each in seen.items():
        say(f"{name}: {each['count']:,} and {each['others']:,} others")
    say("verify:", verified)
    assert not {name: each["wrong"] for name, each in seen.items() if each["wrong"]}
    assert {name: (seen[name]["count"], seen[name]["checksum"]) for name in STREAMS} == wanted
    assert all(seen[name]["count"] > 0 for name in POLLERS)
    assert verified["ok"]
    assert rate >= LEAST_RATE
    check_flat(samples)
    path.unlink()  # an hour's is large


def at_rest(**growth: float) -> list[Sample]:
    """Return an hour of a service at rest, but for what grows: in an hour, evenly."""
    still = {"memory": 90.0, "resident": 95.0, "threads": 14, "files": 40, "waiting": 16.0}
    return [
        Sample(at=at, **{name: value + growth.get(name, 0) * at / 3600 for name, value in still.items()})  # type: ignore[arg-type]
        for at in range(0, 3600, 10)
    ]


@pytest.mark.parametrize(
    ("growth", "said"),
    [
        ({"memory": 22.0}, "memory grew"),
        ({"threads": 20}, "threads"),
        ({"files": 20}, "files"),
        ({"waiting": 60}, "log"),
    ],
)
def test_the_check_finds_what_grows(growth: dict[str, float], said: str) -> None:
    check_flat(at_rest())
    check_flat(at_rest(memory=8.0))
    with pytest.raises(AssertionError, match=said):
        check_flat(at_rest(**growth))
