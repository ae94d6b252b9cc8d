"""From what callers hand in to the commands that change the state or publish an event."""

from collections.abc import Iterable, Mapping
from typing import Any

from onebook.domain.commands import ChangeState, Publish, StateChange
from onebook.domain.event_types import users_type
from onebook.domain.fields import required, text
from onebook.domain.state_paths import path_of, path_text, refuse_views
from onebook.domain.state_values import check_size, kept
from onebook.errors import InputError

MAX_PATHS = 10_000
MAX_UPDATE = 4 * 1024 * 1024
"""Bytes of all values of one command as JSON."""

MAX_DATA = 64 * 1024
"""Bytes of a published event's data as JSON."""

AnyPath = str | tuple[str, ...] | list[str]


def change_command(
    values: Mapping[Any, object],
    *,
    delete: Iterable[AnyPath] = (),
    source: str = "",
    expected: Mapping[Any, int] | None = None,
) -> ChangeState:
    """Return the command that sets some paths and takes others away, all or nothing.

    Args:
        values: the new value of each path.
        delete: the paths to take away.
        source: who or what says so, for the log.
        expected: the version that a path must have; 0: nothing is there now.

    Raises:
        InputError: a path, value or version is malformed, or there is too much for one command.
        NotAllowed: the book itself shows what lies at a path.
    """
    given: tuple[object, object] = values, delete
    if not isinstance(given[0], Mapping) or isinstance(given[1], str):
        msg = "values is a mapping of paths to values, and delete a list of paths: update({'a.b': 1}, delete=['c'])"
        raise InputError(msg, field="values")
    changes = []
    for path, value in values.items():
        place = path_of(path)
        changes.append(StateChange(place, kept(path_text(place), value)))
    changes += [StateChange(path_of(path), deleted=True) for path in delete]
    for change in changes:
        refuse_views(change.path, change.value, deleted=change.deleted)
    versions = tuple((path_of(path), count("expected_version", version)) for path, version in (expected or {}).items())
    return checked(ChangeState(tuple(changes), text("source", source), versions))


def checked(command: ChangeState) -> ChangeState:
    """Return a command that is no larger than one may be.

    Raises:
        InputError: a value, all of them together, or their number is too large.
    """
    sizes = [check_size(path_text(change.path), change.value) for change in command.changes if not change.deleted]
    for size, limit, what in ((len(command.changes), MAX_PATHS, "paths"), (sum(sizes), MAX_UPDATE, "bytes as JSON")):
        if size > limit:
            msg = f"{size} {what} in one change, at most {limit}; make several changes"
            raise InputError(msg, size=size, limit=limit)
    return command


def count(field: str, value: object) -> int:
    """Take a version: a whole number from 0 on.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    msg = f"{field}: {value!r:.60} is not a version; give what version() or set() returned, or 0 for nothing"
    raise InputError(msg, field=field, value=value)


def publish_command(
    name: str,
    data: object,
    *,
    account: str = "",
    instrument: str = "",
    strategy: str = "",
    as_published: bool = False,
) -> Publish:
    """Return the command that writes a user's own event.

    Args:
        name: its type.
        data: what it says, under text keys; values as in the state.
        account: whose; may be empty.
        instrument: about what; may be empty.
        strategy: whose; may be empty.
        as_published: write it as ``published`` with the type inside, so that any name goes.

    Raises:
        InputError: the type or the data cannot be kept.
    """
    if data is not None and not isinstance(data, Mapping):
        msg = f"data: {type(data).__name__} is not a mapping; write {{'value': ...}}"
        raise InputError(msg, field="data", value=data)
    plain = kept("data", {} if data is None else data)
    check_size("data", plain, MAX_DATA)
    kind = required("type", name) if as_published else users_type(name)
    place = (text("account", account), text("instrument", instrument), text("strategy", strategy))
    return Publish(kind, plain, *place, as_published=as_published)
