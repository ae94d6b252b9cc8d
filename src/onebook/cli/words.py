"""From words to a command: the global options wherever they stand, and commands loaded when called.

Each command is a function of a module of this package; :data:`COMMANDS` says which. Only the module of the
command that is called is imported; ``--help`` needs them all.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from onebook.cli.session import Session

READING, WRITING, TRADING, SERVING, KEEPING = "Reading", "Recording", "Trading", "Serving", "Keeping"

COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("keeping", "demo", READING),
    "positions": ("reading", "positions", READING),
    "balances": ("reading", "balances", READING),
    "equity": ("figures", "equity", READING),
    "pnl": ("figures", "pnl", READING),
    "fills": ("reading", "fills", READING),
    "orders": ("reading", "orders", READING),
    "signals": ("reading", "signals", READING),
    "round-trips": ("reading", "round_trips", READING),
    "journal": ("journal", "journal", READING),
    "statistics": ("statistics", "statistics", READING),
    "lots": ("figures", "lots", READING),
    "explain": ("figures", "explain", READING),
    "tail": ("tail", "tail", READING),
    "status": ("reading", "status", READING),
    "price": ("market", "price", READING),
    "bars": ("market", "bars", READING),
    "record": ("record", "record", WRITING),
    "import": ("files", "import_", WRITING),
    "export": ("files", "export", WRITING),
    "mark": ("writing", "mark", WRITING),
    "bust": ("writing", "bust", WRITING),
    "correct": ("writing", "correct", WRITING),
    "reassign": ("writing", "reassign", WRITING),
    "run": ("run", "run", TRADING),
    "gate": ("trading", "gate", TRADING),
    "limits": ("trading", "limits", TRADING),
    "breaks": ("trading", "breaks", TRADING),
    "stops": ("trading", "stops", TRADING),
    "halt": ("trading", "halt", TRADING),
    "reduce": ("trading", "reduce", TRADING),
    "resume": ("trading", "resume", TRADING),
    "flatten": ("trading", "flatten", TRADING),
    "serve": ("serve", "serve", SERVING),
    "token": ("tokens", "token", SERVING),
    "hook": ("hooks", "hook", SERVING),
    "health": ("health", "health", KEEPING),
    "doctor": ("doctor", "doctor", KEEPING),
    "verify": ("keeping", "verify", KEEPING),
    "rebuild": ("keeping", "rebuild", KEEPING),
    "snapshot": ("keeping", "snapshot", KEEPING),
    "backup": ("keeping", "backup", KEEPING),
    "restore": ("keeping", "restore", KEEPING),
    "bench": ("bench", "bench", KEEPING),
    "config": ("keeping", "config", KEEPING),
    "routes": ("routes", "routes", KEEPING),
    "subscribers": ("subscribers", "subscribers", KEEPING),
    "notify": ("running", "notify", KEEPING),
}
"""Command -> (module, function, heading in the help)."""

EPILOG = "--db, --config and --json may stand before or after the command."

_FLAGS = {"--json"}
_VALUED = {"--db", "--config"}


def arranged(words: Sequence[str]) -> list[str]:
    """Return the words with the global options in front, and dashes for underscores in option names."""
    front: list[str] = []
    rest: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *waiting]
            break
        if word in _FLAGS:
            front.append(word)
        elif name in _VALUED:
            front += [word] if equals else [word, *waiting[:1]]
            del waiting[: 0 if equals else 1]
        elif name.startswith("--"):
            rest.append(name.replace("_", "-") + equals + value)
        else:
            rest.append(word)
    return front + rest


class Commands(TyperGroup):
    """The commands by name, each made when it is asked for."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002  the library's signature
        """Return all names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> Any:
        """Return the command of this name, or None."""
        del ctx
        if not self.commands:
            self.commands = cast("Any", dict.fromkeys(COMMANDS))  # names to suggest from
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, function, heading = place
        found = getattr(import_module(f"onebook.cli.{module}"), function)
        if isinstance(found, TyperGroup):
            return found
        return made(cmd_name, found, heading)


def made(name: str, function: Callable[..., Any], heading: str | None = None) -> TyperCommand:
    """Return the command that a function with typed parameters describes."""
    app = typer.Typer(add_completion=False)
    app.command(name, epilog=EPILOG, rich_help_panel=heading)(function)
    command = typer.main.get_command(app)
    assert isinstance(command, TyperCommand)  # noqa: S101  one function is one command
    as_text(command)
    return command


def root() -> Any:
    """Return the program."""
    app = typer.Typer(add_completion=False, cls=Commands, help="The one book of record for trading bots.")
    app.callback(invoke_without_command=False)(_options)
    command = typer.main.get_command(app)
    as_text(command)
    return command


class _Text:
    """Takes the words of an option as they are."""

    def coerce(self, value: Any, param: Any, ctx: object) -> Any:  # noqa: ARG002  the library's signature
        """Return the value; an option that may be repeated is never None."""
        return () if value is None and (param.multiple or param.nargs == -1) else value


def as_text(command: Any) -> None:
    """Let a command take its texts and flags as they are.

    Typer would import a validation library for them, which takes longer than most commands.
    """
    for param in (*command.params, command.get_help_option(typer.Context(command))):
        described = getattr(param, "type_descriptor", None)
        if described is not None and described.annotation in {str, bool, list[str]}:
            param._runtime_param = _Text()  # noqa: SLF001  typer has no public way to say so


def _version(wanted: bool) -> None:
    if wanted:
        from onebook import __version__

        print(f"onebook {__version__}")
        raise typer.Exit


def _options(
    ctx: typer.Context,
    db: Annotated[
        str | None, typer.Option("--db", metavar="URL", help="The book: a path or a URL. [ONEBOOK_URL]")
    ] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="FILE", help="Settings. [ONEBOOK_CONFIG]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    _show: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """The one book of record for trading bots."""
    if db == "":
        msg = "--db is empty; name a book, or leave --db out for the default one"
        raise typer.BadParameter(msg, ctx)
    ctx.obj = Session(url=db, config_path=config, as_json=as_json)
