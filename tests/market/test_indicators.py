"""Indicators: known values, configuration, cache, and bar by bar the same as all at once."""

import math
import sys
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from tests.market.bar_making import bar, btc_bars

from onebook.errors import BadConfig, InputError
from onebook.market.bars.frames import frame_of
from onebook.market.indicators import calculate_indicators
from onebook.market.indicators_live import Incremental
from onebook.market.indicators_wanted import KINDS, wanted

ALL = dict.fromkeys(KINDS, True)
BEGIN_OTHERWISE = {"macd": 400, "atr": 400, "adx": 400}
"""After so many bars the two ways agree; before, they begin otherwise, as Incremental says."""


class Shelf:
    """A cache that counts."""

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}
        self.hits = 0

    def get(self, key: Any, default: Any = None) -> Any:
        self.hits += key in self.kept
        return self.kept.get(key, default)

    def set(self, key: Any, value: Any) -> None:
        self.kept[key] = value


def prices(*closes: float) -> pd.DataFrame:
    frame = pd.DataFrame({"close": closes}, dtype="float64")
    return frame.assign(open=frame.close, high=frame.close + 1, low=frame.close - 1, volume=1.0)


# ---- values ----


def test_averages_are_what_one_gets_by_hand() -> None:
    found = calculate_indicators(prices(1, 2, 3, 4, 6), {"sma": 3, "ema": 3, "wma": 3, "roc": 2})
    assert list(found.columns) == ["sma_3", "ema_3", "wma_3", "roc_2"]
    assert found["sma_3"].tolist()[2:] == pytest.approx([2, 3, 13 / 3])
    assert found["ema_3"].tolist()[2:] == pytest.approx([2, 3, 4.5])
    assert found["wma_3"].iloc[2] == pytest.approx((1 + 4 + 9) / 6)
    assert found["roc_2"].iloc[4] == pytest.approx(100)
    assert found["sma_3"].isna().tolist() == [True, True, False, False, False]


def test_bands_lie_so_many_deviations_around_the_average() -> None:
    found = calculate_indicators(prices(1, 2, 3), {"bollinger": {"period": 3, "deviations": 2.5}}).iloc[-1]
    spread = 2.5 * math.sqrt(2 / 3)
    assert found.to_dict() == pytest.approx(
        {"bollinger_upper_3_2.5": 2 + spread, "bollinger_middle_3_2.5": 2, "bollinger_lower_3_2.5": 2 - spread}
    )


def test_volume_figures_are_what_one_gets_by_hand() -> None:
    found = calculate_indicators(prices(10, 11, 11, 9), {"obv": True, "vwap": True})
    assert found["obv"].tolist() == [1, 2, 2, 1]
    assert found["vwap"].tolist() == pytest.approx([10, 10.5, 32 / 3, 41 / 4])


def test_a_relative_strength_that_only_rises_is_100() -> None:
    found = calculate_indicators(prices(*range(1, 30)), {"rsi": 14, "stoch": True, "williams": True}).iloc[-1]
    assert found["rsi_14"] == 100
    assert found["stoch_k_14_3"] == pytest.approx(100 * 14 / 15)
    assert found["williams_14"] == pytest.approx(-100 / 15)


def test_the_frame_keeps_its_index_and_is_not_touched() -> None:
    frame = frame_of([bar(number) for number in range(40)])
    before = frame.copy()
    found = calculate_indicators(frame.rename(columns=str.capitalize), ALL)
    assert found.index.equals(frame.index)
    pd.testing.assert_frame_equal(frame, before)
    assert all(str(kind) == "float64" for kind in found.dtypes)


def test_no_bars_and_no_wishes_give_empty_frames() -> None:
    assert calculate_indicators(prices(), {"sma": 3, "obv": True}).shape == (0, 2)
    assert calculate_indicators(prices(1, 2), {}).shape == (2, 0)


# ---- configuration ----


def test_a_configuration_may_be_short_or_long() -> None:
    short = wanted({"sma": [20, 50], "macd": True, "bollinger": 10, "rsi": False, "atr": None})
    assert [name for one in short for name in one.columns] == [
        *("sma_20", "sma_50", "macd_12_26_9", "macd_signal_12_26_9", "macd_histogram_12_26_9"),
        *("bollinger_upper_10_2", "bollinger_middle_10_2", "bollinger_lower_10_2"),
    ]
    assert wanted({"sma": [20, {"period": 20}, True]}) == wanted({"sma": 20})
    assert wanted({"macd": {"signal": 5}})[0].parameters == (12, 26, 5)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"smaa": 20}, "did you mean sma"),
        ({"bolinger": True}, "did you mean bollinger"),
        ({"xyzzy": 1}, "'xyzzy' is none of sma, ema"),
        ({"sma": {"perod": 3}}, "did you mean period"),
        ({"sma": "20"}, "'20' is not a whole number of bars"),
        ({"sma": 2.5}, "not a whole number of bars"),
        ({"sma": 1}, "not between 2 and 10000"),
        ({"sma": 10_001}, "not between 2 and 10000"),
        ({"bollinger": {"deviations": 0}}, "not a number above 0"),
        ({"bollinger": {"deviations": float("nan")}}, "not a number above 0"),
        ({"macd": {"fast": 26, "slow": 12}}, "fast 26 is not below slow 12"),
        ({"obv": 3}, "obv has no parameters"),
        ({"sma": list(range(2, 203))}, "201 are more than 200"),
    ],
)
def test_a_wrong_configuration_is_refused_in_words(config: dict[str, Any], says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        calculate_indicators(prices(1, 2, 3), config)
    with pytest.raises(BadConfig, match=says):
        Incremental(config)


def test_a_frame_that_cannot_be_read_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="no column 'volume', which obv reads"):
        calculate_indicators(prices(1, 2).drop(columns="volume"), {"obv": True})
    with pytest.raises(InputError, match="holds NaN"):
        calculate_indicators(prices(1, math.nan, 3), {"sma": 2})
    with pytest.raises(InputError, match="what is no number"):
        calculate_indicators(pd.DataFrame({"close": ["1", "high"]}), {"sma": 2})


