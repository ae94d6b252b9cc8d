"""Commands for files: import what others wrote, export what the book holds."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from onebook.cli.asking import Asked, reading, takes
from onebook.cli.progress import progress
from onebook.cli.session import session
from onebook.cli.tables import print_object
from onebook.domain.reports import as_plain
from onebook.errors import InputError

REFUSED = 2
SHOWN = 20


def import_(  # noqa: PLR0913  the options of the contract
    ctx: typer.Context,
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE...", help=".csv or .jsonl")] = None,
    kind: Annotated[str, typer.Option("--from", metavar="KIND", help="What a row is.")] = "fill",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check only.")] = False,
    account: Annotated[str | None, typer.Option("--account", help="For rows that name none.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="For rows that name none.")] = None,
    venue: Annotated[str | None, typer.Option("--venue", help="For rows that name none.")] = None,
    zone: Annotated[str, typer.Option("--zone", help="Zone of times that state none.")] = "",
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help="Or FIELD=#1, FIELD:=CONSTANT, or a kept map's NAME."),
    ] = None,
    save_as: Annotated[str | None, typer.Option("--save-map", metavar="NAME", help="Keep the map.")] = None,
    report: Annotated[str | None, typer.Option("--report", metavar="FILE", help="Write the report.")] = None,
    undo: Annotated[
        str | None, typer.Option("--undo", metavar="REPORT", help="Bust the fills that an import recorded.")
    ] = None,
) -> int:
    """Import files: rows of fills, or of any kind of fact. The same file again records nothing.

    Rows that cannot be booked are listed, the others booked, and the exit code is 2. A quantity without a
    side is signed: below 0 sells.
    """
    if undo is not None:
        return _undo(ctx, undo)
    from onebook.intake.files import look_at
    from onebook.intake.importer import Importer, Wishes

    if not files:
        msg = "name the files to import"
        raise InputError(msg, field="files")
    named = kind.replace("-", "_")
    defaults = {"account": account, "strategy": strategy, "venue": venue}
    wishes = Wishes(
        kind=named,
        columns=_columns(ctx, maps or [], save_as, named),
        defaults={name: value for name, value in defaults.items() if value is not None},
        zone=zone,
        dry_run=dry_run,
    )
    sources = [look_at(path) for path in files]
    if report is not None and not Path(report).resolve().parent.is_dir():
        msg = f"{report}: its folder does not exist; nothing was recorded"
        raise InputError(msg, field="report", value=report)
    here = session(ctx)
    opened: Any = nullcontext() if dry_run else here.open(create=True)  # a dry run asks nothing of a book
    with opened as book, progress("importing", quiet=here.as_json) as move:
        importer = Importer(book, wishes, move)
        try:
            found = importer.run(sources)
        except KeyboardInterrupt:
            here.say(f"import: interrupted; {importer.report.recorded} rows are booked, the same again books the rest")
            raise
    _tell(ctx, found, report)
    return REFUSED if found.refused_rows else 0


def _columns(ctx: typer.Context, maps: list[str], save_as: str | None, kind: str) -> Any:
    from onebook.domain.facts import FACTS
    from onebook.intake.mapping import parse_map
    from onebook.intake.maps import save_map, saved_map

    if kind not in FACTS:
        msg = f"--from {kind!r} is none of {', '.join(FACTS)}"
        raise InputError(msg, field="from", value=kind)
    texts = [text for item in maps for text in ([item] if "=" in item else saved_map(item))]
    parsed = parse_map(texts, kind)
    if save_as is not None:
        path = save_map(save_as, texts)
        session(ctx).say(f"map kept in {path}; use it with: --map {save_as}")
    return parsed


def _tell(ctx: typer.Context, found: Any, path: str | None) -> None:
    """Print and write the report of an import."""
    here = session(ctx)
    if path is not None:
        text = json.dumps(as_plain(found), ensure_ascii=False, indent=1)
        Path(path).write_text(text + "\n", encoding="utf-8")
    if here.as_json:
        print_object(found)
        return
    for name, columns in found.unused_columns.items():
        here.say(f"note: {name}: not used: {', '.join(columns)}")
    for row in found.refused[:SHOWN]:
        sys.stderr.write(f"error: {row.file}, line {row.line}: {row.reason}\n")
    if found.refused_rows > SHOWN:
        here.say(f"and {found.refused_rows - SHOWN} more; --report FILE or --json lists them")
    good = found.rows - found.refused_rows
    if found.dry_run:
        of = f"{good} of {found.rows} row{'' if found.rows == 1 else 's'}"
        print(f"{of} can be booked, {found.refused_rows} cannot; nothing was recorded")
        return
    said = f"{found.recorded} recorded, {found.exists} there already, {found.conflicts} in conflict"
    print(f"{found.rows} row{'' if found.rows == 1 else 's'}: {said}, {found.refused_rows} refused")


def _undo(ctx: typer.Context, path: str) -> int:
    from onebook.intake.importer import undo

    here = session(ctx)
    with here.open() as book, progress("undoing", quiet=here.as_json) as move:
        busted, failed = undo(book, path, move)
    if here.as_json:
        print_object({"busted": busted, "failed": failed})
    else:
        for reason in failed[:SHOWN]:
            sys.stderr.write(f"error: {reason}\n")
        print(f"{busted} fill{'' if busted == 1 else 's'} busted" + (f", {len(failed)} could not be" if failed else ""))
    return REFUSED if failed else 0


@takes("account", "strategy", "instrument", "since", "until")
def export(
    ctx: typer.Context,
    asked: Asked,
    path: Annotated[str, typer.Argument(metavar="PATH", help=".jsonl: every fact; .csv or .parquet: fills.")],
    form: Annotated[str | None, typer.Option("--form", help="jsonl, csv or parquet, whatever the name.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
) -> None:
    """Export to a file: every fact as .jsonl, or the fills that stand as .csv or .parquet."""
    with reading(ctx) as book:
        count = book.export(path, form=form, replace=replace, **asked.filters())
    if not Path(path).is_file():  # a pipe or a terminal holds the export alone
        session(ctx).say(f"{count} written to {path}")
    elif session(ctx).as_json:
        print_object({"path": path, "count": count})
    else:
        print(f"{count} written to {path}")
