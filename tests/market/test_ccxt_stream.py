"""The real ccxt.pro against a venue on loopback: what it loses when a connection breaks, and how that is mended."""

import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.market.venues.binance import Binance, recorded
from tests.market.venues.serving import Fault, until

from onebook.domain.market import Bar, Print, Quote, Seen
from onebook.market.providers.ccxt import CcxtSource
from onebook.market.streams import Stream, StreamRules
from onebook.testing.clock import FakeClock

AT_MS = 1723161255342  # 2024-08-08T23:54:15Z
MS = 1_000_000
QUICK: dict[str, Any] = {"first_wait_seconds": 0.02, "longest_wait_seconds": 0.05}


class Desk:
    """A source of the venue, its stream, and what they say."""

    def __init__(self, venue: Binance, **rules: Any) -> None:
        self.venue = venue
        self.seen: list[Seen] = []
        self.troubles: list[tuple[str, str]] = []
        clock = FakeClock("2024-08-08T23:55:00Z")
        self.source = CcxtSource(
            "binance",
            base_url=venue.http,
            stream_url=venue.stream,
            options=venue.options,
            rules=StreamRules(**({"kinds": ("prints",)} | QUICK | rules)),
            clock=clock,
        )

    def stream(self, *instruments: str) -> Stream:
        return self.source.stream(
            instruments or ["BTC/USDT"], self.seen.append, on_trouble=lambda *given: self.troubles.append(given)
        )

    def ids(self) -> list[int]:
        return [int(item.id) for item in self.seen if isinstance(item, Print)]


@pytest.fixture
def venue() -> Iterator[Binance]:
    with closing(Binance()) as started:
        yield started
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("binance")]


def test_a_recorded_session_comes_out_as_it_was(venue: Binance, market: Path) -> None:
    messages = recorded(market, 1500)
    desk = Desk(venue, kinds=("prints", "quotes"), max_waiting=100_000)
    with closing(desk.source), closing(desk.stream()):
        until(lambda: venue.is_streaming("btcusdt@aggTrade", "btcusdt@bookTicker"))
        for message in messages:
            venue.replay(message)
        trades = [item for item in messages if item.get("e") == "trade"]
        until(lambda: len(desk.ids()) == len(trades))
        last = [item for item in messages if item.get("e") != "trade"][-1]
        until(lambda: (last["b"], last["a"]) == best(desk.seen))
    prints = [item for item in desk.seen if isinstance(item, Print)]
    assert prints == [
        Print(
            instrument="BTC/USDT",
            at_ns=item["T"] * MS,
            price=Decimal(item["p"]),
            quantity=Decimal(item["q"]),
            side="sell" if item["m"] else "buy",
            id=str(item["t"]),
        )
        for item in trades
    ]


def best(seen: list[Seen]) -> tuple[str, str]:
    """The newest bid and ask; ccxt itself hands on only the newest of those that come together."""
    quotes = [item for item in seen if isinstance(item, Quote)]
    return (str(quotes[-1].bid), str(quotes[-1].ask)) if quotes else ("", "")


def test_a_recorded_session_in_which_the_line_breaks_is_whole(venue: Binance, market: Path) -> None:
    trades = [item for item in recorded(market, 1500) if item.get("e") == "trade"][:300]
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
        for number, message in enumerate(trades):
            if number in {100, 200}:
                venue.drop()
            if number in {130, 260}:
                until(venue.is_streaming)
            venue.replay(message)
        until(lambda: len(desk.ids()) == len(trades))
    assert desk.ids() == [item["t"] for item in trades]
    assert "gap" not in [kind for kind, _ in desk.troubles]


def test_trades_during_a_break_are_fetched_when_it_is_over(venue: Binance) -> None:
    """ccxt issue 26945: its watch goes on after a break as if nothing had been missed."""
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()) as stream:
        until(venue.is_streaming)
        venue.trade(1, AT_MS)
        until(lambda: desk.ids() == [1])
        venue.dial_faults = [Fault(503)]
        venue.drop()
        for number in range(2, 1500):
            venue.trade(number, AT_MS + number)
        until(venue.is_streaming)
        venue.trade(1500, AT_MS + 1500)
        until(lambda: len(desk.ids()) == 1500)
        assert stream.status().gaps == 0
    assert desk.ids() == list(range(1, 1501))


def test_trades_that_a_living_connection_lost_are_fetched_and_repeated_ones_are_not(venue: Binance) -> None:
    """ccxt issue 28385: trades dropped and returned twice though the connection held."""
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()) as stream:
        until(venue.is_streaming)
        venue.trade(1, AT_MS)
        venue.trade(2, AT_MS + 1, is_lost=True)
        venue.trade(3, AT_MS + 1, is_lost=True)
        venue.trade(4, AT_MS + 2)
        venue.show("aggTrade", {"e": "aggTrade", "E": AT_MS, **venue.trades[-1]})
        until(lambda: desk.ids() == [1, 2, 3, 4])
        until(lambda: stream.status().duplicates == 2)  # the fourth was fetched, and shown twice
        assert stream.status().connections == 1


def test_a_connection_that_ccxt_makes_again_by_itself_ends_the_session(venue: Binance) -> None:
    desk, lines = Desk(venue), []
    make = desk.source._live_client

    def watched() -> Any:
        lines.append(make())
        return lines[-1]

    desk.source._live_client = watched  # type: ignore[method-assign]
    with closing(desk.source), closing(desk.stream()) as stream:
        until(venue.is_streaming)
        client = next(iter(lines[0].clients.values()))
        lines[0].asyncio_loop.call_soon_threadsafe(lines[0].on_connected, client)
        until(lambda: stream.status().connections == 2)
    assert "made again" in desk.troubles[0][1]


