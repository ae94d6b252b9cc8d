"""Every key of the configuration but those of routes: how it is taken, what it is without one, what it is for.

The sections of the older documents are here too. A key of theirs works, or has a ``note`` that says why it does
nothing: the book does not need it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from onebook.config import values as take
from onebook.errors import BadConfig

ROUTES = "routes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A known key.

    Attributes:
        take: returns the value in force from the key's name and what was given, or raises ``BadConfig``.
        default: the value without one.
        help: what it is for.
        needed: there is no working without one.
        note: returns why a given value has no effect, empty when it has one.
    """

    take: Callable[[str, Any], Any]
    default: Any
    help: str
    needed: bool = False
    note: Callable[[Any], str] | None = None


def always(why: str) -> Callable[[Any], str]:
    """Return the note of a key that never has an effect."""
    return lambda _value: f"has no effect: {why}"


def if_off(why: str) -> Callable[[Any], str]:
    """Return the note of a switch that is always on: off has no effect."""
    return lambda value: "" if value else f"cannot be switched off: {why}"


def _always_on(meaning: str, why: str) -> Key:
    return Key(take=take.switch, default=True, help=meaning, note=if_off(why))


BOOK = {
    "book.url": Key(take=take.text, default=None, help="the book to open; none is the default book"),
    "book.synchronous": Key(take=take.synchronous, default="full", help="full or normal"),
    "book.busy_seconds": Key(take=take.seconds(0, 3600), default=10.0, help="longest wait for another process"),
}

NOTIFY = {
    "notify.targets": Key(take=take.addresses, default=(), help="apprise addresses, each a secret"),
    "notify.minimum": Key(
        take=take.choice("info", "notice", "warning", "critical"),
        default="warning",
        help="least importance that is sent",
    ),
    "notify.quiet_hours": Key(take=take.text, default=None, help='such as "22:00-07:00": only what is critical'),
    "notify.zone": Key(take=take.text, default="UTC", help="time zone of the quiet hours and of times in digests"),
    "notify.digest_seconds": Key(take=take.seconds(1, 3600), default=30.0, help="the time of a burst"),
    "notify.digest_above": Key(take=take.count(1, 100), default=5, help="more in that time are one digest"),
    "notify.templates": Key(take=take.texts, default={}, help="type of event -> text with {field} names"),
    "notify.title": Key(take=take.text, default="onebook", help="begins the title of every message"),
    "notify.daily_summary": Key(take=take.switch, default=True, help="one summary at the day's roll"),
    "notify.healthcheck_url": Key(take=take.web_address, default=None, help="asked for while all is well; a secret"),
    "notify.healthcheck_seconds": Key(take=take.seconds(5, 86_400), default=60.0, help="how often"),
}

ALERTS = {
    "alerts.break_after_seconds": Key(
        take=take.seconds(0, 604_800),
        default=60.0,
        help="what a venue says has filled is a break when no fill came for so long; 0: never",
    ),
    "alerts.mark_stale_seconds": Key(
        take=take.seconds(1, 604_800), default=300.0, help="age of a mark at which an open position alerts"
    ),
    "alerts.disk_free_bytes": Key(take=take.count(0, 2**60), default=1_000_000_000, help="less free space alerts"),
    "alerts.disk_free_ratio": Key(take=take.measure("ratio", 0, 1), default=0.02, help="so does a smaller share"),
    "alerts.dead_letters": Key(take=take.count(0, 1_000_000), default=1, help="from so many on; 0 never"),
}

SNAPSHOTS = {
    "snapshots.every_minutes": Key(
        take=take.measure("number of minutes", 0, 10_080), default=5.0, help="0: not by the clock"
    ),
    "snapshots.every_entries": Key(take=take.count(0, 2**53), default=10_000, help="0: not by entries"),
    "snapshots.keep": Key(take=take.count(1, 100_000), default=100, help="the newest so many stay"),
    "snapshots.keep_days": Key(take=take.count(0, 100_000), default=30, help="and one a day for so many days"),
    "snapshots.folder": Key(take=take.text, default=None, help="where they are; none is beside the book"),
}

