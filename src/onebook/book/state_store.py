"""The state that users keep in their book, and beside it what the book shows of itself, under dotted paths."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from onebook.book.state_differences import differences
from onebook.book.state_views import Point, Views
from onebook.domain import times
from onebook.domain.commands import ChangeState, StateChange
from onebook.domain.reports import Event, StatePath
from onebook.domain.state import Decision, Record
from onebook.domain.state_commands import AnyPath, change_command, checked, count
from onebook.domain.state_documents import KIND, Document, Documents, document_of
from onebook.domain.state_paths import ROOT, SCHEMA, Path, path_of, path_text, touched_paths
from onebook.domain.state_values import MISSING, given, kept, merged
from onebook.errors import ConflictError, InputError, NotAllowed, SchemaTooNew
from onebook.store.codec import decode, decode_entry
from onebook.store.port import Reader

PAGE = 512
TRIES = 10
"""How often a change of everything begins anew because somebody wrote meanwhile."""

Write = Callable[[ChangeState], Decision]
"""Takes a command into the book; the decision answers with the versions of its paths."""

Step = Callable[[dict[str, Any]], dict[str, Any]]


class StateStore:
    """Values under paths. What users set is in the log; what the book shows of itself is computed when asked for.

    Args:
        point: from where to look.
        known: the last sequence that counts; None for now.
        until_ns: the last moment that counts; None for now.
        write: how a change gets into the book; None where nothing may be changed.
    """

    def __init__(
        self, point: Point, *, known: int | None = None, until_ns: int | None = None, write: Write | None = None
    ) -> None:
        self._point = point
        self._known = known
        self._until_ns = until_ns
        self._write = write
        self.views = Views(point)

    # ---- reading ----

    def get(self, path: AnyPath, default: Any = None) -> Any:
        """Return the value at a path: what users keep there, what the book shows there, or both put together.

        Args:
            path: dotted text or a tuple of parts.
            default: what to return when nothing is there.

        Raises:
            InputError: not a path.
        """
        place = path_of(path)
        with self._documents() as documents:
            mine = documents.value(place)
        found = merged(mine if mine is MISSING else given(mine), self.views.value(place))
        return default if found is MISSING else found

    def version(self, path: AnyPath) -> int:
        """Return how often a path changed by what users did; 0 when they never kept anything there.

        It grows with each change of what they keep at, above or below it, and never comes back.
        """
        with self._documents() as documents:
            return documents.version(path_of(path))

    def about(self, path: AnyPath) -> StatePath | None:
        """Return who changed a path last, when and why; None when users keep nothing there."""
        place = path_of(path)
        with self._documents() as documents:
            if documents.value(place) is MISSING:
                return None
            holder = documents.holder(place)
            found = [*documents.under(place)] if holder is None else [holder]
            newest = max(found, key=lambda document: document.sequence)
            row = documents.reader.entry(newest.sequence)
            return StatePath(
                path=path_text(place),
                version=documents.version(place),
                updated_at=times.to_datetime(newest.at_ns),
                actor="" if row is None else decode_entry(newest.sequence, row[1]).actor,
                sequence=newest.sequence,
                source=newest.source,
            )

    def snapshot(self) -> dict[str, Any]:
        """Return everything that users keep, one dict in the other; what the book shows of itself is not in it."""
        with self._documents() as documents:
            whole = documents.value(ROOT)
        return {} if whole is MISSING else given(whole)

    @property
    def schema_version(self) -> int:
        """The version of the state's shape, as :meth:`upgrade` last left it; 0 at first."""
        with self._documents() as documents:
            found = documents.one(path_text(SCHEMA))
        return 0 if found is None else int(found.value)

    def touched(self, event: Event) -> list[Path]:
        """Return the paths whose values an event may have changed, for those who watch."""
        with self._point.lens() as lens:
            return touched_paths(event, lens.names)

    # ---- writing ----

    def set(self, path: AnyPath, value: object, *, expected_version: int | None = None, source: str = "") -> int:
        """Keep a value at a path, and return the path's version after it.

        An equal value again writes nothing. A path inside an object that is kept changes that object; a value above
        others takes their place.

        Args:
            path: dotted text or a tuple of parts.
            value: None, bool, int, float, text, Decimal, an aware datetime, a date, or lists and dicts of these.
            expected_version: set it only if the path has this version; 0: only if nothing is there.
            source: who or what says so, for the log.

        Raises:
            ConflictError: it has another version; read it again.
            InputError: the path or the value cannot be kept.
            NotAllowed: the book shows what lies there, or this is an earlier point.
        """
        place = path_of(path)
        expected = None if expected_version is None else {place: expected_version}
        [version] = self._change({place: value}, (), source, expected).answer.values()
        return int(version)

    def delete(self, path: AnyPath, *, expected_version: int | None = None, source: str = "") -> bool:
        """Take away what users keep at a path and below it; False when nothing is there.

        Raises:
            ConflictError: it has another version than the expected one.
            InputError: not a path.
            NotAllowed: the book shows what lies there, or this is an earlier point.
        """
        place = path_of(path)
        expected = None if expected_version is None else {place: expected_version}
        return self._change({}, (place,), source, expected).status == "recorded"

    def update(
        self, values: Mapping[Any, object], *, delete: Iterable[AnyPath] = (), source: str = ""
    ) -> dict[str, int]:
        """Set several paths and take others away in one entry, all or nothing; return the version of each.

        Args:
            values: the new value of each path.
            delete: the paths to take away; those that are not there are passed over.
            source: who or what says so, for the log.

        Raises:
            InputError: a path lies below another one of them, or something cannot be kept.
            NotAllowed: the book shows what lies at one of them, or this is an earlier point.
        """
        versions: dict[str, int] = self._change(values, delete, source, None).answer
        return versions

    def restore(self, snapshot: Mapping[str, object], *, source: str = "restore") -> bool:
        """Make what users keep equal to a snapshot, in one entry; False when it is already.

        Args:
            snapshot: as :meth:`snapshot` returned it.
            source: who or what says so, for the log.

        Raises:
            ConflictError: others wrote all the while.
            InputError: something cannot be kept, or it is too much for one entry.
        """
        wanted = _snapshot(snapshot)
        return self._change_all(lambda everything: everything.become(wanted), source)

    def upgrade(self, version: int, steps: Mapping[int, Step]) -> bool:
        """Bring the state to another shape, in one entry; False when it has that shape already.

        Args:
            version: the shape that this program knows.
            steps: for each version a function that takes a snapshot of the one before and returns one of this; it may
                be called again when others write meanwhile.

        Raises:
            SchemaTooNew: the state has a newer shape than this program knows.
            InputError: a step is missing, or what it returns cannot be kept; nothing was written.
            ConflictError: others wrote all the while.
        """
        shape = count("version", version)
        return self._change_all(lambda everything: everything.upgraded(shape, steps), f"upgrade to {shape}")

    # ---- inside ----

    def _change(
        self, values: Mapping[Any, object], delete: Iterable[AnyPath], source: str, expected: Mapping[Any, int] | None
    ) -> Decision:
        command = change_command(values, delete=delete, source=source, expected=expected)
        write = self._writes()
        self.views.refuse(command)
        return write(command) if command.changes else Decision(answer={})

    def _writes(self) -> Write:
        if self._write is None:
            msg = "this is the book at an earlier point, which is read-only; change the state of the book itself"
            raise NotAllowed(msg)
        return self._write

    def _change_all(self, decide: Callable[["_Everything"], list[StateChange]], source: str) -> bool:
        """Change everything as a function says, unless somebody writes meanwhile: then it is asked anew."""
        write = self._writes()
        for turn in range(1, TRIES + 1):
            with self._documents() as documents:
                everything = _Everything(documents)
            changes = decide(everything)
            if not changes:
                return False
            try:
                write(checked(ChangeState(tuple(changes), source, everything.expected)))
            except ConflictError:
                if turn == TRIES:
                    raise
            else:
                break
        return True

    @contextmanager
    def _documents(self) -> Iterator["StoredDocuments"]:
        """Lend the documents as they stand at one sequence, however many reads it takes."""
        with self._point.lens() as lens:
            known = lens.reader.head()[0] if self._known is None else self._known
            if self._until_ns is not None:
                known = self._known = _sequence_at(lens.reader, self._until_ns, known)
                self._until_ns = None
            yield StoredDocuments(lens.reader, known)


