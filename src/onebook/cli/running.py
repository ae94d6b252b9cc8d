"""``onebook routes run`` and ``onebook notify test``: what a configuration wants running, and whether it arrives."""

import signal
import threading
from dataclasses import dataclass
from types import FrameType

import typer

from onebook.cli.groups import grouped
from onebook.cli.session import session
from onebook.cli.tables import answer, columns
from onebook.errors import BadConfig, SourceError

TESTED = columns("Target=target", "Arrived=arrived", "What=what 1")
FAILED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    """What became of one target."""

    target: str
    arrived: bool | None = None
    what: str = ""


def run(ctx: typer.Context) -> None:
    """Serve the routes, notifications, snapshots and the watchman of the configuration, until Ctrl-C or SIGTERM."""
    here = session(ctx)
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with here.open() as book:
            if not book.run(here.config):
                msg = "the configuration wants nothing run; write routes: or notify: in onebook.yaml"
                raise BadConfig(msg)
            names = ", ".join(item.name for item in book.feed.subscribers)
            here.say(f"serving {names} of {book.status().url}; Ctrl-C ends")
            ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    here.say("ended; checkpoints are kept")


def _explain(ctx: typer.Context) -> None:
    """Where notifications go. `notify test` sends one to each target."""
    from onebook.config import masked

    here = session(ctx)
    targets = here.config.get("notify.targets")
    shown = masked("notify.targets", tuple(targets))
    rows = [_Tested(target=str(item)) for item in shown]
    answer(here, rows, columns("Target=target"), empty="no targets; write notify: targets: in onebook.yaml")


def _test(ctx: typer.Context) -> int:
    """Send a test message to each notification target. Exit 4: one did not take it."""
    from onebook.config import masked
    from onebook.feed.sinks.outlet import send_test

    here = session(ctx)
    targets = tuple(here.config.get("notify.targets"))
    if not targets:
        msg = "no targets; write notify: targets: in onebook.yaml"
        raise BadConfig(msg, key="notify.targets")
    rows = []
    for target, shown in zip(targets, masked("notify.targets", targets), strict=True):
        try:
            send_test(target)
        except (SourceError, BadConfig) as problem:
            rows.append(_Tested(target=str(shown), arrived=False, what=str(problem)))
        else:
            rows.append(_Tested(target=str(shown), arrived=True, what="handed over"))
    answer(here, rows, TESTED, empty="")
    return 0 if all(row.arrived for row in rows) else FAILED


notify = grouped("notify", _explain, {"test": _test}, "Keeping")
