"""What a source is believed to have answered: silence is no proof that there was nothing."""

from collections.abc import Iterator

import pytest
from tests.market.bar_making import START, bar
from tests.market.test_bars import BTC, MINUTE, Source

from onebook.domain.market import Bar
from onebook.errors import InputError
from onebook.market.bars import BarStore
from onebook.testing.clock import FakeClock

ALL = [bar(number) for number in range(3000)]
END = START + 3000 * MINUTE


class Newest(Source):
    """Gives only the newest of all that it has, whatever it is asked for, as Kraken does."""

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        found = super().bars(instrument, timeframe, since_ns, until_ns)
        return [one for one in found if one.opened_ns >= self.all[-720:][0].opened_ns]


class Capped(Source):
    """Gives at most so many bars an answer; the oldest, or the newest where the number is negative."""

    most = 720

    def bars(self, instrument: str, timeframe: str, since_ns: int, until_ns: int) -> list[Bar]:
        found = super().bars(instrument, timeframe, since_ns, until_ns)
        return found[: self.most] if self.most > 0 else found[self.most :]


@pytest.fixture
def store() -> Iterator[BarStore]:
    opened = BarStore(":memory:", clock=FakeClock("2025-01-01T00:00:00Z"))
    yield opened
    opened.close()


def fill(store: BarStore, source: Source, since: int = 0, until: int = 3000) -> int:
    return len(store.fill(source, BTC, "1m", START + since * MINUTE, START + until * MINUTE))


