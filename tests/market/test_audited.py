"""What stands before a venue where nobody configured anything: its own limits are kept before it complains."""

from contextlib import closing, suppress

import pytest

from onebook.domain.times import SECOND
from onebook.errors import BreakerOpen, SourceTimeout
from onebook.market.circuits import Circuits
from onebook.market.pacing import Pace
from onebook.market.providers.ccxt import CcxtSource
from onebook.market.sources import RATES
from onebook.testing import FakeClock


def test_alpaca_is_never_called_more_than_200_times_in_a_minute() -> None:
    clock = FakeClock("2024-06-03T12:00:00Z")
    pace = Pace("alpaca", RATES["alpaca"], clock=clock, sleep=clock.advance)
    called = []
    for _ in range(600):
        pace.take()
        called.append(clock.now)
    within = [sum(at <= later < at + 60 * SECOND for later in called) for at in called]
    assert 190 <= max(within) <= 200


def test_an_exchange_of_ccxt_keeps_to_its_own_rate_unless_told_otherwise() -> None:
    with (
        closing(CcxtSource("binance")) as source,
        closing(CcxtSource("binance", options={"enableRateLimit": False})) as hurried,
    ):
        assert (source._client.enableRateLimit, hurried._client.enableRateLimit) == (True, False)


def test_a_breaker_opens_at_the_fifth_failure_in_a_row_for_a_minute() -> None:
    clock = FakeClock("2024-06-03T12:00:00Z")
    breaker = Circuits(clock).get("prices")

    def call(*, fails: bool) -> None:
        with suppress(SourceTimeout), breaker.attempt():
            if fails:
                raise SourceTimeout("no answer")

    for fails in (True, True, True, True, False, True, True, True, True):
        call(fails=fails)
    assert breaker.status().state == "closed"
    call(fails=True)
    clock.advance(59)
    with pytest.raises(BreakerOpen):
        call(fails=False)
    clock.advance(1)
    call(fails=False)
    assert breaker.status().state == "closed"
