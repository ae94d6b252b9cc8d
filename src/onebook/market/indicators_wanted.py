"""Which indicators there are, what their parameters are called, and how a configuration asks for them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from onebook.errors import BadConfig

MOST = 200
"""Most indicators of one configuration."""

LONGEST = 10_000
"""Longest period, in bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One indicator.

    Attributes:
        name: of it.
        defaults: its parameters in order with their defaults; a whole number is a count of bars.
        outputs: the columns that it fills, before the parameters are added to their names.
        needs: the columns of the bars that it reads.
        least: the shortest that a count of bars may be.
    """

    name: str
    defaults: tuple[tuple[str, int | float], ...]
    outputs: tuple[str, ...]
    needs: tuple[str, ...] = ("close",)
    least: int = 2


def _of_period(name: str, period: int, *needs: str) -> Kind:
    return Kind(name=name, defaults=(("period", period),), outputs=(name,), needs=needs or ("close",))


_RANGE = ("high", "low", "close")
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _of_period("sma", 20),
        _of_period("ema", 20),
        _of_period("wma", 20),
        _of_period("rsi", 14),
        _of_period("roc", 10),
        Kind(
            name="macd",
            defaults=(("fast", 12), ("slow", 26), ("signal", 9)),
            outputs=("macd", "macd_signal", "macd_histogram"),
        ),
        Kind(
            name="bollinger",
            defaults=(("period", 20), ("deviations", 2.0)),
            outputs=("bollinger_upper", "bollinger_middle", "bollinger_lower"),
        ),
        _of_period("atr", 14, *_RANGE),
        Kind(name="adx", defaults=(("period", 14),), outputs=("adx", "plus_di", "minus_di"), needs=_RANGE),
        Kind(
            name="stoch",
            defaults=(("period", 14), ("smoothing", 3)),
            outputs=("stoch_k", "stoch_d"),
            needs=_RANGE,
            least=1,
        ),
        _of_period("cci", 20, *_RANGE),
        _of_period("williams", 14, *_RANGE),
        Kind(name="obv", defaults=(), outputs=("obv",), needs=("close", "volume")),
        Kind(name="vwap", defaults=(), outputs=("vwap",), needs=(*_RANGE, "volume")),
    )
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One indicator with its parameters, in the order of its kind."""

    kind: Kind
    parameters: tuple[int | float, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns: ``sma_20``, ``bollinger_upper_20_2``, ``obv``."""
        tail = "".join(f"_{value:g}" for value in self.parameters)
        return tuple(f"{output}{tail}" for output in self.kind.outputs)


def wanted(config: Mapping[str, object] | None) -> tuple[Wanted, ...]:
    """Return what a configuration asks for, each once, in its order.

    Args:
        config: by name of the indicator: ``True`` for its defaults, a number for its first parameter, a mapping of
            parameters by name, or a list of numbers and mappings. ``False`` and ``None`` ask for nothing.

    Raises:
        BadConfig: an unknown indicator or parameter, or a value that it cannot have; or no mapping.
    """
    if not isinstance(config, Mapping):
        msg = f"indicators: {config!r:.60} does not say which; write a mapping such as {{'sma': [20, 50], 'rsi': 14}}"
        raise BadConfig(msg, key="indicators")
    found = dict.fromkeys(one for name, value in config.items() for one in _asked(str(name), value))
    if len(found) > MOST:
        msg = f"indicators: {len(found)} are more than {MOST}; ask for fewer"
        raise BadConfig(msg, key="indicators")
    return tuple(found)


def _asked(name: str, value: object) -> Iterator[Wanted]:
    kind = KINDS.get(name)
    if kind is None:
        msg = f"indicators: {name!r} is none of {', '.join(KINDS)}{_nearest(name, KINDS)}"
        raise BadConfig(msg, key=name)
    if value is None or value is False:
        return
    for each in value if isinstance(value, list | tuple) else (value,):
        yield Wanted(kind, _parameters(kind, each))


def _parameters(kind: Kind, given: object) -> tuple[int | float, ...]:
    values = dict(kind.defaults)
    if isinstance(given, Mapping):
        for name, value in given.items():
            if name not in values:
                msg = f"indicators: {kind.name} has no parameter {name!r}{_nearest(str(name), values)}"
                raise BadConfig(msg, key=kind.name)
            values[name] = _value(kind, str(name), value)
    elif given is not True:
        if not kind.defaults:
            msg = f"indicators: {kind.name} has no parameters; write {kind.name}: true"
            raise BadConfig(msg, key=kind.name)
        first = kind.defaults[0][0]
        values[first] = _value(kind, first, given)
    if kind.name == "macd" and values["fast"] >= values["slow"]:
        msg = f"indicators: macd: fast {values['fast']} is not below slow {values['slow']}"
        raise BadConfig(msg, key=kind.name)
    return tuple(values.values())


def _value(kind: Kind, name: str, given: object) -> int | float:
    counts_bars = isinstance(dict(kind.defaults)[name], int)
    if counts_bars and isinstance(given, int) and not isinstance(given, bool):
        least = 1 if name in {"signal", "smoothing"} else kind.least
        if least <= given <= LONGEST:
            return given
        msg = f"indicators: {kind.name}: {name} {given} is not between {least} and {LONGEST} bars"
        raise BadConfig(msg, key=kind.name)
    if not counts_bars and isinstance(given, int | float) and not isinstance(given, bool) and 0 < given <= LONGEST:
        return float(given)
    what = "a whole number of bars" if counts_bars else "a number above 0"
    msg = f"indicators: {kind.name}: {name} {given!r} is not {what}"
    raise BadConfig(msg, key=kind.name)


def _nearest(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), list(known), 1, 0.4)
    return f"; did you mean {near[0]}?" if near else ""
