"""How everything around a book stands just now, as one record: for the command line and the service."""

from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from onebook.app import Book
from onebook.config import Config
from onebook.domain import times
from onebook.errors import BookError

MOST_STATES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot that promised signs of life."""

    strategy: str
    last_beat_at: datetime
    every_seconds: float
    age_seconds: float
    silent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMark:
    """The mark of something held; None where there is none."""

    instrument: str
    at: datetime | None
    age_seconds: float | None
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How everything stands, by the names of its JSON; ``problems`` are sentences, none of them: all is well."""

    ok: bool = True
    problems: list[str] = field(default_factory=list)
    book: dict[str, Any]
    trading: list[dict[str, str]]
    bots: list[Bot]
    subscribers: list[Any]
    marks: dict[str, Any]
    market: dict[str, Any]
    api_initialized: bool
    streaming: bool
    last_update: str
    cache_stats: dict[str, Any]
    database_stats: dict[str, Any]
    circuit_breakers: dict[str, Any]
    spools: list[dict[str, Any]]


def health_of(book: Book, config: Config) -> Health:
    """Return how everything around a book stands just now; nobody outside is asked.

    Args:
        book: which book.
        config: the settings in force: limits of the watchman, the market source, the place of the bars.
    """
    from onebook.feed.conditions import Limits, conditions
    from onebook.market.standing import open_breakers

    problems: list[str] = []
    limits = Limits(
        **{name: config.get(f"alerts.{name}") for name in Limits.__dataclass_fields__}  # the watchman's limits
    )
    now = book.now()
    status = book.status()
    wrong = conditions(book, limits, now)
    with book.store.reading() as reader:
        beats, breakers = reader.heartbeats(), open_breakers(reader)
        states = _states(reader)
    problems += [_sentence(item) for item in wrong]
    problems += [f"trading of {whose(row)} is halted: {row['reason']}" for row in states if row["state"] == "HALTED"]
    problems += [
        f"{item.who}: {item.name} does not answer since {item.at:%Y-%m-%d %H:%M:%S}: {item.last_error}"
        for item in breakers
    ]
    if status.breaks:
        waits = "1 difference waits" if status.breaks == 1 else f"{status.breaks} differences wait"
        problems.append(f"{waits} for somebody: onebook breaks shows them")
    stale = {item.subject for item in wrong if item.kind == "mark_stale"}
    spools = _spools(book.store.url)
    problems += [f"{row['bytes']} bytes of facts wait in {row['path']}: the figures lack them" for row in spools]
    shown = asdict(status)
    subscribers = shown.pop("subscribers")
    market, service = _market(config, problems)
    stored = _bars(config, book.store.url, problems)
    return Health(
        ok=not problems,
        problems=problems,
        book=shown | {"verified": False},
        trading=states,
        bots=[_bot(beat, now) for beat in beats],
        subscribers=list(subscribers),
        marks={"count": status.marks, "held": _held(book, now, stale)},
        market=market,
        database_stats=stored,
        circuit_breakers=service.pop("circuit_breakers")
        | {f"{item.who}/{item.name}": asdict(item) for item in breakers},
        spools=spools,
        **service,
    )


def _spools(url: str) -> list[dict[str, Any]]:
    """Return where facts of bots wait for the book."""
    from onebook.intake.adapters.spool import waiting_beside

    return [{"path": str(spool.path), "bytes": spool.size} for spool in waiting_beside(url)]


def _sentence(found: Any) -> str:
    return f"{found.subject} is silent: {found.text}" if found.kind == "bot_silent" else found.text


def _bot(beat: Any, now: int) -> Bot:
    age = max(now - beat.at_ns, 0)
    every = beat.every_ns / times.SECOND
    at = times.to_datetime(beat.at_ns)
    silent = age > beat.every_ns
    return Bot(
        strategy=beat.strategy, last_beat_at=at, every_seconds=every, age_seconds=age / times.SECOND, silent=silent
    )


def _states(reader: Any) -> list[dict[str, str]]:
    """Return what was said of trading: of the book, and of accounts and strategies that are not ACTIVE."""
    from onebook.domain.decide.trading import TRADING
    from onebook.domain.identity import identity_parts

    found = [{"account": "", "strategy": "", "state": "ACTIVE", "reason": ""}]
    for row in reader.records_under(TRADING, "", None, "", MOST_STATES):
        account, strategy = identity_parts(row[0])
        said = {"account": account, "strategy": strategy, "state": row[5], "reason": _reason(row[2])}
        if not account and not strategy:
            found[0] = said
        elif row[5] != "ACTIVE":
            found.append(said)
    return found


def _reason(body: Any) -> str:
    from onebook.store.codec import decode

    return str(decode(body).get("reason", ""))


def whose(row: dict[str, str]) -> str:
    """Return whose trading a row of states speaks of, in words."""
    return " ".join(name for name in (row["account"], row["strategy"]) if name) or "the book"


def _held(book: Any, now: int, stale: set[str]) -> list[HeldMark]:
    """Return the marks of what is held, the oldest first, what has none before them."""
    marks = {mark.instrument: mark.at for mark in book.marks()}
    held = {item.instrument: item.stale for item in book.positions()}
    found = []
    for name in sorted(held):
        at = marks.get(name)
        age = None if at is None else max(now - times.from_datetime("at", at), 0) / times.SECOND
        found.append(HeldMark(instrument=name, at=at, age_seconds=age, stale=held[name] or name in stale))
    return sorted(found, key=lambda row: (row.age_seconds is not None, -(row.age_seconds or 0)))


def _market(config: Config, problems: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the source as it is configured, and how it stands in this process; it is made, not asked."""
    from onebook.config import masked
    from onebook.market.configured import placed, terms_of
    from onebook.market.sources import Remote, source_from

    terms = terms_of(config)
    shown = {name: masked(f"market.{name}", value) for name, value in terms.items()}
    stands: dict[str, Any] = {"api_initialized": False, "streaming": False, "last_update": ""}
    stands |= {"cache_stats": {}, "circuit_breakers": {}}
    if not terms:
        return {"source": None}, stands
    try:
        with placed(config):
            opened = source_from(terms)
        with closing(opened) as source:
            stands["api_initialized"] = True
            if isinstance(source, Remote):
                stands["cache_stats"] = {name: asdict(stats) for name, stats in source.caches.stats().items()}
                stands["circuit_breakers"] = {name: asdict(one) for name, one in source.circuits.status().items()}
    except BookError as problem:
        problems.append(f"the market source cannot be used: {problem}")
    return shown, stands


def _bars(config: Config, url: str, problems: list[str]) -> dict[str, Any]:
    from onebook.market.bars import BarStore
    from onebook.market.configured import bars_place

    place = bars_place(config, url)
    if not Path(place).exists():
        return {}
    try:
        with closing(BarStore(place)) as store:
            return store.stats()
    except BookError as problem:
        problems.append(str(problem))
        return {}
