"""``bot.yaml``: what a runner runs, on which accounts, on which market, within which limits.

Everything is checked when it is read, and a message names the file and the line. A list's items have the line of the
list; under names of their own they have their own lines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from onebook.config import values as take
from onebook.config.files import read_file
from onebook.domain.days import Days
from onebook.domain.facts import BookSettings, Instrument, Limits
from onebook.domain.matching import FixedBps, Rules
from onebook.domain.numbers import ZERO
from onebook.errors import BadConfig, InputError
from onebook.market.calendars import Calendar, calendar_for
from onebook.market.providers.files_terms import FileTerms
from onebook.trading.brokers.paper_rules import Fees, PaperRules
from onebook.trading.end_of_day import EndOfDayTerms
from onebook.trading.runner.crew import Hired
from onebook.trading.runner.loading import find_strategy
from onebook.trading.runner.written import Written, currency, decimal, moment, not_negative, timeframe
from onebook.trading.runner.written import name as written_name

ALL_BPS = 10_000
"""A price as hundredths of a percent of itself."""

SECTIONS = (
    *("name", "book", "settings", "accounts", "instruments", "market"),
    *("strategies", "limits", "end_of_day", "replay"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """One account, and who trades it: ``paper``. Orders good for the day end with the ``calendar``'s sessions."""

    name: str
    broker: str
    currency: str
    opening: Decimal
    mode: str
    rules: PaperRules
    calendar: Calendar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketConfig:
    """Where prices come from: ``files``, ``ccxt`` or ``alpaca``, and what that needs.

    ``instruments`` are shown to the runner beside those of its strategies.
    """

    source: str
    files: tuple[FileTerms, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    instruments: tuple[str, ...] = ()


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
    accounts = {item.name: item for item in map(_account, top.each("accounts"))}
    if not accounts:
        raise _missing(top, "accounts", "name one account at least, such as paper: {currency: USD, opening: 10000}")
    market = _market(top.below("market"), folder)
    strategies = tuple(_strategy(item, folder, accounts) for item in top.each("strategies"))
    if not strategies:
        raise _missing(
            top, "strategies", "name one strategy at least, such as trend: {use: trend, instruments: [AAPL]}"
        )
    known = {"account": [*accounts], "strategy": [item.strategy.name for item in strategies]}
    config = BotConfig(
        path=str(path),
        name=name,
        book_url=book_url,
        settings=_settings(top.below("settings")),
        accounts=accounts,
        instruments=tuple(_instrument(item) for item in top.each("instruments")),
        market=market,
        strategies=strategies,
        limits=tuple(_limits(item, known) for item in top.each("limits")),
        end_of_day=tuple(_end_of_day(item, known) for item in top.each("end_of_day")),
        replay=_replay(top.below("replay"), is_given="replay" in top, source=market.source),
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
    made: BookSettings = written.made(lambda: _of_fields(BookSettings, given, written))
    written.made(lambda: Days(made.zone, made.rolls_at))
    return made


def _of_fields(kind: Any, given: dict[str, Any], written: Written) -> Any:
    """Return a record of what is given, its numbers exact; unknown fields are refused."""
    for key in given:
        if key not in kind.__dataclass_fields__:
            for known in kind.__dataclass_fields__:
                written.get(known, take.anything)
            raise _unknown(kind, key, written)
    return kind(**given)


def _unknown(kind: Any, key: str, written: Written) -> BadConfig:
    from onebook.config import unknown

    return unknown(f"{written.name}.{key}", written.where_of(key), known=list(kind.__dataclass_fields__))


def _account(written: Written) -> AccountConfig:
    broker = written.get("broker", take.choice("paper"), "paper")
    name = written.needed("name", written_name)
    opening = written.get("opening", not_negative, ZERO)
    settles = written.get("currency", currency, "USD")
    mode = written.get("mode", take.choice("netting", "hedging"), "netting")
    calendar = written.get("calendar", lambda _key, value: calendar_for("equity", str(value)))
    fees = written.below("fees")
    rules = written.below("rules")
    slippage = written.get("slippage_bps", _bps, ZERO)
    charged = {key: fees.get(key, decimal) for key in ("maker_ratio", "taker_ratio", "per_unit", "least", "step")}
    in_base = fees.get("in_base_on_buy", take.switch, False)
    fees.end()
    made = rules.made(lambda: _rules(rules, fees, slippage, _given(charged) | {"in_base_on_buy": in_base}))
    rules.end()
    written.end()
    return AccountConfig(
        name=name, broker=broker, currency=settles, opening=opening, mode=mode, rules=made, calendar=calendar
    )


def _bps(key: str, value: Any) -> Decimal:
    found = not_negative(key, value)
    if found >= ALL_BPS:
        msg = f"{key}: {found} is the whole price or more; 1 is a hundredth of a percent"
        raise InputError(msg, field=key, value=value)
    return found


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _rules(rules: Written, fees: Written, slippage: Decimal, charged: dict[str, Any]) -> PaperRules:
    matching = {
        "inside_bar": rules.get("inside_bar", take.text),
        "limit_on": rules.get("limit_on", take.text),
        "market_on": rules.get("market_on", take.text),
        "oco": rules.get("oco", take.text),
        "fill_share": rules.get("fill_share", decimal),
        "bar_share": rules.get("bar_share", decimal),
        "trail_step": rules.get("trail_step", decimal),
    }
    chance = rules.get("random_ratio", decimal, ZERO)
    venue = {
        "venue": rules.get("venue", take.text),
        "seed": rules.get("seed", take.count(0, 2**63)),
        "liquidate": rules.get("liquidate", take.switch),
    }
    latency = rules.get("latency_ms", decimal)
    if latency is not None:
        venue["latency_ns"] = int(latency * 1_000_000)
    if slippage:
        matching["slippage"] = FixedBps(bps=slippage, random_ratio=chance)
    return PaperRules(matching=Rules(**_given(matching)), fees=fees.made(lambda: Fees(**charged)), **_given(venue))


def _instrument(written: Written) -> Instrument:
    given = written.rest()
    symbol = given.pop("name", None)
    given.setdefault("symbol", symbol)
    made: Instrument = written.made(lambda: _of_fields(Instrument, given, written))
    return made


def _market(written: Written, folder: Path) -> MarketConfig:
    source = written.needed("source", take.choice("files", "ccxt", "alpaca"))
    instruments = written.get("instruments", take.names, ())
    files: tuple[FileTerms, ...] = ()
    options: dict[str, Any] = {}
    if source == "files":
        listed = written.needed("files", _listed)
        files = tuple(written.placed("files", partial(_file, item, folder, written)) for item in listed)
    elif source == "ccxt":
        options = {"exchange": written.needed("exchange", take.text)}
        options |= _given({key: written.get(key, take.text) for key in ("base_url", "stream_url")})
        options |= _given({"options": written.get("options", _mapping)})
    else:
        options = {key: written.get(key, take.text) for key in ("base_url", "stream_url", "feed")}
        options = _given(options) | {
            "key_from": written.get("key_from", take.text, "APCA_API_KEY_ID"),
            "secret_from": written.get("secret_from", take.text, "APCA_API_SECRET_KEY"),
        }
    written.end()
    return MarketConfig(source=source, files=files, options=options, instruments=tuple(instruments))


def _listed(key: str, value: Any) -> list[Any]:
    found = value if isinstance(value, list) else [value]
    if not found:
        raise take.refused(key, value, "names no file")
    return found


def _mapping(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise take.refused(key, value, "is not a mapping")
    return dict(value)


def _file(item: Any, folder: Path, written: Written) -> FileTerms:
    given = {"path": item} if isinstance(item, str) else dict(item) if isinstance(item, Mapping) else {}
    if not given.get("path"):
        raise take.refused("files", item, "is neither a path nor a mapping with one")
    terms: FileTerms = _of_fields(FileTerms, given | {"path": folder / str(given["path"])}, written)
    for key in ("zone", "session_zone"):
        _zone(f"files: {key}", getattr(terms, key))
    if not terms.file.exists():
        msg = f"files: there is no file {terms.path}"
        raise BadConfig(msg, path=str(terms.path))
    return terms


def _zone(key: str, zone: str) -> None:
    try:
        Days(zone)
    except InputError as problem:
        msg = f"{key}: {str(problem).removeprefix('zone: ')}"
        raise BadConfig(msg, key="files") from None


def _strategy(written: Written, folder: Path, accounts: Mapping[str, AccountConfig]) -> Hired:
    name = written.needed("name", written_name)
    use = written.get("use", take.text, name)
    kind = find_strategy(use, where=written.where_of("use"), folder=folder)
    account = written.get("account", take.text, next(iter(accounts)))
    if account not in accounts:
        msg = f"{written.where_of('account')}: {written.name}.account: there is no account {account!r}"
        raise BadConfig(f"{msg}; there are {', '.join(accounts)}", key="account")
    instruments = written.needed("instruments", take.names)
    bars = written.get("timeframe", timeframe, "")
    warm_up = written.get("warm_up", take.count(0, 10_000))
    on_error = written.get("on_error", take.choice("stop", "flatten"), "stop")
    parameters = written.below("parameters")
    given = {key: _exact(value) for key, value in parameters.rest().items()}
    written.end()
    common: dict[str, Any] = {"instruments": instruments, "timeframe": bars, "warm_up": warm_up}
    made = parameters.made(lambda: kind(name, account, **common, **given))
    return Hired(strategy=made, on_error=on_error)


def _exact(value: Any) -> Any:
    return str(value) if isinstance(value, float) else value


def _limits(written: Written, known: Mapping[str, list[str]]) -> Limits:
    given = written.rest()
    given.pop("name", None)
    made: Limits = written.made(lambda: _of_fields(Limits, given, written))
    _check_known(written, "account", "account", [made.account], known)
    _check_known(written, "strategy", "strategy", [made.strategy], known)
    return made


def _check_known(written: Written, key: str, what: str, names: Iterable[str], known: Mapping[str, list[str]]) -> None:
    """Refuse names of accounts and strategies that the file does not have: what is said of them would never hold."""
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
    made: EndOfDayTerms = written.made(
        lambda: EndOfDayTerms(name=name, calendar=calendar_for("equity", calendar), **_given(terms))
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
