"""The options that reading commands share: which rows, and as of when.

``@takes("account", "limit")`` gives a command these options and hands their values over as one :class:`Asked`.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from onebook.cli.session import session
from onebook.domain import fields, times
from onebook.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a reading command was asked for; None is not asked."""

    account: str | None = None
    strategy: str | None = None
    instrument: str | None = None
    since: str | None = None
    until: str | None = None
    limit: str | None = None
    as_of: str | None = None
    known: str | None = None

    def filters(self, *names: str) -> dict[str, Any]:
        """Return the filters that were given, of these names or all, as the book takes them."""
        given: dict[str, Any] = {}
        for name in names or ("account", "strategy", "instrument", "since", "until", "limit"):
            value = getattr(self, name)
            if value is not None:
                take = _TAKEN.get(name)
                given[name] = value if take is None else take(name, value)
        return given


FILTERS = ("account", "strategy", "instrument", "since", "until", "limit")
AS_OF = ("as_of", "known")

_OPTIONS: dict[str, Any] = {
    "account": Annotated[str | None, typer.Option("--account", help="Only this account.")],
    "strategy": Annotated[str | None, typer.Option("--strategy", help="Only this strategy.")],
    "instrument": Annotated[str | None, typer.Option("--instrument", help="Only this instrument.")],
    "since": Annotated[str | None, typer.Option("--since", help="From this moment on: 2026-01-31T09:30Z.")],
    "until": Annotated[str | None, typer.Option("--until", help="Before this moment.")],
    "limit": Annotated[str | None, typer.Option("--limit", metavar="COUNT", help="At most so many rows.")],
    "as_of": Annotated[
        str | None,
        typer.Option("--as-of", help="What was known at a sequence (digits), or what is known about a moment."),
    ],
    "known": Annotated[
        str | None,
        typer.Option("--known", metavar="SEQUENCE", help="With a moment: as known at this sequence."),
    ],
}


def moment(name: str, text: str) -> datetime:
    """Return a moment from an option."""
    return times.to_datetime(times.from_text(f"--{name}", text))


def count(name: str, text: str) -> int:
    """Return a whole number of 1 or more from an option."""
    return fields.count(f"--{name}", text)


def sequence(name: str, text: str) -> int:
    """Return a sequence of the log, or 0 for the empty book, from an option."""
    return 0 if text == "0" else fields.count(f"--{name}", text)


def seconds(name: str, text: str) -> float:
    """Return a number of seconds above 0 from an option."""
    return float(fields.positive(f"--{name}", text))


_TAKEN: dict[str, Callable[[str, str], Any]] = {"since": moment, "until": moment, "limit": count}


def takes(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the named options, handed over as its parameter ``asked``."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = inspect.signature(function, eval_str=True)
        kept = [item for item in own.parameters.values() if item.name != "asked"]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_OPTIONS[name])
            for name in names
        ]

        def command(**given: Any) -> Any:
            return function(asked=Asked(**{name: given.pop(name) for name in names}), **given)

        shown = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in kept] + added
        command.__doc__ = function.__doc__
        command.__name__ = function.__name__
        command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        command.__annotations__ = {item.name: item.annotation for item in shown}
        return command

    return decorate


@contextmanager
def reading(ctx: typer.Context, asked: Asked | None = None) -> Iterator[Any]:
    """Open the book for reading, as of the moment or sequence that was asked for."""
    with session(ctx).open(read_only=True) as book:
        if asked is None or asked.as_of is None:
            if asked is not None and asked.known is not None:
                msg = "--known goes with a moment in --as-of; for what a sequence knew write --as-of SEQUENCE"
                raise InputError(msg, field="known")
            yield book
        elif asked.as_of.isdecimal():
            yield book.as_of(sequence("as-of", asked.as_of))
        else:
            known = None if asked.known is None else sequence("known", asked.known)
            yield book.as_of(moment=moment("as-of", asked.as_of), known=known)
