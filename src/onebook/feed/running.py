"""What a configuration wants running beside a book: routes to sinks, the watchman, snapshots."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from onebook.book.core import Core
from onebook.book.keeping import book_id
from onebook.config import Config
from onebook.domain.reports import Event
from onebook.errors import BookError, SourceError
from onebook.feed.conditions import Limits
from onebook.feed.feed import Feed
from onebook.feed.importance import is_alert
from onebook.feed.routes import Route, routes_of
from onebook.feed.sink import Around, Sink
from onebook.feed.sinks import make_sink
from onebook.feed.subscriber import Subscriber
from onebook.feed.watchman import Watchman

PING_TIMEOUT_SECONDS = 10.0
BREAKS = "alerts.break_after_seconds"
"""A setting that wants the watchman, where nobody is told of alerts too."""

SNAPSHOTS = ("every_minutes", "every_entries", "folder", "keep", "keep_days")
"""Settings of which any wants snapshots."""


class AlertsOnly:
    """Hands only alerts on to a sink.

    Args:
        sink: which.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kept = False
        self.max_batch = sink.max_batch

    def deliver(self, events: Sequence[Event], *, more: bool) -> bool:
        """Hand the alerts on, and the end of what waits."""
        alerts = [event for event in events if is_alert(event)]
        if not alerts and not (self._kept and not more):
            return not self._kept
        self._kept = not self._sink.deliver(alerts, more=more)
        return not self._kept

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()


class Running:
    """Everything that a configuration wants running beside one book in this process.

    Args:
        book: which.
        feed: of the book.
        config: what is wanted. All of it is checked before anything runs.

    Raises:
        BadConfig: a route, target or value that cannot be, with its line.
    """

    def __init__(self, book: Core, feed: Feed, config: Config) -> None:
        self._ends: list[Callable[[], None]] = []
        self.routes = routes_of(config)
        ping = _pinger(config)
        for route in self.routes:
            opens = partial(_open, book, route)
            made = feed.subscribe(route.subscriber, opens, route.filter, start=route.start, policy=route.policy)
            self._ends.append(made.close)
        if self.routes or ping is not None or _wants_breaks(config):
            limits = Limits(
                break_after_seconds=config.get("alerts.break_after_seconds"),
                mark_stale_seconds=config.get("alerts.mark_stale_seconds"),
                disk_free_bytes=config.get("alerts.disk_free_bytes"),
                disk_free_ratio=config.get("alerts.disk_free_ratio"),
                dead_letters=config.get("alerts.dead_letters"),
            )
            every = config.get("notify.healthcheck_seconds")
            self._ends.append(Watchman(book, feed, limits, ping=ping, ping_seconds=every).end)
        if config.get("state_store.enabled") and _wants_snapshots(config):
            from onebook.feed.snapshotting import Snapshotting

            snapshots = Snapshotting(
                book,
                every_minutes=config.get("snapshots.every_minutes"),
                every_entries=config.get("snapshots.every_entries"),
                keep=config.get("snapshots.keep"),
                keep_days=config.get("snapshots.keep_days"),
                folder=config.get("snapshots.folder"),
            )
            snapshots.start()
            self._ends.append(snapshots.close)

    def close(self) -> None:
        """End all of it; checkpoints are kept."""
        for end in reversed(self._ends):
            with suppress(BookError):
                end()


def _wants_breaks(config: Config) -> bool:
    return config.is_given(BREAKS) and bool(config.get(BREAKS))


def _wants_snapshots(config: Config) -> bool:
    return any(config.is_given(f"snapshots.{name}") for name in SNAPSHOTS)


def _open(book: Core, route: Route, _: Subscriber) -> Sink:
    around = Around(name=route.name, book=book, clock=book.now, book_id=book_id(book.store))
    sink = make_sink(route.to, around, dict(route.options))
    return AlertsOnly(sink) if route.alerts_only else sink


def _pinger(config: Config) -> Callable[[], None] | None:
    """Return what pings the user's health check, None when there is none."""
    address = config.get("notify.healthcheck_url")
    if not address:
        return None
    import ssl

    from onebook.feed.sinks.outside import split_url
    from onebook.feed.sinks.posting import Poster, Reach

    reach = Reach(
        allow_private=True,
        allow_plain=True,
        timeout_seconds=PING_TIMEOUT_SECONDS,
        context=ssl.create_default_context(),
    )
    url = split_url("notify.healthcheck_url", address)
    poster = Poster(url, reach)

    def ping() -> None:
        try:
            answer = poster.post({}, b"")
        finally:
            poster.close()  # the next one comes in a minute, or never
        if answer.status >= 400:
            msg = f"{url.place} answered {answer.status}"
            raise SourceError(msg, place=url.place)

    return ping
