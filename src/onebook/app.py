"""The composition root: builds the public :class:`Book` from its parts."""

import os
import sys
from pathlib import Path
from typing import Any, Self

from onebook.book.core import Core
from onebook.book.reading import Moment, moment_ns
from onebook.clock import Clock, system_clock
from onebook.config import options
from onebook.errors import BadConfig
from onebook.store.port import Store


class Book(Core):
    """A book of record: one door in, everything else derived from it. Thread-safe; close it, or use ``with``."""

    def __enter__(self) -> Self:
        return self

    def export(  # noqa: PLR0913  the filters of every query
        self,
        path: str | os.PathLike[str],
        *,
        form: str | None = None,
        account: str | None = None,
        strategy: str | None = None,
        instrument: str | None = None,
        since: Moment = None,
        until: Moment = None,
        replace: bool = False,
    ) -> int:
        """Write the book to a file and return how many lines or rows; the file is whole, or as it was before.

        What was written reads back with ``onebook import`` into an equal book.

        Args:
            path: the file. ``.jsonl`` holds every fact, ``.csv`` and ``.parquet`` the fills that stand.
            form: ``jsonl``, ``csv`` or ``parquet``; None: as the path ends.
            account: only this one.
            strategy: only this one.
            instrument: only this one.
            since: from this moment on.
            until: before this moment.
            replace: allow that the file is there already.

        Raises:
            InputError: no such form, the file is there, or it cannot be written.
            StoreFull: the disk is full.
        """
        from onebook.intake.exporter import Chosen, export

        span = {"since": moment_ns("since", since), "until": moment_ns("until", until)}
        chosen = Chosen(account=account, strategy=strategy, instrument=instrument, **span)
        return export(self, os.fspath(path), chosen, form=form, replace=replace)


def open(  # noqa: A001  the name users know from files
    url: str | os.PathLike[str] | None = None,
    *,
    actor: str = "",
    read_only: bool = False,
    create: bool = True,
    clock: Clock | None = None,
    config: dict[str, Any] | None = None,
) -> Book:
    """Open a book, making it when it does not exist.

    Args:
        url: a path, ``sqlite:///path`` or ``:memory:``; None: ``ONEBOOK_URL``, else the user's own book in the
            platform's data folder, whose path is printed to stderr.
        actor: who records, for the log.
        read_only: refuse every write.
        create: make the book when there is none; False and ``read_only`` refuse instead.
        clock: nanoseconds since 1970 UTC, for tests and replays.
        config: ``synchronous`` (full or normal), ``busy_seconds``.

    Raises:
        NotABook: the file is something else.
        SchemaTooNew: a newer release made it.
        StoreError: it cannot be opened.
        BadConfig: the place or an option is none that there can be.
    """
    store = _store(url, read_only=read_only, create=create, config=options(config))
    return Book(store, actor=actor, clock=clock or system_clock)


def _store(url: str | os.PathLike[str] | None, *, read_only: bool, create: bool, config: dict[str, Any]) -> Store:
    place = _place(url)
    if place == ":memory:":
        from onebook.store.memory import MemoryStore

        return MemoryStore()
    if place.startswith("sqlite:///"):
        place = place[len("sqlite:///") :]
    elif "://" in place:
        msg = f"{place.partition('://')[0]}:// is not a place this release can keep a book in; use a file path"
        raise BadConfig(msg, url=place)
    from onebook.store.sqlite.store import BUSY_MS, SqliteStore

    busy = config.get("busy_seconds")
    return SqliteStore(
        place,
        read_only=read_only,
        create=create,
        synchronous=config.get("synchronous", "full"),
        busy_ms=BUSY_MS if busy is None else int(busy * 1000),
    )


def _place(url: Any) -> str:
    """Return where a book is asked for."""
    if url is None:
        return os.environ.get("ONEBOOK_URL") or _default_path()
    place = os.fspath(url) if isinstance(url, str | os.PathLike) else None
    if isinstance(place, str) and place:
        return place
    what = "is empty" if place == "" else f"{url!r} is neither a path nor a URL"
    msg = f"url: {what}; name a file such as trading.db, or leave it out for the default book"
    raise BadConfig(msg, field="url", value=url)


def _default_path() -> str:
    """Return the user's own book, and say where it is."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    path = base / "onebook" / "book.db"
    sys.stderr.write(f"book: {path}\n")
    return str(path)


__all__ = ["Book", "open"]
