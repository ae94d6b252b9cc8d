"""The server of P11: serves a fresh book and writes events at a steady pace when told to.

Arguments: the path, how many events a second, and how many seconds. Prints the port; a line on standard input starts
the events; then prints a line of JSON: CPU seconds, of which the same pace without clients is to be taken off, wall
seconds, and how old the oldest event was in what was handed to a connection; a second line ends it.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from statistics import quantiles
from typing import Any

import onebook
from onebook.config import config_for
from onebook.http import stream
from onebook.http.lines import Line
from onebook.http.service import make_service
from onebook.http.serving import Serving

MARKER = re.compile(rb'"sent_ns": "(\d+)"')


@lru_cache(64)
def oldest(body: bytes) -> int:
    """Return when the first event in these bytes was written; 0 where there is none."""
    found = MARKER.search(body)
    return int(found[1]) if found is not None else 0


class TimedLine(Line):
    """A client's connection that notes how old is what it was just handed, in seconds."""

    handed: list[float] = []  # noqa: RUF012  of all clients together

    async def send(self, send: Callable[[Any], Any], message: Any, size: int) -> None:
        """Send something."""
        await super().send(send, message, size)
        self._note(message["body"])

    def pass_on(self, chunk: bytes, body: bytes) -> bool:
        """Send something while its task rests."""
        done = super().pass_on(chunk, body)
        if done:
            self._note(body)
        return done

    def _note(self, body: bytes) -> None:
        written = oldest(body)
        if written:
            self.handed.append((time.monotonic_ns() - written) / 1e9)


def paced(book: onebook.Book, per_second: int, seconds: float) -> list[float]:
    """Write events that carry when they were written; return how late each was begun, in seconds."""
    due = time.monotonic()
    late = []
    for _ in range(int(per_second * seconds)):
        due += 1 / per_second
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        late.append(time.monotonic() - due)
        book.publish("bench.tick", {"sent_ns": str(time.monotonic_ns())})
    return late


def main() -> None:
    """Serve, measure, report."""
    path, per_second, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    stream.Line = TimedLine  # type: ignore[attr-defined]
    with onebook.open(path) as book:
        serving = Serving(make_service(book, config_for({})), "127.0.0.1", 0, log=False)
        thread = threading.Thread(target=serving.run, daemon=True)
        thread.start()
        serving.started.wait(30)
        print(serving.url.rpartition(":")[2], flush=True)
        sys.stdin.readline()
        begun, busy = time.perf_counter(), time.process_time()
        late = paced(book, per_second, seconds)
        time.sleep(0.5)
        figures = {"cpu": time.process_time() - busy, "wall": time.perf_counter() - begun}
        figures["late_p99_ms"] = quantiles(late, n=100)[98] * 1000
        if len(TimedLine.handed) > 1:
            cuts = quantiles(TimedLine.handed, n=100)
            figures |= {"handed_p50_ms": cuts[49] * 1000, "handed_p99_ms": cuts[98] * 1000}
        print(json.dumps(figures), flush=True)
        sys.stdin.readline()
        serving.stop()
        thread.join(30)


main()
