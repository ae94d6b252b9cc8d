"""Run the bot that must be flat at every close, and die at the n-th moment of a kind, or after so many milliseconds.

Arguments: the bot's file, the book, the kind of moment, the number of the moment from 1; 0 for none. It ends by
itself, with 0, once it has gone over everything, and prints how many moments of each kind there were.
"""

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import onebook
from onebook.book.core import Core
from onebook.domain.facts import Fill, Order
from onebook.domain.market import Seen
from onebook.store.sqlite.store import SqliteStore
from onebook.trading.brokers.paper import PaperBroker
from onebook.trading.desk import TradingDesk
from onebook.trading.end_of_day import Closed, EndOfDay
from onebook.trading.end_of_day_exits import Exits
from onebook.trading.runner import bot

WRITES = ((Core, "submit"), (Core, "record_many"), (Core, "note"), (SqliteStore, "aside"))
RANDOM = "random"


class Fate:
    """Decides when this process ends."""

    def __init__(self, moment: str, number: int) -> None:
        self._moment = moment
        self._number = number
        self.counts: Counter[str] = Counter()
        self.is_closing = False

    def begin(self, _runner: object) -> None:
        """The bot begins: from now on the milliseconds count."""
        if self._moment == RANDOM and self._number:
            threading.Timer(self._number / 1000, self.die).start()

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def at(self, moment: str) -> None:
        """This is such a moment; end here if it is the last."""
        self.counts[moment] += 1
        if (moment, self.counts[moment]) == (self._moment, self._number):
            self.die()


def broker_near(fate: Fate) -> type[PaperBroker]:
    """Return a paper venue near which the process dies."""

    class Broker(PaperBroker):
        def start(self, reports: Callable[[Any], None]) -> None:
            def told(facts: Sequence[Any]) -> None:
                filled = [fact for fact in facts if isinstance(fact, Fill)]
                reports(facts)
                if filled:
                    fate.at("filled")
                if any((fact.client_order_id or "").startswith("eod-") for fact in filled):
                    fate.at("closed")

            super().start(told)

        def submit(self, order: Order) -> None:
            fate.at("send")
            super().submit(order)
            fate.at("sent")

        def see(self, seen: Seen) -> None:
            fate.at("seen")
            super().see(seen)

    return Broker


def watch(fate: Fate) -> None:
    """Let the process die around what is decided, and at every step of the end of day."""
    place, look, take_back = TradingDesk.place, EndOfDay.look, Exits.take_back

    def placed(self: TradingDesk, *orders: Order, **more: Any) -> Any:
        fate.at("entry")
        return place(self, *orders, **more)

    def looked(self: EndOfDay, now_ns: int) -> list[Closed]:
        fate.is_closing = True
        found = look(self, now_ns)
        fate.is_closing = False
        if found:
            fate.at("closed")
        return found

    def taken_back(self: Exits, *given: Any) -> None:
        fate.at("closing")
        take_back(self, *given)

    def near(write: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *given: Any, **more: Any) -> Any:
            found = write(self, *given, **more)
            if fate.is_closing and threading.current_thread() is threading.main_thread():
                fate.at("midway")
            return found

        return call

    changes: dict[str, Any] = {"place": (TradingDesk, placed), "look": (EndOfDay, looked)}
    for name, (owner, function) in (changes | {"take_back": (Exits, taken_back)}).items():
        setattr(owner, name, function)
    for owner, name in WRITES:
        setattr(owner, name, near(getattr(owner, name)))


def main() -> None:
    path, place, moment, number = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    fate = Fate(moment, number)
    watch(fate)
    setattr(bot, "PaperBroker", broker_near(fate))  # noqa: B010  the name of a class is not to be assigned to
    opens = partial(onebook.open, config={"synchronous": "normal"})  # a kill takes nothing from it
    how = bot.run_bot(path, opens, book_url=place, began=fate.begin, lease_seconds=0.001)
    sys.stdout.write(json.dumps(fate.counts))
    sys.stdout.flush()
    os._exit(how)


if __name__ == "__main__":
    main()
