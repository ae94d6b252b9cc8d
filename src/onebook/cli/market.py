"""Commands that ask for prices and bars: of the configured source, of the book's marks, of the bars beside the book."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onebook.cli.asking import Asked, takes
from onebook.cli.market_source import asking, configured, placed
from onebook.cli.session import Session, session
from onebook.cli.tables import answer, columns, print_object
from onebook.clock import system_clock
from onebook.domain import times
from onebook.errors import BadConfig, BookError, InputError, UnknownInstrument

if TYPE_CHECKING:
    from onebook.market.bars import BarStore
    from onebook.market.port import MarketData

PRICES = columns(
    "Instrument=instrument", "Price=price", "Time (UTC)=at", "Age, s=age_seconds", "Stale=stale", "Source=source 1",
    "Marked=marked 2", "Problem=problem 1",
)  # fmt: skip
BARS = columns(
    "Opened (UTC)=opened_at", "Open=open", "High=high", "Low=low", "Close=close", "Volume=volume 1",
    "Running=running 2", "Partial=partial 2",
)  # fmt: skip
SERIES = columns(
    "Instrument=instrument", "Timeframe=timeframe", "Bars=bars", "First (UTC)=first_at", "Last (UTC)=last_at",
    "Changed=changed 2",
)  # fmt: skip
SAID = 3
"""So many stretches that could not be fetched are named; the rest is counted."""

NEWEST = 100
"""Bars that are shown when nobody says since when, or how many."""

_Source = Annotated[
    str | None, typer.Option("--source", help="ccxt:EXCHANGE, files:PATH or alpaca; else the configured one.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Price:
    """The newest price of an instrument, ``stale`` by who gave it or by its age; or why there is none."""

    instrument: str
    price: Decimal | None = None
    at: datetime | None = None
    age_seconds: int | None = None
    stale: bool = False
    source: str = ""
    marked: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """A bar as it is shown: ``running`` has not ended; of a ``partial`` one's time not all is known."""

    instrument: str
    timeframe: str
    opened_at: datetime
    ended_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    running: bool
    partial: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """What is kept of an instrument and timeframe."""

    instrument: str
    timeframe: str
    bars: int
    first_at: datetime | None
    last_at: datetime | None
    changed: int


# ---- price ----


def price(
    ctx: typer.Context,
    instruments: Annotated[list[str], typer.Argument(metavar="INSTRUMENT…", help="For example BTC/USDT or AAPL.")],
    source: _Source = None,
    mark: Annotated[bool, typer.Option("--mark", help="Put it into the book as a mark too.")] = False,
) -> int:
    """Newest prices: of the configured source, else the book's own marks. Exit 4: the source failed."""
    here = session(ctx)
    terms = configured(here, source)
    wanted = list(dict.fromkeys(instruments))
    if not all(wanted):
        raise InputError("INSTRUMENT: is empty; name one such as BTC/USDT or AAPL", field="instrument")
    if terms:
        with asking(here, source) as asked:
            found, problems = _each(wanted, lambda name: _of_source(asked, name))
        if mark:
            found = _marked(here, found)
    elif mark:
        msg = "--mark needs a source of prices; write market: source: in onebook.yaml, or give --source"
        raise BadConfig(msg, key="market.source")
    else:
        found, problems = _of_book(here, wanted)
    if len(problems) == len(found):
        raise problems[0]
    if terms:
        found = _aged(here, found)
    answer(here, found, PRICES, empty="")
    return max((problem.exit_code for problem in problems), default=0)


def _each(names: list[str], ask: Callable[[str], _Price]) -> tuple[list[_Price], list[BookError]]:
    """Return a row for each name, and what went wrong with some of them."""
    found: list[_Price] = []
    problems: list[BookError] = []
    for name in names:
        try:
            found.append(ask(name))
        except BookError as problem:
            problems.append(problem)
            found.append(_Price(instrument=name, problem=str(problem)))
    return found, problems


def _of_source(source: "MarketData", instrument: str) -> _Price:
    given = source.price(instrument)
    return _price(instrument, given.price, given.at_ns, stale=given.is_stale, source=given.source)


def _of_book(here: Session, wanted: list[str]) -> tuple[list[_Price], list[BookError]]:
    """Return the book's marks, and say that they are."""
    with here.open(read_only=True) as book:
        held = {mark.instrument: mark for mark in book.marks()}

    def ask(name: str) -> _Price:
        if name not in held:
            msg = f"the book has no mark of {name}, and no source of market data is configured; write market: source:"
            msg += " in onebook.yaml, or give --source"
            raise UnknownInstrument(msg, instrument=name)
        mark = held[name]
        at_ns = times.from_datetime("at", mark.at)
        return _price(name, mark.price, at_ns, stale=mark.stale, source=f"mark by {mark.source or 'nobody named'}")

    here.say("no source of market data is configured; these are the book's marks")
    return _each(wanted, ask)


