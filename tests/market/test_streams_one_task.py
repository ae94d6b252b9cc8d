"""A venue has one task that keeps its connection, and one that delivers, however many instruments are streamed."""

import threading
from contextlib import closing

from tests.market.venues.desk import Desk, print_
from tests.market.venues.serving import until

from onebook.domain.market import Seen


def tasks() -> list[str]:
    return sorted(item.name for item in threading.enumerate() if item.name.startswith("desk"))


def test_a_venue_has_one_task_and_one_connection_whatever_is_added_and_however_often_it_breaks() -> None:
    desk, other = Desk(), Desk()
    held: list[set[str]] = []

    def deliver(seen: Seen) -> None:
        held.append({threading.current_thread().name})
        desk.seen.append(seen)

    with closing(desk.stream(instruments=["BTC", "ETH", "SOL"], deliver=deliver)) as stream:
        assert tasks() == ["desk out", "desk stream"]
        stream.add(["XRP", "ADA"])
        for number, name in enumerate(["BTC", "ETH", "SOL", "XRP", "ADA"]):
            desk.show(print_(number, instrument=name))
        until(lambda: len(desk.seen) == 5)
        assert (tasks(), len(desk.lines)) == (["desk out", "desk stream"], 1)
        desk.break_line()
        until(lambda: desk.is_again_up(2))
        desk.show(print_(9, instrument="ETH"))
        until(lambda: len(desk.seen) == 6)
        assert tasks() == ["desk out", "desk stream"]
        with closing(other.stream()):
            assert tasks() == ["desk out", "desk out", "desk stream", "desk stream"]
    assert tasks() == []
    assert held == [{"desk out"}] * 6
