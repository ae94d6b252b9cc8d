"""Commands that keep the book sound: verify, rebuild, backup, restore; the demo and the settings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from onebook.cli.asking import reading, seconds
from onebook.cli.progress import progress
from onebook.cli.serve import MAX_PORT
from onebook.cli.session import session
from onebook.cli.tables import answer, cell, columns, print_object, table
from onebook.config.values import count
from onebook.errors import InputError

FOUND_PROBLEMS = 1
CORRUPT = 70
PROBLEMS = columns("Kind=kind", "Sequence=sequence", "What=message")
SNAPSHOTS = columns("Sequence=sequence", "At=at", "Anchor=anchor", "Bytes=size", "Path=path 1")
SETTINGS = columns("Setting=key", "Value=value", "From=source", "Note=note 1")


def demo(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Run to the end and leave; no dashboard.")] = False,
    speed: Annotated[str | None, typer.Option("--speed", help="How fast the history runs.")] = None,
    port: Annotated[
        str | None, typer.Option("--port", help="Of the dashboard; else 8321, or any that is free.")
    ] = None,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Without the dashboard.")] = False,
) -> int:
    """The main job on the bundled real data, into a fresh book unless --db is given; its dashboard until Ctrl-C."""
    import onebook.demo

    here = session(ctx)
    pace = None if speed is None else seconds("speed", speed)
    at = None if port is None else count(0, MAX_PORT)("--port", port)
    if at is not None and (once or here.as_json or no_serve):
        msg = "--port: nothing is served with --once, --json or --no-serve; leave --port out"
        raise InputError(msg, field="port", value=port)
    return onebook.demo.run(url=here.url, once=once, as_json=here.as_json, speed=pace, port=at, no_serve=no_serve)


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


def rebuild(
    ctx: typer.Context,
    from_zero: Annotated[bool, typer.Option("--from-zero", help="Fold every entry; use no snapshot.")] = False,
) -> int:
    """Make everything that is derived from the log anew, from the newest snapshot that agrees with it."""
    here = session(ctx)
    with here.open() as book:
        found = book.rebuild(from_zero=from_zero)
    if here.as_json:
        print_object(found)
    else:
        if found.problems:
            table(found.problems, PROBLEMS)
        begun = f"the snapshot at {found.snapshot} and what follows, " if found.snapshot else ""
        print(f"rebuilt from {begun}{found.entries} entries, head {found.head_hash}")
    return 0 if found.ok else CORRUPT if found.corrupt else FOUND_PROBLEMS


def snapshot(
    ctx: typer.Context,
    path: Annotated[str | None, typer.Argument(metavar="PATH", help="The file; none: in the book's folder.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Take none; show the whole ones there are.")] = False,
) -> None:
    """Write what the book holds to a file from which a rebuild can begin. It is a cache; a backup is another thing."""
    here = session(ctx)
    if listed:
        if path is not None:
            msg = "--list takes no path: it shows the snapshots of the book's folder"
            raise InputError(msg, field="path", value=path)
        with reading(ctx) as book:
            answer(here, book.snapshots(), SNAPSHOTS, empty="no snapshots")
        return
    with here.open() as book:
        taken = book.snapshot(path)
    if here.as_json:
        print_object(taken)
    else:
        print(f"snapshot of {taken.sequence} entries in {taken.path}")


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
    if not here.as_json:
        shown = [replace(item, value=_said(item.value)) for item in shown]
    answer(here, shown, SETTINGS, empty="no settings")


def _said(value: Any) -> str:
    """Return a setting as it stands in a table."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_said(item)}" for name, item in value.items())
    return f"{value:.12g}" if isinstance(value, float) else cell(value)
