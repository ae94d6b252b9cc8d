"""A source of market data by plain configuration: which one, whom it asks, and what stands before it.

The keys are those of the section ``market`` in ``onebook.yaml``; a ``market:`` of another file can have the same. What
asks somebody outside stands behind a breaker, a cache, a rate limit and retries; files are read as they are.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from onebook.breaker import BreakerListener
from onebook.clock import Clock, system_clock
from onebook.config import values as take
from onebook.config.keys import MARKET, unknown
from onebook.errors import BadConfig, InputError
from onebook.market.caches import Caches
from onebook.market.circuits import Circuits
from onebook.market.guarded import Guarded, Guards, GuardTerms
from onebook.market.pacing import Pace, Rate
from onebook.market.port import MarketData
from onebook.market.providers.files_terms import FileTerms
from onebook.market.retrying import Retry
from onebook.market.streams.rules import StreamRules

SECTION = "market"
RATES = {"alpaca": Rate(calls=180, seconds=60.0, burst=20), "ccxt": Rate(calls=10)}
"""Alpaca takes 200 calls a minute; ccxt keeps to each exchange's own rate by itself."""

_REMOTE = ("ccxt", "alpaca")
_GOES_WITH = {
    "files": ("files",),
    "exchange": ("ccxt",),
    "options": ("ccxt",),
    "feed": ("alpaca",),
    **dict.fromkeys(("key", "secret", "base_url", "stream_url", "timeout_seconds", "stream"), _REMOTE),
}
_GUARD = {name: name for name in ("price_seconds", "quote_seconds", "bars_seconds", "keep_seconds", "recovery_seconds")}
_GUARD |= {"breaker_failures": "failures"}
_STREAM = {"stream": "kinds", "silence_seconds": "silence_seconds"}
_OURS = {"kinds": "stream", "timeframe": "stream", "exchange_id": "exchange", "options": "options"}
_FOLDER = "folder"
_SECRETS = frozenset({"apikey", "secret", "password", "uid", "token", "privatekey", "walletaddress"})
_TEXTS = dict.fromkeys((item.name for item in fields(FileTerms)), take.text)
_FILE: dict[str, take.Take] = _TEXTS | {
    "columns": take.texts,
    "names": take.texts,
    "is_ordered": take.switch,
    "window": take.count(1, 10_000_000),
    "behind_seconds": take.measure("number of seconds", -1e6, 1e6),
}


class Remote(Guarded):
    """A guarded source with caches and breakers of its own, which end with it.

    Args:
        source: the vendor.
        guards: what stands before it.
        terms: what holds for it.

    Attributes:
        caches: its own.
        circuits: its own.
    """

    def __init__(self, source: MarketData, guards: Guards, terms: GuardTerms) -> None:
        super().__init__(source, guards, terms)
        self.caches = guards.caches
        self.circuits = guards.circuits

    def close(self) -> None:
        """Close the source, and drop what is cached."""
        super().close()
        self.caches.close()


def source_from(
    terms: Mapping[str, Any],
    *,
    clock: Clock = system_clock,
    where: str = SECTION,
    folder: Path | None = None,
    listener: BreakerListener | None = None,
) -> MarketData:
    """Return the source that a configuration names; whoever asked for it closes it.

    Args:
        terms: keys of the section ``market`` without the section, ``{"source": "ccxt", "exchange": "kraken"}``; only
            those that are given. A key whose value is None counts as not given.
        clock: nanoseconds since 1970 UTC. Files know nothing beyond it.
        where: of the terms, for messages: ``bot.yaml: market``.
        folder: of paths that are not absolute; None: the current one.
        listener: told when a breaker opens and closes.

    Returns:
        A ``FileSource``, which has ``events`` for replays; or a ``Remote`` one.

    Raises:
        BadConfig: an unknown key, with the nearest that there is; a value that it cannot have; a key of another source;
            a file that is not there; or the extra that the source needs is not installed.
    """
    given = taken(terms, where=where)
    kind = given.get("source")
    if kind is None:
        near = "files" if "files" in given else "ccxt" if "exchange" in given else "ccxt, alpaca or files"
        msg = f"{where}.source: say where prices come from: {near}"
        raise BadConfig(msg, key=f"{where}.source")
    for name in given:
        if kind not in _GOES_WITH.get(name, (kind,)):
            msg = f"{where}.{name}: goes with source {' or '.join(_GOES_WITH[name])}, not with {kind}; take it out"
            raise BadConfig(msg, key=f"{where}.{name}")
    try:
        source: MarketData = _MAKERS[kind](given | {_FOLDER: folder or Path()}, clock, where)
    except InputError as problem:
        raise _at_its_key(problem, where) from None
    if kind == "files":
        return source
    return _guarded(source, given, clock, listener)