def _price(instrument: str, value: Decimal, at_ns: int, *, stale: bool, source: str) -> _Price:
    age = max(system_clock() - at_ns, 0) // times.SECOND
    at = times.to_datetime(at_ns)
    return _Price(instrument=instrument, price=value, at=at, age_seconds=age, stale=stale, source=source)


def _aged(here: Session, found: list[_Price]) -> list[_Price]:
    """Return prices; one that is older than a mark of something held may be is stale, whoever gave it."""
    most = here.config.get("alerts.mark_stale_seconds")
    old = {row.instrument: row.age_seconds for row in found if row.age_seconds is not None and row.age_seconds > most}
    for name, seconds in old.items():
        here.say(f"{name}: the newest price is {age(seconds)} old")
    return [replace(row, stale=True) if row.instrument in old else row for row in found]


def age(seconds: float) -> str:
    """Return a time in a unit that fits: ``264 d``."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def _marked(here: Session, found: list[_Price]) -> list[_Price]:
    """Put prices that are not stale into the book; one that has a newer mark keeps it."""
    with here.open() as book:
        for row in found:
            if row.price is not None and not row.stale:
                book.mark(row.instrument, row.price, at=row.at, source=row.source)
        book.share_marks()
        marks = {mark.instrument: (mark.at, mark.price) for mark in book.marks()}
    return [replace(row, marked=marks.get(row.instrument) == (row.at, row.price)) for row in found]


# ---- bars ----


@takes("since", "until", "limit")
def bars(  # noqa: PLR0913  the options of the contract
    ctx: typer.Context,
    asked: Asked,
    instrument: Annotated[str | None, typer.Argument(metavar="INSTRUMENT", help="For example BTC/USDT.")] = None,
    timeframe: Annotated[str, typer.Option("--timeframe", help="1s 1m 5m 15m 30m 1h 4h 1d 1w.")] = "1h",
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch what is missing from the source first.")] = False,
    files: Annotated[
        list[str] | None, typer.Option("--import", metavar="FILE", help="Keep the bars of a CSV or Parquet file.")
    ] = None,
    stats: Annotated[bool, typer.Option("--stats", help="What is kept, instead of bars.")] = False,
    source: _Source = None,
) -> None:
    """Bars that are kept beside the book: the newest 100, or those since a moment."""
    here = session(ctx)
    _check_span(asked)
    if not instrument and not files and not stats:
        msg = "name an instrument, or give --import FILE or --stats"
        raise InputError(msg, field="instrument")
    if fetch and instrument is None:
        msg = "--fetch takes the instrument that is to be fetched"
        raise InputError(msg, field="instrument")
    with kept(here, create=fetch or bool(files)) as store:
        if files:
            _import(here, store, files, shown=instrument is None and not stats)
        if fetch and instrument is not None:
            _fetch(here, store, (instrument, timeframe), asked, source)
        if stats:
            _stats(here, store)
        elif instrument is not None:
            rows, made_of = _read(store, instrument, timeframe, asked)
            if made_of:
                here.say(f"made of bars of {made_of}; no bars of {timeframe} are kept")
            partial = sum(row.partial for row in rows)
            if partial:
                here.say(f"{partial} of {len(rows)} are partial: of their time not all bars of {made_of} are known")
            empty = f"no bars of {instrument} with timeframe {timeframe} are kept; --fetch or --import brings them"
            answer(here, rows, BARS, empty=empty)


def _check_span(asked: Asked) -> None:
    """Refuse a time that ends before it begins."""
    given = asked.filters()
    if {"since", "until"} <= given.keys():
        since, until = _ns("since", given["since"], 0), _ns("until", given["until"], 0)
        if since >= until:
            msg = f"--since: {times.to_text(since)} is not before --until {times.to_text(until)}"
            raise InputError(msg, field="since")


def bars_place(here: Session, book_url: str) -> str:
    """Return where the bars of a book are."""
    from onebook.market import configured

    return configured.bars_place(here.config, book_url)


@contextmanager
def kept(here: Session, *, create: bool) -> Iterator["BarStore"]:
    """Open the bars beside the book."""
    from onebook.market.bars import BarStore

    place = here.config.get("market.bars_file")
    if place is None:
        with here.open(read_only=not create, create=create) as book:
            place = bars_place(here, book.store.url)
    if not create and not Path(place).exists():
        place = ":memory:"  # there are none; reading makes no file
    with closing(BarStore(str(place))) as store:
        yield store


def _import(here: Session, store: "BarStore", files: list[str], *, shown: bool) -> None:
    from onebook.domain.market import Bar
    from onebook.market.providers.files import FileSource
    from onebook.market.providers.files_tables import zone_note

    rows = 0

    def read() -> Iterator[Bar]:
        nonlocal rows
        for seen in source.events():
            if isinstance(seen, Bar):
                rows += 1
                yield seen

    with closing(FileSource(_known_files(here, files))) as source:
        written = store.put(read())
        notes = [zone_note(terms) for terms in source.tables()]
    if shown and here.as_json:
        print_object({"files": files, "bars": rows, "written": written, "notes": [note for note in notes if note]})
    elif shown:
        print(f"{rows} bars read, {written} of them new or changed")
    else:
        here.say(f"{rows} bars read, {written} of them new or changed")
    for note in filter(None, notes):
        here.say(note)


def _known_files(here: Session, files: list[str]) -> list[Any]:
    """Return the files with what the configuration says of them, where it names them."""
    from onebook.market.sources import file_terms

    with placed(here):
        listed = [file_terms(item, where="market.files") for item in here.config.get("market.files")]
    said = {Path(terms.path): terms for terms in listed}
    return [said.get(Path(file), file) for file in files]


def _fetch(here: Session, store: "BarStore", series: tuple[str, str], asked: Asked, named: str | None) -> None:
    from onebook.market.bars.store import LATE_NS
    from onebook.market.timeframes import floor, length_ns

    given = asked.filters()
    until = _ns("until", given.get("until"), system_clock())
    many = given.get("limit", NEWEST)
    since = _ns("since", given.get("since"), floor(series[1], until) - (many - 1) * length_ns(series[1]))
    with asking(here, named) as source:
        store.fill(source, *series, since, until)
        name = source.name
    newest = system_clock() - max(length_ns(series[1]), LATE_NS)
    missing = [(begin, min(end, newest)) for begin, end in store.gaps(*series, since, until) if begin < newest]
    for begin, end in missing[:SAID]:
        here.say(f"{name} gave nothing of {times.to_text(begin)} to {times.to_text(end)}: it may not reach back so far")
    if len(missing) > SAID:
        here.say(f"and nothing of {len(missing) - SAID} more stretches; a longer time may be asked for once more")


def _read(store: "BarStore", instrument: str, timeframe: str, asked: Asked) -> tuple[list[_Bar], str]:
    """Return the bars, and of which shorter ones they are made; empty where they are kept so."""
    from onebook.market.timeframes import floor, length_ns, parse

    given = asked.filters()
    wanted = parse(timeframe)
    until = _ns("until", given.get("until"), 2**62)
    limit = given.get("limit")
    lengths = {row["timeframe"] for row in store.stats()["series"] if row["instrument"] == instrument and row["bars"]}
    made_of = "" if wanted in lengths else _shorter(wanted, lengths)
    if not made_of:
        if "since" in given:
            found = store.read(instrument, wanted, _ns("since", given["since"], 0), until, limit)
        else:
            found = store.newest(instrument, wanted, NEWEST if limit is None else limit, until)
        return [_shown(bar, made_of) for bar in found], made_of
    if "since" in given:  # only whole bars that opened since then
        first = floor(wanted, _ns("since", given["since"], 0) - 1) + length_ns(wanted)
        found = store.longer(instrument, wanted, first, until, of=made_of)[:limit]
    else:
        many = NEWEST if limit is None else limit
        parts = store.newest(instrument, made_of, many * (length_ns(wanted) // length_ns(made_of)), until)
        first = floor(wanted, parts[0].opened_ns) if parts else until
        found = store.longer(instrument, wanted, first, until, of=made_of)[-many:]
    return [_shown(bar, made_of) for bar in found], made_of


def _shorter(wanted: str, lengths: set[str]) -> str:
    """Return the longest of the kept timeframes of which the wanted one is made; empty for none."""
    from onebook.market.timeframes import length_ns

    fit = [name for name in lengths if length_ns(name) < length_ns(wanted) and length_ns(wanted) % length_ns(name) == 0]
    return max(fit, key=length_ns, default="")


def _shown(bar: Any, made_of: str) -> _Bar:
    given = {name: getattr(bar, name) for name in ("instrument", "timeframe", "open", "high", "low", "close", "volume")}
    partial = bool(made_of) and not bar.is_final and bar.at_ns <= system_clock()
    return _Bar(
        opened_at=times.to_datetime(bar.opened_ns),
        ended_at=times.to_datetime(bar.at_ns),
        running=not bar.is_final and not partial,
        partial=partial,
        **given,
    )


def _stats(here: Session, store: "BarStore") -> None:
    found = store.stats()
    if here.as_json:
        print_object(found)
        return
    rows = [
        _Series(
            first_at=None if row["first_ns"] is None else times.to_datetime(row["first_ns"]),
            last_at=None if row["last_ns"] is None else times.to_datetime(row["last_ns"]),
            **{name: row[name] for name in ("instrument", "timeframe", "bars", "changed")},
        )
        for row in found["series"]
    ]
    answer(here, rows, SERIES, empty="no bars are kept")
    if rows:
        print(f"{found['bars']} bars, {found['file_bytes'] / 1e6:.1f} MB in {found['path']}")


def _ns(name: str, value: datetime | None, default: int) -> int:
    from onebook.market.bars.checks import check_reach

    at_ns = default if value is None else times.from_datetime(name, value)
    check_reach(f"--{name}", at_ns)
    return at_ns
