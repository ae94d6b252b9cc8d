"""Publishing as the older buses did: under any name. What is published goes into the log and never books anything."""

from collections.abc import Mapping
from typing import Any

from onebook.app import Book
from onebook.book.commit import Request
from onebook.domain.event_types import PUBLISHED, STATE_CHANGED, is_users, users_type
from onebook.domain.reports import Event
from onebook.domain.state_commands import publish_command
from onebook.domain.state_values import given
from onebook.errors import InputError


def publish(book: Book, name: str, data: Mapping[str, Any]) -> int:
    """Publish under a name; return the entry's sequence.

    One of the book's own names, or one that the book does not give, is logged as ``published`` with the name in it.

    Raises:
        InputError: no name, or the data cannot be kept.
    """
    try:
        users_type(name)
    except InputError:
        return publish_as(book, name, data)
    return book.publish(name, data)


def publish_as(book: Book, name: str, data: Mapping[str, Any]) -> int:
    """Publish as ``published`` with the name in it; return the entry's sequence.

    Raises:
        InputError: no name, or the data cannot be kept.
    """
    request = Request([publish_command(name, data, as_published=True)], book.actor)
    outcome = book.committer.submit(request)[0]
    if outcome.error is not None:
        raise outcome.error
    assert outcome.stamp is not None  # noqa: S101  an outcome without error has one
    return outcome.stamp.sequence


def published(event: Event) -> tuple[str, dict[str, Any]]:
    """Return the type and data of an event as the older buses tell it: what was published, as it was handed in."""
    if event.type == PUBLISHED:
        return event.data["type"], given(event.data["data"])
    if is_users(event.type):
        return event.type, given(event.data)
    data = dict(event.data)
    if event.type == STATE_CHANGED and "value" in data:
        data["value"] = given(data["value"])
    for name in ("account", "instrument", "strategy"):
        if text := getattr(event, name):
            data.setdefault(name, text)
    return event.type, data