class StoredDocuments(Documents):
    """Documents as a store has them.

    Args:
        reader: of the store.
        known: the last sequence that counts.
    """

    def __init__(self, reader: Reader, known: int) -> None:
        super().__init__(self._read, self._pages)
        self.reader = reader
        self._at = known

    def _read(self, text: str) -> Document | None:
        row = self.reader.record(KIND, "", text, self._at)
        return None if row is None else _document(text, row)

    def _pages(self, prefix: str) -> Iterator[Document]:
        after = ""
        while True:
            page = self.reader.records_under(KIND, prefix, self._at, after, PAGE)
            for text, *row in page:
                yield _document(text, row)
            if len(page) < PAGE:
                return
            after = page[-1][0]


def _document(text: str, row: Any) -> Document:
    occurred, body, _, _, status, sequence = row
    return document_of(Record(KIND, "", text, occurred, decode(body), status=status), sequence)


def _sequence_at(reader: Reader, until_ns: int, last: int) -> int:
    """Return the newest entry, up to one, that was written by a moment."""
    first = 0
    while first < last:
        middle = (first + last + 1) // 2
        row = reader.entry(middle)
        if row is not None and decode_entry(middle, row[1]).at <= until_ns:
            first = middle
        else:
            last = middle - 1
    return first


def _snapshot(snapshot: object) -> dict[str, Any]:
    if not isinstance(snapshot, Mapping):
        msg = f"snapshot: {type(snapshot).__name__} is not a mapping; give what snapshot() returned"
        raise InputError(msg, field="snapshot", value=snapshot)
    whole: dict[str, Any] = kept("snapshot", snapshot)
    return whole


