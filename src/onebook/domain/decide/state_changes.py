"""Changes of the state that users keep in the book, and the events that they publish."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from onebook.domain import commands
from onebook.domain.event_types import PUBLISHED, STATE_CHANGED
from onebook.domain.state import Decision, EventDraft, Stamp, State
from onebook.domain.state_documents import KIND, Document, Documents, document_of, record_of
from onebook.domain.state_paths import Path, above, path_text
from onebook.domain.state_values import (
    MAX_DEPTH,
    MISSING,
    check_size,
    depth_of,
    inside,
    same,
    with_inside,
    without_inside,
)
from onebook.errors import ConflictError, InputError

MAX_REPLACED = 10_000
"""Documents that one change may take away."""


def change_state(state: State, command: commands.ChangeState, stamp: Stamp) -> Decision:
    """Change the state at several paths; what is so already makes no event.

    Raises:
        ConflictError: a version is not the expected one.
        InputError: a path leads through a value that is no object, or too much would be taken away at once.
    """
    decision = Decision(occurred_ns=stamp.recorded_ns)
    _refuse_overlaps(command)
    documents = _Changing(state, command.source)
    for path, version in command.expected:
        _expect(documents, path, version)
    answer: dict[str, int] = {}
    for change in command.changes:
        version = documents.delete(change.path) if change.deleted else documents.put(change.path, change.value)
        text = path_text(change.path)
        answer[text] = version or documents.version(change.path)
        if version:
            data: dict[str, Any] = {"path": text}
            data |= {"deleted": True} if change.deleted else {"value": change.value}
            data["version"] = version
            if command.source:
                data["source"] = command.source
            decision.events.append(EventDraft(STATE_CHANGED, data))
    decision.answer = {text: documents.newest(text, version) for text, version in answer.items()}
    if not decision.events:
        decision.status = "exists"
        return decision
    decision.records.extend(record_of(document, stamp.recorded_ns) for document in documents.changed.values())
    decision.tally["other_entries"] = 1
    return decision


def publish(command: commands.Publish, stamp: Stamp) -> Decision:
    """Write a user's own event; it changes no figure."""
    decision = Decision(command.account, command.instrument, command.strategy, stamp.recorded_ns)
    data = {"type": command.type, "data": command.data} if command.as_published else command.data
    decision.events.append(EventDraft(PUBLISHED if command.as_published else command.type, data))
    decision.tally["other_entries"] = 1
    return decision


def _refuse_overlaps(command: commands.ChangeState) -> None:
    paths = sorted(change.path for change in command.changes)
    for one, other in pairwise(paths):
        if other[: len(one)] == one:
            msg = f"{path_text(one)} and {path_text(other)} are changed at once; put one into the value of the other"
            raise InputError(msg, path=path_text(one), other=path_text(other))


def _expect(documents: Documents, path: Path, expected: int) -> None:
    version = documents.version(path)
    if version == expected or (expected == 0 and documents.value(path) is MISSING):
        return
    text = path_text(path)
    where = f"{text} has version {version}" if text else f"the state has changed {version} times"
    msg = f"{where}, not {expected}: somebody wrote first; read it again and decide anew"
    raise ConflictError(msg, path=text, expected=expected, version=version)


class _Changing(Documents):
    """The documents as they are while one command changes them.

    Args:
        state: the book.
        source: who says so, for documents that change.
    """

    def __init__(self, state: State, source: str) -> None:
        super().__init__(self._one, lambda prefix: map(document_of, state.records_under(KIND, prefix)))
        self._state = state
        self._source = source
        self.changed: dict[str, Document] = {}
        self._held_by: dict[str, str] = {}

    def _one(self, text: str) -> Document | None:
        found = self.changed.get(text)
        if found is None:
            record = self._state.record(KIND, "", text)
            found = None if record is None else document_of(record)
        return found

    def newest(self, text: str, version: int) -> int:
        """Return the version of a path that this command set, after whatever else it changed in its document."""
        document = self.changed.get(self._held_by.get(text, ""))
        return version if document is None else document.version

    def put(self, path: Path, value: Any) -> int:
        """Set a value; the version after it, or 0 when it stands already."""
        holder = self.holder(path)
        if holder is None:
            return self._create(path, value)
        rest = path[len(holder.path) :]
        if same(inside(holder.value, rest), value):
            return 0
        whole = with_inside(holder.value, rest, value)
        if whole is MISSING:
            msg = f"{path_text(path)}: {_obstacle(holder, rest)} is no object; delete it, or choose another path"
            raise InputError(msg, path=path_text(path))
        if rest:
            _check_whole(holder.path, whole)
        return self._keep(path, holder, value=whole, version=holder.version + 1)

    def delete(self, path: Path) -> int:
        """Take away what is there; the version after it, or 0 when nothing is."""
        holder = self.holder(path)
        if holder is None:
            return self._clear(path)
        rest = path[len(holder.path) :]
        if not rest:
            return self._keep(path, holder, value=None, version=holder.version + 1, stands=False)
        if inside(holder.value, rest) is MISSING:
            return 0
        whole = without_inside(holder.value, rest)
        return self._keep(path, holder, value=whole, version=holder.version + 1)

    def _keep(self, path: Path, holder: Document, **changes: Any) -> int:
        """Take a document's next version; it holds a path."""
        text = path_text(holder.path)
        document = replace(holder, **changes, source=self._source)
        self.changed[text] = document
        self._held_by[path_text(path)] = text
        return document.version

    def _create(self, path: Path, value: Any) -> int:
        """Make a document where none is at or above; it takes over the counters of all below."""
        before = sum(found.count for place in above(path) if (found := self.one(path_text(place))) is not None)
        own = self.one(path_text(path))
        count = 1 if own is None else own.count + 1
        for found in self._below(path):
            count += found.count
            if found.count:
                self.changed[path_text(found.path)] = Document(found.path, None, 0, stands=False)
        return self._keep(path, Document(path, value, 0), value=value, version=before + count, before=before)

    def _clear(self, path: Path) -> int:
        """Take away the documents below a path."""
        standing = [found for found in self._below(path) if found.stands]
        if not standing:
            return 0
        version = self.version(path) + len(standing)
        for found in standing:
            self._keep(found.path, found, value=None, version=found.version + 1, stands=False)
        return version

    def _below(self, path: Path) -> Iterator[Document]:
        """Yield the documents below a path, tombstones too.

        No change of the same command is among them: its paths neither contain each other nor share a document there.
        """
        standing = 0
        for found in self.under(path):
            standing += found.stands
            if standing > MAX_REPLACED:
                text = path_text(path)
                msg = f"{text}: more than {MAX_REPLACED} documents lie below it; delete them in parts first"
                raise InputError(msg, path=text, limit=MAX_REPLACED)
            yield found


def _obstacle(holder: Document, rest: tuple[str, ...]) -> str:
    """Return the path of the value in the way."""
    for size in range(len(rest)):
        found = inside(holder.value, rest[:size])
        if not isinstance(found, dict) or next(iter(found), "").startswith("$"):
            return path_text((*holder.path, *rest[:size]))
    return path_text(holder.path)


def _check_whole(path: Path, whole: Any) -> None:
    check_size(path_text(path), whole)
    if depth_of(whole) > MAX_DEPTH:
        msg = f"{path_text(path)}: nested deeper than {MAX_DEPTH}; put the inner part at a path of its own"
        raise InputError(msg, path=path_text(path))
