"""The command ``demo``: opens a book, plays the replay into it, and tells what the book says at the end."""

import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter

from rich.console import Console

from onebook.app import Book
from onebook.app import open as open_book
from onebook.demo.bots import ACCOUNT, NAMES
from onebook.demo.ending import Ending, as_json, look, tell
from onebook.demo.history import load_sessions
from onebook.demo.player import PACE, Lines, LiveScreen, Screen, Silence, play
from onebook.demo.replay import Replay
from onebook.demo.scene import MoneyReader, Observer
from onebook.errors import RuleError
from onebook.trading.runner.clock import ReplayClock

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the demo is to run. ``speed`` in sessions a second; ``until`` the last day to replay."""

    url: str | None = None
    once: bool = False
    as_json: bool = False
    speed: float | None = None
    until: date | None = None

    @property
    def is_live(self) -> bool:
        """Whether there is somebody to draw for."""
        return not self.as_json and sys.stdout.isatty()

    @property
    def pace(self) -> float | None:
        """Sessions a second; None for as fast as it goes."""
        if self.speed is not None:
            return self.speed
        return PACE if self.is_live and not self.once else None


def run(*, url: str | None = None, once: bool = False, as_json: bool = False, speed: float | None = None) -> int:
    """Replay the bundled years through three strategies and one book; return the exit code.

    A book that holds the demo already is gone on with; one that holds all of it is only told of.

    Args:
        url: the book; None for a fresh one in a temporary folder, which is kept.
        once: run to the end at full speed, then return without waiting for a key.
        as_json: print the figures as one JSON object, and draw nothing.
        speed: sessions a second; None for a pace worth watching, or with ``once`` as fast as it goes.

    Raises:
        RuleError: the book holds other facts than the demo's.
    """
    return perform(Wanted(url=url, once=once, as_json=as_json, speed=speed if speed and speed > 0 else None))


def perform(wanted: Wanted) -> int:
    """Replay and tell; return the exit code: 1 when verify found problems, 130 after Ctrl-C."""
    place = wanted.url or str(Path(tempfile.mkdtemp(prefix="onebook-demo-")) / "demo.db")
    try:
        ending = replay_into(wanted, place)
    except KeyboardInterrupt:
        again = f"onebook --db {place} demo"
        sys.stderr.write(f"demo: interrupted; what it recorded stays in the book, and this goes on: {again}\n")
        return INTERRUPTED
    _print(ending, wanted)
    return 0 if ending.verified.ok else 1


def replay_into(wanted: Wanted, place: str) -> Ending:
    """Open the book, play, look at the result, and close it again.

    A temporary book is safe from a crash of the program, not from a loss of power: it does not wait for the disk.

    Raises:
        KeyboardInterrupt: it was stopped by Ctrl-C or a signal, after the event at which it was.
    """
    config = {} if wanted.url else {"synchronous": "normal"}
    clock = ReplayClock()
    with open_book(place, actor="demo", clock=clock, config=config) as book:
        _refuse_others(book)
        replay = Replay(book, clock, load_sessions(last=wanted.until))
        observer = Observer(replay)
        seconds = _play(replay, observer, wanted)
        with _waiting(wanted):
            return look(replay, place, seconds, is_temporary=not wanted.url)


@contextmanager
def _waiting(wanted: Wanted) -> Iterator[None]:
    """Say that verify runs, where somebody watches."""
    if not wanted.is_live:
        yield
        return
    with Console().status("verify: folding every entry of the log again …"):
        yield


def _refuse_others(book: Book) -> None:
    """Refuse a book that holds anything but the demo."""
    if not book.status().entries:
        return
    if book.balances(account=ACCOUNT) and all(row.account == ACCOUNT for row in book.balances()):
        return
    msg = "this book holds other facts than the demo's; give the demo a new file, or leave --db out"
    raise RuleError(msg)


def _play(replay: Replay, observer: Observer, wanted: Wanted) -> float:
    """Play on the right screen; return the seconds that it took, without waits."""
    begun = perf_counter()
    with _quiet(), _screen(replay, observer, wanted) as screen:
        last, why = play(replay, observer, screen)
        seconds = perf_counter() - begun
        if isinstance(screen, LiveScreen):
            seconds -= screen.paused_seconds
            if last is replay.sessions[-1] and not wanted.once:
                screen.hold(last)
    if why in {"SIGINT", "SIGTERM"}:
        raise KeyboardInterrupt
    return seconds


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the runner's warnings off the picture: a refused order is an event, and shown as one."""
    log, handler = logging.getLogger("onebook"), logging.NullHandler()
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


@contextmanager
def _screen(replay: Replay, observer: Observer, wanted: Wanted) -> Iterator[Screen]:
    if wanted.is_live:
        with LiveScreen(replay, observer, MoneyReader(replay.book, NAMES), wanted.pace).on() as live:
            yield live
    elif wanted.as_json:
        yield Silence()
    else:
        yield Lines(replay, observer)


def _print(ending: Ending, wanted: Wanted) -> None:
    if wanted.as_json:
        sys.stdout.write(json.dumps(as_json(ending), indent=2, ensure_ascii=False) + "\n")
    else:
        tell(ending, Console())
