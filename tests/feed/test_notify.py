"""When notifications are sent: bursts, outages, quiet hours. Through apprise to a real receiver on loopback."""

from zoneinfo import ZoneInfo

import pytest
from tests.feed.chats import NOON, Receiver, event, halted, notify

from onebook.errors import BreakerOpen, SourceError
from onebook.feed.sinks.quiet import quiet_hours
from onebook.testing.clock import FakeClock


def test_an_alert_arrives(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    assert sink.deliver([event(1)], more=False) is True
    (message,) = chat.messages
    assert message["title"] == "onebook warning"
    assert message["message"] == "BTC/USDT: order rejected: o1 on main (grid); margin"
    assert message["type"] == "warning"


def test_what_was_delivered_and_comes_again_is_sent_again(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    for _ in range(2):
        assert sink.deliver([event(1)], more=False) is True
    assert len(chat.messages) == 2


def test_only_what_is_important_enough_is_sent(chat: Receiver, clock: FakeClock) -> None:
    events = [
        event(1, "trade_executed", side="buy"),
        event(2, "position_closed"),
        event(3, "day_ended", day="2024-06-03"),
    ]
    assert notify(clock, chat.url).deliver(events, more=False) is True
    assert chat.texts == ["the day 2024-06-03 ended"]
    assert notify(clock, chat.url, daily_summary=False).deliver(events, more=False) is True
    assert len(chat.texts) == 1
    assert notify(clock, chat.url, minimum="info").deliver(events, more=False) is True
    assert len(chat.texts) == 4


def test_templates_and_title_are_the_users(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url, title="Desk 7", templates={"order_updated": "{status}! {reason}"})
    sink.deliver([event(1)], more=False)
    assert (chat.titles, chat.texts) == (["Desk 7 warning"], ["rejected! margin"])


def test_text_is_sent_as_it_is(chat: Receiver, clock: FakeClock) -> None:
    odd = "*bold* [x](http://evil.example) <b>tag</b> :smile: `code` \\n"
    notify(clock, chat.url).deliver([event(1, reason=odd)], more=False)
    assert odd in chat.texts[0]


def test_a_few_go_one_by_one_and_a_burst_becomes_one_digest(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    answers = [sink.deliver([event(number)], more=False) for number in range(1, 101)]
    assert answers == [True] * 5 + [False] * 95
    assert len(chat.messages) == 5
    assert sink.deliver([], more=False) is False
    clock.advance(30)
    assert sink.deliver([], more=False) is True
    assert len(chat.messages) == 6
    assert chat.titles[-1] == "onebook warning: 95 messages"
    digest = chat.texts[-1].split("\n")
    assert digest[0] == "95 messages, 2024-06-03 12:00 UTC: 95 order_updated"
    assert digest[1] == "06-03 12:00 BTC/USDT: order rejected: o100 on main (grid); margin"
    assert digest[-1] == "and 75 more"


def test_a_burst_that_goes_on_gives_one_digest_each_time(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    number = 0
    for _ in range(300):
        for _ in range(3):
            number += 1
            sink.deliver([event(number)], more=False)
        clock.advance(1)
    clock.advance(30)
    assert sink.deliver([], more=False) is True
    assert sum(int(title.split()[-2]) for title in chat.titles if title.endswith("messages")) == number - 5
    assert len(chat.messages) <= 5 + 11
    clock.advance(60)
    assert sink.deliver([event(number + 1)], more=False) is True
    assert not chat.titles[-1].endswith("messages")


def test_several_at_once_that_are_few_go_one_by_one(chat: Receiver, clock: FakeClock) -> None:
    assert notify(clock, chat.url).deliver([event(1), event(2), event(3)], more=False) is True
    assert len(chat.messages) == 3


def test_after_an_error_amid_a_few_none_comes_twice(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    events = [event(1), event(2), event(3)]
    chat.statuses = [200, 503]
    with pytest.raises(SourceError):
        sink.deliver(events, more=False)
    assert sink.deliver([*events, event(4)], more=False) is True
    assert [text.split(": ")[2].split()[0] for text in chat.texts] == ["o1", "o2", "o3", "o4"]


def test_what_was_kept_in_mind_is_not_sent_twice_after_an_error(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    assert sink.deliver([event(1), event(2)], more=True) is False
    chat.statuses = [200, 503]
    with pytest.raises(SourceError):
        sink.deliver([event(3)], more=False)
    assert sink.deliver([event(3)], more=False) is True
    assert len(chat.texts) == len(set(chat.texts)) == 3


def test_an_outage_of_a_day_loses_nothing_and_does_not_flood(chat: Receiver, clock: FakeClock) -> None:
    """The log keeps 5000 alerts; the engine hands over the first again and again, then all in large batches."""
    sink = notify(clock, chat.url)
    chat.down = True
    refused = 0
    alerts = [event(number, at=NOON) for number in range(1, 5000)] + [halted(5000)]
    for _ in range(24 * 12):
        try:
            sink.deliver(alerts[:1], more=False)
        except BreakerOpen:
            refused += 1
        except SourceError:
            pass
        clock.advance(300)
    assert chat.messages == []
    chat.down = False
    answers = [
        sink.deliver(alerts[start : start + 500], more=start + 500 < len(alerts)) for start in range(0, 5000, 500)
    ]
    assert answers == [False] * 9 + [True]
    (message,) = chat.messages
    assert message["title"] == "onebook critical: 5000 messages"
    assert message["type"] == "failure"
    lines = message["message"].split("\n")
    assert lines[0].endswith("4999 order_updated, 1 trading_state_changed")
    assert "HALTED" in lines[1]
    assert len(lines) == 22
    assert lines[-1] == "and 4980 more"


def test_a_backlog_that_fails_at_its_end_is_counted_once(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    assert sink.deliver([event(number) for number in range(1, 501)], more=True) is False
    last = [event(number) for number in range(501, 601)]
    for _ in range(10):
        chat.down = True
        with pytest.raises(SourceError):
            sink.deliver(last, more=False)
        clock.advance(61)
    chat.down = False
    assert sink.deliver(last, more=False) is True
    assert chat.titles == ["onebook warning: 600 messages"]


def test_after_a_crash_the_same_comes_again(chat: Receiver, clock: FakeClock) -> None:
    alerts = [event(number) for number in range(1, 1001)]
    notify(clock, chat.url).deliver(alerts[:500], more=True)
    again = notify(clock, chat.url)
    again.deliver(alerts[:500], more=True)
    assert again.deliver(alerts[500:], more=False) is True
    assert chat.titles == ["onebook warning: 1000 messages"]


def test_a_call_without_events_raises_nothing_and_tries_again_later(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    assert sink.deliver([event(number) for number in range(1, 501)], more=True) is False
    chat.down = True
    assert sink.deliver([], more=False) is False
    chat.down = False
    assert sink.deliver([], more=False) is False
    clock.advance(31)
    assert sink.deliver([], more=False) is True
    assert chat.titles == ["onebook warning: 500 messages"]


def test_a_dead_target_is_left_alone_and_one_trial_finds_it_back(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url, breaker_failures=3, breaker_seconds=120)
    chat.down = True
    for _ in range(3):
        with pytest.raises(SourceError, match="JSON: the message was not taken") as caught:
            sink.deliver([event(1)], more=False)
        assert type(caught.value) is SourceError
    with pytest.raises(BreakerOpen, match="again in 120 s"):
        sink.deliver([event(1)], more=False)
    assert sink.breaker_status().state == "open"
    clock.advance(120)
    assert sink.breaker_status().state == "half_open"
    with pytest.raises(SourceError, match="not taken"):
        sink.deliver([event(1)], more=False)
    with pytest.raises(BreakerOpen):
        sink.deliver([event(1)], more=False)
    clock.advance(120)
    chat.down = False
    assert sink.deliver([event(1)], more=False) is True
    assert sink.breaker_status().state == "closed"


def test_a_text_that_the_target_refuses_does_not_block_it(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url)
    chat.statuses = [400, 200, 200]
    assert sink.deliver([event(1)], more=False) is True
    assert sink.deliver([event(2)], more=False) is True
    assert "refused the text" in chat.texts[0]
    assert "o2" in chat.texts[1]
    chat.statuses = [400, 400]
    with pytest.raises(SourceError) as caught:
        sink.deliver([event(3)], more=False)
    assert caught.value.retryable


# ---- quiet hours ----


def test_in_quiet_hours_only_what_is_critical_is_sent_and_the_rest_when_they_end(
    chat: Receiver, clock: FakeClock
) -> None:
    sink = notify(clock, chat.url, quiet_hours="22:00-07:00", zone="Europe/Berlin")
    clock.set("2024-06-03T20:00:00Z")  # 22:00 in Berlin
    assert sink.deliver([event(1), event(2)], more=False) is False
    assert sink.deliver([halted(3)], more=False) is False
    assert chat.texts == ["trading is HALTED on main (grid): kill switch"]
    assert sink.deliver([event(4), event(5, "day_ended")], more=False) is False
    clock.set("2024-06-04T04:59:59Z")
    assert sink.deliver([], more=False) is False
    assert len(chat.messages) == 1
    clock.set("2024-06-04T05:00:00Z")
    assert sink.deliver([], more=False) is True
    assert chat.titles[-1] == "onebook warning: 4 messages"
    assert "3 order_updated, 1 day_ended" in chat.texts[-1]
    assert "14:00 BTC/USDT: order rejected: o4" in chat.texts[-1]
    assert sink.deliver([event(6)], more=False) is False
    clock.advance(30)
    assert sink.deliver([], more=False) is True
    assert "o6" in chat.texts[-1]


def test_what_waited_through_the_night_goes_along_with_what_comes_in_the_morning(
    chat: Receiver, clock: FakeClock
) -> None:
    sink = notify(clock, chat.url, quiet_hours="22:00-07:00")
    clock.set("2024-06-03T23:00:00Z")
    assert sink.deliver([event(1)], more=False) is False
    clock.set("2024-06-04T08:00:00Z")
    assert sink.deliver([event(2)], more=False) is True
    assert chat.titles == ["onebook warning: 2 messages"]


def test_one_message_of_the_night_is_no_digest(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url, quiet_hours="22:00-07:00")
    clock.set("2024-06-03T23:00:00Z")
    sink.deliver([event(1)], more=False)
    clock.set("2024-06-04T07:00:00Z")
    assert sink.deliver([], more=False) is True
    assert chat.texts == ["BTC/USDT: order rejected: o1 on main (grid); margin"]


def test_a_burst_into_the_night_waits_for_the_morning(chat: Receiver, clock: FakeClock) -> None:
    sink = notify(clock, chat.url, quiet_hours="22:00-07:00")
    clock.set("2024-06-03T21:59:50Z")
    for number in range(1, 11):
        sink.deliver([event(number)], more=False)
    assert len(chat.messages) == 5
    clock.set("2024-06-03T22:00:30Z")
    assert sink.deliver([], more=False) is False
    assert len(chat.messages) == 5
    clock.set("2024-06-04T07:00:00Z")
    assert sink.deliver([], more=False) is True
    assert chat.titles[-1] == "onebook warning: 5 messages"


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        ("22:00-07:00", "UTC", "2024-06-03T21:59:59Z", None),
        ("22:00-07:00", "UTC", "2024-06-03T22:00:00Z", "2024-06-04T07:00:00Z"),
        ("22:00-07:00", "UTC", "2024-06-04T06:59:59Z", "2024-06-04T07:00:00Z"),
        ("22:00-07:00", "UTC", "2024-06-04T07:00:00Z", None),
        ("12:00-13:30", "UTC", "2024-06-04T12:15:00Z", "2024-06-04T13:30:00Z"),
        ("12:00-13:30", "UTC", "2024-06-04T13:30:00Z", None),
        ("22:00-07:00", "America/New_York", "2024-06-04T03:00:00Z", "2024-06-04T11:00:00Z"),
        ("22:00-07:00", "Europe/Berlin", "2024-03-30T23:00:00Z", "2024-03-31T05:00:00Z"),  # the hour is put ahead
        ("22:00-07:00", "Europe/Berlin", "2024-10-26T23:00:00Z", "2024-10-27T06:00:00Z"),  # and back
    ],
)
def test_when_quiet_hours_end(hours: str, zone: str, now: str, until: str | None) -> None:
    clock = FakeClock(now)
    found = quiet_hours("quiet_hours", hours).until(clock(), ZoneInfo(zone))
    assert found == (None if until is None else FakeClock(until)())
