"""``bot.yaml``: what a runner runs, on which accounts, on which market, within which limits.

Everything is checked when it is read, and a message names the file and the line. A list's items have the line of the
list; under names of their own they have their own lines.
"""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebook.config import values as take
from onebook.config.files import read_file
from onebook.config.keys import ALERTS
from onebook.domain.days import Days
from onebook.domain.facts import BookSettings, Instrument, Limits
from onebook.errors import BadConfig
from onebook.market.calendars import calendar_for
from onebook.trading.end_of_day import EndOfDayTerms
from onebook.trading.runner.config_accounts import AccountConfig, account
from onebook.trading.runner.config_market import MarketConfig, market
from onebook.trading.runner.crew import Hired
from onebook.trading.runner.loading import find_strategy
from onebook.trading.runner.written import Written, currency, moment, of_fields, stated, timeframe
from onebook.trading.runner.written import name as written_name

SECTIONS = (
    *("name", "book", "settings", "accounts", "instruments", "market"),
    *("strategies", "limits", "end_of_day", "alerts", "replay"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayConfig:
    """Which history is gone over, nanoseconds since 1970 UTC, and how fast: 0 is as fast as it goes."""

    since_ns: int | None = None
    until_ns: int | None = None
    speed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BotConfig:
    """Everything that a ``bot.yaml`` says.

    Attributes:
        path: of the file.
        name: of the runner.
        book_url: the book; None for the user's own.
        settings: of the book, where they are given.
        accounts: by name.
        instruments: definitions that the book is to have.
        market: where prices come from.
        strategies: with what becomes of each when it raises.
        limits: that are to be in force.
        end_of_day: what is closed before the market closes.
        break_after_seconds: what a venue says has filled is a break when no fill came for so long; 0: never.
        replay: None for live.
    """

    path: str
    name: str
    book_url: str | None
    settings: BookSettings | None
    accounts: Mapping[str, AccountConfig]
    instruments: tuple[Instrument, ...]
    market: MarketConfig
    strategies: tuple[Hired, ...]
    limits: tuple[Limits, ...]
    end_of_day: tuple[EndOfDayTerms, ...]
    break_after_seconds: float
    replay: ReplayConfig | None


def load_bot(path: str | Path) -> BotConfig:
    """Read a ``bot.yaml``, or the same as TOML.

    Raises:
        BadConfig: something in it is wrong; the message names file and line.
    """
    top = Written(read_file(str(path)), "")
    folder = Path(path).parent
    name = top.get("name", written_name, Path(path).stem)
    book = top.below("book")
    book_url = book.get("url", take.text)
    book.end()
    written = list(top.each("accounts"))
    owners = [item.needed("name", written_name) for item in written]
    if not owners:
        raise _missing(top, "accounts", "name one account at least, such as paper: {currency: USD, opening: 10000}")
    shown = market(top.below("market"), folder)
    strategies = tuple(_strategy(item, folder, owners) for item in top.each("strategies"))
    if not strategies:
        raise _missing(
            top, "strategies", "name one strategy at least, such as trend: {use: trend, instruments: [AAPL]}"
        )
    instruments = tuple(_instrument(item) for item in top.each("instruments"))
    traded = {name for item in strategies for name in item.strategy.instruments}
    known = {
        "account": owners,
        "strategy": [item.strategy.name for item in strategies],
        "instrument": sorted({*traded, *shown.instruments, *(item.symbol for item in instruments)}),
    }
    config = BotConfig(
        path=str(path),
        name=name,
        book_url=book_url,
        settings=_settings(top.below("settings")),
        accounts={item.name: item for item in (account(item, known["instrument"]) for item in written)},
        instruments=instruments,
        market=shown,
        strategies=strategies,
        limits=_all_limits(top, known),
        end_of_day=tuple(_end_of_day(item, known) for item in top.each("end_of_day")),
        break_after_seconds=_break_after(top.below("alerts")),
        replay=_replay(top.below("replay"), is_given="replay" in top, source=shown.source),
    )
    top.end()
    return config


def _missing(top: Written, section: str, what: str) -> BadConfig:
    msg = f"{top.where}: {section} is missing; {what}"
    return BadConfig(msg, key=section)


def _settings(written: Written) -> BookSettings | None:
    given = written.rest()
    if not given:
        return None
    written.get("base_currency", currency)
    made: BookSettings = written.made(lambda: of_fields(BookSettings, given, written))
    written.made(lambda: Days(made.zone, made.rolls_at))
    return made


def _instrument(written: Written) -> Instrument:
    given = written.rest()
    symbol = given.pop("name", None)
    if given.setdefault("symbol", symbol) is None:
        msg = f"{written.where}: {written.name}: symbol is missing"
        raise BadConfig(msg, key="symbol")
    made: Instrument = written.made(lambda: of_fields(Instrument, given, written))
    return made


def _break_after(alerts: Written) -> float:
    key = ALERTS["alerts.break_after_seconds"]
    found: float = alerts.get("break_after_seconds", key.take, key.default)
    alerts.end()
    return found


def _strategy(written: Written, folder: Path, accounts: Sequence[str]) -> Hired:
    name = written.needed("name", written_name)
    use = written.get("use", take.text, name)
    kind = find_strategy(use, where=written.where_of("use"), folder=folder)
    owner = written.get("account", take.text, accounts[0])
    if owner not in accounts:
        msg = f"{written.where_of('account')}: {written.name}.account: there is no account {owner!r}"
        raise BadConfig(f"{msg}; there are {', '.join(accounts)}", key="account")
    instruments = written.needed("instruments", take.names)
    bars = written.get("timeframe", timeframe, "")
    warm_up = written.get("warm_up", take.count(0, 10_000))
    on_error = written.get("on_error", take.choice("stop", "flatten"), "stop")
    parameters = written.below("parameters")
    given = {key: _exact(value) for key, value in parameters.rest().items()}
    written.end()
    common: dict[str, Any] = {"instruments": instruments, "timeframe": bars, "warm_up": warm_up}
    made = parameters.made(lambda: kind(name, owner, **common, **given))
    return Hired(strategy=made, on_error=on_error)


def _exact(value: Any) -> Any:
    return str(value) if isinstance(value, float) else value


def _all_limits(top: Written, known: Mapping[str, list[str]]) -> tuple[Limits, ...]:
    """Return all limits; two of the same scope are refused, since the book would keep the later one only."""
    found: dict[tuple[str, str, str], tuple[Limits, str]] = {}
    for written in top.each("limits"):
        made = _limits(written, known)
        scope = (made.account, made.strategy, made.instrument)
        if scope in found:
            msg = f"{written.where}: {written.name}: covers the same as {found[scope][1]}; write both as one"
            raise BadConfig(msg, key="limits")
        found[scope] = made, written.name
    return tuple(made for made, _ in found.values())


def _limits(written: Written, known: Mapping[str, list[str]]) -> Limits:
    given = written.rest()
    given.pop("name", None)
    made: Limits = written.made(lambda: of_fields(Limits, given, written))
    _check_known(written, "account", "account", [made.account], known)
    _check_known(written, "strategy", "strategy", [made.strategy], known)
    _check_known(written, "instrument", "instrument", [made.instrument], known)
    return made


def _check_known(written: Written, key: str, what: str, names: Iterable[str], known: Mapping[str, list[str]]) -> None:
    """Refuse names that the file does not have: what is said of them would never hold."""
    for name in names:
        if name and name not in known[what]:
            msg = f"{written.where_of(key)}: {written.name}.{key}: there is no {what} {name!r} in this file"
            raise BadConfig(f"{msg}; there are {', '.join(known[what])}", key=key)


def _end_of_day(written: Written, known: Mapping[str, list[str]]) -> EndOfDayTerms:
    name = written.get("name", take.text, "end of day")
    calendar = written.needed("calendar", take.text)
    terms = {
        "minutes_before_close": written.get("minutes_before_close", take.measure("number of minutes", 0, 1440)),
        "accounts": written.get("accounts", take.names),
        "strategies": written.get("strategies", take.names),
        "instruments": written.get("instruments", take.names),
        "missed": written.get("missed", take.choice("close", "report")),
        "expire_signals": written.get("expire_signals", take.switch),
    }
    written.end()
    _check_known(written, "accounts", "account", terms["accounts"] or (), known)
    _check_known(written, "strategies", "strategy", terms["strategies"] or (), known)
    patterns = [name for name in terms["instruments"] or () if not fnmatch.filter(known["instrument"], name)]
    _check_known(written, "instruments", "instrument", patterns, known)
    made: EndOfDayTerms = written.made(
        lambda: EndOfDayTerms(name=name, calendar=calendar_for("equity", calendar), **stated(terms))
    )
    return made


def _replay(written: Written, *, is_given: bool, source: str) -> ReplayConfig | None:
    found = ReplayConfig(
        since_ns=written.get("since", moment),
        until_ns=written.get("until", moment),
        speed=written.get("speed", take.measure("speed", 0, 1_000_000), 0.0),
    )
    written.end()
    if source == "files":
        return found
    if not is_given:
        return None
    if found.since_ns is None or found.until_ns is None:
        msg = f"{written.where}: replay: since and until are needed where the history is a venue's"
        raise BadConfig(msg, key="replay")
    return found