def test_candles_that_closed_during_a_break_are_fetched(venue: Binance) -> None:
    """ccxt issue 23879: candles missing after a reconnect."""
    opened = AT_MS // 60_000 * 60_000 - 600_000
    desk = Desk(venue, kinds=("1m",))
    with closing(desk.source), closing(desk.stream()):
        until(lambda: venue.is_streaming("btcusdt@kline_1m"))
        show_kline(venue, opened, "61000.10")
        until(lambda: len(desk.seen) == 1)
        for number, close in enumerate(("61000.5", "61001.5", "61002.5")):
            at = opened + number * 60_000
            venue.klines.append([at, "61000.1", "62000", "60000", close, "1.5", at + 59_999, "1", 1, "1", "1", "0"])
        venue.drop()
        until(lambda: len(desk.seen) == 4)
        until(lambda: venue.is_streaming("btcusdt@kline_1m"))
        show_kline(venue, opened + 3 * 60_000, "61003.5")
        until(lambda: len(desk.seen) == 5)
        show_kline(venue, opened + 4 * 60_000, "61004.5")
        until(lambda: len(desk.seen) == 7)
    bars = [item for item in desk.seen if isinstance(item, Bar)]
    closes = ["61000.1", "61000.5", "61001.5", "61002.5", "61003.5", "61003.5", "61004.5"]
    assert [str(bar.close) for bar in bars] == closes
    assert [bar.is_final for bar in bars] == [False, True, True, True, False, True, False]


def show_kline(venue: Binance, opened: int, close: str) -> None:
    body = {"t": opened, "T": opened + 59_999, "s": "BTCUSDT", "i": "1m", "x": False}
    prices = {"o": "61000.1", "c": close, "h": "62000", "l": "60000", "v": "1.5"}
    venue.show("kline_1m", {"e": "kline", "E": opened, "s": "BTCUSDT", "k": body | prices})


def test_a_mute_connection_is_left_for_another(venue: Binance) -> None:
    desk = Desk(venue, silence_seconds=0.2)
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
        venue.trade(1, AT_MS)
        until(lambda: desk.ids() == [1])
        venue.is_mute = True
        venue.trade(2, AT_MS + 1)
        until(lambda: desk.ids() == [1, 2])
        assert len(venue.dials) >= 2
    assert desk.troubles[0][0] == "silence"


def test_a_message_that_is_no_json_makes_a_new_connection(venue: Binance) -> None:
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
        venue.trade(1, AT_MS)
        until(lambda: desk.ids() == [1])
        venue.say('{"e":"aggTrade","s":"BTCUSDT",')
        until(lambda: len(venue.dials) == 2)
        venue.trade(2, AT_MS + 1)
        until(lambda: desk.ids() == [1, 2])
    assert "could not be read" in desk.troubles[0][1]


def test_a_venue_that_refuses_connections_is_not_stormed(venue: Binance) -> None:
    desk = Desk(venue, first_wait_seconds=0.1, longest_wait_seconds=0.4)
    venue.dial_faults = [Fault(503) for _ in range(4)]
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
    waits = [after - before for before, after in zip(venue.dials, venue.dials[1:], strict=False)]
    assert len(venue.dials) == 5
    assert all(wait >= floor for wait, floor in zip(waits, (0.05, 0.1, 0.2, 0.2), strict=True))


def test_the_wait_that_a_refusal_asks_for_is_kept(venue: Binance) -> None:
    desk = Desk(venue)
    venue.dial_faults = [Fault(429, Retry_After="1")]
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
    assert venue.dials[1] - venue.dials[0] >= 1


def test_a_history_that_asks_for_fewer_calls_is_asked_later(venue: Binance) -> None:
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()):
        until(venue.is_streaming)
        venue.trade(1, AT_MS)
        until(lambda: desk.ids() == [1])
        venue.faults = [Fault(429, "{}"), Fault(500, ""), Fault(502, "")]
        venue.trade(2, AT_MS + 1, is_lost=True)
        venue.drop()
        until(lambda: desk.ids() == [1, 2])
        assert venue.faults == []


def test_instruments_come_and_go_on_the_running_stream(venue: Binance) -> None:
    desk = Desk(venue)
    with closing(desk.source), closing(desk.stream()) as stream:
        until(venue.is_streaming)
        stream.add(["ETH/USDT"])
        until(lambda: venue.is_streaming("ethusdt@aggTrade", "btcusdt@aggTrade"))
        venue.trade(1, AT_MS, base="ETH")
        until(lambda: desk.ids() == [1])
        stream.remove(["ETH/USDT"])
        until(lambda: not venue.is_streaming("ethusdt@aggTrade"))
        venue.trade(2, AT_MS, base="ETH")
        venue.trade(3, AT_MS)
        until(lambda: desk.ids() == [1, 3])
        assert stream.status().instruments == ("BTC/USDT",)


def test_a_stream_that_is_closed_leaves_nothing_open(venue: Binance) -> None:
    desk = Desk(venue)
    stream = desk.stream("BTC/USDT", "ETH/USDT")
    until(lambda: venue.is_streaming("btcusdt@aggTrade", "ethusdt@aggTrade"))
    stream.close()
    desk.source.close()
    until(lambda: all(socket.closed for _, socket in venue.sockets))
    assert desk.troubles == []