@pytest.mark.parametrize(("library", "call"), [("talib", calculate_indicators), ("talipp.indicators", None)])
def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, library: str, call: Any) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(BadConfig, match=r'pip install "onebook\[indicators\]"'):
        calculate_indicators(prices(1, 2), {"sma": 2}) if call else Incremental({"sma": 2})


# ---- cache ----


def test_the_same_bars_and_parameters_are_calculated_once() -> None:
    shelf, frame = Shelf(), frame_of([bar(number) for number in range(60)])
    first = calculate_indicators(frame, {"sma": 5, "atr": 5}, cache=shelf)
    first.iloc[-1, 0] = first.iloc[-1, 1] = 0.0  # a caller's own frame: what is kept stays
    second = calculate_indicators(frame, {"sma": 5, "atr": 5}, cache=shelf)
    assert (shelf.hits, len(shelf.kept)) == (1, 1)
    pd.testing.assert_frame_equal(second, calculate_indicators(frame, {"sma": 5, "atr": 5}))


def test_other_bars_or_parameters_are_calculated_anew() -> None:
    shelf, frame = Shelf(), frame_of([bar(number) for number in range(60)])
    calculate_indicators(frame, {"atr": 5}, cache=shelf)
    calculate_indicators(frame, {"atr": 6}, cache=shelf)
    calculate_indicators(frame.iloc[1:], {"atr": 5}, cache=shelf)
    calculate_indicators(frame.assign(high=frame.high + 1), {"atr": 5}, cache=shelf)  # the closes are the same
    running = frame.copy()
    running.iloc[-1, running.columns.get_loc("close")] += 0.5
    calculate_indicators(running, {"atr": 5}, cache=shelf)
    assert (shelf.hits, len(shelf.kept)) == (0, 5)


# ---- bar by bar ----


def test_bar_by_bar_gives_what_all_at_once_gives() -> None:
    bars = btc_bars(5000)
    batch = calculate_indicators(frame_of(bars), ALL)
    live = Incremental(ALL)
    rows = pd.DataFrame([live.update(one) for one in bars], index=batch.index).astype("float64")
    for one in wanted(ALL):
        after = BEGIN_OTHERWISE.get(one.kind.name, 0)
        for name in one.columns:
            known = batch[name].notna()
            assert rows.loc[known, name].notna().all()
            difference = ((rows[name] - batch[name]).abs() / batch[name].abs().clip(lower=1))[after:]
            assert difference.max() < 1e-8, name


def test_the_two_ways_begin_otherwise_where_it_is_said() -> None:
    bars = btc_bars(200)
    batch, live = calculate_indicators(frame_of(bars), ALL), Incremental(ALL)
    rows = pd.DataFrame([live.update(one) for one in bars], index=batch.index).astype("float64")
    differ = {
        one.kind.name for one in wanted(ALL) for name in one.columns if (rows[name] - batch[name]).abs().max() > 1e-6
    }
    assert differ == set(BEGIN_OTHERWISE)


def test_the_running_bar_may_come_again_and_again() -> None:
    bars = btc_bars(300)
    plain, revised = Incremental(ALL), Incremental(ALL)
    for one in bars:
        plain.update(one)
        for close in (one.low, one.high):
            revised.update(bar(opened_ns=one.opened_ns, at_ns=one.at_ns, high=one.high, low=one.low, close=close))
        assert revised.update(one) == pytest.approx(plain.values, nan_ok=True)


def test_what_it_keeps_stays_small() -> None:
    live = Incremental({"sma": 20, "macd": True, "obv": True, "vwap": True, "stoch": True})
    most = 0
    for number in range(4000):
        live.update(bar(number))
        most = max(most, *(len(part.input_values) for part in live._parts))
    assert most < 1400


def test_a_market_that_stands_still_breaks_nothing() -> None:
    still: dict[str, Any] = {name: Decimal(5) for name in ("open", "high", "low", "close")}
    bars = [bar(number, **still, volume=Decimal(0)) for number in range(60)]
    live = Incremental(ALL)
    last: dict[str, float | None] = {}
    for one in bars:
        last = live.update(one)
    found = {name: None if math.isnan(value) else value for name, value in _last_row(bars).items()}
    assert last == found


def _last_row(bars: list[Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in calculate_indicators(frame_of(bars), ALL).iloc[-1].items()}


def test_an_older_bar_is_refused() -> None:
    live = Incremental({"sma": 2})
    assert live.update(bar(1)) == {"sma_2": None}
    with pytest.raises(InputError, match="oldest first"):
        live.update(bar(0))


def test_what_says_no_indicators_or_is_no_frame_is_refused_in_words() -> None:
    with pytest.raises(BadConfig, match="indicators: None does not say which; write a mapping"):
        calculate_indicators(prices(1, 2), None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="df: None is no pandas frame"):
        calculate_indicators(None, {"sma": 2})