MARKET = {
    "market.source": Key(take=take.choice("files", "ccxt", "alpaca"), default=None, help="where prices come from"),
    "market.exchange": Key(take=take.text, default=None, help="of ccxt: its name of the exchange, such as kraken"),
    "market.files": Key(take=take.places, default=(), help="of files: paths, or mappings as FileTerms"),
    "market.key": Key(take=take.secret, default=None, help="of the API; a secret"),
    "market.secret": Key(take=take.secret, default=None, help="of the API; a secret"),
    "market.feed": Key(take=take.choice("iex", "sip"), default="iex", help="of alpaca"),
    "market.base_url": Key(take=take.address("http", "https"), default=None, help="none: the venue's own address"),
    "market.stream_url": Key(take=take.address("ws", "wss"), default=None, help="the same for its stream"),
    "market.options": Key(take=take.mapping, default={}, help="of ccxt: more for its constructor"),
    "market.timeout_seconds": Key(take=take.seconds(0.1, 600), default=10.0, help="longest wait for an answer"),
    "market.stream": Key(
        take=take.names, default=(), help="prints, quotes, timeframes of bars; none: prints and quotes"
    ),
    "market.silence_seconds": Key(take=take.seconds(1, 86_400), default=30.0, help="then a stream connects anew"),
    "market.price_seconds": Key(take=take.seconds(0.001, 86_400), default=5.0, help="how long a price is fresh"),
    "market.quote_seconds": Key(take=take.seconds(0.001, 86_400), default=1.0, help="how long a quote is"),
    "market.bars_seconds": Key(take=take.seconds(0.001, 86_400), default=10.0, help="how long an answer with bars is"),
    "market.keep_seconds": Key(
        take=take.seconds(0, 604_800), default=3600.0, help="how long an old price stands in, marked stale"
    ),
    "market.breaker_failures": Key(take=take.count(1, 1_000_000), default=5, help="in a row that open the breaker"),
    "market.recovery_seconds": Key(take=take.seconds(0.001, 86_400), default=60.0, help="how long it stays open"),
    "market.calls_a_minute": Key(
        take=take.count(1, 1_000_000), default=None, help="most calls; none: what venues bear"
    ),
    "market.attempts": Key(take=take.count(1, 100), default=3, help="tries of a call that may pass"),
    "market.bars_file": Key(take=take.text, default=None, help="where bars are kept; none: beside the book"),
}

SERVE = {
    "serve.host": Key(take=take.text, default="127.0.0.1", help="where the service listens"),
    "serve.port": Key(take=take.count(0, 65_535), default=8321, help="0: any that is free"),
    "serve.allow_hosts": Key(take=take.names, default=(), help="further names under which it may be asked"),
    "serve.tls_cert": Key(take=take.text, default=None, help="certificate with its chain, a PEM file; none: no TLS"),
    "serve.tls_key": Key(take=take.text, default=None, help="its private key, a PEM file"),
    "serve.access_log": Key(take=take.switch, default=True, help="a line of JSON for each request, on standard error"),
    "serve.body_bytes": Key(take=take.count(1, 2**30), default=8_388_608, help="largest body of a request"),
    "serve.requests_a_minute": Key(
        take=take.count(0, 10_000_000), default=60_000, help="most requests of one token; 0: any number"
    ),
    "serve.connections": Key(take=take.count(2, 100_000), default=2_000, help="most requests open at once"),
    "serve.heartbeat_seconds": Key(
        take=take.seconds(0.1, 600), default=15.0, help="how often a silent stream says that it is alive"
    ),
    "serve.prices_per_second": Key(
        take=take.count(1, 20), default=5, help="most prices a second of one instrument to one client"
    ),
}

METRICS = {
    "metrics.push": Key(
        take=take.address("http", "https"), default=None, help="where InfluxDB's line protocol is sent; none: nowhere"
    ),
    "metrics.push_token": Key(take=take.secret, default=None, help="of InfluxDB; a secret"),
    "metrics.push_seconds": Key(take=take.seconds(0.1, 86_400), default=10.0, help="how often"),
}

TRACING = {
    "tracing.endpoint": Key(
        take=take.address("http", "https"), default=None, help="where traces are sent (OTLP over HTTP); none: nowhere"
    ),
    "tracing.ratio": Key(take=take.measure("ratio", 0, 1), default=1.0, help="share of requests that are traced"),
}