def _at_its_key(problem: InputError, where: str) -> BadConfig:
    """Return what a source refuses as an error that names the key of ours."""
    if isinstance(problem, BadConfig) and str(problem.details.get("key", "")).startswith(where):
        return problem
    theirs = problem.details.get("key") or problem.details.get("field")
    ours = _OURS.get(str(theirs), "")
    if isinstance(problem, BadConfig) and not ours:
        return problem
    at, said = (f"{where}.{ours}", str(problem)) if ours else (where, str(problem))
    return BadConfig(f"{at}: {said.removeprefix(f'{theirs}: ')}", key=at)


def taken(terms: Any, *, where: str = SECTION) -> dict[str, Any]:
    """Return terms as they count, checked one by one.

    Args:
        terms: as for ``source_from``.
        where: for messages.

    Raises:
        BadConfig: an unknown key or a wrong value.
    """
    if not isinstance(terms, Mapping):
        msg = f"{where}: expected keys such as source: ccxt below it, found {terms!r:.60}"
        raise BadConfig(msg, key=where)
    found = {}
    for name, value in terms.items():
        key = MARKET.get(f"{SECTION}.{name}")
        if key is None:
            raise unknown(f"{where}.{name}", known=[known.partition(".")[2] for known in MARKET])
        if value is not None:
            found[str(name)] = key.take(f"{where}.{name}", value)
    return found


def keys_of(source: str) -> dict[str, take.Take]:
    """Return the keys that go with a source beside its name, and how each is taken; for files only what they have."""
    goes = belongs_to()
    return {name: _takes(name) for name, sources in goes.items() if source in sources}


def belongs_to() -> dict[str, tuple[str, ...]]:
    """Return the sources with which each key goes. What asks nobody outside needs nothing that stands before it."""
    names = [name.partition(".")[2] for name in MARKET]
    return {name: _GOES_WITH.get(name, _REMOTE) for name in names if name != "source"}


def _takes(name: str) -> take.Take:
    return _options if name == "options" else MARKET[f"{SECTION}.{name}"].take


def _options(key: str, value: Any) -> dict[str, Any]:
    found = take.mapping(key, value)
    for name in found:
        if name.lower() in _SECRETS:
            where = key.rpartition("options")[0]
            msg = f"{key}.{name}: is a secret; write it as {where}key or {where}secret, which are never shown"
            raise BadConfig(msg, key=key)
    return found


def stream_rules(given: Mapping[str, Any]) -> StreamRules:
    """Return the rules of the stream that terms ask for.

    Raises:
        BadConfig: there is nothing of the kind to stream.
    """
    return StreamRules(**_renamed(given, _STREAM))


def named(text: str) -> dict[str, Any]:
    """Return the terms of a source that is named in one word: ``ccxt:kraken``, ``files:PATH,PATH`` or ``alpaca``.

    Raises:
        BadConfig: it names none.
    """
    kind, _, rest = text.strip().partition(":")
    key = {"ccxt": "exchange", "files": "files"}.get(kind)
    if kind == "alpaca" and not rest:
        return {"source": kind}
    if key is None or not rest:
        msg = f"source: {text!r} names none; write ccxt:EXCHANGE such as ccxt:kraken, files:PATH, or alpaca"
        raise BadConfig(msg, key="source", value=text)
    return {"source": kind, key: rest}


