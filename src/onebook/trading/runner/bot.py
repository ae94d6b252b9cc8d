"""Runs what a ``bot.yaml`` says: opens the book, the market and the accounts, and lets the runner run."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from heapq import merge
from itertools import chain
from pathlib import Path
from typing import Any

from onebook.book.core import Core
from onebook.clock import Clock, system_clock
from onebook.domain import times
from onebook.domain.market import Seen
from onebook.errors import BadConfig
from onebook.market.port import MarketData
from onebook.market.providers.files import FileSource
from onebook.market.sources import Remote, source_from
from onebook.market.standing import keep_breakers
from onebook.market.timeframes import length_ns
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.brokers.paper_account import open_paper_account
from onebook.trading.brokers.port import Broker
from onebook.trading.desk import TradingDesk
from onebook.trading.runner.clock import ReplayClock
from onebook.trading.runner.config import BotConfig, ReplayConfig, load_bot
from onebook.trading.runner.lease import LEASE_SECONDS
from onebook.trading.runner.runner import Runner

Opens = Callable[..., Core]
"""Opens a book: ``onebook.open``. It is handed in, since this room is below the one that puts the parts together."""

FAILED = 1


def run_bot(  # noqa: PLR0913  what the command line may say besides the file
    path: str | Path,
    opens: Opens,
    *,
    book_url: str | None = None,
    since: int | None = None,
    until: int | None = None,
    speed: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    began: Callable[[Runner], None] | None = None,
    environ: Mapping[str, str] | None = None,
    wall: Clock = system_clock,
    lease_seconds: float = LEASE_SECONDS,
) -> int:
    """Run a bot until its history ends, or it is stopped: SIGINT and SIGTERM stop it after the event it is at.

    Args:
        path: of the ``bot.yaml``.
        opens: ``onebook.open``.
        book_url: in place of the file's.
        since: replay from this moment on, nanoseconds since 1970 UTC, in place of the file's.
        until: replay up to before this moment, in place of the file's.
        speed: of the replay, in place of the file's; 0: as fast as it goes.
        progress: called with the number of events done and the time of the last one.
        began: called with the runner before it runs, so that another thread can stop it.
        environ: where keys of venues are looked up; None: the process's.
        wall: the real time, nanoseconds since 1970 UTC.
        lease_seconds: how long the name of a runner that died stays taken.

    Returns:
        0, or 1 when all strategies have failed.

    Raises:
        BadConfig: something in the file is wrong.
        ConflictError: a runner of this name runs on the book.
        BookError: the book or the source failed.
    """
    config = load_bot(path)
    asked: dict[str, Any] = {"since_ns": since, "until_ns": until, "speed": speed}
    given = {name: value for name, value in asked.items() if value is not None}
    if given:
        if config.replay is None:
            raise BadConfig(f"{config.path}: runs live; since, until and speed are of a replay", path=config.path)
        config = replace(config, replay=replace(config.replay, **given))
    source = source_of(config, os.environ if environ is None else environ)
    try:
        return _run(config, source, opens, book_url, progress, began, wall, lease_seconds)
    finally:
        source.close()


def _run(  # noqa: PLR0913  what run_bot was given
    config: BotConfig,
    source: MarketData,
    opens: Opens,
    book_url: str | None,
    progress: Callable[[int, int], None] | None,
    began: Callable[[Runner], None] | None,
    wall: Clock,
    lease_seconds: float,
) -> int:
    clock: ReplayClock | None = None
    events: Iterator[Seen] = iter(())
    if config.replay is not None:
        begin, events = _first(history(config, source, config.replay), config)
        clock = ReplayClock(begin if config.replay.since_ns is None else config.replay.since_ns)
    book = opens(book_url or config.book_url, actor=config.name, clock=clock or system_clock)
    with book:
        if isinstance(source, Remote):
            source.circuits.listen(keep_breakers(book, config.name))
        desk: TradingDesk = getattr(book, "trading", None) or TradingDesk(book)
        brokers = prepare(book, desk, config, clock or system_clock)
        runner = Runner(
            book,
            config.strategies,
            brokers,
            name=config.name,
            clock=clock,
            desk=desk,
            moments=[desk.end_of_day(config.end_of_day)] if config.end_of_day else [],
            sessions={item.name: item.calendar for item in config.accounts.values() if item.calendar is not None},
            wall=wall,
            lease_seconds=lease_seconds,
            break_after_seconds=config.break_after_seconds,
            progress=progress,
        )
        if began is not None:
            began(runner)
        with stopped_by_signals(runner):
            if config.replay is None:
                runner.live(source, shown(config))
            else:
                span = config.replay
                runner.replay(events, since_ns=span.since_ns, until_ns=span.until_ns, speed=span.speed)
        return 0 if runner.is_well else FAILED


def _first(events: Iterator[Seen], config: BotConfig) -> tuple[int, Iterator[Seen]]:
    """Return the time at which history begins, and the history."""
    first = next(events, None)
    if first is None:
        asked = ", ".join(shown(config)) or "no instrument"
        files = ", ".join(Path(item.path).name for item in config.market.files)
        told = f"{config.market.source} {files or config.market.options.get('exchange', '')}".strip()
        msg = f"{config.path}: market: {told} shows nothing of {asked} in this time; name its instruments as the source"
        raise BadConfig(f"{msg} does, and look at since and until", key="market")
    return getattr(first, "opened_ns", first.at_ns), chain([first], events)


def shown(config: BotConfig) -> list[str]:
    """Return the instruments that the runner is shown."""
    return sorted(
        {name for item in config.strategies for name in item.strategy.instruments} | {*config.market.instruments}
    )


# ---- the market ----


def source_of(config: BotConfig, environ: Mapping[str, str]) -> MarketData:
    """Return the source of prices; what asks somebody outside stands behind a breaker and a cache.

    Raises:
        BadConfig: its extra is not installed, or a key is missing.
    """
    market, where = config.market, f"{config.path}: market"
    if market.source == "files":
        return FileSource(market.files)
    terms: dict[str, Any] = {"source": market.source, **market.options}
    for name in [key for key in ("key", "secret") if f"{key}_from" in terms]:
        variable = terms.pop(f"{name}_from")
        terms[name] = environ.get(variable)
        if not terms[name]:
            msg = f"{where}: the environment has no {variable}; set it, or name another with {name}_from"
            raise BadConfig(msg, key=variable)
    return source_from(terms, where=where)


def history(config: BotConfig, source: MarketData, span: ReplayConfig) -> Iterator[Seen]:
    """Yield what the market showed, in order of time, each time the same, with the bars of the warm-up before it."""
    if isinstance(source, FileSource):
        return source.events(instruments=shown(config), until_ns=span.until_ns)
    wanted: dict[tuple[str, str], int] = {}
    for item in config.strategies:
        for name in item.strategy.instruments:
            place = (name, item.strategy.timeframe)
            wanted[place] = max(wanted.get(place, 0), item.strategy.warm_up)
    since, until = span.since_ns or 0, span.until_ns or times.DAY
    found: list[Iterable[Seen]] = [
        [bar for bar in source.bars(name, timeframe, since - size * length_ns(timeframe), until) if bar.at_ns < until]
        for (name, timeframe), size in sorted(wanted.items())
    ]
    return iter(merge(*found, key=lambda seen: (seen.at_ns, seen.instrument)))


# ---- the book ----


def prepare(book: Core, desk: TradingDesk, config: BotConfig, clock: Clock) -> dict[str, Broker]:
    """Bring what the configuration defines into the book, and return who trades each account."""
    if config.settings is not None:
        book.record(config.settings)
    brokers: dict[str, Broker] = {}
    for account in config.accounts.values():
        open_paper_account(
            book, account.name, account.currency, account.opening, venue=account.rules.venue, mode=account.mode
        )
        brokers[account.name] = PaperBroker(book, (account.name,), account.rules, clock=clock)
    for instrument in config.instruments:
        book.record(instrument)
    held = {(item.account, item.strategy, item.instrument): item for item in desk.limits}
    for limits in config.limits:
        if held.get((limits.account, limits.strategy, limits.instrument)) != limits:
            book.record(limits)
    return brokers


# ---- signals of the system ----


@contextmanager
def stopped_by_signals(runner: Runner) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop a runner gracefully; only the main thread hears of them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        runner.stop(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
