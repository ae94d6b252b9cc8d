"""The composition root: builds the public :class:`Book` from its parts."""

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from onebook.book.core import Core
from onebook.book.reading import Moment, moment_ns
from onebook.clock import Clock, system_clock
from onebook.domain.fields import required
from onebook.domain.reports import Backup, Break
from onebook.errors import BadConfig, BookError, InputError, NotAllowed, RuleError, StoreError
from onebook.store.port import Store

if TYPE_CHECKING:
    from onebook.config import Config
    from onebook.feed.aio import AsyncBook
    from onebook.feed.bus import Bus
    from onebook.feed.calling import Handler
    from onebook.feed.desk import Desk
    from onebook.feed.feed import Feed
    from onebook.feed.listener import Listener
    from onebook.feed.running import Running
    from onebook.feed.subscriber import Subscriber
    from onebook.feed.watching import WatchedState
    from onebook.trading.desk import TradingDesk

Names = Iterable[str] | str | None

RUNS = (
    "alerts.break_after_seconds",
    "notify.targets",
    "notify.healthcheck_url",
    "event_bus.persist_events",
    "snapshots.every_minutes",
    "snapshots.every_entries",
    "snapshots.folder",
    "snapshots.keep",
    "snapshots.keep_days",
)
"""Settings that want something run beside the book."""


