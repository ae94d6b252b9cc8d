"""Indicators over a whole frame of bars, by TA-Lib.

Everything here is a float: an indicator is an opinion about prices, never money of the book. Where bars come one by
one, ``indicators_live.Incremental`` goes on from the last value instead.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Protocol

from onebook.errors import BadConfig, InputError
from onebook.market.indicators_wanted import Wanted, wanted

Columns = Mapping[str, Any]
"""Arrays of floats by the name of their column, all of one length."""


class Kept(Protocol):
    """A cache that indicators may use, such as one of ``onebook.market.caches``."""

    def get(self, key: Any, default: Any = None) -> Any:
        """Return what was kept, or the default."""

    def set(self, key: Any, value: Any) -> Any:
        """Keep it."""


def calculate_indicators(df: Any, config: Mapping[str, Any], *, cache: Kept | None = None) -> Any:
    """Return the indicators of a frame of bars, row by row.

    Args:
        df: a pandas frame with the columns that the indicators read, of ``open high low close volume``; oldest first.
        config: by name: ``{"sma": [20, 50], "rsi": 14, "macd": {"fast": 12, "slow": 26, "signal": 9},
            "bollinger": {"period": 20, "deviations": 2}, "obv": True}``; ``indicators_wanted.KINDS`` lists them.
        cache: where to keep results, by the last bar's time, the number of bars, the parameters and a digest of
            the columns that were read.

    Returns:
        A pandas frame with the index of ``df`` and a column for each value, named with its parameters: ``sma_20``,
        ``macd_signal_12_26_9``, ``obv``. Floats; NaN as long as there are too few bars. ``rsi adx plus_di minus_di
        stoch`` go from 0 to 100, ``williams`` from -100 to 0; ``atr`` and averages are prices; ``roc`` is in percent;
        ``vwap`` counts from the first row.

    Raises:
        BadConfig: an unknown indicator or parameter, or the extra is not installed.
        InputError: a column is missing, or holds what is no number.
    """
    asked = wanted(config)
    pandas = _pandas()
    if not isinstance(df, pandas.DataFrame):
        msg = f"df: {df!r:.60} is no pandas frame of bars; BarStore.frame gives one"
        raise InputError(msg, field="df", value=df)
    bars = _columns(df, asked)
    key = None if cache is None else _key(df, asked, bars)
    found = None if cache is None else cache.get(key)
    if found is None:
        found = _calculated(asked, bars)
        if cache is not None:
            cache.set(key, found)
    return pandas.DataFrame(dict(found), index=df.index, copy=True)


def _pandas() -> Any:
    try:
        import pandas as pd
        import talib  # noqa: F401  asked for here, so that its absence is told before any work
    except ImportError:
        msg = 'indicators need an extra; run: pip install "onebook[indicators]"'
        raise BadConfig(msg, extra="indicators") from None
    return pd


def _columns(df: Any, asked: tuple[Wanted, ...]) -> dict[str, Any]:
    """Return the columns that are read, as arrays of floats."""
    import numpy as np

    names = {str(name).lower(): name for name in df.columns}
    found = {}
    for one in asked:
        for column in one.kind.needs:
            if column in found:
                continue
            if column not in names:
                msg = f"df: has no column {column!r}, which {one.kind.name} reads; it has {', '.join(map(str, names))}"
                raise InputError(msg, field="df", column=column)
            try:
                values = np.ascontiguousarray(df[names[column]].to_numpy(), dtype=np.float64)
            except (TypeError, ValueError):
                msg = f"df: the column {column!r} holds what is no number"
                raise InputError(msg, field="df", column=column) from None
            if not np.isfinite(values).all():
                msg = f"df: the column {column!r} holds NaN or infinity; drop these rows first"
                raise InputError(msg, field="df", column=column)
            found[column] = values
    return found


def _key(df: Any, asked: tuple[Wanted, ...], bars: Columns) -> tuple[Any, ...]:
    digest = blake2b(digest_size=16)
    for values in bars.values():
        digest.update(values.tobytes())
    last = str(df.index[-1]) if len(df) else ""
    return ("indicators", last, len(df), tuple((one.kind.name, one.parameters) for one in asked), digest.hexdigest())


def _calculated(asked: tuple[Wanted, ...], bars: Columns) -> dict[str, Any]:
    found = {}
    for one in asked:
        results = _BATCH[one.kind.name](bars, *one.parameters)
        for name, values in zip(one.columns, results, strict=True):
            values.flags.writeable = False  # several callers may get it from the cache
            found[name] = values
    return found


def _on_close(name: str) -> Callable[..., tuple[Any, ...]]:
    def run(bars: Columns, period: int) -> tuple[Any, ...]:
        import talib

        return (getattr(talib, name)(bars["close"], period),)

    return run


def _on_range(*names: str) -> Callable[..., tuple[Any, ...]]:
    def run(bars: Columns, period: int) -> tuple[Any, ...]:
        import talib

        return tuple(getattr(talib, name)(bars["high"], bars["low"], bars["close"], period) for name in names)

    return run


def _macd(bars: Columns, fast: int, slow: int, signal: int) -> tuple[Any, ...]:
    import talib

    return tuple(talib.MACD(bars["close"], fast, slow, signal))


def _bollinger(bars: Columns, period: int, deviations: float) -> tuple[Any, ...]:
    import talib

    return tuple(talib.BBANDS(bars["close"], period, deviations, deviations))


def _stoch(bars: Columns, period: int, smoothing: int) -> tuple[Any, ...]:
    import talib

    return tuple(talib.STOCHF(bars["high"], bars["low"], bars["close"], period, smoothing))


def _obv(bars: Columns) -> tuple[Any, ...]:
    import talib

    return (talib.OBV(bars["close"], bars["volume"]),)


def _vwap(bars: Columns) -> tuple[Any, ...]:
    import numpy as np

    typical = (bars["high"] + bars["low"] + bars["close"]) / 3
    volume = np.cumsum(bars["volume"])
    paid = np.cumsum(typical * bars["volume"])
    return (np.divide(paid, volume, out=np.full(len(volume), np.nan), where=volume > 0),)


_BATCH: dict[str, Callable[..., tuple[Any, ...]]] = {
    "sma": _on_close("SMA"),
    "ema": _on_close("EMA"),
    "wma": _on_close("WMA"),
    "rsi": _on_close("RSI"),
    "roc": _on_close("ROC"),
    "macd": _macd,
    "bollinger": _bollinger,
    "atr": _on_range("ATR"),
    "adx": _on_range("ADX", "PLUS_DI", "MINUS_DI"),
    "stoch": _stoch,
    "cci": _on_range("CCI"),
    "williams": _on_range("WILLR"),
    "obv": _obv,
    "vwap": _vwap,
}
