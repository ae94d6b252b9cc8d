"""Charts out of text keep their size and say what the figures say."""

import pytest

from onebook.demo.chart import Frame, bar, curve, resample, scale, sparkline

BLANK = "\u2800"


def frame(values: list[float], *, width: int = 10, height: int = 4, base: float = 0.0, filled: float = 1.0) -> Frame:
    return Frame(width=width, height=height, scale=scale(values, base), base=base, filled=filled)


@pytest.mark.parametrize(("width", "height", "count"), [(1, 1, 1), (10, 4, 3), (80, 20, 1000)])
def test_a_curve_has_the_size_that_was_asked_for(width: int, height: int, count: int) -> None:
    values = [float(at % 17) for at in range(count)]
    rows = curve(values, frame(values, width=width, height=height))
    assert [len(row) for row in rows] == [width] * height


def test_a_rising_curve_goes_from_the_foot_to_the_top() -> None:
    values = [float(at) for at in range(20)]
    rows = curve(values, frame(values))
    assert rows[-1][0] != BLANK
    assert rows[0][-1] != BLANK
    assert rows[0][0] == BLANK


def test_what_is_to_come_stays_empty_but_for_the_base_line() -> None:
    values = [1.0, 5.0, 3.0]
    rows = curve(values, frame(values, filled=0.5))
    assert all(set(row[6:]) == {BLANK} for row in rows[:-1])


def test_a_curve_that_never_moves_can_be_drawn() -> None:
    assert len(curve([100.0], frame([100.0], base=100.0))) == 4


def test_labels_fall_from_top_to_foot() -> None:
    over = scale([0.0, 100.0], 50.0)
    labels = [over.label(row, 5) for row in range(5)]
    assert labels == sorted(labels, reverse=True)
    assert labels[2] == pytest.approx(50.0)


def test_resampling_keeps_both_ends() -> None:
    assert resample([1.0, 2.0, 3.0, 4.0], 2) == [1.0, 4.0]
    assert resample([1.0, 4.0], 4) == [1.0, 1.0, 4.0, 4.0]
    assert resample([], 3) == []


def test_a_sparkline_goes_from_the_lowest_to_the_highest_block() -> None:
    assert sparkline([1.0, 2.0, 3.0], 3) == "▁▅█"
    assert sparkline([2.0, 2.0], 2) == "▁▁"
    assert sparkline([], 2) == "  "


@pytest.mark.parametrize(("part", "drawn"), [(0, "    "), (0.5, "██  "), (0.53125, "██▏ "), (1, "████"), (2, "████")])
def test_a_bar_fills_its_part(part: float, drawn: str) -> None:
    assert bar(part, 4) == drawn
