"""``onebook doctor``: what is wrong with the book, in plain words, with the command that helps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from onebook.cli.asking import reading
from onebook.cli.keeping import CORRUPT, FOUND_PROBLEMS
from onebook.cli.session import session
from onebook.cli.tables import cell, print_object

QUICK_ENTRIES = 50_000
"""Longest log that the doctor verifies itself."""

BACKUP_AGE = timedelta(days=7)

_FLAGS = {
    "contract_size_assumed": (
        "its contract size is not known and taken as 1",
        "onebook record instrument --symbol {0} --kind perpetual --contract-size SIZE",
    ),
    "account_mixed": ("fills of more than one venue in one account", "onebook fills --instrument {0}"),
    "oversold": ("more was sold than was held", "onebook fills --instrument {0}"),
    "unknown_order": ("fills of orders the book does not know", "onebook orders --instrument {0}"),
    "overfilled": ("more was filled than was ordered", "onebook orders --instrument {0}"),
    "leg_exceeded": ("a leg closed more than it held", "onebook fills --instrument {0}"),
    "time_ahead": ("fills with times in the future", "onebook fills --instrument {0}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to look at. ``level`` is ``problem`` or ``note``; only problems fail the check."""

    level: str
    what: str
    help: str


def _subscribers(status: Any) -> Iterator[Finding]:
    """What was not handed over."""
    for item in status.subscribers:
        if item.state == "halted":
            what = f"subscriber {item.name} stands still after {item.checkpoint}: {item.last_error}"
            yield Finding(level="problem", what=what, help=f"onebook subscribers retry {item.name}")
        if item.dead_letters:
            what = f"{item.dead_letters} events could not be handed to {item.name}"
            yield Finding(level="problem", what=what, help=f"onebook subscribers dead {item.name}")


def _spools(url: str) -> Iterator[Finding]:
    """What bots could not book, and waits beside the book."""
    from onebook.intake.adapters.spool import waiting_beside

    for spool in waiting_beside(url):
        since = datetime.fromtimestamp(spool.changed, UTC)
        yield Finding(
            level="problem",
            what=f"{spool.size} bytes of facts wait in {spool.path} since {_age(datetime.now(UTC) - since)}",
            help="start the bot that wrote them; under another name, with spool= and this path",
        )


def doctor(ctx: typer.Context) -> int:
    """Look the book over, and say what to do. Exit 1 when there are problems."""
    here = session(ctx)
    with reading(ctx) as book:
        status = book.status()
        findings = [
            *_counts(status),
            *_flags(book),
            *_marks(book),
            *_backup(status),
            *_subscribers(status),
            *_spools(book.store.url),
        ]
        corrupt, verified = _verified(book, status, findings)
    problems = [item for item in findings if item.level == "problem"]
    if here.as_json:
        print_object({"ok": not problems, "verified": verified, "findings": findings})
    else:
        _show(status, findings, verified=verified)
    return CORRUPT if corrupt else FOUND_PROBLEMS if problems else 0


def _show(status: Any, findings: list[Finding], *, verified: bool) -> None:
    for item in findings:
        print(f"{item.level}: {item.what}\n    {item.help}")
    said = "the log and all figures were checked" if verified else "the log was not checked"
    problems = sum(item.level == "problem" for item in findings)
    count = f"{problems} problem{'' if problems == 1 else 's'}" if problems else "no problems"
    print(f"{count}; {status.entries} entries; {said}")


def _counts(status: Any) -> Iterator[Finding]:
    if status.conflicts:
        yield Finding(
            level="problem",
            what=f"{status.conflicts} reports contradict a fact recorded before; the first stands",
            help="onebook tail --types trade_conflicted --after 0, then: onebook correct SEQ --reason … --set …",
        )
    others = status.breaks - status.conflicts
    if others > 0:
        yield Finding(
            level="problem",
            what=f"{others} differences wait for somebody",
            help='Python lists them: onebook.open("…").breaks()',
        )
    if status.unvalued:
        yield Finding(
            level="problem",
            what=f"{status.unvalued} positions hold amounts in a currency without a rate",
            help="onebook positions --all shows them; then: onebook record rate --base BNB --quote USDT --price …",
        )
    if status.fills_without_identity:
        yield Finding(
            level="note",
            what=f"{status.fills_without_identity} fills came without an id; recorded again they would count twice",
            help="give venue_fill_id or client_fill_id with every fill",
        )


def _flags(book: Any) -> Iterator[Finding]:
    for position in book.positions(is_open=None):
        for flag in position.flags:
            if flag in _FLAGS:
                what, command = _FLAGS[flag]
                yield Finding(
                    level="problem",
                    what=f"{position.instrument} in account {position.account}: {what}",
                    help=command.format(position.instrument),
                )


def _marks(book: Any) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for position in book.positions():
        if position.mark is None:
            yield Finding(
                level="note",
                what=f"{position.instrument}: no mark, so its unrealized P&L is not known",
                help=f"onebook mark {position.instrument} PRICE",
            )
        elif position.stale:
            age = _age(now - position.marked_at)
            yield Finding(
                level="note",
                what=f"{position.instrument}: its mark is {age} old",
                help=f"onebook mark {position.instrument} PRICE",
            )


def _backup(status: Any) -> Iterator[Finding]:
    if not status.entries:
        return
    if status.last_backup_at is None:
        yield Finding(level="note", what="never backed up", help="onebook backup PATH")
        return
    age = datetime.now(UTC) - status.last_backup_at
    if age > BACKUP_AGE:
        yield Finding(level="problem", what=f"the last backup is {_age(age)} old", help="onebook backup PATH")


def _verified(book: Any, status: Any, findings: list[Finding]) -> tuple[bool, bool]:
    """Verify a short log: (whether it is corrupt, whether it was verified)."""
    if status.entries > QUICK_ENTRIES:
        findings.append(
            Finding(level="note", what=f"{status.entries} entries take a while to check", help="onebook verify")
        )
        return False, False
    found = book.verify()
    findings += [
        Finding(
            level="problem",
            what=cell(problem.message),
            help=f"onebook --db {status.url} restore BACKUP --replace" if found.corrupt else "onebook rebuild",
        )
        for problem in found.problems
    ]
    return found.corrupt, True


def _age(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"
