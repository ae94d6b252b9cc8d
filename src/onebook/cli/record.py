"""``onebook record KIND``: a command per kind of fact, made from the fields of its record."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from onebook.cli.session import session
from onebook.cli.writing import receipt_data, show_receipt
from onebook.domain.facts import FACTS
from onebook.domain.reports import as_json
from onebook.errors import InputError

STDIN = "-"


class Kinds(TyperGroup):
    """The kinds of facts, each a command made when it is asked for."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002  the library's signature
        """Return all kinds."""
        return [name.replace("_", "-") for name in FACTS]

    def get_command(self, ctx: object, cmd_name: str) -> Any:
        """Return the command that records this kind, or None."""
        from onebook.cli.words import made

        if not self.commands:
            self.commands = cast("Any", dict.fromkeys(self.list_commands(ctx)))  # to suggest from
        kind = cmd_name.replace("-", "_")
        return made(cmd_name, _recorder(FACTS[kind])) if kind in FACTS else None


record = Kinds(
    name="record",
    help="Record a fact by hand: onebook record fill --instrument BTC/USDT --side buy …",
    subcommand_metavar="KIND [--field value]… | KIND -",
    rich_help_panel="Recording",
)


def _recorder(fact: type[Any]) -> Callable[..., Any]:
    """Return the function behind ``record KIND``: an option per field."""

    def recorder(ctx: typer.Context, stdin: str | None, **given: str | None) -> Any:
        stated = {name: value for name, value in given.items() if value is not None}
        if stdin is None:
            with session(ctx).open(create=True) as book:
                show_receipt(ctx, book.record(built(fact, stated)))
            return 0
        if stdin != STDIN:
            msg = f"{stdin!r}: write the fields as --name value, or - to read JSON from stdin"
            raise InputError(msg, field="stdin", value=stdin)
        return _from_stdin(ctx, fact, stated)

    shown = [_parameter("ctx", typer.Context), _parameter("stdin", _WORD, None)]
    shown += [_parameter(item.name, _option(item), None) for item in fields(fact)]
    recorder.__doc__ = f"{(fact.__doc__ or '').splitlines()[0]}\n\n{_rest(fact)}"
    recorder.__name__ = fact.KIND
    recorder.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    recorder.__annotations__ = {item.name: item.annotation for item in shown}
    return recorder


_WORD = Annotated[
    str | None, typer.Argument(metavar="[-]", help="- reads JSON, or JSON lines, from stdin.", show_default=False)
]


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _option(item: Any) -> Any:
    required = item.default is MISSING and item.default_factory is MISSING
    said = "required" if required else f"default {item.default}" if item.default not in {None, "", ()} else ""
    flag = "--" + item.name.replace("_", "-")
    if item.name == "raw":
        said = "the source's own payload, as JSON"
    elif item.name == "mapping":
        said = "as JSON"
    elif item.name == "tags":
        said = "with commas"
    elif item.name == "occurred_at":
        said = "2026-01-31T09:30:00Z; default now"
    return Annotated[str | None, typer.Option(flag, metavar="VALUE", help=said, show_default=False)]


def _rest(fact: type[Any]) -> str:
    text = inspect.getdoc(fact) or ""
    return text.partition("\n")[2].strip().replace("``", "")


def built(fact: type[Any], stated: dict[str, Any]) -> Any:
    """Return the fact with these fields; what is missing or unknown is said by its name.

    Raises:
        InputError: a field is missing, unknown or malformed.
    """
    known = {item.name: item for item in fields(fact)}
    for name in stated:
        if name not in known:
            from onebook.intake.mapping import unknown_field

            raise unknown_field(fact.KIND, name)
    for name, item in known.items():
        if item.default is MISSING and item.default_factory is MISSING and name not in stated:
            msg = f"{name}: is missing; a {fact.KIND} needs it"
            raise InputError(msg, field=name)
    return fact(**{name: _typed(name, value) for name, value in stated.items()})


def _typed(name: str, value: Any) -> Any:
    if name in {"raw", "mapping"}:
        from onebook.intake.files import plain_json

        return plain_json(parsed(value, name) if isinstance(value, str) else value)
    if name == "occurred_ns" and isinstance(value, str) and value.isdecimal():
        return int(value)
    return value


def parsed(text: str, where: str) -> Any:
    """Return JSON as data, its numbers as exact decimals.

    Raises:
        InputError: it is not JSON.
    """
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as problem:
        msg = f"{where}: is not JSON: {problem}"
        raise InputError(msg, field=where) from None


def _from_stdin(ctx: typer.Context, fact: type[Any], stated: dict[str, Any]) -> int:
    """Record every object on stdin; what the options state holds for each that leaves it out."""
    whole = fewer = 0
    with session(ctx).open(create=True) as book:
        for where, read in _objects(sys.stdin):
            try:
                item = read()
                if not isinstance(item, dict):
                    msg = f"expected an object, found {type(item).__name__}"
                    raise InputError(msg)  # noqa: TRY301  told with its line, as the others are
                receipt = book.record(built(fact, stated | item))
            except InputError as problem:
                fewer += 1
                _refuse(ctx, where, problem)
                continue
            whole += 1
            if session(ctx).as_json:
                print(as_json(receipt_data(receipt)))
            else:
                print(receipt)
    if not whole and not fewer:
        msg = "stdin: nothing there; pipe JSON in, one object or one on each line"
        raise InputError(msg)
    return 2 if fewer else 0


def _refuse(ctx: typer.Context, where: str, problem: InputError) -> None:
    if session(ctx).as_json:
        text = as_json({"code": problem.code, "message": str(problem), "where": where})
    else:
        text = f"error: {problem}" if str(problem).startswith(where) else f"error: {where}: {problem}"
    sys.stderr.write(text + "\n")


def _objects(stream: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Return where each JSON value of a stream stands, and how to read it: one a line, or one document."""
    first = stream.readline()
    while first and not first.strip():
        first = stream.readline()
    if not first:
        return
    if first.lstrip().startswith("[") or not _is_json(first):
        rest = stream.read()
        if not first.lstrip().startswith(("[", "{")) or _is_json(rest.partition("\n")[0]):
            rest, stream = "", iter(rest.splitlines())
        else:
            document = parsed(first + rest, "stdin")
            items = document if isinstance(document, list) else [document]
            yield from ((f"stdin, item {number}", partial(_same, item)) for number, item in enumerate(items, 1))
            return
    yield "stdin, line 1", partial(parsed, first, "stdin, line 1")
    for number, line in enumerate(stream, 2):
        if line.strip():
            yield f"stdin, line {number}", partial(parsed, line, f"stdin, line {number}")


def _same(item: Any) -> Any:
    return item


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
