"""The command ``demo``: opens a book, plays the replay into it, and tells what the book says at the end."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter

from rich.console import Console

from onebook.app import Book
from onebook.app import open as open_book
from onebook.demo.desk import Desk, ReplayClock
from onebook.demo.ending import Ending, as_json, look, tell
from onebook.demo.history import load_sessions
from onebook.demo.player import PACE, Lines, LiveScreen, Screen, Silence, play
from onebook.demo.replay import Replay, bots
from onebook.demo.scene import MoneyReader, Observer
from onebook.demo.venue import ACCOUNT
from onebook.errors import RuleError

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
    """Replay the bundled years through three bots and one book; return the exit code.

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
    try:
        ending = replay_into(wanted)
    except KeyboardInterrupt:
        sys.stderr.write("demo: interrupted; what it recorded stays in the book\n")
        return INTERRUPTED
    _print(ending, wanted)
    return 0 if ending.verified.ok else 1


def replay_into(wanted: Wanted) -> Ending:
    """Open the book, play, look at the result, and close it again.

    A temporary book is safe from a crash of the program, not from a loss of power: it does not wait for the disk.
    """
    place = wanted.url or str(Path(tempfile.mkdtemp(prefix="onebook-demo-")) / "demo.db")
    config = {} if wanted.url else {"synchronous": "normal"}
    clock = ReplayClock()
    names = tuple(bot.name for bot in bots())
    with ExitStack() as opened:
        book = opened.enter_context(open_book(place, actor="demo", clock=clock, config=config))
        scratch = opened.enter_context(open_book(":memory:", clock=clock)) if _is_ours(book) else None
        replay = Replay(Desk(book, scratch), clock, load_sessions(last=wanted.until))
        observer = Observer(replay.desk, replay.sessions)
        seconds = _play(replay, observer, wanted, names)
        with _waiting(wanted):
            return look(replay.desk, place, seconds, is_temporary=not wanted.url)


@contextmanager
def _waiting(wanted: Wanted) -> Iterator[None]:
    """Say that verify runs, where somebody watches."""
    if not wanted.is_live:
        yield
        return
    with Console().status("verify: folding every entry of the log again …"):
        yield


def _is_ours(book: Book) -> bool:
    """Return whether the book holds the demo already; refuse one that holds anything else."""
    if not book.status().entries:
        return False
    if book.balances(account=ACCOUNT) and all(row.account == ACCOUNT for row in book.balances()):
        return True
    msg = "this book holds other facts than the demo's; give the demo a new file, or leave --db out"
    raise RuleError(msg)


def _play(replay: Replay, observer: Observer, wanted: Wanted, names: tuple[str, ...]) -> float:
    """Play on the right screen; return the seconds that it took, without waits."""
    begun = perf_counter()
    with _screen(replay, observer, wanted, names) as screen:
        last = play(replay, observer, screen)
        seconds = perf_counter() - begun
        if isinstance(screen, LiveScreen):
            seconds -= screen.paused_seconds
            if last is replay.sessions[-1] and not wanted.once:
                screen.hold(last)
    return seconds


@contextmanager
def _screen(replay: Replay, observer: Observer, wanted: Wanted, names: tuple[str, ...]) -> Iterator[Screen]:
    if wanted.is_live:
        with LiveScreen(observer, MoneyReader(replay.desk.shown, names), wanted.pace).on() as live:
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
