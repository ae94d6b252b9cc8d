"""``engine.state_store``: the documents' state store, a face over ``book.state``.

Values are kept in the book; ``positions``, ``pnl``, ``runners`` and ``trading.positions`` are shown from it. What was
said about a value (its ``metadata``) is kept beside the state, in the same entry of the log.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from onebook.app import Book
from onebook.compat import current
from onebook.compat.values import storable
from onebook.domain.state_paths import path_of, path_text, watched_path
from onebook.errors import InputError
from onebook.feed.listener import Listener
from onebook.feed.watching import PathChange, WatchedState

_log = logging.getLogger("onebook.compat")

ABOUT = ("state_store", "metadata")
"""Where the metadata is kept; these names do not show it."""

_SOURCE = "engine.state_store"

Callback = Callable[[str, Any, Any], Any]


class StateStore:
    """Values under dotted paths.

    Args:
        book: None for the book of the older names.
    """

    def __init__(self, book: Book | None = None) -> None:
        self._given = book
        self._lock = threading.RLock()
        self._there: list[tuple[str, Callback, Listener]] = []
        self._warned = False

    @property
    def book(self) -> Book:
        """The book behind it."""
        return self._given or current.current_book()

    def _state(self) -> WatchedState | None:
        """Return the state; None where the configuration switches it off, which is said once."""
        book = self.book
        if book.settings is None or book.settings.get("state_store.enabled"):
            return book.state
        with self._lock:
            warned, self._warned = self._warned, True
        if not warned:
            _log.warning("state_store.enabled is off in the configuration: no state is read, kept or told")
        return None

    # ---- values ----

    def get_state(self, path: str | None = None, default: Any = None) -> Any:
        """Return the value at a path, or everything that was kept.

        Args:
            path: dotted text such as ``trading.positions``; None for everything.
            default: what to return when nothing is there, or the store is off.

        Raises:
            InputError: not a path.
        """
        if not path:
            return self.get_snapshot() or ({} if default is None else default)
        state = self._state()
        return default if state is None else state.get(path, default)

    def update_state(self, path: str, value: Any, metadata: Mapping[str, Any] | None = None) -> None:
        """Keep a value at a path; an equal value again changes nothing.

        Args:
            path: dotted text.
            value: JSON data; what JSON cannot hold is made plain where it can be.
            metadata: what is to be known about it; takes the place of what was said before.

        Raises:
            InputError: the path or the value cannot be kept.
            NotAllowed: the book itself shows what lies there.
        """
        state = self._state()
        if state is None:
            return
        place, about = path_of(path), _about(path)
        if metadata:
            state.update({place: storable(value), about: storable(metadata)}, source=_SOURCE)
        else:
            state.update({place: storable(value)}, delete=[about], source=_SOURCE)

    def delete_state(self, path: str) -> bool:
        """Take away what was kept at a path and below it; False when nothing was there.

        Raises:
            InputError: not a path.
            NotAllowed: the book itself shows what lies there.
        """
        state = self._state()
        if state is None:
            return False
        place = path_of(path)
        there = state.about(place) is not None
        gone = [about for about in _abouts(state) if about[: len(place)] == place]
        state.update({}, delete=[place, *((*ABOUT, path_text(about)) for about in gone)], source=_SOURCE)
        return there

    def clear_state(self) -> None:
        """Take away everything that was kept; the log still has it, and the book itself is as it was."""
        state = self._state()
        if state is not None:
            state.restore({}, source=f"{_SOURCE}: clear")

    def get_metadata(self, path: str) -> dict[str, Any] | None:
        """Return what is known about a path: ``path version updated_at updated_by sequence`` and what was said.

        None when nothing was kept there.

        Raises:
            InputError: not a path.
        """
        state = self._state()
        about = None if state is None else state.about(path)
        if state is None or about is None:
            return None
        said = state.get(_about(path), {})
        known = {"path": about.path, "version": about.version, "updated_at": about.updated_at}
        return {**said, **known, "updated_by": about.actor, "sequence": about.sequence}

    # ---- being told ----

    def subscribe(self, path: str, callback: Callback) -> None:
        """Tell a callback when something changes at a path, below it or above it; ``*`` is everything.

        A callback that raises stays; one that is there already stays as it is.

        Args:
            path: dotted text, or ``*``.
            callback: called with the path that changed, its new value and its old one, on a thread of its own. Of
                what the book itself shows the old value is None.

        Raises:
            InputError: not a path.
        """
        watched_path(path)
        state = self._state()
        if state is None:
            return
        with self._lock:
            if any(item[:2] == (path, callback) for item in self._there):
                return

            def told(change: PathChange) -> Any:
                if path_of(change.path)[: len(ABOUT)] == ABOUT:
                    return None
                return callback(change.path, change.value, change.old)

            self._there.append((path, callback, state.watch(path, told)))
            current.keep_open(self)

    def unsubscribe(self, path: str, callback: Callback) -> bool:
        """Stop telling a callback; False when it was not told."""
        with self._lock:
            gone = [item for item in self._there if item[:2] == (path, callback)]
            self._there = [item for item in self._there if item not in gone]
            if not self._there:
                current.let_go(self)
        for item in gone:
            item[2].close()
        return bool(gone)

    # ---- everything at once ----

    def get_snapshot(self) -> dict[str, Any]:
        """Return everything that was kept, one dictionary in the other; what the book itself shows is not in it."""
        state = self._state()
        return {} if state is None else without_about(state.snapshot())

    def restore_snapshot(self, snapshot: object) -> None:
        """Make everything that was kept equal to a snapshot, in one entry of the log.

        Args:
            snapshot: as :meth:`get_snapshot` returned it.

        Raises:
            InputError: it is no snapshot.
            NotAllowed: it says something where the book itself shows something.
        """
        state = self._state()
        if state is None:
            return
        if not isinstance(snapshot, Mapping):
            msg = f"snapshot: {type(snapshot).__name__} is not a mapping; give what get_snapshot() returned"
            raise InputError(msg, field="snapshot", value=snapshot)
        whole = dict(storable(snapshot))
        about = state.get(ABOUT)
        if about is not None:
            whole[ABOUT[0]] = {ABOUT[1]: about}
        state.restore(whole, source=f"{_SOURCE}: restore")

    def set_version(self, version: int) -> None:
        """Say which shape the state has, for a program that brings older state to its own shape.

        Args:
            version: 0 or more, not below the one there is.

        Raises:
            InputError: not a version.
            SchemaTooNew: the state has a newer shape.
        """
        state = self._state()
        if state is not None and type(version) is int:
            first = state.schema_version + 1
            state.upgrade(version, {number: lambda whole: whole for number in range(first, version + 1)})
        elif state is not None:
            msg = f"version: {version!r:.60} is not a whole number from 0 on"
            raise InputError(msg, field="version", value=version)

    def get_version(self) -> int:
        """Return which shape the state has; 0 when nobody said."""
        state = self._state()
        return 0 if state is None else state.schema_version

    def close(self) -> None:
        """Stop telling everybody."""
        with self._lock:
            gone, self._there = self._there, []
            current.let_go(self)
        for item in gone:
            item[2].close()


def _about(path: str) -> tuple[str, ...]:
    return (*ABOUT, path_text(path_of(path)))


def _abouts(state: WatchedState) -> list[tuple[str, ...]]:
    """Return the paths about which something was said."""
    return [path_of(text) for text in state.get(ABOUT, {})]


def without_about(whole: dict[str, Any]) -> dict[str, Any]:
    """Return a state without the metadata that is kept beside it."""
    inner = whole.get(ABOUT[0])
    if not isinstance(inner, dict) or ABOUT[1] not in inner:
        return whole
    rest = {name: item for name, item in inner.items() if name != ABOUT[1]}
    return {name: item for name, item in whole.items() if name != ABOUT[0]} | ({ABOUT[0]: rest} if rest else {})


_store: StateStore | None = None


def get_state_store() -> StateStore:
    """Return the one state store of the process, over the book of the older names."""
    global _store
    with current.LOCK:
        if _store is None:
            _store = StateStore()
        return _store


def forget_store() -> None:
    """Close the one state store: the book it spoke to is being replaced."""
    global _store
    with current.LOCK:
        store, _store = _store, None
    if store is not None:
        store.close()
