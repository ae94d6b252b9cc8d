"""Serve two subscribers and die at a random moment: after an effect and before its checkpoint, or anywhere.

Arguments: the book's path, the file of the outside effects, a seed, and how often an event is the last. It ends by
itself, with 0, once both have handled everything.
"""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import onebook
from onebook.feed import checkpoint, feed, subscriber
from onebook.feed.handling import Tx

FAR = 10.0
"""A moment of death that most lives do not reach."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Effects:
    """The handlers; each may be the last thing that this process does.

    Args:
        path: of the outside effects, one line each.
        rng: chooses the moment.
        chance: that an event is the last one.
    """

    def __init__(self, path: Path, rng: random.Random, chance: float) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._rng = rng
        self._chance = chance

    def _maybe(self) -> None:
        if self._rng.random() < self._chance / 2:
            die()

    def outside(self, event: onebook.Event) -> None:
        self._maybe()
        os.write(self._file, f"{event.id}\n".encode())
        os.fsync(self._file)
        self._maybe()

    def inside(self, event: onebook.Event, tx: Tx) -> None:
        self._maybe()  # what the event before brought about is committed now
        tx.record(onebook.Fill(instrument="SHADOW/USD", side="buy", quantity=1, price=1))
        tx.publish("effect.made", {"of": event.id})
        self._maybe()


def main() -> None:
    path, lines, seed, chance = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    rng = random.Random(seed)
    # The one before is dead for certain: nobody has to wait until that shows.
    checkpoint.LEASE_SECONDS = subscriber.CLAIM_SECONDS = 0.001
    checkpoint.SAVE_SECONDS = rng.choice((0.001, 1.0))
    feed.KEEP_SECONDS = 0.005
    effects = Effects(lines, rng, chance)
    if chance:
        threading.Timer(rng.choice((rng.random() / 10, FAR)), die).start()
    with onebook.open(path) as book:
        chosen = {"types": "trade_executed", "instruments": "BTC/USD", "start": "beginning"}
        readers = [
            book.subscribe("outside", effects.outside, **chosen),  # type: ignore[arg-type]
            book.subscribe("inside", effects.inside, in_book=True, **chosen),  # type: ignore[arg-type]
        ]
        while any(reader.lag for reader in readers):
            time.sleep(0.001)
    os._exit(0)


main()
