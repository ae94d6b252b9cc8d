"""Commands that keep the book sound: verify, rebuild, backup, restore; the demo and the settings."""

from typing import Annotated, Any

import typer

from onebook.cli.asking import reading, seconds
from onebook.cli.progress import progress
from onebook.cli.session import session
from onebook.cli.tables import answer, columns, print_object, table

FOUND_PROBLEMS = 1
CORRUPT = 70
PROBLEMS = columns("Kind=kind", "Sequence=sequence", "What=message")
SETTINGS = columns("Setting=key", "Value=value", "From=source")


def demo(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Run to the end and leave.")] = False,
    speed: Annotated[str | None, typer.Option("--speed", help="How fast the history runs.")] = None,
) -> int:
    """The main job on the bundled real data, into a fresh book unless --db is given."""
    import onebook.demo

    here = session(ctx)
    pace = None if speed is None else seconds("speed", speed)
    return onebook.demo.run(url=here.url, once=once, as_json=here.as_json, speed=pace)


def verify(ctx: typer.Context) -> int:
    """Check every hash of the log, and every figure against the log. Exit 1: problems; 70: the log is damaged."""
    here = session(ctx)
    with reading(ctx) as book, progress("verifying", book.status().entries, quiet=here.as_json) as move:
        place = book.status().url
        found = book.verify(progress=move)
    if here.as_json:
        print_object(found)
    elif found.ok:
        print(f"sound: {found.entries} entries, head {found.head_hash}")
    else:
        table(found.problems, PROBLEMS)
        print(_advice(found, place))
    return 0 if found.ok else CORRUPT if found.corrupt else FOUND_PROBLEMS


def _advice(found: Any, place: str) -> str:
    if found.corrupt:
        return f"the log is damaged: restore a backup with: onebook --db {place} restore BACKUP --replace"
    return "the log is sound; make what is derived from it anew with: onebook rebuild"


def rebuild(ctx: typer.Context) -> int:
    """Make everything that is derived from the log anew."""
    here = session(ctx)
    with here.open() as book:
        found = book.rebuild()
    if here.as_json:
        print_object(found)
    else:
        if found.problems:
            table(found.problems, PROBLEMS)
        print(f"rebuilt from {found.entries} entries, head {found.head_hash}")
    return 0 if found.ok else CORRUPT if found.corrupt else FOUND_PROBLEMS


def backup(ctx: typer.Context, path: Annotated[str, typer.Argument(metavar="PATH")]) -> None:
    """Write a consistent copy of the book to a new file, while it is in use."""
    here = session(ctx)
    with here.open() as book:
        book.backup(path)
        entries = book.status().entries
    if here.as_json:
        print_object({"path": path, "entries": entries})
    else:
        print(f"backed up {entries} entries to {path}")


def restore(
    ctx: typer.Context,
    path: Annotated[str, typer.Argument(metavar="BACKUP", help="A file that backup wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of a book; the old one is kept beside it.")
    ] = False,
) -> None:
    """Make the book that --db names from a backup, after checking the backup."""
    import onebook
    from onebook.errors import InputError

    here = session(ctx)
    if here.target is None:
        msg = "say where the book goes: onebook --db NEW.db restore BACKUP"
        raise InputError(msg, field="db")
    onebook.restore(path, here.target, replace=replace)
    if here.as_json:
        print_object({"path": path, "url": here.target})
    else:
        print(f"restored {path} to {here.target}; check it with: onebook --db {here.target} verify")


def config(ctx: typer.Context) -> None:
    """The settings in force, and where each came from; secrets masked."""
    here = session(ctx)
    shown = list(here.config.shown())
    if here.url is not None:
        from onebook.config import Setting, masked

        given = Setting(key="book.url", value=masked("book.url", here.url), source="--db")
        shown = [given if item.key == "book.url" else item for item in shown]
    answer(here, shown, SETTINGS, empty="no settings")