class _Everything:
    """All that users keep, as it stands at one sequence, and the versions that say so.

    Args:
        documents: at that sequence.
    """

    def __init__(self, documents: Documents) -> None:
        held = documents.one(path_text(SCHEMA))
        self._standing = [found for found in documents.under(ROOT) if found.stands]
        self._value = documents.value(ROOT)
        self._schema = 0 if held is None else int(held.value)
        self.expected: tuple[tuple[Path, int], ...] = (
            (ROOT, documents.version(ROOT)),
            (SCHEMA, 0 if held is None else held.version),
        )

    def become(self, wanted: dict[str, Any]) -> list[StateChange]:
        """Return the changes that make it what is wanted."""
        return differences(self._standing, wanted)

    def upgraded(self, version: int, steps: Mapping[int, Step]) -> list[StateChange]:
        """Return the changes that bring it to another shape."""
        if self._schema > version:
            msg = f"the state has shape {self._schema}, this program knows {version}; use a newer release of it"
            raise SchemaTooNew(msg, schema=self._schema, known=version)
        numbers = range(self._schema + 1, version + 1)
        missing = [number for number in numbers if number not in steps]
        if missing:
            msg = f"steps: none leads to shape {missing[0]}; the state has {self._schema}, and {version} is asked for"
            raise InputError(msg, field="steps", missing=missing)
        if not numbers:
            return []
        current: dict[str, Any] = {} if self._value is MISSING else self._value
        for number in numbers:
            current = _snapshot(steps[number](given(current)))
        return [StateChange(SCHEMA, version), *self.become(current)]
