"""``onebook health``: how everything stands just now, on one page; it asks nobody outside."""

from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from onebook.cli.asking import reading
from onebook.cli.keeping import FOUND_PROBLEMS
from onebook.cli.market import age, bars_place
from onebook.cli.market_source import configured, placed
from onebook.cli.session import Session, session
from onebook.cli.tables import cell, print_object
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
class Page:
    """All that the page shows, by the names of its JSON."""

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


def health(ctx: typer.Context) -> int:
    """How everything stands: book, trading, bots, subscribers, marks, prices, bars. Exit 1: something is wrong."""
    here = session(ctx)
    with reading(ctx) as book:
        problems: list[str] = []
        page = _page(here, book, problems)
    found = {name: getattr(page, name) for name in Page.__dataclass_fields__} | {
        "ok": not problems,
        "problems": problems,
    }
    if here.as_json:
        print_object(found)
    else:
        _show(page, problems)
    return FOUND_PROBLEMS if problems else 0


def _page(here: Session, book: Any, problems: list[str]) -> Page:
    from onebook.feed.conditions import Limits, conditions
    from onebook.market.standing import open_breakers

    limits = Limits(
        **{name: here.config.get(f"alerts.{name}") for name in Limits.__dataclass_fields__}  # the watchman's limits
    )
    now = book.now()
    status = book.status()
    wrong = conditions(book, limits, now)
    with book.store.reading() as reader:
        beats, breakers = reader.heartbeats(), open_breakers(reader)
        states = _states(reader)
    problems += [_sentence(item) for item in wrong]
    problems += [f"trading of {_whose(row)} is halted: {row['reason']}" for row in states if row["state"] == "HALTED"]
    problems += [
        f"{item.who}: {item.name} does not answer since {cell(item.at)}: {item.last_error}" for item in breakers
    ]
    stale = {item.subject for item in wrong if item.kind == "mark_stale"}
    spools = _spools(book.store.url)
    problems += [f"{row['bytes']} bytes of facts wait in {row['path']}: the figures lack them" for row in spools]
    shown = asdict(status)
    subscribers = shown.pop("subscribers")
    market, service = _market(here, problems)
    return Page(
        book=shown | {"verified": False},
        trading=states,
        bots=[_bot(beat, now) for beat in beats],
        subscribers=list(subscribers),
        marks={"count": status.marks, "held": _held(book, now, stale)},
        market=market,
        database_stats=_bars(here, book.store.url, problems),
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


def _whose(row: dict[str, str]) -> str:
    return " ".join(name for name in (row["account"], row["strategy"]) if name) or "the book"


def _held(book: Any, now: int, stale: set[str]) -> list[HeldMark]:
    """Return the marks of what is held, the oldest first, what has none before them."""
    marks = {mark.instrument: mark.at for mark in book.marks()}
    found = []
    for name in sorted({item.instrument for item in book.positions()}):
        at = marks.get(name)
        age = None if at is None else max(now - times.from_datetime("at", at), 0) / times.SECOND
        found.append(HeldMark(instrument=name, at=at, age_seconds=age, stale=name in stale))
    return sorted(found, key=lambda row: (row.age_seconds is not None, -(row.age_seconds or 0)))


def _market(here: Session, problems: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the source as it is configured, and how it stands in this process; it is made, not asked."""
    from onebook.config import masked
    from onebook.market.sources import Remote, source_from

    terms = configured(here)
    shown = {name: masked(f"market.{name}", value) for name, value in terms.items()}
    stands: dict[str, Any] = {"api_initialized": False, "streaming": False, "last_update": ""}
    stands |= {"cache_stats": {}, "circuit_breakers": {}}
    if not terms:
        return {"source": None}, stands
    try:
        with placed(here):
            opened = source_from(terms)
        with closing(opened) as source:
            stands["api_initialized"] = True
            if isinstance(source, Remote):
                stands["cache_stats"] = {name: asdict(stats) for name, stats in source.caches.stats().items()}
                stands["circuit_breakers"] = {name: asdict(one) for name, one in source.circuits.status().items()}
    except BookError as problem:
        problems.append(f"the market source cannot be used: {problem}")
    return shown, stands


def _bars(here: Session, url: str, problems: list[str]) -> dict[str, Any]:
    from onebook.market.bars import BarStore

    place = bars_place(here, url)
    if not Path(place).exists():
        return {}
    try:
        with closing(BarStore(place)) as store:
            return store.stats()
    except BookError as problem:
        problems.append(str(problem))
        return {}


def _show(page: Page, problems: list[str]) -> None:
    rows = [
        ("book", f"{page.book['url']}: {page.book['entries']} entries; not verified here, see onebook verify"),
        ("trading", ", ".join(f"{_whose(row)} {row['state']}" for row in page.trading)),
        (
            "bots",
            ", ".join(f"{bot.strategy} {age(bot.age_seconds)} ago" for bot in page.bots) or "none sends heartbeats",
        ),
        ("subscribers", ", ".join(map(_subscriber, page.subscribers)) or "none"),
        ("marks", _marks(page.marks)),
        ("market source", _source(page.market)),
        ("breakers", ", ".join(f"{name} {one['state']}" for name, one in page.circuit_breakers.items()) or "none"),
        ("caches", ", ".join(f"{name} {one['size']}" for name, one in page.cache_stats.items()) or "none"),
        ("bars", _stored(page.database_stats)),
        ("spools", ", ".join(f"{row['path']} ({row['bytes']} bytes)" for row in page.spools) or "none"),
    ]
    for name, text in rows:
        print(f"{name:<13}  {cell(text)}")
    for text in problems:
        print(f"problem: {cell(text)}")
    count = len(problems)
    print(f"{count} problem{'' if count == 1 else 's'}" if count else "all is well")


def _subscriber(row: Any) -> str:
    letters = f", {row['dead_letters']} dead letters" if row["dead_letters"] else ""
    return f"{row['name']} {row['state']} (lag {row['lag']}{letters})"


def _marks(marks: dict[str, Any]) -> str:
    held = [
        f"{row.instrument} {'no mark' if row.age_seconds is None else age(row.age_seconds)}" for row in marks["held"]
    ]
    return f"{marks['count']}; of what is held: {', '.join(held) or 'nothing is held'}"


def _source(market: dict[str, Any]) -> str:
    if market["source"] is None:
        return "none configured"
    return " ".join(str(market[name]) for name in ("source", "exchange", "base_url") if name in market)


def _stored(stats: dict[str, Any]) -> str:
    if not stats:
        return "none kept"
    return f"{stats['bars']} of {len(stats['series'])} series, {stats['file_bytes'] / 1e6:.1f} MB in {stats['path']}"
