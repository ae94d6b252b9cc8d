"""The command ``demo``: opens a book, plays the replay into it, serves it, and tells what it says at the end."""

import json
import logging
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console

from onebook.app import Book
from onebook.app import open as open_book
from onebook.demo.bots import ACCOUNT, NAMES
from onebook.demo.dashboard import Dashboard, dashboard, tell_address
from onebook.demo.ending import Ending, as_json, look, tell
from onebook.demo.history import load_sessions
from onebook.demo.market import CLOSES
from onebook.demo.player import PACE, Lines, LiveScreen, Screen, Silence, play
from onebook.demo.replay import Replay
from onebook.demo.scene import MoneyReader, Observer
from onebook.errors import RuleError
from onebook.trading.runner.clock import ReplayClock

INTERRUPTED = 130
_LOGS = ("onebook", "uvicorn", "litestar")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the demo is to run. ``speed`` in sessions a second; ``until`` the last day to replay.

    ``port`` is the dashboard's: 0 any that is free, None the usual one or else any.
    """

    url: str | None = None
    once: bool = False
    as_json: bool = False
    speed: float | None = None
    until: date | None = None
    port: int | None = None
    no_serve: bool = False

    @property
    def serves(self) -> bool:
        """Whether there is a dashboard, which stays at the end."""
        return not (self.once or self.as_json or self.no_serve)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the book says at the end, and the dashboard that stays; None when there is none, or its watcher left."""

    ending: Ending
    dashboard: Dashboard | None


def run(
    *,
    url: str | None = None,
    once: bool = False,
    as_json: bool = False,
    speed: float | None = None,
    port: int | None = None,
    no_serve: bool = False,
) -> int:
    """Replay the bundled years through three strategies and one book; return the exit code.

    A book that holds the demo already is gone on with; one that holds all of it is only told of. Its dashboard is
    served on this machine meanwhile, and stays until Ctrl-C.

    Args:
        url: the book; None for a fresh one in a temporary folder, which is kept.
        once: run to the end at full speed, then return: no waiting for a key, no dashboard.
        as_json: print the figures as one JSON object, draw nothing, and serve nothing.
        speed: sessions a second; None for a pace worth watching, or where nobody watches as fast as it goes.
        port: of the dashboard; 0: any that is free; None: 8321, or any that is free.
        no_serve: no dashboard.

    Raises:
        RuleError: the book holds other facts than the demo's.
        BadConfig: somebody else has the port.
    """
    speed = speed if speed and speed > 0 else None
    return perform(Wanted(url=url, once=once, as_json=as_json, speed=speed, port=port, no_serve=no_serve))


def perform(wanted: Wanted) -> int:
    """Replay and tell; return the exit code: 1 when verify found problems, 130 after Ctrl-C in the middle."""
    place = wanted.url or str(Path(tempfile.mkdtemp(prefix="onebook-demo-")) / "demo.db")
    try:
        with _ended_like_ctrl_c(), replayed(wanted, place) as told:
            _print(told.ending, wanted)
            if told.dashboard is not None:
                told.dashboard.stay()
    except KeyboardInterrupt:
        again = f"onebook --db {place} demo"
        sys.stderr.write(f"demo: interrupted; what it recorded stays in the book, and this goes on: {again}\n")
        return INTERRUPTED
    return 0 if told.ending.verified.ok else 1


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does, before the replay begins and while verify runs too."""
    if threading.current_thread() is not threading.main_thread():  # only that one hears of signals
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def replay_into(wanted: Wanted, place: str) -> Ending:
    """Open the book, play, look at the result, and close it again.

    Raises:
        KeyboardInterrupt: it was stopped by Ctrl-C or a signal, after the event at which it was.
    """
    with replayed(wanted, place) as told:
        return told.ending


@contextmanager
def replayed(wanted: Wanted, place: str) -> Iterator[Told]:
    """Open the book, serve it where that is wanted, play, and look at the result; the book is open until the end.

    A temporary book is safe from a crash of the program, not from a loss of power: it does not wait for the disk.

    Raises:
        KeyboardInterrupt: it was stopped by Ctrl-C or a signal, after the event at which it was.
    """
    config = {} if wanted.url else {"synchronous": "normal"}
    clock = ReplayClock()
    with open_book(place, actor="demo", clock=clock, config=config) as book:
        _refuse_others(book)
        replay = Replay(book, clock, load_sessions(last=wanted.until))
        with _served(replay, wanted) as served:
            observer = Observer(replay)
            seconds, is_left = _play(replay, observer, wanted, served)
            with _waiting(wanted):
                ending = look(replay, place, seconds, is_temporary=not wanted.url)
            yield Told(ending=ending, dashboard=None if is_left else served)


@contextmanager
def _served(replay: Replay, wanted: Wanted) -> Iterator[Dashboard | None]:
    """Serve the book where that is wanted, and say where."""
    ends = replay.sessions[-1].at(CLOSES) + timedelta(days=1)  # of the book's time: to any later process it is over
    with dashboard(replay.book, wanted.port, ends) if wanted.serves else nullcontext() as served:
        if served is not None:
            tell_address(served)
        yield served


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


def _play(replay: Replay, observer: Observer, wanted: Wanted, served: Dashboard | None) -> tuple[float, bool]:
    """Play on the right screen; return the seconds that it took, without waits, and whether its watcher left."""
    begun = perf_counter()
    with _quiet(), _screen(replay, observer, wanted, served) as screen:
        last, why = play(replay, observer, screen)
        seconds = perf_counter() - begun
        is_left = last is not replay.sessions[-1]
        if isinstance(screen, LiveScreen):
            seconds -= screen.paused_seconds
            if last is replay.sessions[-1] and not wanted.once:
                is_left = not screen.hold(last)
    if why in {"SIGINT", "SIGTERM"}:
        raise KeyboardInterrupt
    return seconds, is_left


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep warnings off the picture: a refused order is an event, and shown as one."""
    logs, handler = [logging.getLogger(name) for name in _LOGS], logging.NullHandler()
    for log in logs:
        log.addHandler(handler)
    try:
        yield
    finally:
        for log in logs:
            log.removeHandler(handler)


@contextmanager
def _screen(replay: Replay, observer: Observer, wanted: Wanted, served: Dashboard | None) -> Iterator[Screen]:
    if wanted.is_live:
        foot = "" if served is None else f"dashboard {served.url}   token {served.token}"
        with LiveScreen(replay, observer, MoneyReader(replay.book, NAMES), wanted.pace, foot).on() as live:
            yield live
    elif wanted.as_json:
        yield Silence()
    else:
        yield Lines(replay, observer, wanted.pace)


def _print(ending: Ending, wanted: Wanted) -> None:
    if wanted.as_json:
        sys.stdout.write(json.dumps(as_json(ending), indent=2, ensure_ascii=False) + "\n")
    else:
        tell(ending, Console())
