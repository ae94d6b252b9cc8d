"""``book.state`` of a remote book: values under paths, changed only as far as what is known of them still holds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from onebook.domain.reports import Event, StatePath
from onebook.domain.state_commands import AnyPath
from onebook.domain.state_paths import concerns, is_shown, path_of, path_text, touched_paths, watched_path
from onebook.domain.state_values import given, kept, same
from onebook.errors import BookError, ConflictError, InputError
from onebook.feed.calling import Handler
from onebook.feed.watching import PathChange
from onebook.remote.asking import Answer, Asking
from onebook.remote.listening import RemoteListener
from onebook.remote.problems import error_in
from onebook.remote.wire import record_of

TRIES = 10
"""How often a change begins anew because somebody wrote meanwhile."""

_ABSENT = frozenset({404})
_UNSURE = frozenset({404, 412, 428})

Listen = Callable[[Handler, Callable[[Event], Any]], RemoteListener]


class RemoteState:
    """Values under paths.

    Args:
        asking: the service.
        point: the parameters that name the point of view; empty for now.
        listen: tells a handler of all events, through a function that makes changes of them; None where nothing comes.
    """

    def __init__(self, asking: Asking, point: Mapping[str, str], listen: Listen | None) -> None:
        self._asking, self._point, self._listen = asking, dict(point), listen

    # ---- reading ----

    def _at(self, path: AnyPath, point: Mapping[str, str] | None = None) -> Any:
        query = {**(self._point if point is None else point), "typed": True}
        answer = self._asking.ask("GET", _address(path), query=query, passes=_ABSENT)
        return answer.data

    def get(self, path: AnyPath, default: Any = None) -> Any:
        """Return the value at a path: what users keep there, what the book shows there, or both put together.

        Raises:
            InputError: not a path.
        """
        found = self._at(path)
        return given(found["value"]) if "value" in found else default

    def version(self, path: AnyPath) -> int:
        """Return how often a path changed by what users did; 0 when they never kept anything there."""
        found = self._at(path)
        return int(found["version"] if "value" in found else found["details"]["version"])

    def about(self, path: AnyPath) -> StatePath | None:
        """Return who changed a path last, when and why; None when users keep nothing there."""
        found = self._at(path)
        return record_of(StatePath, found) if found.get("updated_at") is not None else None

    def snapshot(self) -> dict[str, Any]:
        """Return everything that users keep, one dict in the other; what the book shows of itself is not in it."""
        query = {**self._point, "typed": True}
        whole: dict[str, Any] = given(self._asking.ask("GET", "/v1/state", query=query).data)
        return whole

    # ---- writing ----

    def set(self, path: AnyPath, value: object, *, expected_version: int | None = None, source: str = "") -> int:
        """Keep a value at a path, and return the path's version after it.

        Raises:
            ConflictError: it has another version than the expected one; read it again.
            InputError: the path or the value cannot be kept.
            NotAllowed: the book shows what lies there, or this client may not write.
        """
        body = {"value": kept(path_text(path_of(path)), value), "source": source}
        if expected_version is None:
            answer = self._any_version("PUT", path, body)
        else:
            answer = self._this_version("PUT", path, body, expected_version)
            if answer.status == 412:
                if answer.tries == 1 or not self._is_done(path, body["value"], expected_version):
                    raise self._error(answer)
                return expected_version + 1
        return int(answer.data["version"])

    def delete(self, path: AnyPath, *, expected_version: int | None = None, source: str = "") -> bool:
        """Take away what users keep at a path and below it; False when nothing is there.

        Raises:
            ConflictError: it has another version than the expected one.
            InputError: not a path; or a source, which cannot be said over HTTP.
            NotAllowed: the book shows what lies there, or this client may not write.
        """
        if source:
            msg = "source: cannot be said over HTTP when something is taken away; leave it out"
            raise InputError(msg, field="source", value=source)
        if expected_version is None:
            return self._any_version("DELETE", path, None).status < 300
        answer = self._this_version("DELETE", path, None, expected_version)
        if answer.status == 412:
            raise self._error(answer)
        return answer.status < 300

    def _this_version(self, method: str, path: AnyPath, body: Any, version: object) -> Answer:
        if not isinstance(version, int) or isinstance(version, bool) or version < 0:
            msg = f"expected_version: {version!r:.60} is no version; it counts from 0"
            raise InputError(msg, field="expected_version", value=version)
        return self._change(method, path, body, {"If-Match": f'"{version}"'})

    def _any_version(self, method: str, path: AnyPath, body: Any) -> Answer:
        """Change whatever stands there; a service wants to be told whether something does."""
        answer = None
        for turn in range(TRIES):
            answer = self._change(method, path, body, {"If-Match": "*"} if turn % 2 == 0 else {})
            if answer.status < 300 or answer.status == 404:
                return answer
        assert answer is not None  # noqa: S101  there is a first try
        raise self._error(answer)

    def _change(self, method: str, path: AnyPath, body: Any, headers: Mapping[str, str]) -> Answer:
        query = {"typed": True} if method == "PUT" else None
        return self._asking.ask(method, _address(path), query=query, body=body, headers=headers, passes=_UNSURE)

    def _is_done(self, path: AnyPath, value: Any, expected: int) -> bool:
        """Say whether a change of which no answer came was carried out."""
        found = self._at(path)
        return "value" in found and found["version"] == expected + 1 and same(found["value"], value)

    def _error(self, answer: Answer) -> BookError:
        problem = error_in(answer.status, answer.body, self._asking.url)
        return problem if isinstance(problem, ConflictError) else ConflictError(str(problem), **problem.details)

    # ---- changes ----

    def watch(self, path: Any, handler: Handler) -> RemoteListener:
        """Tell a handler when what a path shows may have changed: at it, below it or above it.

        Args:
            path: dotted text, a tuple of parts, or ``*`` for everything.
            handler: called with a :class:`onebook.feed.watching.PathChange`, one at a time; may be ``async def``.

        Raises:
            InputError: not a path, or this is an earlier point.
        """
        watched = watched_path(path)
        if self._listen is None:
            msg = "this is the book at an earlier point, where nothing changes; watch the state of the book itself"
            raise InputError(msg)
        return self._listen(handler, lambda event: self._changes(event, watched))

    def _changes(self, event: Event, watched: tuple[str, ...]) -> Iterator[PathChange]:
        for path in touched_paths(event):
            if not concerns(path, watched):
                continue
            if is_shown(path) and event.type != "state_changed":
                yield _change(event, path, self.get(path), None)
                continue
            before = self._at(path, {"as_of": str(event.sequence - 1)}) if event.sequence > 1 else {}
            value = given(event.data["value"]) if "value" in event.data else None
            yield _change(event, path, value, given(before["value"]) if "value" in before else None)


def _change(event: Event, path: tuple[str, ...], value: Any, old: Any) -> PathChange:
    own = event.data if event.type == "state_changed" else {}
    return PathChange(
        path=path_text(path), value=value, old=old, deleted=bool(own.get("deleted")),
        version=int(own.get("version", 0)), source=str(own.get("source", "")), actor=event.actor,
        at=event.recorded_at, sequence=event.sequence,
    )  # fmt: skip


def _address(path: AnyPath) -> str:
    return f"/v1/state/{quote(path_text(path_of(path)), safe='')}"
