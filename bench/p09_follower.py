"""The other process of P9: listen to a book, say when each fill was heard, then how much rest costs.

Arguments: the path, and how many fills come. Times are of the clock that all processes of a machine share.
"""

import json
import sys
import threading
import time

import onebook

REST_SECONDS = 4.0


def main() -> None:
    """Follow, report, rest, report."""
    path, count = sys.argv[1], int(sys.argv[2])
    heard: dict[int, float] = {}
    done = threading.Event()

    def handler(event: onebook.Event) -> None:
        heard[event.sequence] = time.monotonic()
        if len(heard) == count:
            done.set()

    with onebook.open(path, read_only=True) as book:
        book.listen(handler, types="trade_executed")
        print("ready", flush=True)
        done.wait(120)
        print(json.dumps(heard), flush=True)
        time.sleep(1)
        begun, busy = time.perf_counter(), time.process_time()
        time.sleep(REST_SECONDS)
        busy, seconds = time.process_time() - busy, time.perf_counter() - begun
        print(json.dumps({"cores": busy / seconds, "seconds": seconds}), flush=True)


main()
