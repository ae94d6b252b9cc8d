"""A command with commands below it: alone it does one thing, with a word after it another."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.core import TyperGroup


def grouped(name: str, alone: Callable[..., Any], below: Mapping[str, Callable[..., Any]], heading: str) -> TyperGroup:
    """Return a command and those below it.

    Args:
        name: of the command.
        alone: what it does without a further word; called only then.
        below: word -> what it does.
        heading: in the help of the program.
    """
    from onebook.cli.words import EPILOG, as_text

    def callback(ctx: typer.Context, **given: Any) -> Any:
        return alone(ctx=ctx, **given) if ctx.invoked_subcommand is None else None

    vars(callback)["__signature__"] = inspect.signature(alone)  # its options are those of what it does alone
    app = typer.Typer(name=name, add_completion=False, invoke_without_command=True)
    app.callback(help=alone.__doc__, epilog=EPILOG, rich_help_panel=heading)(callback)
    for word, function in below.items():
        app.command(word, epilog=EPILOG)(function)
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)  # noqa: S101  a callback with commands is a group
    as_text(group)
    for command in group.commands.values():
        as_text(command)
    return group
