"""How long a subscriber waits after a failure."""

from random import Random

from hypothesis import given
from hypothesis import strategies as some

from onebook.feed.policy import Policy


@given(
    attempts=some.integers(1, 10**6),
    seed=some.integers(0, 10**6),
    base=some.floats(0.001, 10),
    cap=some.floats(0.001, 3600),
)
def test_waits_double_up_to_a_cap_and_are_spread(attempts: int, seed: int, base: float, cap: float) -> None:
    policy = Policy(backoff_seconds=base, backoff_cap_seconds=cap)
    found = policy.wait(attempts, Random(seed))
    full = min(cap, base * 2.0 ** min(attempts - 1, 60))
    assert full / 2 <= found <= full
    assert found == policy.wait(attempts, Random(seed)), "it depends on nothing else"
    assert len({policy.wait(attempts, Random(other)) for other in range(5)}) == 5


def test_when_it_gives_up() -> None:
    assert [Policy(attempts=3).gives_up(attempts) for attempts in (1, 2, 3, 4)] == [False, False, True, True]
    assert not Policy(attempts=None).gives_up(10**9)
