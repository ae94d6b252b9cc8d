"""Indicators bar by bar, by talipp: a new bar costs at most what its period is long, however many came before."""

from collections.abc import Callable, Mapping
from typing import Any

from onebook.domain import times
from onebook.domain.market import Bar
from onebook.errors import BadConfig, InputError
from onebook.market.indicators_wanted import Wanted, wanted

SLACK = 1000
"""So many bars are kept beyond what the indicators look back on, before the oldest are dropped."""


class Incremental:
    """Indicators of one series of bars, fed as the bars come. Values are floats, never money.

    They are those of ``calculate_indicators`` over all bars fed, but for how four of them begin. ATR here counts the
    first bar's own range; TA-Lib leaves that bar out. ADX and its two lines begin on other sums. MACD's fast
    average begins with the first bars; TA-Lib lets both averages begin together. These differences shrink with
    every bar. While a market stands still, the stochastic, CCI, RSI and Williams are 0, as there.

    Args:
        config: as for ``calculate_indicators``.

    Raises:
        BadConfig: an unknown indicator or parameter, or the extra is not installed.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._wanted = wanted(config)
        library = _talipp()
        self._parts = [_MAKE[one.kind.name](library, *one.parameters) for one in self._wanted]
        reach = [sum(int(value) for value in one.parameters) for one in self._wanted]
        self._keep = 4 * max(reach, default=0) + 100
        self._held = 0
        self._opened_ns: int | None = None
        self.values: dict[str, float | None] = {name: None for one in self._wanted for name in one.columns}
        """The newest value by column; None as long as there were too few bars."""

    def update(self, bar: Bar) -> dict[str, float | None]:
        """Take the next bar, or the running one again, and return the values after it.

        Raises:
            InputError: it opened before the last one.
        """
        again = bar.opened_ns == self._opened_ns
        if self._opened_ns is not None and bar.opened_ns < self._opened_ns:
            msg = f"bar: the one of {times.to_text(bar.opened_ns)} follows a later one; feed them oldest first"
            raise InputError(msg, field="bar", value=bar)
        whole = _ohlcv(bar)
        for one, part in zip(self._wanted, self._parts, strict=True):
            value = whole if one.kind.needs != ("close",) else whole.close
            (part.update if again else part.add)(value)
            self._show(one, part)
        self._opened_ns = bar.opened_ns
        self._held += 0 if again else 1
        if self._held >= self._keep + SLACK:
            for part in self._parts:
                part.purge_oldest(self._held - self._keep)
            self._held = self._keep
        return dict(self.values)

    def _show(self, one: Wanted, part: Any) -> None:
        found = part[-1]
        for name, field in zip(one.columns, _FIELDS.get(one.kind.name, ("",)), strict=True):
            self.values[name] = getattr(found, field, None) if field else found


def _talipp() -> Any:
    try:
        import talipp.indicators  # type: ignore[import-untyped]
    except ImportError:
        msg = 'indicators need an extra; run: pip install "onebook[indicators]"'
        raise BadConfig(msg, extra="indicators") from None
    return talipp.indicators


def _ohlcv(bar: Bar) -> Any:
    from talipp.ohlcv import OHLCV  # type: ignore[import-untyped]

    return OHLCV(float(bar.open), float(bar.high), float(bar.low), float(bar.close), float(bar.volume))


def _plain(name: str) -> Callable[..., Any]:
    return lambda library, *parameters: getattr(library, name)(*parameters)


def _rsi(library: Any, period: int) -> Any:
    class Rsi(library.RSI):  # type: ignore[misc]
        def _calculate_new_value(self) -> Any:
            value = super()._calculate_new_value()
            return 0.0 if value is not None and self.avg_gain[-1] == self.avg_loss[-1] == 0 else value

    return Rsi(period)


def _stoch(library: Any, period: int, smoothing: int) -> Any:
    from talipp.indicators.Stoch import StochVal  # type: ignore[import-untyped]

    class Stochastic(library.Stoch):  # type: ignore[misc]
        def _calculate_new_value(self) -> Any:
            if len(self.input_values) < self.period or not _is_flat(self.input_values[-self.period :]):
                return super()._calculate_new_value()
            self.values_d.add(0.0)
            return StochVal(0.0, self.values_d[-1])

    return Stochastic(period, smoothing)


def _cci(library: Any, period: int) -> Any:
    class Cci(library.CCI):  # type: ignore[misc]
        def _calculate_new_value(self) -> Any:
            try:
                return super()._calculate_new_value()
            except ZeroDivisionError:  # no deviation; the bar has been taken in by then
                return 0.0

    return Cci(period)


def _williams(library: Any, period: int) -> Any:
    class Williams(library.Williams):  # type: ignore[misc]
        def _calculate_new_value(self) -> Any:
            if len(self.input_values) >= self.period and _is_flat(self.input_values[-self.period :]):
                return 0.0
            return super()._calculate_new_value()

    return Williams(period)


def _is_flat(bars: list[Any]) -> bool:
    return bool(max(bar.high for bar in bars) == min(bar.low for bar in bars))


_MAKE: dict[str, Callable[..., Any]] = {
    "sma": _plain("SMA"),
    "ema": _plain("EMA"),
    "wma": _plain("WMA"),
    "rsi": _rsi,
    "roc": _plain("ROC"),
    "macd": _plain("MACD"),
    "bollinger": _plain("BB"),
    "atr": _plain("ATR"),
    "adx": lambda library, period: library.ADX(period, period),
    "stoch": _stoch,
    "cci": _cci,
    "williams": _williams,
    "obv": _plain("OBV"),
    "vwap": _plain("VWAP"),
}
_FIELDS = {
    "macd": ("macd", "signal", "histogram"),
    "bollinger": ("ub", "cb", "lb"),
    "adx": ("adx", "plus_di", "minus_di"),
    "stoch": ("k", "d"),
}
