"""Plays a replay: at full speed or at a pace, onto a live view, as plain lines, or in silence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import Protocol

from rich.console import Console
from rich.live import Live

from onebook.demo import words
from onebook.demo.history import Session
from onebook.demo.keys import Keys
from onebook.demo.replay import Replay
from onebook.demo.scene import MoneyReader, Observer
from onebook.demo.view import draw

PACE = 45.0
"""Sessions per second that are good to watch: the thirteen years in about 75 seconds."""

_FRAME_SECONDS = 0.1
_THE_END = "the end: any key leaves the picture, then verify runs"
_FASTER = 1.5
_SLOWEST, _FASTEST = 1.0, 4000.0


class Screen(Protocol):
    """Where a replay is shown."""

    def show(self, session: Session) -> bool:
        """Take a session that has ended; False to stop here."""
        ...


class Silence:
    """Shows nothing."""

    def show(self, _session: Session) -> bool:
        """Go on."""
        return True


class Lines:
    """A plain line to stderr at the end of each year.

    Args:
        replay: what is played.
        observer: what it is worth.
        pace: sessions per second; None for as fast as it goes.
    """

    def __init__(self, replay: Replay, observer: Observer, pace: float | None) -> None:
        self._replay = replay
        self._observer = observer
        self._pace = pace
        self._due = 0.0
        self._last: Session | None = None

    def show(self, session: Session) -> bool:
        """Print a line when a year has begun, and wait for the pace."""
        before, self._last = self._last, session
        if before is not None and before.day.year != session.day.year:
            sys.stderr.write(
                f"{before.day}  session {before.number:>5,} of {len(self._replay.sessions):,}"
                f"  {self._replay.book.status().entries:>6,} entries"
                f"  equity {words.amount(self._observer.worth, 0):>8} USD\n"
            )
        if self._pace is not None:
            self._due = max(self._due + 1 / self._pace, perf_counter() - _FRAME_SECONDS)
            while not self._replay.runner.is_stopping and (left := self._due - perf_counter()) > 0:
                sleep(min(left, _FRAME_SECONDS))
        return True


class LiveScreen:
    """The live view with its keys: q leaves, space pauses, + and - change the pace.

    Args:
        replay: what is played.
        observer: draws up the scenes.
        money: what the bots realized, read in the background.
        pace: sessions per second; None for as fast as it goes.
        foot: a line below what the keys do; empty: none.
    """

    def __init__(
        self, replay: Replay, observer: Observer, money: MoneyReader, pace: float | None, foot: str = ""
    ) -> None:
        self.pace = pace
        self._foot = foot
        self.paused_seconds = 0.0
        self._runner = replay.runner
        self._observer = observer
        self._money = money
        self._console = Console()
        self._keys = Keys()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._drawn_at = 0.0
        self._due = 0.0
        self._paused = False

    @contextmanager
    def on(self) -> Iterator["LiveScreen"]:
        """Take the terminal, and give it back as it was."""
        self._money.start()
        try:
            with self._keys, self._live:
                yield self
        finally:
            self._money.end()

    def show(self, session: Session) -> bool:
        """Draw when a frame is due, wait for the pace, and follow the keys."""
        now = perf_counter()
        if now - self._drawn_at >= _FRAME_SECONDS:
            self._draw(session)
        if not self._follow(self._keys.read(), session):
            return False
        if self.pace is None:
            return True
        self._due = max(self._due + 1 / self.pace, now - _FRAME_SECONDS)
        return self._wait(session)

    def _wait(self, session: Session) -> bool:
        """Sleep until the next session is due, awake for keys; a pause lasts until it is taken back."""
        begun = perf_counter()
        going = True
        while going and not self._runner.is_stopping and (self._paused or perf_counter() < self._due):
            left = _FRAME_SECONDS if self._paused else self._due - perf_counter()
            going = self._follow(self._keys.read(max(0.0, min(left, _FRAME_SECONDS))), session)
        self.paused_seconds += perf_counter() - begun
        return going

    def _follow(self, key: str, session: Session) -> bool:
        """Do what a key says; False for leaving."""
        if key in {"q", "Q", "\x1b"}:
            return False
        if key == " ":
            self._paused = not self._paused
            self.pace = self.pace or PACE
            self._due = perf_counter()
        elif key in {"+", "="}:
            self.pace = min((self.pace or PACE) * _FASTER, _FASTEST)
        elif key == "-":
            self.pace = max((self.pace or PACE) / _FASTER, _SLOWEST)
        if key:
            self._draw(session)
        return True

    def _draw(self, session: Session, state: str = "") -> None:
        pace = "full speed" if self.pace is None else f"{self.pace:,.0f} sessions a second"
        state = state or f"q leaves   space {'goes on' if self._paused else 'pauses'}   + − {pace}"
        state = f"{state}\n{self._foot}" if self._foot else state
        self._live.update(draw(self._observer.scene(session, self._money.money), state), refresh=True)
        self._drawn_at = perf_counter()

    def hold(self, session: Session) -> bool:
        """Keep the last picture until a key is pressed; not at all where no key can be. False for Ctrl-C."""
        self._draw(session, _THE_END)
        try:
            while self._keys.are_there and not self._keys.read(_FRAME_SECONDS * 5):
                self._draw(session, _THE_END)
        except KeyboardInterrupt:
            return False
        return True


def play(replay: Replay, observer: Observer, screen: Screen) -> tuple[Session | None, str]:
    """Run the replay onto a screen; return the last session that ended, and why the replay stopped."""
    last = replay.done[-1] if replay.done else None

    def ended(session: Session) -> bool:
        nonlocal last
        last = session
        observer.sample(session)
        return screen.show(session)

    why = replay.run(ended)
    return last, why
