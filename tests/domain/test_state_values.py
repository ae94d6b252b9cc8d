"""What the state keeps and gives back, what paths are, and which of them concern each other."""

import enum
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from onebook import InputError, NaiveTime, NotAllowed, PrecisionLost
from onebook.domain.state_commands import change_command
from onebook.domain.state_paths import concerns, path_from, path_of, path_text, watched_path
from onebook.domain.state_values import MAX_DEPTH, given, kept

MOMENT = datetime(2026, 1, 31, 9, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None), (True, True), (2**63 - 1, 2**63 - 1), (-(2**63), -(2**63)), (0.1, 0.1), ("é\0", "é\0"),
        (Decimal("1.50"), {"$decimal": "1.5"}), (Decimal("-0"), {"$decimal": "0"}),
        (Decimal("1E+3"), {"$decimal": "1000"}), (MOMENT, {"$time": "2026-01-31T08:30:00.250Z"}),
        (date(2026, 1, 31), {"$date": "2026-01-31"}), ((1, [2]), [1, [2]]), ({"a": {"b": ()}}, {"a": {"b": []}}),
        (Colour.RED, "red"), ({}, {}), ([], []),
    ],
)  # fmt: skip
def test_values_are_kept_as_json(value: Any, plain: Any) -> None:
    assert kept("v", value) == plain
    back = given(plain)
    assert type(kept("v", back)) is type(plain)
    assert kept("v", back) == plain
    if not isinstance(value, tuple | dict):
        assert back == value


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (float("nan"), InputError, "write None"), (float("inf"), InputError, "write None"),
        (Decimal("NaN"), InputError, "finite"), (Decimal("1E+500"), PrecisionLost, "100 digits"),
        (Decimal("1E-500"), PrecisionLost, "100 digits"), (2**63, PrecisionLost, r"Decimal\("),
        (b"x", InputError, r"hex\(\)"), ({1}, InputError, "sorted"), (object(), InputError, "object cannot be kept"),
        (datetime(2026, 1, 1), NaiveTime, "has no zone"),  # noqa: DTZ001  that is the point
        (datetime(1, 1, 1, tzinfo=UTC), InputError, "before the year"),
        ({1: 2}, InputError, "is not text"), ({"$decimal": "1"}, InputError, r"begins with \$"),
        ({"a": [{"b": {2}}]}, InputError, r"^v\.a\[0\]\.b: "), ("\ud800", InputError, "half of a character"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused(value: Any, error: type[InputError], says: str) -> None:
    with pytest.raises(error, match=says):
        kept("v", value)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_depth_has_a_limit() -> None:
    assert given(kept("v", nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(InputError, match="deeper than 32"):
        kept("v", nested(MAX_DEPTH + 1))
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InputError, match="deeper than 32"):
        kept("v", endless)


parts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8)
some_paths = st.lists(parts.filter(lambda part: part[0] != "$" and part != "*"), min_size=1, max_size=5).map(tuple)


@examples(some_paths)
def test_a_path_has_one_text(path: tuple[str, ...]) -> None:
    assert path_of(path) == path_of(path_text(path)) == path_from(path_text(path)) == path


@examples(some_paths, some_paths)
def test_what_lies_below_begins_with_the_text_and_a_dot(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    below = other[: len(one)] == one and other != one
    assert path_text(other).startswith(path_text(one) + ".") == below


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a.b", ("a", "b")),
        (r"positions.main.BRK\.B", ("positions", "main", "BRK.B")),
        (r"a\\.b", ("a\\", "b")),
        (r"a\b", (r"a\b",)),
        ("a b.c/d:e", ("a b", "c/d:e")),
    ],
)
def test_dotted_text(text: str, path: tuple[str, ...]) -> None:
    assert path_of(text) == path


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "is empty"), ((), "is not a path"), (None, "is not a path"), (5, "is not a path"), ("a..b", "is empty"),
        (("a", 5), "is not text"), ("$a", r"begins with \$"), ("a.$b", r"begins with \$"), ("*", "every path"),
        ("a\n", "cannot be shown"), (("a",) * 33, "32 parts"), ("x" * 513, "512 characters"),
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused(path: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        path_of(path)


def places() -> Iterator[tuple[str, str, bool]]:
    yield from (("a.b", "a.b", True), ("a.b", "a", True), ("a", "a.b", True), ("a.b", "*", True), ("a.b", "a.*", True))
    yield from (("a.b", "a.c", False), ("a.b", "b", False), ("ab", "a", False))


@pytest.mark.parametrize(("changed", "watched", "wanted"), list(places()))
def test_which_changes_concern_which_paths(changed: str, watched: str, wanted: bool) -> None:
    assert concerns(path_of(changed), watched_path(watched)) == wanted


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({f"a.{number}": None for number in range(10_001)}, "10001 paths in one change, at most 10000"),
        ({f"a.{number}": "x" * 250_000 for number in range(17)}, "bytes as JSON in one change"),
        ({"a": "x" * 262_143}, "262145 bytes as JSON, at most 262144"),
        ([("a", 1)], "values is a mapping"),
    ],
    ids=["paths", "sum", "value", "list"],
)
def test_one_change_has_limits(values: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        change_command(values)
    assert change_command({"a": "x" * 262_142}).changes


@pytest.mark.parametrize(
    ("path", "value"),
    [("positions", {}), ("pnl", 1), ("runners", {}), ("trading.positions", {}), ("trading", 1),
     ("trading", {"positions": {}})],
)  # fmt: skip
def test_roots_of_what_the_book_shows_cannot_be_written(path: str, value: Any) -> None:
    with pytest.raises(NotAllowed, match="is shown from the book itself"):
        change_command({path: value})
    if path != "trading":
        with pytest.raises(NotAllowed):
            change_command({}, delete=[path])
    assert change_command({"trading": {"mode": 1}}, delete=["positions.x"]).changes