def gaps(store: BarStore, since: int = 0, until: int = 3000) -> list[tuple[int, int]]:
    found = store.gaps(BTC, "1m", START + since * MINUTE, START + until * MINUTE)
    return [((begin - START) // MINUTE, (end - START) // MINUTE) for begin, end in found]


def test_what_a_source_does_not_reach_back_to_stays_a_gap_and_another_fills_it(store: BarStore) -> None:
    newest = Newest(ALL)
    assert fill(store, newest) == 720
    assert gaps(store) == [(0, 2280)]
    before = len(newest.asked)
    assert fill(store, newest) == 720
    assert len(newest.asked) - before == 3, "each page once, not more"
    assert fill(store, Source(ALL)) == 3000
    assert gaps(store) == []


def test_a_source_that_has_forgotten_does_not_prove_a_hole_between_older_bars_and_its_newest(store: BarStore) -> None:
    store.put(ALL[:100])
    newest = Newest(ALL)
    assert fill(store, newest) == 820
    assert gaps(store) == [(100, 2280)]
    assert fill(store, newest) == 820
    assert gaps(store) == [(100, 2280)]


@pytest.mark.parametrize(("most", "missing"), [(720, [(2720, 3000)]), (-720, [(0, 280)])])
def test_a_source_that_caps_its_answers_is_asked_for_the_rest(
    store: BarStore, most: int, missing: list[tuple[int, int]]
) -> None:
    source = Capped(ALL)
    source.most = most
    fill(store, source)
    assert gaps(store) == missing
    assert fill(store, source) == 3000
    assert gaps(store) == []


def test_a_hole_at_the_seam_of_two_pages_is_asked_for_with_the_bars_around_it(store: BarStore) -> None:
    source = Source([*ALL[:995], *ALL[1005:]])
    assert fill(store, source) == 2990
    assert gaps(store) == []
    assert source.asked[3:] == [(ALL[994].opened_ns, ALL[1005].opened_ns + 1)]


def test_a_hole_longer_than_a_page_is_proved_by_the_bars_around_it(store: BarStore) -> None:
    source = Source([*ALL[:200], *ALL[2500:]])
    assert fill(store, source) == 700
    assert gaps(store) == []


def test_silence_before_the_first_bar_and_after_the_last_proves_nothing(store: BarStore) -> None:
    source = Source(ALL[1000:2000])
    assert fill(store, source) == 1000
    assert gaps(store) == [(0, 1000), (2000, 3000)]
    assert fill(store, Source([]), 0, 900) == 0
    assert gaps(store, 0, 900) == [(0, 900)]


def test_a_hole_in_what_was_put_is_asked_for_once(store: BarStore) -> None:
    store.put([*ALL[:20], *ALL[30:60]])
    source = Source([*ALL[:20], *ALL[30:60]])
    assert fill(store, source, 0, 60) == 50
    assert source.asked == [(ALL[19].opened_ns, ALL[30].opened_ns + 1)]
    assert gaps(store, 0, 60) == []


def test_a_longer_bar_over_unknown_time_is_not_final(store: BarStore) -> None:
    store.put([*ALL[:60], *ALL[70:240]])
    found = store.longer(BTC, "1h", START, START + 240 * MINUTE, of="1m")
    assert [one.is_final for one in found] == [True, False, True, True]
    fill(store, Source([*ALL[:60], *ALL[70:]]), 0, 240)
    found = store.longer(BTC, "1h", START, START + 240 * MINUTE, of="1m")
    assert [one.is_final for one in found] == [True] * 4


def test_a_longer_bar_of_which_only_a_part_was_asked_for_is_not_final(store: BarStore) -> None:
    store.put(ALL[:240])
    found = store.longer(BTC, "1h", START + 30 * MINUTE, START + 210 * MINUTE, of="1m")
    assert [one.is_final for one in found] == [False, True, True, False]
    assert store.longer(BTC, "1h", END, END + MINUTE, of="1m") == []


@pytest.mark.parametrize("moment", [-(2**63), 2**63, -62_135_596_800 * 10**9])
def test_times_that_cannot_be_kept_are_refused_in_words(store: BarStore, moment: int) -> None:
    since, until = min(moment, START), max(moment, START)
    for ask in (store.read, store.gaps):
        with pytest.raises(InputError, match="bars are kept from 1823-"):
            ask(BTC, "1m", since, until)
    with pytest.raises(InputError, match="bars are kept from"):
        store.fill(Source([]), BTC, "1m", since, until)
    assert store.newest(BTC, "1m", 1, moment) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (bar(0, at_ns=START + 50 * MINUTE), "it lasts 3000 s, not 60 s"),
        (bar(0, at_ns=START + MINUTE // 2), "it lasts 30 s, not 60 s"),
        (bar(0, opened_ns=START + 7, at_ns=START + MINUTE + 7), "lie on the grid of UTC"),
        (bar(0, "1d", at_ns=START + 3 * 24 * 60 * MINUTE), "it lasts 259200 s"),
    ],
)
def test_a_bar_of_another_length_or_beside_the_grid_is_refused(store: BarStore, wrong: Bar, says: str) -> None:
    with pytest.raises(InputError, match=says):
        store.put([wrong])


def test_a_session_may_be_shorter_than_a_day_and_a_day_longer_where_clocks_go_back(store: BarStore) -> None:
    hour = 60 * MINUTE
    short, long = bar(0, "1d", at_ns=START + 6 * hour), bar(1, "1d")
    assert store.put([short, bar(1, "1d", at_ns=long.at_ns + hour)]) == 2


def test_bars_far_away_on_both_sides_are_not_asked_for_with_a_short_gap(store: BarStore) -> None:
    store.put([bar(0), bar(50_000)])
    source = Source([bar(number) for number in range(25_000, 25_100)])
    assert fill(store, source, 25_000, 25_060) == 60
    assert [((begin - START) // MINUTE, (end - START) // MINUTE) for begin, end in source.asked] == [(25_000, 25_060)]
    silent = Source([bar(0), bar(50_000)])
    assert fill(store, silent, 26_000, 26_060) == 0
    assert max(end - begin for begin, end in silent.asked) <= 60 * MINUTE
    assert gaps(store, 26_000, 26_060) == [(26_000, 26_060)]
