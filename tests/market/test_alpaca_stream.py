"""The real alpaca-py stream against a venue on loopback: mute for hours, storms of reconnects, gaps."""

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from tests.market.venues.alpaca import KEY, SECRET, Alpaca
from tests.market.venues.serving import Fault, until

from onebook.domain.market import Print, Quote, Seen
from onebook.domain.times import MINUTE, SECOND, from_text, to_text
from onebook.market.providers.alpaca import AlpacaSource
from onebook.market.streams import Stream, StreamRules
from onebook.testing.clock import FakeClock

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets")

AT = from_text("at", "2024-06-03T14:30:00.123456789Z")


class Desk:
    """A source of the venue, its stream, and what they say."""

    def __init__(self, venue: Alpaca, secret: str = SECRET, **rules: Any) -> None:
        self.seen: list[Seen] = []
        self.troubles: list[tuple[str, str]] = []
        quick = {"kinds": ("prints",), "first_wait_seconds": 0.02, "longest_wait_seconds": 0.05}
        self.source = AlpacaSource(
            KEY,
            secret,
            base_url=venue.http,
            stream_url=venue.stream,
            rules=StreamRules(**(quick | rules)),  # type: ignore[arg-type]
            clock=FakeClock("2024-06-03T14:31:00Z"),
        )

    def stream(self, *instruments: str) -> Stream:
        return self.source.stream(
            instruments or ["AAPL"], self.seen.append, on_trouble=lambda *given: self.troubles.append(given)
        )

    def ids(self) -> list[int]:
        return [int(item.id.rsplit("-", 1)[1]) for item in self.seen if isinstance(item, Print)]


@pytest.fixture
def venue(caplog: pytest.LogCaptureFixture) -> Iterator[Alpaca]:
    caplog.set_level(logging.CRITICAL, "alpaca.data.live.websocket")
    with closing(Alpaca()) as started:
        yield started
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("alpaca")]


def test_prints_quotes_and_bars_are_streamed_to_the_nanosecond(venue: Alpaca) -> None:
    desk = Desk(venue, kinds=("prints", "quotes", "1m"))
    with closing(desk.source), closing(desk.stream()):
        until(lambda: venue.is_streaming("bars"))
        venue.trade(7, AT, 189.125)
        until(lambda: len(desk.seen) == 1)
        venue.show("quotes", {"T": "q", "S": "AAPL", "t": to_text(AT), "bp": 1.1, "bs": 2, "ap": 1.2, "as": 3})
        until(lambda: len(desk.seen) == 2)
        opened = AT // MINUTE * MINUTE
        prices = {"o": 1, "h": 2.5, "l": 0.5, "c": 2, "v": 10}
        venue.show("bars", {"T": "b", "S": "AAPL", "t": to_text(opened), **prices})
        until(lambda: len(desk.seen) == 3)
    print_, quote, bar = desk.seen
    assert isinstance(print_, Print)
    assert (print_.at_ns, print_.price, print_.quantity) == (AT, Decimal("189.125"), Decimal(100))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask) == (Decimal("1.1"), Decimal("1.2"))
    assert (bar.at_ns, desk.troubles) == (opened + MINUTE, [])


def test_trades_during_a_break_are_fetched_when_it_is_over(venue: Alpaca) -> None:
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()) as stream:
        until(venue.is_streaming)
        venue.trade(1, AT)
        until(lambda: desk.ids() == [1])
        venue.drop()
        for number in range(2, 300):
            venue.trade(number, AT + number * 10)
        until(venue.is_streaming)
        venue.trade(300, AT + SECOND)
        until(lambda: len(desk.ids()) == 300)
        assert stream.status().gaps == 0
    assert desk.ids() == list(range(1, 301))


def test_a_stream_that_is_connected_but_mute_is_left_for_another(venue: Alpaca) -> None:
    """alpaca-py issue 740: no data for hours, the socket answering pings."""
    desk = Desk(venue, silence_seconds=0.3)
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
        venue.trade(1, AT)
        until(lambda: desk.ids() == [1])
        venue.is_mute = True
        venue.trade(2, AT + 1)
        until(lambda: desk.ids() == [1, 2])
        assert len(venue.dials) >= 2
    assert desk.troubles[0][0] == "silence"


def test_refused_connections_are_no_storm(venue: Alpaca) -> None:
    """alpaca-py issue 740: reconnects every 10 ms, answered with 429."""
    desk = Desk(venue, first_wait_seconds=0.1, longest_wait_seconds=0.4)
    venue.dial_faults = [Fault(429), Fault(429, Retry_After="1"), Fault(503)]
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
    waits = [after - before for before, after in zip(venue.dials, venue.dials[1:], strict=False)]
    assert len(waits) == 3
    assert all(wait >= floor for wait, floor in zip(waits, (0.05, 1.0, 0.2), strict=True))


def test_wrong_keys_are_reported_and_tried_slowly(venue: Alpaca) -> None:
    desk = Desk(venue, secret="wrong", first_wait_seconds=0.01, longest_wait_seconds=60)  # noqa: S106  on purpose
    with closing(desk.source), closing(desk.stream()) as stream:
        until(lambda: desk.troubles)
        assert stream.status().state == "waiting"
        assert len(venue.dials) == 1
    assert "auth failed" in desk.troubles[0][1]


def test_a_second_session_of_the_account_is_reported(venue: Alpaca) -> None:
    desk = Desk(venue)
    venue.refusal = {"T": "error", "code": 406, "msg": "connection limit exceeded"}
    with closing(desk.source), closing(desk.stream()):
        until(lambda: desk.troubles)
        venue.refusal = None
        until(venue.is_streaming)
    assert "connection limit exceeded" in desk.troubles[0][1]


def test_a_message_that_is_no_msgpack_makes_a_new_connection(venue: Alpaca) -> None:
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
        venue.say(b"\xc1\xc1\xc1")
        until(lambda: len(venue.dials) >= 2)
        until(venue.is_streaming)
        venue.trade(1, AT)
        until(lambda: desk.ids() == [1])


def test_instruments_come_and_go_on_the_running_stream(venue: Alpaca) -> None:
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()) as stream:
        until(venue.is_streaming)
        until(lambda: stream.status().state == "live")
        stream.add(["MSFT"])
        until(lambda: venue.is_streaming("trades", "MSFT"))
        stream.remove(["AAPL"])
        until(lambda: not venue.is_streaming("trades", "AAPL"))
        venue.show("trades", {"T": "t", "S": "MSFT", "t": to_text(AT), "p": 1.5, "s": 1, "i": 9, "x": "V"})
        until(lambda: [item.instrument for item in desk.seen] == ["MSFT"])
        assert stream.status().instruments == ("MSFT",)
        assert len(venue.dials) == 1


def test_a_stream_of_nothing_begins_with_the_first_instrument(venue: Alpaca) -> None:
    desk = Desk(venue)
    with closing(desk.source), closing(desk.source.stream([], desk.seen.append)) as stream:
        stream.add(["AAPL"])
        until(venue.is_streaming)
        venue.trade(1, AT)
        until(lambda: desk.ids() == [1])
