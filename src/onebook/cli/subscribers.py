"""``onebook subscribers``: who reads the log, how far they got, and what to do about one that stands still."""

from typing import Annotated

import typer

from onebook.cli.asking import reading
from onebook.cli.groups import grouped
from onebook.cli.session import session
from onebook.cli.tables import answer, columns, print_object
from onebook.errors import InputError
from onebook.feed.desk import note_deed

SUBSCRIBERS = columns(
    "Subscriber=name", "State=state", "Done=checkpoint", "Lag=lag", "A second=rate 3", "Handled=handled 2",
    "Errors=errors", "Dead letters=dead_letters", "Last error=last_error 1",
)  # fmt: skip
LETTERS = columns(
    "Subscriber=subscriber", "Event=event_id", "Type=type", "Attempts=attempts 2", "Since (UTC)=at 3", "Reason=reason 1"
)  # fmt: skip

Name = Annotated[str, typer.Argument(metavar="NAME", help="The subscriber, as the list says.")]
Event = Annotated[str | None, typer.Argument(metavar="EVENT", help="One dead letter, such as 57.1.")]


def _list(ctx: typer.Context) -> None:
    """Who reads the log: checkpoint, lag, rate, errors, dead letters. Words below act on one that stands still."""
    with reading(ctx) as book:
        answer(session(ctx), book.subscribers(), SUBSCRIBERS, empty="no subscribers")


def _dead(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this subscriber's.")] = None,
) -> None:
    """Events that could not be handled, with the reason."""
    with reading(ctx) as book:
        answer(session(ctx), book.subscribers.dead_letters(name), LETTERS, empty="no dead letters")


def _skip(ctx: typer.Context, name: Name) -> None:
    """Pass over the event at which a subscriber stands still; it stays in the log."""
    with session(ctx).open() as book:
        book.subscribers.skip(name)
        note_deed(book.note, name, "skip")
    _said(ctx, name, f"{name} passes over the event at which it stands still", skipped=True)


def _retry(ctx: typer.Context, name: Name, event: Event = None) -> None:
    """Deliver dead letters again, and let a halted subscriber try again."""
    with session(ctx).open() as book:
        count = book.subscribers.retry(name, event)
        note_deed(book.note, name, "retry", event_id=event, count=count)
    _said(ctx, name, f"{name} tries again; dead letters that are delivered again: {count}", retried=count)


def _drop(
    ctx: typer.Context,
    name: Name,
    event: Event = None,
    every: Annotated[bool, typer.Option("--all", help="All of its dead letters.")] = False,
) -> None:
    """Forget dead letters for good; the events stay in the log."""
    if (event is None) != every:
        msg = f"say which dead letter, or all: onebook subscribers drop {name} --all"
        raise InputError(msg, field="event")
    with session(ctx).open() as book:
        count = book.subscribers.drop(name, event)
        note_deed(book.note, name, "drop", event_id=event, count=count)
    _said(ctx, name, f"{count} dead letters of {name} are forgotten", dropped=count)


def _reset(
    ctx: typer.Context,
    name: Name,
    to: Annotated[str, typer.Option("--to", help="now, beginning, a sequence or an event id to go on behind.")],
) -> None:
    """Move a checkpoint: what comes after it is delivered, again or not at all."""
    with session(ctx).open() as book:
        book.subscribers.reset(name, to)
        note_deed(book.note, name, "reset", to=to)
    _said(ctx, name, f"{name} goes on after {to}", checkpoint=to)


def _remove(ctx: typer.Context, name: Name) -> None:
    """Forget a subscriber that nobody serves any more, with its checkpoint and dead letters."""
    with session(ctx).open() as book:
        book.subscribers.remove(name)
        note_deed(book.note, name, "remove")
    _said(ctx, name, f"{name} is forgotten", removed=True)


def _said(ctx: typer.Context, name: str, text: str, **figures: object) -> None:
    if session(ctx).as_json:
        print_object({"name": name} | figures)
    else:
        print(text)


subscribers = grouped(
    "subscribers",
    _list,
    {"dead": _dead, "skip": _skip, "retry": _retry, "drop": _drop, "reset": _reset, "remove": _remove},
    "Keeping",
)