def over(terms: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return terms with another source in them: what belongs to the old source alone goes.

    Args:
        terms: of the configuration.
        other: as ``named`` gives them.
    """
    is_same = all(terms.get(name) == value for name, value in other.items())
    kept = terms if is_same else {name: value for name, value in terms.items() if name not in _GOES_WITH}
    return {**kept, **other}


def _guarded(source: MarketData, given: Mapping[str, Any], clock: Clock, listener: BreakerListener | None) -> Remote:
    calls = given.get("calls_a_minute")
    rate = RATES[given["source"]] if calls is None else Rate(calls=calls, seconds=60.0, burst=max(calls // 10, 1))
    retry = Retry(
        clock=time.monotonic_ns,
        random=random.Random(),  # noqa: S311  spreads waits
        attempts=given.get("attempts", MARKET["market.attempts"].default),
    )
    guards = Guards(
        caches=Caches(clock),
        circuits=Circuits(clock, listener),
        pace=Pace(source.name, rate, clock=time.monotonic_ns),
        retry=retry,
        clock=clock,
    )
    return Remote(source, guards, GuardTerms(**_renamed(given, _GUARD)))


def _renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {theirs: given[ours] for ours, theirs in names.items() if ours in given}


def _files(given: Mapping[str, Any], clock: Clock, where: str) -> MarketData:
    from onebook.market.providers.files import FileSource

    if "files" not in given:
        msg = f"{where}.files: name the files or folders with prices"
        raise BadConfig(msg, key=f"{where}.files")
    return FileSource(
        [file_terms(item, where=f"{where}.files", folder=given[_FOLDER]) for item in given["files"]], clock=clock
    )


def file_terms(given: str | Mapping[str, Any], *, where: str = "files", folder: Path = Path()) -> FileTerms:
    """Return what is said of one file: a path, or a mapping with the names of ``FileTerms``.

    Args:
        given: as a configuration has it.
        where: for messages.
        folder: of a path that is not absolute.

    Raises:
        BadConfig: an unknown name, a wrong value, or no path.
    """
    if isinstance(given, str):
        return FileTerms(path=str(folder / given))
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _FILE:
            raise unknown(f"{where}.{name}", known=list(_FILE))
        if value is not None:
            found[name] = _FILE[name](f"{where}.{name}", value)
    if "path" not in found:
        msg = f"{where}: a mapping without path: write {{path: feed.gz, …}}"
        raise BadConfig(msg, key=where)
    try:
        return FileTerms(**found | {"path": str(folder / found["path"])})
    except BadConfig as problem:
        msg = f"{where}: {problem}"
        raise BadConfig(msg, key=where) from None


def _ccxt(given: Mapping[str, Any], clock: Clock, where: str) -> MarketData:
    from onebook.market.providers.ccxt import CcxtSource

    if "exchange" not in given:
        msg = f"{where}.exchange: name the exchange as ccxt does, such as kraken"
        raise BadConfig(msg, key=f"{where}.exchange")
    options: dict[str, Any] = {}
    if "timeout_seconds" in given:
        options["timeout"] = int(given["timeout_seconds"] * 1000)
    options |= {name: _plain(value) for name, value in _options(f"{where}.options", given.get("options", {})).items()}
    options |= {theirs: given[ours] for ours, theirs in (("key", "apiKey"), ("secret", "secret")) if ours in given}
    return CcxtSource(given["exchange"], options=options, **_calling(given, clock))


def _alpaca(given: Mapping[str, Any], clock: Clock, where: str) -> MarketData:
    from onebook.market.providers.alpaca import AlpacaSource

    absent = [f"{where}.{name}" for name in ("key", "secret") if name not in given]
    if absent:
        msg = f"{' and '.join(absent)}: Alpaca needs a key and a secret; in the environment they are"
        msg += " ONEBOOK_MARKET__KEY and ONEBOOK_MARKET__SECRET"
        raise BadConfig(msg, key=absent[0])
    more = {name: given[name] for name in ("feed", "timeout_seconds") if name in given}
    return AlpacaSource(given["key"], given["secret"], **more, **_calling(given, clock))


def _calling(given: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    addresses = {name: given.get(name) for name in ("base_url", "stream_url")}
    return addresses | {"rules": stream_rules(given), "clock": clock}


def _plain(value: Any) -> Any:
    """Return what a library takes: numbers of a configuration are exact decimals."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


_MAKERS: dict[str, Callable[[Mapping[str, Any], Clock, str], MarketData]] = {
    "files": _files,
    "ccxt": _ccxt,
    "alpaca": _alpaca,
}