_SOURCE = "the book is the one source, and older names are views of it"
_NO_COPY = "older names are views of the book; there is no second copy that could differ"

EVENT_BUS = {
    "event_bus.enabled": Key(take=take.switch, default=True, help="off: the bus takes and delivers nothing"),
    "event_bus.persist_events": Key(take=take.switch, default=False, help="a file of all events beside the log"),
    "event_bus.event_log_file": Key(take=take.text, default="logs/events.log", help="that file, JSON lines"),
    "event_bus.max_history": Key(take=take.count(0, 1_000_000), default=1000, help="most events of its history"),
}

STATE_STORE = {
    "state_store.enabled": Key(take=take.switch, default=True, help="off: state is neither read nor written"),
    "state_store.snapshot_dir": Key(take=take.text, default=None, help="snapshots.folder"),
    "state_store.snapshot_interval_minutes": Key(
        take=SNAPSHOTS["snapshots.every_minutes"].take, default=None, help="snapshots.every_minutes"
    ),
    "state_store.max_snapshots": Key(take=SNAPSHOTS["snapshots.keep"].take, default=None, help="snapshots.keep"),
    "state_store.restore_on_startup": _always_on(
        "the state is there when the book is opened", "the state is kept in the book and is there when it is opened"
    ),
    "state_store.replay_events_on_restore": _always_on(
        "what came after a snapshot is read from the log", "a snapshot is only a shortcut; the log says the rest"
    ),
}

OLDER = {
    "trade_manager.enabled": _always_on("the book is there", "there is no other place in which trades are kept"),
    "trade_manager.single_source_of_truth": _always_on(
        "the book is the one source", "to go back, run the old program on the state file that the book writes for it"
    ),
    "trade_manager.migration_complete": Key(
        take=take.switch,
        default=None,
        help="said by a migration",
        note=always("importing again finds what is there already; nothing needs to be told"),
    ),
    "trade_manager.migration_date": Key(
        take=take.anything, default=None, help="said by a migration", note=always("the log says when each fact came")
    ),
    "trade_manager.sync_legacy_systems": _always_on("older names show the book", _NO_COPY),
    "trade_manager.validate_consistency": _always_on("older names agree", _NO_COPY + "; onebook verify checks it"),
    "position_monitor.use_trade_manager": _always_on("positions are the book's", _SOURCE),
    "position_monitor.sync_with_legacy": _always_on("older names show the book", _NO_COPY),
    "paper_wallet.sync_with_trade_manager": _always_on("the paper wallet shows the book", _NO_COPY),
    "paper_wallet.auto_sync_on_trade": _always_on("the paper wallet shows the book", _NO_COPY),
}
"""Sections of which no key changes anything; shown only where they are set."""

KEYS: dict[str, Key] = {
    **BOOK,
    **NOTIFY,
    **ALERTS,
    **SNAPSHOTS,
    **MARKET,
    **SERVE,
    **METRICS,
    **TRACING,
    **EVENT_BUS,
    **STATE_STORE,
    **OLDER,
}
"""Every key there is, but those of routes."""

STANDS_FOR = {
    "state_store.snapshot_dir": "snapshots.folder",
    "state_store.snapshot_interval_minutes": "snapshots.every_minutes",
    "state_store.max_snapshots": "snapshots.keep",
}
"""Keys of the documents that are other names of our own; our own win."""

SECTIONS = (*dict.fromkeys(name.partition(".")[0] for name in KEYS), ROUTES)


def unknown(key: str, where: str = "", *, known: Collection[str] = KEYS) -> BadConfig:
    """Return the error for a key that is not known, naming the nearest that is.

    Args:
        key: as it was written.
        where: the place, such as ``onebook.yaml:12``.
        known: what there is.
    """
    import difflib

    by_word = {name.rpartition(".")[2]: name for name in known}
    near = difflib.get_close_matches(key.rpartition(".")[2].lower(), by_word, n=1, cutoff=0.4)
    hint = f"did you mean {by_word[near[0]]}?" if near else f"there are {', '.join(known)}"
    return BadConfig(f"{where}: {key}: unknown; {hint}" if where else f"{key}: unknown; {hint}", key=key)