class Book(Core):
    """A book of record: one door in, everything else derived from it. Thread-safe; close it, or use ``with``."""

    _followed: "Feed | None" = None
    _aio: "AsyncBook | None" = None
    _bus: "Bus | None" = None
    _running: "Running | None" = None
    _trading: "TradingDesk | None" = None
    settings: "Config | None" = None
    """The configuration that it was opened with."""

    def __init__(self, store: Store, *, actor: str, clock: Clock) -> None:
        super().__init__(store, actor=actor, clock=clock)
        if not store.read_only:
            self.hook_marks(self._watch_stops, on=True)

    def __enter__(self) -> Self:
        return self

    # ---- who follows ----

    @property
    def feed(self) -> "Feed":
        """All who follow this book in this process; made when somebody first does."""
        if self._followed is None:
            from onebook.feed.feed import Feed

            with self._opening:
                if self._followed is None:
                    self._followed = Feed(self)
        return self._followed

    def listen(  # noqa: PLR0913  the filters of the contract
        self,
        handler: "Handler",
        *,
        types: Names = ("*",),
        instruments: Names = None,
        accounts: Names = None,
        strategies: Names = None,
        min_quantity: Any = None,
        min_amount: Any = None,
        after: int | str | None = None,
    ) -> "Listener":
        """Tell a handler what happens from now on; returns a handle with ``close() lag errors``.

        A handler that raises is not removed: the error is counted and logged, and the next event comes. One that is
        slow lags, and slows nobody else. Prices (``price_updated``, and ``position_updated`` with ``cause`` ``mark``)
        are told at most twenty times a second per instrument, the newest only.

        Args:
            handler: called with each event, one at a time, in order, on a thread of its own; an ``async def`` runs on
                the event loop in which this is called.
            types: names or patterns such as ``trade_*``.
            instruments: only these.
            accounts: only these.
            strategies: only these.
            min_quantity: leave fills of a smaller quantity out.
            min_amount: leave fills of a smaller quantity × price out, in the quote currency.
            after: begin behind this sequence or event id; None: with what is recorded from now on.
        """
        from onebook.book.log import make_filter

        wanted = make_filter(types, instruments, accounts, strategies, min_quantity=min_quantity, min_amount=min_amount)
        return self.feed.listen(handler, wanted, after)

    def subscribe(  # noqa: PLR0913  the filters of the contract
        self,
        name: str,
        handler: "Handler",
        *,
        types: Names = ("*",),
        start: int | str = "now",
        in_book: bool = False,
        instruments: Names = None,
        accounts: Names = None,
        strategies: Names = None,
        min_quantity: Any = None,
        min_amount: Any = None,
        attempts: int | None = 8,
        on_failure: str = "dead_letter",
    ) -> "Subscriber":
        """Give every event to a handler at least once, in order, over restarts; returns a handle.

        The checkpoint is kept under the name: after a restart the handler goes on where it was. One process at a
        time serves a name; another one takes over within seconds when it dies.

        Args:
            name: of the subscriber.
            handler: called with each event, one at a time; may be ``async def``. With ``in_book`` it is called with
                the event and a ``tx``.
            types: names or patterns such as ``trade_*``.
            start: ``now``, ``beginning``, a sequence or an event id; counts only for a name without a checkpoint.
            in_book: what the handler does through ``tx`` commits together with the checkpoint: exactly once.
            instruments: only these.
            accounts: only these.
            strategies: only these.
            min_quantity: leave fills of a smaller quantity out.
            min_amount: leave fills of a smaller quantity × price out, in the quote currency.
            attempts: how often an event is tried, with growing waits; None: for ever.
            on_failure: then: ``dead_letter`` puts it aside and goes on, ``halt`` waits for a person.

        Raises:
            InputError: no name, or no such start.
            BadConfig: no such ``on_failure`` or number of attempts.
            StoreError: the book is read_only or closed.
        """
        from onebook.book.log import make_filter
        from onebook.feed.handling import opener
        from onebook.feed.policy import Policy

        wanted = make_filter(types, instruments, accounts, strategies, min_quantity=min_quantity, min_amount=min_amount)
        if name in {"watchman", "snapshots", "event_log"} or str(name).startswith(("route.", "notify.", "runner.")):
            msg = f"name: {name!r} is kept for what the configuration runs; choose another, such as my.{name}"
            raise InputError(msg, field="name", value=name)
        policy = Policy(attempts=attempts, on_failure=on_failure)
        opens = opener(handler, self, in_book=in_book)
        return self.feed.subscribe(name, opens, wanted, start=start, policy=policy)

    @property
    def aio(self) -> "AsyncBook":
        """The calls for event loops: ``await book.aio.record(fact)``, ``async for event in book.aio.events()``."""
        if self._aio is None:
            from onebook.feed.aio import AsyncBook

            self._aio = AsyncBook(self)
        return self._aio

    @property
    def bus(self) -> "Bus":
        """Publish, subscribe and history, as a face over the log.

        Raises:
            NotAllowed: the configuration switches it off.
        """
        self._check_on("event_bus")
        if self._bus is None:
            from onebook.feed.bus import Bus

            self._bus = Bus(self, self.feed)
        return self._bus

    @cached_property
    def state(self) -> "WatchedState":
        """Values under paths: what users keep there, and what the book shows of itself; with ``watch``.

        Raises:
            NotAllowed: the configuration switches it off.
        """
        from onebook.book.state_views import Point
        from onebook.feed.watching import WatchedState

        self._check_on("state_store")
        point = Point(self._lens, self._mark, self._now)
        return WatchedState(self, point, self._state_writer(), lambda: self.feed)

    def _check_on(self, section: str) -> None:
        """Refuse what the configuration switches off."""
        if self.settings is not None and not self.settings.get(f"{section}.enabled"):
            msg = f"{section}.enabled is off in the configuration; take that out to use it"
            raise NotAllowed(msg, key=f"{section}.enabled")

    # ---- trading ----

    @property
    def trading(self) -> "TradingDesk":
        """Whether orders may be sent, stops and targets, limits, and the switches of a person."""
        if self._trading is None:
            from onebook.trading.desk import TradingDesk

            with self._opening:
                if self._trading is None:
                    self._trading = TradingDesk(self)
        return self._trading

    def _watch_stops(self, instrument: str, price: Decimal, at_ns: int, source: str) -> None:
        """Look at stops and targets with every mark, from the first one on."""
        stops = self.trading.stops
        self.hook_marks(self._watch_stops, on=False)
        self.hook_marks(stops.on_mark, on=True)
        stops.on_mark(instrument, price, at_ns, source)

    @property
    def subscribers(self) -> "Desk":
        """The durable subscribers: ``book.subscribers()`` lists them; ``skip retry reset drop remove`` act on them."""
        from onebook.feed.desk import Desk

        return Desk(self._store)

    def resolve_break(self, break_id: str, *, reason: str) -> Break:
        """Settle a difference: orders may open positions in its instrument again.

        Args:
            break_id: as :meth:`breaks` says it.
            reason: how it was settled, for the log.

        Raises:
            InputError: no such break, or no reason.
            RuleError: it is settled already.
        """
        why = required("reason", reason)
        found = next((item for item in self.breaks() if item.id == break_id), None)
        if found is None:
            msg = f"{break_id!r} is no break of this book; see: onebook breaks"
            raise InputError(msg, field="break_id", value=break_id)
        if found.state != "open":
            msg = f"{break_id} is {found.state} already"
            raise RuleError(msg, break_id=break_id)
        data = {"break": break_id, "kind": found.kind, "account": found.account, "reason": why}
        self.note("break_resolved", data, instrument=found.instrument)
        return next(item for item in self.breaks() if item.id == break_id)

    def backup(self, path: str | os.PathLike[str]) -> Backup:
        """Write a consistent copy to a new file and check that it opens with the same head.

        One that fails is an alert in the log, so that who is to be notified hears of it.

        Raises:
            StoreError: the file exists, or cannot be written.
        """
        try:
            return super().backup(path)
        except StoreError as problem:
            place = os.fspath(path)
            data = {"kind": "backup_failed", "subject": place, "text": str(problem)}
            data["key"] = f"backup_failed|{place}|{self.now()}"
            with suppress(BookError):  # what went wrong first is what counts
                self.note("alert_raised", data)
            raise

    def run(self, config: "Config") -> bool:
        """Run what a configuration wants beside the book, until it is closed: routes, watchman, snapshots.

        Args:
            config: a loaded configuration.

        Returns:
            False when it wants nothing.

        Raises:
            BadConfig: a route or target that cannot be, with its line.
        """
        from onebook.config import config_for

        config = config_for(config)
        if not wants_running(config):
            return False
        from onebook.feed.running import Running

        if self._running is not None:
            self._running.close()
        self._running = Running(self, self.feed, config)
        return True

    def close(self) -> None:
        """Let who follows finish, share the marks, and give everything back. Nothing recorded is lost by it."""
        if self._running is not None:
            self._running.close()
        if self._followed is not None:
            self._followed.close()
        if self._trading is not None:
            self._trading.close()
        super().close()

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
    config: "Mapping[str, Any] | str | os.PathLike[str] | Config | None" = None,
) -> Book:
    """Open a book, making it when it does not exist.

    Args:
        url: a path, ``sqlite:///path`` or ``:memory:``; None: ``ONEBOOK_URL``, else the user's own book in the
            platform's data folder, whose path is printed to stderr.
        actor: who records, for the log.
        read_only: refuse every write.
        create: make the book when there is none; False and ``read_only`` refuse instead.
        clock: nanoseconds since 1970 UTC, for tests and replays.
        config: options such as ``{"synchronous": "normal"}``; or sections as in ``onebook.yaml``, or the path of
            such a file: its routes, notifications, watchman and snapshots then run beside the book in this process
            (not with ``read_only``) until it is closed.

    Raises:
        NotABook: the file is something else.
        SchemaTooNew: a newer release made it.
        StoreError: it cannot be opened.
        BadConfig: the place or an option is none that there can be.
    """
    if config is None:
        return Book(
            _store(url, read_only=read_only, create=create, config=None), actor=actor, clock=clock or system_clock
        )
    from onebook.config import config_for

    settings = config_for(config)
    place = settings.get("book.url") if url is None else url
    store = _store(place, read_only=read_only, create=create, config=settings)
    book = Book(store, actor=actor, clock=clock or system_clock)
    book.settings = settings
    if settings.get("snapshots.folder"):
        book.snapshot_folder = Path(settings.get("snapshots.folder")).absolute()
    if not read_only:
        try:
            book.run(settings)
        except BaseException:
            book.close()
            raise
    return book


def wants_running(config: "Config") -> bool:
    """Say whether a configuration wants something run beside the book."""
    return bool(config.routes) or any(config.is_given(key) and config.get(key) for key in RUNS)


def _store(url: str | os.PathLike[str] | None, *, read_only: bool, create: bool, config: "Config | None") -> Store:
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

    return SqliteStore(
        place,
        read_only=read_only,
        create=create,
        synchronous="full" if config is None else config.get("book.synchronous"),
        busy_ms=BUSY_MS if config is None else int(config.get("book.busy_seconds") * 1000),
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
